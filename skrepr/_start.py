"""What is solved in closed form before training: the units of a network, and PCA to start at."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg import eigh
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip
from torch import nn
from torch.nn.functional import pad

# Wider data go to an iterative solver, which finds the few axes that are asked for faster
# than all eigenvectors of a covariance matrix are found.
_WIDEST_COVARIANCE = 1024
# Rounding of float32, relative. Below, variance is none.
_EPS = np.finfo(np.float32).eps
# Values, not bytes, of the rows that the iterative solver is given.
_LARGEST_SAMPLE = 2**27
# Without a prior the posterior is a point; this is close to one.
_LEAST_BETA = 1e-6


def flat_blocks(rows):
    """Yield the rows in order, a few megabytes at a time: (B, width), float64.

    On the CPU, since not every accelerator has float64.
    """
    return (block.flatten(1).cpu().double() for block in rows.blocks())


def column_statistics(rows):
    """Compute mean and variance of each column over its observed values, in two passes.

    Returns
    -------
    mean, variance : torch.Tensor of shape (width,), float64
        0 for a column without any observed value.
    """
    count = total = squares = 0.0
    for block in flat_blocks(rows):
        count = count + (~block.isnan()).sum(0)
        total = total + block.nansum(0)
    count = count.clamp(min=1)
    mean = total / count
    for block in flat_blocks(rows):
        squares = squares + (block - mean).square().nansum(0)
    return mean, squares / count


def principal_axes(rows, n_components, mean=None):
    """Find the principal axes of the rows, as PCA does.

    Parameters
    ----------
    rows : Rows
        Missing values count as their column's mean. Up to 1,024 columns all rows are
        used, in blocks; wider dense data are represented by as many evenly spread rows as
        hold 2**27 values.
    n_components : int
        Fewer are returned where the rank of the data is lower.
    mean : torch.Tensor of shape (width,), float64, default=None
        Mean of each column, as `column_statistics` computes it; None: not known yet.

    Returns
    -------
    mean : torch.Tensor of shape (width,), float32
    axes : torch.Tensor of shape (k, width), float32
        Orthonormal rows, by decreasing variance, signed so that the entry of largest
        absolute value is positive.
    deviation : torch.Tensor of shape (k,), float32
        Standard deviation along each axis, positive.
    """
    width = int(np.prod(rows.sample_shape))
    n_components = min(n_components, width, len(rows) - 1)
    if width <= _WIDEST_COVARIANCE:
        mean = column_statistics(rows)[0] if mean is None else mean
        mean, axes, variance, least = _axes_of_covariance(rows, n_components, mean)
    else:
        mean, axes, variance, least = _iterative_axes(rows, n_components, width)
    keep = np.flatnonzero(variance > least)[:n_components]
    _, axes = svd_flip(None, axes[keep], u_based_decision=False)
    return tuple(
        torch.from_numpy(np.asarray(a, dtype=np.float32))
        for a in (mean, axes, np.sqrt(variance[keep]))
    )


def _axes_of_covariance(rows, n_components, mean):
    scatter = 0.0
    for block in flat_blocks(rows):
        deviation = (block - mean).nan_to_num().numpy()
        # numpy computes one half of a product with its own transpose, and torch both
        scatter = scatter + deviation.T @ deviation
    covariance, mean = scatter / len(rows), mean.numpy()
    width = len(covariance)
    # all axes of 784 columns would take 2.5 times as long as the first 20
    variance, axes = eigh(covariance, subset_by_index=[width - n_components, width - 1])
    # along each axis, by the rounding of X, which is that of each column's own size
    rounding = _EPS**2 * (mean**2 + covariance.diagonal()) @ axes**2
    least = np.maximum(rounding, _EPS**2 * max(0.0, variance[-1]))
    return mean, axes.T[::-1], variance[::-1], least[::-1]


def _iterative_axes(rows, n_components, width):
    sample = rows.solver_input(_LARGEST_SAMPLE // width)
    n = sample.shape[0]
    n_components = min(n_components, n - 1, width - 1)
    # the solver squares what it is given; a power of two takes no digits
    unit = 2.0 ** float(np.floor(np.log2(abs(sample).max() or 1.0)))
    pca = PCA(n_components, svd_solver="arpack", random_state=0).fit(sample / unit)
    variance = pca.explained_variance_.astype(float) * unit**2 * (n - 1) / n
    return pca.mean_ * unit, pca.components_, variance, 1e-10 * variance.max(initial=0)


class Units(nn.Module):
    """The units in which a network sees the data: centered, and divided by one number.

    The number is the root mean square of the columns' standard deviations. So neither offset
    nor scale of X matter to the training, while the relative scales of the columns, which PCA
    respects, stay.

    Parameters
    ----------
    sample_shape : tuple of int
    missing : bool, default=False
        Whether NaN stands for a missing value, which the network sees as a mean one.

    Attributes
    ----------
    mean : torch.Tensor of shape (width,), float64, or None
        Mean of each column, of the rows that the units were fitted to in this process.
    """

    def __init__(self, sample_shape, missing=False):
        super().__init__()
        self.missing = missing
        self.mean = None
        self.register_buffer("center", torch.zeros(sample_shape))
        self.register_buffer("scale", torch.ones(()))

    def fit(self, rows):
        self.mean, variance = column_statistics(rows)
        center = self._center_of(self.mean)
        self.center.copy_(center.reshape(self.center.shape))
        scale = float((variance + (self.mean - center).square()).mean().sqrt())
        self.scale.fill_(scale if scale > 0 else 1.0)
        return self

    def _center_of(self, mean):
        return mean

    def forward(self, x):
        inputs = (x - self.center).div_(self.scale)  # (B, *sample_shape)
        return inputs.nan_to_num() if self.missing else inputs

    def undo(self, x):
        return x * self.scale + self.center  # (B, *sample_shape)

    def probabilities(self):
        """Read the centers as probabilities, and find the slopes of their logits.

        Returns
        -------
        p : torch.Tensor of shape (width,)
        slope : torch.Tensor of shape (width,)
            By the inputs of the network, tamed where columns hardly vary.
        """
        p = self.center.cpu().flatten().clamp(0.01, 0.99)
        return p, self.scale.cpu() / (p * (1 - p)).clamp(min=0.05)

    def as_read_by(self, encoder, inputs):
        """Return inputs as an encoder wants them: in units of X if it was trained elsewhere."""
        reads_raw_values = getattr(encoder, "reads_raw_values", False)
        return self.undo(inputs) if reads_raw_values else inputs


class ChannelUnits(Units):
    """Units with one center for each channel, so that values may move about in a sample."""

    def _center_of(self, mean):
        if self.center.ndim == 1:
            return mean
        places = mean.reshape(len(self.center), -1)  # (C, places)
        return places.mean(1, keepdim=True).expand_as(places).flatten()


class CountUnits(Units):
    """The units of counts: their logarithms, as if all rows had the same total.

    A row's size factor is its total, over what the averages of the columns sum to; over
    observed values, where some are missing.
    """

    def __init__(self, sample_shape, missing=False):
        super().__init__(sample_shape, missing)
        self.register_buffer("average", torch.ones(sample_shape))

    def fit(self, rows):
        average = column_statistics(rows)[0].clamp(min=0.5 / len(rows))  # half a count in all
        self.average.copy_(average.reshape(self.average.shape))
        return super().fit(_Read(rows, self._logarithms))

    def size(self, x):
        """Return the size factor of each row: (B, 1, ...)."""
        total = x.flatten(1).nansum(1).clamp(min=1)  # of a row of zeros: one count
        expected = (self.average * ~x.isnan()).flatten(1).sum(1)
        # 1 where nothing is observed
        factor = torch.where(expected > 0, total / expected, 1.0)
        return factor.reshape(-1, *[1] * (x.ndim - 1))

    def forward(self, x):
        return super().forward(self._logarithms(x))

    def undo(self, x):
        return super().undo(x).expm1()

    def _logarithms(self, x):
        return (x / self.size(x)).log1p()


class _Read(NamedTuple):
    """Rows as units read them."""

    rows: object
    read: object

    def blocks(self):
        return map(self.read, self.rows.blocks())


class LinearStart(NamedTuple):
    """PCA as a pair of linear maps, in the `Units` of the network.

    The code has unit variance. Ranges are those of the training rows.
    """

    to_code: torch.Tensor  # (k, n_inputs)
    from_code: torch.Tensor  # (n_inputs, k)
    low: torch.Tensor  # (n_inputs,)
    high: torch.Tensor
    low_code: torch.Tensor  # (k,)
    high_code: torch.Tensor


def linear_start(rows, units, n_components):
    """Find the `LinearStart` of at most `n_components` directions.

    ``units`` are those fitted to the same rows: their mean is not computed once more.
    """
    _, axes, deviation = principal_axes(rows, n_components, units.mean)
    scale = units.scale.cpu()
    to_code = axes * (scale / deviation)[:, None]
    width = to_code.shape[1]
    bounds = [
        torch.full((n,), sign * torch.inf) for n in (width, len(to_code)) for sign in (1, -1)
    ]
    low, high, low_code, high_code = bounds
    for batch in rows.blocks():
        inputs = units(batch).flatten(1).nan_to_num()
        codes = inputs @ to_code.T.to(inputs.device)
        for part, least, most in ((inputs, low, high), (codes, low_code, high_code)):
            torch.minimum(least, part.amin(0).cpu(), out=least)
            torch.maximum(most, part.amax(0).cpu(), out=most)
    return LinearStart(
        to_code,
        axes.T * (deviation / scale),
        low,
        high,
        low_code,
        high_code,
    )


def without_spare_units(start, width):
    """Let units of the code that `start` has no direction for be 0, and stay so in training.

    They are 0 and without effect on what is decoded, and so no gradient moves either: a range
    that does not hold 0 passes none. Else training would fill them with rounding noise.

    Parameters
    ----------
    start : LinearStart
    width : int
        Number of units of the code.

    Returns
    -------
    start : LinearStart
    """
    n_spare = width - len(start.to_code)
    return start._replace(
        to_code=pad(start.to_code, (0, 0, 0, n_spare)),
        from_code=pad(start.from_code, (0, n_spare)),
        low_code=pad(start.low_code, (0, n_spare), value=1.0),
        high_code=pad(start.high_code, (0, n_spare), value=1.0),
    )


def starts_at_pca(part):
    """Whether an encoder or decoder takes the linear map that is found in closed form."""
    return hasattr(part, "start_linear_path") and getattr(part, "start", "pca") == "pca"


def fewest_rows_for_pca(module):
    """Return with how many rows PCA has a direction for each unit of a code that can have one."""
    return min(module.width, module.units.center.numel()) + 1


def start_at_pca(module, rows, logits=False, spare_units=False):
    """Start the linear paths of an autoencoder at PCA.

    Parameters
    ----------
    module : torch.nn.Module
        With ``units``, fitted to the rows, the number of units of the code in ``width``, and
        ``encoder`` and ``decoder``, which take what is found if they have a method
        ``start_linear_path``.
    rows : Rows
    logits : bool, default=False
        Whether the decoder gives logits of values in [0, 1].
    spare_units : bool, default=False
        Whether units beyond the rank of the data may be trained.
    """
    encoder, decoder, units = module.encoder, module.decoder, module.units
    if not any(map(starts_at_pca, (encoder, decoder))):
        return
    start = linear_start(rows, units, module.width)
    if not spare_units:
        start = without_spare_units(start, module.width)
    k, d = start.to_code.shape
    from_code, offset = start.from_code, torch.zeros(d)
    if logits:
        p, slope = units.probabilities()  # first order of the logit around the mean
        from_code, offset = from_code * slope[:, None], p.logit()
    if starts_at_pca(encoder):
        encoder.start_linear_path(start.to_code, torch.zeros(k), start.low, start.high)
    if starts_at_pca(decoder):
        decoder.start_linear_path(from_code, offset, start.low_code, start.high_code)


def starts_at_probabilistic_pca(module):
    """Whether a variational autoencoder takes its linear-Gaussian solution as a start."""
    paths = starts_at_pca(module.encoder) and starts_at_pca(module.decoder)
    return paths and module.likelihood.has_linear_start


def start_at_probabilistic_pca(module, rows, beta=1.0):
    """Start the linear paths of a variational autoencoder at its linear-Gaussian solution.

    With a model of output ``W z + b``, and curvature ``C`` of the log-likelihood there, the
    posterior of z has the precision ``I + W' C W / beta``. W is rotated so that this is
    diagonal, as the encoder's posterior is.

    Parameters
    ----------
    module : torch.nn.Module
        With ``units``, fitted to the rows; ``width``; ``likelihood``; ``encoder``, which gives
        means and log-variances, and ``decoder``.
    rows : Rows
    beta : float, default=1.0
        Weight of the divergence from the prior.
    """
    encoder, decoder, units = module.encoder, module.decoder, module.units
    if not starts_at_probabilistic_pca(module):
        return
    start = linear_start(rows, units, module.width)
    model = module.likelihood.linearize(start, beta)
    beta = max(beta, _LEAST_BETA)
    precision, rotation = torch.linalg.eigh(
        model.weight.T @ (model.curvature[:, None] * model.weight) / beta
    )
    weight = (model.weight @ rotation).flip(1)  # (d, k), the best known unit first
    variance = 1 / (1 + precision.flip(0).clamp(min=0))  # (k,)
    to_mean = variance[:, None] * (weight.T * model.score) / beta  # (k, d)
    low, high = torch.full_like(variance, torch.inf), torch.full_like(variance, -torch.inf)
    for block in rows.blocks():
        inputs = units(block).flatten(1).nan_to_num()
        means = (inputs @ to_mean.T.to(inputs.device)).cpu()
        low, high = torch.minimum(low, means.amin(0)), torch.maximum(high, means.amax(0))
    margin = 3 * variance.sqrt()  # what is decoded is drawn around the means
    k, n_spare = module.width, module.width - len(variance)
    # means first, then log-variances; spare units are at the prior, and without effect
    encoder.start_linear_path(
        pad(to_mean, (0, 0, 0, n_spare + k)),
        pad(variance.log(), (k, n_spare)),
        start.low,
        start.high,
    )
    decoder.start_linear_path(
        pad(weight, (0, n_spare)),
        model.offset,
        pad(low - margin, (0, n_spare), value=-3.0),
        pad(high + margin, (0, n_spare), value=3.0),
    )
