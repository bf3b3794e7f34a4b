"""BYOL: each view predicts what a slow teacher makes of the other."""

from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._momentum import MomentumTeacher
from ._precision import in_full_precision
from ._projection_head import make_layers, make_projection_head


class BYOL(BaseEstimator):
    r"""Predict from each view what a momentum teacher makes of the other [1]_.

    .. math:: \frac{1}{B} \sum_{i=1}^{B} [2 - 2 s(q_i, z'_i)] + [2 - 2 s(q'_i, z_i)] ,

    equation 2 of [1]_ in both directions, with :math:`q` predictions from the student's
    projections, :math:`z` projections of the teacher, which no gradient reaches, and :math:`s`
    the cosine. Symmetric in the two views. No other rows are needed; that all rows get one and
    the same place would be a solution too, which the predictor and the slow teacher keep it from,
    so the loss tells nothing about collapse.

    Parameters
    ----------
    momentum : float, default=0.99
        Of the teacher, per step; rises to 1 by half a cosine over the planned steps.
    projection_sizes : tuple of int, default=(512, 128)
        Widths of the layers of the projection head.
    predictor_size : int, default=512
        Width of the hidden layer of the predictor.

    See Also
    --------
    SimSiam : Without a teacher.

    References
    ----------
    .. [1] Grill, J.-B. et al. (2020). Bootstrap your own latent: A new approach to
       self-supervised learning. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import BYOL
    >>> encoder = torch.nn.Linear(6, 4)
    >>> loss = BYOL().make_loss(encoder, 4)
    >>> views = torch.randn(5, 6), torch.randn(5, 6)
    >>> 0 <= loss(*map(encoder, views), views=views).item() <= 8
    True
    """

    def __init__(self, momentum=0.99, projection_sizes=(512, 128), predictor_size=512):
        self.momentum = momentum
        self.projection_sizes = projection_sizes
        self.predictor_size = predictor_size

    def make_loss(self, encoder, width):
        """Make the module that computes the loss.

        Parameters
        ----------
        encoder : torch.nn.Module
            The encoder, which the teacher is a copy of.
        width : int
            Number of features that it returns.

        Returns
        -------
        loss : torch.nn.Module
        """
        check_number(self, "momentum", 0, 1)
        check_number(self, "predictor_size", 1, whole=True)
        head = make_projection_head(self, width)
        teacher = MomentumTeacher(
            nn.Sequential(encoder, head), head.width, self.momentum, queue_size=0
        )
        return _BYOL(head, make_layers([head.width, self.predictor_size, head.width]), teacher)


class _BYOL(nn.Module):
    lowest_at_collapse = True

    def __init__(self, head, predictor, teacher):
        super().__init__()
        self.head = head
        self.predictor = predictor
        self.teacher = teacher

    def forward(self, first, second, *, views=None, labels=None):
        targets = self.teacher.read(views)  # 2 times (B, D)
        predictions = [self.predictor(self.head(x)) for x in (first, second)]  # 2 times (B, D)
        return sum(map(squared_distance, predictions, reversed(targets)))  # ()

    def set_progress(self, fraction):
        self.teacher.set_progress(fraction)

    def after_step(self, encoder):
        self.teacher.follow(nn.Sequential(encoder, self.head))


@in_full_precision
def squared_distance(predictions, targets):
    """Compute the mean squared distance of rows of length 1, which is 2 - 2 cosines.

    Parameters
    ----------
    predictions, targets : torch.Tensor of shape (B, D)
        Of any length.

    Returns
    -------
    loss : torch.Tensor of shape ()
    """
    return 2 - 2 * nn.functional.cosine_similarity(predictions, targets).mean()
