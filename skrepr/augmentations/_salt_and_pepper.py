"""Salt-and-pepper noise."""

import torch
from sklearn.base import BaseEstimator

from ._chance import chosen, empty_draws


class SaltAndPepper(BaseEstimator):
    """Replace a random share of the values by an extreme one.

    Each chosen value becomes the least or the largest of its column in the batch, with equal
    probability; outside training, of the training rows that are kept for it.

    Parameters
    ----------
    rate : float, default=0.1
        Share of values replaced, in [0, 1].

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine
       Learning Research 11, 3371-3408.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import SaltAndPepper
    >>> x = torch.linspace(-1, 1, 9)[:, None]
    >>> sorted(SaltAndPepper(1.0)(x).unique().tolist())
    [-1.0, 1.0]
    """

    borrows = True

    def __init__(self, rate=0.1):
        self.rate = rate

    def __call__(self, x, generator=None, *, donors=None):
        """Return a changed copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, *sample_shape)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, *sample_shape) or None, default=None
            None: a draw for each row, from the rows of `x`. Otherwise one draw, shared by all
            rows, from these.

        Returns
        -------
        x : torch.Tensor of shape (n, *sample_shape)
        """
        changed = chosen(self, x, generator, donors)
        if not changed.any():
            return x
        salt = empty_draws(x, donors).bernoulli_(0.5, generator=generator).bool()
        known = x if donors is None else donors
        return torch.where(changed, torch.where(salt, known.amax(0), known.amin(0)), x)
