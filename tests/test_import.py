"""``import skrepr`` is cheap, and the package shows what it has."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skrepr

HEAVY = ("torch", "sklearn", "skorch", "numpy", "scipy", "pandas", "matplotlib")


def run(code):
    """Run code in a new interpreter and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def loaded_by(statement):
    return run(f"import sys; {statement}; print(*{{m.split('.')[0] for m in sys.modules}})")


def test_import_takes_less_than_50_ms():
    # the time of the import itself, in interpreters that have started already
    code = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
    package = min(float(run(code.format("import skrepr"))[0]) for _ in range(5))
    nothing = min(float(run(code.format("pass"))[0]) for _ in range(5))
    assert package - nothing < 0.05


def test_import_loads_nothing_heavy():
    assert not set(HEAVY) & set(loaded_by("import skrepr"))
    few = int(
        run("import sys; n = len(sys.modules); import skrepr; print(len(sys.modules) - n)")[0]
    )
    assert few < 20


def test_asking_what_there_is_loads_nothing_heavy():
    assert not set(HEAVY) & set(loaded_by("import skrepr; dir(skrepr); skrepr.__all__"))


def test_metrics_and_datasets_resolve_without_an_import_and_load_no_torch():
    names = [f"skrepr.{module}.__name__" for module in ("datasets", "metrics")]
    *found, modules = run(
        f"import sys, skrepr; print({', '.join(names)});"
        "print(*{m.split('.')[0] for m in sys.modules}, sep=',')"
    )
    assert found == ["skrepr.datasets", "skrepr.metrics"]
    modules = modules.split(",")
    assert "numpy" in modules
    assert not {"torch", "skorch"} & set(modules)


def test_displays_load_neither_torch_nor_matplotlib():
    assert not {"torch", "skorch", "matplotlib"} & set(loaded_by("import skrepr.displays"))


def test_naming_an_estimator_loads_no_skorch():
    assert "skorch" not in loaded_by("from skrepr import AutoencoderEmbedding")


def test_fit_of_word_vectors_does_not_load_the_compiler_of_torch():
    # as making an optimizer of torch does, which takes a second or more
    fit = "Word2VecEmbedding(2, min_count=1, max_epochs=1).fit([['a', 'b']] * 9)"
    code = f"import sys; from skrepr import Word2VecEmbedding; {fit}; print(*sys.modules)"
    modules = run(code)
    assert "skorch" in modules
    assert "torch._dynamo" not in modules


def test_all_names_resolve():
    assert sorted(skrepr.__all__) == list(skrepr.__all__)
    for name in skrepr.__all__:
        assert getattr(skrepr, name).__name__ == name


def test_names_of_submodules_resolve():
    for package in (skrepr.architectures, skrepr.datasets, skrepr.metrics):
        for name in package.__all__:
            assert getattr(package, name).__name__ == name


def test_dir_agrees_with_all():
    public = {name for name in dir(skrepr) if not name.startswith("_")}
    assert set(skrepr.__all__) < public
    fresh = set(run("import skrepr; print(*dir(skrepr))"))
    submodules = {"architectures", "augmentations", "datasets", "displays", "metrics"}
    assert set(skrepr.__all__) | submodules | {"__version__"} <= fresh


def test_stub_shows_what_the_lazy_package_has():
    """An editor completes what the stub says, and Python finds what ``__init__`` says."""
    homes, submodules, typed = {}, [], {}
    for statement in ast.parse(Path(skrepr.__file__).with_suffix(".pyi").read_text()).body:
        if isinstance(statement, ast.ImportFrom):
            assert statement.level == 1
            for alias in statement.names:
                assert alias.asname == alias.name  # else it is not exported
                if statement.module is None:
                    submodules.append(alias.name)
                else:
                    homes[alias.name] = statement.module
        elif isinstance(statement, ast.Assign):
            assert statement.targets[0].id == "__all__"
            assert ast.literal_eval(statement.value) == skrepr.__all__
        else:
            typed[statement.target.id] = statement.annotation.id
    assert homes == skrepr._HOMES
    assert tuple(submodules) == skrepr._SUBMODULES
    assert typed == {"__version__": "str"}
    assert Path(skrepr.__file__).with_name("py.typed").exists()


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'skrepr' has no attribute 'PrincipalComponents'"):
        skrepr.PrincipalComponents()
    with pytest.raises(ImportError):
        from skrepr import PrincipalComponents  # noqa: F401
