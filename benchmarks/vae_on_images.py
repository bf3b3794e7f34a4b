"""The parts of ``vae.py`` on images: each yields what is measured, and a call that does it."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from training_loop import EpochClock, bf16_is_faster, timed
from vae_on_tables import HAS_PYTHAE, MOST_SCORED, N_DRAWS, offers

from skrepr import VAEEmbedding
from skrepr.architectures import MLP

# ------------------------------------------------------------------------------- images


def load_images(data, name, quick=False):
    """Load training and test rows in [0, 1], flat, with their classes."""
    file = np.load(Path(data, f"images/{name}.npz"))
    n_train = 2000 if quick else {"usps": 6291, "fashion_mnist": 10_000}[name]
    X = {part: file[f"X_{part}"].astype(np.float32) for part in ("train", "test")}
    X = {part: x.reshape(len(x), -1) for part, x in X.items()}
    X = {part: (x + 1) / 2 if name == "usps" else x / 255 for part, x in X.items()}
    return X["train"][:n_train], X["test"], file["y_train"][:n_train], file["y_test"]


def images(data, seeds, quick):
    for seed in seeds:
        for method, batch in image_methods():
            for name, n_epochs in {"fashion_mnist": 20, "usps": 40}.items():
                n_epochs = 4 if quick else n_epochs
                what = {"set": name, "method": method, "batch": batch, "seed": seed}
                load = partial(load_images, data, name, quick)
                yield what, partial(judge_on_images, load, method, batch, seed, n_epochs)


OURS = {
    "skrepr": {},
    "skrepr, bf16": {"precision": "bf16"},
    "skrepr, half the epochs": {},
    "skrepr, plain start": {"architecture": MLP((400,), linear_path=None)},
    "skrepr, beta 4": {"beta": 4.0},
    "skrepr, 10 importance samples": {"n_importance_samples": 10},
    "skrepr, mixture prior": {"prior": "mixture", "n_pseudo_inputs": 50},
}
PEERS = {
    "pythae VAE": {},
    "pythae BetaVAE": {"beta": 4.0},
    "pythae IWAE": {"number_samples": 10},
    "pythae VAMP": {"number_components": 50},
}


def image_methods():
    """List methods and batches; each peer follows what is to be compared with it."""
    methods = [(name, 128) for name in OURS] + [("skrepr", 64), ("skrepr, bf16", 64)]
    if not bf16_is_faster():
        methods = [pair for pair in methods if "bf16" not in pair[0]]
    if HAS_PYTHAE:
        methods += [(name, 128) for name in PEERS] + [("pythae VAE", 64)]
    return methods


def judge_on_images(load, method, batch, seed, n_epochs):
    X_train, X_test, *_ = ((X > 0.5).astype(np.float32) for X in load())
    X_test = X_test[:MOST_SCORED]
    if method.startswith("pythae"):
        import pythae_models

        torch.manual_seed(seed)
        kind, extra = method.split()[1], PEERS[method]
        model = pythae_models.make_model(
            kind, X_train.shape[1], 20, (400,), activation=nn.GELU, binary=True, **extra
        )
        settings = {"n_epochs": n_epochs, "batch_size": batch, "held_out": False}
        seconds, model = timed(partial(pythae_models.train, **settings), model, X_train, seed)
        scores = pythae_models.log_evidence(model, X_test, N_DRAWS)
    else:
        n_epochs = n_epochs // 2 if "half" in method else n_epochs
        model = image_vae(n_epochs, seed, **{"batch_size": batch} | OURS[method])
        seconds = timed(model.fit, X_train)[0]
        scores = model.score_samples(X_test)
    return {"nll": -float(scores.mean()), "seconds": seconds}


def image_vae(n_epochs, seed, **extra):
    settings = {
        "architecture": MLP((400,)),
        "likelihood": "bernoulli",
        "max_epochs": n_epochs,
        "early_stopping": False,
        "batch_size": 128,
        "n_score_samples": N_DRAWS,
        "random_state": seed,
    }
    return VAEEmbedding(20, **settings | extra)


# ----------------------------------------------------------------------------- collapse


def collapse(data, seeds, quick):
    weights = (0.0, 1.0, 10.0) if offers("contrastive_weight") else (0.0,)
    betas = (1.0, 8.0) if quick else (1.0, 4.0, 8.0)
    load = partial(load_images, data, "fashion_mnist", quick)
    for seed in seeds:
        for start in ("pca", None):
            for beta in betas:
                for weight in weights:
                    what = {"start": start or "plain", "beta": beta}
                    what |= {"contrastive_weight": weight, "seed": seed}
                    extra = {"contrastive_weight": weight} if weight else {}
                    vae = image_vae(
                        3 if quick else 25,
                        seed,
                        architecture=MLP((400,), linear_path=start),
                        beta=beta,
                        **extra,
                    )
                    yield what, partial(judge_collapse, load, vae)


def judge_collapse(load, vae):
    X_train, X_test, y_train, y_test = load()
    row = {"seconds": timed(vae.fit, X_train)[0], "active_units": vae.active_units_}
    row |= {
        "kl": float(vae.kl_per_component_.sum()),
        "bound": vae.score(X_test),
        "error": float(np.mean((X_test - vae.reconstruct(X_test)) ** 2)),
    }
    if hasattr(vae, "mutual_information_"):
        row["mutual_information"] = float(vae.mutual_information_)
    Z_train, Z_test = vae.transform(X_train), vae.transform(X_test)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    for name, judge in (("knn", KNeighborsClassifier(5)), ("probe", probe)):
        row[name] = judge.fit(Z_train, y_train).score(Z_test, y_test)
    return row


# -------------------------------------------------------------------------------- speed


def speed(data, seeds, quick):
    load = partial(load_images, data, "fashion_mnist", quick)
    for seed in seeds:
        for batch in (128, 256, 1024):
            what = {"set": "fashion_mnist", "batch": batch, "seed": seed}
            yield what, partial(race, load, batch, 2 if quick else 5, 2 if quick else 5)


def race(load, batch, n_epochs, n_rounds):
    """Let both take turns; return medians over rounds."""
    X = load()[0]
    ours, by_hand = [], []
    for _ in range(n_rounds + 1):
        vae = VAEEmbedding(
            20,
            architecture=MLP((400,), activation="relu", linear_path=None),
            max_epochs=n_epochs,
            early_stopping=False,
            batch_size=batch,
            callbacks=[("clock", EpochClock())],
            random_state=0,
        )
        timed(vae.fit, X)
        ours.append(dict(vae.net_.callbacks_)["clock"].seconds / n_epochs)
        by_hand.append(timed(train_by_hand, X, batch, n_epochs)[0] / n_epochs)
    ours, by_hand = np.array(ours[1:]), np.array(by_hand[1:])  # the first is warming up
    return {
        "ratio": float(np.median(ours / by_hand)),
        "seconds": float(np.median(ours)),
        "seconds_by_hand": float(np.median(by_hand)),
    }


class VAEByHand(nn.Module):
    def __init__(self, n_features, width, hidden):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_features, hidden), nn.ReLU(), nn.Linear(hidden, 2 * width)
        )
        self.decoder = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, n_features)
        )
        self.log_noise = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        error = F.mse_loss(self.decoder(z), x, reduction="sum") / self.log_noise.exp()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (0.5 * (error + x.numel() * self.log_noise) + kl) / len(x)


def train_by_hand(X, batch, n_epochs):
    model, rows = VAEByHand(X.shape[1], 20, 400), torch.from_numpy(X)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    for _ in range(n_epochs):
        order = torch.randperm(len(rows))
        for start in range(0, len(rows), batch):
            optimizer.zero_grad()
            model(rows.index_select(0, order[start : start + batch])).backward()
            optimizer.step()
