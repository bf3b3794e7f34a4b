"""SupCon: the views of a class attract each other."""

from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._nt_xent import nt_xent
from ._projection_head import make_projection_head


class SupCon(BaseEstimator):
    r"""Let all views of a class find each other among all views of the batch [1]_.

    .. math:: \frac{1}{2B} \sum_{i=1}^{2B} \frac{-1}{|P(i)|} \sum_{p \in P(i)} \log
              \frac{e^{s(z_i, z_p) / \tau}}{\sum_{a \neq i} e^{s(z_i, z_a) / \tau}} ,

    the first form of equation 2 of [1]_, with :math:`z` the projections of the :math:`2B` views
    of a batch, :math:`s` the cosine and :math:`P(i)` all other views of the class of
    :math:`i`. A row with label -1 has no class: only its own other view is in :math:`P(i)`. With
    all labels different it is SimCLR. Symmetric in the two views.

    Parameters
    ----------
    temperature : float, default=0.2
        The :math:`\tau`.
    projection_sizes : tuple of int, default=(512, 128)
        Widths of the layers of the projection head.

    See Also
    --------
    SimCLR : The same without labels.

    References
    ----------
    .. [1] Khosla, P. et al. (2020). Supervised contrastive learning. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import SupCon
    >>> loss = SupCon(projection_sizes=()).make_loss(torch.nn.Identity(), 4)
    >>> x, labels = torch.eye(4), torch.tensor([0, 0, 1, -1])
    >>> bool(loss(x, x, labels=labels) > loss(x, x, labels=torch.arange(4)))
    True
    """

    uses_labels = True

    def __init__(self, temperature=0.2, projection_sizes=(512, 128)):
        self.temperature = temperature
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
        check_number(self, "temperature", 0, open_low=True)
        return _SupCon(make_projection_head(self, width), float(self.temperature))


class _SupCon(nn.Module):
    def __init__(self, head, temperature):
        super().__init__()
        self.head = head
        self.temperature = temperature

    def forward(self, first, second, *, views=None, labels=None):
        if labels is None:
            raise ValueError(
                "SupCon expected a label for each row (-1: none), but got no labels. Give labels, "
                "or use SimCLR, which needs none."
            )
        first, second = self.head(first), self.head(second)  # (B, D)
        return nt_xent(first, second, temperature=self.temperature, labels=labels)  # ()
