"""Words and their numbers."""

from itertools import chain, islice

import numpy as np
import pandas as pd

# Documents whose tokens are held as Python objects at a time.
_TOGETHER = 100


def as_word(token):
    """Return the plain value of a token of numpy, and any other token as it is.

    Times have no unit: those of numpy become ones of pandas, which are equal to those of Python.
    """
    try:
        if isinstance(token, np.datetime64):
            return pd.Timestamp(token)
        if isinstance(token, np.timedelta64):
            return pd.Timedelta(token)
    except ValueError:  # months, which have no length
        return token
    return token.item() if isinstance(token, np.generic) else token


class _Numbers(dict):
    """Gives a new token the next number."""

    def __missing__(self, token):
        word = as_word(token)
        return self.setdefault(word, len(self))


class Numbering:
    """Numbers tokens in the order in which they come.

    Parameters
    ----------
    words : sequence of hashable, default=()
        That have the first numbers.
    """

    def __init__(self, words=()):
        self.numbers = _Numbers()
        for word in words:
            self.numbers[word]

    def encode(self, documents, analyze):
        """Yield the numbers of the tokens of some documents, and the documents' lengths."""
        return encode(documents, analyze, self.numbers.__getitem__)


def encode(documents, analyze, number_of):
    """Yield the numbers of the tokens of some documents at a time, and the lengths of these.

    Parameters
    ----------
    documents : iterable
    analyze : callable
        Splits a document into tokens.
    number_of : callable

    Yields
    ------
    numbers : ndarray of shape (n_tokens,), int32
    lengths : ndarray of shape (n_documents,), int64
    """
    documents = iter(documents)
    while some := list(islice(documents, _TOGETHER)):
        tokens = [analyze(document) for document in some]
        try:
            lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
            flat = map(number_of, chain.from_iterable(tokens))
            yield np.fromiter(flat, np.int32, lengths.sum()), lengths
        except TypeError as error:
            raise TypeError(
                "A document must be split into a list of hashable tokens, such as strings or "
                f"integers: {error}."
            ) from error


class Vocabulary:
    """The words that have a vector, and how often they occur.

    Parameters
    ----------
    words : list of hashable
    counts : ndarray of shape (n_words,), int64
    """

    def __init__(self, words, counts):
        self.words = words
        self.counts = counts

    def __len__(self):
        return len(self.words)

    @classmethod
    def of(cls, numbering, counts, *, known, min_count, max_words):
        """Choose from all tokens those that become words, most frequent first.

        Parameters
        ----------
        numbering : Numbering
        counts : ndarray of shape (n_tokens,), int64
            Of each token in these documents.
        known : Vocabulary or None
            The words of an earlier training, which stay, with the first numbers.
        min_count : int
        max_words : int or None

        Returns
        -------
        vocabulary : Vocabulary
        number_of_word : ndarray of shape (n_tokens,), int32
            Of each token; -1: it is none.
        """
        n_known = 0 if known is None else len(known)
        new = np.arange(n_known, len(counts))
        new = new[np.argsort(-counts[n_known:], kind="stable")]  # of equals the first one seen
        new = new[counts[new] >= min_count]
        if max_words is not None:
            new = new[: max(0, max_words - n_known)]
        if n_known + len(new) == 0:
            raise ValueError(_nothing_left(numbering, counts, min_count))
        chosen = np.concatenate([np.arange(n_known), new])
        number_of_word = np.full(len(counts), -1, dtype=np.int32)
        number_of_word[chosen] = np.arange(len(chosen))
        tokens = list(numbering.numbers)
        total = counts[chosen]
        if known is not None:
            total[:n_known] += known.counts
        return cls([tokens[i] for i in chosen], total), number_of_word


def _nothing_left(numbering, counts, min_count):
    if not len(counts):
        return "X holds no tokens: all documents are empty, or the analyzer finds none in them."
    most = int(np.argmax(counts))
    token = list(numbering.numbers)[most]
    return (
        f"No word occurs min_count={min_count} times: of {len(counts)} words the most frequent, "
        f"{token!r}, occurs {counts[most]} times. Lower min_count, or use more documents."
    )
