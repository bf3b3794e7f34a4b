"""The house has three floors: which file may import what."""

import ast
from pathlib import Path

import pytest

import skrepr

PACKAGE = Path(skrepr.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
PACKAGES = {name.split(".")[0] for name in FILES if "." in name}
# Packages on the ground floor that hold no parts.
ROOMS = {"_format"}
PARTS = PACKAGES - ROOMS - {"displays"}
GROUND = {
    "_callbacks",
    "_devices",
    "_interruption",
    "_jacobian",
    "_named_parts",
    "_randomness",
    "_readout",
    "_rows",
    "_start",
    "_stopping",
    "_surroundings",
    "_training",
    "_vocabulary",
    "datasets",
}
MIDDLE = {"_base", "_decoding"}
# These know estimators by their public methods only, and find them through skrepr.__all__.
ABOVE = {"downstream", "persistence"}
ESTIMATORS = {
    name
    for name in FILES
    if name.startswith("_")
    and name != "__init__"
    and name.split(".")[0] not in GROUND | ROOMS | MIDDLE
}


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
    parts = [full.split(".") for full, _ in imports(name)]
    return {"".join(rest[:1]) for first, *rest in parts if first == "skrepr"}


def test_the_reader_of_imports_reads_them():
    assert ("skrepr._readout.Readout", True) in imports("_base")
    assert ("skrepr._training", False) in imports("_base")
    assert ("skrepr.architectures._linear_path.with_linear_path", True) in imports(
        "architectures._mlp"
    )
    assert "_readout" in house_imports("_base")


def test_every_file_has_a_floor():
    known = GROUND | MIDDLE | ABOVE | ESTIMATORS | {"__init__"}
    assert {name for name in FILES if name.split(".")[0] not in PACKAGES} <= known
    assert "_autoencoder" in ESTIMATORS
    assert {"architectures", "metrics"} <= PARTS
    assert {"architectures", "augmentations", "metrics", "objectives"} >= PARTS


@pytest.mark.parametrize("name", sorted(GROUND & FILES.keys()))
def test_ground_floor_stands_alone(name):
    assert house_imports(name) == set()


@pytest.mark.parametrize("name", [name for name in FILES if name.split(".")[0] in ROOMS])
def test_rooms_of_the_ground_floor_import_only_themselves(name):
    # the version of the package stands in its own file
    assert house_imports(name) <= {name.split(".")[0], ""}
    assert not {full for full, _ in imports(name)} & {f"skrepr.{n}" for n in skrepr.__all__}


@pytest.mark.parametrize("name", [name for name in FILES if name.split(".")[0] in PARTS])
def test_parts_import_only_their_own_package(name):
    assert house_imports(name) <= {name.split(".")[0]}


def test_displays_know_embeddings_by_their_public_methods_only():
    for name in FILES:
        if name.split(".")[0] == "displays":
            assert house_imports(name) <= {"displays"}
        else:
            assert "displays" not in house_imports(name)


@pytest.mark.parametrize("name", sorted(MIDDLE & FILES.keys()))
def test_the_middle_floor_imports_the_ground_floor_only(name):
    assert house_imports(name) <= GROUND | ROOMS | PARTS


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_estimators_never_import_each_other(name):
    assert house_imports(name) <= GROUND | ROOMS | PARTS | MIDDLE


@pytest.mark.parametrize("name", sorted(ABOVE & FILES.keys()))
def test_persistence_and_downstream_name_no_estimator(name):
    names = {full.removeprefix("skrepr.") for full, _ in imports(name)}
    assert not names & set(skrepr.__all__)
    assert house_imports(name) <= GROUND | ROOMS | PARTS | MIDDLE | {""}


def test_skorch_has_one_door():
    assert {n for n in FILES if any(full.split(".")[0] == "skorch" for full, _ in imports(n))} == {
        "_training"
    }


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
    assert {pair for pair in private if pair[0] != "_base"} == set()


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
