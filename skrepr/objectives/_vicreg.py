"""VICReg: views alike, units that vary and do not repeat each other."""

from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._checks import check_number
from ._precision import in_full_precision
from ._projection_head import make_projection_head


class VICReg(BaseEstimator):
    r"""Make views alike, with units that vary and do not repeat each other [1]_.

    .. math:: \lambda \, s(Z, Z') + \mu \, [v(Z) + v(Z')] / 2 + \nu \, [c(Z) + c(Z')] ,

    with :math:`Z, Z'` the projections of the two views, :math:`s` their mean squared
    difference, :math:`v(Z) = \frac{1}{D} \sum_j \max(0, 1 - \sqrt{\mathrm{Var}(z_j) +
    10^{-4}})` and :math:`c(Z) = \frac{1}{D} \sum_{i \neq j} \mathrm{Cov}(z_i, z_j)^2`
    (equations 1 to 6 of [1]_; means over units and over the two views as in the authors' code,
    which their constants belong to). Symmetric in the two views.

    Parameters
    ----------
    invariance : float, default=25.0
        The :math:`\lambda`.
    variance : float, default=25.0
        The :math:`\mu`. 0 lets the representation collapse.
    covariance : float, default=1.0
        The :math:`\nu`.
    projection_sizes : tuple of int, default=(512, 256)
        Widths of the layers of the projection head.

    See Also
    --------
    BarlowTwins : The same aim by one matrix of correlations.
    VISReg : The same aim by the distribution along random directions.

    References
    ----------
    .. [1] Bardes, A., Ponce, J. & LeCun, Y. (2022). VICReg: Variance-invariance-covariance
       regularization for self-supervised learning. ICLR.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import VICReg
    >>> loss = VICReg(projection_sizes=()).make_loss(torch.nn.Identity(), 3)
    >>> collapsed = torch.zeros(8, 3)
    >>> round(loss(collapsed, collapsed).item(), 2)  # no unit varies: 25 times 0.99
    24.75
    """

    def __init__(
        self, invariance=25.0, variance=25.0, covariance=1.0, projection_sizes=(512, 256)
    ):
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
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
        for name in ("invariance", "variance", "covariance"):
            check_number(self, name, 0)
        head = make_projection_head(self, width)
        return _VICReg(head, self.invariance, self.variance, self.covariance)


class _VICReg(nn.Module):
    def __init__(self, head, invariance, variance, covariance):
        super().__init__()
        self.head = head
        self.weights = (float(invariance), float(variance), float(covariance))

    def forward(self, first, second, *, views=None, labels=None):
        first, second = self.head(first), self.head(second)  # (B, D)
        terms = vicreg_terms(first, second)  # 3 times ()
        return sum(weight * term for weight, term in zip(self.weights, terms))  # ()


@in_full_precision
def vicreg_terms(first, second):
    """Compute how different the views are, how little units vary, how much they covary.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, D)
        The two views of each row.

    Returns
    -------
    invariance, variance, covariance : torch.Tensor of shape ()
    """
    variance = covariance = 0.0
    for z in (first, second):
        z = z - z.mean(0)  # (B, D)
        products = z.T @ z / (len(z) - 1)  # (D, D)
        variances = products.diagonal()  # (D,)
        variance = variance + F.relu(1 - (variances + 1e-4).sqrt()).mean() / 2
        covariance = covariance + (products.square().sum() - variances.square().sum()) / len(
            variances
        )
    return F.mse_loss(first, second), variance, covariance
