"""A series at uneven pace."""

import torch
from sklearn.base import BaseEstimator
from torch.nn import functional as F

from ._chance import count_draws
from ._checks import check_count, check_layout, check_number
from ._resampled import resampled


class TimeWarp(BaseEstimator):
    """Let time run faster and slower along a series, smoothly and never backward.

    The logarithm of the pace is drawn at a few knots and interpolated linearly in between; first
    and last step stay where they are. It destroys durations and frequencies, such as the period
    of a variable star, and the places of lines in a spectrum.

    Parameters
    ----------
    scale : float, default=0.3
        Standard deviation of the logarithm of the pace at a knot.
    n_knots : int, default=4
        Number of knots, evenly spaced from the first step to the last, 2 at least.

    References
    ----------
    .. [1] Um, T. T. et al. (2017). Data augmentation of wearable sensor data for Parkinson's
       disease monitoring using convolutional neural networks. ICMI.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import TimeWarp
    >>> x = torch.linspace(0, 1, 50).reshape(1, 1, 50)
    >>> warped = TimeWarp(0.5)(x, torch.Generator().manual_seed(0)).squeeze()
    >>> bool((warped.diff() > 0).all()), round(warped[0].item(), 3), round(warped[-1].item(), 3)
    (True, 0.0, 1.0)
    """

    def __init__(self, scale=0.3, n_knots=4):
        self.scale = scale
        self.n_knots = n_knots

    def __call__(self, x, generator=None, *, donors=None):
        """Return a changed copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_channels, length)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, n_channels, length) or None, default=None
            None: a draw for each row. Otherwise one draw, shared by all rows.

        Returns
        -------
        x : torch.Tensor of shape (n, n_channels, length)
        """
        check_layout(self, x, 3)
        scale = check_number(self, "scale")
        n_knots = check_count(self, "n_knots", low=2)
        length = x.shape[2]
        if scale == 0 or length < 2:
            return x
        knots = x.new_empty(count_draws(x, donors), 1, n_knots).normal_(generator=generator)
        knots = F.interpolate(scale * knots, length - 1, mode="linear", align_corners=True)[:, 0]
        pace = torch.softmax(knots, 1)  # of each interval, which add up to the whole
        return resampled(x, F.pad(pace.cumsum(1), (1, 0)))
