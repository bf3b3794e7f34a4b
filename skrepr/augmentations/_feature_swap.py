"""Swap noise."""

import torch
from sklearn.base import BaseEstimator

from ._chance import chosen, empty_draws


class FeatureSwap(BaseEstimator):
    """Replace a random share of the values by those of other rows in the same column.

    The changed values follow the distribution of their column, whatever that is; what is
    destroyed is their agreement with the rest of the row. Each is taken from another row of
    the batch; a batch of one row is left as it is. Outside training they are taken from
    training rows that are kept for it.

    Parameters
    ----------
    rate : float, default=0.15
        Share of values replaced, in [0, 1].

    References
    ----------
    .. [1] Bahri, D., Jiang, H., Tay, Y. & Metzler, D. (2022). SCARF: self-supervised
       contrastive learning using random feature corruption. ICLR.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import FeatureSwap
    >>> x = torch.arange(4.0)[:, None]
    >>> bool((FeatureSwap(1.0)(x) == x).any())
    False
    """

    borrows = True

    def __init__(self, rate=0.15):
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
        n = len(x)
        swapped = chosen(self, x, generator, donors)
        if not swapped.any() or (donors is None and n == 1):
            return x
        if donors is not None:
            m = len(donors)
            donor = empty_draws(x, donors).uniform_(0, m, generator=generator).long()
            return torch.where(swapped, donors.gather(0, donor.clamp(max=m - 1)), x)
        # a uniform draw among the n - 1 other rows, for each value on its own
        away = torch.empty_like(x).uniform_(1, n, generator=generator).long().clamp(max=n - 1)
        own = torch.arange(n, device=x.device).reshape(-1, *[1] * (x.ndim - 1))
        return torch.where(swapped, x.gather(0, (own + away) % n), x)
