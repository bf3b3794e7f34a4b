"""The encoder of methods that put layers of their own behind it."""

import math

import torch
from torch import nn

_VALUES_OF_THUMBNAIL = 1024


class Backbone(nn.Module):
    """Layers whose output an objective is given, and whose maps are read.

    What is read after the training need not be what was trained for: an inner map keeps more of
    what a sample looks like than the last one, which knows better what views have in common.

    Parameters
    ----------
    inner : torch.nn.Module
        Maps ``(B, *input_shape)`` to the inner map.
    outer : torch.nn.Module
        Maps that one to the output.
    width : int
        Number of values of the output.
    read_widths : tuple of int
        Number of values that are read of the inner map, and of the output if that is read, too.
    pools : tuple of torch.nn.Module, default=()
        Make what is read smaller.
    joins_inputs : bool, default=True
        Whether the sample itself is to be read, too.
    reads_raw_values : bool, default=False
        Whether samples are wanted in the units of X.
    """

    def __init__(
        self,
        inner,
        outer,
        width,
        read_widths,
        *,
        pools=(),
        joins_inputs=True,
        reads_raw_values=False,
    ):
        super().__init__()
        self.inner = inner
        self.outer = outer
        self.width = width
        self.read_widths = read_widths
        self.pools = nn.ModuleList(pools or [nn.Identity() for _ in read_widths])
        self.joins_inputs = joins_inputs
        self.reads_raw_values = reads_raw_values
        # convolutions of images take half of the time with the channels last
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        return self.outer(self._inner_map(x)).flatten(1)  # (B, width)

    def read(self, x):
        """Return what is read after the training: one or two tensors (B, its read width)."""
        inner = self._inner_map(x)
        maps = [inner, self.outer(inner)] if len(self.pools) > 1 else [inner]
        return self._pooled(maps)

    def read_and_output(self, x):
        """Return what is read, and the output: a list of tensors, and one (B, width)."""
        inner = self._inner_map(x)
        output = self.outer(inner)
        return self._pooled([inner, output]), output.flatten(1)

    def _pooled(self, maps):
        return [pool(part).flatten(1) for pool, part in zip(self.pools, maps)]

    def _inner_map(self, x):
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        return self.inner(x)


def make_backbone(recipe, input_shape, n_components):
    """Make a backbone by any recipe: one without a method for it gives an encoder to read.

    Parameters
    ----------
    recipe : architecture
    input_shape : tuple of int
        Shape of one sample.
    n_components : int
        Width of the encoder, where that is needed.

    Returns
    -------
    backbone : Backbone
    """
    if hasattr(recipe, "make_backbone"):
        return recipe.make_backbone(input_shape)
    encoder = recipe.make_encoder(input_shape, n_components)
    return Backbone(encoder, nn.Identity(), n_components, (n_components,))


def make_thumbnail(input_shape):
    """Make what shrinks a sample to about 1,000 values, to be read next to a backbone.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.

    Returns
    -------
    thumbnail : torch.nn.Module
    """
    n_channels, *size = input_shape
    if not size:
        return nn.Identity()
    most = max(1, _VALUES_OF_THUMBNAIL // n_channels)
    side = most if len(size) == 1 else math.isqrt(most)
    pool = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)[len(size) - 1]
    return pool(tuple(min(side, own) for own in size))
