"""Patches of series: how steps become tokens, and tokens steps."""

import torch
from torch import nn
from torch.nn import functional as F

from ._layers import check_count
from ._linear_path import with_linear_path

# Patches of a common series where their size is left open, and of the longest one: attention
# takes time with the square of their number, and all series of a batch are as long as one.
_COMMON_PATCHES, _MOST_PATCHES = 32, 512


class PatchReader(nn.Module):
    """Makes one token of every few neighboring steps of a series: the base of encoders of steps.

    Parameters
    ----------
    n_inputs : int
        Number of values of a step.
    width : int
        Of a token.
    patch_size : int
        Number of steps of a patch.
    tells_gaps : bool, default=False
        Whether a token is told how much later it is than the one before: for what does not know
        of times otherwise.
    """

    def __init__(self, n_inputs, width, patch_size, *, tells_gaps=False):
        super().__init__()
        self.width = width
        self.patch_size = patch_size
        self.tells_gaps = tells_gaps
        # next to its values, where in its patch a step is; and nothing, up to a multiple of eight:
        # BLAS then adds in the same order for every row, wherever in the batch it stands
        n_inputs = (n_inputs + 1) * patch_size + tells_gaps
        self.n_spare = -n_inputs % 8
        self.embed = nn.Linear(n_inputs + self.n_spare, width)

    def n_patches(self, length):
        return -(-length // self.patch_size)

    def read_patches(self, inputs, times, inside):
        """Read the patches of series, each on its own.

        Parameters
        ----------
        inputs : torch.Tensor of shape (B, n_inputs, L)
        times : torch.Tensor of shape (B, L)
        inside : torch.Tensor of shape (B, L), bool

        Returns
        -------
        tokens : torch.Tensor of shape (B, S, width)
        when : torch.Tensor of shape (B, S)
            Mean time of the steps of a patch, in patches.
        there : torch.Tensor of shape (B, S), bool
            Which patches have a step inside.
        """
        inputs, times, inside = (
            cut(part.float(), self.patch_size) for part in (inputs, times, inside)
        )
        inside = inside.bool()  # (B, S, p)
        when = (times * inside).sum(2) / inside.sum(2).clamp(min=1)  # (B, S)
        offset = (times - when[..., None]) * inside / self.patch_size  # (B, S, p)
        when, there = when / self.patch_size, inside.any(2)
        parts = [inputs.flatten(2), offset]
        if self.tells_gaps:
            gap = when.diff(dim=1).clamp(min=0).log1p() * (there[:, 1:] & there[:, :-1])
            parts.append(F.pad(gap, (1, 0))[..., None])
        return self.embed(F.pad(torch.cat(parts, 2), (0, self.n_spare))), when, there


class EvenTokens(nn.Module):
    """The tokens of series without gaps, one step a unit of time: of an encoder of samples.

    Parameters
    ----------
    steps : PatchReader
    length : int
    """

    def __init__(self, steps, length):
        super().__init__()
        self.steps = steps
        self.register_buffer("times", torch.arange(float(length)), persistent=False)

    def forward(self, x):
        times = self.times.expand(len(x), -1)
        return self.steps(x, times, torch.ones_like(times, dtype=torch.bool))[0]  # (B, S, W)


class Unpatch(nn.Module):
    """Puts the values of patches in a row: (B, S, n_channels * p) to (B, n_channels, L).

    Parameters
    ----------
    patch_size : int
    length : int or None
        Of the series; None: all steps of the patches.
    """

    def __init__(self, patch_size, length=None):
        super().__init__()
        self.patch_size = patch_size
        self.length = length

    def forward(self, x):
        x = x.unflatten(2, (-1, self.patch_size)).movedim(1, 2)  # (B, n_channels, S, p)
        return x.flatten(2)[..., : self.length]


def cut(x, patch_size):
    """Cut steps into patches: (B, ..., L) into (B, S, ..., p)."""
    x = F.pad(x, (0, -x.shape[-1] % patch_size))
    return x.unflatten(-1, (-1, patch_size)).movedim(-2, 1)


def choose_patch_size(recipe, length, longest=None):
    """Return the parameter `patch_size`, or what leaves as few patches as it should.

    Parameters
    ----------
    recipe : architecture
    length : int
        Of a common series.
    longest : int or None, default=None
        Length of the longest one. None: as common ones.
    """
    if recipe.patch_size is None:
        return max(-(-length // _COMMON_PATCHES), -(-(longest or length) // _MOST_PATCHES))
    check_count(recipe, "patch_size")
    return int(recipe.patch_size)


def make_sample_encoder(recipe, input_shape, n_components):
    """Make an encoder of samples by the encoder of steps of a recipe, with a linear path.

    Parameters
    ----------
    recipe : architecture
    input_shape : tuple of int, (n_channels, length)
    n_components : int

    Returns
    -------
    encoder : torch.nn.Module
    """
    n_channels, length = _check_shape(recipe, input_shape)
    steps = recipe.make_step_encoder(n_channels, length)
    branch = nn.Sequential(
        EvenTokens(steps, length),
        nn.Flatten(),
        nn.Linear(steps.width * steps.n_patches(length), n_components),
    )
    return with_linear_path(branch, input_shape, (n_components,), recipe.linear_path)


def make_sample_decoder(recipe, layers, n_components, output_shape):
    """Make the decoder of samples that matches, of layers over tokens.

    Parameters
    ----------
    recipe : architecture
    layers : torch.nn.Module
        From (B, S, ``recipe.n_units``) to the same shape.
    n_components : int
    output_shape : tuple of int, (n_channels, length)

    Returns
    -------
    decoder : torch.nn.Module
    """
    n_channels, length = _check_shape(recipe, output_shape)
    patch_size = choose_patch_size(recipe, length)
    width, n_patches = recipe.n_units, -(-length // patch_size)
    branch = nn.Sequential(
        nn.Linear(n_components, width * n_patches),
        nn.Unflatten(1, (n_patches, width)),
        layers,
        nn.LayerNorm(width),
        nn.Linear(width, n_channels * patch_size),
        Unpatch(patch_size, length),
    )
    return with_linear_path(branch, (n_components,), output_shape, recipe.linear_path)


def _check_shape(recipe, shape):
    """Return the shape of a sample, or say that it is none of a series."""
    if len(shape) != 2:
        raise ValueError(
            f"{type(recipe).__name__} expects samples of shape (n_channels, length), got samples "
            f"of shape {tuple(shape)}. Give X as an array of 3 dimensions, or set "
            "input_shape=(1, -1) to read each row of a table as one series."
        )
    return shape
