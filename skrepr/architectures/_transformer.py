"""The transformer, for series: attention over patches, at any times."""

import math

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._layers import LINEAR_PATHS, Dropout, check_count, check_dropout, check_option
from ._patches import PatchReader, choose_patch_size, make_sample_decoder, make_sample_encoder

# The slowest rotation turns by one radian in so many patches.
_SLOWEST = 1000.0


class Transformer(BaseEstimator):
    r"""Attention over the patches of a series [1]_.

    A series is cut into patches of neighboring steps, each of which becomes one token. In every
    layer each token looks at all others,

    .. math:: \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V ,

    equation 1 of [1]_, with normalization before attention and before the fully connected
    layers. Where a token is in time enters by rotary embedding [2]_ of the time itself, not of
    its number: uneven sampling needs nothing else, and only differences of times matter.

    Parameters
    ----------
    n_layers : int, default=2
        Number of layers.
    n_heads : int, default=4
        Number of heads of attention in each layer.
    n_units : int, default=64
        Width of a token; a multiple of twice `n_heads`.
    patch_size : int or None, default=None
        Number of steps of a patch. None: the smallest that cuts a common series into at most 32
        patches, and the longest one into at most 512, so that memory and time grow in proportion
        to the length.
    dropout : float, default=0.0
        Share of the units after attention and after the fully connected layers set to zero in
        each training step, in [0, 1).
    linear_path : {"pca", "random"} or None, default="pca"
        A linear map next to the network where it is encoder or decoder of whole samples, as in
        :class:`~skrepr.architectures.MLP`. An encoder of steps has none.

    See Also
    --------
    ConvNet : Convolutions.

    References
    ----------
    .. [1] Vaswani, A. et al. (2017). Attention is all you need. NeurIPS.
    .. [2] Su, J. et al. (2024). RoFormer: enhanced transformer with rotary position embedding.
       Neurocomputing 568.

    Examples
    --------
    >>> import torch
    >>> from skrepr.architectures import Transformer
    >>> recipe = Transformer(n_layers=1, n_units=16)
    >>> encoder = recipe.make_encoder((1, 100), 4)
    >>> encoder(torch.zeros(5, 1, 100)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        n_layers=2,
        *,
        n_heads=4,
        n_units=64,
        patch_size=None,
        dropout=0.0,
        linear_path="pca",
    ):
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.n_units = n_units
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
            See `StepEncoder`.
        """
        patch_size = choose_patch_size(self, length, longest)
        return StepEncoder(self._layers(), n_inputs, self.n_units, patch_size, causal=causal)

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
        layers = _Everywhere(self._layers(), self.n_units, self.n_heads)
        return make_sample_decoder(self, layers, n_components, output_shape)

    def _layers(self):
        for name in ("n_layers", "n_heads", "n_units"):
            check_count(self, name)
        if self.n_units % (2 * self.n_heads):
            raise ValueError(
                "The 'n_units' parameter of Transformer must be a multiple of twice n_heads. Got "
                f"{self.n_units!r} and n_heads={self.n_heads}."
            )
        check_option(self, "linear_path", self.linear_path, LINEAR_PATHS)
        check_dropout(self)
        return nn.ModuleList(
            Layer(self.n_units, self.n_heads, self.dropout, depth=self.n_layers)
            for _ in range(self.n_layers)
        )


class StepEncoder(PatchReader):
    """Tokens of the patches of a series, each of which has seen all others, or those before it.

    Parameters
    ----------
    layers : torch.nn.ModuleList of Layer
    n_inputs : int
        Number of values of a step.
    width : int
        Of a token.
    patch_size : int
        Number of steps of a patch.
    causal : bool, default=False
        Whether a token sees itself and those before it alone.
    """

    def __init__(self, layers, n_inputs, width, patch_size, *, causal=False):
        super().__init__(n_inputs, width, patch_size)
        self.causal = causal
        self.takes_summary = not causal
        self.layers = layers
        self.norm = nn.LayerNorm(width)
        self.register_buffer("speeds", rotation_speeds(layers[0].width))

    def forward(self, inputs, times, inside, summary=None):
        """Read series.

        Parameters
        ----------
        inputs : torch.Tensor of shape (B, n_inputs, L)
            What is known of each step; zeros outside of a series.
        times : torch.Tensor of shape (B, L)
            In units of a typical step.
        inside : torch.Tensor of shape (B, L), bool
            Which steps belong to a series: no other is looked at. Where the encoder is causal,
            those that do not must be behind all that do, but for less than one patch in front.
        summary : torch.Tensor of shape (width,), default=None
            A token that stands in the middle of each series, and for no patch; not where the
            encoder is causal.

        Returns
        -------
        tokens : torch.Tensor of shape (B, S, width)
            With ``summary``, its is the first one, before those of the patches.
        there : torch.Tensor of shape (B, S), bool
            Which patches have a step inside.
        """
        x, angles, mask, there = self._read(inputs, times, inside, summary)
        for layer in self.layers:
            x = layer(x, angles, mask)
        return self.norm(x), there

    def attention(self, inputs, times, inside, summary=None):
        """Return how much each token looks at each other, averaged over layers and heads.

        Returns
        -------
        weights : torch.Tensor of shape (B, S, S)
            Rows sum to 1.
        """
        x, angles, mask, _ = self._read(inputs, times, inside, summary)
        weights = 0
        for layer in self.layers:
            weights = weights + layer.weights(x, angles, mask) / len(self.layers)
            x = layer(x, angles, mask)
        return weights

    def _read(self, inputs, times, inside, summary):
        x, when, there = self.read_patches(inputs, times, inside)
        if summary is not None:
            middle = (when * there).sum(1) / there.sum(1).clamp(min=1)
            x = torch.cat([summary.expand(len(x), 1, -1), x], 1)
            when = torch.cat([middle[:, None], when], 1)
            there = F.pad(there, (1, 0), value=True)
        seen = there.clone()
        seen[:, 0] |= ~there.any(1)  # where a series has no tokens, one is looked at all the same
        mask = None if self.causal else seen[:, None, None]
        return x, when[..., None] * self.speeds, mask, there


class Layer(nn.Module):
    """One layer: attention, and two fully connected ones, each next to an identity.

    Parameters
    ----------
    width, n_heads : int
    dropout : float
    depth : int
        Number of layers in all, with which what each one adds gets smaller.
    """

    def __init__(self, width, n_heads, dropout, depth):
        super().__init__()
        self.n_heads = n_heads
        self.width = width // n_heads
        self.norm = nn.LayerNorm(width)
        self.to_heads = nn.Linear(width, 3 * width)
        self.from_heads = nn.Linear(width, width)
        self.beside = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        with torch.no_grad():  # the sum over layers keeps its size (Radford et al. 2019)
            for last in (self.from_heads, self.beside[-1]):
                last.weight /= math.sqrt(2 * depth)

    def forward(self, x, angles, mask):
        """Return new tokens.

        Parameters
        ----------
        x : torch.Tensor of shape (B, S, W)
        angles : torch.Tensor of shape (B, S, width / 2)
        mask : torch.Tensor of shape (B, 1, 1, S), bool, or None
            Which tokens are looked at. None: each looks at itself and those before it. No array
            of S x S is made.
        """
        query, key, value = self._heads(x, angles)
        seen = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None
        )
        x = x + self.dropout(self.from_heads(seen.transpose(1, 2).flatten(2)))  # (B, S, W)
        return x + self.dropout(self.beside(x))

    def weights(self, x, angles, mask):
        """Return the weights of the attention, averaged over heads: (B, S, S)."""
        query, key, _ = self._heads(x, angles)
        if mask is None:
            n = x.shape[1]
            mask = torch.ones(1, 1, n, n, dtype=torch.bool, device=x.device).tril()
        mean = 0
        for i in range(self.n_heads):  # one by one, since each is large
            scores = query[:, i] @ key[:, i].mT / math.sqrt(self.width)
            mean = mean + scores.masked_fill(~mask[:, 0], -torch.inf).softmax(-1) / self.n_heads
        return mean

    def _heads(self, x, angles):
        parts = self.to_heads(self.norm(x)).chunk(3, -1)
        query, key, value = (
            part.unflatten(-1, (self.n_heads, self.width)).transpose(1, 2) for part in parts
        )  # (B, n_heads, S, width) each
        return rotated(query, angles), rotated(key, angles), value


def rotation_speeds(width):
    """Return by how much each pair of values turns per patch: (width / 2,)."""
    return _SLOWEST ** -torch.linspace(0, 1, width // 2)


def rotated(x, angles):
    """Turn pairs of values by angles that grow with time (Su et al., equation 34).

    Parameters
    ----------
    x : torch.Tensor of shape (B, n_heads, S, width)
    angles : torch.Tensor of shape (B, S, width / 2)
    """
    sine, cosine = angles.sin()[:, None], angles.cos()[:, None]  # (B, 1, S, width / 2)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


class _Everywhere(nn.Module):
    """Layers over tokens that are all there, one patch after the other."""

    def __init__(self, layers, width, n_heads):
        super().__init__()
        self.layers = layers
        self.register_buffer("speeds", rotation_speeds(width // n_heads))

    def forward(self, x):
        places = torch.arange(x.shape[1], device=x.device)
        angles = (places[:, None] * self.speeds).expand(len(x), -1, -1)
        mask = torch.ones(1, 1, 1, x.shape[1], dtype=torch.bool, device=x.device)
        for layer in self.layers:
            x = layer(x, angles, mask)
        return x
