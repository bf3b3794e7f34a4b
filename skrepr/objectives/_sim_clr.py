"""SimCLR: each view has to find its partner among all other views of the batch."""

from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._nt_xent import nt_xent
from ._projection_head import make_projection_head


class SimCLR(BaseEstimator):
    r"""Tell the other view of a row from all other views of the batch [1]_.

    .. math:: \frac{1}{2B} \sum_{i=1}^{2B} -\log
              \frac{e^{s(z_i, z_{j(i)}) / \tau}}{\sum_{a \neq i} e^{s(z_i, z_a) / \tau}} ,

    NT-Xent (equation 1 of [1]_), with :math:`z` the projections of the :math:`2B` views of a
    batch, :math:`s` the cosine and :math:`j(i)` the other view of the same row. Symmetric in
    the two views.

    Parameters
    ----------
    temperature : float, default=0.2
        The :math:`\tau`. Low: only the nearest other rows are pushed away.
    projection_sizes : tuple of int, default=(512, 128)
        Widths of the layers of the projection head.

    See Also
    --------
    MoCo : With other rows from a queue.
    SupCon : With labels.

    References
    ----------
    .. [1] Chen, T., Kornblith, S., Norouzi, M. & Hinton, G. (2020). A simple framework for
       contrastive learning of visual representations. ICML.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import SimCLR
    >>> loss = SimCLR(projection_sizes=()).make_loss(torch.nn.Identity(), 4)
    >>> round(loss(torch.eye(4), torch.eye(4)).item(), 3)
    0.04
    """

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
        return _SimCLR(make_projection_head(self, width), float(self.temperature))


class _SimCLR(nn.Module):
    def __init__(self, head, temperature):
        super().__init__()
        self.head = head
        self.temperature = temperature

    def forward(self, first, second, *, views=None, labels=None):
        first, second = self.head(first), self.head(second)  # (B, D)
        return nt_xent(first, second, temperature=self.temperature)  # ()
