"""Words with their vectors, and what is asked of them."""

from contextlib import suppress
from functools import cached_property
from numbers import Integral

import numpy as np

from ._evaluation import judge_analogies, judge_pairs
from ._file_format import read_counts, read_vectors, write_counts, write_vectors
from ._scores import METHODS, largest, lengths, on_sphere, scores_of_all
from ._unknown_word import UnknownWordError

METRICS = ("cosine", "dot", "euclidean")


class WordVectors:
    """Words, or any tokens, with their vectors.

    Names and answers are those of gensim's ``KeyedVectors``. Files of word2vec, gensim, fastText
    and GloVe are read by :meth:`load_word2vec_format`.

    Parameters
    ----------
    index_to_key : sequence of hashable
        The words, each once. The most frequent ones come first: `restrict_vocab` and the search
        for a near spelling go by this order.
    vectors : array-like of shape (n_words, n_components)
        Their vectors. A contiguous array of float32 is not copied.
    counts : array-like of shape (n_words,) or None, default=None
        How often each word was seen. None: unknown.
    subword : object with a method ``vector_of(word)`` or None, default=None
        What is asked for the vector of a word that has none of its own. None: nothing, and such
        words raise KeyError.

    Attributes
    ----------
    index_to_key : list of hashable
        The words.
    key_to_index : dict of hashable to int
        Where each word stands.
    vectors : ndarray of shape (n_words, n_components), float32
        The vectors, read-only.
    counts : ndarray of shape (n_words,), int64, or None
        How often each word was seen.
    subword : object or None
        As given.

    See Also
    --------
    Word2VecEmbedding : Learns them from text, or whatever comes in sequences.

    Notes
    -----
    ``wv["word"]`` is its vector, ``wv[["one", "two"]]`` an array of two, ``"word" in wv`` tells
    whether it has a vector of its own, ``len(wv)`` how many words have. Where a word is asked
    for, a vector as an ndarray of shape (n_components,) does as well. Several words are a list, or
    an array or Series of them: a tuple or an integer is one word, never a row number.

    A word without a vector raises KeyError with the nearest spelling among the 50,000 first
    words. A vector of zeros has a cosine of 0 with each other.

    Text is written with as many digits as float32 needs, and read as it was.

    The vectors are those of Mikolov et al. [1]_, or any others; the two ways to complete an
    analogy are compared by Levy & Goldberg [2]_.

    References
    ----------
    .. [1] Mikolov, T., Chen, K., Corrado, G. & Dean, J. (2013). Efficient estimation of word
       representations in vector space. arXiv:1301.3781.
    .. [2] Levy, O. & Goldberg, Y. (2014). Linguistic regularities in sparse and explicit word
       representations. CoNLL, 171-180.

    Examples
    --------
    >>> from skrepr import WordVectors
    >>> words = ["king", "queen", "man", "woman", "apple"]
    >>> wv = WordVectors(words, [[1, 1, 0], [1, -1, 0], [0, 1, 0], [0, -1, 0], [0.1, 0, 1]])
    >>> wv
    WordVectors(n_words=5, n_components=3)
    >>> wv.analogy("man", "king", "woman", topn=1)[0][0]
    'queen'
    >>> wv.doesnt_match(["king", "man", "apple"])
    'apple'
    >>> wv["kings"]  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ...
    UnknownWordError: 'kings' has no vector. Did you mean 'king'?
    """

    def __init__(self, index_to_key, vectors, counts=None, subword=None):
        self.index_to_key = list(index_to_key)
        self.key_to_index = {key: index for index, key in enumerate(self.index_to_key)}
        # a view: the caller may write to his array, and nobody to this one, whose norms are kept
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32).view()
        self.vectors.flags.writeable = False
        self.counts = None if counts is None else np.asarray(counts, dtype=np.int64)
        self.subword = subword
        n_words = len(self.index_to_key)
        if self.vectors.ndim != 2 or len(self.vectors) != n_words or not self.vectors.size:
            raise ValueError(
                "vectors must have the shape (n_words, n_components), at least (1, 1), with one "
                f"row for each word of index_to_key. Got {self.vectors.shape} and {n_words} words "
                "instead."
            )
        if not np.isfinite(self.vectors).all():
            raise ValueError("vectors must be finite. Got NaN or infinity instead.")
        if len(self.key_to_index) < n_words:
            key = next(k for i, k in enumerate(self.index_to_key) if self.key_to_index[k] != i)
            raise ValueError(f"index_to_key must name each word once. Got {key!r} twice instead.")
        if self.counts is not None and self.counts.shape != (n_words,):
            raise ValueError(
                f"counts must have the shape ({n_words},), one for each word. Got "
                f"{self.counts.shape} instead."
            )

    def __repr__(self):
        n_words, n_components = self.vectors.shape
        return f"{type(self).__name__}(n_words={n_words}, n_components={n_components})"

    def __reduce__(self):
        # through __init__, since arrays that were pickled can be written to
        return type(self), (self.index_to_key, self.vectors, self.counts, self.subword)

    def __len__(self):
        return len(self.index_to_key)

    def __iter__(self):
        return iter(self.index_to_key)

    def __contains__(self, word):
        return word in self.key_to_index

    def __getitem__(self, words):
        if isinstance(words, list) or getattr(words, "ndim", 0) == 1:
            return np.array([self[word] for word in words]).reshape(-1, self.vectors.shape[1])
        if words in self.key_to_index:
            return self.vectors[self.key_to_index[words]]
        if self.subword is not None:
            # KeyError: a word without parts
            with suppress(KeyError):
                return self.subword.vector_of(words)
        raise UnknownWordError(words, self.index_to_key)

    def similarity(self, a, b, metric="cosine"):
        """Measure how similar two words are.

        Parameters
        ----------
        a, b : hashable or ndarray of shape (n_components,)
            The words.
        metric : {"cosine", "dot", "euclidean"}, default="cosine"
            "cosine": the cosine of the angle between the vectors, where their lengths, which
            also tell how frequent a word is, do not count. "dot": the scalar product, the measure
            of the training. "euclidean": minus the distance.

        Returns
        -------
        similarity : float
            The higher, the more similar, whatever the metric.

        Raises
        ------
        KeyError
            If a word has no vector.
        """
        _check_choice(metric, "metric", METRICS)
        a, b = self._vector(a).astype(np.float64), self._vector(b).astype(np.float64)
        if metric == "euclidean":
            return -float(np.linalg.norm(a - b))
        return float(on_sphere(a) @ on_sphere(b) if metric == "cosine" else a @ b)

    def most_similar(self, positive=None, negative=None, topn=10, *, restrict_vocab=None):
        r"""Find the words that are most similar to a sum of words.

        Those with the largest cosine to :math:`\sum_p x_p - \sum_n x_n`, where the words asked
        with count as vectors of length 1, and arrays as they are: 3CosAdd, equation 3 of Levy &
        Goldberg (2014).

        Parameters
        ----------
        positive : word, ndarray, list of these, or None, default=None
            What is added. None: nothing.
        negative : word, ndarray, list of these, or None, default=None
            What is subtracted. None: nothing.
        topn : int or None, default=10
            How many words are returned. None: the cosines of all are.
        restrict_vocab : int or None, default=None
            How many words are searched, the first ones. None: all.

        Returns
        -------
        similar : list of (hashable, float), or ndarray of shape (n_words,), float32
            Words and their cosines, from the most similar one on; words asked with are left out.
            With ``topn=None`` the cosines of all words searched, in the order of `index_to_key`.

        Raises
        ------
        KeyError
            If a word has no vector.
        """
        return self._search("3CosAdd", positive, negative, topn, restrict_vocab)

    def most_similar_cosmul(self, positive=None, negative=None, topn=10, *, restrict_vocab=None):
        r"""Find the words that are similar to each of some words and to none of others.

        Those with the largest :math:`\prod_p s(x, x_p) / (\prod_n s(x, x_n) + 10^{-6})`, where
        :math:`s = (1 + \cos) / 2`: 3CosMul, equation 4 of Levy & Goldberg (2014). One word that is
        very similar weighs less than in the sum of :meth:`most_similar`.

        Parameters
        ----------
        positive : word, ndarray, list of these, or None, default=None
            What must be similar; at least one.
        negative : word, ndarray, list of these, or None, default=None
            What must not. None: nothing.
        topn : int or None, default=10
            How many words are returned. None: the scores of all are.
        restrict_vocab : int or None, default=None
            How many words are searched, the first ones. None: all.

        Returns
        -------
        similar : list of (hashable, float), or ndarray of shape (n_words,), float32
            Words and their scores, from the best one on; words asked with are left out. With
            ``topn=None`` the scores of all words searched, in the order of `index_to_key`.

        Raises
        ------
        KeyError
            If a word has no vector.
        """
        return self._search("3CosMul", positive, negative, topn, restrict_vocab)

    def analogy(self, a, b, c, *, method="3CosAdd", topn=10, restrict_vocab=None):
        """Complete an analogy: a is to b as c is to ...

        Parameters
        ----------
        a, b, c : hashable or ndarray of shape (n_components,)
            The words, as in "man", "king", "woman".
        method : {"3CosAdd", "3CosMul"}, default="3CosAdd"
            "3CosAdd": by the cosine to b - a + c, see :meth:`most_similar`. "3CosMul": by
            the product of :meth:`most_similar_cosmul`.
        topn : int or None, default=10
            How many words are returned. None: the scores of all are.
        restrict_vocab : int or None, default=None
            How many words are searched, the first ones. None: all.

        Returns
        -------
        answers : list of (hashable, float), or ndarray of shape (n_words,), float32
            Words and their scores, from the best one on, without a, b and c.

        Raises
        ------
        KeyError
            If a word has no vector.
        """
        _check_choice(method, "method", METHODS)
        return self._search(method, [b, c], [a], topn, restrict_vocab)

    def doesnt_match(self, words):
        """Find the word that does not go with the others.

        Parameters
        ----------
        words : iterable of hashable
            The words, at least one.

        Returns
        -------
        word : hashable
            The one with the smallest cosine to the mean of all of them, each of length 1.

        Raises
        ------
        KeyError
            If a word has no vector.
        """
        words = list(words)
        if not words:
            raise ValueError("words must hold at least one word. Got none instead.")
        units = on_sphere(self[words])
        return words[int(np.argmin(units @ units.mean(axis=0)))]

    def evaluate_word_pairs(
        self,
        pairs,
        delimiter="\t",
        encoding="utf8",
        restrict_vocab=300_000,
        case_insensitive=True,
        dummy4unknown=False,
    ):
        r"""Correlate cosines with how similar people found pairs of words.

        Parameters
        ----------
        pairs : path
            A file with lines of two words and a number. Lines that begin with ``#``, and those
            that are something else, such as a heading, are skipped.
        delimiter : str, default="\\t"
            What stands between the three.
        encoding : str, default="utf8"
            The encoding of the file.
        restrict_vocab : int, default=300_000
            How many words are known, the first ones.
        case_insensitive : bool, default=True
            Whether words that differ by case only count as one, which has the vector of the
            first of them.
        dummy4unknown : bool, default=False
            Whether pairs with an unknown word get a similarity of 0, or are left out.

        Returns
        -------
        pearson : pair of float
            Pearson's correlation and its p-value.
        spearman : pair of float
            Spearman's rank correlation, which is the figure usually given, and its p-value.
        oov_ratio : float
            Percentage of the pairs with an unknown word.

        Raises
        ------
        ValueError
            If fewer than two pairs can be compared.
        """
        return judge_pairs(
            self.index_to_key[:restrict_vocab],
            self.vectors,
            pairs,
            delimiter=delimiter,
            encoding=encoding,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
        )

    def evaluate_word_analogies(
        self,
        analogies,
        restrict_vocab=300_000,
        case_insensitive=True,
        dummy4unknown=False,
        *,
        method="3CosAdd",
    ):
        """Count the analogies that are completed as a file says.

        Parameters
        ----------
        analogies : path
            A file with lines of four words, the fourth being the answer, in sections that begin
            with a line ``: name``, such as Mikolov's ``questions-words.txt``. Other lines
            are skipped.
        restrict_vocab : int, default=300_000
            How many words are known and searched, the first ones.
        case_insensitive : bool, default=True
            Whether words that differ by case only count as one, which has the vector of the
            first of them.
        dummy4unknown : bool, default=False
            Whether lines with an unknown word count as wrong, or are left out.
        method : {"3CosAdd", "3CosMul"}, default="3CosAdd"
            How the answer is found, see :meth:`analogy`.

        Returns
        -------
        score : float
            Share of the lines that are right.
        sections : list of dict
            For each section, and last for all, its name ("section") and the lines that are right
            ("correct") and wrong ("incorrect"), as tuples of four words; in upper case where case
            does not count.

        Raises
        ------
        ValueError
            If a line stands before the first section, or none can be answered.
        """
        _check_choice(method, "method", METHODS)
        return judge_analogies(
            self.index_to_key[:restrict_vocab],
            self.vectors[:restrict_vocab],
            self._norms[:restrict_vocab],
            analogies,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
            method=method,
        )

    def to_frame(self):
        """Return the vectors as a table.

        Returns
        -------
        frame : DataFrame of shape (n_words, n_components), float32
            A copy, whose index holds the words.
        """
        import pandas as pd

        words = pd.Index(self.index_to_key, name="word", tupleize_cols=False)
        return pd.DataFrame(self.vectors, index=words, copy=True)

    def to_keyed_vectors(self):
        """Return words, vectors and counts as an object of gensim.

        Returns
        -------
        keyed_vectors : gensim.models.KeyedVectors
            A copy. Subwords do not go with it.

        Raises
        ------
        ImportError
            If gensim is not installed.
        """
        try:
            from gensim.models import KeyedVectors
        except ImportError as error:
            raise ImportError(
                "to_keyed_vectors needs gensim, which is not installed: pip install gensim. "
                "Without it save_word2vec_format writes a file that gensim reads."
            ) from error
        keyed_vectors = KeyedVectors(self.vectors.shape[1])
        keyed_vectors.add_vectors(self.index_to_key, self.vectors)
        if self.counts is not None:
            for word, count in zip(self.index_to_key, self.counts):
                keyed_vectors.set_vecattr(word, "count", int(count))
        return keyed_vectors

    def save_word2vec_format(self, fname, fvocab=None, binary=False, *, write_header=True):
        """Write words and vectors in the format of word2vec, as gensim does, byte for byte.

        The most frequent words come first, where counts are known. A file that is there already
        is replaced once all is written.

        Parameters
        ----------
        fname : path
            The file. It is compressed if its name ends with ".gz".
        fvocab : path or None, default=None
            A second file, for the counts. None: they are not written.
        binary : bool, default=False
            Whether to write numbers as float32, in a third of the space, or as text.
        write_header : bool, default=True
            Whether to write the number of words and of components first. GloVe does not.

        Raises
        ------
        ValueError
            If a word is not a string, has a space or a line break in it, or half of a surrogate
            pair; if counts are to be written and are not known.
        """
        if fvocab is not None and self.counts is None:
            raise ValueError(f"fvocab must be None without counts. Got {fvocab!r} instead.")
        order = range(len(self))
        if self.counts is not None:
            order = np.argsort(-self.counts, kind="stable")
        words = [self.index_to_key[row] for row in order]
        write_vectors(fname, words, self.vectors[order], binary=binary, header=write_header)
        if fvocab is not None:
            write_counts(fvocab, words, self.counts[order])

    @classmethod
    def load_word2vec_format(
        cls,
        fname,
        fvocab=None,
        binary=False,
        encoding="utf8",
        unicode_errors="strict",
        limit=None,
        *,
        no_header=False,
    ):
        """Read words and vectors in the format of word2vec, which gensim and fastText write, too.

        Parameters
        ----------
        fname : path
            The file. It is read as compressed if its name ends with ".gz".
        fvocab : path or None, default=None
            A file with lines of a word and its count. None: counts are unknown.
        binary : bool, default=False
            Whether numbers are float32, or text.
        encoding : str, default="utf8"
            The encoding of the words.
        unicode_errors : {"strict", "ignore", "replace"}, default="strict"
            What happens to words that are not in this encoding, as in ``bytes.decode``.
            word2vec sometimes cut words in the middle of a letter.
        limit : int or None, default=None
            How many words are read, the first ones. None: all.
        no_header : bool, default=False
            Whether the first line is a word, as GloVe has it, and not the number of words and of
            components. For text.

        Returns
        -------
        word_vectors : WordVectors
            Words, vectors and, with `fvocab`, counts.

        Warns
        -----
        UserWarning
            If a word stands there twice. The first one is kept.

        Raises
        ------
        ValueError
            If the file is damaged, or of another format.
        """
        words, vectors = read_vectors(
            fname,
            binary=binary,
            no_header=no_header,
            limit=limit,
            encoding=encoding,
            errors=unicode_errors,
        )
        if fvocab is None:
            return cls(words, vectors)
        return cls(
            words, vectors, read_counts(fvocab, words, encoding=encoding, errors=unicode_errors)
        )

    @cached_property
    def _norms(self):
        return lengths(self.vectors)

    def _vector(self, word):
        if not isinstance(word, np.ndarray):
            return self[word]
        if word.shape != self.vectors.shape[1:]:
            raise ValueError(
                f"A vector must have the shape {self.vectors.shape[1:]}. Got {word.shape} instead."
            )
        with np.errstate(over="ignore"):
            vector = word.astype(np.float32)
        if not np.isfinite(vector).all():
            raise ValueError("A vector must be finite in float32. Got NaN or infinity instead.")
        return vector

    def _search(self, method, positive, negative, topn, restrict_vocab):
        for name, value in (("topn", topn), ("restrict_vocab", restrict_vocab)):
            if value is not None and not (isinstance(value, Integral) and value >= 0):
                raise ValueError(f"{name} must be None or an int >= 0. Got {value!r} instead.")
        positive, negative = _as_list(positive), _as_list(negative)
        if not positive and (method == "3CosMul" or not negative):
            raise ValueError("positive must hold at least one word. Got none instead.")
        scores = scores_of_all(
            method,
            self.vectors[:restrict_vocab],
            self._norms[:restrict_vocab],
            self._directions(positive),
            self._directions(negative),
        )
        if topn is None:
            return scores
        words = [word for word in (*positive, *negative) if not isinstance(word, np.ndarray)]
        asked = {self.key_to_index.get(word) for word in words}
        best = [row for row in largest(scores, topn + len(asked)) if row not in asked]
        return [(self.index_to_key[row], float(scores[row])) for row in best[:topn]]

    def _directions(self, words):
        """Return what words add to a sum: vectors of length 1, and arrays as they are."""
        vectors = [
            vector if isinstance(word, np.ndarray) else on_sphere(vector)
            for word, vector in zip(words, map(self._vector, words))
        ]
        return np.array(vectors, dtype=np.float32).reshape(-1, self.vectors.shape[1])


def _as_list(words):
    if words is None:
        return []
    if isinstance(words, np.ndarray) and (words.ndim == 2 or words.dtype.kind not in "biuf"):
        return list(words)
    return words if isinstance(words, list) else [words]


def _check_choice(value, name, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}. Got {value!r} instead.")
