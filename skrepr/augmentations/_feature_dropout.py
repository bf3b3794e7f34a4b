"""Masking noise."""

from sklearn.base import BaseEstimator

from ._chance import chosen


class FeatureDropout(BaseEstimator):
    """Replace a random share of the values by the mean of their column (masking noise).

    Parameters
    ----------
    rate : float, default=0.2
        Share of values replaced, in [0, 1].

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine
       Learning Research 11, 3371-3408.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import FeatureDropout
    >>> masked = FeatureDropout(0.25)(torch.ones(1000, 8), torch.Generator().manual_seed(0))
    >>> round(masked.mean().item(), 2)
    0.75
    """

    def __init__(self, rate=0.2):
        self.rate = rate

    def __call__(self, x, generator=None, *, donors=None):
        """Return a masked copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, *sample_shape)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, *sample_shape) or None, default=None
            None: a draw for each row. Otherwise one draw, shared by all rows.

        Returns
        -------
        x : torch.Tensor of shape (n, *sample_shape)
        """
        return x.masked_fill(chosen(self, x, generator, donors), 0.0)
