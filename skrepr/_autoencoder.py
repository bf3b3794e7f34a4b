"""The autoencoder: a narrow code from which the data can be rebuilt.

This file holds the torch module and its estimator. How X is read, what `transform` does
and how a fit is kept safe is in ``_base/``, the training itself in ``_training/``.
"""

import math
from numbers import Real

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional as F

from ._base import CODER_CONSTRAINTS, SHARED_CONSTRAINTS, BaseEmbedding, Number, StrOptions
from ._decoding import DecoderMixin
from ._jacobian import can_be_exact, squared_jacobian
from ._named_parts import check_augmentations, own_parts
from ._rows import check_unit_interval
from ._start import Units, fewest_rows_for_pca, start_at_pca, starts_at_pca
from ._training import chance_of
from .augmentations import make_view

_LOSSES = {
    "squared_error": F.mse_loss,
    "huber": F.huber_loss,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
}


class _Autoencoder(nn.Module):
    """Encoder, decoder, and the loss between a batch and its reconstruction.

    Parameters
    ----------
    encoder, decoder : torch.nn.Module
    width : int
        Number of units of the code.
    units : Units
        Where NaN stands for a missing value, it is left out of the loss.
    loss : {"squared_error", "huber", "binary_cross_entropy"}
    corruption : list of augmentations
        Applied to the input, not to the target.
    sparsity, contraction : float
        Weights of the penalties.
    """

    generator = None
    lowest_loss = 0.0
    open_ended = False

    def __init__(
        self,
        encoder,
        decoder,
        width,
        units,
        *,
        loss="squared_error",
        corruption=(),
        sparsity=0.0,
        contraction=0.0,
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.width = width
        self.units = units
        self.loss = loss
        self.corruption = list(corruption)
        self.sparsity = sparsity
        self.contraction = contraction

    def forward(self, x):  # (B, *input_shape)
        target = self.units(x)
        generator = chance_of(self, x.device)
        inputs, terms = make_view(target, self.corruption, generator), {}
        if self.contraction:
            exact = can_be_exact(self.width, x[0].numel())
            h, squared_norm = squared_jacobian(
                self._code, inputs, self.encoder, exact=exact, generator=generator
            )
            terms["contraction"] = self.contraction * squared_norm
        else:
            h = self._code(inputs)  # (B, K)
        if self.sparsity:
            terms["sparsity"] = self.sparsity * h.abs().sum(1).mean()
        error = self._error(h, x, target)
        return {"reconstruction": error} | terms if terms else error

    def encode(self, x):
        return self._code(self.units(x))  # (B, K)

    def decode(self, h):
        output = self.decoder(h)  # (B, *input_shape)
        if self.loss == "binary_cross_entropy":
            return output.sigmoid()
        return self.units.undo(output)

    def _code(self, inputs):
        return self.encoder(self.units.as_read_by(self.encoder, inputs))

    def _error(self, h, x, target):
        output = self.decoder(h)
        target = x if self.loss == "binary_cross_entropy" else target
        if not self.units.missing:
            return _LOSSES[self.loss](output, target)
        seen = ~x.isnan()
        errors = _LOSSES[self.loss](output, target.nan_to_num(), reduction="none")
        return (errors * seen).sum() / seen.sum().clamp(min=1)

    @torch.no_grad()
    def start(self, rows):
        """Find the units, and start linear paths at PCA: a code of unit variance."""
        self.units.fit(rows)
        sample = self.units(rows.sample(2))
        make_view(sample, self.corruption, chance_of(self, sample.device))  # faults are told now
        logits = self.loss == "binary_cross_entropy"
        # units beyond the rank of these rows may still learn to undo what is done to the input,
        # or to be sparse, or from rows to come
        spare_units = bool(self.sparsity or self.contraction or self.corruption or self.open_ended)
        start_at_pca(self, rows, logits, spare_units)

    @property
    def start_is_solution(self):
        return starts_at_pca(self.encoder) and starts_at_pca(self.decoder)

    @property
    def fewest_rows(self):
        return fewest_rows_for_pca(self)


class AutoencoderEmbedding(DecoderMixin, BaseEmbedding):
    r"""Embedding by an autoencoder that starts where PCA ends.

    An encoder :math:`h` and a decoder :math:`g` are trained together to rebuild each row
    from a code of `n_components` numbers,

    .. math:: \min_{h, g} \; \frac{1}{n d} \sum_{i=1}^{n} \lVert x_i - g(h(x_i)) \rVert^2 .

    With linear maps the solution is PCA [1]_. The default network is PCA's solution plus
    non-linear branches that begin at zero. With `early_stopping` the weights kept are those
    that rebuild held-out rows best, the start included: what training finds is added to PCA,
    and where it finds nothing, PCA remains. Below 500 rows cross-validation decides how far to
    go. Without early stopping, and in `partial_fit`, nothing holds training back.

    After `fit` the embedding reads like PCA's. With :math:`\hat x(h)` the best linear
    prediction of the reconstruction from the code, over the training rows, the embedding is
    PCA of :math:`\hat x`: components are centered, uncorrelated, sorted by variance, signed as
    PCA signs them and in the units of X, and `components_` says what they are,

    .. math:: \hat x = z \, C + m \quad (C: \texttt{components\_}, \; m: \texttt{mean\_}).

    The reconstruction itself does not change by this.

    Prefer :class:`~sklearn.decomposition.PCA` where features depend on each other linearly
    or rows are few; `explained_variance_ratio_` next to PCA's tells.

    Parameters
    ----------
    n_components : int, default=16
        Width of the embedding. May be larger than the input.
    architecture : architecture, torch.nn.Module or None, default=None
        Recipe of encoder and decoder from :mod:`skrepr.architectures`, or any object with
        its methods. None: :class:`~skrepr.architectures.MLP` for tables,
        :class:`~skrepr.architectures.ConvNet` for series and images. A torch module is
        taken as the encoder: it is given X as it is, and a linear layer is put behind it.
    decoder : architecture, torch.nn.Module or None, default=None
        Recipe of the decoder, or a torch module that maps ``(n, n_components)`` to
        ``(n, *input_shape)``. None: the mirror image of the encoder.
    loss : {"squared_error", "huber", "binary_cross_entropy"}, default="squared_error"
        What is minimized. "huber": quadratic up to an error of one root mean square
        standard deviation of the columns, linear beyond, for data with outliers.
        "binary_cross_entropy": for values in [0, 1], such as binary data.
    corruption : augmentation, list or None, default=None
        What is done to the input, but not to the target, in training: the denoising
        autoencoder [3]_. One of :mod:`skrepr.augmentations`, or a list of them, or of pairs
        of a name and one (then a grid reaches ``corruption__name__rate``).
    sparsity : float, default=0.0
        Weight of the mean over rows of :math:`\sum_k |h_k|`, the sparse autoencoder. It
        shrinks the code; values become small, not exactly zero. Above 0 the axes of the
        embedding are left as they are, since single units are what is penalized.
    contraction : float, default=0.0
        Weight of the mean over rows of the squared Frobenius norm of
        :math:`\partial h / \partial x`, the contractive autoencoder [4]_, in the units that
        the network sees.
    trainable : bool, default=True
        False freezes an encoder that is given as a torch module (transfer learning).
    whiten : bool, default=False
        Whether components are scaled to unit variance.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training rows, at most. "auto": 40 epochs, but 4000 to 6000
        steps of the optimizer; below 500 rows about 200 steps. How many of these are run, and
        which share of the way from the start is kept, is then found by 5-fold
        cross-validation, where `early_stopping` is "auto" too and rows may be held out: it
        makes the fit up to six times as long. So that it ends within some seconds, fewer steps
        are tried where rows are large, and none for images from about 64 pixels a side on. 0
        means that training promised no gain over the start, or that the start rebuilds the
        training rows already; a warm start is cross-validated too. A random start is not.
        Told in `max_epochs_` and `weight_share_`.
    batch_size : int or "auto", default="auto"
        Number of rows in one step of the optimizer. "auto": 64 below 500 rows, 128 below
        50,000, then 256. Told in `batch_size_`.
    early_stopping : bool or "auto", default="auto"
        Whether to hold rows out, to keep the weights with the lowest loss on them, and to
        stop when `patience_` epochs brought no better ones. A start at PCA is given up only
        for a gain beyond chance (1.5 standard errors of the signed ranks of ten groups of
        these rows). "auto": from 500 rows on.
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
    components_ : ndarray of shape (n_components, n_features) or (n_components, \
            n_channels, ...), float32
        The axes of the embedding in the space of X: orthonormal rows, as far as X has
        features. ``Z @ components_ + mean_`` is the best linear approximation of the
        reconstruction. Neither after `partial_fit` nor with `sparsity`, as the next three.
    mean_ : ndarray of shape (n_features,) or (n_channels, ...), float32
        Mean of the reconstruction over the training rows.
    explained_variance_ : ndarray of shape (n_components,), float64
        Variance of each component over the training rows, before whitening; 0 for those
        beyond the rank of the training rows, which are exactly 0 in the embedding.
    explained_variance_ratio_ : ndarray of shape (n_components,), float64
        Share of the variance that each component explains. They sum to the share that the
        reconstruction explains, on at most 4,096 of the held-out rows (of the training rows
        where none are held out). That share is divided in proportion to
        `explained_variance_`: in a non-linear decoder components act together, and what one
        adds depends on which are known before it.
    reconstruction_error_ : float
        Mean squared error per observed value, on the same rows.
    architecture_, decoder_ : objects
        The parts in use.
    contraction_ : {"exact", "estimate"}
        How the norm of the Jacobian is computed: exactly where `n_components` times the
        number of values of a sample is at most 4096, else from one random direction a row
        and step, which is right on average.
    module_ : torch.nn.Module
        The trained network, in evaluation mode.
    readout_ : torch.nn.Module
        The linear map from the code of the network to the embedding.
    net_ : skorch.NeuralNet
        The net that trained it, to be looked at: its data are no arrays.
    history_ : pandas.DataFrame
        One row an epoch: epoch, train_loss, valid_loss, every term of them, seconds. The
        squared error is in units of the mean variance of the columns (1: no better than the
        mean), the Huber loss of their root mean square deviation.
    n_epochs_, best_epoch_ : int
        Epochs that were run, and the one whose weights are kept (0: the start).
    max_epochs_, batch_size_, patience_, early_stopping_ : int, int, int, bool
        What "auto" has become.
    weight_share_ : float
        Share of the way from the start to the trained weights that is kept: 1, or what
        cross-validation has chosen [5]_.
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
    sklearn.decomposition.PCA : The linear case, in closed form.

    Notes
    -----
    `score` is minus the mean squared error per observed value, whatever the loss. It may
    be used to compare `n_components`, `architecture`, `loss` and all parameters of the
    training; not `missing`, `input_shape` or anything in front that changes the data.

    The network works on X minus its mean, divided by one number, the root mean square of
    the columns' standard deviations. Columns of larger variance weigh more, as in PCA: put
    a :class:`~sklearn.preprocessing.StandardScaler` in front where they should not. X is
    read as float32, with seven digits: subtract large offsets, such as those of Julian
    dates, beforehand.

    Layer-wise training, where each layer learns from the codes of the one before, is a
    :class:`~sklearn.pipeline.Pipeline` of these, and its `inverse_transform` the way back; with
    `corruption` in each, the stacked denoising autoencoder [3]_.

    What comes back are arrays of numpy. Under scikit-learn's setting ``array_api_dispatch``
    they are of the library of X, such as torch, and on its device; fitted attributes remain
    arrays of numpy.

    Callbacks of scikit-learn (experimental, from its version 1.9 on) see a task for the fit,
    with a subtask for each epoch, and end the training where they return True. What they are
    given as a fitted estimator is what `fit` would leave at that point. Cross-validation is
    over before the first epoch that they see.

    How the defaults were chosen, and what each choice bought on real tables, is written in
    ``docs/autoencoder_defaults.md``.

    References
    ----------
    .. [1] Baldi, P. & Hornik, K. (1989). Neural networks and principal component
       analysis: learning from examples without local minima. Neural Networks 2, 53-58.
    .. [2] Hinton, G. E. & Salakhutdinov, R. R. (2006). Reducing the dimensionality of
       data with neural networks. Science 313, 504-507.
    .. [3] Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y. & Manzagol, P.-A. (2010).
       Stacked denoising autoencoders. Journal of Machine Learning Research 11, 3371-3408.
    .. [4] Rifai, S., Vincent, P., Muller, X., Glorot, X. & Bengio, Y. (2011). Contractive
       auto-encoders: explicit invariance during feature extraction. ICML.
    .. [5] Wortsman, M. et al. (2022). Robust fine-tuning of zero-shot models. CVPR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skrepr import AutoencoderEmbedding
    >>> X, _ = load_digits(return_X_y=True)
    >>> embedding = make_pipeline(
    ...     StandardScaler(), AutoencoderEmbedding(8, max_epochs=5, random_state=0)
    ... )
    >>> embedding.fit_transform(X).shape
    (1797, 8)
    >>> embedding.inverse_transform(embedding.transform(X)).shape
    (1797, 64)
    """

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        **CODER_CONSTRAINTS,
        "loss": [StrOptions(set(_LOSSES))],
        "corruption": [callable, list, tuple, None],
        "sparsity": [Number(Real, 0, None, closed="left")],
        "contraction": [Number(Real, 0, None, closed="left")],
        "whiten": ["boolean"],
    }

    def __init__(
        self,
        n_components=16,
        *,
        architecture=None,
        decoder=None,
        loss="squared_error",
        corruption=None,
        sparsity=0.0,
        contraction=0.0,
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
        self.decoder = decoder
        self.loss = loss
        self.corruption = corruption
        self.sparsity = sparsity
        self.contraction = contraction
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
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : AutoencoderEmbedding
            Fitted estimator.
        """
        return self._fit(X, y)

    def partial_fit(self, X, y=None):
        """Train for one pass over a chunk of a stream.

        The first chunk builds the network and fixes its shapes, the units in which it sees
        the data and its start at PCA: let it be representative. It needs more rows than
        components. No rows are held out, and the axes of the embedding stay those of the
        network, without whitening.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or array of shape \
                (n_samples, n_channels, length) or (n_samples, n_channels, height, width)
            One chunk.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : AutoencoderEmbedding
            Fitted estimator.
        """
        return self._fit(X, y, stream=True)

    def score(self, X, y=None):
        """Compute minus the mean squared error per observed value.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        score : float
            At most 0, higher is better, in the squared units of X.
        """
        check_is_fitted(self)
        return -self._mean_error(X)

    def score_samples(self, X):
        """Compute minus the mean squared error of each row.

        A row that is rebuilt badly is unlike the training rows. The better the network,
        the better it may rebuild anomalies too: as a detector, this is often beaten by
        simpler ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float32
            Higher is more normal, in the squared units of X; where the variance of the
            training data is below 1e-30 or above 1e30, which float32 hardly holds, in units
            of that variance. A row without any observed value is given the score of an
            average row, that of `reconstruction_error_`.
        """
        check_is_fitted(self)
        return self._scores_of_rows(X)

    def _check_parameters(self):
        super()._check_parameters()
        if self.whiten and self.sparsity:
            raise ValueError(
                "whiten=True scales and mixes the units of the code, and sparsity="
                f"{self.sparsity} penalizes each of them by itself. Use one of the two."
            )
        check_augmentations(self, "corruption")

    def _choose_parts(self, input_shape):
        super()._choose_parts(input_shape)
        exact = can_be_exact(self.n_components, math.prod(input_shape))
        self.contraction_ = "exact" if exact else "estimate"

    def _make_module(self, input_shape):
        return _Autoencoder(
            *self._make_coders(input_shape, self.n_components),
            self.n_components,
            Units(input_shape, self.missing == "mask"),
            loss=self.loss,
            corruption=own_parts(self.corruption),
            sparsity=self.sparsity,
            contraction=self.contraction,
        )

    def _check_values(self, rows):
        if self.loss == "binary_cross_entropy":
            check_unit_interval(rows, 'loss="binary_cross_entropy"')

    def _keeps_axes(self):
        return self.sparsity > 0
