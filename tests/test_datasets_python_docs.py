"""Sentences of Python's documentation: prose, and nothing of what stands around it."""

import sysconfig

import pytest

from skrepr.datasets import load_python_docs

TOPICS = '''
topics = {
    'lists': """
Sequence Types — "list", "tuple", "range"
*****************************************

Sequences are "list" and *tuple* of **items**
in one order [3]. They compare by "len()" and by order.  See also
Comparisons in the reference.

+-----------+--------+
| Operation | Result |
+-----------+--------+

1. Values of *n* less than zero are treated
   as zero. Consider this:

      >>> lists = [[]] * 3
      >>> This is part of an example too.

   * The "in" operator tests for membership.

* Use x = [1] to make one list. Too short. no capital at the start of it.
* A fragment without an end
"""
}
'''
MODULE = '''
"""Read and write the files.

Use :class:`~package.module.Reader` and :func:`open` with ``one argument`` of `some kind`.
Values of n less than zero are treated as zero.
"""

raise SystemExit("this module is run")


class Reader:
    """Reads one line after another.

    parameter -- what is given to it.
    """

    def read(self):
        """Return what was read from the file."""

        def inside():
            """Do something that nobody outside can call."""

    async def wait(self):
        """Wait until there is something to read."""
'''
EXPECTED = [
    "Sequences are list and tuple of items in one order.",
    "They compare by len() and by order.",
    "See also Comparisons in the reference.",
    "Values of n less than zero are treated as zero.",
    "The in operator tests for membership.",
    "Read and write the files.",
    "Use Reader and open with one argument of some kind.",
    "Reads one line after another.",
    "Return what was read from the file.",
    "Wait until there is something to read.",
]


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A standard library of one topic and one module, which is there twice."""
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(tmp_path)}.__getitem__)
    files = {
        "pydoc_data/topics.py": TOPICS,
        "module.py": MODULE,
        "package/second.py": MODULE,
        "a_module_without.py": "x = 1",
        "test/test_module.py": '"""Tests are no documentation."""',
        "site-packages/theirs.py": '"""This is of other people."""',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf8")
    return tmp_path


def test_prose_is_kept_and_markup_taken_off(library):
    assert load_python_docs() == EXPECTED


def test_topics_come_first_and_modules_in_order(library):
    (library / "an_early_module.py").write_text('"""This module is the first one."""')
    (library / "package" / "first.py").write_text('"""This is in the middle of them."""')
    (library / "zoo.py").write_text('"""This module is the last one."""')
    sentences = load_python_docs()
    assert sentences[5] == "This module is the first one."
    assert sentences[-2:] == ["This is in the middle of them.", "This module is the last one."]


def test_a_python_without_sources_is_told(library):
    (library / "pydoc_data" / "topics.py").unlink()
    with pytest.raises(FileNotFoundError, match=r"reads the source of .*topics.py is not there"):
        load_python_docs()


@pytest.fixture(scope="module")
def sentences():
    return load_python_docs()


def test_there_is_enough_to_learn_from(sentences):
    words = " ".join(sentences).split()
    assert len(sentences) > 8000 and len(words) > 100_000
    for word in ("list", "tuple", "dictionary", "file", "class", "method"):
        assert words.count(word) > 50, word


def test_sentences_are_sentences(sentences):
    for sentence in sentences:
        assert sentence == " ".join(sentence.split())
        assert sentence[0].isupper() and sentence[-1] in ".!?"
        assert len(sentence.split()) >= 4
        assert not {*"<>={}|`*"} & {*sentence}, sentence


def test_each_stands_there_once_in_a_list_of_ones_own(sentences):
    assert len({*sentences}) == len(sentences)
    again = load_python_docs()
    assert again == sentences
    again.clear()  # who changes the list changes it for nobody else
    assert load_python_docs() == sentences
