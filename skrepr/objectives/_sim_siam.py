"""SimSiam: each view predicts the other, which is held fixed."""

from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._checks import check_number
from ._precision import in_full_precision
from ._projection_head import make_layers, make_projection_head


class SimSiam(BaseEstimator):
    r"""Predict from each view the projection of the other, which is held fixed [1]_.

    .. math:: -\frac{1}{2B} \sum_{i=1}^{B} s(p_i, z'_i) + s(p'_i, z_i) ,

    equations 3 and 4 of [1]_, with :math:`p` predictions from the projections :math:`z`,
    :math:`s` the cosine, and no gradient through its second argument. Symmetric in the two views.
    No other rows and no teacher are needed; that all rows get one and the same place would be a
    solution too, which the predictor and the stopped gradient keep it from, so the loss tells
    nothing about collapse.

    Parameters
    ----------
    projection_sizes : tuple of int, default=(512, 512)
        Widths of the layers of the projection head. The last has batch normalization too.
    predictor_size : int, default=128
        Width of the hidden layer of the predictor, best narrower than what it predicts.

    See Also
    --------
    BYOL : With a momentum teacher.

    References
    ----------
    .. [1] Chen, X. & He, K. (2021). Exploring simple Siamese representation learning. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import SimSiam
    >>> loss = SimSiam().make_loss(torch.nn.Identity(), 4)
    >>> -1 <= loss(torch.randn(5, 4), torch.randn(5, 4)).item() <= 1
    True
    """

    def __init__(self, projection_sizes=(512, 512), predictor_size=128):
        self.projection_sizes = projection_sizes
        self.predictor_size = predictor_size

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
        check_number(self, "predictor_size", 1, whole=True)
        head = make_projection_head(self, width, normalize_output=True)
        return _SimSiam(head, make_layers([head.width, self.predictor_size, head.width]))


class _SimSiam(nn.Module):
    lowest_at_collapse = True

    def __init__(self, head, predictor):
        super().__init__()
        self.head = head
        self.predictor = predictor

    def forward(self, first, second, *, views=None, labels=None):
        first, second = self.head(first), self.head(second)  # (B, D)
        predictions = self.predictor(first), self.predictor(second)  # 2 times (B, D)
        return negative_cosine(*predictions, first.detach(), second.detach())  # ()


@in_full_precision
def negative_cosine(first, second, first_target, second_target):
    """Compute minus the mean cosine of predictions and targets of the other view.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, D)
        What is predicted from each view.
    first_target, second_target : torch.Tensor of shape (B, D)
        The projection of each view.

    Returns
    -------
    loss : torch.Tensor of shape ()
    """
    cosines = F.cosine_similarity(first, second_target) + F.cosine_similarity(
        second, first_target
    )  # (B,)
    return -cosines.mean() / 2
