"""Models of pythae on arrays: the same layers, trainer and measurements for all of them."""

import logging
import math
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import pairwise

import torch
from pythae import models
from pythae.data.datasets import BaseDataset
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import nn
from torch.nn import functional as F

logging.disable(logging.WARNING)


class Encoder(BaseEncoder):
    def __init__(self, layers, width, n_components, variational):
        super().__init__()
        self.layers = layers
        self.embedding = nn.Linear(width, n_components)
        self.log_variance = nn.Linear(width, n_components) if variational else None

    def forward(self, x):
        hidden = self.layers(x.flatten(1))
        output = ModelOutput(embedding=self.embedding(hidden))
        if self.log_variance is not None:
            output["log_covariance"] = self.log_variance(hidden)
        return output


class Decoder(BaseDecoder):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z))


def make_model(
    kind, n_features, n_components, hidden=(256, 64), *, activation=nn.ReLU, binary=False, **extra
):
    """Make a model of pythae with fully connected layers.

    Parameters
    ----------
    kind : str
        Name of the class in ``pythae.models``.
    n_features, n_components : int
    hidden : tuple of int
        Widths of the encoder's hidden layers; the decoder has them in reverse.
    activation : callable, default=torch.nn.ReLU
    binary : bool, default=False
        Whether the decoder gives probabilities.
    **extra
        Parameters of the model's config.
    """
    if kind != "AE":
        extra["reconstruction_loss"] = "bce" if binary else "mse"
    config = getattr(models, f"{kind}Config")(
        input_dim=(n_features,), latent_dim=n_components, **extra
    )
    down = layers_of((n_features, *hidden), activation)
    up = layers_of((n_components, *hidden[::-1]), activation)
    up += [nn.Linear(hidden[0], n_features), *([nn.Sigmoid()] if binary else [])]
    encoder = Encoder(nn.Sequential(*down), hidden[-1], n_components, kind != "AE")
    return getattr(models, kind)(config, encoder, Decoder(nn.Sequential(*up)))


def layers_of(widths, activation):
    layers = []
    for n_inputs, n_outputs in pairwise(widths):
        layers += [nn.Linear(n_inputs, n_outputs), activation()]
    return layers


def train(model, X, seed, *, n_epochs=50, batch_size=64, held_out=True):
    """Train with pythae's trainer at a learning rate of 1e-3.

    With ``held_out``, of 500 rows and more the first tenth is held out, and the model is that
    of the epoch with the lowest loss there.
    """
    n_held_out = len(X) // 10 if held_out and len(X) >= 500 else 0
    parts = [
        BaseDataset(torch.from_numpy(part), torch.zeros(len(part))) if len(part) else None
        for part in (X[n_held_out:], X[:n_held_out])
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        redirect_stderr(StringIO()),
        redirect_stdout(StringIO()),
    ):
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=n_epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=batch_size,
            no_cuda=True,
            seed=seed,
        )
        trainer = BaseTrainer(model, *parts, settings)
        trainer.train()
    best = trainer._best_model if n_held_out else model
    return best.eval()


@torch.inference_mode()
def log_evidence(model, X, n_draws, *, variance=None):
    """Estimate log p(x) of each row by importance sampling.

    Parameters
    ----------
    model : a variational model of pythae
    X : ndarray of shape (n, n_features), float32
    n_draws : int
    variance : float or None, default=None
        Of the normal noise around what is decoded; None: the values are binary.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.from_numpy(X)
    posterior = model.encoder(x)
    mean, log_variance = posterior.embedding, posterior.log_covariance
    total = torch.full((len(x),), -torch.inf)
    for _ in range(n_draws):
        noise = torch.randn(mean.shape, generator=generator)
        z = mean + noise * (log_variance / 2).exp()
        log_posterior = -0.5 * (noise.square() + log_variance + math.log(2 * math.pi)).sum(1)
        log_prior = log_prior_of(model, z)
        output = model.decoder(z).reconstruction
        if variance is None:
            log_likelihood = -F.binary_cross_entropy(output, x, reduction="none")
        else:
            error = (x - output).square() / variance
            log_likelihood = -0.5 * (error + math.log(2 * math.pi * variance))
        total = total.logaddexp(log_likelihood.sum(1) + log_prior - log_posterior)
    return (total - math.log(n_draws)).numpy()


def log_prior_of(model, z):
    if not isinstance(model, models.VAMP):
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
    pseudo = model.encoder(model.pseudo_inputs(model.idle_input))
    mean, log_variance = pseudo.embedding, pseudo.log_covariance  # (C, K)
    terms = (z[:, None] - mean).square() / log_variance.exp() + log_variance
    terms = -0.5 * (terms + math.log(2 * math.pi)).sum(2)  # (B, C)
    return terms.logsumexp(1) - math.log(len(mean))


class PythaeEmbedding:
    """A model of pythae as a transformer: layers 256-64, 50 epochs, its other defaults."""

    def __init__(self, kind, n_components, random_state):
        self.kind = kind
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X):
        torch.manual_seed(self.random_state)
        model = make_model(self.kind, X.shape[1], self.n_components)
        self.model_ = train(model, X, self.random_state)
        if self.kind != "AE":
            self.noise_ = self._most_likely_noise(torch.from_numpy(X))
        return self

    @torch.inference_mode()
    def _most_likely_noise(self, x):
        """Find the variance under which the training rows are most probable, for one draw.

        The model was trained with 1, at which its likelihood is far lower on any table.
        """
        posterior = self.model_.encoder(x)
        noise = torch.randn(posterior.embedding.shape)
        z = posterior.embedding + noise * (posterior.log_covariance / 2).exp()
        return float((x - self.model_.decoder(z).reconstruction).square().mean())

    def _run(self, X):
        with torch.inference_mode():
            z = self.model_.encoder(torch.from_numpy(X)).embedding
            return z.numpy(), self.model_.decoder(z).reconstruction.numpy()

    def transform(self, X):
        return self._run(X)[0]

    def reconstruct(self, X):
        return self._run(X)[1]

    def score_samples(self, X):
        return log_evidence(self.model_, X, 200, variance=self.noise_)
