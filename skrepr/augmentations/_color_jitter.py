"""Brightness, contrast and saturation."""

from sklearn.base import BaseEstimator

from ._chance import count_draws, uniform
from ._checks import check_layout, check_number


class ColorJitter(BaseEstimator):
    """Change brightness, contrast and saturation of images at random.

    It destroys absolute brightness and color: fluxes, magnitudes and color indices of sky
    images, gray values with units. Leave it out where these are looked for.

    Parameters
    ----------
    brightness : float, default=0.4
        Largest amount added to all pixels or taken from them, in typical deviations.
    contrast : float, default=0.4
        Largest relative change of the deviations from the mean of the image, in [0, 1].
    saturation : float, default=0.4
        Largest relative change of the deviations of three channels from their mean, in
        [0, 1]. Images of any other number of channels have none, and nothing is drawn.

    References
    ----------
    .. [1] Chen, T., Kornblith, S., Norouzi, M. & Hinton, G. (2020). A simple framework for
       contrastive learning of visual representations. ICML.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import ColorJitter
    >>> changed = ColorJitter(0.5)(torch.zeros(1000, 1, 2, 2), torch.Generator())
    >>> 0.45 < changed.max() <= 0.5
    tensor(True)
    """

    def __init__(self, brightness=0.4, contrast=0.4, saturation=0.4):
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation

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
        brightness = check_number(self, "brightness")
        contrast = check_number(self, "contrast", high=1)
        saturation = check_number(self, "saturation", high=1)
        shape = count_draws(x, donors), 1, 1, 1
        if saturation and x.shape[1] == 3:
            kept = uniform(x, shape, (1 - saturation, 1 + saturation), generator)
            x = x.mean(1, keepdim=True).lerp(x, kept)
        if contrast:
            kept = uniform(x, shape, (1 - contrast, 1 + contrast), generator)
            x = x.mean((1, 2, 3), keepdim=True).lerp(x, kept)
        if brightness:
            x = x + uniform(x, shape, (-brightness, brightness), generator)
        return x
