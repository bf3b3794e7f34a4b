"""The variational autoencoder: a density of the data, by way of a code that is drawn.

This file holds how the torch module is trained, and its estimator; what the trained model says
of data is in ``_latent_model.py``, likelihoods are in ``_likelihoods.py``, the start is in
``_start.py``.
"""

import math
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._base import CODER_CONSTRAINTS, SHARED_CONSTRAINTS, BaseEmbedding, Number, StrOptions
from ._decoding import DecoderMixin
from ._latent_model import LatentModel, kl_divergence
from ._likelihoods import BernoulliLikelihood, GaussianLikelihood
from ._named_parts import check_instances
from ._rows import check_unit_interval
from ._start import Units, start_at_probabilistic_pca
from ._training import chance_of
from .architectures import as_recipe, check_trainable, choose_recipes

# A unit is in use if its posterior mean varies more (Burda, Grosse & Salakhutdinov 2016).
_ACTIVE = 0.01


class _VAE(LatentModel):
    """The latent model with its loss, minus a lower bound on the log-likelihood.

    Parameters
    ----------
    *model : see `LatentModel`
    beta, free_bits : float
    n_importance_samples : int
    """

    generator = None
    open_ended = False
    start_is_solution = False

    def __init__(self, *model, beta=1.0, free_bits=0.0, n_importance_samples=1):
        super().__init__(*model)
        self.beta = beta
        self.free_bits = free_bits
        self.n_importance_samples = n_importance_samples

    def forward(self, x):  # (B, *input_shape)
        mean, log_variance = self.posterior(self.units(x))  # (B, K) each
        shape = (self.n_importance_samples, *mean.shape)
        noise = torch.empty(shape, device=x.device).normal_(generator=chance_of(self, x.device))
        log_likelihood, log_ratio = self.weigh(x, mean, log_variance, noise)  # (S, B) each
        if len(noise) > 1:
            logweights = log_likelihood + self.beta * log_ratio
            return math.log(len(noise)) - logweights.logsumexp(0).mean()
        kl = kl_divergence(mean, log_variance).mean(0)  # (K,)
        return {
            "reconstruction": -log_likelihood.mean(),
            "divergence": self.beta * kl.clamp(min=self.free_bits).sum(),
        }

    def row_losses(self, rows):
        """Minus the bound, of each row."""
        return -torch.cat([self.bound(x) for x in rows.blocks()])

    def watched(self, rows):
        """Minus the bound, without the 2 % of rows at both ends: single ones rule its mean."""
        losses = self.row_losses(rows).sort().values
        n_cut = len(losses) // 50
        return float(losses[n_cut : len(losses) - n_cut].mean())

    @staticmethod
    def learning_rate_factor(fraction):
        """Rise to three in a tenth of the way, and fall to zero along a cosine."""
        if fraction is None:
            return 1.0
        rise = min(1.0, 0.1 + 9 * fraction)
        return 3 * rise * 0.5 * (1 + math.cos(math.pi * max(0.0, (fraction - 0.1) / 0.9)))

    @torch.no_grad()
    def start(self, rows):
        """Start at probabilistic PCA."""
        self.units.fit(rows)
        self.start_is_solution = start_at_probabilistic_pca(self, rows)

    @property
    def fewest_rows(self):
        return min(self.width, self.units.center.numel()) + 1


class VAEEmbedding(DecoderMixin, BaseEmbedding):
    r"""DOC."""

    _parameter_constraints = {
        **SHARED_CONSTRAINTS,
        **CODER_CONSTRAINTS,
        "likelihood": [StrOptions({"gaussian", "bernoulli"})],
        "noise": [StrOptions({"shared", "feature"})],
        "beta": [Number(Real, 0, None, closed="left")],
        "free_bits": [Number(Real, 0, None, closed="left")],
        "n_importance_samples": [Number(Integral, 1, None, closed="left")],
        "n_score_samples": [Number(Integral, 16, None, closed="left")],
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
        beta=1.0,
        free_bits=0.0,
        n_importance_samples=1,
        n_score_samples=100,
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
        self.beta = beta
        self.free_bits = free_bits
        self.n_importance_samples = n_importance_samples
        self.n_score_samples = n_score_samples
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
        """Fit."""
        return self._fit(X, y)

    def partial_fit(self, X, y=None):
        """Fit a chunk."""
        return self._fit(X, y, stream=True)

    def score(self, X, y=None):
        """Compute the mean lower bound on log p(x)."""
        check_is_fitted(self)
        return float(self._apply(X, self.module_.bound, (), exact=True).mean())

    def score_samples(self, X):
        """Estimate log p(x) of each row."""
        check_is_fitted(self)
        return self._apply(X, self._log_evidence, ())

    def _log_evidence(self, batch):
        return self.module_.log_evidence(batch).clamp(min=torch.finfo(torch.float32).min)

    def posterior(self, X):
        """Compute mean and standard deviation of the embedding of each row."""
        check_is_fitted(self)
        both = self._apply(X, self._posterior, (2, self._n_features_out))
        return both[:, 0], both[:, 1]

    def _posterior(self, batch):
        mean, log_variance = self.module_.posterior(self.module_.units(batch))
        variance = log_variance.exp() @ self.readout_.matrix.T.square()
        return torch.stack([self.readout_(mean), variance.sqrt() * self.readout_.scale], 1)

    def sample(self, n_samples=1, random_state=None):
        """Draw from the prior, and decode."""
        check_is_fitted(self)
        seed = check_random_state(random_state).randint(2**31 - 1)
        generator = torch.Generator().manual_seed(seed)
        codes = torch.randn(n_samples, self.module_.width, generator=generator)
        chunks = codes.split(self._rows_at_once())
        return self._gather(chunks, self.module_.decode, n_samples, self.layout_)

    def interpolate(self, a, b, n_steps=10):
        """Walk from one row to another."""
        Z = self.transform(np.stack([a, b]))
        return self.inverse_transform(np.linspace(*Z, n_steps))

    @available_if(lambda self: self.missing == "mask")
    def impute(self, X):
        """Replace NaN by what is expected given the observed values of the row."""
        check_is_fitted(self)
        return self._apply(X, self.module_.impute, self.layout_)

    def _check_parameters(self):
        super()._check_parameters()
        check_trainable(self.architecture, self.trainable)
        check_instances(self, architecture="MLP()", decoder="MLP()")
        if self.free_bits and self.n_importance_samples > 1:
            raise ValueError(
                "free_bits keeps single units above a rate, which the bound of "
                f"n_importance_samples={self.n_importance_samples} does not have. Use one of them."
            )

    def _check_values(self, rows):
        if self.likelihood == "bernoulli":
            check_unit_interval(rows, 'likelihood="bernoulli"')

    def _choose_parts(self, input_shape):
        self.architecture_, self.decoder_ = choose_recipes(
            self.architecture, self.decoder, input_shape
        )

    def _make_module(self, input_shape):
        encoder, decoder = as_recipe(self.architecture_, self.trainable), as_recipe(self.decoder_)
        units = Units(input_shape, self.missing == "mask")
        if self.likelihood == "bernoulli":
            likelihood = BernoulliLikelihood(units)
        else:
            likelihood = GaussianLikelihood(units, self.noise == "feature")
        return _VAE(
            encoder.make_encoder(input_shape, 2 * self.n_components),
            decoder.make_decoder(self.n_components, input_shape),
            self.n_components,
            units,
            likelihood,
            self.n_score_samples,
            beta=self.beta,
            free_bits=self.free_bits,
            n_importance_samples=self.n_importance_samples,
        )

    def _describe(self, rows, call):
        super()._describe(rows, call)
        posteriors = [self.module_.posterior(self.module_.units(x)) for x in rows.blocks()]
        mean, log_variance = map(torch.cat, zip(*posteriors))
        self.kl_per_component_ = kl_divergence(mean, log_variance).mean(0).cpu().double().numpy()
        self.active_units_ = int((mean.var(0) > _ACTIVE).sum())
