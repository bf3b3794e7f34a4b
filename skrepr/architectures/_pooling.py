"""One vector of all tokens of a series."""

import torch
from torch import nn

POOLINGS = ("attention", "cls", "last", "max", "mean", "mean_std")
_TINY = torch.finfo(torch.float32).tiny


class PooledSteps(nn.Module):
    """An encoder of steps, and how its tokens become one vector of a series.

    Parameters
    ----------
    encoder : torch.nn.Module
        Of steps.
    how : {"attention", "cls", "last", "max", "mean", "mean_std"}
        "attention": the mean of tokens, weighted by how well each answers a learned query.
        "cls": a learned token that is read along with the others.
    """

    def __init__(self, encoder, how):
        super().__init__()
        self.encoder = encoder
        self.how = how
        self.width = encoder.width * (2 if how == "mean_std" else 1)
        if how == "cls":
            if not getattr(encoder, "takes_summary", False):
                raise ValueError(
                    "pooling='cls' needs an architecture in which all tokens look at each other, "
                    "such as Transformer(), and an objective that is not causal. Choose another "
                    "pooling."
                )
            self.summary = nn.Parameter(torch.randn(encoder.width))
        if how == "attention":
            self.query = nn.Parameter(torch.zeros(encoder.width))  # begins as the mean

    def forward(self, inputs):
        """Make one vector of each series: (B, width)."""
        return self.pooled(*self.read(*inputs))

    def read(self, inputs, times, inside, there=None):
        """Read series.

        Parameters
        ----------
        inputs, times, inside : torch.Tensor
            What the encoder is given.
        there : torch.Tensor of shape (B, S), bool, default=None
            Which tokens are pooled. None: those that the encoder says are there.

        Returns
        -------
        tokens : torch.Tensor of shape (B, S, W)
        there : torch.Tensor of shape (B, S), bool
        summary : torch.Tensor of shape (B, W), or None
            Of the learned token.
        """
        tokens, found = self.encoder(inputs, times, inside, *self._learned())
        there = found if there is None else there
        if self.how == "cls":
            return tokens[:, 1:], there[:, 1:], tokens[:, 0]
        return tokens, there, None

    def n_tokens(self, length):
        """Count the tokens that look at each other in a series."""
        return self.encoder.n_patches(length) + (self.how == "cls")

    def attention(self, inputs, times, inside, there=None):
        """Return how much tokens look at each other; a learned one is the first."""
        return self.encoder.attention(inputs, times, inside, *self._learned())

    def _learned(self):
        return [self.summary] if self.how == "cls" else []

    def pooled(self, tokens, there, summary):
        """Make one vector of what `read` returns: (B, width)."""
        if self.how == "cls":
            return summary
        there = there[..., None]
        nothing = ~there.any(1)  # (B, 1): rows without a value
        if self.how == "max":
            return tokens.masked_fill(~there, -torch.inf).amax(1).masked_fill(nothing, 0)
        if self.how == "last":
            places = torch.arange(tokens.shape[1], device=tokens.device)[:, None]
            last = (places * there).argmax(1, keepdim=True)  # (B, 1, 1)
            return tokens.take_along_dim(last, 1)[:, 0].masked_fill(nothing, 0)
        if self.how == "attention":
            scores = (tokens @ self.query / self.query.numel() ** 0.5)[..., None]
            # finite, so that a row without a value has a gradient of 0
            weights = scores.masked_fill(~there, torch.finfo(scores.dtype).min).softmax(1)
            return (weights * there * tokens).sum(1)
        count = there.sum(1).clamp(min=1)
        mean = (tokens * there).sum(1) / count
        if self.how == "mean":
            return mean
        variance = ((tokens - mean[:, None]).square() * there).sum(1) / count
        # above 0, where its root has no gradient: tokens may be alike, or a single one
        return torch.cat([mean, variance.clamp(min=_TINY).sqrt()], 1)
