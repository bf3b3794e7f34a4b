"""Word vectors: words are alike when the same words occur near them.

This file holds the estimator. How documents are read and cut into blocks is in ``_documents.py``
and ``_corpus/``, the torch module with its steps in closed form in ``_word_model.py``.
"""

from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.utils.validation import check_is_fitted

from . import _training
from ._base import TRAINING_CONSTRAINTS, BaseEmbedding, Number, StrOptions
from ._corpus import Subwords
from ._documents import DocumentsMixin
from ._word_algorithms import ALGORITHMS
from ._word_model import Spelling, WordModel
from ._word_vectors import WordVectors
from .metrics import describe_collapse

# What "auto" aims at: words of all epochs together, but not fewer epochs than 5, and not more than
# 20, from where on held-out text is predicted worse. Where these are too few steps there are more.
_WORDS_IN_ALL, _FEWEST_EPOCHS, _MOST_EPOCHS = 2e7, 5, 20
_WORDS_AT_LEAST, _MOST_EPOCHS_OF_FEW = 4e5, 100
# Words of a batch where threads do not wait for each other; and at least.
_WORDS_OF_FREE_STEP, _FEWEST_WORDS_OF_STEP = 2**16, 128
# With more words in a window, batches and learning rate are smaller: the gradients of a window are
# added up, and at twice as many words and the same rate training diverges.
_WIDE = 16
# Documents from which figures are estimated.
_DOCUMENTS_DESCRIBED = 256


class Word2VecEmbedding(DocumentsMixin, BaseEmbedding):
    r"""Embedding of words, and of documents as means of their words.

    Each word has a vector :math:`v`, and as a neighbor a second one, :math:`u`. Skip-gram [1]_
    is trained to tell the words :math:`c` near a word :math:`w` from `negative` words
    :math:`n_k` drawn at random [2]_,

    .. math:: \max \sum_{(w, c)} \Big[ \log \sigma(v_w \cdot u_c)
        + \sum_{k} \log \sigma(-v_w \cdot u_{n_k}) \Big].

    CBOW has in place of :math:`v_w` the mean vector of the words around :math:`c`. Words that
    occur in the same places come to lie next to each other, and differences of vectors have a
    meaning: ``king - man + woman`` is near ``queen``.

    Not only text has words: baskets, sessions, walks on graphs. Each row of a table of
    categories is a document of words ``column=value``, all in one window.

    Prefer a pretrained sentence model where documents are ordinary text and few: it has read
    more. Prefer :class:`~sklearn.feature_extraction.text.TfidfVectorizer` where single words
    decide.

    Parameters
    ----------
    n_components : int, default=100
        Width of the embedding. May be larger than the input.
    algorithm : {"skipgram", "cbow"}, default="skipgram"
        Whether a word predicts the words around it, or these together predict it, which takes
        about as long.
    window : int, default=5
        Most words on each side that count as near. The width of each window is drawn from 1 to
        `window`, so that nearer words count more. In a table all columns are near. Narrow
        windows tell which words may replace each other, wide ones what documents are about.
    min_count : int, default=5
        Words that occur less often are left out.
    negative : int, default=5
        Number of negatives for each pair of words.
    ns_exponent : float, default=0.75
        Negatives are drawn in proportion to the counts of words to this power, from -10 to 10.
    sample : float, default=1e-3
        Words that make up a larger share of the corpus are left out at random, the more
        frequent the more often. 0: none, the right choice for few words, as of baskets. Does not
        apply to tables.
    max_vocabulary : int or None, default=None
        Number of words at most: the most frequent ones.
    subword : tuple of two int or None, default=None
        Fewest and most characters of n-grams, as in ``(3, 6)`` [5]_. These have vectors, too, and
        that of a word is the mean of them and one of its own, so that words of one root are
        near each other, and words never seen have vectors. Training takes several times as
        long. None: words are units.
    analyzer : {"word"} or callable, default="word"
        How a document becomes a list of words. "word": a string by `token_pattern`, and a list
        as it is. A function is given the document and returns a list of hashable tokens. Times
        of numpy become those of pandas, whatever their unit.
    lowercase : bool, default=True
        Whether strings are converted to lower case first.
    token_pattern : str, default=r"(?u)\b\w\w+\b"
        Regular expression that finds the words of a string. With a group in it, that group is
        the word; there may be one.
    n_bins : int or None, default=None
        In a table, number of bins of equal counts into which each column of numbers is cut.
        None: integers are categories, and other numbers an error. Infinite ones belong to the
        first and the last bin.
    pooling : {"mean", "idf", "sif", "max"}, default="mean"
        How the vectors of its words become that of a document. "idf": mean weighted by the
        inverse document frequency. "sif": rare words weigh more, and the direction that all
        documents share is taken out [3]_. "max": the largest value of each component.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training rows, at most. "auto": 20 million words in all, but
        5 to 20 epochs; below 20,000 words 400,000 in all, but at most 100 epochs. The learning
        rate falls linearly over these. Told in `max_epochs_`.
    batch_size : int or "auto", default="auto"
        Number of rows in one step of the optimizer. Rows are words here, before some are left
        out. "auto": 8192, of CBOW 16,384, but at most a 64th of the corpus; with `n_jobs` 65,536,
        which threads share out and of which each uses 2,000 at a time. For skip-gram with more
        than 16 words in a mean window, fewer in proportion. Told in `batch_size_`.
    early_stopping : bool or "auto", default="auto"
        Whether to hold rows out, to keep the weights with the lowest loss on them, and to
        stop when `patience_` epochs brought no better ones. Rows are documents here. "auto":
        from 500 rows on.
    validation_fraction : float or None, default=0.1
        Share of the rows that early stopping holds out. None: no rows are held out.
    patience : int, default=10
        Number of epochs without a lower held-out loss after which training stops. Where
        `max_epochs` is "auto", at least a tenth of `max_epochs_`. Told in `patience_`.
    learning_rate : float or "auto", default="auto"
        Step size at the beginning; it falls to 0.004 of that, in `partial_fit` it is constant.
        A scheduler of skorch among the `callbacks` takes the place of that. "auto": 0.025 for
        skip-gram, less for wide windows as `batch_size` is, and 0.07 for CBOW. Told in
        `learning_rate_`.
    callbacks : list or None, default=None
        Callbacks of skorch, or pairs of a name and a callback. They are copied, and take no
        part in cross-validation. Those of scikit-learn are set by `set_callbacks`.
    n_jobs : int or None, default=None
        Number of threads that change the vectors at the same time without waiting for each
        other, as in the authors' program: faster, and each fit gives slightly other numbers.
        None: two threads that wait for each other; 1: one. Both give always the same numbers.
    device : str or torch.device, default="auto"
        Where to compute. "auto": CUDA, then MPS, then CPU. Told in `device_`.
    precision : {"float32", "bf16", "auto"}, default="float32"
        Arithmetic of the training. "bf16" halves the time of wide networks on processors
        that have it; "auto" takes it where it pays. `transform` is always in float32.
    warm_start : bool, default=False
        Whether a further `fit` goes on from the fitted state, for `max_epochs` more.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and held-out rows. The same int gives the same numbers.
    verbose : int, default=0
        1: a progress bar.

    Attributes
    ----------
    word_vectors_ : WordVectors
        The words with their vectors, usable alone.
    vocabulary_ : list of hashable
        The words, most frequent first; those that `partial_fit` has added come behind.
    module_ : torch.nn.Module
        The trained vectors, in evaluation mode.
    readout_ : torch.nn.Module
        With ``pooling="sif"``, takes out the direction that documents share; else it does
        nothing.
    net_ : skorch.NeuralNet
        The net that trained it, to be looked at: its data are no arrays.
    history_ : pandas.DataFrame
        One row an epoch: epoch, train_loss, valid_loss, seconds. The loss is that of a pair of
        words with its negatives; in training, of four blocks of each batch before its step.
    n_epochs_, best_epoch_ : int
        Epochs that were run, and the one whose weights are kept.
    max_epochs_, batch_size_, patience_, early_stopping_ : int, int, int, bool
        What "auto" has become.
    learning_rate_ : float
        What "auto" has become.
    precision_ : {"float32", "bf16"}
        Arithmetic of the training. "auto" tries which one is faster.
    window_ : int
        Most words on each side; in a table, the number of other columns.
    mean_log_likelihood_ : float
        Of a pair of words, as `score` computes it, on at most 256 of the held-out documents
        (of the training documents where none are held out).
    bin_edges_ : dict of ndarray
        Bounds between the bins of columns of numbers, by position of the column.
    n_buckets_ : int
        With `subword`, number of rows that n-grams share.
    device_ : torch.device
        Where it was computed.
    input_shape_ : tuple of int
        Number of words.
    n_features_in_ : int
        ``X.shape[1]``, of a table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X has names that are all strings.

    See Also
    --------
    WordVectors : What is asked of the vectors of words.

    Notes
    -----
    `score` is the mean log-likelihood of pairs of words. It may be used to compare
    `n_components`, `learning_rate`, `max_epochs` and all other parameters of the training; not
    what changes the words or the task: `analyzer`, `token_pattern`, `lowercase`, `min_count`,
    `max_vocabulary`, `subword`, `window`, `negative`, `ns_exponent`, `n_bins` and `algorithm`.

    Training goes through blocks of 32 consecutive words with their windows (CBOW: 16), which share
    26 negatives (16), weighted so that the expected gradient is that of the formula. Gradients of
    a batch are added up, those of the most frequent words are scaled down. With
    ``precision="auto"`` a short trial tells whether bfloat16 pays on the processor.

    A path, and an iterator over documents, are read once, in constant memory: the numbers of
    their words go to a temporary file. Documents of more than 10,000 words are cut into pieces.
    An iterator is used up by `fit`.

    Special cases: with one word in each window and enough dimensions, :math:`v_w \cdot u_c` is
    the pointwise mutual information of the two words minus log `negative` [4]_.

    References
    ----------
    .. [1] Mikolov, T., Chen, K., Corrado, G. & Dean, J. (2013). Efficient estimation of word
       representations in vector space. arXiv:1301.3781.
    .. [2] Mikolov, T., Sutskever, I., Chen, K., Corrado, G. & Dean, J. (2013). Distributed
       representations of words and phrases and their compositionality. NeurIPS. Equation 4.
    .. [3] Arora, S., Liang, Y. & Ma, T. (2017). A simple but tough-to-beat baseline for
       sentence embeddings. ICLR.
    .. [4] Levy, O. & Goldberg, Y. (2014). Neural word embedding as implicit matrix
       factorization. NeurIPS.
    .. [5] Bojanowski, P., Grave, E., Joulin, A. & Mikolov, T. (2017). Enriching word vectors with
       subword information. TACL 5, 135-146.

    Examples
    --------
    >>> from skrepr import Word2VecEmbedding
    >>> baskets = [["bread", "butter", "jam"], ["beer", "crisps", "nuts"]] * 50
    >>> embedding = Word2VecEmbedding(4, sample=0, random_state=0).fit(baskets)
    >>> near_beer = embedding.word_vectors_.most_similar("beer", topn=2)
    >>> sorted(word for word, cosine in near_beer)
    ['crisps', 'nuts']
    >>> embedding.transform([["bread", "jam"], ["nuts"]]).shape
    (2, 4)
    """

    _parameter_constraints = {
        **TRAINING_CONSTRAINTS,
        "learning_rate": [Number(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "algorithm": [StrOptions({"skipgram", "cbow"})],
        "negative": [Number(Integral, 1, None, closed="left")],
        "window": [Number(Integral, 1, None, closed="left")],
        "min_count": [Number(Integral, 1, None, closed="left")],
        "ns_exponent": [Number(Real, -10, 10, closed="both")],
        "sample": [Number(Real, 0, 1, closed="both")],
        "max_vocabulary": [Number(Integral, 1, None, closed="left"), None],
        "subword": [tuple, list, None],
        "analyzer": [StrOptions({"word"}), callable],
        "lowercase": ["boolean"],
        "token_pattern": [str],
        "n_bins": [Number(Integral, 2, None, closed="left"), None],
        "pooling": [StrOptions({"mean", "idf", "sif", "max"})],
        "n_jobs": [Number(Integral, None, None, closed="neither"), None],
    }

    def __init__(
        self,
        n_components=100,
        *,
        algorithm="skipgram",
        window=5,
        min_count=5,
        negative=5,
        ns_exponent=0.75,
        sample=1e-3,
        max_vocabulary=None,
        subword=None,
        analyzer="word",
        lowercase=True,
        token_pattern=r"(?u)\b\w\w+\b",
        n_bins=None,
        pooling="mean",
        max_epochs="auto",
        batch_size="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        patience=10,
        learning_rate="auto",
        callbacks=None,
        n_jobs=None,
        device="auto",
        precision="float32",
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.algorithm = algorithm
        self.window = window
        self.min_count = min_count
        self.negative = negative
        self.ns_exponent = ns_exponent
        self.sample = sample
        self.max_vocabulary = max_vocabulary
        self.subword = subword
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.token_pattern = token_pattern
        self.n_bins = n_bins
        self.pooling = pooling
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.learning_rate = learning_rate
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.device = device
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Find the words, and train their vectors.

        Parameters
        ----------
        X : iterable of str or of lists of hashable, path, or table of shape (n_samples, n_columns)
            Documents: strings, or lists of tokens; a list, an array or a Series of them, or an
            iterator. Or the path of a text file (UTF-8; compressed, if its name ends with ".gz")
            with a document in each line. Or a table of categories: a data frame, or an array of
            integers or strings with two axes. A list of arrays holds documents, also where
            these are of equal length.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : Word2VecEmbedding
            Fitted estimator.

        Raises
        ------
        ValueError
            If no document has two words that occur `min_count` times: there is nothing to learn
            from.
        """
        return self._fit(X, y)

    def partial_fit(self, X, y=None):
        """Train for one pass over more documents.

        Words that are new, and occur `min_count` times in these documents, are added. No
        documents are held out, and the learning rate is constant.

        Parameters
        ----------
        X : iterable of str or of lists of hashable, path, or table of shape (n_samples, n_columns)
            Documents, as in `fit`.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : Word2VecEmbedding
            Fitted estimator.
        """
        return self._fit(X, y, stream=True)

    def fit_transform(self, X, y=None):
        """Find the words, train their vectors, and embed the documents.

        Parameters
        ----------
        X : list of str or of lists of hashable, path, or table of shape (n_samples, n_columns)
            Documents, as in `fit`, but no iterator: X is read twice.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), float32
            The embedding.
        """
        if isinstance(X, Iterator):
            raise ValueError(
                "X is an iterator, which `fit` uses up, and `fit_transform` reads X twice. Pass a "
                "list or a path, or call `fit` and `transform` with an iterator each."
            )
        return super().fit_transform(X, y)

    def transform(self, X):
        """Embed documents.

        Parameters
        ----------
        X : iterable of str or of lists of hashable, path, or table of shape (n_samples, n_columns)
            Documents, as in `fit`. Unknown words are skipped.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), float32
            The embedding. Each row depends on that document alone; it is 0 for a document
            without any known word, and a warning tells how many there are.
        """
        check_is_fitted(self)
        return self._embed_documents(X)

    def score(self, X, y=None):
        """Compute the mean log-likelihood of a pair of words.

        Parameters
        ----------
        X : iterable of str or of lists of hashable, path, or table of shape (n_samples, n_columns)
            Documents, as in `fit`.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        score : float
            In nats, of all pairs of words in windows of full width, no word left out, and
            `negative` negatives for each (the mean over 256 that were drawn in `fit`). At most
            0, higher is better; ``(negative + 1) * log(0.5)`` for vectors that say nothing.
        """
        check_is_fitted(self)
        total, n_pairs = self._sums_of_pairs(X).sum(0)
        return float(total / n_pairs) if n_pairs else self.mean_log_likelihood_

    def score_samples(self, X):
        """Compute the mean log-likelihood of the pairs of words of each document.

        Parameters
        ----------
        X : iterable of str or of lists of hashable, path, or table of shape (n_samples, n_columns)
            Documents, as in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float32
            As in `score`. Higher is more normal. A document without any pair of known words is
            given `mean_log_likelihood_`.
        """
        check_is_fitted(self)
        total, n_pairs = self._sums_of_pairs(X).T
        found = total / np.maximum(n_pairs, 1)
        return np.where(n_pairs > 0, found, np.float32(self.mean_log_likelihood_))

    def _sums_of_pairs(self, X):
        return self._apply(X, self.module_.log_likelihood, (2,))

    # ------------------------------------------------------------------ the steps of a fit

    def _make_module(self, input_shape):
        subwords = self.subword and Subwords(*self.subword, self.n_buckets_)
        return WordModel(
            self.vocabulary_,
            self.n_components,
            algorithm=ALGORITHMS[self.algorithm],
            window=self.window_,
            negative=self.negative,
            pooling=self.pooling,
            subwords=subwords,
        )

    def _state_that_goes_on(self, earlier, module):
        old, new = earlier.state_dict(), module.state_dict()
        if {n: t.shape[1:] for n, t in old.items()} != {n: t.shape[1:] for n, t in new.items()}:
            return old  # which does not fit
        return {n: torch.cat([tensor, new[n][len(tensor) :]]) for n, tensor in old.items()}

    def _plan(self, rows, call):
        super()._plan(rows, call)
        algorithm, narrow = ALGORITHMS[self.algorithm], 1.0
        if rows.sampling.shrinks:  # else a table: of so few words steps are scaled down anyway
            narrow = min(1.0, _WIDE / algorithm.n_pairs(rows.sampling.mean_window))
        if self.batch_size == "auto" and (call.is_new or not call.stream):
            self.batch_size_ = max(_FEWEST_WORDS_OF_STEP, int(narrow * self.batch_size_))
        rate = narrow * algorithm.learning_rate
        self.learning_rate_ = float(rate if self.learning_rate == "auto" else self.learning_rate)
        self.precision_ = _training.probe_precision(self.precision, self.device_)

    def _auto_batch_size(self, n):
        if effective_n_jobs(self.n_jobs) > 1:
            return _WORDS_OF_FREE_STEP
        most = ALGORITHMS[self.algorithm].words_of_step
        return int(np.clip(n // 64, _FEWEST_WORDS_OF_STEP, most))

    def _auto_max_epochs(self, n, batch_size):
        most = np.clip(_WORDS_AT_LEAST // n, _MOST_EPOCHS, _MOST_EPOCHS_OF_FEW)
        return int(np.clip(_WORDS_IN_ALL // n, _FEWEST_EPOCHS, most))

    def _resolve_learning_rate(self):
        return self.learning_rate_

    def _resolve_precision(self, module):
        return self.precision_

    def _start(self, module, rows, call):
        n_threads = effective_n_jobs(self.n_jobs)
        waits = n_threads == 1
        if self.n_jobs is None and waits:
            n_threads = min(2, _training.most_threads())
        module.prepare(
            rows.sampling,
            rows.vocabulary.counts,
            self.batch_size_,
            n_threads=n_threads,
            waits=waits,
            is_new=call.is_new,
        )
        return False

    def _keeps_axes(self):
        return True

    def _fit_readout(self, rows, call):
        super()._fit_readout(rows, call)
        self.module_.weigh_words(rows.blocks, call.is_new or not call.stream)
        if self.pooling == "sif":
            self.readout_.leave_out(self.module_.common_direction(rows.blocks))

    def _describe(self, rows, call):
        self.word_vectors_ = self._make_word_vectors()
        few = rows.spread(_DOCUMENTS_DESCRIBED)
        sums = [self.module_.log_likelihood(bags) for bags in few.blocks()]
        total, n_pairs = torch.cat(sums).sum(0).tolist()
        self.mean_log_likelihood_ = total / max(1, n_pairs)

    def _make_word_vectors(self):
        module = self.module_
        vectors, counts = module.words.all().cpu().numpy(), module.counts.cpu().numpy()
        spelling = None
        if module.subwords is not None:
            spelling = Spelling(module.subwords, module.words.grams.detach().cpu().numpy())
        return WordVectors(self.vocabulary_, vectors, counts, spelling)

    def _rebuild(self, **written):
        super()._rebuild(**written)
        self.word_vectors_ = self._make_word_vectors()

    def _collapse(self, Z, sample):
        return describe_collapse(Z)
