"""Every public name has its page and an example, links lead somewhere, code in pages runs.

That the site builds without a warning is seen where it is built (`.ci/run`): the suite does
without Sphinx. The code of the README, which other pages repeat, is run by `test_examples.py`.
"""

import ast
import importlib
import inspect
import re
import sys
import tomllib
from pathlib import Path

import pytest
import sklearn

import skrepr

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = ("_build", "auto_examples", "generated")  # when the site is built
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if not {*page.parts} & {*MADE}]
PACKAGES = ("skrepr", *(f"skrepr.{name}" for name in skrepr._SUBMODULES))
PUBLIC = {name: importlib.import_module(name).__all__ for name in PACKAGES}

PYTHON_ROLES = ("attr", "class", "exc", "func", "meth", "mod", "obj")


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def entries_of_the_api():
    """Return the names under each ``currentmodule`` of the API page."""
    entries = {}
    for line in (DOCS / "api" / "index.md").read_text().splitlines():
        if found := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            names = entries.setdefault(found[1], [])
        elif re.fullmatch(r"   \w+", line):
            names.append(line.strip())
    return entries


def test_every_public_name_has_one_entry_in_the_api():
    entries = entries_of_the_api()
    assert {module: sorted(names) for module, names in entries.items()} == {
        module: sorted(names) for module, names in PUBLIC.items()
    }


def names_in_the_gallery():
    for path in (ROOT / "examples").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("skrepr"):
                yield from (alias.name for alias in node.names)


def test_every_public_name_has_an_example():
    shown = set(names_in_the_gallery())
    for module, names in PUBLIC.items():
        for name in names:
            text = inspect.getdoc(getattr(importlib.import_module(module), name))
            doctest = "\n".join(re.findall(r"^(?:>>>|\.\.\.) (.*)", text, flags=re.MULTILINE))
            assert re.search(rf"\b{name}\b", doctest) or name in shown, f"{module}.{name}"


ROLE = r"(?<!`)\{([a-z:]+)\}`([^`]+)`"  # `{doc}` between backticks is none


def split_page(text):
    """Separate a page into what its roles and directives point at, and prose without code."""
    directives = re.findall(r"^```\{(\w+)\} ?(.*?)^```$", text, flags=re.S | re.M)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    roles = [
        (role, re.sub(r"[^<]*<(.*)>", r"\1", target)) for role, target in re.findall(ROLE, prose)
    ]
    return directives, roles, re.sub(r"`[^`\n]+`", "", re.sub(ROLE, "", prose))


def files_named(text):
    """List the files and pages that a page points at, and the labels."""
    directives, roles, prose = split_page(text)
    files = re.findall(r"\]\(([^)\s]+)\)", prose)
    files += [f"{target}.md" for role, target in roles if role == "doc"]
    for directive, body in directives:
        if directive == "toctree":
            files += [f"{line}.md" for line in body.splitlines() if line and line[0] != ":"]
        elif directive in ("image", "include"):
            files += [body.split()[0], *re.findall(r"^:target: (\S+)", body, flags=re.MULTILINE)]
    return files, [target for role, target in roles if role == "ref"]


def anchors_of(text):
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {*slugs, *re.findall(r"^\(([\w-]+)\)=$", text, flags=re.MULTILINE)}


def is_made_by_the_gallery(path):
    name = re.sub(r"^sphx_glr_(\w+?)_\d{3}(_2_00x)?$", r"\1", path.stem)
    return path.is_relative_to(DOCS / "auto_examples") and (
        name == "index" or (ROOT / "examples" / f"{name}.py").exists()
    )


def leads_somewhere(target, folder, text):
    name, _, anchor = target.partition("#")
    path = (DOCS / name[1:] if name.startswith("/") else folder / name).resolve()
    if not name:
        return anchor in anchors_of(text)
    if anchor and path.exists():
        return anchor in anchors_of(path.read_text())
    return path.exists() or is_made_by_the_gallery(path)


def is_public(name):
    """Whether ``skrepr.a.Name`` or ``skrepr.a.Name.method`` has a page or stands on one."""
    module = max((module for module in PUBLIC if f"{name}.".startswith(f"{module}.")), key=len)
    first, *rest = name.removeprefix(module).strip(".").split(".")
    if not first:
        return True
    value = getattr(importlib.import_module(module), first, None)
    return first in PUBLIC[module] and (not rest or hasattr(value, rest[0]))


def dead_links(text, folder):
    """Find what a page points at and is not there."""
    files, labels = files_named(text)
    here = [target for target in files if not re.match(r"https?://", target)]
    dead = [target for target in here if not leads_somewhere(target, folder, text)]
    known = {label for page in PAGES for label in anchors_of(page.read_text())}
    dead += [label for label in labels if label not in known]
    names = [target.lstrip("~") for role, target in split_page(text)[1] if role in PYTHON_ROLES]
    return dead + [name for name in names if name.startswith("skrepr") and not is_public(name)]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=name_of)
def test_links_lead_somewhere(page):
    assert dead_links(page.read_text(), page.parent) == []


def test_dead_links_are_found():
    alive = """# A heading
[here](#a-heading), {doc}`/api/index`, `{doc}`, {class}`~skrepr.AutoencoderEmbedding`, {doc}`a
<auto_examples/quickstart>` and [there](citing.md#how-to-cite), {func}`skrepr.save`
```python
x = y[0](no)
```
"""
    dead = """[a](no.md) [b](#no-heading) {doc}`text </guide/no>` {ref}`no-label` ![](no.png)
{class}`skrepr.Autoencoder` {meth}`skrepr.AutoencoderEmbedding.fitt` {doc}`auto_examples/no`
[c](citing.md#no-heading)
```{toctree}
:hidden:

no_page
```
```{image} no_image.png
:target: no_target.html
```
"""
    assert dead_links(alive, DOCS) == []
    assert len(dead_links(alive + dead, DOCS)) == 12


def test_the_citation_is_that_of_this_version():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    text = (DOCS / "citing.md").read_text()
    assert f"version = {{{skrepr.__version__}}}" in text
    assert f"url     = {{{urls['Repository']}}}" in text


def test_installing_is_told_in_one_way():
    """A release that is not there yet is told of on no page as if it were."""
    wanted = "of [the repository](https://github.com/skrepr/skrepr) (a release on PyPI is to come)"
    commands = set()
    for page in (DOCS / "index.md", DOCS / "getting_started.md"):
        text = page.read_text()
        assert wanted in text.replace("\n", " "), page.name
        commands.update(re.findall(r"^pip install .*$", text, flags=re.MULTILINE))
    assert commands == {"pip install -c constraints.txt '.[plot]'"}
    for page in PAGES:
        assert not re.search(r"install ['\"]?skrepr", page.read_text()), page.name


def test_pages_have_one_format():
    """What the gallery writes of itself is not kept."""
    assert not [*DOCS.glob("*.rst"), *(DOCS / "guide").glob("*.rst")]


def code_of(page):
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.S | re.M)


def test_no_code_escapes_the_tests():
    for page in PAGES:
        assert len(code_of(page)) == len(
            re.findall(r"```+ *\{?(?:code-block\} )?py", page.read_text())
        )


def test_pictures_need_what_the_site_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["docs"]
    installed = {
        re.match(r"[\w-]+", name)[0].replace("scikit-learn", "sklearn") for name in wanted
    }
    sources = [path.read_text() for path in (ROOT / "examples").glob("*.py")]
    for page in PAGES:
        sources += re.findall(
            r"^```\{plot\}\n(?::[^\n]*\n)*(.*?)^```$", page.read_text(), re.S | re.M
        )
    assert len(sources) > 10
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            needed = {name.partition(".")[0] for name in names}
            assert needed <= installed | {"skrepr", *sys.stdlib_module_names}, needed


IN_README = code_of(ROOT / "README.md")
WITH_CODE = [page for page in PAGES if {*code_of(page)}.difference(IN_README)]


def test_the_front_page_shows_the_code_of_the_readme():
    assert code_of(DOCS / "index.md") == IN_README


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_code_of_a_page_runs(page, figures, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    with sklearn.config_context():
        for number, code in enumerate(code_of(page), 1):
            exec(compile(code, f"{page.name}, block {number}", "exec"), namespace)
