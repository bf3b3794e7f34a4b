"""Mirror images."""

import numpy as np
import torch
from sklearn.base import BaseEstimator

from ._chance import count_draws, uniform
from ._checks import check_layout


class RandomFlip(BaseEstimator):
    """Mirror an image, or turn a series around in time, with a probability of one half.

    It destroys handedness: digits and letters flipped are others or none, spiral galaxies
    wind the other way, and of a series flipped in time the rise becomes the decline, which
    supernovae are told apart by. Use it where the mirror image could have been observed too.

    Parameters
    ----------
    horizontal : bool, default=True
        Whether left and right are exchanged in half of the rows; of a series, first and last.
    vertical : bool, default=False
        Whether, drawn on its own, top and bottom are. For images only.

    References
    ----------
    .. [1] Krizhevsky, A., Sutskever, I. & Hinton, G. E. (2012). ImageNet classification with
       deep convolutional neural networks. NeurIPS 25.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import RandomFlip
    >>> x = torch.arange(3.0).repeat(100, 1, 1)
    >>> flipped = RandomFlip()(x, torch.Generator().manual_seed(0))
    >>> flipped.unique(dim=0).squeeze().tolist()
    [[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]
    """

    def __init__(self, horizontal=True, vertical=False):
        self.horizontal = horizontal
        self.vertical = vertical

    def __call__(self, x, generator=None, *, donors=None):
        """Return a changed copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_channels, height, width) or (n, n_channels, length)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, *sample_shape) or None, default=None
            None: a draw for each row. Otherwise one draw, shared by all rows.

        Returns
        -------
        x : torch.Tensor of shape (n, *sample_shape)
        """
        for dim, flipped in self._draw(x, generator, donors):
            x = torch.where(flipped.reshape(-1, *[1] * (x.ndim - 1)), x.flip(dim), x)
        return x

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
        draws = self._draw(x, generator, donors)
        if not draws:
            return None
        signs = x.new_ones(count_draws(x, donors), 3)  # across, down, homogeneous
        for dim, flipped in draws:
            signs[:, -1 - dim] -= 2 * flipped
        return torch.diag_embed(signs)

    def _draw(self, x, generator, donors):
        """Draw which rows are flipped: for each dimension that may be, a boolean (n or 1,)."""
        check_layout(self, x, 3, 4)
        for name in ("horizontal", "vertical"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(
                    f"The {name!r} parameter of RandomFlip must be a bool. "
                    f"Got {getattr(self, name)!r} instead."
                )
        if self.vertical and x.ndim == 3:
            raise ValueError(
                "RandomFlip(vertical=True) is for images. Got a batch of series, of shape "
                f"{tuple(x.shape)}: leave vertical=False."
            )
        dims = [dim for dim, wanted in ((-1, self.horizontal), (-2, self.vertical)) if wanted]
        n = count_draws(x, donors)
        return [(dim, uniform(x, n, (0, 1), generator) < 0.5) for dim in dims]
