"""The multi-layer perceptron."""

import math
from itertools import pairwise

from sklearn.base import BaseEstimator
from torch import nn

from ._backbone import Backbone
from ._layers import InputLinear, check_layers, check_widths, finishing_layers
from ._linear_path import with_linear_path


class MLP(BaseEstimator):
    """Fully connected layers, with a linear path next to them.

    The encoder is ``x -> A x + f(x)`` and the decoder ``z -> B z + g(z)``, with ``f`` and
    ``g`` fully connected networks; any input is flattened.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(256, 64)
        Widths of the hidden layers of the encoder, from the input on; the decoder has
        them in reverse. An empty tuple leaves the linear map alone.
    activation : {"elu", "gelu", "leaky_relu", "relu", "silu", "tanh"}, default="gelu"
        Function of the hidden units.
    normalization : {"batch", "layer"} or None, default=None
        Normalization of the hidden units before the activation.
    dropout : float, default=0.0
        Share of hidden units set to zero in each training step, in [0, 1).
    linear_path : {"pca", "random"} or None, default="pca"
        "pca": the linear maps start at the closed-form solution (for an autoencoder,
        PCA) and the last layers of ``f`` and ``g`` at zero, so that training starts where
        the linear method ends. "random": linear maps with a random start. None: no linear
        path, the plain multi-layer perceptron.

    See Also
    --------
    ConvNet : Convolutional layers, for series and images.
    Linear : The linear maps alone.

    Examples
    --------
    >>> import torch
    >>> from skrepr.architectures import MLP
    >>> recipe = MLP(hidden_layer_sizes=(32,))
    >>> encoder, decoder = recipe.make_encoder((8,), 2), recipe.make_decoder(2, (8,))
    >>> decoder(encoder(torch.zeros(5, 8))).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        hidden_layer_sizes=(256, 64),
        *,
        activation="gelu",
        normalization=None,
        dropout=0.0,
        linear_path="pca",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.normalization = normalization
        self.dropout = dropout
        self.linear_path = linear_path

    def make_encoder(self, input_shape, n_components):
        """Make the encoder.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.
        n_components : int
            Width of the embedding.

        Returns
        -------
        encoder : torch.nn.Module
        """
        widths = (math.prod(input_shape), *self._hidden_widths(), n_components)
        flatten = [nn.Flatten()] if len(input_shape) > 1 else []
        branch = nn.Sequential(*flatten, *self._layers(widths))
        return self._with_linear_path(branch, input_shape, (n_components,))

    def make_backbone(self, input_shape):
        """Make the hidden layers alone, for methods that put layers of their own behind them.

        Without hidden layers, the sample is passed on as it is.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.

        Returns
        -------
        backbone : torch.nn.Module
            See `Backbone`.
        """
        widths = (math.prod(input_shape), *self._hidden_widths())
        layers = nn.Sequential(nn.Flatten(), *self._hidden_layers(widths))
        return Backbone(layers, nn.Identity(), widths[-1], widths[-1:])

    def make_decoder(self, n_components, output_shape):
        """Make the decoder.

        Parameters
        ----------
        n_components : int
            Width of the embedding.
        output_shape : tuple of int
            Shape of one sample.

        Returns
        -------
        decoder : torch.nn.Module
        """
        widths = (n_components, *self._hidden_widths()[::-1], math.prod(output_shape))
        unflatten = [nn.Unflatten(1, tuple(output_shape))] if len(output_shape) > 1 else []
        branch = nn.Sequential(*self._layers(widths), *unflatten)
        return self._with_linear_path(branch, (n_components,), output_shape)

    def _with_linear_path(self, branch, input_shape, output_shape):
        if self.linear_path is not None and not self._hidden_widths():
            branch = None  # it would be a second linear map
        return with_linear_path(branch, input_shape, output_shape, self.linear_path)

    def _hidden_widths(self):
        check_layers(self)
        return check_widths(self, "hidden_layer_sizes", self.hidden_layer_sizes)

    def _layers(self, widths):
        return [*self._hidden_layers(widths[:-1]), nn.Linear(widths[-2], widths[-1])]

    def _hidden_layers(self, widths):
        layers = []
        for n_inputs, n_outputs in pairwise(widths):
            layers.append((nn.Linear if layers else InputLinear)(n_inputs, n_outputs))
            layers += finishing_layers(
                n_outputs, 0, self.activation, self.normalization, self.dropout
            )
        return layers
