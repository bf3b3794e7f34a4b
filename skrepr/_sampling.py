"""What is done with a fitted embedding whose module is a probabilistic model of the data."""

from numbers import Integral

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .metrics import active_units, mutual_information

# Rows on which `mutual_information_` compares each with all, and fewest for a warning.
_ROWS_COMPARED, _ROWS_FOR_WARNING = 1024, 100
# Share of the variance below which a direction is rounding.
_NO_SHARE = 1e-6


class SamplingMixin:
    """Densities, posteriors, samples and imputation, where the module is a `LatentModel`.

    Stands before `DecoderMixin` among the bases of an estimator, with ``module_`` a
    `LatentModel`.
    """

    def score(self, X, y=None):
        """Compute the mean over rows of the lower bound on log p(x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        score : float
            In nats, higher is better. With `beta` 1, whatever it was in the training. The
            expectation over the code is taken with eight draws, fixed at `fit`, scaled to unit
            variance, and their mirror images.
        """
        check_is_fitted(self)
        bounds = self._apply(X, lambda batch: _finite(self.module_.bound(batch)), (), exact=True)
        return float(bounds.mean())

    def score_samples(self, X):
        """Estimate log p(x) of each row, by importance sampling.

        The codes are drawn from the row's posterior, with `n_score_samples` draws that all
        rows share, fixed at `fit`. The logarithm of their mean weight lies below log p(x) on
        average, and above the bound of `score`; more draws bring it closer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float32
            In nats, higher is more normal. Of a row with missing values the density of those
            observed: it can be compared only with rows that lack the same ones.
        """
        check_is_fitted(self)
        return self._apply(X, lambda batch: _finite(self.module_.log_evidence(batch)), ())

    def posterior(self, X):
        """Compute mean and standard deviation of the embedding of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_components), float32
            The same as `transform` gives.
        deviation : ndarray of shape (n_samples, n_components), float32
            On the same axes. On these the components of one row may be correlated.
        """
        check_is_fitted(self)
        both = self._apply(X, self._posterior, (2, self._n_features_out))
        return both[:, 0], both[:, 1]

    def _posterior(self, batch):
        mean, log_variance = self.module_.posterior(self.module_.units(batch))
        variance = log_variance.exp() @ self.readout_.matrix.T.square()
        return torch.stack([self.readout_(mean), variance.sqrt() * self.readout_.scale], 1)

    def sample(self, n_samples=1, random_state=None):
        """Draw codes from the prior, and decode them.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features) or (n_samples, *input_shape_), float32
            What the model expects for each drawn code, in the layout given to `fit`, without
            the noise of the likelihood around it.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer >= 1. Got {n_samples!r} instead.")
        if random_state is None:
            # not numpy's global generator, which is left as it is
            seed = int(np.random.default_rng().integers(2**31))
        else:
            seed = check_random_state(random_state).randint(2**31 - 1)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(n_samples, self.module_.width, generator=generator)

        def draw(noise):
            return self.module_.decode(self.module_.place(noise, generator))

        return self._gather(noise.split(self._rows_at_once()), draw, n_samples, self.layout_)

    def interpolate(self, a, b, n_steps=10):
        """Walk from one row to another, in a straight line through the embedding.

        Parameters
        ----------
        a, b : array-like of shape (n_features,) or input_shape_
            Two rows of the layout given to `fit`.
        n_steps : int, default=10
            Number of points, both ends included.

        Returns
        -------
        X : ndarray of shape (n_steps, n_features) or (n_steps, *input_shape_), float32
            The first and the last are the reconstructions of the two rows.
        """
        check_is_fitted(self)
        if not isinstance(n_steps, Integral) or isinstance(n_steps, bool) or n_steps < 2:
            raise ValueError(f"n_steps must be an integer >= 2. Got {n_steps!r} instead.")
        # rows of a data frame have its names
        pair = pd.DataFrame([a, b]) if isinstance(a, pd.Series) else np.stack([a, b])
        Z = self._apply(pair, self._embed, (self._n_features_out,))
        return self.inverse_transform(np.linspace(*Z, n_steps))

    @available_if(lambda self: self.missing == "mask")
    def impute(self, X):
        """Replace NaN by what is expected, given the observed values of the row.

        The row is encoded and decoded ten times, each time with half a step towards what came
        out in place of what is missing; then `n_score_samples` codes are drawn from its
        posterior, and what they decode to is averaged, weighted by how well each explains the
        observed values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        X : ndarray, float32
            Same shape as X; observed values are what they were.
        """
        check_is_fitted(self)
        return self._apply(X, self.module_.impute, self.layout_)

    def _reconstruct(self, batch):
        return self.module_.decode(self.module_.encode(batch), batch)

    def _describe(self, rows, call):
        super()._describe(rows, call)
        module = self.module_
        mean, log_variance = module.posterior(module.units(rows.sample(4096)))
        divergence = module.divergence(mean, log_variance).mean(0)
        self.kl_per_component_ = divergence.cpu().double().numpy()
        # of a single row nothing varies
        self.active_units_ = active_units(mean.cpu().numpy()) if len(mean) > 1 else 0
        few = module.posterior(module.units(rows.sample(_ROWS_COMPARED)))
        of_each = [values.cpu().double().numpy() for values in few]
        self.mutual_information_ = float(
            mutual_information(*of_each, method="gaussian", sample_size=None, random_state=0)
        )

        likelihood = module.likelihood
        if hasattr(likelihood, "at_floor"):
            self.noise_ = likelihood.scale.cpu().double().numpy()
            self.noise_at_floor_ = float(likelihood.at_floor.double().mean())

    def _collapse(self, Z, sample):
        """Judge by units in use: those that are not are rightly so where PCA has no use either."""
        module = self.module_
        inputs = module.units(sample)
        mean = module.posterior(inputs)[0].cpu().numpy()
        if len(mean) < _ROWS_FOR_WARNING:
            return None
        n_active = active_units(mean)
        inputs = inputs.flatten(1).cpu().numpy()
        if not np.ptp(inputs, axis=0).any():
            return None
        n = min(mean.shape[1], inputs.shape[1])
        shares = PCA(n, random_state=0).fit(inputs).explained_variance_ratio_
        n_wanted = int((shares > _NO_SHARE).sum())
        if 2 * n_active >= n_wanted or shares.sum() <= 0.5:
            return None
        return (
            f"{n_active} of {mean.shape[1]} components depend on the data (active_units_; "
            f"kl_per_component_ tells which), and PCA of as many explains {shares.sum():.0%} of "
            f"the variance. {_advice(module)}"
        )


def _advice(module):
    law = ""
    if hasattr(module.likelihood, "scale"):
        law = (
            "A component collapses when beta times the variance of the noise exceeds the data's "
            "variance along it. "
        )
    if module.beta > 1:
        return f"{law}Lower beta={module.beta:g} towards 1, or raise contrastive_weight."
    return (
        f"{law}Raise free_bits to 0.1, contrastive_weight to 1 or more, or kl_warmup_epochs to a "
        "tenth of the epochs; last, lower beta below 1."
    )


def _finite(values):
    """Give rows beyond the range of float32 the lowest score that there is."""
    least = torch.finfo(torch.float32).min
    return values.nan_to_num(nan=least, posinf=least, neginf=least)
