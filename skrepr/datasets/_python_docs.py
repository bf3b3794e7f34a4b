"""English sentences of Python's own documentation, which every installation has."""

import ast
import re
import sysconfig
from functools import cache
from pathlib import Path

# other people's packages, tests, and folders with hardly any English in them
LEFT_OUT = {
    *("site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3"),
    *("encodings", "ensurepip", "idlelib", "lib-dynload", "pydoc_data", "turtledemo"),
}
# what a paragraph of a table, of a heading, or of an example holds
NO_PROSE = re.compile(r">>>|^\s*[^\w\s]{3,}\s*$|^\s*[+|]", re.MULTILINE)
BULLET = re.compile(r"^(?:[*+-]|\(?(?:\d+|[a-z])[.)]) +")
MARKUP = (
    (re.compile(r":[\w:]+:`~?(?:[\w.]+\.)?([^`]+)`"), r"\1"),  # :class:`~package.Name`
    (re.compile(r'"([\w.]+(?:\(\))?)"'), r"\1"),  # names in the topics
    (re.compile(r"\*{1,2}([\w.]+)\*{1,2}"), r"\1"),
    (re.compile(r"``?([^`']+)(?:``?|'{1,2})"), r"\1"),
    (re.compile(r" ?\[\d+\]"), ""),  # footnotes
)
END = re.compile(r"(?<=[.!?])[\"')]* (?=[\"'(]?[A-Z])")
CODE = re.compile(r"[=<>{}|\\@#^~$+*\[\]%&`]|--|::")
INSIDE_WORDS = re.compile(r"['\N{RIGHT SINGLE QUOTATION MARK}-]")
AROUND_WORDS = "\"'(),.;:!?"


def load_python_docs():
    """Load English sentences of Python's own documentation.

    They come from the topics of the language reference that ``help`` shows, and from the
    docstrings of the standard library, read from its source: nothing is downloaded, and no module
    is run. Headings, tables, examples, fragments and sentences with code in them are left out.

    Returns
    -------
    sentences : list of str
        Some 13,000 sentences of 180,000 words in all, each once, always in the same order. Another
        version of Python has others.

    Raises
    ------
    FileNotFoundError
        If the source of the standard library is not on the disk.

    Notes
    -----
    Takes some 3 seconds; once read, they stay in memory (2 MB).

    Examples
    --------
    >>> from skrepr.datasets import load_python_docs
    >>> sentences = load_python_docs()
    >>> print([s for s in sentences if "three basic sequence types" in s][0])
    There are three basic sequence types: lists, tuples, and range objects.
    """
    return list(_sentences_of(Path(sysconfig.get_path("stdlib"))))


@cache
def _sentences_of(library):
    texts = [*_topics(library / "pydoc_data" / "topics.py"), *_docstrings(library)]
    return tuple(dict.fromkeys(sentence for text in texts for sentence in _sentences(text)))


def _topics(path):
    """Return the texts of the language reference, which stand in one dict of strings."""
    if not path.exists():
        raise FileNotFoundError(
            f"load_python_docs reads the source of Python's standard library, and {path} is not "
            "there. Debian and Ubuntu have it in the package libpython3-stdlib."
        )
    (topics,) = (
        node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.Assign)
    )
    return ast.literal_eval(topics.value).values()


def _docstrings(library):
    for path in sorted(library.rglob("*.py")):
        if not LEFT_OUT & {*path.relative_to(library).parts}:
            yield from filter(None, _docstrings_below(ast.parse(path.read_bytes())))


def _docstrings_below(node):
    yield ast.get_docstring(node)
    if isinstance(node, ast.Module | ast.ClassDef):  # what is inside a function is not public
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _docstrings_below(child)


def _sentences(text):
    for paragraph in re.split(r"\n\s*\n", text):
        if NO_PROSE.search(paragraph):
            continue
        line = BULLET.sub("", " ".join(paragraph.split()))
        for mark, content in MARKUP:
            line = mark.sub(content, line)
        yield from filter(_is_prose, END.split(line))


def _is_prose(sentence):
    words = [word.strip(AROUND_WORDS) for word in sentence.split()]
    n_plain = sum(INSIDE_WORDS.sub("", word).isalpha() for word in words)
    return (
        len(words) >= 4
        and n_plain >= 0.8 * len(words)
        and sentence[0].isupper()
        and sentence[-1] in ".!?"
        and not CODE.search(sentence)
    )
