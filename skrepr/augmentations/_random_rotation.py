"""A turn of an image."""

import math

from sklearn.base import BaseEstimator

from ._chance import count_draws, uniform
from ._checks import check_layout, check_number
from ._view import resample


class RandomRotation(BaseEstimator):
    """Turn an image about its center by a random angle.

    Images through a telescope or a microscope have no up: any angle (180 degrees to either
    side) is as good as another there. It destroys the orientation of what is seen: a turned 6
    is a 9, and of clothes or faces only small angles keep the meaning. What comes in at the
    corners continues the edges.

    Parameters
    ----------
    degrees : float, default=180
        Largest angle to either side, in [0, 180].

    References
    ----------
    .. [1] Dieleman, S., Willett, K. W. & Dambre, J. (2015). Rotation-invariant convolutional
       neural networks for galaxy morphology prediction. MNRAS 450, 1441-1459.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import RandomRotation
    >>> x = torch.ones(2, 1, 5, 5)
    >>> RandomRotation(30)(x, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 5, 5])
    """

    def __init__(self, degrees=180):
        self.degrees = degrees

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
        matrix = self.make_matrices(x, generator, donors=donors)
        return resample(x, [] if matrix is None else [matrix])

    def make_matrices(self, x, generator=None, *, donors=None):
        """Draw the moves of the image plane.

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
        matrices : torch.Tensor of shape (n or 1, 3, 3), or None
            As ``grid_sample`` counts places. None: nothing moves.
        """
        check_layout(self, x, 4)
        largest = math.radians(check_number(self, "degrees", high=180))
        if largest == 0:
            return None
        n = count_draws(x, donors)
        angle = uniform(x, n, (-largest, largest), generator)
        height, width = x.shape[2:]
        matrix = x.new_zeros(n, 3, 3)
        matrix[:, 2, 2] = 1
        matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
        # an angle is one between pixels, which -1 to 1 stretches where the image is no square
        matrix[:, 0, 1] = -angle.sin() * (height / width)
        matrix[:, 1, 0] = angle.sin() * (width / height)
        return matrix
