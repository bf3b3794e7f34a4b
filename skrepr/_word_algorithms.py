"""What predicts what: each word those around it (skip-gram), or these together the word (CBOW).

Either is a loss of blocks of words (see ``_corpus/_blocks.py``), for autograd, and steps against
its gradient in closed form. The logit of a pair is given the other sign, so that pairs and
negatives have the same loss, softplus; `steps` gives the sign back.
"""

from typing import NamedTuple

import torch
from torch.nn import functional as F


class Change(NamedTuple):
    """Steps of some rows of a table."""

    words: torch.Tensor  # (n,), int64, with repetitions
    steps: torch.Tensor  # (n, n_components)


class SkipGram:
    """A word predicts each of the words around it (Mikolov et al. 2013).

    Its methods are given two tables of vectors: of words, as the ones that predict, and as the
    ones that are predicted.
    """

    # Centers of a block, and negatives that they share. With more centers, or fewer negatives,
    # analogies suffer.
    block = 32, 26
    # Of "auto": the learning rate, and words of a batch where threads wait for each other.
    learning_rate, words_of_step = 0.025, 2**13
    # Gradients of a word that are added up in one step: at least, where a corpus has few words,
    # and at most.
    summed_gradients = 100.0, 200.0

    def n_pairs(self, n_near):
        """Return how many pairs there are in windows with so many words near the center."""
        return n_near

    def logits(self, words, contexts, blocks):
        """Return the logits of negatives, for autograd: (n, B, C + K)."""
        logits = words(blocks.centers) @ contexts(blocks.targets).mT
        pairs, others = logits.split([blocks.n_around, blocks.n_negatives], -1)
        return torch.cat([-pairs, others], -1)

    def counts(self, blocks, negative, dtype):
        """Return how often each logit counts: (n, B, C + K)."""
        return blocks.near_and_negative(negative, dtype).abs_()

    def rates(self, words, contexts, blocks, rate):
        """Return minus the learning rates of the rows that `steps` changes: (n, n_rows, 1) each.

        Of a whole batch at once: what a part of it asks torch for, another part waits for.
        """
        return words.rates(blocks.centers, rate), contexts.rates(blocks.targets, rate)

    def steps(self, words, contexts, blocks, rates, negative, dtype):
        """Find steps against the gradient of the loss of all pairs, added up.

        Parameters
        ----------
        words, contexts : WordTable
        blocks : Blocks
        rates : sequence of torch.Tensor
            Those of the blocks, in ``dtype``.
        negative : int
            Weight of the negatives, in negatives for each pair.
        dtype : torch.dtype
            Of products.

        Returns
        -------
        of_words, of_contexts : list of Change
        """
        of_centers, of_targets = rates
        h, o = words.find(blocks.centers).to(dtype), contexts.find(blocks.targets).to(dtype)
        errors = torch.bmm(h, o.mT)  # (n, B, C + K)
        errors.narrow(2, 0, blocks.n_around).neg_()  # of pairs
        errors.sigmoid_().mul_(blocks.near_and_negative(negative, dtype))
        changes = [_change(blocks.centers, torch.bmm(errors * of_centers, o))]
        errors.mul_(of_targets.mT)
        return changes, [_change(blocks.targets, torch.bmm(errors.mT, h))]

    def fits(self, words, contexts, bags, window):
        """Return how well the words of documents predict each other, in windows of full width.

        Parameters
        ----------
        words, contexts : WordTable
        bags : Bags
        window : int

        Returns
        -------
        h : torch.Tensor of shape (n, d)
            What predicts, for each word of all documents.
        fits, n_pairs : torch.Tensor of shape (n,)
            Sum over its pairs of the logarithms of their probabilities, and number of these.
        """
        h, o = words.find(bags.words), contexts.find(bags.words)
        return h, *_over_windows(bags.documents, window, lambda a, b: _fit(h[a], o[b]))


class Cbow:
    """The mean of the words around it predicts a word (Mikolov et al. 2013).

    Methods are those of `SkipGram`.
    """

    block = 16, 16
    learning_rate, words_of_step = 0.07, 2**14
    summed_gradients = 50.0, 100.0  # steps are longer

    def n_pairs(self, n_near):
        """Return how many pairs there are in windows with so many words near the center."""
        return n_near > 0

    def logits(self, words, contexts, blocks):
        """Return the logits of negatives, for autograd: (n, B, 1 + K)."""
        sums = blocks.near(words.own.dtype) @ words(blocks.around)  # (n, B, d)
        # the value is that of the mean, the gradient that of the sum, as in the authors'
        # program: a word counts as much in a wide window as in a narrow one
        h = sums + (sums / blocks.n_near.clamp(min=1) - sums).detach()
        own = -(h * contexts(blocks.centers)).sum(-1, keepdim=True)
        return torch.cat([own, h @ contexts(blocks.negatives).mT], -1)

    def counts(self, blocks, negative, dtype):
        """Return how often each logit counts: (n, B, 1 + K)."""
        n_negatives = blocks.n_negatives
        counts = torch.full((1 + n_negatives,), negative / n_negatives, dtype=dtype)
        counts[0] = 1
        return self.n_pairs(blocks.n_near) * counts.to(blocks.n_near.device)

    def rates(self, words, contexts, blocks, rate):
        """Return minus the learning rates of the rows that `steps` changes, as `SkipGram` does."""
        of_contexts = (contexts.rates(each, rate) for each in (blocks.centers, blocks.negatives))
        return words.rates(blocks.around, rate), *of_contexts

    def steps(self, words, contexts, blocks, rates, negative, dtype):
        """Find steps against the gradient of the loss of all pairs, as `SkipGram` does."""
        of_around, of_centers, of_negatives = rates
        weight = negative / blocks.n_negatives
        near = blocks.near(dtype)  # (n, B, C)
        # a window without a word is the zero vector, which moves nothing
        means = near / blocks.n_near.clamp(min=1).to(dtype)
        h = torch.bmm(means, words.find(blocks.around).to(dtype))  # (n, B, d)
        o = contexts.find(blocks.centers).to(dtype)
        others = contexts.find(blocks.negatives).to(dtype)
        own = torch.linalg.vecdot(h, o).neg_().sigmoid_().neg_()[..., None]  # (n, B, 1)
        errors = torch.bmm(h, others.mT).sigmoid_()  # (n, B, K)
        of_h = o.mul_(own).baddbmm_(errors, others, alpha=weight)
        near.mul_(of_around.mT)
        of_words = [_change(blocks.around, torch.bmm(near.mT, of_h))]
        errors.mul_(of_negatives.mT * weight)
        of_contexts = [_change(blocks.negatives, torch.bmm(errors.mT, h))]
        of_contexts.append(_change(blocks.centers, h.mul_(own.mul_(of_centers))))
        return of_words, of_contexts

    def fits(self, words, contexts, bags, window):
        """Return how well the words of documents are predicted, as `SkipGram` does."""
        x = words.find(bags.words)
        sums, n_near = _over_windows(bags.documents, window, lambda a, b: x[b])
        h = sums / n_near.clamp(min=1)[:, None]
        n_pairs = self.n_pairs(n_near).to(h.dtype)
        return h, _fit(h, contexts.find(bags.words)) * n_pairs, n_pairs


# By what `algorithm` is called; they have no state.
ALGORITHMS = {"skipgram": SkipGram(), "cbow": Cbow()}


def _change(words, steps):
    return Change(words.reshape(-1), steps.flatten(0, 1))


def _fit(h, o):
    return F.logsigmoid((h * o).sum(1))


def _over_windows(document, window, function):
    """Sum ``function(centers, others)`` over the windows of all words, and count these."""
    n, sums = len(document), None
    counts = torch.zeros(n, device=document.device)
    for offset in range(1, min(window, n - 1) + 1):
        first = (document[:-offset] == document[offset:]).nonzero().squeeze(1)
        for a, b in ((first, first + offset), (first + offset, first)):
            values = function(a, b)
            if sums is None:
                sums = values.new_zeros(n, *values.shape[1:])
            sums.index_add_(0, a, values)
            counts.index_add_(0, a, torch.ones_like(a, dtype=counts.dtype))
    if sums is None:
        empty = document[:0]
        sums = function(empty, empty).new_zeros(n, *function(empty, empty).shape[1:])
    return sums, counts
