"""A linear map next to a non-linear branch that starts at zero.

With the linear map at the closed-form solution of the linear problem (PCA, for an
autoencoder), the network starts where the classic method ends, and training can only
add to it. The idea is that of a residual branch initialized at zero (Goyal et al. 2017,
section 5.1; Zhang, Dauphin & Ma 2019), with the linear method as the trunk.
"""

import math

import torch
from torch import nn

from ._layers import InputLinear


class LinearPath(nn.Module):
    """The sum of a linear map and a branch.

    Parameters
    ----------
    branch : torch.nn.Module or None
        Maps ``(n, *input_shape)`` to ``(n, *output_shape)``. None: the linear map alone.
    input_shape, output_shape : tuple of int
    start : {"pca", "random"}
        "pca": wait for `start_linear_path`, and leave the start to it: the branch begins
        at zero. "random": torch's usual start for both.
    """

    def __init__(self, branch, input_shape, output_shape, start):
        super().__init__()
        self.register_buffer("low", torch.full(input_shape, -torch.inf))
        self.register_buffer("high", torch.full(input_shape, torch.inf))
        self.output_shape = tuple(output_shape)
        self.linear = InputLinear(math.prod(input_shape), math.prod(output_shape))
        self.branch = branch
        self.start = start
        if start == "pca" and branch is not None:
            last = [m for m in branch.modules() if isinstance(m, _WITH_WEIGHTS)][-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x):
        y = self.linear(x.flatten(1)).unflatten(1, self.output_shape)  # (B, *output)
        if self.branch is None:
            return y
        return y + self.branch(x.clamp(self.low, self.high))

    @torch.no_grad()
    def start_linear_path(self, weight, bias, low, high):
        """Set the linear map to a solution in closed form, if it waits for one.

        Parameters
        ----------
        weight : torch.Tensor of shape (k, n_inputs) or (n_outputs, k)
            Where the closed form has fewer directions than the map (a rank below
            `n_components`), only the first rows or columns are set: spare inputs begin
            without effect, spare outputs as torch draws them.
        bias : torch.Tensor of shape (k,) or (n_outputs,)
        low, high : torch.Tensor of shape (n_inputs,) or (k,)
            Range of the inputs in the training rows. Beyond it the branch stays at what it
            is at the border, and the map goes on linearly: a network has learned nothing
            about how to go on, and a row far out would be rebuilt arbitrarily badly.
        """
        if self.start != "pca":
            return
        n_outputs, n_inputs = weight.shape
        self.linear.weight[:, n_inputs:] = 0
        self.linear.weight[:n_outputs, :n_inputs] = weight / self.linear.shrink
        self.linear.bias[: bias.shape[0]] = bias
        self.low.view(-1)[:n_inputs] = low
        self.high.view(-1)[:n_inputs] = high


_WITH_WEIGHTS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
)


def with_linear_path(branch, input_shape, output_shape, start):
    """Put a linear path next to ``branch``, or nothing where ``start`` is None."""
    if start is None:
        return branch
    return LinearPath(branch, input_shape, output_shape, start)
