"""SwAV: each view predicts which prototypes the other is assigned to."""

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._precision import in_full_precision
from ._projection_head import make_projection_head
from ._prototypes import Prototypes


class SwAV(BaseEstimator):
    r"""Predict from each view the prototypes that the other is assigned to [1]_.

    .. math:: -\frac{1}{B} \sum_{i=1}^{B} \sum_{k} a'_{ik} \log p_{ik} + a_{ik} \log p'_{ik}
              \quad\text{with}\quad p_{ik} \propto e^{s(z_i, c_k) / \tau} ,

    equation 2 of [1]_, with :math:`s` the cosine of projections :math:`z` and prototypes
    :math:`c`. The assignments :math:`a` give every prototype the same share of the batch
    (equations 3 to 5 of [1]_, by Sinkhorn's algorithm with entropy :math:`\varepsilon`); no
    gradient goes through them. Symmetric in the two views.

    Parameters
    ----------
    temperature : float, default=0.1
        The :math:`\tau`.
    epsilon : float, default=0.05
        The :math:`\varepsilon`: the smaller, the harder the assignments.
    n_prototypes : int, default=128
        Number of prototypes. At most a batch can be spread over them evenly.
    n_iterations : int, default=3
        Of Sinkhorn's algorithm.
    projection_sizes : tuple of int, default=(512, 128)
        Widths of the layers of the projection head.

    See Also
    --------
    DINO : With a teacher instead of even shares.

    References
    ----------
    .. [1] Caron, M. et al. (2020). Unsupervised learning of visual features by contrasting
       cluster assignments. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import SwAV
    >>> loss = SwAV(n_prototypes=8).make_loss(torch.nn.Identity(), 4)
    >>> loss(torch.randn(5, 4), torch.randn(5, 4)).shape
    torch.Size([])
    """

    def __init__(
        self,
        temperature=0.1,
        epsilon=0.05,
        n_prototypes=128,
        n_iterations=3,
        projection_sizes=(512, 128),
    ):
        self.temperature = temperature
        self.epsilon = epsilon
        self.n_prototypes = n_prototypes
        self.n_iterations = n_iterations
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
        for name in ("temperature", "epsilon"):
            check_number(self, name, 0, open_low=True)
        for name in ("n_prototypes", "n_iterations"):
            check_number(self, name, 1, whole=True)
        head = make_projection_head(self, width)
        prototypes = Prototypes(head.width, self.n_prototypes)
        return _SwAV(head, prototypes, self.temperature, self.epsilon, self.n_iterations)


class _SwAV(nn.Module):
    def __init__(self, head, prototypes, temperature, epsilon, n_iterations):
        super().__init__()
        self.head = head
        self.prototypes = prototypes
        self.constants = {
            "temperature": float(temperature),
            "epsilon": float(epsilon),
            "n_iterations": n_iterations,
        }

    def forward(self, first, second, *, views=None, labels=None):
        scores = [self.prototypes(self.head(x)) for x in (first, second)]  # 2 times (B, K)
        return swapped_prediction(*scores, **self.constants)  # ()


@in_full_precision
def swapped_prediction(first, second, *, temperature, epsilon, n_iterations):
    """Compute the cross-entropy of each view's assignments and the other's predictions.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, K)
        Cosines with the prototypes.
    temperature, epsilon : float
        Of the predictions, and of the assignments.
    n_iterations : int
        Of Sinkhorn's algorithm.

    Returns
    -------
    loss : torch.Tensor of shape ()
    """
    loss = 0.0
    for scores, other in ((first, second), (second, first)):
        assignments = sinkhorn(other.detach() / epsilon, n_iterations)  # (B, K)
        loss = loss - (assignments * (scores / temperature).log_softmax(1)).sum(1).mean()
    return loss


def sinkhorn(logits, n_iterations):
    """Assign rows to prototypes so that each gets about the same share of the rows.

    Parameters
    ----------
    logits : torch.Tensor of shape (B, K)
        How well a prototype suits a row.
    n_iterations : int
        Of a step for the shares of the prototypes, and one for the rows.

    Returns
    -------
    assignments : torch.Tensor of shape (B, K)
        Each row sums to 1, each column to B / K, the better the more iterations.
    """
    # by logarithms, so that nothing is divided by a sum that has become 0
    for _ in range(n_iterations):
        logits = logits.log_softmax(0)
        logits = logits.log_softmax(1)
    return torch.exp(logits)
