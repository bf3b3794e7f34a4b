"""Vectors of words that tell which words are near, learned by negative sampling.

The gradient is written out (see ``_word_algorithms.py``), and each step changes only the rows of
words that occur in it: autograd and an optimizer would go over all words in every step. All
products are those of whole blocks (see ``_corpus/_blocks.py``).
"""

from functools import partial
from itertools import chain

import torch
from torch import nn
from torch.nn import functional as F

from ._training import Work
from ._word_tables import SubwordTable, WordTable

# Words of a document weigh a / (a + share of the corpus) where rare ones shall weigh more, and
# documents of so many words tell what they have in common.
_SIF, _WORDS_ASKED = 1e-3, 2**18
# The learning rate at the end, as a share of that at the beginning.
_LAST_RATE = 0.004
# Centers whose products are computed together: with fewer, threads wait for the interpreter
# and for each other.
_TOGETHER = 2048
# Least number of steps in a batch where threads do not wait.
_FREE_STEPS = 32
# Blocks of a batch that are asked for their loss in training.
_BLOCKS_ASKED = 4
# Negatives with which documents are scored.
_N_SCORED = 256


class Spelling:
    """Gives a word of which only the n-grams are known the mean of their vectors.

    Parameters
    ----------
    subwords : Subwords
    grams : ndarray of shape (n_buckets, n_components)
    """

    def __init__(self, subwords, grams):
        self.subwords = subwords
        self.grams = grams

    def vector_of(self, word):
        """Return the vector of a word: (n_components,).

        Raises
        ------
        KeyError
            If it has no n-grams.
        """
        buckets = self.subwords.buckets_of(word)
        if not buckets:
            raise KeyError(f"{word!r} has neither a vector nor n-grams.")
        return self.grams[buckets].mean(axis=0)


class WordModel(nn.Module):
    """Two vectors for each word: as the one that predicts, and as the one that is predicted.

    Parameters
    ----------
    vocabulary : sequence of hashable
        The words.
    n_components : int
    algorithm : SkipGram or Cbow
    window : int
        Most words on each side.
    negative : int
        Weight of the negatives, in negatives for each pair.
    pooling : {"mean", "idf", "sif", "max"}
        How the vectors of its words become that of a document.
    subwords : Subwords or None, default=None
        Finds n-grams of words, which have vectors, too.
    """

    generator = None
    n_threads = 1

    def __init__(
        self, vocabulary, n_components, *, algorithm, window, negative, pooling, subwords=None
    ):
        super().__init__()
        n_words = len(vocabulary)
        self.width = n_components
        self.algorithm = algorithm
        self.window = window
        self.negative = negative
        self.pooling = pooling
        self.subwords = subwords
        values = (torch.rand(n_words, n_components) - 0.5) / n_components
        if subwords is None:
            self.words = WordTable(values)
        else:
            grams = (torch.rand(subwords.n_buckets, n_components) - 0.5) / n_components
            places = map(torch.from_numpy, subwords.buckets_of_all(vocabulary))
            self.words = SubwordTable(values, grams, *places)
        self.contexts = WordTable(torch.zeros(n_words, n_components))
        self.register_buffer("counts", torch.zeros(n_words, dtype=torch.int64))
        self.register_buffer("weights", torch.ones(n_words))  # in a document
        self.register_buffer("weight_of_unknown", torch.ones(1))
        # documents of the training, and those that hold each word
        self.register_buffer("n_documents", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("documents", torch.zeros(n_words, dtype=torch.int64))
        self.register_buffer("negatives", torch.zeros(_N_SCORED, dtype=torch.int64))
        self.waits = True
        self.work = Work(multiplications=n_components, values=n_components)

    # ------------------------------------------------------------------ the loss

    def forward(self, blocks):
        """Mean negative log-likelihood of a pair of words and its negatives."""
        logits = self.algorithm.logits(self.words, self.contexts, blocks)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        losses = F.softplus(logits) * self.algorithm.counts(blocks, self.negative, logits.dtype)
        return losses.sum() / self.algorithm.n_pairs(blocks.n_near).sum().clamp(min=1)

    # ------------------------------------------------------------------ one step

    def prepare(self, sampling, counts, batch_size, *, n_threads, waits, is_new):
        """Get ready for a training.

        Parameters
        ----------
        sampling : Sampling
        counts : ndarray of shape (n_words,), int64
        batch_size : int
            Words of a batch.
        n_threads : int
        waits : bool
            Whether threads wait for each other, so that their number changes nothing.
        is_new : bool
            Whether these vectors are trained for the first time.
        """
        self.n_threads, self.waits = n_threads, waits
        self.counts.copy_(torch.from_numpy(counts))
        if is_new:
            places = torch.randint(len(sampling.table), (_N_SCORED,), generator=self.generator)
            self.negatives.copy_(sampling.table[places])
        share = sampling.share * sampling.keep
        n = batch_size
        if not waits:  # what all threads are about at the same time
            n = n_threads * min(n / _FREE_STEPS, _TOGETHER / share.sum())
        share, noise = (torch.from_numpy(each * n).float() for each in (share, sampling.noise))
        pairs = sampling.mean_window
        words = share * pairs * (1 + self.negative)
        contexts = (share + noise * self.negative) * self.algorithm.n_pairs(pairs)
        self.words.expect(words, *self.algorithm.summed_gradients)
        self.contexts.expect(contexts, *self.algorithm.summed_gradients)

    @staticmethod
    def learning_rate_factor(fraction):
        """Let the learning rate fall along a line."""
        return 1.0 if fraction is None else max(_LAST_RATE, 1 - fraction)

    def take_step(self, blocks, rate, precision, side_by_side):
        """Move the vectors against the gradient of a batch; return the loss of some of it.

        Parts of the batch are computed on several threads. Where these wait for each other
        before anything is changed, the result does not depend on their number.
        """
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        n_parts = self._n_parts(blocks.centers)
        rates = [each.to(dtype).tensor_split(n_parts) for each in self.rates(blocks, rate)]
        parts = zip(blocks.split(n_parts), zip(*rates))
        find = [partial(self.steps, part, of_part, dtype) for part, of_part in parts]
        ask = partial(self, blocks.first(_BLOCKS_ASKED))
        if not self.waits:
            # other threads move what is asked last: its loss is that before its step
            return side_by_side([ask, *(partial(self._go, each) for each in reversed(find))])[0]
        loss, *changes = side_by_side([ask, *find])
        changes = zip((self.words, self.contexts), map(chain.from_iterable, zip(*changes)))
        side_by_side([partial(_move, *change) for change in changes])
        return loss

    def _n_parts(self, centers):
        if centers.device.type != "cpu":  # which computes all of it at once
            return 1 if self.waits else self.n_threads
        fewest = 1 if self.waits else min(len(centers), _FREE_STEPS) // 2
        return 2 * max(1, fewest, round(centers.numel() / (2 * _TOGETHER)))

    def _go(self, find):
        words, contexts = find()
        _move(self.words, words)
        _move(self.contexts, contexts)

    def rates(self, blocks, rate):
        """Return what `steps` is to multiply the gradients of some blocks by."""
        return self.algorithm.rates(self.words, self.contexts, blocks, rate)

    def steps(self, blocks, rates, dtype=torch.float32):
        """Find steps against the gradient of the loss of all pairs, added up, in closed form.

        Parameters
        ----------
        blocks : Blocks
        rates : sequence of torch.Tensor
            Those of the blocks, in ``dtype``.
        dtype : torch.dtype, default=torch.float32
            Of products.

        Returns
        -------
        words, contexts : list of Change
        """
        return self.algorithm.steps(self.words, self.contexts, blocks, rates, self.negative, dtype)

    # ------------------------------------------------------------------ documents

    def encode(self, bags):
        """Pool the vectors of the words of each document: (n_documents, n_components)."""
        if self.pooling == "max":
            return self._pool(bags)
        weights = self.weights
        if bags.unknown is not None:
            weights = torch.cat([weights, self.weight_of_unknown.expand(len(bags.unknown))])
        weights = weights[bags.words]
        totals = bags.lengths.float()
        if self.pooling == "idf":
            totals = torch.zeros_like(totals).index_add_(0, bags.documents, weights)
        return self._pool(bags, weights) / totals.where(totals > 0, 1)[:, None]

    def _pool(self, bags, weights=None):
        """Sum the vectors of the words of each document, or take the largest values."""
        vectors = self.words.all()
        if bags.unknown is not None:
            vectors = torch.cat([vectors, bags.unknown])
        mode = "max" if weights is None else "sum"
        return F.embedding_bag(
            bags.words, vectors, bags.starts, mode=mode, per_sample_weights=weights
        )

    def weigh_words(self, blocks, is_new):
        """Find how much each word weighs in a document, from the training documents.

        ``blocks`` gives these anew, as bags; ``is_new``: they are not more of the same.
        """
        if self.pooling == "sif":
            share = self.counts / self.counts.sum()
            self.weights.copy_(_SIF / (_SIF + share))  # 1 for a word of no share
        elif self.pooling == "idf":
            if is_new:
                self.n_documents.zero_(), self.documents.zero_()
            n_words = len(self.documents)
            for bags in blocks():
                found = bags.documents * n_words + bags.words
                self.documents += torch.bincount(found.unique() % n_words, minlength=n_words)
                self.n_documents += len(bags)
            # smooth, as that of scikit-learn's TfidfTransformer
            self.weights.copy_(((1 + self.n_documents) / (1 + self.documents)).log() + 1)
            self.weight_of_unknown.copy_((1 + self.n_documents).log() + 1)

    def common_direction(self, blocks):
        """Find the first right singular vector of the training documents: (n_components,)."""
        scatter = torch.zeros(self.width, self.width, dtype=torch.float64)
        n_words = 0
        for bags in blocks():
            z = self.encode(bags).cpu().double()
            scatter += z.T @ z
            n_words += len(bags.words)
            if n_words > _WORDS_ASKED:
                break
        return torch.linalg.eigh(scatter).eigenvectors[:, -1]

    def log_likelihood(self, bags):
        """Sum the log-likelihoods of the pairs of each document, and count them: (n, 2).

        Windows have their full width, no word is left out, and negatives are those that were
        drawn once.
        """
        negatives = self.contexts.find(self.negatives)  # (K, d)
        h, fits, n_pairs = self.algorithm.fits(self.words, self.contexts, bags, self.window)
        others = F.logsigmoid(-h @ negatives.T).mean(1)
        values = torch.stack([fits + self.negative * others * n_pairs, n_pairs], 1)
        return values.new_zeros(len(bags), 2).index_add_(0, bags.documents, values)


def _move(table, changes):
    for words, steps in changes:
        table.move(words, steps)
