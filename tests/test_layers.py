"""The house has three floors: which file may import what."""

import ast
import functools
import io
import tokenize
from pathlib import Path

import pytest

import skrepr

PACKAGE = Path(skrepr.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# Every file and room of the package has a floor; a new one is given it here.
GROUND = {
    "_corpus",
    "_format",
    "_jacobian",
    "_kernel_bank",
    "_latent_model",
    "_light_curve_features",
    "_likelihoods",
    "_named_parts",
    "_priors",
    "_readout",
    "_row_memory",
    "_rows",
    "_series_units",
    "_start",
    "_training",
    "_whole_file",
    "_word_algorithms",
    "_word_tables",
    "datasets",
}
PARTS = {"architectures", "augmentations", "metrics", "objectives"}
MIDDLE = {
    "_base",
    "_decoding",
    "_documents",
    "_sampling",
    "_series_answers",
    "_series_model",
    "_series_objective",
    "_series_reading",
    "_variational",
    "_view_model",
    "_word_model",
    "_word_vectors",
}
ESTIMATORS = {
    "_autoencoder",
    "_contrastive",
    "_multimodal",
    "_sequence_transformer",
    "_vae",
    "_word2vec",
}
# These know estimators by their public methods only, and find them through skrepr.__all__.
ABOVE = {"downstream", "persistence"}
FLOORS = [{"__init__"}, GROUND, PARTS, MIDDLE, ESTIMATORS, ABOVE, {"displays"}]


def room_of(name):
    """Return the file or package on the first level that a file belongs to."""
    return name.split(".")[0]


def files_of(floor):
    return sorted(name for name in FILES if room_of(name) in floor)


@functools.cache
def imports(name):
    """List what a file imports: (name in full, whether at module level)."""
    tree = ast.parse(FILES[name].read_text())
    package = ["skrepr", *name.split(".")[:-1]]
    at_top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in at_top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            parent = ".".join([*above, *filter(None, [node.module])])
            found += [(f"{parent}.{alias.name}", id(node) in at_top) for alias in node.names]
    return found


def house_imports(name):
    """List the files and packages of skrepr that a file imports, by their first name."""
    parts = [full.split(".") for full, _ in imports(name) if full != "skrepr.__version__"]
    return {"".join(rest[:1]) for first, *rest in parts if first == "skrepr"}


def test_the_reader_of_imports_reads_them():
    assert ("skrepr._base.BaseEmbedding", True) in imports("_autoencoder")
    assert ("skrepr._rows.as_tensor", True) in imports("_decoding")
    assert ("skrepr.architectures._linear_path.with_linear_path", True) in imports(
        "architectures._mlp"
    )
    assert "_readout" in house_imports("_base._axes")
    assert not any(top for name, top in imports("displays._matplotlib") if "matplotlib" in name)


def test_every_file_has_one_floor():
    for name in FILES:
        assert sum(room_of(name) in floor for floor in FLOORS) == 1, name


@pytest.mark.parametrize("name", files_of(GROUND | PARTS | {"displays"}))
def test_what_is_on_the_ground_and_every_package_stands_alone(name):
    assert house_imports(name) <= {room_of(name)}


@pytest.mark.parametrize("name", files_of(MIDDLE))
def test_the_middle_floor_imports_what_is_below(name):
    assert house_imports(name) <= GROUND | PARTS | {room_of(name)}


@pytest.mark.parametrize("name", files_of(ESTIMATORS))
def test_estimators_never_import_each_other(name):
    assert house_imports(name) <= GROUND | PARTS | MIDDLE


@pytest.mark.parametrize("name", files_of(ABOVE))
def test_persistence_and_downstream_name_no_estimator(name):
    names = {full.removeprefix("skrepr.") for full, _ in imports(name)}
    assert not names & set(skrepr.__all__)
    assert house_imports(name) <= GROUND | PARTS | MIDDLE | {""}


def test_rooms_are_entered_by_their_door():
    """What another room does not show in its ``__init__`` is its own affair."""
    for name in FILES:
        for full, _ in imports(name):
            home, *inside = full.removeprefix("skrepr.").split(".")
            is_room = full.startswith("skrepr.") and f"{home}.__init__" in FILES
            if is_room and home != room_of(name):
                assert len(inside) <= 1 and not "".join(inside).startswith("_"), (name, full)
            elif full.startswith("skrepr.") and home in FILES:  # of a file too
                assert home == room_of(name) or not "".join(inside).startswith("_"), (name, full)


def test_displays_are_imported_by_nobody():
    for name in FILES:
        assert room_of(name) == "displays" or "displays" not in house_imports(name)


def test_skorch_has_one_door():
    users = [n for n in FILES if any(full.split(".")[0] == "skorch" for full, _ in imports(n))]
    assert {room_of(name) for name in users} == {"_training"}


def test_matplotlib_is_imported_when_a_plot_is_asked_for():
    for name in FILES:
        for full, at_top in imports(name):
            if full.split(".")[0] == "matplotlib":
                assert name.split(".")[0] == "displays"
                assert not at_top


def test_private_names_of_scikit_learn_have_one_door():
    private = {
        (name, full)
        for name in FILES
        for full, _ in imports(name)
        if full.startswith("sklearn.") and any(part[0] == "_" for part in full.split("."))
    }
    assert {name for name, _ in private} == {"_base._constraints"}


@pytest.mark.parametrize(
    "name",
    [name for name in FILES if name.split(".")[0] in {"metrics", "datasets", "displays"}],
)
def test_metrics_datasets_and_displays_need_no_torch(name):
    assert "torch" not in {full.split(".")[0] for full, _ in imports(name)}


def test_names_of_files_carry_meaning():
    vague = {"utils", "helpers", "common", "core", "manager"}
    parts = {part.strip("_") for name in FILES for part in name.split(".")}
    assert not parts & vague


def code_lines(source):
    """Count the lines that hold code: no docstrings, no comments, no blanks."""
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    prose = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, described) and ast.get_docstring(node) is not None:
            prose.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    empty = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    held = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*empty, tokenize.ENDMARKER):
            held.update(range(token.start[0], token.end[0] + 1))
    return len(held - prose)


def test_lines_of_code_are_counted():
    source = '"""One."""\n\n# two\ndef three():\n    """Four.\n\n    Five.\n    """\n    six = (\n'
    assert code_lines(source + "        7  # eight\n    )\n") == 4


@pytest.mark.parametrize("name", FILES)
def test_files_are_short(name):
    assert code_lines(FILES[name].read_text()) <= (200 if name in ESTIMATORS else 300)


# Their files share a protocol, and one file of tests.
TESTED_TOGETHER = {
    "_base",
    "_corpus",
    "_light_curve_features",
    "_rows",
    "architectures",
    "augmentations",
    "objectives",
}


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("__init__")])
def test_tests_mirror_files(name):
    parts = [part.lstrip("_") for part in name.split(".")]
    parts = parts[:1] if room_of(name) in TESTED_TOGETHER else parts
    assert (Path(__file__).parent / f"test_{'_'.join(parts)}.py").exists()
