"""The convolutional network, for series and images."""

import math
import numbers
from typing import NamedTuple

from sklearn.base import BaseEstimator
from torch import nn

from ._backbone import Backbone
from ._conv_steps import ConvSteps
from ._layers import check_layers, check_widths, finishing_layers
from ._linear_path import with_linear_path

# The longest series and the widest image that go without a stem, and so the size that a
# stem brings longer ones down to: three further halvings leave a map that a linear layer
# can read.
_LONGEST = {1: 256, 2: 64}
# Of the longest series, where common ones go without patches.
_MOST_PATCHES = 1024
# A backbone keeps a map of at least this length or side: where things are matters.
_SHORTEST = {1: 16, 2: 4}


class _Step(NamedTuple):
    """One convolution of the encoder, and what its transpose has to undo."""

    n_in: int
    n_out: int
    size_in: tuple
    size_out: tuple
    kernel: int
    stride: int


class ConvNet(BaseEstimator):
    """Convolutions of stride 2, with a linear path next to them.

    Works on series ``(n_channels, length)`` and on images
    ``(n_channels, height, width)``, of any size: the decoder returns odd sizes exactly.
    Small images (sides up to 64) and short series (up to 256 steps) go straight to these
    convolutions; larger ones pass through a stem first, one convolution whose stride brings
    them down to that size.

    As an encoder of steps, its convolutions have no stride: their dilation doubles from one to the
    next until they see the whole series, and `channels` are each for an equal share of them. Steps
    are joined in patches where common series are longer than 256, or the longest than 1024.

    Parameters
    ----------
    channels : tuple of int, default=(32, 64, 128)
        Channels of the convolutions of the encoder, each of stride 2; the decoder has
        them in reverse.
    kernel_size : int, default=3
        Length or side of the kernels; odd.
    activation : {"elu", "gelu", "leaky_relu", "relu", "silu", "tanh"}, default="gelu"
        Function of the hidden units.
    normalization : {"batch", "layer"} or None, default="batch"
        Normalization of the hidden units before the activation.
    dropout : float, default=0.0
        Share of hidden units set to zero in each training step, in [0, 1).
    linear_path : {"pca", "random"} or None, default="pca"
        A linear map next to the convolutions, as in :class:`~skrepr.architectures.MLP`.
        It has as many weights as the sample has values, times the width of the embedding. An
        encoder of steps has none.

    See Also
    --------
    MLP : Fully connected layers, for tables.

    Examples
    --------
    >>> import torch
    >>> from skrepr.architectures import ConvNet
    >>> recipe = ConvNet(channels=(8, 16))
    >>> encoder = recipe.make_encoder((1, 27, 13), 4)
    >>> decoder = recipe.make_decoder(4, (1, 27, 13))
    >>> decoder(encoder(torch.zeros(5, 1, 27, 13))).shape
    torch.Size([5, 1, 27, 13])
    """

    def __init__(
        self,
        channels=(32, 64, 128),
        *,
        kernel_size=3,
        activation="gelu",
        normalization="batch",
        dropout=0.0,
        linear_path="pca",
    ):
        self.channels = channels
        self.kernel_size = kernel_size
        self.activation = activation
        self.normalization = normalization
        self.dropout = dropout
        self.linear_path = linear_path

    def make_encoder(self, input_shape, n_components):
        """Make the encoder.

        Parameters
        ----------
        input_shape : tuple of int, (n_channels, length) or (n_channels, height, width)
            Shape of one sample.
        n_components : int
            Width of the embedding.

        Returns
        -------
        encoder : torch.nn.Module
        """
        steps = self._steps(input_shape)
        flat = steps[-1].n_out * math.prod(steps[-1].size_out)
        branch = nn.Sequential(
            *self._convolutions(steps), nn.Flatten(), nn.Linear(flat, n_components)
        )
        return with_linear_path(branch, input_shape, (n_components,), self.linear_path)

    def make_backbone(self, input_shape):
        """Make the convolutions alone, for methods that put layers of their own behind them.

        Strides of 2 end where a map has 4 rows and columns, or 16 steps. The last two maps are
        read, averaged to this size.

        Parameters
        ----------
        input_shape : tuple of int, (n_channels, length) or (n_channels, height, width)
            Shape of one sample.

        Returns
        -------
        backbone : torch.nn.Module
            See `Backbone`.
        """
        n_spatial = len(input_shape) - 1
        shortest = _SHORTEST.get(n_spatial)
        steps = self._steps(input_shape, shortest)
        inner, outer = (steps[:-1], steps[-1:]) if len(steps) > 1 else (steps, [])
        read = [inner[-1], *outer]
        sizes = [tuple(min(side, shortest) for side in step.size_out) for step in read]
        pool = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)[n_spatial - 1]
        return Backbone(
            nn.Sequential(*self._convolutions(inner)),
            nn.Sequential(*self._convolutions(outer)),
            steps[-1].n_out * math.prod(steps[-1].size_out),
            tuple(step.n_out * math.prod(size) for step, size in zip(read, sizes)),
            pools=[pool(size) for size in sizes],
        )

    def make_step_encoder(self, n_inputs, length, *, longest=None, causal=False):
        """Make the network that reads a series step by step.

        Parameters
        ----------
        n_inputs : int
            Number of values of a step.
        length : int
            Length of a common series; others can be read, too.
        longest : int or None, default=None
            Length of the longest one. None: as common ones.
        causal : bool, default=False
            Whether a patch is told from itself and those before it alone.

        Returns
        -------
        encoder : torch.nn.Module
            See `ConvSteps`.
        """
        channels = self._check_parameters()
        return ConvSteps(
            n_inputs,
            length,
            max(-(-length // _LONGEST[1]), -(-(longest or length) // _MOST_PATCHES)),
            channels=channels,
            kernel_size=self.kernel_size,
            activation=self.activation,
            normalization=self.normalization,
            dropout=self.dropout,
            causal=causal,
        )

    def make_decoder(self, n_components, output_shape):
        """Make the decoder.

        Parameters
        ----------
        n_components : int
            Width of the embedding.
        output_shape : tuple of int, (n_channels, length) or (n_channels, height, width)
            Shape of one sample.

        Returns
        -------
        decoder : torch.nn.Module
        """
        steps = self._steps(output_shape)
        n_spatial = len(output_shape) - 1
        transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d)[n_spatial - 1]
        smallest = (steps[-1].n_out, *steps[-1].size_out)
        layers = [
            nn.Linear(n_components, math.prod(smallest)),
            nn.Unflatten(1, smallest),
            *self._finish(smallest[0], n_spatial),
        ]
        for step in reversed(steps):
            # what the stride of the encoder rounded away: the sizes return exactly
            padding = tuple(
                big - (small - 1) * step.stride - 1
                for big, small in zip(step.size_in, step.size_out, strict=True)
            )
            layers.append(
                transposed(
                    step.n_out,
                    step.n_in,
                    step.kernel,
                    step.stride,
                    step.kernel // 2,
                    output_padding=padding,
                )
            )
            if step is not steps[0]:
                layers += self._finish(step.n_in, n_spatial)
        branch = nn.Sequential(*layers)
        return with_linear_path(branch, (n_components,), output_shape, self.linear_path)

    def _convolutions(self, steps):
        layers = []
        for step in steps:
            n_spatial = len(step.size_in)
            convolution = (nn.Conv1d, nn.Conv2d)[n_spatial - 1]
            layers.append(
                convolution(step.n_in, step.n_out, step.kernel, step.stride, step.kernel // 2)
            )
            layers += self._finish(step.n_out, n_spatial)
        return layers

    def _finish(self, width, n_spatial):
        return finishing_layers(
            width, n_spatial, self.activation, self.normalization, self.dropout
        )

    def _steps(self, shape, shortest=0):
        """List the convolutions of the encoder for samples of ``shape``.

        Maps of no more than ``shortest`` steps or rows and columns are not halved again.
        """
        channels, kernel = self._check_parameters(), self.kernel_size
        if len(shape) not in (2, 3):
            raise ValueError(
                "ConvNet expects samples of shape (n_channels, length) or "
                f"(n_channels, height, width), got samples of shape {tuple(shape)}. Give "
                "X as an array of 3 or 4 dimensions, or set input_shape, for instance "
                "input_shape=(1, -1) to read each row of a table as one series."
            )
        n_in, *size = shape
        shrink = max(size) / _LONGEST[len(size)]
        plan = [(width, kernel, 2) for width in channels]
        if shrink > 1:
            stride = 2 ** math.ceil(math.log2(shrink))
            plan.insert(0, (channels[0], max(kernel, 2 * stride - 1), stride))
        steps = []
        for n_out, kernel, stride in plan:
            stride = stride if max(size) > shortest else 1
            size_out = tuple(-(-side // stride) for side in size)
            step = _Step(n_in, n_out, tuple(size), size_out, kernel, stride)
            steps.append(step)
            n_in, size = n_out, step.size_out
        return steps

    def _check_parameters(self):
        """Check the parameters; return ``channels``."""
        check_layers(self)
        channels = check_widths(self, "channels", self.channels)
        if not channels:
            raise ValueError(
                "The 'channels' parameter of ConvNet must name at least one convolution. Got "
                f"{self.channels!r} instead."
            )
        kernel = self.kernel_size
        if (
            not isinstance(kernel, numbers.Integral)
            or isinstance(kernel, bool)
            or kernel < 1
            or kernel % 2 == 0
        ):
            raise ValueError(
                "The 'kernel_size' parameter of ConvNet must be an odd integer >= 1. "
                f"Got {kernel!r} instead."
            )
        return channels
