"""A random part of an image."""

import math

from sklearn.base import BaseEstimator

from ._chance import count_draws, uniform
from ._checks import check_count, check_layout, check_pair
from ._view import resample


class RandomCrop(BaseEstimator):
    """Take a random part of an image, scaled back to the size of the image.

    A window is laid over the image, which is continued by `padding` pixels beyond each edge.
    Its area and its aspect are drawn, then its place, within that frame. Three uses:

    - ``RandomCrop()``: parts of the image, enlarged.
    - ``RandomCrop(area=(1, 1), padding=4)``: shifts by up to four pixels, nothing is scaled.
    - ``RandomCrop(area=(0.85, 1.1))``: a change of scale. Windows above an area of 1 hold the
      whole image, made smaller.

    It destroys sizes, and with them fluxes summed over an image (not where the area is 1),
    places within the image, and whatever lies at the rim.

    Parameters
    ----------
    area : pair of float, default=(0.4, 1.0)
        Lowest and highest area of the window, as a share of that of the image.
    aspect : pair of float, default=(0.75, 1.3333)
        Lowest and highest ratio of width to height, as a multiple of that of the image. It is
        held back where it would stretch a side of the window beyond the image.
    padding : int, default=0
        Pixels beyond each edge that the window may reach. They continue the edge.

    References
    ----------
    .. [1] Szegedy, C. et al. (2015). Going deeper with convolutions. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import RandomCrop
    >>> x = torch.zeros(1, 1, 9, 9)
    >>> x[..., 4, 4] = 1
    >>> shifted = RandomCrop(area=(1, 1), padding=2)(x, torch.Generator().manual_seed(0))
    >>> round(shifted.sum().item(), 3)
    1.0
    """

    def __init__(self, area=(0.4, 1.0), aspect=(0.75, 1.3333), padding=0):
        self.area = area
        self.aspect = aspect
        self.padding = padding

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
        areas, aspects = check_pair(self, "area"), check_pair(self, "aspect")
        padding = check_count(self, "padding", low=0)
        if tuple(areas) == (1, 1) and padding == 0:
            return None
        n = count_draws(x, donors)
        area = uniform(x, n, areas, generator)
        logs = tuple(map(math.log, aspects))
        most = area.log().abs()  # beyond, one side were outside and the other one inside
        aspect = uniform(x, n, logs, generator).clamp(-most, most).exp()
        matrix = x.new_zeros(n, 3, 3)
        matrix[:, 2, 2] = 1
        sides = (area * aspect).sqrt(), (area / aspect).sqrt()
        for axis, (side, pixels) in enumerate(zip(sides, (x.shape[3], x.shape[2]))):
            room = (1 - side).abs() + 2 * padding / pixels
            matrix[:, axis, axis] = side
            matrix[:, axis, 2] = room * uniform(x, n, (-1, 1), generator)
        return matrix
