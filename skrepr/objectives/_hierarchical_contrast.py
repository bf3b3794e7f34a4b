"""Hierarchical contrast: two crops of a series agree on each step, and on stretches of steps."""

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._checks import check_number
from ._precision import in_full_precision


class HierarchicalContrast(BaseEstimator):
    r"""Tell the codes of a step in two crops from those of other steps and other series [1]_.

    Two overlapping crops of each series are read, with steps of both hidden at random. The codes
    :math:`r_{i,t}` and :math:`r'_{i,t}` of the steps that they share are compared over time and
    over the series of a batch,

    .. math:: -\log \frac{e^{r_{i,t} \cdot r'_{i,t}}}{\sum_{t'} \left( e^{r_{i,t} \cdot r'_{i,t'}}
              + \mathbb{1}[t \neq t'] \, e^{r_{i,t} \cdot r_{i,t'}} \right)}
              \quad \text{and} \quad
              -\log \frac{e^{r_{i,t} \cdot r'_{i,t}}}{\sum_{j} \left( e^{r_{i,t} \cdot r'_{j,t}}
              + \mathbb{1}[i \neq j] \, e^{r_{i,t} \cdot r_{j,t}} \right)}

    (equations 1 and 2 of [1]_), then again after every two neighbors have become one by their
    maximum, until one is left. The loss is the mean over steps, series, both directions and
    scales, as in the authors' code. Symmetric in the two crops.

    No values are predicted: where they are asked for, they are read from the codes by a linear
    map that is fitted after the training.

    Parameters
    ----------
    hidden_share : float, default=0.5
        Share of the steps of each crop that is hidden, in [0, 1).
    instance_weight : float, default=0.5
        Weight of the comparison over series, in [0, 1]; that over time has the rest.

    See Also
    --------
    MaskedReconstruction : Predicts what is hidden.
    WeightedSum : Both together.

    References
    ----------
    .. [1] Yue, Z. et al. (2022). TS2Vec: towards universal representation of time series. AAAI.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import HierarchicalContrast
    >>> from types import SimpleNamespace
    >>> encoder = SimpleNamespace(width=4, patch_size=1)
    >>> loss = HierarchicalContrast().make_series_loss(encoder, 1, 20)
    >>> inside = torch.ones(1, 20, dtype=torch.bool)
    >>> begin, end, far_begin, far_end = loss.crops(inside)
    >>> bool(0 <= far_begin <= begin < end <= far_end <= 20)
    True
    """

    def __init__(self, hidden_share=0.5, instance_weight=0.5):
        self.hidden_share = hidden_share
        self.instance_weight = instance_weight

    def make_series_loss(self, encoder, n_values, length):
        """Make the module that computes the loss.

        Parameters
        ----------
        encoder : torch.nn.Module
            Of steps.
        n_values : int
            Number of values of a step.
        length : int
            Number of steps of a common series.

        Returns
        -------
        loss : torch.nn.Module
        """
        check_number(self, "hidden_share", 0, 1, open_high=True)
        check_number(self, "instance_weight", 0, 1)
        return _HierarchicalContrast(
            float(self.hidden_share), float(self.instance_weight), encoder.patch_size
        )


class _HierarchicalContrast(nn.Module):
    generator = None

    def __init__(self, hidden_share, instance_weight, patch_size):
        super().__init__()
        self.hidden_share = hidden_share
        self.instance_weight = instance_weight
        self.patch_size = patch_size

    def forward(self, model, series):
        generator = self.generator
        if not self.training:  # held-out losses differ by the network alone
            generator = torch.Generator(series.inside.device).manual_seed(0)
        views = []
        begin, end, far_begin, far_end = self.crops(series.inside, generator)
        for crop in (series.part(far_begin, end), series.part(begin, far_end)):
            draws = torch.rand(crop.inside.shape, generator=generator, device=begin.device)
            views.append(model.read(crop, (draws < self.hidden_share)[:, None]))
        # what two crops share begins with the second one
        first, second = (view.tokens for view in views)
        n = views[0].there.sum(1) - (begin - far_begin) // self.patch_size  # (B,)
        patches = torch.arange(max(1, int(n.max())), device=n.device)
        place = (begin - far_begin)[:, None] // self.patch_size + patches  # (B, T)
        first = first.take_along_dim(place.clamp(max=first.shape[1] - 1)[..., None], 1)
        return hierarchical_contrast(
            first,
            second[:, : len(patches)],
            there=patches < n[:, None],
            instance_weight=self.instance_weight,
        )

    def crops(self, inside, generator=None):
        """Draw two crops of each series that share two patches at least.

        Returns
        -------
        begin, end, far_begin, far_end : torch.Tensor of shape (B,), int64
            Steps, multiples of the size of a patch: one crop is from ``far_begin`` to before
            ``end``, and the other from ``begin`` to before ``far_end``.
        """
        n = inside.sum(1).div(self.patch_size).ceil().long()  # (B,), patches
        draws = torch.rand(4, len(n), generator=generator, device=n.device)

        def draw(number, low, high):
            """Draw a whole number for each row, both bounds included."""
            return low + (draws[number] * (high - low + 1)).long().minimum(high - low)

        shared = draw(0, n.clamp(max=2), n)
        begin = draw(1, torch.zeros_like(n), n - shared)
        end = begin + shared
        far_begin = draw(2, torch.zeros_like(n), begin)
        far_end = draw(3, end, n)
        return tuple(self.patch_size * place for place in (begin, end, far_begin, far_end))


@in_full_precision
def hierarchical_contrast(first, second, *, there, instance_weight=0.5):
    """Contrast the codes of two views over time and over series, at every scale.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, T, W)
        Codes of the same steps.
    there : torch.Tensor of shape (B, T), bool
        Which steps a series has; they stand first.
    instance_weight : float, default=0.5
        Weight of the comparison over series; that over time has the rest.

    Returns
    -------
    loss : torch.Tensor of shape ()
    """
    total, n_scales = 0.0, 0
    while True:
        over_series = _contrast(first.transpose(0, 1), second.transpose(0, 1), there.T)
        over_time = _contrast(first, second, there)
        total = total + instance_weight * over_series + (1 - instance_weight) * over_time
        n_scales += 1
        if first.shape[1] == 1:
            return total / n_scales
        # an odd one at the end is left out
        first, second = F.max_pool1d(first.mT, 2).mT, F.max_pool1d(second.mT, 2).mT
        there = there[:, : 2 * first.shape[1]].unflatten(1, (-1, 2)).all(2)


def _contrast(first, second, there):
    """Tell the partner of each item from all other items of its group.

    Parameters
    ----------
    first, second : torch.Tensor of shape (n_groups, n_items, W)
    there : torch.Tensor of shape (n_groups, n_items), bool
    """
    z = torch.cat([first, second], 1)  # (G, 2N, W)
    there = torch.cat([there, there], 1)
    similarities = z @ z.mT  # (G, 2N, 2N)
    itself = torch.eye(z.shape[1], dtype=torch.bool, device=z.device)
    # finite, so that an item that is not there has a gradient of 0
    nothing = torch.finfo(z.dtype).min / 2
    others = similarities.masked_fill(itself | ~there[:, None], nothing).logsumexp(2)
    partner = (z * z.roll(first.shape[1], 1)).sum(2)
    return ((others - partner) * there).sum() / there.sum().clamp(min=1)
