"""Parts of words: character n-grams."""

import math
from zlib import crc32

import numpy as np

# Of rows that n-grams share.
_FEWEST_BUCKETS, _MOST_BUCKETS = 2**8, 2**21


class Subwords:
    """Finds the n-grams of words, as rows of a table.

    Rows are found by a hash, so that words never seen have some, too.

    Parameters
    ----------
    shortest, longest : int
        Number of characters. Bounds of the word count as one each.
    n_buckets : int
        Number of rows.
    """

    def __init__(self, shortest, longest, n_buckets):
        self.shortest = shortest
        self.longest = longest
        self.n_buckets = n_buckets

    def buckets_of(self, word):
        """List the rows of the n-grams of a word; none of what is no string."""
        grams = (gram.encode(errors="surrogatepass") for gram in self._grams(word))
        return [crc32(gram) % self.n_buckets for gram in grams]

    def buckets_of_all(self, words):
        """Return those of several words, one after the other, and where each begins and ends."""
        each = [self.buckets_of(word) for word in words]
        starts = np.cumsum([0, *map(len, each)])
        return np.array([bucket for buckets in each for bucket in buckets], dtype=np.int64), starts

    def _grams(self, word):
        if not isinstance(word, str):
            return
        bounded = f"<{word}>"
        for n in range(self.shortest, self.longest + 1):
            for start in range(len(bounded) - n + 1):
                if n < len(bounded):  # the whole word has a vector of its own
                    yield bounded[start : start + n]

    @classmethod
    def of(cls, shortest, longest, words):
        """Choose the number of rows by the number of n-grams in a vocabulary."""
        chosen = cls(shortest, longest, 1)
        n = len({gram for word in words for gram in chosen._grams(word)})
        chosen.n_buckets = min(
            _MOST_BUCKETS, max(_FEWEST_BUCKETS, 2 ** math.ceil(math.log2(n + 1)))
        )
        return chosen
