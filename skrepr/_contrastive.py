"""Contrastive and other self-supervised embeddings: two changed views of each row agree.

This file holds the estimator. Its torch module is in ``_view_model.py``, what the views are
trained for in ``objectives/``, and how they are made in ``augmentations/``.
"""

import torch
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import _training
from ._base import CODER_CONSTRAINTS, SHARED_CONSTRAINTS, BaseEmbedding, HasMethods
from ._named_parts import check_augmentations, check_instances, own_parts
from ._rows import read_labels
from ._start import ChannelUnits
from ._view_model import ViewModel
from .architectures import (
    as_recipe,
    check_trainable,
    choose_backbone,
    make_backbone,
    make_thumbnail,
)
from .augmentations import choose_augmentation, make_view
from .metrics import alignment, effective_rank, uniformity
from .objectives import SimCLR, SupCon, bits_of_agreement, fit_temperature

# Rows on which the figures of a fit are measured.
_ROWS_DESCRIBED = 4096
# Of directions, whose length is 1.
_ROUNDING = 1e-6


class ContrastiveEmbedding(BaseEmbedding):
    r"""Embedding by a network that recognizes a row after random changes.

    Each row is changed twice at random by an augmentation, and the network learns to give both
    views the same answer, and different rows different ones. What a change leaves is what the
    embedding keeps: noise, masks and swaps for tables, crops, shifts and rotations for images
    and series. How agreement is measured is the objective's affair; with the default,
    SimCLR [1]_, each view has to find its partner among those of the batch,

    .. math:: -\log \frac{e^{s(z_i, z'_i) / \tau}}
              {\sum_{j \neq i} e^{s(z_i, z_j) / \tau} + \sum_j e^{s(z_i, z'_j) / \tau}} ,

    with :math:`s` the cosine of what a small network, the head, makes of the encoder's output.
    The embedding is PCA of the hidden layer of a table's encoder, or of the last two maps of
    convolutions (and, of series, the head's hidden layer), joined by the row itself.

    Prefer it for images and series, where something is known that does not matter (where an
    object stands, how it is turned). For tables there is little of this kind: prefer
    :class:`AutoencoderEmbedding`, which needs no augmentation.

    Parameters
    ----------
    n_components : int, default=64
        Width of the embedding. May be larger than the input.
    architecture : architecture, torch.nn.Module or None, default=None
        Recipe of the encoder from :mod:`skrepr.architectures`, or any object with its methods.
        None: ``MLP((256, 256))`` for tables, ``ConvNet((32, 64, 128, 128))`` for series and
        images. A torch module is given X as it is; its output is trained and read.
    objective : objective or None, default=None
        What the views are trained for: one of :mod:`skrepr.objectives`. None:
        :class:`~skrepr.objectives.SimCLR`, and :class:`~skrepr.objectives.SupCon` if
        `supervised`.
    augmentation : augmentation, list or None, default=None
        How the two views are made: one of :mod:`skrepr.augmentations`, or a list of them, or of
        pairs of a name and one. None: swaps of features for tables; crops, gaps and noise for
        series; crops, small rotations and brightness for images. Told in
        `augmentation_`. Look at some with :func:`skrepr.displays.plot_views` first: what they
        change is lost to the embedding.
    supervised : bool, default=False
        Whether rows of one class of y attract one another [2]_. Rows with the class -1 have
        none, and attract their own view alone. False: y is ignored.
    trainable : bool, default=True
        False freezes an encoder that is given as a torch module (transfer learning).
    whiten : bool, default=False
        Whether components are scaled to unit variance.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training rows, at most. "auto": 40 epochs, but 4000 to
        10,000 steps of the optimizer; below 500 rows about 1000 steps. Told in `max_epochs_`.
    batch_size : int or "auto", default="auto"
        Number of rows in one step of the optimizer. Among them a row has to find its view.
        "auto": 128. Told in `batch_size_`.
    early_stopping : bool or "auto", default="auto"
        Whether to hold rows out, to keep the weights with the lowest loss on them, and to
        stop when `patience_` epochs brought no better ones. Where the loss itself is lowest at
        collapse (BYOL, SimSiam, DINO), the figure of `score` is watched instead. "auto": from
        500 rows on.
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
        Shape in which the network sees one row of a flat table: ``(n_channels, length)``
        or ``(n_channels, height, width)``. One entry may be -1 and is inferred.
    missing : {"error", "mask"}, default="error"
        What NaN in X means: an error, or a missing value that is left out of the loss and
        enters the encoder as the column's mean.
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
    alignment_ : float
        How far apart two views of a row are, see :func:`skrepr.metrics.alignment`, on at most
        4,096 of the held-out rows (of the training rows where none are held out).
    uniformity_ : float
        How evenly views cover the sphere, see :func:`skrepr.metrics.uniformity`, on the same.
    effective_rank_ : float
        Directions that the encoder's output uses, see :func:`skrepr.metrics.effective_rank`, on
        the same.
    temperature_ : float
        Temperature of `score`, at which these rows agree most.
    explained_variance_ : ndarray of shape (n_components,), float64
        Variance of each component over the training rows, before whitening. Not after
        `partial_fit`.
    architecture_, objective_, augmentation_ : objects
        The parts in use.
    module_ : torch.nn.Module
        The trained network, in evaluation mode.
    readout_ : torch.nn.Module
        The linear map from the code of the network to the embedding.
    net_ : skorch.NeuralNet
        The net that trained it, to be looked at: its data are no arrays.
    history_ : pandas.DataFrame
        One row an epoch: epoch, train_loss, valid_loss, valid_watched where early stopping
        follows another figure, seconds.
    n_epochs_, best_epoch_ : int
        Epochs that were run, and the one whose weights are kept (0: the start).
    max_epochs_, batch_size_, patience_, early_stopping_ : int, int, int, bool
        What "auto" has become.
    device_ : torch.device
        Where it was computed.
    input_shape_ : tuple of int
        Shape of one sample as the network sees it.
    layout_ : tuple of int
        Shape of one row of X as given.
    n_features_in_ : int
        ``X.shape[1]``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X has names that are all strings.

    See Also
    --------
    AutoencoderEmbedding : Without augmentations, with a way back to X.

    Notes
    -----
    `score` is a lower bound on the mutual information of two views in bits. It may be used to
    compare `temperature` and other constants of objectives, `objective`, `architecture`,
    `n_components` and all parameters of the training; not `augmentation`, `missing`,
    `input_shape` or anything in front that changes the data, since they change the task:
    weaker augmentations score higher and teach less. On two sets each of images, series and
    tables its rank correlation with a linear probe was 0.73 (standard error over sets 0.05)
    between temperatures and learning rates of one architecture, and 0.60 (0.06) over all of 37
    configurations. Do not trust it between objectives of unlike kinds (0.32, from -0.35 to
    0.81). `effective_rank_` is no guide (-0.08).

    The learning rate rises to `learning_rate` in the first twentieth of the planned steps, and
    falls to zero along a cosine; in `partial_fit` it is constant.

    Images and series are centered by one number for each channel, tables by one for each
    column, and divided by one number; augmentations see them like this.

    References
    ----------
    .. [1] Chen, T., Kornblith, S., Norouzi, M. & Hinton, G. (2020). A simple framework for
       contrastive learning of visual representations. ICML.
    .. [2] Khosla, P. et al. (2020). Supervised contrastive learning. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skrepr import ContrastiveEmbedding
    >>> X, _ = load_digits(return_X_y=True)
    >>> embedding = ContrastiveEmbedding(
    ...     16, input_shape=(1, 8, 8), max_epochs=2, random_state=0
    ... ).fit(X[:200])
    >>> embedding.transform(X).shape
    (1797, 16)
    """

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        **{name: CODER_CONSTRAINTS[name] for name in ("architecture", "trainable")},
        "objective": [HasMethods(["make_loss"]), None],
        "augmentation": [callable, list, tuple, None],
        "supervised": ["boolean"],
        "whiten": ["boolean"],
    }

    def __init__(
        self,
        n_components=64,
        *,
        architecture=None,
        objective=None,
        augmentation=None,
        supervised=False,
        trainable=True,
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
        missing="error",
        device="auto",
        precision="float32",
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.architecture = architecture
        self.objective = objective
        self.augmentation = augmentation
        self.supervised = supervised
        self.trainable = trainable
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
        self.missing = missing
        self.device = device
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or array of shape \
                (n_samples, n_channels, length) or (n_samples, n_channels, height, width)
            Training data.
        y : array-like of shape (n_samples,), default=None
            With `supervised`, the classes; -1 for rows without one. Else ignored.

        Returns
        -------
        self : ContrastiveEmbedding
            Fitted estimator.
        """
        return self._fit(X, y)

    def partial_fit(self, X, y=None):
        """Train for one pass over a chunk of a stream.

        The first chunk builds the network and fixes its shapes and the units in which it sees
        the data: let it be representative. No rows are held out. The axes of the embedding
        follow the chunks, as those of :class:`~sklearn.decomposition.IncrementalPCA` do.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or array of shape \
                (n_samples, n_channels, length) or (n_samples, n_channels, height, width)
            One chunk.
        y : array-like of shape (n_samples,), default=None
            With `supervised`, the classes; -1 for rows without one. Else ignored.

        Returns
        -------
        self : ContrastiveEmbedding
            Fitted estimator.
        """
        return self._fit(X, y, stream=True)

    @_training.own_surroundings()
    def score(self, X, y=None):
        """Compute how much two views of a row tell of each other, in bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        score : float
            The log2(B) minus InfoNCE in bits, in the mean over blocks of B = 256 consecutive rows
            (a remainder is left out; fewer rows are one block), by cosines of the encoder's output
            at the temperature `temperature_`. Each row is changed twice as in training, by draws
            that follow from the seed of the fit and the row's place in X. At most log2(B); 0 for
            a collapsed embedding, below 0 where guessing is better. Comparable at equal B only.
        """
        check_is_fitted(self)
        n, chunks = self._read_chunks(X)
        with self._evaluation(n):
            pairs = self.module_.pairs(chunk.to(self.device_) for chunk in chunks)
            bits = [bits_of_agreement(*pair, self.temperature_) for pair in pairs]
        return sum(bits) / len(bits)

    def score_samples(self, X):
        """Compute how well each row is recognized, and told apart from others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float32
            Mean cosine of four views of the row, minus the log-mean-exp of its similarity to
            at most 256 training rows, at `temperature_`. Higher is more normal in the sense of
            the training: views that agree, away from others.
        """
        check_is_fitted(self)
        return self._apply(X, self.module_.compare, ())

    def make_views(self, X, n_views=2, *, random_state=None):
        """Change rows as they are changed in training, to be looked at.

        Needs no fit: units are those of X, and parts those that `fit` would choose. See
        :func:`skrepr.displays.plot_views`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Some rows. Those that borrow from others borrow from these.
        n_views : int, default=2
            Number of views of each row.
        random_state : int, RandomState instance or None, default=None
            Seed.

        Returns
        -------
        views : ndarray of shape (n_samples, n_views, ...), float32
            In the layout and the units of X.
        """
        draft = self._draft(goes_on=False)
        draft._validate_params()
        draft._check_parameters()
        draft.device_ = torch.device("cpu")
        rows = BaseEmbedding._read(draft, X, None, 1)
        draft._set_input_shape(rows)
        draft._choose_parts(draft.input_shape_)
        units = ChannelUnits(rows.sample_shape, self.missing == "mask").fit(rows)
        parts, views = draft.augmentation_, []
        generator = torch.Generator().manual_seed(check_random_state(random_state).randint(2**31))
        for x in map(units, rows.blocks()):
            views.append(torch.stack([make_view(x, parts, generator) for _ in range(n_views)], 1))
        return units.undo(torch.cat(views)).reshape(len(rows), n_views, *draft.layout_).numpy()

    def _check_parameters(self):
        super()._check_parameters()
        check_trainable(self.architecture, self.trainable)
        check_instances(self, architecture="ConvNet()", objective="SimCLR()")
        check_augmentations(self, "augmentation")
        uses_labels = getattr(self.objective, "uses_labels", False)
        if self.objective is not None and uses_labels != self.supervised:
            name = type(self.objective).__name__
            raise ValueError(
                f"objective={name}() {'uses' if uses_labels else 'does not use'} labels, and "
                f"supervised is {self.supervised}. Set supervised={uses_labels}, or leave "
                "objective at None."
            )

    def _read(self, X, y, n_least):
        rows = super()._read(X, y, n_least)
        return rows.with_labels(read_labels(self, y, len(rows))) if self.supervised else rows

    def _choose_parts(self, input_shape):
        self.architecture_ = choose_backbone(self.architecture, input_shape)
        default = SupCon() if self.supervised else SimCLR()
        self.objective_ = clone(default if self.objective is None else self.objective)
        given = self.augmentation
        self.augmentation_ = own_parts(
            choose_augmentation(input_shape) if given is None else given
        )

    def _make_module(self, input_shape):
        recipe = as_recipe(self.architecture_, self.trainable)
        backbone = make_backbone(recipe, input_shape, self.n_components)
        return ViewModel(
            backbone,
            ChannelUnits(input_shape, self.missing == "mask"),
            self.objective_.make_loss(backbone, backbone.width),
            own_parts(self.augmentation_),
            make_thumbnail(input_shape) if backbone.joins_inputs else None,
        )

    def _example(self, n):
        x = super()._example(n)
        return (x, torch.zeros(n, dtype=torch.int64)) if self.supervised else x

    def _auto_batch_size(self, n):
        return 128

    def _auto_max_epochs(self, n, batch_size):
        return _training.auto_max_epochs(n, batch_size, steps_of_few=1000, most_steps=10_000)

    def _fit_readout(self, rows, call):
        is_new = call.is_new or not call.stream
        if is_new:
            self.module_.settle(rows)
        # embeddings of earlier chunks are those of another network
        self.module_.refer_to(rows, is_new)
        super()._fit_readout(rows, call)

    def _describe(self, rows, call):
        sample = rows.sample(_ROWS_DESCRIBED).split(self._rows_at_once())
        pairs = list(self.module_.pairs(sample))
        self.temperature_ = fit_temperature(pairs)
        self.module_.temperature.fill_(self.temperature_)
        first, second = (torch.cat(views).cpu().numpy() for views in zip(*pairs))
        self.alignment_, self.uniformity_ = alignment(first, second), uniformity(first)
        self.effective_rank_ = effective_rank(first)

    def _collapse(self, Z, sample):
        """Judge the encoder alone: the rows themselves, which are joined to it, never collapse."""
        output = torch.cat([self.module_.embed(x, 0) for x in sample.split(self._rows_at_once())])
        output = output - output.mean(0)
        if output.abs().max() < _ROUNDING:  # all rows have one direction
            output.zero_()
        axes, spread, _ = torch.linalg.svd(output, full_matrices=False)
        Z = (axes * spread)[:, : self.n_components]
        return super()._collapse(Z.cpu().numpy(), sample)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.supervised
        return tags
