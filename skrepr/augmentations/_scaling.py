"""Series made larger and smaller."""

from sklearn.base import BaseEstimator

from ._chance import count_draws
from ._checks import check_layout, check_number


class Scaling(BaseEstimator):
    """Multiply each channel of a series by a random factor.

    The factor is positive, one for each row and channel; what is multiplied are deviations from
    the mean level of the channel. It destroys amplitudes, and with them fluxes and the ratios of
    channels, such as colors: leave it out where these are looked for.

    Parameters
    ----------
    scale : float, default=0.2
        Standard deviation of the logarithm of the factor.

    References
    ----------
    .. [1] Um, T. T. et al. (2017). Data augmentation of wearable sensor data for Parkinson's
       disease monitoring using convolutional neural networks. ICMI.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import Scaling
    >>> scaled = Scaling(0.2)(torch.ones(1000, 1, 3), torch.Generator().manual_seed(0))
    >>> round(scaled[:, 0, 0].log().std().item(), 1), bool((scaled == scaled[..., :1]).all())
    (0.2, True)
    """

    def __init__(self, scale=0.2):
        self.scale = scale

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
        if scale == 0:
            return x
        factor = x.new_empty(count_draws(x, donors), x.shape[1], 1).normal_(generator=generator)
        return x * (scale * factor).exp()
