"""Prediction of the next steps: the future of a series is told from its past."""

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._checks import check_number


class NextStepPrediction(BaseEstimator):
    r"""Predict the next steps of a series from those before [1]_.

    .. math:: \frac{\sum_{s} \sum_{t \in N(s)} w_t \, (x_t - \hat{x}_t(s))^2}
              {\sum_{s} \sum_{t \in N(s)} w_t} ,

    with :math:`N(s)` the observed values of the next steps behind the patch :math:`s`, their
    predictions :math:`\hat{x}_t(s)` a linear function of its code, and :math:`w_t` 1, or less
    where an error is told. The encoder is causal: no code depends on what is behind its patch.
    In training, patches of a series begin at a random place.

    An estimator with this objective has a method ``forecast``. All that it says of values follows
    from the past alone: scores compare each value with what the patches before it tell, and a gap
    is filled from what is in front of it, patch by patch, as if it were the future. The values of
    the first patch follow from nothing: scores leave them out, and what is missing there is
    filled with the mean of the channel in the training rows. Where gaps are to be filled from both
    sides, use :class:`MaskedReconstruction`. Of uneven series it is not told when the next steps
    are, so that predictions are for a step at a typical time.

    Parameters
    ----------
    horizon : int, default=1
        Number of steps that are predicted at once, rounded up to whole patches; at most those of
        a common series behind its first patch. Forecasts that reach farther go on from their own
        predictions.

    References
    ----------
    .. [1] Radford, A. et al. (2018). Improving language understanding by generative pre-training.
       Technical report, OpenAI.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from skrepr.objectives import NextStepPrediction
    >>> encoder = SimpleNamespace(width=8, patch_size=4)
    >>> loss = NextStepPrediction(horizon=6).make_series_loss(encoder, 1, 100)
    >>> loss.head.out_features  # of two patches
    8
    """

    is_causal = True

    def __init__(self, horizon=1):
        self.horizon = horizon

    def make_series_loss(self, encoder, n_values, length):
        """Make the module that computes the loss.

        Parameters
        ----------
        encoder : torch.nn.Module
            Of steps; a causal one.
        n_values : int
            Number of values of a step.
        length : int
            Number of steps of a common series.

        Returns
        -------
        loss : torch.nn.Module
        """
        check_number(self, "horizon", 1, whole=True)
        n_ahead, n_patches = (-(-int(n) // encoder.patch_size) for n in (self.horizon, length))
        if n_patches < 2:
            raise ValueError(
                "NextStepPrediction tells patches of steps from those before. Common series of X "
                f"have {length} feature(s) (steps), which are one patch of "
                f"patch_size={encoder.patch_size}. Use an architecture with a smaller patch_size, "
                "or longer series."
            )
        # what no common series reaches would not be trained
        n_ahead = min(n_ahead, n_patches - 1)
        return _NextStepPrediction(encoder.width, n_values, encoder.patch_size, n_ahead)


class _NextStepPrediction(nn.Module):
    generator = None

    def __init__(self, width, n_values, patch_size, n_ahead):
        super().__init__()
        self.head = nn.Linear(width, n_ahead * n_values * patch_size)
        self.shape = n_ahead, n_values, patch_size

    def forward(self, model, series):
        n_ahead, _, size = self.shape
        if self.training and size > 1:
            by = torch.empty(len(series.values), device=series.values.device)
            by = by.uniform_(0, size, generator=self.generator).long().clamp(max=size - 1)
            series = series.moved(by, series.values.shape[2] + size - 1)
        predicted = self._next(model.read(series).tokens)  # (B, S, n_ahead, V, p)
        values, weights = self._patches(series.values), self._patches(series.weights)
        error = weight = 0.0
        for k in range(1, n_ahead + 1):
            known = weights[:, k:]
            off = predicted[:, : known.shape[1], k - 1] - values[:, k:]
            error, weight = error + (known * off.square()).sum(), weight + known.sum()
        return error / weight.clamp(min=torch.finfo(weight.dtype).tiny)

    def judged(self, model, series):
        """Yield predictions, what they are compared with, and which of them count."""
        length, size = series.values.shape[2], self.shape[2]
        nearest = self._next(model.read(series).tokens)[:, :, 0]  # (B, S, V, p)
        predicted = F.pad(nearest.movedim(1, 2).flatten(2), (size, 0))[..., :length]
        steps = torch.arange(length, device=predicted.device)
        yield predicted, series.values, (steps >= size).expand_as(predicted)

    def expected(self, model, series):
        """Predict missing values, in the units of ``series.values``, patch by patch."""
        n, _, length = series.values.shape
        size = self.shape[2]
        nowhere = torch.zeros(n, dtype=torch.int64, device=series.values.device)
        series = series.moved(nowhere, length + -length % size)
        missing = series.inside[:, None] & ~series.observed
        series = series._replace(values=torch.where(missing, model.mean, series.values))
        for place in range(1, series.values.shape[2] // size):
            if missing[..., place * size : (place + 1) * size].any():
                series = self._go_on(model, series, nowhere + place, missing, 1)
        return series.values[..., :length]

    def ahead(self, model, series, horizon):
        """Predict what comes behind the last step, in the units of ``series.values``.

        Returns
        -------
        values : torch.Tensor of shape (B, V, horizon)
        """
        n_ahead, _, size = self.shape
        length = series.inside.sum(1)  # (B,)
        by = -length % size  # so that a patch ends where the series does
        first = (length + by) // size
        n_patches = -(-horizon // size)
        series = series.moved(by, (int(first.max()) + n_patches) * size)
        steps = torch.arange(series.values.shape[2], device=by.device)
        future = (steps >= first[:, None] * size)[:, None].expand_as(series.observed)
        errors = torch.where(future[:, :1], 1.0, series.errors)  # those of a typical value
        series = series._replace(errors=errors)
        for k in range(0, n_patches, n_ahead):
            n_now = min(n_ahead, n_patches - k)
            series = self._go_on(model, series, first + k, future, n_now)
        return series.values.gather(2, self._places(first, horizon))

    def _go_on(self, model, series, first, wanted, n_patches):
        """Put predictions into the patches from ``first`` on, where they are wanted."""
        tokens = model.read(series).tokens
        last = (first - 1).clamp(min=0)[:, None, None]
        predicted = self._next(tokens.take_along_dim(last, 1))[:, 0, :n_patches]  # (B, n, V, p)
        predicted = predicted.movedim(1, 2).flatten(2)  # (B, V, n * p)
        places = self._places(first, predicted.shape[2])
        here = wanted.gather(2, places)
        values = torch.where(here, predicted, series.values.gather(2, places))
        observed = here | series.observed.gather(2, places)
        return series._replace(
            values=series.values.scatter(2, places, values),
            observed=series.observed.scatter(2, places, observed),
        )

    def _places(self, first, n_steps):
        """Return the numbers of the steps from the patches ``first`` on: (B, V, n_steps)."""
        steps = torch.arange(n_steps, device=first.device) + first[:, None] * self.shape[2]
        return steps[:, None].expand(-1, self.shape[1], -1)

    def _next(self, tokens):
        """Return the values of the patches behind each: (B, S, n_ahead, V, p)."""
        return self.head(tokens).unflatten(2, self.shape)

    def _patches(self, x):
        """Cut (B, V, L) into (B, S, V, p)."""
        size = self.shape[2]
        return F.pad(x, (0, -x.shape[2] % size)).unflatten(2, (-1, size)).movedim(2, 1)
