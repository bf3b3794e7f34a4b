"""Embedding of series: what is hidden is predicted, next to kernels that are not trained.

This file holds the estimator, and how it is fitted. What is asked of it then is in
``_series_answers.py``, its torch module in ``_series_model.py``, what it is trained for in
``objectives/``, and its network in ``architectures/``.
"""

import warnings
from numbers import Integral

import numpy as np
import torch
from sklearn.base import clone

from ._base import (
    ARRAY_CONSTRAINTS,
    OPTIMIZER_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
    BaseEmbedding,
    HasMethods,
    Number,
    StrOptions,
)
from ._named_parts import check_augmentations, check_instances
from ._rows import NoValueError
from ._series_answers import SeriesAnswersMixin
from ._series_model import SeriesModel, make_classic, n_inputs
from ._series_objective import (
    check_objective,
    choose_series_augmentation,
    make_series_objective,
)
from ._series_reading import CHANNELS, SeriesReadingMixin
from ._series_units import SeriesUnits, moved
from .architectures import POOLINGS, PooledSteps, Transformer
from .metrics import describe_collapse
from .objectives import MaskedReconstruction, is_causal

# What "auto" plans: passes, and steps of the optimizer at least and at most.
_EPOCHS, _FEWEST_STEPS, _MOST_STEPS = 5, 200, 2000
_CHANNEL = [Number(Integral, 0, None, closed="left"), None]


class SequenceTransformerEmbedding(SeriesAnswersMixin, SeriesReadingMixin, BaseEmbedding):
    r"""Embedding of series by attention and by fixed kernels.

    A transformer [1]_ is trained without labels to predict spans of a series that are hidden from
    it [2]_,

    .. math:: \frac{\sum_{t \in H} w_t \, (x_t - \hat{x}_t)^2}{\sum_{t \in H} w_t} .

    The mean and the deviation of its tokens are joined by what a bank of dilated kernels tells of
    the series, the share of steps at which each answers with more than a bias [3]_, and of some
    where these steps are; nothing of the bank is trained. The embedding is PCA of both.

    A series need not be complete, nor evenly sampled, nor as long as the others: NaN is a missing
    value or padding, always, and neither attention nor loss sees it. With `time_channel` the times
    of the steps enter as they are, and in the place of the kernels stand the generalized
    Lomb-Scargle periodogram [4]_, the curve folded at the best period, and robust moments.

    Prefer MiniRocket with a linear classifier where there are labels for all rows and nothing else
    is asked; prefer :class:`ContrastiveEmbedding` where it is known what does not matter.

    Parameters
    ----------
    n_components : int, default=320
        Width of the embedding. May be larger than the input.
    kind : {"auto", "series"}, default="auto"
        What X holds. "auto": arrays of numbers are series, and text, tokens and dates are
        refused. "series": series in any case; strings become the numbers that they hold. Told in
        `kind_`.
    architecture : architecture or None, default=None
        Recipe of the network, with a method ``make_step_encoder``. None:
        :class:`~skrepr.architectures.Transformer`.
    objective : objective or None, default=None
        What the network is trained for: what is hidden of a series
        (:class:`~skrepr.objectives.MaskedReconstruction`), crops of it
        (:class:`~skrepr.objectives.HierarchicalContrast`), any objective of two views, or a
        :class:`~skrepr.objectives.WeightedSum` of them. None:
        :class:`~skrepr.objectives.MaskedReconstruction`.
        :class:`~skrepr.objectives.NextStepPrediction` is for forecasts.
    augmentation : augmentation, list or None, default=None
        How the two views are made: one of :mod:`skrepr.augmentations`, or a list of them, or of
        pairs of a name and one. Only for objectives of two views. They change values; times,
        errors, bands and gaps stay. None: crops, gaps and noise, with `time_channel` gaps and
        noise. Told in `augmentation_`.
    pooling : {"mean_std", "mean", "max", "last", "attention", "cls"}, default="mean_std"
        How the tokens of a series become its features: mean and standard deviation of each unit,
        the mean alone, the largest value, the last token, the mean weighted by a learned query
        ("attention"), or a learned token that is read along with the others ("cls", for
        :class:`~skrepr.architectures.Transformer`). The query is learned by objectives of two
        views only, and is the mean before.
    scaling : {"per_channel", "per_sample"} or None, default="per_channel"
        Units in which the network sees values. "per_channel": centered, and divided by the
        standard deviation of the channel in the training rows. "per_sample": in addition each
        series by its own mean and deviation, which stand next to it as inputs; of hidden values
        they know nothing. Losses and scores are in these units, too, so that loud series count
        no more than faint ones; there, a hidden value counts as at most 8 deviations away. None:
        as they are.
    time_channel : int or None, default=None
        Channel of the times of the steps, which must not fall. Only their differences matter.
        None: steps are even.
    error_channel : int or None, default=None
        Channel of the standard errors of all values of a step. Values with errors far above the
        typical one weigh less in the loss, and the network sees the errors. NaN: not known,
        taken as typical by the network; the periodogram leaves such values out.
    band_channel : int or None, default=None
        Channel of a category, such as the filter of a measurement. What `fit` has not seen is read
        as none of the bands.
    fixed_features : bool, default=True
        Whether what is known without training joins the embedding: of even series the kernels,
        with `time_channel` the periodogram, the folded curve and moments.
    whiten : bool, default=False
        Whether components are scaled to unit variance.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training rows, at most. "auto": 5 epochs, but 200 to 2000 steps
        of the optimizer. Told in `max_epochs_`.
    batch_size : int or "auto", default="auto"
        Number of rows in one step of the optimizer. "auto": 32 below 500 rows, then 64. Told in
        `batch_size_`.
    early_stopping : bool or "auto", default="auto"
        Whether to hold rows out, to keep the weights with the lowest loss on them, and to
        stop when `patience_` epochs brought no better ones. "auto": from 500 rows on.
    validation_fraction : float or None, default=0.1
        Share of the rows that early stopping holds out. None: no rows are held out.
    patience : int, default=10
        Number of epochs without a lower held-out loss after which training stops. Epochs of
        few rows are short: where `max_epochs` is "auto", at least a tenth of `max_epochs_`.
        Told in `patience_`.
    learning_rate : float, default=1e-3
        Step size of the optimizer.
    weight_decay : float, default=0.0
        Decoupled weight decay of the optimizer.
    optimizer : type or None, default=None
        A class of :mod:`torch.optim`. None: AdamW, in its fused form where there is one.
    optimizer_params : dict or None, default=None
        Further arguments of the optimizer.
    callbacks : list or None, default=None
        Callbacks of skorch, or pairs of a name and a callback. They are copied, and take no
        part in cross-validation. Those of scikit-learn are set by `set_callbacks`.
    input_shape : tuple of int or None, default=None
        Shape in which the network sees one row of a flat table: ``(n_channels, length)``. One
        entry may be -1 and is inferred. None: a row of a table is one series of one channel.
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
    kind_ : str
        What X was read as: "series".
    bands_ : ndarray of shape (n_bands,), float64
        Values of the band channel, where there is one.
    explained_variance_ : ndarray of shape (n_components,), float64
        Variance of each component over the training rows, before whitening. Not after
        `partial_fit`.
    architecture_, objective_, augmentation_ : objects
        The parts in use.
    module_ : torch.nn.Module
        The trained network, in evaluation mode.
    readout_ : torch.nn.Module
        The linear map from the features to the embedding.
    net_ : skorch.NeuralNet
        The net that trained it, to be looked at: its data are no arrays.
    history_ : pandas.DataFrame
        One row an epoch: epoch, train_loss, valid_loss, seconds.
    n_epochs_, best_epoch_ : int
        Epochs that were run, and the one whose weights are kept.
    max_epochs_, batch_size_, patience_, early_stopping_ : int, int, int, bool
        What "auto" has become.
    device_ : torch.device
        Where it was computed.
    common_length_ : int
        Upper quartile of the lengths of the training rows, without padding; sizes of patches,
        spans and kernels follow from it.
    input_shape_ : tuple of int
        Number of channels, and length; of series of different lengths, of the longest.
    layout_ : tuple of int
        Shape of one row of X as given; of series of different lengths, of the longest.
    n_features_in_ : int
        ``X.shape[1]``. Not for lists.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X has names that are all strings.

    See Also
    --------
    ContrastiveEmbedding : For what is known not to matter.

    Notes
    -----
    `score` may be used to compare `architecture` and all parameters of the training; with the
    default objective it does not depend on `n_components` and `pooling`, but for "cls". It may not
    be used to compare `scaling`, `mask_ratio` and `mask_length` of the objective, `error_channel`,
    `input_shape` or anything in front that changes the data, since they change the task.

    Where the objective predicts no values, `score`, `score_samples` and `impute` read them from
    the codes of patches, by a ridge regression on hidden values of the training rows at the end of
    `fit`; of `partial_fit`, on those of its chunk.

    The network adds little to what is fixed where classes are to be told apart, and so has a small
    share of the embedding; what it learns is for imputation, scores and codes of steps.

    Columns are those of PCA: the first vary the most, and a classifier is best given them as they
    are. A :class:`~sklearn.preprocessing.StandardScaler` behind would blow up the last ones.

    The learning rate rises to `learning_rate` in the first tenth of the planned steps, and falls
    to zero along a cosine; in `partial_fit` it is constant.

    Steps before the first observed one of a series and behind the last are padding, and nothing is
    said of them. Patches are cut from the first observed step on. A series of a common length has
    at most 32 patches, the longest one of the training rows at most 512, so that memory and time
    grow in proportion to the length. A series far longer than those costs time with the square of
    its length, but memory in proportion to it.

    A further `fit` with `warm_start`, and `partial_fit`, go on with the network, the units and the
    bands of the first call; parameters on which these depend cannot be changed in between.

    References
    ----------
    .. [1] Vaswani, A. et al. (2017). Attention is all you need. NeurIPS.
    .. [2] Zerveas, G. et al. (2021). A transformer-based framework for multivariate time series
       representation learning. KDD.
    .. [3] Dempster, A., Schmidt, D. F. & Webb, G. I. (2021). MiniRocket: a very fast (almost)
       deterministic transform for time series classification. KDD.
    .. [4] Zechmeister, M. & Kuerster, M. (2009). The generalised Lomb-Scargle periodogram.
       Astronomy and Astrophysics 496.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr import SequenceTransformerEmbedding
    >>> phase = np.random.default_rng(0).uniform(0, 6, size=(60, 1))
    >>> X = np.sin(phase + np.arange(40) / 3)
    >>> embedding = SequenceTransformerEmbedding(4, max_epochs=2, random_state=0).fit(X)
    >>> embedding.transform(X).shape
    (60, 4)
    """

    _parameter_constraints = {
        **TRAINING_CONSTRAINTS,
        **OPTIMIZER_CONSTRAINTS,
        "kind": [StrOptions({"auto", "series"})],
        "input_shape": ARRAY_CONSTRAINTS["input_shape"],
        "architecture": [HasMethods(["make_step_encoder"]), None],
        "objective": [HasMethods(["make_series_loss"]), HasMethods(["make_loss"]), None],
        "augmentation": [callable, list, tuple, None],
        "pooling": [StrOptions(set(POOLINGS))],
        "scaling": [StrOptions({"per_channel", "per_sample"}), None],
        "time_channel": _CHANNEL,
        "error_channel": _CHANNEL,
        "band_channel": _CHANNEL,
        "fixed_features": ["boolean"],
        "whiten": ["boolean"],
    }
    _fixed_by_fit = ("n_components", "pooling", "scaling", "fixed_features", *CHANNELS)

    def __init__(
        self,
        n_components=320,
        *,
        kind="auto",
        architecture=None,
        objective=None,
        augmentation=None,
        pooling="mean_std",
        scaling="per_channel",
        time_channel=None,
        error_channel=None,
        band_channel=None,
        fixed_features=True,
        whiten=False,
        max_epochs="auto",
        batch_size="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        patience=10,
        learning_rate=1e-3,
        weight_decay=0.0,
        optimizer=None,
        optimizer_params=None,
        callbacks=None,
        input_shape=None,
        device="auto",
        precision="float32",
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.kind = kind
        self.architecture = architecture
        self.objective = objective
        self.augmentation = augmentation
        self.pooling = pooling
        self.scaling = scaling
        self.time_channel = time_channel
        self.error_channel = error_channel
        self.band_channel = band_channel
        self.fixed_features = fixed_features
        self.whiten = whiten
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.callbacks = callbacks
        self.input_shape = input_shape
        self.device = device
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            Training data. NaN is a missing value or padding. After a list, series of any length
            are read. Arrays of shape (length_i,) in a list are series of one channel.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : SequenceTransformerEmbedding
            Fitted estimator.
        """
        return self._fit(X)

    def partial_fit(self, X, y=None):
        """Train for one pass over a chunk of a stream.

        The first chunk builds the network and fixes its shapes, the bands and the units in which
        it sees the data: let it be representative. No rows are held out. The axes of the
        embedding follow the chunks, as those of :class:`~sklearn.decomposition.IncrementalPCA` do.
        A later chunk without any value changes nothing, and a warning says so.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            One chunk.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : SequenceTransformerEmbedding
            Fitted estimator.
        """
        try:
            return self._fit(X, stream=True)
        except NoValueError:
            if not hasattr(self, "net_"):
                raise
        warnings.warn("This chunk was skipped: all of its values are missing (NaN).", UserWarning)
        return self

    def _fit(self, X, y=None, *, stream=False):
        try:
            return super()._fit(X, y, stream=stream)
        finally:
            if hasattr(self, "module_"):  # of a first fit that fails nothing is left
                self.module_.memory.close()

    def _check_parameters(self):
        super()._check_parameters()
        check_instances(self, architecture="Transformer()", objective="MaskedReconstruction()")
        check_augmentations(self, "augmentation")
        check_objective(self.objective, self.augmentation, self.scaling)

    def _choose_parts(self, input_shape):
        self.architecture_ = clone(self.architecture or Transformer(), safe=False)
        self.objective_ = clone(self.objective or MaskedReconstruction(), safe=False)
        self.augmentation_ = choose_series_augmentation(
            self.objective_, self.augmentation, input_shape, self.time_channel is None
        )

    def _make_module(self, input_shape):
        n_channels, longest = input_shape
        length = self.common_length_
        units = SeriesUnits(
            n_channels,
            **{name: getattr(self, name) for name in CHANNELS},
            n_bands=len(getattr(self, "bands_", ())),
            scaled=self.scaling is not None,
        )
        per_sample, causal = self.scaling == "per_sample", is_causal(self.objective_)
        encoder = self.architecture_.make_step_encoder(
            n_inputs(units, per_sample), length, longest=longest, causal=causal
        )
        reader = PooledSteps(encoder, self.pooling)
        objective, fitted = make_series_objective(
            self.objective_, reader, len(units.value_channels), length, self.augmentation_
        )
        return SeriesModel(
            reader,
            units,
            objective,
            classic=make_classic(units, length) if self.fixed_features else None,
            fitted=fitted,
            per_sample=per_sample,
            causal=causal,
        )

    def _module_to_train(self, call):
        module = super()._module_to_train(call)
        module.memory.open()
        return module

    def _state_that_goes_on(self, earlier, module):
        kinds = ([type(part) for part in model.objective.modules()] for model in (earlier, module))
        if next(kinds) != next(kinds):
            raise ValueError(
                f"Training cannot go on: objective={self.objective!r} is of another kind than the "
                "one of the fitted network. Restore it, or fit anew with warm_start=False."
            )
        return super()._state_that_goes_on(earlier, module)

    def _auto_batch_size(self, n):
        return 32 if n < 500 else 64

    def _auto_max_epochs(self, n, batch_size):
        steps = np.clip(_EPOCHS * n / batch_size, _FEWEST_STEPS, _MOST_STEPS)
        return max(1, round(steps * batch_size / n))

    def _fit_readout(self, rows, call):
        if call.is_new or not call.stream:
            self.module_.settle(rows)
        self.module_.fit_prediction(rows)
        super()._fit_readout(rows, call)

    def _find_collapse(self, rows, n_rows):
        # in blocks, and compared in common steps: a long series would pad all others
        blocks = rows.spread(n_rows).blocks()
        parts = [(self._embed(x), self._common_steps(x).flatten(1)) for x in blocks]
        return describe_collapse(*(torch.cat(part).cpu().numpy() for part in zip(*parts)))

    def _common_steps(self, x):
        """Return the values of so many steps as are common, from the first observed one on."""
        values = x[:, self.module_.units.value_channels]
        begin = (~values.isnan()).any(1).int().argmax(1)
        return moved(values, -begin, self.common_length_, fill=torch.nan)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
