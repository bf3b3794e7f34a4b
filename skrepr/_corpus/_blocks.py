"""Sub-sampling, windows and negatives: from sentences to batches of blocks.

A block is a run of consecutive words of the corpus, each the center of a window, with the words
of their windows on both sides. What is predicted from what is a band in a block, so that all
of it is a few products of small matrices; rows of vectors are fetched three times for a word,
and not dozens of times (the shared negatives of Ji et al. 2016, Parallelizing word2vec in
shared and distributed memory, for a block instead of a window).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

# Centers of a block, and negatives that they share. With more centers, or fewer negatives,
# analogies suffer.
BLOCKS = {"skipgram": (32, 24), "cbow": (16, 16)}
# Entries of the table from which negatives are drawn, by the number of words.
_TABLE = (2**14, 2**20)


class Blocks(NamedTuple):
    """A batch.

    Parameters
    ----------
    centers : torch.Tensor of shape (n_blocks, size), int64
    around : torch.Tensor of shape (n_blocks, size + 2 * window), int64
        The same words with `window` more on both sides.
    near : torch.Tensor of shape (n_blocks, size, 2 * window + 1), bool
        Which of the words around each center, and as far from it as that, are in its window.
    n_near : torch.Tensor of shape (n_blocks, size, 1), float32
        How many these are.
    negatives : torch.Tensor of shape (n_blocks, n_negatives), int64
    """

    centers: torch.Tensor
    around: torch.Tensor
    near: torch.Tensor
    n_near: torch.Tensor
    negatives: torch.Tensor

    def split(self, n_parts):
        """Split into batches of about the same number of blocks."""
        return [Blocks(*part) for part in zip(*(each.tensor_split(n_parts) for each in self))]

    def to(self, device):
        """Return the same on a device."""
        return Blocks(*(each.to(device) for each in self))


class Sampling:
    """What is drawn from a corpus, by the counts of its words.

    Parameters
    ----------
    counts : ndarray of shape (n_words,), int64
    window : int
        Most words on each side of a center.
    shrinks : bool
        Whether the width of each window is drawn uniformly from 1 to `window`, so that near
        words count more.
    sample : float
        Words of a larger share of the corpus are left out at random; 0: none.
    ns_exponent : float
        Negatives are drawn in proportion to the counts to this power.
    block : tuple of two int
        Number of centers of a block, and of negatives.
    longest : int
        Number of words of the longest document.
    """

    def __init__(self, counts, *, window, shrinks, sample, ns_exponent, block, longest):
        self.window = window
        # no two words of a document are farther apart than its ends
        self.reach = max(1, min(window, longest - 1))
        self.block_size, self.n_negatives = block
        self.shrinks = shrinks
        self.n_words = len(counts)
        counts = np.maximum(counts, 1).astype(np.float64)
        self.share = counts / counts.sum()
        self.keep = keep_probability(self.share, sample)
        noise = counts**ns_exponent
        self.noise = noise / noise.sum()
        self.table = _noise_table(self.noise)

    @property
    def mean_window(self):
        """Mean number of words in a window, far from the ends of a document."""
        if not self.shrinks:
            return 2 * self.reach
        # of widths 1 to `window`, of which those beyond the ends count as `reach`
        return self.reach * (2 * self.window - self.reach + 1) / self.window


def keep_probability(share, sample):
    """Return with which probability a word is kept, given its share of the corpus.

    That of the authors' program, sqrt(t / f) + t / f, a little above that of their paper.
    """
    if sample == 0:
        return np.ones_like(share)
    ratio = sample / share
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def _noise_table(noise):
    """List words in proportion to their probability, to the nearest entry, in random order."""
    n = int(np.clip(8 * len(noise), *_TABLE)) if len(noise) < _TABLE[1] else 4 * len(noise)
    places = (np.arange(n) + 0.5) / n
    words = np.searchsorted(np.cumsum(noise), places).clip(max=len(noise) - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(words)[order]


class Pass:
    """One pass through a corpus.

    Parameters
    ----------
    sampling : Sampling
    generator : torch.Generator
    """

    def __init__(self, sampling, generator):
        self._sampling = sampling
        self._generator = generator
        self._keep = torch.from_numpy(sampling.keep).float()
        self._slices = sampling.table.unfold(0, sampling.n_negatives, 1)  # all runs of negatives

    def blocks(self, words, lengths):
        """Turn documents into blocks, in random order.

        Parameters
        ----------
        words : torch.Tensor of shape (n_words,), int64
            Of all documents, one after the other.
        lengths : torch.Tensor of shape (n_documents,), int64

        Returns
        -------
        blocks : Blocks
        """
        window, size = self._sampling.reach, self._sampling.block_size
        words, left, right = self._windows(words, lengths)
        n_blocks = max(1, -(-len(words) // size))
        room = n_blocks * size - len(words)
        order = torch.randperm(n_blocks, generator=self._generator)
        words = F.pad(words, (window, room + window)).unfold(0, size + 2 * window, size)
        around = words[order]
        # of small numbers: many are compared
        left, right = (
            F.pad(side, (0, room)).view(-1, size, 1)[order].to(torch.int16)
            for side in (left, right)
        )
        distance = torch.arange(1, window + 1, dtype=torch.int16)
        none = torch.zeros_like(left, dtype=torch.bool)
        return Blocks(
            around[:, window : window + size].contiguous(),
            around,
            torch.cat([distance.flip(0) <= left, none, distance <= right], -1),
            (left + right).float(),
            self._slices[self._random(0, len(self._slices), n_blocks)],
        )

    def _windows(self, words, lengths):
        """Sub-sample, and draw windows that end where documents do."""
        n_documents, window = len(lengths), self._sampling.window
        document = torch.arange(n_documents).repeat_interleave(lengths)
        if self._sampling.keep.min() < 1:
            draws = torch.rand(len(words), generator=self._generator)
            kept = (draws < self._keep[words]).nonzero().squeeze(1)
            words, document = words[kept], document[kept]
        place = torch.arange(len(words))
        ends = torch.bincount(document, minlength=n_documents).cumsum(0)  # of kept words
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        width = torch.full_like(place, window)
        if self._sampling.shrinks:
            width = self._random(1, window + 1, len(place))
        left = torch.minimum(width, place - starts[document])
        right = torch.minimum(width, ends[document] - 1 - place)
        return words, left, right

    def _random(self, low, high, n):
        return torch.randint(low, high, (n,), generator=self._generator)
