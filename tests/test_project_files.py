"""What stands in several files of the project is the same in all of them."""

import re
import tomllib
from pathlib import Path

import pytest

import skrepr

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
URLS = PROJECT["urls"]
CITATION = dict(
    re.findall(r'^([\w-]+): "?(.+?)"?$', (ROOT / "CITATION.cff").read_text(), flags=re.MULTILINE)
)
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
WITH_ADDRESSES = [
    *("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"),
    *(f".github/{path.relative_to(ROOT / '.github')}" for path in (ROOT / ".github").rglob("*.*")),
]


def test_citation_is_of_this_version():
    assert CITATION["version"] == skrepr.__version__
    assert CITATION["url"] == URLS["Documentation"]
    assert CITATION["repository-code"] == URLS["Repository"]
    assert CITATION["license"] == PROJECT["license"]
    assert PROJECT["authors"] == [
        {"name": name} for name in re.findall(r"- name: (.+)", (ROOT / "CITATION.cff").read_text())
    ]


def test_changelog_has_this_version_on_its_day():
    heading = f"## [{skrepr.__version__}] - {CITATION['date-released']}"
    assert heading in CHANGELOG.splitlines()
    tag = f"{URLS['Repository']}/releases/tag/v{skrepr.__version__}"
    assert f"[{skrepr.__version__}]: {tag}" in CHANGELOG.splitlines()


@pytest.mark.parametrize("file", WITH_ADDRESSES)
def test_addresses_are_those_of_the_project(file):
    text = (ROOT / file).read_text()
    for address in re.findall(r"https://[\w.-]*(?:github|readthedocs)[^)\s]*", text):
        assert address.startswith((URLS["Repository"], URLS["Documentation"])), address


@pytest.mark.parametrize("file", WITH_ADDRESSES)
def test_links_to_files_lead_somewhere(file):
    for target in re.findall(r"\]\((?!https:)([^)]+)\)", (ROOT / file).read_text()):
        assert (ROOT / target).exists(), target
