"""Sub-sampling, windows and negatives: from sentences to batches of blocks.

A block is a run of consecutive words of the corpus, each the center of a window, with the words
of their windows on both sides. What is predicted from what is a band in a block, so that all
of it is a few products of small matrices; rows of vectors are fetched three times for a word,
and not dozens of times (the shared negatives of Ji et al. 2016, Parallelizing word2vec in
shared and distributed memory, for a block instead of a window).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

# Most words on a side with which there is a row for each window, in a table of less than a MB,
# that stays in a processor's cache.
_NARROW = 8
# Entries of the table from which negatives are drawn, by the number of words.
_TABLE = (2**14, 2**20)


@dataclass(frozen=True)
class Blocks:
    """A batch.

    Parameters
    ----------
    centers : torch.Tensor of shape (n_blocks, size), int64
    targets : torch.Tensor of shape (n_blocks, size + 2 * window + n_negatives), int64
        The same words with `window` more on both sides, and the negatives of the block.
    windows : torch.Tensor of shape (n_blocks, size, 1) or (n_blocks, size, 2), int64
        Rows of `_windows` that, added up, tell what is near each center.
    n_near : torch.Tensor of shape (n_blocks, size, 1), float32
        How many words that is.
    n_negatives : int
    """

    centers: torch.Tensor
    targets: torch.Tensor
    windows: torch.Tensor
    n_near: torch.Tensor
    n_negatives: int

    @classmethod
    def of(cls, around, sides, negatives):
        """Make a batch.

        Parameters
        ----------
        around : torch.Tensor of shape (n_blocks, size + 2 * window), int64
            The centers of each block, with `window` words more on both sides.
        sides : torch.Tensor of shape (n_blocks, size, 2), int64
            How many words before and after each center are in its window.
        negatives : torch.Tensor of shape (n_blocks, n_negatives), int64
        """
        size = sides.shape[1]
        reach = (around.shape[1] - size) // 2
        centers = around[:, reach : reach + size].contiguous()
        targets = torch.cat([around, negatives], 1)
        windows = _rows_of_sides(sides, reach)
        n_near = (sides[..., :1] + sides[..., 1:]).float()
        return cls(centers, targets, windows, n_near, negatives.shape[1])

    def __len__(self):
        return len(self.centers)

    @property
    def n_around(self):
        """Number of words of the centers and their windows in a block."""
        return self.targets.shape[1] - self.n_negatives

    @property
    def around(self):
        """The words of the centers and their windows: (n_blocks, n_around)."""
        return self.targets[:, : self.n_around]

    @property
    def negatives(self):
        """The negatives of each block: (n_blocks, n_negatives)."""
        return self.targets[:, self.n_around :]

    def near(self, dtype):
        """Tell which words are in which window: 1 or 0, (n_blocks, size, n_around)."""
        return self._spread(1, 0, 0.0, dtype)

    def near_and_negative(self, negative, dtype):
        """Tell the same of all targets: -1 or 0, and how often each of the negatives counts.

        All of them together count ``negative`` times for each word of a window.
        """
        return self._spread(-1, self.n_negatives, negative / self.n_negatives, dtype)

    def _spread(self, sign, n_others, weight, dtype):
        n, size, n_rows = self.windows.shape
        reach = (self.n_around - size) // 2
        table = _windows(size, reach, sign, n_others, weight, dtype, self.windows.device)
        if n_rows == 1:
            return F.embedding(self.windows[..., 0], table)
        rows = self.windows.view(-1, n_rows)
        return F.embedding_bag(rows, table, mode="sum").view(n, size, table.shape[1])

    def first(self, n):
        """Return the first blocks."""
        return self._with(each[:n] for each in self._tensors())

    def split(self, n_parts):
        """Split into batches of about the same number of blocks."""
        parts = zip(*(each.tensor_split(n_parts) for each in self._tensors()))
        return [self._with(part) for part in parts]

    def to(self, device):
        """Return the same on a device."""
        return self._with(each.to(device) for each in self._tensors())

    def _tensors(self):
        return self.centers, self.targets, self.windows, self.n_near

    def _with(self, tensors):
        return Blocks(*tensors, self.n_negatives)


def _rows_of_sides(sides, reach):
    """Find the rows of `_windows`: one for each window, or of wide ones one for each side."""
    place, n = torch.arange(sides.shape[1], device=sides.device)[:, None], reach + 1
    if reach <= _NARROW:
        return (place * n + sides[..., :1]) * n + sides[..., 1:]
    return torch.cat([2 * place, 2 * place + 1], 1) * n + sides


@lru_cache(maxsize=4)
def _windows(size, reach, sign, n_others, weight, dtype, device):
    """List what the windows of a block look like, or their sides.

    Returns
    -------
    table : torch.Tensor of shape (n_rows, size + 2 * reach + n_others)
        For each center its windows, by the number of words before and after it, or where they
        are wide its sides, first those before it. Words in a window count ``sign``, negatives
        ``weight`` times for each of these.
    """
    place = torch.arange(size)
    distance = torch.arange(-reach, size + reach) - place[:, None]  # (B, C)
    distance = torch.stack([-distance, distance], 1)[:, :, None]  # (B, 2, 1, C)
    n_words = torch.arange(reach + 1)[:, None]
    exact = torch.promote_types(dtype, torch.float32)  # to add up
    near = ((distance > 0) & (distance <= n_words)).to(exact).mul_(sign)  # (B, 2, reach + 1, C)
    others = (weight * n_words).to(exact).expand(size, 2, -1, n_others)
    sides = torch.cat([near, others], -1)
    if reach <= _NARROW:
        sides = sides[:, 0, :, None] + sides[:, 1, None]  # (B, reach + 1, reach + 1, ...)
    return sides.flatten(0, -2).to(device, dtype)


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
        words, left, right = self._sides(words, lengths)
        n_blocks = max(1, -(-len(words) // size))
        room = n_blocks * size - len(words)
        order = torch.randperm(n_blocks, generator=self._generator)
        words = F.pad(words, (window, room + window)).unfold(0, size + 2 * window, size)
        sides = F.pad(torch.stack([left, right], 1), (0, 0, 0, room)).view(-1, size, 2)
        places = self._random(0, len(self._slices), n_blocks)
        return Blocks.of(
            # several times faster than by an index, and of rows that lie one after the other
            words.contiguous().index_select(0, order),
            sides.index_select(0, order),
            self._slices.index_select(0, places),
        )

    def _sides(self, words, lengths):
        """Sub-sample, and draw windows that end where documents do."""
        n_documents, window = len(lengths), self._sampling.window
        document = torch.arange(n_documents).repeat_interleave(lengths)
        if self._sampling.keep.min() < 1:
            draws = torch.rand(len(words), generator=self._generator)
            kept = (draws < self._keep.index_select(0, words)).nonzero().squeeze(1)
            words, document = words.index_select(0, kept), document.index_select(0, kept)
        place = torch.arange(len(words))
        ends = torch.bincount(document, minlength=n_documents).cumsum(0)  # of kept words
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        width = torch.full_like(place, window)
        if self._sampling.shrinks:
            width = self._random(1, window + 1, len(place))
        left = torch.minimum(width, place - starts.index_select(0, document))
        right = torch.minimum(width, ends.index_select(0, document) - 1 - place)
        return words, left, right

    def _random(self, low, high, n):
        return torch.randint(low, high, (n,), generator=self._generator)
