"""The small layers that every architecture is built from."""

import numbers

import torch
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}
NORMALIZATIONS = ("batch", "layer")
LINEAR_PATHS = ("pca", "random", None)


class Dropout(nn.Module):
    """Dropout that draws from the generator of the estimator.

    ``torch.nn.Dropout`` can only use torch's global generator, which a library must
    leave as it found it.
    """

    generator = None

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.rate, generator=self.generator)
        return x * keep / (1 - self.rate)


class InputLinear(nn.Linear):
    """The linear layer that reads the sample, with steps that do not grow with its width.

    Adam moves each weight by about the learning rate, so the output of a layer moves in
    proportion to its number of inputs, which for raw spectra or pixels is a thousand. Here
    inputs are scaled down and weights up by the same factor: the same function at the start,
    but steps as if there were 64 inputs. This is the rule for input-wide layers of Yang & Hu
    (2021), Tensor Programs IV, where the learning rate falls as one over the number of
    inputs.
    """

    def __init__(self, n_inputs, n_outputs):
        super().__init__(n_inputs, n_outputs)
        self.shrink = min(1.0, 64 / n_inputs)
        with torch.no_grad():
            self.weight /= self.shrink

    def forward(self, x):
        inputs = x if self.shrink == 1 else x * self.shrink
        return F.linear(inputs, self.weight, self.bias)


def finishing_layers(width, n_spatial, activation, normalization, dropout):
    """List the layers that follow a linear or convolutional one.

    Parameters
    ----------
    width : int
        Number of units or channels.
    n_spatial : int
        Number of axes after the channels: 0 for a table, 1 for series, 2 for images.
    activation, normalization, dropout
        The parameters of the same name of an architecture.

    Returns
    -------
    layers : list of torch.nn.Module
    """
    layers = []
    if normalization == "batch":
        layers.append((nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d)[n_spatial](width))
    elif normalization == "layer":
        layers.append(nn.GroupNorm(1, width) if n_spatial else nn.LayerNorm(width))
    layers.append(ACTIVATIONS[activation]())
    if dropout:
        layers.append(Dropout(dropout))
    return layers


def check_widths(owner, name, value):
    """Return ``value`` as a tuple of positive integers, or say what is wrong with it."""
    widths = (value,) if isinstance(value, numbers.Integral) else value
    if not isinstance(widths, (tuple, list)) or not all(
        isinstance(width, numbers.Integral) and not isinstance(width, bool) and width >= 1
        for width in widths
    ):
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be a tuple of "
            f"integers >= 1. Got {value!r} instead."
        )
    return tuple(int(width) for width in widths)


def check_count(owner, name):
    """Raise unless a parameter is a positive integer."""
    value = getattr(owner, name)
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be an integer >= 1. Got "
            f"{value!r} instead."
        )


def check_option(owner, name, value, options):
    """Raise unless ``value`` is one of ``options``."""
    if not any(value is option or value == option for option in options):
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be one of "
            f"{list(options)}. Got {value!r} instead."
        )


def check_layers(owner):
    """Check the parameters that all architectures with hidden layers share."""
    check_option(owner, "activation", owner.activation, sorted(ACTIVATIONS))
    check_option(owner, "normalization", owner.normalization, (None, *NORMALIZATIONS))
    check_option(owner, "linear_path", owner.linear_path, LINEAR_PATHS)
    check_dropout(owner)


def check_dropout(owner):
    """Raise unless the parameter `dropout` is a share below 1."""
    rate = owner.dropout
    if not isinstance(rate, numbers.Real) or isinstance(rate, bool) or not 0 <= rate < 1:
        raise ValueError(
            f"The 'dropout' parameter of {type(owner).__name__} must be a float in the "
            f"range [0, 1). Got {rate!r} instead."
        )
