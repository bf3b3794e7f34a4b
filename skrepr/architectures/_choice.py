"""Which recipes are used: the user's, or those that suit the shape of the data."""

from sklearn.base import clone

from ._conv_net import ConvNet
from ._from_module import is_recipe
from ._mlp import MLP


def choose_recipes(architecture, decoder, input_shape):
    """Choose the recipes of encoder and decoder for samples of a shape.

    Recipes are cloned. A torch module stays what it is: it is copied only when a network is made.

    Parameters
    ----------
    architecture, decoder : architecture, torch.nn.Module or None
        None: what suits the shape; the decoder is the mirror image of the encoder.
    input_shape : tuple of int

    Returns
    -------
    architecture, decoder : architecture or torch.nn.Module
    """
    default = MLP() if len(input_shape) == 1 else ConvNet()
    architecture = _own(architecture, default)
    mirrored = architecture if is_recipe(architecture) else default
    return architecture, _own(decoder, mirrored)


def choose_backbone(architecture, input_shape):
    """Choose the recipe of a backbone for samples of a shape, as `choose_recipes` does.

    Parameters
    ----------
    architecture : architecture, torch.nn.Module or None
    input_shape : tuple of int

    Returns
    -------
    architecture : architecture or torch.nn.Module
    """
    if len(input_shape) == 1:
        return _own(architecture, MLP((256, 256)))
    return _own(architecture, ConvNet((32, 64, 128, 128), activation="relu"))


def _own(part, default):
    part = default if part is None else part
    return clone(part, safe=False) if is_recipe(part) else part
