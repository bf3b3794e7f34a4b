"""How a latent model is trained: minus the bound on the log-likelihood, and what is added to it.

What the trained model says of data is in ``_latent_model.py``.
"""

import math

import torch

from ._latent_model import LatentModel, draw
from ._start import (
    fewest_rows_for_pca,
    start_at_probabilistic_pca,
    starts_at_probabilistic_pca,
)
from ._training import chance_of, rise_and_fall
from .augmentations import make_view
from .objectives import MomentumTeacher, info_nce

# Held-out rows that find their partners among each other: as many as in a usual batch.
_ROWS_OF_CONTRAST = 128
# Draws for the loss of held-out rows, with their mirror images; of importance samples, at least.
_DRAWS_WATCHED, _SAMPLES_WATCHED = 4, 16


class VariationalAutoencoder(LatentModel):
    """The latent model with its loss, minus a lower bound on the log-likelihood.

    Parameters
    ----------
    *model : see `LatentModel`
    beta, free_bits : float
    kl_warmup_epochs, n_importance_samples : int
    contrastive_weight, temperature : float
    contrastive_momentum : float or None
    augmentation : list of augmentations
    """

    generator = None
    open_ended = False
    warmup = 0.0  # share of the planned steps
    kl_weight = 1.0

    def __init__(
        self,
        *model,
        beta=1.0,
        kl_warmup_epochs=0,
        free_bits=0.0,
        n_importance_samples=1,
        contrastive_weight=0.0,
        temperature=0.1,
        contrastive_momentum=None,
        augmentation=(),
    ):
        super().__init__(*model)
        self.beta = beta
        self.kl_warmup_epochs = kl_warmup_epochs
        self.free_bits = free_bits
        self.n_importance_samples = n_importance_samples
        self.contrastive_weight = contrastive_weight
        self.temperature = temperature
        self.augmentation = list(augmentation)
        self.teacher = None
        if contrastive_weight and contrastive_momentum is not None:
            self.teacher = MomentumTeacher(self.encoder, self.width, contrastive_momentum)

    def forward(self, x):  # (B, *input_shape)
        inputs, generator = self.units(x), chance_of(self, x.device)
        mean, log_variance = self.posterior(inputs)  # (B, K) each
        shape = (self.n_importance_samples, *mean.shape)
        noise = torch.empty(shape, device=x.device).normal_(generator=generator)
        z = draw(mean, log_variance, noise)  # (S, B, K)
        log_likelihood = self.log_likelihood(x, z)  # (S, B)
        beta = self.beta * (self.kl_weight if self.training else 1.0)
        if len(noise) > 1:
            log_weights = log_likelihood + beta * self.log_ratio(z, noise, log_variance)
            terms = {"bound": math.log(len(noise)) - log_weights.logsumexp(0).mean()}
        else:
            if self.prior.has_closed_form:
                divergence = self.divergence(mean, log_variance)  # (B, K)
            else:
                divergence = -self.log_ratio(z, noise, log_variance).T  # (B, 1)
            terms = {
                "reconstruction": -log_likelihood.mean(),
                "divergence": beta * self._with_free_bits(divergence),
            }
        if self.contrastive_weight:
            terms["contrast"] = self.contrastive_weight * self._contrast(inputs, generator)
        return terms

    def watched(self, rows):
        """Compute the loss without the 2 % of rows at both ends: single ones rule its mean."""
        losses = self.row_losses(rows).sort().values
        n_cut = len(losses) // 50
        return float(losses[n_cut : len(losses) - n_cut].mean())

    def row_losses(self, rows):
        """Compute the loss of each row, with an equal share in what only many rows have."""
        losses, divergences, contrasts = [], [], []
        for x in rows.blocks():
            inputs = self.units(x)
            mean, log_variance = self.posterior(inputs)
            if self.n_importance_samples > 1:
                n_draws = max(_SAMPLES_WATCHED, self.n_importance_samples)
                losses.append(-self.log_evidence(x, n_draws, self.beta))
                divergences.append(torch.zeros_like(mean))
            else:
                expected, divergence = self.expected(x, mean, log_variance, _DRAWS_WATCHED)
                losses.append(-expected)
                divergences.append(divergence)
            if self.contrastive_weight:
                generator = chance_of(self, x.device)
                parts = inputs.split(_ROWS_OF_CONTRAST)
                contrasts += [self._contrast(p, generator) * len(p) / len(rows) for p in parts]
        losses, divergences = torch.cat(losses), torch.cat(divergences)
        of_units = divergences.mean(0)
        shared = self.beta * (self._with_free_bits(divergences) - of_units.sum())
        shared = shared + self.contrastive_weight * sum(contrasts)
        return losses + self.beta * divergences.sum(1) + shared

    def _with_free_bits(self, divergences):
        of_units = divergences.mean(0)
        return (of_units.clamp(min=self.free_bits) if self.free_bits else of_units).sum()

    def _contrast(self, inputs, generator):
        """Let each row find its other view, by the means of the posteriors."""
        first, second = (make_view(inputs, self.augmentation, generator) for _ in range(2))
        queries = self.posterior(first)[0]
        if self.teacher is None:
            keys = self.posterior(second)[0]
            pairs = (queries, keys), (keys, queries)
            return sum(info_nce(*pair, self.temperature) for pair in pairs) / 2
        with torch.no_grad():
            keys = self.posterior(second, self.teacher.network)[0]
        if self.training:
            self.teacher.remember(keys)
        return info_nce(queries, keys, self.temperature, others=self.teacher.queue)

    def set_plan(self, n_epochs):
        self.warmup = self.kl_warmup_epochs / n_epochs if n_epochs else 0.0

    def set_progress(self, fraction):
        begins = fraction is not None and fraction < self.warmup
        self.kl_weight = fraction / self.warmup if begins else 1.0

    def after_step(self):
        if self.teacher is not None:
            self.teacher.follow(self.encoder)

    @staticmethod
    def learning_rate_factor(fraction):
        """Rise to three in a tenth of the way, and fall to zero along a cosine."""
        return 1.0 if fraction is None else 3 * rise_and_fall(fraction, 0.1)

    @torch.no_grad()
    def start(self, rows):
        """Find the units, and start at probabilistic PCA."""
        self.units.fit(rows)
        inputs = self.units(rows.sample(4096))
        make_view(inputs[:2], self.augmentation, chance_of(self, inputs.device))  # told now
        start_at_probabilistic_pca(self, rows, self.beta)
        self.prior.start(inputs, self.posterior)
        if self.teacher is not None:
            self.teacher.start(self.encoder)

    @property
    def start_is_solution(self):
        return self.prior.has_closed_form and starts_at_probabilistic_pca(self)

    @property
    def fewest_rows(self):
        return fewest_rows_for_pca(self)
