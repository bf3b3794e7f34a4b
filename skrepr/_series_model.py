"""An encoder of series, what stands next to it, and what it is asked for."""

from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from ._kernel_bank import KernelBank
from ._light_curve_features import LightCurveFeatures
from ._row_memory import RowMemory
from ._training import rise_and_fall
from .architectures import Unpatch, cut
from .objectives import disagreement

# Outside of the training: rows whose tokens are computed together, as far as there are no more
# of these in all, and weights of maps of attention.
_ROWS_AT_ONCE, _TOKENS_AT_ONCE, _WEIGHTS_AT_ONCE = 256, 2**14, 2**22
# Rows from which spreads are estimated.
_ROWS_MEASURED = 4096
# What is read of the network, as a share of what is next to it. Classes of 20 sets of UCR are
# told as well at 0.05 and 0.15 as without it, and worse at 0.7; those of the light curves of CRTS
# as well at 0.03 as without it, and at 0.15 worse by up to 3 points.
_SHARE_OF_THE_NETWORK = 0.05
# Of the kernels: more are hardly better, and their covariance costs the square.
_FEATURES_OF_A_VALUE, _MOST_FEATURES = 55, 2200
# Values of these features that are kept while a network is fitted (64 MB).
_MOST_KEPT = 2**24
# Of its deviations in the training rows, that a feature may be from its mean.
_FARTHEST = 8.0
# Of the deviation of all series; one that is scaled by itself and varies less is constant.
_LEAST_SPREAD = 1e-3
# In deviations of what is seen of a series: a hidden value farther from it counts as that far.
_FARTHEST_HIDDEN = 8.0
# Of its mean; a feature that varies less does not but for rounding.
_ROUNDING = 1e-6


class Reading(NamedTuple):
    """What an encoder makes of series, and in which units it has seen them."""

    tokens: torch.Tensor  # (B, S, W)
    there: torch.Tensor  # (B, S), bool: which patches have a step inside
    summary: torch.Tensor | None  # (B, W), of a learned token
    center: torch.Tensor  # (B, V, 1)
    scale: torch.Tensor  # (B, V, 1)


class SeriesModel(nn.Module):
    """An encoder of series, the kernels next to it, and what is asked of it.

    An objective is called with this model and a batch of `Series`. It asks for what it needs:
    `read` for tokens, `pooled` for a vector of each series, `predict` and `expect` for values.

    Parameters
    ----------
    reader : PooledSteps
        An encoder of steps, and how its tokens become features of the series.
    units : SeriesUnits
    objective : torch.nn.Module
    classic : KernelBank, LightCurveFeatures or None
        Describes series by what is not trained: even ones, or those with times.
    fitted : FittedPrediction or None
        Predicts values where the objective does not.
    per_sample : bool
        Whether the network sees each series in units of its own.
    causal : bool, default=False
        Whether no token may depend on what is behind its patch.
    """

    generator = None

    def __init__(
        self, reader, units, objective, *, classic=None, fitted=None, per_sample, causal=False
    ):
        super().__init__()
        self.causal = causal
        self.reader = reader
        self.units = units
        self.objective = objective
        self.classic = classic
        self.memory = RowMemory(_MOST_KEPT)  # of what it tells of rows, while there is a fit
        self.fitted = fitted
        self.per_sample = per_sample
        self.unpatch = Unpatch(self.encoder.patch_size)
        n_learned, fixed = reader.width, torch.empty(0)
        if classic is not None:
            n_curves = 1 if units.is_even else len(units.value_channels)
            fixed = classic.weights.repeat(n_curves) / n_curves**0.5
        self.width = n_learned + len(fixed)
        # of each feature in the training rows
        self.register_buffer("feature_mean", torch.zeros(self.width))
        self.register_buffer("feature_deviation", torch.ones(self.width))
        share = _SHARE_OF_THE_NETWORK if len(fixed) else 1.0
        learned = torch.full((n_learned,), share / n_learned**0.5)
        shares = torch.cat([learned, fixed])
        self.register_buffer("shares", shares, persistent=False)

    @property
    def encoder(self):
        return self.reader.encoder

    @property
    def predictor(self):
        """What predicts values: a part of the objective, or what was fitted to its codes."""
        return self.fitted or self._part_with("judged")

    def _part_with(self, method):
        return next(part for part in self.objective.modules() if hasattr(part, method))

    def forward(self, x):
        return self.objective(self, self.units(x))

    def encode(self, x):
        features = (self._features(x) - self.feature_mean) / self.feature_deviation
        return features.clamp(-_FARTHEST, _FARTHEST) * self.shares  # (B, width)

    def _features(self, x):
        return self._in_parts(self._features_of_part, x)

    def _features_of_part(self, x):
        learned = self.pooled(self.read(self.units(x)))
        if self.classic is None:
            return learned
        return torch.cat([learned, self.memory.recall(self._fixed_features, x)], 1)

    def _fixed_features(self, x):
        """Describe series by what is not trained."""
        values = x[:, self.units.value_channels]
        if self.units.is_even:
            return self.classic(values)
        beside = self.units.beside_values(x)
        curves = [
            self.classic(beside.time, value, beside.error, beside.band)
            for value in values.unbind(1)
        ]
        return torch.cat(curves, 1)

    def read(self, series, hidden=None):
        """Read series, but for what is hidden.

        Parameters
        ----------
        series : Series
        hidden : torch.Tensor of shape (B, V, L), bool, default=None
            None: nothing.

        Returns
        -------
        reading : Reading
        """
        inputs, center, scale = self.inputs(series, hidden)
        return Reading(*self.reader.read(*inputs), center, scale)

    def pooled(self, reading):
        """Make one vector of the tokens of each series: (B, width)."""
        return self.reader.pooled(reading.tokens, reading.there, reading.summary)

    def predict(self, series, head, hidden):
        """Predict all values from those that are not hidden.

        Parameters
        ----------
        series : Series
        head : torch.nn.Module
            From tokens (B, S, W) to the values of their patches (B, S, V * p).
        hidden : torch.Tensor of shape (B, V, L), bool

        Returns
        -------
        predicted, wanted : torch.Tensor of shape (B, V, L)
            In the units in which the network has seen each series: loud ones count no more than
            faint ones.
        """
        reading = self.read(series, hidden)
        return self._values(reading, head, series), self.in_units_of(reading, series.values)

    def expect(self, series, head):
        """Predict all values, in the units of ``series.values``, from the observed ones."""
        reading = self.read(series)
        return self._values(reading, head, series) * reading.scale + reading.center

    def _values(self, reading, head, series):
        return self.unpatch(head(reading.tokens))[..., : series.values.shape[2]]

    def in_units_of(self, reading, values):
        """Return values in the units in which the network has seen each series."""
        if not self.per_sample:
            return values
        values = (values - reading.center) / reading.scale
        return values.clamp(-_FARTHEST_HIDDEN, _FARTHEST_HIDDEN)

    def impute(self, x):
        """Predict all values, in units of X, from those that are observed: (B, L, V)."""
        return self._in_parts(self._impute, x)

    def _impute(self, x):
        series = self.units(x)
        return series.in_place(self.units.undo(self.predictor.expected(self, series)).mT)

    def forecast(self, x, horizon):
        """Predict what comes behind each series, in units of X: (B, V, horizon)."""
        forecast = partial(self._forecast, horizon=horizon)
        return self._in_parts(forecast, x, n_steps=x.shape[2] + horizon)

    def _forecast(self, x, horizon):
        series = self.units(x)
        values = self.units.undo(self._part_with("ahead").ahead(self, series, horizon))
        return values.masked_fill(~series.inside.any(1)[:, None, None], torch.nan)

    def judge(self, x):
        """Compare hidden values with their predictions, and with a mean that is known of them.

        Each value is hidden once.

        Returns
        -------
        sums : torch.Tensor of shape (B, 3)
            Of squared errors, of squares around the mean, and of weights.
        """
        return self._in_parts(self._judge, x)

    @property
    def mean(self):
        """Of each channel in the training rows, in the units of ``series.values``: (V, 1)."""
        center = self.units.center
        return torch.zeros_like(center) if self.units.scaled else center

    def _judge(self, x):
        series = self.units(x)
        sums = torch.zeros(len(x), 3, device=x.device)
        for predicted, wanted, counts in self.predictor.judged(self, series):
            weights = series.weights * counts
            squares = (predicted - wanted).square(), (wanted - self.mean).square()
            parts = *(weights * square for square in squares), weights
            sums += torch.stack([part.sum((1, 2)) for part in parts], 1)
        return sums

    def normality(self, x):
        """Return minus the mean squared error of hidden values: (B,)."""
        error, _, weight = self.judge(x).unbind(1)
        return -error / weight.clamp(min=torch.finfo(weight.dtype).tiny)

    def steps(self, x):
        """Return the code of each step, NaN outside of a series: (B, L, width of the encoder)."""
        return self._in_parts(self._steps, x)

    def _steps(self, x):
        series = self.units(x)
        tokens = self.read(series).tokens.repeat_interleave(self.encoder.patch_size, 1)
        return series.in_place(tokens[:, : x.shape[2]])

    def attention(self, x):
        """Return how much each patch looks at each other: (B, S, S)."""
        return self._in_parts(self._attention, x, is_map=True)

    def _attention(self, x):
        return self.reader.attention(*self.inputs(self.units(x), None)[0])

    def _in_parts(self, function, x, *, is_map=False, n_steps=None):
        """Apply a function to so many rows at a time that memory is bounded, however long."""
        return torch.cat([function(part) for part in self._split(x, is_map, n_steps)])

    def _split(self, x, is_map=False, n_steps=None):
        n_patches = self.encoder.n_patches(n_steps or x.shape[2])
        most = _WEIGHTS_AT_ONCE // n_patches**2 if is_map else _TOKENS_AT_ONCE // n_patches
        return x.split(max(1, min(most, _ROWS_AT_ONCE)))

    def inputs(self, series, hidden):
        """Return what the encoder is given, and center and scale of each series."""
        excess = series.values.shape[2] % self.encoder.patch_size
        if self.causal and excess:
            # the last patch goes on to its end, as it does where longer series are in the batch
            length = series.values.shape[2] + self.encoder.patch_size - excess
            series = series.moved(torch.zeros_like(series.begin), length)
            hidden = None if hidden is None else F.pad(hidden, (0, length - hidden.shape[2]))
        visible = series.observed if hidden is None else series.observed & ~hidden
        values, told = series.values * visible, visible.float()
        inside, bands = series.inside, series.bands
        any_visible = visible.any(1, keepdim=True)
        if self.causal:
            # where a series ends, or whether a gap does, is known behind it only
            inside, bands = inside.cumsum(1) > 0, bands * any_visible
        # what is hidden has no part in the units of a series
        count = told.sum(2, keepdim=True).clamp(min=1)
        center, scale = torch.zeros_like(count), torch.ones_like(count)
        about = []
        if self.per_sample:
            center = values.sum(2, keepdim=True) / count
            variance = ((values - center).square() * told).sum(2, keepdim=True) / count
            scale = variance.sqrt().clamp(min=_LEAST_SPREAD)
            values = (values - center) / scale * told
            about = [(part * inside[:, None]) for part in (center, scale.log())]
        errors = series.errors.log1p() * any_visible
        # steps between observed ones are told from those outside
        inputs = torch.cat([values, told, *about, errors, bands, inside[:, None].float()], 1)
        # of a causal network the tokens that go on behind a series are not its own
        there = [cut(series.inside, self.encoder.patch_size).any(2)] if self.causal else []
        return (inputs, series.times, inside, *there), center, scale

    def start(self, rows):
        """Find the units, and what the kernels are compared with."""
        self.units.fit(rows)
        if self.classic is None:
            return
        sample = rows.sample(_ROWS_MEASURED)
        if self.units.is_even:
            self.classic.fit(sample[:, self.units.value_channels])
        else:
            self.classic.fit(sample[:, self.units.time_channel])

    @torch.no_grad()
    def settle(self, rows):
        """Find the mean and the deviation of the features, which are divided by it."""
        # in blocks: in one, all series would be padded to the longest
        some = rows.spread(_ROWS_MEASURED)
        features = torch.cat([self._features(x) for x in some.blocks()])
        deviation, mean = torch.std_mean(features, 0, correction=0)
        self.feature_mean.copy_(mean)
        varies = deviation > _ROUNDING * mean.abs()
        self.feature_deviation.copy_(torch.where(varies, deviation, torch.inf))

    @torch.no_grad()
    def fit_prediction(self, rows):
        """Find what predicts values from codes, where the objective does not."""
        if self.fitted is not None:
            self.fitted.fit(self, self._split(rows.sample(_ROWS_MEASURED)))

    @property
    def watched(self):
        """Minus the agreement of held-out rows, where the loss itself is lowest at collapse."""
        if not getattr(self.objective, "lowest_at_collapse", False):
            raise AttributeError("The loss is watched.")
        return self._disagreement

    def _disagreement(self, rows):
        return disagreement(self._part_with("directions").directions(self, rows.blocks()))

    @property
    def smallest_batch(self):
        return self.objective.smallest_batch  # not there where one series will do

    def set_progress(self, fraction):
        if hasattr(self.objective, "set_progress"):
            self.objective.set_progress(fraction)

    def after_step(self):
        if hasattr(self.objective, "after_step"):
            self.objective.after_step(self.reader)

    @staticmethod
    def learning_rate_factor(fraction):
        return rise_and_fall(fraction, 0.1)


def n_inputs(units, per_sample):
    """Count what an encoder is told of a step.

    Parameters
    ----------
    units : SeriesUnits
    per_sample : bool
        Whether each series has units of its own, which stand next to its values.
    """
    of_a_value = 4 if per_sample else 2  # the value, whether it is there, center and scale
    n_errors = units.error_channel is not None
    return of_a_value * len(units.value_channels) + n_errors + units.n_bands + 1


def make_classic(units, length):
    """Make what describes series of this length without being trained, if anything does."""
    if length == 1:
        return None
    if not units.is_even:
        return LightCurveFeatures(max(1, units.n_bands))
    n_values = len(units.value_channels)
    n_features = min(_FEATURES_OF_A_VALUE * n_values * length, _MOST_FEATURES)
    return KernelBank(n_values, length, n_features)
