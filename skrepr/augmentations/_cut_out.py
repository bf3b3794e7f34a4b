"""A hole in an image."""

import math

from sklearn.base import BaseEstimator

from ._chance import count_draws, spans
from ._checks import check_layout, check_number


class CutOut(BaseEstimator):
    """Replace a random box of an image by the mean level of each channel.

    The box has the proportions of the image and lies within it. What it covers is lost: use
    small ones where the object is small.

    Parameters
    ----------
    size : float, default=0.2
        Area of the box, as a share of that of the image, in [0, 1]; its sides are rounded to
        whole pixels.

    References
    ----------
    .. [1] DeVries, T. & Taylor, G. W. (2017). Improved regularization of convolutional neural
       networks with cutout. arXiv:1708.04552.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import CutOut
    >>> changed = CutOut(0.25)(torch.ones(2, 1, 8, 8), torch.Generator().manual_seed(0))
    >>> changed.mean((1, 2, 3)).tolist()
    [0.75, 0.75]
    """

    def __init__(self, size=0.2):
        self.size = size

    def __call__(self, x, generator=None, *, donors=None):
        """Return a changed copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_channels, height, width)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, n_channels, height, width) or None, default=None
            None: a draw for each row. Otherwise one draw, shared by all rows.

        Returns
        -------
        x : torch.Tensor of shape (n, n_channels, height, width)
        """
        check_layout(self, x, 4)
        side = math.sqrt(check_number(self, "size", high=1))
        if side == 0:
            return x
        n = count_draws(x, donors)
        down, across = (
            spans(x, n, length, round(side * length), generator) for length in x.shape[2:]
        )
        return x.masked_fill(down[:, None, :, None] & across[:, None, None, :], 0.0)
