"""Masked reconstruction: what is hidden of a series is told from the rest."""

import math

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number

# Spans of this share of a series are hidden where their length is left open.
_SHARE_OF_A_SPAN = 1 / 16


class MaskedReconstruction(BaseEstimator):
    r"""Hide spans of a series, and predict what is in them [1]_.

    .. math:: \frac{\sum_{t \in H} w_t \, (x_t - \hat{x}_t)^2}{\sum_{t \in H} w_t} ,

    with :math:`H` the observed values of the hidden spans, :math:`\hat{x}_t` a linear function of
    the code of the step, and :math:`w_t` 1, or less where an error is told. A series is cut into
    spans at a random place, of which `mask_ratio` are hidden, in all channels. A single hidden
    step would be found by interpolation; a span has to be understood.

    Held-out losses and scores hide every step once: in :math:`1 / \text{mask\_ratio}` rounds
    (rounded, at least two), each time every so many spans.

    Parameters
    ----------
    mask_ratio : float, default=0.3
        Share of the spans that is hidden in training, in (0, 1).
    mask_length : int or None, default=None
        Number of steps of a span. None: a sixteenth of the series. Never longer than half of it.

    References
    ----------
    .. [1] Zerveas, G. et al. (2021). A transformer-based framework for multivariate time series
       representation learning. KDD.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import MaskedReconstruction
    >>> loss = MaskedReconstruction(0.25, mask_length=2).make_series_loss(8, 1, 8)
    >>> hidden = list(loss.rounds(torch.ones(1, 8, dtype=torch.bool)))
    >>> hidden[0].int().tolist()
    [[1, 1, 0, 0, 0, 0, 0, 0]]
    """

    def __init__(self, mask_ratio=0.3, mask_length=None):
        self.mask_ratio = mask_ratio
        self.mask_length = mask_length

    def make_series_loss(self, width, n_outputs, length):
        """Make the module that computes the loss.

        Parameters
        ----------
        width : int
            Of the code of a patch.
        n_outputs : int
            Number of values of a patch.
        length : int
            Number of steps of a series.

        Returns
        -------
        loss : torch.nn.Module
        """
        # something must be left to predict from
        check_number(self, "mask_ratio", 0, 1, open_low=True, open_high=True)
        span = self.mask_length
        if span is None:
            span = round(_SHARE_OF_A_SPAN * length)
        else:
            check_number(self, "mask_length", 1, whole=True)
        span = max(1, min(int(span), length // 2))
        return _MaskedReconstruction(width, n_outputs, float(self.mask_ratio), span)


class _MaskedReconstruction(nn.Module):
    generator = None

    def __init__(self, width, n_outputs, ratio, span):
        super().__init__()
        self.head = nn.Linear(width, n_outputs)
        self.ratio = ratio
        self.span = span

    def forward(self, predict, series):
        if self.training:
            hidden = self.hide(series.inside)
            return self._loss([(hidden, predict(hidden))], series)
        rounds = self.rounds(series.inside)
        return self._loss([(hidden, predict(hidden)) for hidden in rounds], series)

    def _loss(self, predictions, series):
        error = weight = 0.0
        for hidden, predicted in predictions:
            weights = series.weights * hidden[:, None]  # (B, V, L)
            error = error + (weights * (predicted - series.values).square()).sum()
            weight = weight + weights.sum()
        return error / weight.clamp(min=torch.finfo(weight.dtype).tiny)

    def hide(self, inside):
        """Choose what is hidden in one step of the training: (B, L), bool."""
        n, length = inside.shape
        spans = self._spans(inside)  # (B, 1)
        n_spans = length // int(spans.min()) + 2
        draw = torch.empty(n, n_spans + 1, device=inside.device)
        draw.uniform_(generator=self.generator)
        shift = torch.minimum((draw[:, :1] * spans).long(), spans - 1)
        number = self._number(inside, shift, spans)  # (B, L)
        n_own = number.amax(1, keepdim=True) + 1  # (B, 1)
        is_own = torch.arange(n_spans, device=inside.device) < n_own
        rank = draw[:, 1:].where(is_own, torch.inf).argsort(1).argsort(1)
        chosen = rank < (self.ratio * n_own).round().clamp(min=1)  # (B, n_spans)
        return chosen.gather(1, number) & inside

    def rounds(self, inside):
        """Yield what is hidden outside of the training: each step once, (B, L), bool."""
        number = self._number(inside, 0, self._spans(inside))
        n_rounds = max(2, min(math.floor(1 / self.ratio + 0.5), int(number.max()) + 1))
        for turn in range(n_rounds):
            yield (number % n_rounds == turn) & inside

    def _spans(self, inside):
        """Return how long a span of each series is, at most half of it: (B, 1)."""
        return (inside.sum(1, keepdim=True) // 2).clamp(1, self.span)

    def _number(self, inside, shift, spans):
        """Return in which span each step is, if spans begin ``shift`` steps early: (B, L).

        They are counted from the first step of each series on; outside of it they are 0.
        """
        steps = torch.arange(inside.shape[1], device=inside.device)
        begin = inside.int().argmax(1, keepdim=True)
        return (steps - begin + shift).div(spans, rounding_mode="floor") * inside
