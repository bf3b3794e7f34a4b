"""What is solved in closed form: before training the start, after it the readout.

`principal_axes` finds PCA of the training rows, where networks begin. `Readout` is the
linear map from the features of a trained network to the embedding; it stands beside the
trained weights and is never folded into them.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn

# Wider data go to an iterative solver, which finds the few axes that are asked for faster
# than all eigenvectors of a covariance matrix are found.
_WIDEST_COVARIANCE = 1024
# Values, not bytes, of the rows that the iterative solver is given.
_LARGEST_SAMPLE = 2**27
# Enough for a spectrum or a mean; the cost does not grow with the data.
_BLOCK_VALUES = 2**20


def blocks(rows):
    """Yield ``rows`` in order, a few megabytes at a time, flattened: (B, width)."""
    width = int(np.prod(rows.sample_shape))
    for batch in rows.batches(max(1, _BLOCK_VALUES // width)):
        yield batch.flatten(1)


class Moments(nn.Module):
    """Mean and covariance of rows that come in blocks, in float64.

    Blocks are merged without cancellation between large means. A missing value (NaN) counts
    as the mean of its column in the block.

    Parameters
    ----------
    width : int
        Number of columns.

    Attributes
    ----------
    count : torch.Tensor of shape (), int64
    mean : torch.Tensor of shape (width,)
    scatter : torch.Tensor of shape (width, width)
        Sum over rows of the outer product of the deviation from the mean.
    """

    def __init__(self, width):
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("scatter", torch.zeros(width, width, dtype=torch.float64))

    def add(self, block):
        """Add a block of rows, a tensor of shape (B, width)."""
        block = block.detach().double()
        missing = block.isnan()
        if missing.any():
            mean = block.nanmean(0)
            mean = torch.where(mean.isnan(), self.mean.to(mean), mean)
            block = torch.where(missing, mean, block)
        mean = block.mean(0)
        deviation = block - mean
        mean, scatter = mean.cpu(), (deviation.T @ deviation).cpu()
        count = self.count.double()
        total, mean, shift, weight = _merged(count, self.mean, len(block), mean)
        self.scatter += scatter + torch.outer(shift, shift) * weight
        self.mean.copy_(mean)
        self.count.copy_(total)
        return self

    @property
    def covariance(self):
        return self.scatter / self.count


def _merged(count, mean, n, new_mean):
    """Merge the means of two sets of rows, and say how the scatter grows by it.

    Returns the count and mean of both together, the shift between the means, and the weight
    with which its square adds to the scatters (Chan, Golub & LeVeque 1983).
    """
    total = count + n
    share = n / total.clamp(min=1)
    shift = new_mean - mean
    return total, mean + shift * share, shift, count * share


def column_statistics(rows):
    """Compute mean and variance of each column over its observed values.

    Returns
    -------
    mean, variance : torch.Tensor of shape (width,), float64
    """
    count = mean = scatter = torch.zeros((), dtype=torch.float64, device=rows.device)
    for block in blocks(rows):
        block = block.double()
        seen = len(block) - block.isnan().sum(0)
        if seen.amin() == len(block):
            here, spread = block.mean(0), block.var(0, correction=0) * len(block)
        else:
            here = torch.nan_to_num(block.nanmean(0))
            spread = (block - here).square().nansum(0)
        count, mean, shift, weight = _merged(count, mean, seen, here)
        scatter = scatter + spread + shift.square() * weight
    return mean.cpu(), (scatter / count.clamp(min=1)).cpu()


def principal_axes(rows, n_components):
    """Find the principal axes of the rows, as PCA does.

    Parameters
    ----------
    rows : Rows
        Missing values count as their column's mean. Up to 1,024 columns all rows are
        used, in blocks; wider dense data are represented by as many evenly spread rows as
        hold 2**27 values.
    n_components : int
        Fewer are returned where the rank of the data is lower.

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
        moments = Moments(width)
        for block in blocks(rows):
            moments.add(block)
        variance, axes = torch.linalg.eigh(moments.covariance)
        mean, axes = moments.mean, axes.T.flip(0)[:n_components]
        variance = variance.flip(0)[:n_components]
    else:
        mean, axes, variance = _iterative_axes(rows, n_components, width)
    keep = variance > 1e-10 * variance[:1].clamp(min=0)  # relative: X may be in any unit
    axes, deviation = axes[keep], variance[keep].sqrt()
    return mean.float(), (axes * largest_sign(axes)).float(), deviation.float()


def _iterative_axes(rows, n_components, width):
    sample = rows.solver_input(_LARGEST_SAMPLE // width)
    n = sample.shape[0]
    n_components = min(n_components, n - 1, width - 1)
    pca = PCA(n_components, svd_solver="arpack", random_state=0).fit(sample)
    return tuple(
        torch.from_numpy(np.asarray(a, dtype=np.float64))
        for a in (pca.mean_, pca.components_, pca.explained_variance_ * (n - 1) / n)
    )


class Units(nn.Module):
    """The units in which a network sees the data: centred, and divided by one number.

    The number is the root mean square of the columns' standard deviations. So neither offset
    nor scale of X matter to the training, while the relative scales of the columns, which PCA
    respects, stay.

    Parameters
    ----------
    sample_shape : tuple of int
    """

    def __init__(self, sample_shape):
        super().__init__()
        self.register_buffer("centre", torch.zeros(sample_shape))
        self.register_buffer("scale", torch.ones(()))

    def fit(self, rows):
        mean, variance = column_statistics(rows)
        self.centre.copy_(mean.reshape(self.centre.shape))
        scale = float(variance.mean().sqrt())
        self.scale.fill_(scale if scale > 0 else 1.0)
        return self

    def forward(self, x):
        return (x - self.centre).div_(self.scale)  # (B, *sample_shape)

    def undo(self, x):
        return x * self.scale + self.centre  # (B, *sample_shape)


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
    """Find the `LinearStart` of at most `n_components` directions."""
    _, axes, deviation = principal_axes(rows, n_components)
    scale = units.scale.cpu()
    to_code = axes * (scale / deviation)[:, None]
    width = to_code.shape[1]
    bounds = [
        torch.full((n,), sign * torch.inf) for n in (width, len(to_code)) for sign in (1, -1)
    ]
    low, high, low_code, high_code = bounds
    for batch in blocks(rows):
        inputs = units(batch.reshape(-1, *rows.sample_shape)).flatten(1).nan_to_num()
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


def decoder_geometry(decode, h, scale):
    """Measure how far a step in the features moves what is decoded.

    With ``J`` the slopes of the decoder over one standard deviation of each feature,
    ``metric`` is the mean of ``J.T @ J`` over rows: distances between embeddings are then
    those between reconstructions, to first order, and for a linear decoder the embedding is
    PCA in the units of X.

    Parameters
    ----------
    decode : callable
        Maps features ``(B, K)`` to data.
    h : torch.Tensor of shape (B, K)
        Features of some rows.
    scale : torch.Tensor of shape ()
        Size of the data; slopes are computed in its units, lest they overflow.

    Returns
    -------
    geometry : dict
        The arguments ``metric`` and ``loadings`` of `Readout.fit`.
    """
    k = h.shape[1]
    n_values = decode(h[:1]).numel() * k
    h = h[: max(8, 2**26 // n_values)]
    step = h.std(0)
    step = torch.where(step > 0, step, 1.0)
    metric, loadings = 0.0, 0.0
    for part in h.split(max(1, 2**22 // n_values)):
        moved = part[:, None] + torch.diag(step / 2)  # (B, K, K): one feature each
        back = part[:, None] - torch.diag(step / 2)
        rise = (decode(moved.flatten(0, 1)) - decode(back.flatten(0, 1))) / scale
        slopes = rise.reshape(len(part), k, -1) / step[:, None]  # (B, K, d)
        metric = metric + torch.einsum("bkd,bld->kl", slopes, slopes)
        loadings = loadings + slopes.sum(0).T
    return {
        "metric": metric.double() / len(h) * scale.double() ** 2,
        "loadings": loadings / len(h),
    }


def largest_sign(axes):
    """Return the sign of the entry of largest absolute value of each row, (k, 1)."""
    largest = axes.abs().argmax(1, keepdim=True) if axes.shape[1] else axes.new_zeros(0)
    sign = axes.gather(1, largest).sign()
    return torch.where(sign == 0, 1.0, sign)


class Readout(nn.Module):
    """The linear map from features to the embedding: ``z = matrix @ (h - centre)``.

    Begins as the identity on the first `n_components` features. In a stream a square
    readout stays that, since its axes keep the meaning they have; a wide one is fitted
    anew to the ``moments`` of all chunks so far, exactly what `IncrementalPCA`
    approximates (features of earlier chunks are those of the network as it was then).

    Parameters
    ----------
    width : int
        Number of features, at least `n_components`.
    n_components : int
        Width of the embedding.
    """

    def __init__(self, width, n_components):
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("matrix", torch.eye(n_components, width))
        self.register_buffer("inverse", torch.eye(width, n_components))
        self.moments = None  # of a stream, for a readout that follows it

    @classmethod
    def from_state(cls, state):
        """Make a readout again from its ``state_dict``."""
        n_components, width = state["matrix"].shape
        readout = cls(width, n_components)
        if any(name.startswith("moments.") for name in state):
            readout.moments = Moments(width)
        readout.load_state_dict(state)
        return readout

    @property
    def is_square(self):
        return self.matrix.shape[0] == self.matrix.shape[1]

    def forward(self, features):
        return (features - self.centre) @ self.matrix.T  # (B, n_components)

    def undo(self, z):
        """Map an embedding back to features, exactly where the readout is square."""
        return z @ self.inverse.T + self.centre  # (B, width)

    @torch.no_grad()
    def fit(self, moments, *, metric=None, loadings=None, whiten=False):
        """Read the principal axes of features.

        Parameters
        ----------
        moments : Moments
            Of the features of the training rows.
        metric : torch.Tensor of shape (width, width), default=None
            Inner product in which distances between features are measured, positive
            semi-definite; None: the ordinary one. With it, the embedding is PCA of
            ``metric**0.5 @ h``.
        loadings : torch.Tensor of shape (n_outputs, width), default=None
            Signs are such that the largest entry of ``loadings @ inverse`` is positive in
            each column, as in PCA; None: the largest entry of each row of the matrix.
        whiten : bool, default=False
            Whether to scale every component to unit variance.
        """
        width = self.centre.shape[0]
        root, unroot = _square_root(metric, width)
        variance, axes = torch.linalg.eigh(root @ moments.covariance @ root)
        k = self.matrix.shape[0]
        variance = variance.flip(0)[:k].clamp(min=0)
        axes = axes.T.flip(0)[:k]  # (n_components, width)
        matrix, inverse = axes @ root, unroot @ axes.T
        if whiten:
            deviation = variance.sqrt()
            # a component without variance stays without it
            deviation = torch.where(deviation > 1e-12 * deviation.max(), deviation, 1.0)
            matrix, inverse = matrix / deviation[:, None], inverse * deviation
        directions = matrix if loadings is None else (loadings.double().cpu() @ inverse).T
        sign = largest_sign(directions)
        for buffer, value in (
            (self.centre, moments.mean),
            (self.matrix, matrix * sign),
            (self.inverse, inverse * sign.T),
        ):
            buffer.copy_(value)
        return self


def _square_root(metric, width):
    """Return the square root of a metric and the inverse of that root."""
    if metric is None:
        eye = torch.eye(width, dtype=torch.float64)
        return eye, eye
    value, vector = torch.linalg.eigh(metric.double().cpu())
    # directions that the metric does not see keep a millionth of the largest weight, so
    # that the readout can be undone
    if value[-1] <= 0:
        return _square_root(None, width)
    value = value.clamp(min=1e-12 * float(value[-1])).sqrt()
    return (vector * value) @ vector.T, (vector / value) @ vector.T
