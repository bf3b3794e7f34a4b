"""The recurrent network, for series: a state that is carried along."""

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._layers import LINEAR_PATHS, Dropout, check_count, check_dropout, check_option
from ._patches import PatchReader, choose_patch_size, make_sample_decoder, make_sample_encoder

_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(BaseEstimator):
    """A state that is carried from patch to patch of a series.

    A series is cut into patches of neighboring steps, each of which becomes one token, which is
    told how much later it is than the one before. Gated recurrent units [1]_ or long short-term
    memory [2]_ read the tokens forward and, in the other half of the units, backward. Where the
    objective is causal, all units read forward.

    Parameters
    ----------
    cell : {"gru", "lstm"}, default="gru"
        What carries the state.
    n_units : int, default=64
        Width of a token; even, since each direction has one half.
    n_layers : int, default=1
        Number of layers.
    patch_size : int or None, default=None
        Number of steps of a patch. None: the smallest that cuts a common series into at most 32
        patches, and the longest one into at most 512, so that memory and time grow in proportion
        to the length.
    dropout : float, default=0.0
        Share of the units behind each layer set to zero in each training step, in [0, 1).
    linear_path : {"pca", "random"} or None, default="pca"
        A linear map next to the network where it is encoder or decoder of whole samples, as in
        :class:`~skrepr.architectures.MLP`. An encoder of steps has none.

    See Also
    --------
    Transformer : Attention.
    ConvNet : Convolutions.

    References
    ----------
    .. [1] Cho, K. et al. (2014). Learning phrase representations using RNN encoder-decoder for
       statistical machine translation. EMNLP.
    .. [2] Hochreiter, S. & Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9.

    Examples
    --------
    >>> import torch
    >>> from skrepr.architectures import Recurrent
    >>> encoder = Recurrent("lstm", n_units=16).make_encoder((1, 100), 4)
    >>> encoder(torch.zeros(5, 1, 100)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        cell="gru",
        *,
        n_units=64,
        n_layers=1,
        patch_size=None,
        dropout=0.0,
        linear_path="pca",
    ):
        self.cell = cell
        self.n_units = n_units
        self.n_layers = n_layers
        self.patch_size = patch_size
        self.dropout = dropout
        self.linear_path = linear_path

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
            See `RecurrentSteps`.
        """
        layers = self._layers(causal)
        patch_size = choose_patch_size(self, length, longest)
        return RecurrentSteps(layers, n_inputs, self.n_units, patch_size)

    def make_encoder(self, input_shape, n_components):
        """Make the encoder.

        Parameters
        ----------
        input_shape : tuple of int, (n_channels, length)
            Shape of one sample.
        n_components : int
            Width of the embedding.

        Returns
        -------
        encoder : torch.nn.Module
        """
        return make_sample_encoder(self, input_shape, n_components)

    def make_decoder(self, n_components, output_shape):
        """Make the decoder.

        Parameters
        ----------
        n_components : int
            Width of the embedding.
        output_shape : tuple of int, (n_channels, length)
            Shape of one sample.

        Returns
        -------
        decoder : torch.nn.Module
        """
        layers = self._layers()
        return make_sample_decoder(self, layers, n_components, output_shape)

    def _layers(self, causal=False):
        check_option(self, "cell", self.cell, tuple(_CELLS))
        for name in ("n_units", "n_layers"):
            check_count(self, name)
        if self.n_units % 2:
            raise ValueError(
                f"The 'n_units' parameter of Recurrent must be even. Got {self.n_units!r} instead."
            )
        check_option(self, "linear_path", self.linear_path, LINEAR_PATHS)
        check_dropout(self)
        return _Layers(
            _CELLS[self.cell], self.n_units, self.n_layers, self.dropout, 1 if causal else 2
        )


class RecurrentSteps(PatchReader):
    """Tokens of the patches of a series, read one after the other.

    Parameters
    ----------
    layers : torch.nn.Module
    n_inputs : int
        Number of values of a step.
    width : int
        Of a token.
    patch_size : int
        Number of steps of a patch.
    """

    def __init__(self, layers, n_inputs, width, patch_size):
        super().__init__(n_inputs, width, patch_size, tells_gaps=True)
        self.layers = layers
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs, times, inside):
        """Read series: see `StepEncoder`."""
        tokens, _, there = self.read_patches(inputs, times, inside)
        return self.norm(self.layers(tokens, there)), there


class _Layers(nn.Module):
    """Recurrent layers over tokens (B, S, W) of which some are there, without a gap."""

    def __init__(self, cell, width, n_layers, dropout, n_directions):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                cell(width, width // n_directions, batch_first=True) for _ in range(n_directions)
            )
            for _ in range(n_layers)
        )
        self.dropout = Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x, there=None):
        n = x.shape[1]
        steps = torch.arange(n, device=x.device)
        if there is None:
            begin, end = 0, n - 1
        else:
            begin = there.int().argmax(1, keepdim=True)  # (B, 1)
            end = begin + there.sum(1, keepdim=True) - 1
        # forward from the first token that is there, backward from the last: what is not there
        # is read after all that is
        orders = (steps + begin) % n, (end - steps) % n
        places = (steps - begin) % n, (end - steps) % n  # of each token in these orders
        orders, places = (
            [o.expand(len(x), n)[..., None] for o in both] for both in (orders, places)
        )
        for directions in self.layers:
            seen = [
                read(x.float().take_along_dim(order, 1))[0].take_along_dim(place, 1)
                for read, order, place in zip(directions, orders, places, strict=False)
            ]
            x = self.dropout(torch.cat(seen, 2))
        return x
