"""The variational autoencoder: a density of the data, by way of a code that is drawn.

This file holds the estimator. Its torch module is in ``_variational.py`` (how it is trained) and
``_latent_model.py`` (what it says of data), with likelihoods in ``_likelihoods.py`` and priors in
``_priors.py``; the start is in ``_start.py``, what is done with a fitted one in ``_sampling.py``.
"""

from numbers import Integral, Real

from ._base import CODER_CONSTRAINTS, SHARED_CONSTRAINTS, BaseEmbedding, Number, StrOptions
from ._decoding import DecoderMixin
from ._latent_model import N_BOUND_DRAWS
from ._likelihoods import make_likelihood
from ._named_parts import check_augmentations, own_parts
from ._priors import make_prior
from ._rows import check_counts, check_unit_interval
from ._sampling import SamplingMixin
from ._start import CountUnits, Units
from ._variational import VariationalAutoencoder
from .augmentations import GaussianNoise

_OF_COUNTS = ("poisson", "negative_binomial")


class VAEEmbedding(SamplingMixin, DecoderMixin, BaseEmbedding):
    r"""Embedding by a variational autoencoder that starts where probabilistic PCA ends.

    A row is drawn from a model with a hidden code of `n_components` numbers, :math:`z` from the
    prior :math:`p(z)` and :math:`x` from :math:`p(x \mid z)`, whose parameters a decoder gives.
    An encoder gives mean and variance of an approximate posterior :math:`q(z \mid x)`. Both are
    trained together by a lower bound on the log-likelihood [1]_ [2]_,

    .. math:: \log p(x) \geq \mathrm{E}_{q(z \mid x)} \log p(x \mid z)
              - \beta \, \mathrm{KL}(q(z \mid x) \,\Vert\, p(z)), \quad \beta = 1,

    with :math:`z = \mu(x) + \sigma(x) \, \varepsilon` and :math:`\varepsilon` standard normal.

    With linear maps and normal noise the solution is probabilistic PCA [3]_. The default network
    is that solution plus non-linear branches that begin at zero, so that no component begins
    without use. With `early_stopping` the weights kept are those with the best bound on held-out
    rows, the start included: what training finds is added to probabilistic PCA. This holds for
    the likelihood, not for the squared error: posterior means are shrunk towards 0, and where
    the start is kept they rebuild data worse than PCA does.

    Prefer it where the question is how probable a row is, what is missing in it, or what another
    one might look like. For an embedding alone, or a reconstruction, prefer
    :class:`AutoencoderEmbedding`.

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
    likelihood : {"gaussian", "bernoulli", "poisson", "negative_binomial"}, default="gaussian"
        What :math:`p(x \mid z)` is. "gaussian": normal noise of a learned scale. "bernoulli": for
        values in [0, 1], such as binary data. "poisson" and "negative_binomial": for counts,
        whose rate is the decoder's times the size factor of the row, its total over the average
        total; the second with a learned dispersion of each column. Counts start at the averages
        of the columns, without a closed form.
    noise : {"shared", "feature"}, default="shared"
        Whether normal noise has one scale, as in probabilistic PCA, or one for each column.
    prior : {"normal", "mixture"}, default="normal"
        The :math:`p(z)`: standard normal, or the mean of the posteriors of `n_pseudo_inputs`
        learned inputs [6]_, which start at training rows and are widened by a learned factor.
    n_pseudo_inputs : int, default=32
        Number of parts of the mixture.
    beta : float, default=1.0
        Weight of the divergence from the prior in the training [4]_. Below 1 the code says more
        of the row, above 1 less, by fewer components.
    kl_warmup_epochs : int, default=0
        Number of epochs in which `beta` rises from 0, in each call of `fit`. Meant for random
        starts.
    free_bits : float, default=0.0
        Divergence of each component, in nats and in the mean over a batch, that costs nothing.
    n_importance_samples : int, default=1
        Number of codes drawn for each row and step. Above 1 the tighter bound of [5]_ is trained:
        a better density with a looser posterior.
    n_score_samples : int, default=100
        Number of codes by which `score_samples` and `impute` average.
    contrastive_weight : float, default=0.0
        Weight of a term that lets each row find its other view among those of the batch, by the
        cosine of the posterior means [7]_, to keep up what they tell of the row. What is rebuilt
        are the rows themselves.
    temperature : float, default=0.1
        Temperature of the contrastive term.
    contrastive_momentum : float or None, default=None
        None: both views are encoded alike. A number, such as 0.99: the second by a teacher whose
        weights follow the encoder's with this momentum, among a queue of 4,096 earlier ones.
    augmentation : augmentation, list or None, default=None
        How the two views are made: one of :mod:`skrepr.augmentations`, or a list of them, or of
        pairs of a name and one. None: ``GaussianNoise(0.2)``.
    trainable : bool, default=True
        False freezes an encoder that is given as a torch module (transfer learning).
    whiten : bool, default=False
        Whether components are scaled to unit variance.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training rows, at most. "auto": 40 epochs, but 4000 to 6000
        steps of the optimizer; below 500 rows about 200 steps, of which 5-fold cross-validation
        chooses how many are run, and which share of the way from the start is kept, where
        `early_stopping` is "auto" too and the start is probabilistic PCA. Told in `max_epochs_`
        and `weight_share_`.
    batch_size : int or "auto", default="auto"
        Number of rows in one step of the optimizer. "auto": 64 below 500 rows, 128 below
        50,000, then 256. Told in `batch_size_`.
    early_stopping : bool or "auto", default="auto"
        Whether to hold rows out, to keep the weights with the lowest loss on them, and to
        stop when `patience_` epochs brought no better ones. The loss is that of the training,
        without the 2 % of rows at both ends, since single rows may rule it. A start at
        probabilistic PCA is given up only for a gain beyond chance. "auto": from 500 rows on.
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
    kl_per_component_ : ndarray of shape (n_components,), float64
        Mean divergence of each unit of the code from the prior, in nats, on at most 4,096 of the
        held-out rows (of the training rows where none are held out); with a mixture, from its
        density along that unit. Units are those of the network, not the axes of the embedding.
    active_units_ : int
        Number of units whose posterior mean has a variance above 0.01 on the same rows [5]_.
    mutual_information_ : float
        Of a row and its code, in nats [8]_, on at most 1,024 of these rows; at most the logarithm
        of their number.
    noise_ : ndarray of shape (1,) or (n_features,) or input_shape_, float64
        Standard deviation of normal noise, in the units of X. Only with ``"gaussian"``.
    noise_at_floor_ : float
        Share of these at their floor, 0.01 of the columns' root mean square deviation. Above 0
        the data have values that repeat or columns that others determine: their density is
        bounded by the floor alone. Only with ``"gaussian"``.
    components_ : ndarray of shape (n_components, n_features) or (n_components, \
            n_channels, ...), float32
        The axes of the embedding in the space of X: orthonormal rows, as far as X has
        features. ``Z @ components_ + mean_`` is the best linear approximation of the
        reconstruction. Not after `partial_fit`, as the next three.
    mean_ : ndarray of shape (n_features,) or (n_channels, ...), float32
        Mean of the reconstruction over the training rows.
    explained_variance_ : ndarray of shape (n_components,), float64
        Variance of each component over the training rows, before whitening.
    explained_variance_ratio_ : ndarray of shape (n_components,), float64
        Share of the variance that each component explains, together what the reconstruction
        explains, on the rows of `kl_per_component_`.
    reconstruction_error_ : float
        Mean squared error per observed value of the reconstruction from the posterior mean, on
        the same rows.
    architecture_, decoder_, augmentation_ : objects
        The parts in use.
    module_ : torch.nn.Module
        The trained network, in evaluation mode.
    readout_ : torch.nn.Module
        The linear map from the code of the network to the embedding.
    net_ : skorch.NeuralNet
        The net that trained it, to be looked at: its data are no arrays.
    history_ : pandas.DataFrame
        One row an epoch: epoch, train_loss, valid_loss, every term of them (reconstruction and
        divergence, or bound; contrast), valid_watched, which early stopping follows, seconds. In
        nats a row.
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
    sklearn.decomposition.PCA : The linear case, with a density by `score_samples`.
    AutoencoderEmbedding : Without a density, for embeddings and reconstruction.

    Notes
    -----
    `transform` gives posterior means on the principal axes of what is rebuilt from them, in the
    units of X, as :class:`AutoencoderEmbedding` does; `posterior` adds their deviations.

    `score` is the mean lower bound on log p(x) with `beta` 1. It may be used to compare
    `n_components`, `architecture`, `noise`, `prior`, `beta`, `free_bits`, `contrastive_weight`,
    `augmentation` and all parameters of the training; not `likelihood`, `missing`, `input_shape`
    or anything in front that changes the data, such as scaling. Means of log-likelihoods are
    ruled by single rows far out: medians or trimmed means of `score_samples` tell more. A
    density is one only of continuous data: for columns of few values the floor of the noise
    decides.

    Special cases: with :class:`~skrepr.architectures.Linear` probabilistic PCA, whose
    `score_samples` is that of :class:`~sklearn.decomposition.PCA`; with `beta` 0 and a fixed
    scale of the noise an autoencoder with the squared error.

    A component collapses to the prior when `beta` times the variance of the noise exceeds the
    variance of the data along it [9]_. ``RepresentationCollapseWarning`` is raised when fewer
    than half of the components are active where PCA of as many explains more than half of the
    variance.

    The learning rate rises to three times `learning_rate` in the first tenth of the planned
    steps, and falls to zero along a cosine; in `partial_fit` it is constant. A linear start with
    another `beta` is the solution with that `beta`.

    What the contrastive term does, measured on 10,000 images of Fashion-MNIST (Bernoulli, 20
    components, 25 epochs, three seeds, in the means): at `beta` 4 and weights of 0, 1 and 10 it
    kept 11, 18 and 20 components active, at `beta` 8 7, 10 and 20. From the default start they
    told hardly more: the mutual information rose by at most 0.1 nats, 5-NN accuracy stayed or
    fell by up to 0.8 points. From a random start (``linear_path=None``), at a weight of 10, it
    rose by 0.4 to 0.5 nats, 5-NN by 0.8 to 1.7 points, to about what the default start has
    without it. The bound changed by less than 1 nat, the time doubled. So keep the start, and
    lower `beta` first: at `beta` 1 all components were active in either case.

    The network works on X minus its mean, divided by one number, the root mean square of
    the columns' standard deviations; with counts, on the logarithm of one plus the counts of a
    row of average total, so treated. With counts `inverse_transform` and `sample` give what is
    expected of a row of average total, `reconstruct` of one with the row's own. X is read as
    float32.

    References
    ----------
    .. [1] Kingma, D. P. & Welling, M. (2014). Auto-encoding variational Bayes. ICLR.
    .. [2] Rezende, D. J., Mohamed, S. & Wierstra, D. (2014). Stochastic backpropagation and
       approximate inference in deep generative models. ICML.
    .. [3] Tipping, M. E. & Bishop, C. M. (1999). Probabilistic principal component analysis.
       Journal of the Royal Statistical Society B 61, 611-622.
    .. [4] Higgins, I. et al. (2017). beta-VAE: learning basic visual concepts with a
       constrained variational framework. ICLR.
    .. [5] Burda, Y., Grosse, R. & Salakhutdinov, R. (2016). Importance weighted
       autoencoders. ICLR.
    .. [6] Tomczak, J. M. & Welling, M. (2018). VAE with a VampPrior. AISTATS.
    .. [7] Lygerakis, F. & Rueckert, E. (2023). CR-VAE: contrastive regularization on
       variational autoencoders for preventing posterior collapse. arXiv:2309.02968.
    .. [8] Hoffman, M. D. & Johnson, M. J. (2016). ELBO surgery: yet another way to carve up
       the variational evidence lower bound. NIPS workshop on approximate inference.
    .. [9] Lucas, J., Tucker, G., Grosse, R. & Norouzi, M. (2019). Don't blame the ELBO! A
       linear VAE perspective on posterior collapse. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skrepr import VAEEmbedding
    >>> X, _ = load_digits(return_X_y=True)
    >>> embedding = VAEEmbedding(8, max_epochs=2, random_state=0).fit(X)
    >>> embedding.transform(X).shape
    (1797, 8)
    >>> embedding.score_samples(X).shape
    (1797,)
    >>> embedding.sample(3, random_state=0).shape
    (3, 64)
    >>> embedding.active_units_
    8
    """

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        **CODER_CONSTRAINTS,
        "likelihood": [StrOptions({"gaussian", "bernoulli", *_OF_COUNTS})],
        "noise": [StrOptions({"shared", "feature"})],
        "prior": [StrOptions({"normal", "mixture"})],
        "n_pseudo_inputs": [Number(Integral, 1, None, closed="left")],
        "beta": [Number(Real, 0, None, closed="left")],
        "kl_warmup_epochs": [Number(Integral, 0, None, closed="left")],
        "free_bits": [Number(Real, 0, None, closed="left")],
        "n_importance_samples": [Number(Integral, 1, None, closed="left")],
        "n_score_samples": [Number(Integral, N_BOUND_DRAWS, None, closed="left")],
        "contrastive_weight": [Number(Real, 0, None, closed="left")],
        "temperature": [Number(Real, 0, None, closed="neither")],
        "contrastive_momentum": [Number(Real, 0, 1, closed="left"), None],
        "augmentation": [callable, list, tuple, None],
        "whiten": ["boolean"],
    }

    def __init__(
        self,
        n_components=16,
        *,
        architecture=None,
        decoder=None,
        likelihood="gaussian",
        noise="shared",
        prior="normal",
        n_pseudo_inputs=32,
        beta=1.0,
        kl_warmup_epochs=0,
        free_bits=0.0,
        n_importance_samples=1,
        n_score_samples=100,
        contrastive_weight=0.0,
        temperature=0.1,
        contrastive_momentum=None,
        augmentation=None,
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
        self.likelihood = likelihood
        self.noise = noise
        self.prior = prior
        self.n_pseudo_inputs = n_pseudo_inputs
        self.beta = beta
        self.kl_warmup_epochs = kl_warmup_epochs
        self.free_bits = free_bits
        self.n_importance_samples = n_importance_samples
        self.n_score_samples = n_score_samples
        self.contrastive_weight = contrastive_weight
        self.temperature = temperature
        self.contrastive_momentum = contrastive_momentum
        self.augmentation = augmentation
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
        self : VAEEmbedding
            Fitted estimator.
        """
        return self._fit(X, y)

    def partial_fit(self, X, y=None):
        """Train for one pass over a chunk of a stream.

        The first chunk builds the network and fixes its shapes, the units in which it sees
        the data and its start at probabilistic PCA: let it be representative. It needs more
        rows than components. No rows are held out, and the axes of the embedding stay those of
        the network, without whitening.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or array of shape \
                (n_samples, n_channels, length) or (n_samples, n_channels, height, width)
            One chunk.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : VAEEmbedding
            Fitted estimator.
        """
        return self._fit(X, y, stream=True)

    def _check_parameters(self):
        super()._check_parameters()
        check_augmentations(self, "augmentation")
        if self.noise != "shared" and self.likelihood != "gaussian":
            raise ValueError(
                f"noise={self.noise!r} is one of likelihood='gaussian', and likelihood is "
                f"{self.likelihood!r}. Leave noise='shared'."
            )
        if self.free_bits and (self.n_importance_samples > 1 or self.prior == "mixture"):
            raise ValueError(
                f"free_bits={self.free_bits} needs the divergence of each component, which is "
                "known only with n_importance_samples=1 and prior='normal'. Got "
                f"{self.n_importance_samples} and {self.prior!r}. Use free_bits=0."
            )

    def _check_values(self, rows):
        setting = f"likelihood={self.likelihood!r}"
        if self.likelihood == "bernoulli":
            check_unit_interval(rows, setting)
        elif self.likelihood in _OF_COUNTS:
            check_counts(rows, setting)

    def _choose_parts(self, input_shape):
        super()._choose_parts(input_shape)
        given = self.augmentation
        self.augmentation_ = own_parts(GaussianNoise(0.2) if given is None else given)

    def _make_module(self, input_shape):
        kind = CountUnits if self.likelihood in _OF_COUNTS else Units
        units = kind(input_shape, self.missing == "mask")
        return VariationalAutoencoder(
            *self._make_coders(input_shape, 2 * self.n_components),
            self.n_components,
            units,
            make_likelihood(self.likelihood, units, self.noise),
            make_prior(self.prior, self.n_pseudo_inputs, input_shape, self.n_components),
            max(self.n_score_samples, self.n_importance_samples),
            beta=self.beta,
            kl_warmup_epochs=self.kl_warmup_epochs,
            free_bits=self.free_bits,
            n_importance_samples=self.n_importance_samples,
            contrastive_weight=self.contrastive_weight,
            temperature=self.temperature,
            contrastive_momentum=self.contrastive_momentum,
            augmentation=own_parts(self.augmentation_) if self.contrastive_weight else (),
        )
