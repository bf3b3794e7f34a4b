"""The file format of the original word2vec, as gensim writes it, byte for byte.

Text, or binary: a line with the number of words and of components, then for each word the word,
a space, and its numbers: as text, separated by spaces, up to the end of the line; or as float32.
"""

import gzip
import os
import re
import stat
import sys
import warnings
from contextlib import contextmanager
from itertools import islice
from os import fspath

import numpy as np

from .._whole_file import whole_file

CHUNK = 2**20  # bytes that are read at a time
# Bytes that gzip makes one of, at most.
_MOST_COMPRESSED = 1032
# A line of a file of counts: a word, which may be empty or hold spaces, and its count.
_COUNTED = re.compile(rb"(?s)(.*)[ \t](\d+)[ \t]*\r?\n?")


def write_vectors(path, words, vectors, *, binary, header):
    """Write words and their vectors, in the order given."""
    for word in words:
        if not isinstance(word, str) or " " in word or "\n" in word or not _is_unicode(word):
            raise ValueError(
                "words must be strings without spaces and line breaks for the word2vec format, "
                "where these separate them, and without halves of surrogate pairs, which UTF-8 "
                f"does not have. Got {word!r}. Put another sign such as '_' in their place, or "
                "use to_frame() and the format of a table."
            )
    with _written(path) as file:
        if header:
            file.write("{} {}\n".format(*vectors.shape).encode())
        for word, vector in zip(words, vectors):
            row = vector.astype("<f4").tobytes() if binary else _as_text(vector)
            file.write(word.encode() + b" " + row)


def write_counts(path, words, counts):
    """Write a line for each word with its count."""
    with _written(path) as file:
        file.writelines(f"{word} {count}\n".encode() for word, count in zip(words, counts))


def read_vectors(path, *, binary, no_header, limit, encoding, errors):
    """Read words, each once, and their vectors: list of n_words, (n_words, n_components)."""
    words, n_rows = {}, 0  # a dict keeps the order
    try:
        with _open(path) as file:
            n_words, width = _measure(file) if no_header else map(int, file.readline().split())
            n_words = n_words if limit is None else min(n_words, limit)
            # no more than there can be: who knows what a damaged header says
            n_held = min(n_words, _size(path) // max(1, (4 if binary else 2) * width))
            vectors = np.empty((n_held, width), dtype=np.float32)
            rows = _binary_rows(file, width) if binary else _text_rows(file, width)
            for word, row in islice(rows, n_words):
                n_rows += 1
                word = word.decode(encoding, errors)
                if len(row) != width:
                    raise ValueError(f"{word!r} has {len(row)} numbers of {width}")
                if word not in words:
                    vectors[len(words)] = row
                    words[word] = None
            if binary and limit is None and next(rows, None):  # text can be read as numbers
                raise ValueError(f"it goes on after {n_words} words")
        if n_rows < n_words:
            raise ValueError(f"it ends after {n_rows} words of {n_words}")
    except ValueError as error:
        raise ValueError(
            f"{fspath(path)!r} is damaged, or not of the format asked for with binary={binary}, "
            f"no_header={no_header}, encoding={encoding!r}: {error}."
        ) from error
    if len(words) < n_rows:
        warnings.warn(
            f"{n_rows - len(words)} words stand twice in {fspath(path)!r}. Kept the first of each."
        )
    return list(words), vectors[: len(words)]


def read_counts(path, words, *, encoding, errors):
    """Read the counts of words, wherever they stand in the file."""
    counts = {}
    with _open(path) as file:
        for line in filter(bytes.strip, file):
            found = _COUNTED.fullmatch(line)
            if not found:
                raise ValueError(
                    f"{fspath(path)!r} must have lines of a word, a space and a count. Got "
                    f"{line!r}."
                )
            counts[found[1].decode(encoding, errors)] = int(found[2])
    missing = [word for word in words if word not in counts]
    if missing:
        raise ValueError(
            f"{fspath(path)!r} must hold the count of each word. Got none of {missing[0]!r} and "
            f"{len(missing) - 1} others."
        )
    return [counts[word] for word in words]


def _is_compressed(path):
    return fspath(path).endswith(".gz")


def _open(path):
    return (gzip.open if _is_compressed(path) else open)(path, "rb")


def _size(path):
    """Return how many bytes a file holds at most."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return sys.maxsize  # of a pipe nobody knows
    return status.st_size * (_MOST_COMPRESSED if _is_compressed(path) else 1)


@contextmanager
def _written(path):
    """Open a file that appears once all of it is written; a pipe is written to as it is."""
    target = os.path.realpath(path)
    is_pipe = os.path.exists(target) and not os.path.isfile(target)
    with open(target, "wb") if is_pipe else whole_file(target) as file:
        if not _is_compressed(target):
            yield file
            return
        with gzip.GzipFile(target, "wb", fileobj=file) as compressed:
            yield compressed


def _is_unicode(word):
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_text(vector):
    # as many digits as float32 needs: the text is exact
    return (" ".join(map(str, vector)) + "\n").encode()


def _measure(file):
    """Return the number of words and of components of a text without a header."""
    width = len(file.readline().rstrip().split(b" ")) - 1
    n_words = 1 + sum(1 for line in file if line.strip())
    file.seek(0)
    return n_words, width


def _text_rows(file, width):
    for line in filter(bytes.strip, file):
        # from the right, since words of GloVe hold spaces
        word, *numbers = line.rstrip().rsplit(b" ", width)
        yield word, [float(number) for number in numbers]


def _binary_rows(file, width):
    held, start = b"", 0
    while True:
        space = held.find(b" ", start)
        end = space + 1 + 4 * width
        if space >= 0 and end <= len(held):
            # the original ends each vector with a line break, gensim does not
            yield held[start:space].lstrip(b"\n"), np.frombuffer(held, "<f4", width, space + 1)
            start = end
        else:
            more = file.read(CHUNK)
            if not more:
                return
            held, start = held[start:] + more, 0
