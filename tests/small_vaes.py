"""Variational autoencoders that are fitted at once, and what they are fitted to."""

from sklearn.datasets import load_digits, load_iris

from skrepr import VAEEmbedding
from skrepr.architectures import MLP, Linear

IRIS = load_iris().data
DIGITS = load_digits().data[:600]


def make(n_components=2, **parameters):
    small = {"architecture": MLP((8,)), "max_epochs": 3, "n_score_samples": 16, "random_state": 0}
    return VAEEmbedding(n_components, **small | parameters)


def linear(n_components, **parameters):
    """Fit the linear model without a way to go."""
    settings = {"architecture": Linear(), "max_epochs": 1, "early_stopping": False}
    return make(n_components, **settings | {"learning_rate": 1e-9} | parameters)
