"""Directions that rows are compared with."""

from torch import nn
from torch.nn import functional as F


class Prototypes(nn.Linear):
    """Cosines of rows and directions that are learned.

    Parameters
    ----------
    width : int
        Width of the rows.
    n_prototypes : int
        Number of directions.
    """

    def __init__(self, width, n_prototypes):
        super().__init__(width, n_prototypes, bias=False)

    def forward(self, z):
        """Compute cosines.

        Parameters
        ----------
        z : torch.Tensor of shape (B, width)
            Rows.

        Returns
        -------
        cosines : torch.Tensor of shape (B, n_prototypes)
        """
        return F.linear(F.normalize(z, dim=1), F.normalize(self.weight, dim=1))
