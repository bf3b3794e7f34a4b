"""Masked reconstruction: what is hidden of a series is told from the rest."""

import math

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._value_error import mean_error

# Spans of this share of a series are hidden where their length is left open.
_SHARE_OF_A_SPAN = 1 / 16


class MaskedReconstruction(BaseEstimator):
    r"""Hide spans of a series, and predict what is in them [1]_.

    .. math:: \frac{\sum_{t \in H} w_t \, (x_t - \hat{x}_t)^2}{\sum_{t \in H} w_t} ,

    with :math:`H` the observed values of the hidden spans, :math:`\hat{x}_t` a linear function of
    the code of the step, and :math:`w_t` 1, or less where an error is told. A series is cut into
    spans at a random place, of which `mask_ratio` are hidden. A single hidden step would be found
    by interpolation; a span has to be understood.

    Of series of several channels, a span is hidden in all channels in half of the rows, so that
    it follows from what is before and behind; in the other half spans are drawn for each channel
    on its own, so that it follows from the other channels, too.

    Held-out losses and scores hide every value once: in :math:`1 / \text{mask\_ratio}` rounds
    (rounded, at least two), each time every so many spans, of which half are hidden in all
    channels, and half in some of them.

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
    >>> from types import SimpleNamespace
    >>> encoder = SimpleNamespace(width=8, patch_size=1)
    >>> loss = MaskedReconstruction(0.25, mask_length=2).make_series_loss(encoder, 1, 8)
    >>> hidden = list(loss.rounds(torch.ones(1, 8, dtype=torch.bool)))
    >>> hidden[0].int().tolist()
    [[[1, 1, 0, 0, 0, 0, 0, 0]]]
    """

    def __init__(self, mask_ratio=0.3, mask_length=None):
        self.mask_ratio = mask_ratio
        self.mask_length = mask_length

    def make_series_loss(self, encoder, n_values, length):
        """Make the module that computes the loss.

        Parameters
        ----------
        encoder : torch.nn.Module
            Of steps.
        n_values : int
            Number of values of a step.
        length : int
            Number of steps of a common series.

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
        head = nn.Linear(encoder.width, n_values * encoder.patch_size)
        return _MaskedReconstruction(head, n_values, float(self.mask_ratio), span)


class _MaskedReconstruction(nn.Module):
    generator = None

    def __init__(self, head, n_values, ratio, span):
        super().__init__()
        self.head = head
        self.n_values = n_values
        self.ratio = ratio
        self.span = span

    def forward(self, model, series):
        if self.training:
            hidden = self.hide(series.inside)
            return mean_error([(*model.predict(series, self.head, hidden), hidden)], series)
        return mean_error(self.judged(model, series), series)

    def judged(self, model, series):
        """Yield predictions, what they are compared with, and which of them count."""
        for hidden in self.rounds(series.inside):
            yield *model.predict(series, self.head, hidden), hidden

    def expected(self, model, series):
        """Predict all values, in the units of ``series.values``, from the observed ones."""
        return model.expect(series, self.head)

    def hide(self, inside):
        """Choose what is hidden in one step of the training: (B, V, L), bool."""
        if self.n_values == 1:
            return self._hide(inside)[:, None]
        each = self._hide(inside.repeat_interleave(self.n_values, 0))
        each = each.unflatten(0, (-1, self.n_values))  # (B, V, L)
        together = torch.empty(len(inside), 1, 1, device=inside.device)
        together = together.uniform_(generator=self.generator) < 0.5
        return torch.where(together, each[:, :1], each)

    def _hide(self, inside):
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
        """Yield what is hidden outside of the training: each value once, (B, V, L), bool."""
        number = self._number(inside, 0, self._spans(inside))[:, None]  # (B, 1, L)
        n_rounds = max(2, min(math.floor(1 / self.ratio + 0.5), int(number.max()) + 1))
        # after every n_rounds spans that all channels share come as many that they do not
        apart = number.div(n_rounds, rounding_mode="floor") % 2
        channels = torch.arange(self.n_values, device=inside.device)[:, None]
        for turn in range(n_rounds):
            yield ((number + channels * apart) % n_rounds == turn) & inside[:, None]

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
