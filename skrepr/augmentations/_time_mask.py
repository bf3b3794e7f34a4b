"""Gaps in a series."""

from sklearn.base import BaseEstimator

from ._chance import count_draws, spans
from ._checks import check_count, check_layout, check_number


class TimeMask(BaseEstimator):
    """Replace contiguous spans of a series, in all channels, by the mean level of each channel.

    What happens in a span is lost, such as a short flare, a transit or a narrow line.

    Parameters
    ----------
    share : float, default=0.2
        Share of the steps that the spans cover together where they do not overlap, in [0, 1];
        the length of a span is rounded to whole steps, one at least.
    n_spans : int, default=2
        Number of spans of equal length; they may overlap.

    References
    ----------
    .. [1] Park, D. S. et al. (2019). SpecAugment: a simple data augmentation method for
       automatic speech recognition. Interspeech.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import TimeMask
    >>> x = torch.ones(1, 1, 10)
    >>> TimeMask(0.3, n_spans=1)(x, torch.Generator().manual_seed(0)).sum().item()
    7.0
    """

    def __init__(self, share=0.2, n_spans=2):
        self.share = share
        self.n_spans = n_spans

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
        share = check_number(self, "share", high=1)
        n_spans = check_count(self, "n_spans", low=1)
        if share == 0:
            return x
        n, length = count_draws(x, donors), x.shape[2]
        n_covered = max(1, round(share * length / n_spans))
        hidden = spans(x, n * n_spans, length, n_covered, generator)
        return x.masked_fill(hidden.reshape(n, n_spans, length).any(1)[:, None], 0.0)
