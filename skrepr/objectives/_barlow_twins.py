"""Barlow Twins: each unit agrees with itself in the other view, and with no other."""

from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._precision import in_full_precision
from ._projection_head import make_projection_head


class BarlowTwins(BaseEstimator):
    r"""Make the correlations of the units of two views the identity [1]_.

    .. math:: \sum_i (1 - C_{ii})^2 + \lambda \sum_i \sum_{j \neq i} C_{ij}^2 ,

    equation 1 of [1]_, with :math:`C_{ij}` the correlation over the batch of unit i of the
    projections of one view with unit j of those of the other (equation 2 of [1]_). Symmetric in
    the two views.

    Parameters
    ----------
    redundancy : float, default=0.01
        The :math:`\lambda`.
    projection_sizes : tuple of int, default=(512, 256)
        Widths of the layers of the projection head.

    See Also
    --------
    VICReg : The same aim by three terms.

    References
    ----------
    .. [1] Zbontar, J., Jing, L., Misra, I., LeCun, Y. & Deny, S. (2021). Barlow Twins:
       Self-supervised learning via redundancy reduction. ICML.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import BarlowTwins
    >>> loss = BarlowTwins(projection_sizes=()).make_loss(torch.nn.Identity(), 2)
    >>> x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(abs(loss(x, x).item()), 6)  # the units are uncorrelated
    0.0
    """

    def __init__(self, redundancy=0.01, projection_sizes=(512, 256)):
        self.redundancy = redundancy
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
        check_number(self, "redundancy", 0)
        return _BarlowTwins(make_projection_head(self, width), float(self.redundancy))


class _BarlowTwins(nn.Module):
    def __init__(self, head, redundancy):
        super().__init__()
        self.head = head
        self.redundancy = redundancy

    def forward(self, first, second, *, views=None, labels=None):
        agreement, redundancy = barlow_terms(self.head(first), self.head(second))  # 2 times ()
        return agreement + self.redundancy * redundancy  # ()


@in_full_precision
def barlow_terms(first, second):
    """Compute how far correlations are from the identity, on and off the diagonal.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, D)
        The two views of each row.

    Returns
    -------
    on_diagonal, off_diagonal : torch.Tensor of shape ()
    """
    # a unit that does not vary has no correlation: as in batch normalization it gets 0
    first, second = (
        (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-12).sqrt() for z in (first, second)
    )
    correlations = first.T @ second / len(first)  # (D, D)
    diagonal = correlations.diagonal()  # (D,)
    off_diagonal = correlations.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum(), off_diagonal
