"""Recipes for networks: one object makes an encoder and the decoder that matches it.

An architecture is a scikit-learn ``BaseEstimator`` that only stores its parameters and
has two methods, both called while an estimator is being fitted:

``make_encoder(input_shape, n_components)``
    A ``torch.nn.Module`` that maps ``(n, *input_shape)`` to ``(n, n_components)``.
``make_decoder(n_components, output_shape)``
    A ``torch.nn.Module`` that maps ``(n, n_components)`` to ``(n, *output_shape)``.

Methods that put layers of their own behind the encoder ask for a third, if it is there:

``make_backbone(input_shape)``
    A ``torch.nn.Module`` that maps ``(n, *input_shape)`` to ``(n, width)`` and has a method
    ``read(x)``, a list of what is read after the training, ``(n, read_widths[i])`` each. Without
    ``make_backbone`` the encoder is asked for, and its output is read. With a
    method ``read_and_output(x)``, that list and the output, an objective's head is read, too, of
    series.

Methods that read a series step by step ask for a fourth:

``make_step_encoder(n_inputs, length, *, longest=None, causal=False)``
    A ``torch.nn.Module`` that is called with what is known of the steps ``(n, n_inputs, length)``,
    their times ``(n, length)`` and which of them belong to a series ``(n, length)``, and returns
    tokens ``(n, n_patches, width)`` of ``patch_size`` steps each, and which of them are there
    ``(n, n_patches)``. ``length`` is that of a common series, ``longest`` that of the longest; it
    reads others, too. If ``causal``, no token depends on what is behind its patch. With
    ``takes_summary = True`` it is given a learned token ``(width,)`` at last, whose code is the
    first one that it returns, before those of the patches.

A module with a method ``start_linear_path(weight, bias, low, high)`` is told, before
training, the linear map that solves the problem in closed form and the range of its inputs,
unless its attribute ``start`` is another than "pca"; see
:class:`~skrepr.architectures.MLP`. A module that draws random numbers has an attribute
``generator``, ``None`` when made; the estimator puts its own generator there. An encoder with
``reads_raw_values = True`` is given X as it is, not centered and scaled. Any class with these
methods is as good as the ones in this package.

For estimators: `PooledSteps` makes one vector of the tokens of a series; `choose_recipes` and
`choose_backbone` fill in what the user leaves open, `make_backbone` makes one by any recipe,
`as_recipe` turns a torch module of the user into a recipe, and `check_trainable` asks whether
there is one to freeze.
"""

from ._backbone import make_backbone, make_thumbnail  # noqa: F401, for estimators
from ._choice import choose_backbone, choose_recipes  # noqa: F401, for estimators
from ._conv_net import ConvNet
from ._from_module import as_recipe, check_trainable  # noqa: F401, for estimators
from ._linear import Linear
from ._mlp import MLP
from ._patches import Unpatch, cut  # noqa: F401, for estimators
from ._pooling import POOLINGS, PooledSteps  # noqa: F401, for estimators
from ._recurrent import Recurrent
from ._transformer import Transformer

__all__ = ["MLP", "ConvNet", "Linear", "Recurrent", "Transformer"]
