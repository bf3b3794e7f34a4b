"""Tables of the vectors of words: one vector each, or together with parts of the word."""

import torch
from torch import nn
from torch.nn import functional as F


class WordTable(nn.Module):
    """A vector for each word.

    Parameters
    ----------
    values : torch.Tensor of shape (n_words, n_components)
        To begin with.
    """

    def __init__(self, values):
        super().__init__()
        self.own = nn.Parameter(values)
        self.register_buffer("_rates", torch.ones(len(values), 1), persistent=False)

    def forward(self, words):
        """Return the vectors of some words, with gradients: (*words.shape, n_components)."""
        return self.own[words]

    def find(self, words):
        """Return the vectors of some words, fast: (*words.shape, n_components)."""
        return F.embedding(words, self.own.detach())

    def all(self):
        """Return the vectors of all words: (n_words, n_components)."""
        return self.own.detach()

    def expect(self, n_gradients, fewest, most):
        """Prepare for steps in which each word has so many gradients on average: (n_words,).

        These are added up. That is right for rare words; one that occurs hundreds of times in a
        batch would jump beyond its aim. Where a few words make up the corpus, all gradients
        point the same way, and fewer than ``most`` are added up: ``fewest`` at least.
        """
        self._rates = _rates_of(n_gradients, fewest, most).to(self.own.device)

    def rates(self, words, rate):
        """Return minus the learning rate of each of some words: (*words.shape, 1).

        Errors are multiplied by it before they become steps, since they are fewer numbers.
        """
        return F.embedding(words, self._rates).mul_(-rate)

    def move(self, words, steps):
        """Move the vectors of some words, which may occur more than once.

        Parameters
        ----------
        words : torch.Tensor of shape (n,), int64
        steps : torch.Tensor of shape (n, n_components)
        """
        _add(self.own, words, steps)


class SubwordTable(WordTable):
    """A vector for each word that is the mean of one of its own and those of its n-grams.

    Gradients are those of the sum, as in the authors' program: what one vector is too far off,
    each of the parts is moved by (Bojanowski et al. 2017).

    Parameters
    ----------
    values : torch.Tensor of shape (n_words, n_components)
        To begin with.
    grams : torch.Tensor of shape (n_buckets, n_components)
        The same, of n-grams.
    buckets : torch.Tensor of shape (n,), int64
        Of the n-grams of all words, one after the other.
    starts : torch.Tensor of shape (n_words + 1,), int64
        Where those of each word begin and end.
    """

    def __init__(self, values, grams, buckets, starts):
        super().__init__(values)
        self.grams = nn.Parameter(grams)
        self.register_buffer("_rates_of_grams", torch.ones(len(grams), 1), persistent=False)
        self.register_buffer("_buckets", buckets, persistent=False)
        self.register_buffer("_starts", starts, persistent=False)
        self._all = None

    def forward(self, words):
        unique, place = words.unique(return_inverse=True)
        buckets, starts, n_parts = self._parts_of(unique)
        sums = self.own[unique] + F.embedding_bag(buckets, self.grams, starts, mode="sum")
        return (sums + (sums / n_parts - sums).detach())[place]

    @torch.no_grad()
    def find(self, words):
        unique, place = words.unique(return_inverse=True)
        found = self(unique).index_select(0, place.reshape(-1))
        return found.view(*words.shape, self.own.shape[1])

    def all(self):
        if self._all is None:
            words = torch.arange(len(self.own), device=self.own.device)
            with torch.no_grad():
                self._all = torch.cat([self(some) for some in words.split(2**14)])
        return self._all

    def expect(self, n_gradients, fewest, most):
        super().expect(n_gradients, fewest, most)
        n_gradients = n_gradients.to(self._starts.device)
        of_parts = n_gradients.repeat_interleave(self._starts.diff())
        of_grams = of_parts.new_zeros(len(self.grams)).index_add_(0, self._buckets, of_parts)
        self._rates_of_grams = _rates_of(of_grams, fewest, most)

    def rates(self, words, rate):
        # a word and its n-grams have factors of their own, which `move` knows
        return self._rates.new_full((*words.shape, 1), -rate)

    def move(self, words, steps):
        self._all = None
        unique, place = words.unique(return_inverse=True)
        of_words = self.own.new_zeros(len(unique), self.own.shape[1])
        _add(of_words, place, steps)
        buckets, _, n_parts = self._parts_of(unique)
        of_grams = of_words.repeat_interleave(n_parts[:, 0].long() - 1, 0)
        _add(self.own, unique, of_words.mul_(self._rates[unique]))
        _add(self.grams, buckets, of_grams.mul_(self._rates_of_grams[buckets]))

    def _parts_of(self, words):
        """Return the buckets of some words, where each begins, and 1 plus their number (n, 1)."""
        first, lengths = self._starts[words], self._starts[words + 1] - self._starts[words]
        ends = lengths.cumsum(0)
        starts = ends - lengths
        places = torch.arange(int(lengths.sum()), device=words.device)
        places += (first - starts).repeat_interleave(lengths)
        return self._buckets[places], starts, (lengths + 1)[:, None].to(self.own.dtype)


def _rates_of(n_gradients, fewest, most):
    n_effective = n_gradients.sum().square() / n_gradients.square().sum().clamp(min=1e-30)
    most = n_effective.clamp(fewest, most)
    return (most / n_gradients.clamp(min=1e-30)).clamp(max=1)[:, None]


def _add(table, rows, steps):
    table.detach().index_add_(0, rows, steps.to(table.dtype))
