"""A user's own torch module in the place of an architecture."""

import copy

import torch
from torch import nn

from ._backbone import Backbone


def is_recipe(part):
    """Whether ``part`` makes networks, and is none itself."""
    return not isinstance(part, nn.Module)


def check_trainable(architecture, trainable):
    """Check that there is something to freeze if `trainable` is False."""
    if not trainable and (architecture is None or is_recipe(architecture)):
        raise ValueError(
            "trainable=False freezes an encoder that is given as a torch.nn.Module. Got "
            f"architecture={architecture!r}; leave trainable at True."
        )


def as_recipe(part, trainable=True):
    """Return a recipe as it is, and wrap a module in one."""
    return part if is_recipe(part) else FromModule(part, trainable)


class FromModule:
    """Recipe of a network that is there already.

    Parameters
    ----------
    module : torch.nn.Module
    trainable : bool
        Whether an encoder is trained further.
    """

    def __init__(self, module, trainable):
        self.module = module
        self.trainable = trainable

    def make_encoder(self, input_shape, n_components):
        """Copy the module, and put a linear layer behind it."""
        return ModuleEncoder(self.module, input_shape, n_components, self.trainable)

    def make_backbone(self, input_shape):
        """Copy the module: its output is given to the objective, and read."""
        return ModuleBackbone(self.module, input_shape, self.trainable)

    def make_decoder(self, n_components, output_shape):
        """Copy the module, once it is known to return the right shape."""
        shape = tuple(probe(self.module, "decoder", (n_components,)).shape[1:])
        if shape != tuple(output_shape):
            raise ValueError(
                f"The module given as decoder must return samples of shape {output_shape}. Got "
                f"{shape} instead."
            )
        return copy.deepcopy(self.module)


class _Given(nn.Module):
    """Holds a copy of a given module, which stays as it is if it is not to be trained."""

    trainable = True

    def hold(self, module, trainable):
        vars(self)["trainable"] = trainable  # before torch has set up this module, too
        copied = copy.deepcopy(module)
        if not trainable:
            if not any(True for _ in module.parameters()):
                raise ValueError(
                    "trainable=False, but the module given as architecture has no "
                    "parameters to freeze. Leave trainable at True."
                )
            copied.requires_grad_(False)
        return copied

    def train(self, mode=True):
        super().train(mode)
        if not self.trainable:
            self.given.eval()
        return self


class ModuleBackbone(_Given, Backbone):
    """A given module, whose output is trained and read.

    Parameters are those of `ModuleEncoder`.
    """

    def __init__(self, module, input_shape, trainable):
        width = probe(module, "architecture", input_shape).flatten(1).shape[1]
        super().__init__(
            self.hold(module, trainable),
            nn.Identity(),
            width,
            (width,),
            joins_inputs=False,
            reads_raw_values=True,
        )

    @property
    def given(self):
        return self.inner


class ModuleEncoder(_Given):
    """A given module, and a linear layer from its output to the embedding.

    Parameters
    ----------
    module : torch.nn.Module
        Maps ``(n, *input_shape)`` to ``(n, ...)``; it is copied.
    input_shape : tuple of int
    n_components : int
    trainable : bool
        Whether the weights of ``module`` are trained. If not, it also stays in evaluation
        mode, so that batch statistics and dropout are those it was trained with.
    """

    reads_raw_values = True  # a network trained elsewhere knows the data in their own units

    def __init__(self, module, input_shape, n_components, trainable):
        super().__init__()
        self.module = self.hold(module, trainable)
        n_features = probe(module, "architecture", input_shape).flatten(1).shape[1]
        self.linear = nn.Linear(n_features, n_components)

    @property
    def given(self):
        return self.module

    def forward(self, x):
        return self.linear(self.module(x).flatten(1))  # (B, n_components)


@torch.no_grad()
def probe(module, name, input_shape):
    """Return what a copy of the module makes of two samples of zeros."""
    try:
        output = copy.deepcopy(module).eval()(torch.zeros(2, *input_shape))
    except Exception as error:
        raise ValueError(
            f"The module given as {name} cannot read samples of shape {input_shape}: {error}"
        ) from error
    if not isinstance(output, torch.Tensor) or output.ndim < 2 or len(output) != 2:
        raise ValueError(
            f"The module given as {name} must map (n, *shape) to a tensor of shape (n, ...). "
            f"Got {getattr(output, 'shape', type(output))} for n=2."
        )
    return output
