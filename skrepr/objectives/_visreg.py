"""VISReg: views alike, in a cloud whose center, scale and shape are normal."""

import math

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._checks import check_number
from ._precision import in_full_precision
from ._projection_head import make_projection_head
from ._random_directions import project


class VISReg(BaseEstimator):
    r"""Make views alike, in a cloud with the center, scale and shape of a normal one [1]_.

    .. math:: s(Z, Z') + \frac{\lambda}{2} [r(Z) + r(Z')] , \qquad
              r(Z) = \frac{1}{D} \sum_j \mu_j^2 + \frac{1}{D} \sum_j (1 - \sigma_j)^2 +
              \frac{1}{BM} \sum_{a} \sum_{i} (y_{(i)a} - q_i)^2 ,

    with :math:`s` the mean squared difference of the projections of the two views,
    :math:`\mu_j, \sigma_j` mean and standard deviation of unit j over the batch,
    :math:`y_{(i)a}` the i-th smallest value along random direction a of the centered
    projections divided by their standard deviations, and :math:`q_i` the quantile of the
    standard normal distribution at :math:`i / (B + 1)`. The last
    term does not depend on the scale. Symmetric in
    the two views; neither teacher, queue nor negatives.

    Parameters
    ----------
    regularization : float, default=1.0
        The :math:`\lambda`.
    n_directions : int, default=256
        The M. Drawn anew at every step.
    projection_sizes : tuple of int, default=(512, 64)
        Widths of the layers of the projection head.

    See Also
    --------
    LeJEPA : The same aim by characteristic functions.
    VICReg : With variances and covariances.

    Notes
    -----
    Written after the abstract of [1]_ and public implementations of others, not after the
    authors' code. That one knob weighs all three terms is our choice, and that the gradient goes
    through the standard deviations: stopped there, the last term shrinks small batches.

    References
    ----------
    .. [1] Wu, H., Balestriero, R. & Levine, M. (2026). VISReg:
       Variance-invariance-sketching regularization for JEPA training. arXiv:2606.02572.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import VISReg
    >>> loss = VISReg(projection_sizes=()).make_loss(torch.nn.Identity(), 4)
    >>> normal = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
    >>> bool(loss(normal, normal) < 0.02 * loss(0 * normal, 0 * normal))
    True
    """

    def __init__(self, regularization=1.0, n_directions=256, projection_sizes=(512, 64)):
        self.regularization = regularization
        self.n_directions = n_directions
        self.projection_sizes = projection_sizes

    def make_loss(self, encoder, width):
        """Make the module that computes the loss.

        Parameters
        ----------
        encoder : torch.nn.Module
            The encoder, which is not kept.
        width : int
            Number of features that it returns.

        Returns
        -------
        loss : torch.nn.Module
        """
        check_number(self, "regularization", 0)
        check_number(self, "n_directions", 1, whole=True)
        head = make_projection_head(self, width)
        return _VISReg(head, float(self.regularization), self.n_directions)


class _VISReg(nn.Module):
    def __init__(self, head, regularization, n_directions):
        super().__init__()
        self.head = head
        self.regularization = regularization
        self.n_directions = n_directions
        self.generator = None

    def forward(self, first, second, *, views=None, labels=None):
        first, second = self.head(first), self.head(second)  # (B, D)
        invariance, center, scale, shape = visreg_terms(
            first,
            second,
            n_directions=self.n_directions,
            generator=self.generator,
            training=self.training,
        )  # 4 times ()
        return invariance + self.regularization * (center + scale + shape)  # ()


@in_full_precision
def visreg_terms(first, second, *, n_directions, generator, training):
    """Compute how different the views are, and how far from normal in three respects.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, D)
        The two views of each row.
    n_directions, generator, training
        As of `project`.

    Returns
    -------
    invariance, center, scale, shape : torch.Tensor of shape ()
    """
    both = torch.stack([first, second], 1)  # (B, 2, D)
    means = both.mean(0)  # (2, D)
    centered = both - means  # (B, 2, D)
    # the small number keeps the gradient of the root finite where nothing varies
    deviations = (centered.square().mean(0) + 1e-12).sqrt()  # (2, D)
    shapes = (centered / deviations).flatten(0, 1)  # (2B, D)
    projected = project(shapes, n_directions, generator, training)  # (2B, M)
    projected = projected.unflatten(0, both.shape[:2])  # (B, 2, M)
    ranks = torch.arange(1, len(both) + 1, dtype=both.dtype, device=both.device)  # (B,)
    quantiles = math.sqrt(2) * torch.erfinv(2 * ranks / (len(both) + 1) - 1)  # (B,)
    shape = (projected.sort(0).values - quantiles[:, None, None]).square().mean()
    scale = (1 - deviations).square().mean()
    return F.mse_loss(first, second), means.square().mean(), scale, shape
