"""Dilated convolutions over the patches of series."""

import math

from torch import nn
from torch.nn import functional as F

from ._layers import finishing_layers
from ._patches import PatchReader


class ConvSteps(PatchReader):
    """Tokens of the patches of a series, each of which has seen its neighborhood.

    The dilation doubles from one convolution to the next, until they see the whole series. What is
    not there is zero before each convolution, and has no part in a normalization.

    Parameters
    ----------
    n_inputs : int
        Number of values of a step.
    length : int
        Length of a series; others can be read, too.
    patch_size : int
        Number of steps of a patch.
    channels : tuple of int
        Of the convolutions: each for an equal share of them.
    kernel_size : int
        Odd.
    activation, normalization, dropout
        See `ConvNet`.
    causal : bool
        Whether no token may see later ones.
    """

    def __init__(
        self,
        n_inputs,
        length,
        patch_size,
        *,
        channels,
        kernel_size,
        activation,
        normalization,
        dropout,
        causal,
    ):
        super().__init__(n_inputs, channels[0], patch_size, tells_gaps=True)
        self.width = channels[-1]
        n_convolutions = len(channels)
        if kernel_size > 1:
            reach = self.n_patches(length) / (kernel_size - 1)
            n_convolutions = max(n_convolutions, math.ceil(math.log2(reach + 1)))
        n_in, layers = channels[0], []
        for i in range(n_convolutions):
            n_out = channels[i * len(channels) // n_convolutions]
            finish = finishing_layers(n_out, 0, activation, normalization, dropout)
            layers.append(_Convolution(n_in, n_out, kernel_size, 2**i, finish, causal))
            n_in = n_out
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(self.width)

    def forward(self, inputs, times, inside):
        """Read series: see `StepEncoder`."""
        tokens, _, there = self.read_patches(inputs, times, inside)
        for layer in self.layers:
            tokens = layer(tokens, there)
        return self.norm(tokens), there


class _Convolution(nn.Module):
    """A convolution of tokens (B, S, W), next to an identity or a linear map."""

    def __init__(self, n_in, n_out, kernel_size, dilation, finish, causal):
        super().__init__()
        reach = dilation * (kernel_size - 1)
        self.padding = (reach, 0) if causal else (reach // 2, reach // 2)
        self.convolution = nn.Conv1d(n_in, n_out, kernel_size, dilation=dilation)
        self.finish = nn.Sequential(*finish)
        self.beside = nn.Identity() if n_in == n_out else nn.Linear(n_in, n_out)

    def forward(self, x, there):
        seen = F.pad((x * there[..., None]).mT, self.padding)
        seen = self.convolution(seen).mT  # (B, S, n_out)
        if self.training and there.sum() < 2:  # batch normalization has no variance of one
            there = there.new_ones(there.shape)
        changed = self.finish(seen[there])  # (n_there, n_out)
        seen = changed.new_zeros(seen.shape)
        seen[there] = changed
        return self.beside(x) + seen
