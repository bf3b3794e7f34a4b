"""How an embedding of words reads documents: for training, and for everything else."""

import warnings
from dataclasses import replace
from numbers import Integral

import numpy as np
import torch
from sklearn.utils.validation import validate_data

from . import _training
from ._corpus import (
    Sampling,
    Subwords,
    Vocabulary,
    as_known_kind,
    as_word,
    is_table,
    make_analyzer,
    open_documents,
    read_bags,
    read_sentences,
    read_table,
)
from ._word_algorithms import ALGORITHMS


class DocumentsMixin:
    """An embedding that is given documents, or tables whose rows are read as such."""

    _advice = (
        "or gradients of too many words that are added up, by a wide window or in a large batch. "
        'Cures: learning_rate="auto", or a lower one; a narrower window; a batch_size of a few '
        "hundred; a smaller sample, which leaves out more of the frequent words"
    )

    @_training.own_surroundings()
    def _embed_documents(self, X):
        """Embed documents, and tell how many there are without any known word."""
        new = {}
        n, bags = self._read_chunks(X, new)
        if new:
            vectors = torch.from_numpy(np.stack([self.word_vectors_[word] for word in new]))
            bags = [replace(some, unknown=vectors) for some in bags]
        n_empty = sum(int((some.lengths == 0).sum()) for some in bags)
        if n_empty:
            warnings.warn(
                f"{n_empty} of {n} documents have no word of the vocabulary. Their embedding is 0."
            )
        return self._gather(bags, self._embed, n, (self._n_features_out,))

    def _check_parameters(self):
        super()._check_parameters()
        if self.subword is not None and not (
            len(self.subword) == 2
            and all(isinstance(n, Integral) for n in self.subword)
            and 1 <= self.subword[0] <= self.subword[1]
        ):
            raise ValueError(
                "The 'subword' parameter must be None or a pair of integers, the fewest and the "
                f"most characters of n-grams, such as (3, 6). Got {self.subword!r} instead."
            )

    def _fewest_rows(self, call):
        return 3 if self.early_stopping is True and not call.stream else 1

    def _open(self, X, n_bins, *, reset):
        """Open X as documents; whether it is a table is decided by the first fit."""
        X = as_known_kind(X)
        table, expected = is_table(X), hasattr(self, "n_features_in_")
        if not reset and table != expected:
            kinds = "text or lists of tokens", "a table of categories"
            raise ValueError(
                f"Expected {kinds[expected]}, as in fit, got {kinds[table]} instead."
                + " Reshape your data: a single row is X.reshape(1, -1)." * expected
            )
        if not table:
            return open_documents(X)
        validate_data(self, X, reset=reset, skip_check_array=True)
        documents, edges = read_table(X, n_bins, None if reset else self.bin_edges_)
        if reset:
            self.bin_edges_ = edges
        return documents

    def _analyzer(self, parameters):
        names = ("analyzer", "lowercase", "token_pattern")
        return make_analyzer(*(parameters[name] for name in names))

    def _read(self, X, y, n_least):
        goes_on = hasattr(self, "net_")
        documents = self._open(X, self.n_bins, reset=not goes_on)
        known = None
        if goes_on:
            known = Vocabulary(self.vocabulary_, self.module_.counts.cpu().numpy())
        table = documents.is_table
        self.window_ = self.n_features_in_ - 1 if table else self.window
        rows = read_sentences(
            documents,
            self._analyzer(vars(self)),
            self.device_,
            known=known,
            min_count=self.min_count,
            max_words=self.max_vocabulary,
            make_sampling=lambda counts, longest: Sampling(
                counts,
                longest=longest,
                window=self.window_,
                shrinks=not table,
                sample=0 if table else self.sample,
                ns_exponent=self.ns_exponent,
                block=ALGORITHMS[self.algorithm].block,
            ),
            surroundings=_training.own_surroundings,
        )
        if len(rows) < n_least:
            raise ValueError(
                f"Found X with {len(rows)} document(s), while a minimum of {n_least} is required "
                f"by {type(self).__name__} with early_stopping=True."
            )
        if not (goes_on or rows.has_pairs):
            raise ValueError(_no_pairs(rows, table, self.min_count))
        self.vocabulary_ = rows.vocabulary.words
        return rows

    def _read_chunks(self, X, new=None):
        """Read documents; ``new`` takes up words that have no vector but n-grams, in order."""
        parameters = self._parameters_at_fit
        documents = self._open(X, parameters["n_bins"], reset=False)
        known, subwords = self.word_vectors_.key_to_index, self.module_.subwords

        def number_of(token):
            number = known.get(token, -1)
            if number < 0 and isinstance(token, np.generic):
                token = as_word(token)
                number = known.get(token, -1)
            if number < 0 and new is not None and subwords and subwords.buckets_of(token):
                number = new.setdefault(token, len(known) + len(new))
            return number

        return read_bags(documents, self._analyzer(parameters), number_of)

    def _set_input_shape(self, rows):
        self.input_shape_ = rows.sample_shape  # grows with the vocabulary
        if self.subword and not hasattr(self, "n_buckets_"):
            self.n_buckets_ = Subwords.of(*self.subword, self.vocabulary_).n_buckets

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.three_d_array = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True  # in a table, what is missing has no word
        return tags


def _no_pairs(rows, table, min_count):
    what = "row of the table" if table else "document"
    cure = "pass a column more"
    if not table:
        cure = (
            "pass documents of several words (a single document is a list of one: [document]), or "
            "see what token_pattern or analyzer makes of a document"
        )
    return (
        f"No {what} has two words that occur min_count={min_count} times, so that no word has a "
        f"neighbor to learn from. Got {len(rows)} rows or documents, and {len(rows.vocabulary)} "
        f"such words. Lower min_count, or {cure}."
    )
