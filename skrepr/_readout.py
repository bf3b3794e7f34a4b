"""The linear map from the features of a trained network to the embedding.

It is solved in closed form after the training, stands next to the trained weights and is
never folded into them.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh
from torch import nn

# Of the largest variance. Features are float32: below, there is nothing but their rounding.
_NO_VARIANCE = 1e-12
# Of the largest standard deviation. What varies, but not along with anything that is rebuilt,
# keeps this much, so that the readout can be undone.
_UNSEEN = 1e-7
# One axis in so many, or fewer, are found by an iteration: all of 5,000 would take a minute.
_FEW = 20


class Moments(nn.Module):
    """Mean and covariance of features that come in blocks, in float64.

    Blocks are merged without cancellation between large means (Chan, Golub & LeVeque 1983).

    Parameters
    ----------
    width : int
        Number of features.
    n_outputs : int, default=0
        Number of values that are rebuilt from them, whose covariance with the features is
        followed too.

    Attributes
    ----------
    count : torch.Tensor of shape (), int64
    mean : torch.Tensor of shape (width + n_outputs,)
    scatter : torch.Tensor of shape (width, width + n_outputs)
        Sum over rows of the outer product of the features' deviation from their mean with
        that of features and outputs.
    """

    def __init__(self, width, n_outputs=0):
        super().__init__()
        self.width = width
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(width + n_outputs, dtype=torch.float64))
        self.register_buffer("scatter", torch.zeros(width, width + n_outputs, dtype=torch.float64))

    def add(self, block):
        """Add a block of rows, features and then outputs: a tensor (B, width + n_outputs)."""
        # on the CPU, since not every accelerator has float64
        block = block.detach().cpu().double()
        mean = block.mean(0)
        deviation = block - mean
        count = self.count.item()
        share, shift = len(block) / (count + len(block)), mean - self.mean
        # numpy computes one half of a product with its own transpose, and torch both
        products = torch.from_numpy(deviation.numpy()[:, : self.width].T @ deviation.numpy())
        if count:
            self.scatter += products
            self.scatter += torch.outer(shift[: self.width], shift) * (count * share)
        else:  # of thousands of features, each pass over it takes as long as the product
            self.scatter = products
        self.mean += shift * share
        self.count += len(block)
        return self

    @property
    def covariance(self):
        return self.scatter / self.count

    def _apply(self, *arguments, **keywords):
        return self  # stays on the CPU, in float64, wherever the readout goes


class Axes(NamedTuple):
    """What the components of an embedding are."""

    variance: np.ndarray  # (n_components,), of the training rows, before whitening
    components: np.ndarray | None  # (n_components, n_outputs), where something is rebuilt
    mean: np.ndarray | None  # (n_outputs,), of what is rebuilt


class Readout(nn.Module):
    """The linear map from features to the embedding: ``z = scale * matrix @ (h - center)``.

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
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("matrix", torch.eye(n_components, width))
        self.register_buffer("inverse", torch.eye(width, n_components))
        # a power of two, apart from the matrix and its inverse: one of them would overflow
        # for data in units of 1e-40
        self.register_buffer("scale", torch.ones(()))
        self.moments = None  # of a stream, for a readout that follows it

    def make_room(self, state):
        """Get ready for a ``state_dict``, which may hold the moments of a stream."""
        if any(name.startswith("moments.") for name in state):
            width = self.matrix.shape[1]
            self.moments = Moments(width, len(state["moments.mean"]) - width)

    def load_state_dict(self, state, *arguments, **keywords):
        """Take over what another readout has found."""
        super().load_state_dict(state, *arguments, **keywords)
        if self.scale <= 0:
            raise ValueError(f"the readout has the scale {self.scale}.")

    @property
    def is_square(self):
        return self.matrix.shape[0] == self.matrix.shape[1]

    def forward(self, features):
        return (features - self.center) @ self.matrix.T * self.scale  # (B, n_components)

    def leave_out(self, direction):
        """Leave out one direction, a unit vector of shape (width,), of a square readout."""
        without = torch.eye(len(direction), dtype=torch.float64) - torch.outer(
            direction, direction
        )
        self.matrix.copy_(without)
        self.inverse.copy_(without)

    def undo(self, z):
        """Map an embedding back to features."""
        return (z / self.scale) @ self.inverse.T + self.center  # (B, width)

    def fit(self, moments, *, whiten=False):
        """Find the principal axes.

        Where something is rebuilt from the features, these are the axes of its best linear
        prediction from them: with :math:`L` the coefficients of the regression of the output
        on the features :math:`h`, the embedding is PCA of :math:`L h`. Else it is PCA of the
        features. Directions in which the features do not vary are 0 in the embedding.

        Parameters
        ----------
        moments : Moments
            Of the training rows.
        whiten : bool, default=False
            Whether to scale every component to unit variance.

        Returns
        -------
        axes : Axes
        """
        n_components, width = self.matrix.shape
        covariance = moments.covariance.numpy()
        covariance, cross = covariance[:, :width], covariance[:, width:].T  # (K, K), (d, K)
        find = _axes_of_prediction if cross.any() else _axes_of_features
        matrix, inverse, deviation, directions = find(covariance, cross, n_components)
        largest = np.abs(directions).argmax(axis=1)[:, None]
        sign = np.where(np.take_along_axis(directions, largest, axis=1) < 0, -1.0, 1.0)  # (r, 1)
        scale = 2.0 ** np.floor(np.log2(deviation.max(initial=0) or 1.0))
        if whiten:
            matrix, inverse, scale = matrix / deviation[:, None], inverse * deviation, 1.0
        r = len(deviation)
        for buffer, value in (
            (self.center, moments.mean[:width].numpy()),
            (self.matrix[:r], matrix * sign / scale),
            (self.inverse[:, :r], inverse * sign.T * scale),
            (self.scale, np.array(scale)),
        ):
            buffer.copy_(torch.from_numpy(value))
        # what does not vary in the training rows is not in the embedding
        self.matrix[r:] = 0
        self.inverse[:, r:] = 0
        variance = np.zeros(n_components)
        variance[:r] = deviation**2 * (moments.count.item() / max(1, moments.count.item() - 1))
        if not cross.size:
            return Axes(variance, None, None)
        known = directions * sign if cross.any() else np.zeros((0, len(cross)))
        mean = moments.mean[width:].numpy().astype(np.float32)
        return Axes(variance, _orthonormal(known, n_components), mean)


def _principal(matrix, n_largest):
    """Find the largest eigenvalues of a covariance, as deviations, and their vectors.

    Those without variance are left out.

    Returns
    -------
    deviation : ndarray of shape (r,)
    vectors : ndarray of shape (width, r)
    """
    width = len(matrix)
    n_largest = min(n_largest, width)
    if n_largest * _FEW <= width and matrix.any():  # the iteration cannot begin at nothing
        start = np.random.default_rng(0).normal(size=width)
        square, vectors = eigsh(matrix, n_largest, which="LA", v0=start)
    else:
        square, vectors = eigh(matrix, subset_by_index=[width - n_largest, width - 1])
    square, vectors = square[::-1], vectors[:, ::-1]
    varies = square > _NO_VARIANCE * max(0.0, square[0])
    return np.sqrt(square[varies]), vectors[:, varies]


def _axes_of_features(covariance, cross, n_components):
    """Find PCA of the features: map, way back, deviations, and what decides on signs."""
    deviation, vectors = _principal(covariance, n_components)
    return vectors.T, vectors, deviation, vectors.T


def _axes_of_prediction(covariance, cross, n_components):
    """Find PCA of what the features predict: the same, and the axes among the outputs."""
    spread, vectors = _principal(covariance, len(covariance))
    white, color = vectors / spread, vectors * spread  # (K, r)
    loadings = cross @ white  # (d, r): slopes on features made white
    square, axes = np.linalg.eigh(loadings.T @ loadings)
    deviation, axes = np.sqrt(square[::-1].clip(min=0)), axes[:, ::-1]  # (r,), (r, r)
    deviation = deviation.clip(min=_UNSEEN * deviation[0])
    directions = (loadings @ axes / deviation).T  # (r, d)
    return (white @ axes * deviation).T, color @ axes / deviation, deviation, directions


def _orthonormal(directions, n_rows):
    """Complete orthonormal rows, of which the last may be (nearly) zero, as far as it goes."""
    width = directions.shape[1]
    known = directions[np.linalg.norm(directions, axis=1) > 0.5]
    rows = np.zeros((n_rows, width))
    rows[: len(known)] = known
    n = min(n_rows, width)
    rows[len(known) : n] = np.linalg.qr(rows[:n].T)[0].T[len(known) :]
    return rows.astype(np.float32)
