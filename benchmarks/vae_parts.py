"""The measurements of ``vae.py``: each part yields what is measured, and a call that does it."""

import time
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from real_tables import find_tables, load_table
from scipy.stats import trim_mean
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from training_loop import EpochClock, timed

from skrepr import AutoencoderEmbedding, VAEEmbedding
from skrepr.architectures import MLP

TABLES = (
    "anomaly/satellite",
    "tabular/segment",
    "tabular/waveform-5000",
    "sklearn/digits",
    "tabular/electricity",
    "tabular/htru2_pulsars",
    "tabular/letter",
    "tabular/linear_variable_stars",
    "tabular/phoneme",
    "anomaly/Cardiotocography",
    "anomaly/Pima",
    "anomaly/fault",
    "anomaly/musk",
    "anomaly/campaign",
    "anomaly/annthyroid",
    "images/usps",
)
IMPUTED = (
    "tabular/letter",
    "tabular/segment",
    "anomaly/satellite",
    "anomaly/Cardiotocography",
    "anomaly/fault",
)
N_DRAWS = 200
MOST_SCORED = 1000
HAS_PYTHAE, HAS_PYOD = find_spec("pythae") is not None, find_spec("pyod") is not None


def offers(parameter, value=None):
    """Whether VAEEmbedding has a parameter, and a value among its options."""
    constraint = VAEEmbedding._parameter_constraints.get(parameter)
    return constraint is not None and (value is None or value in constraint[0].options)


# ------------------------------------------------------------------------------- tables


def tables(data, seeds, quick):
    sets, most_rows = (TABLES[:4], 2000) if quick else (TABLES, 5000)
    for method in table_methods(2, 0):
        for seed in seeds:
            for name in sets:
                load = partial(load_table, data, name, most_rows=most_rows, seed=seed)
                for width in table_widths(data, name):
                    what = {"method": method, "set": name, "seed": seed, "width": width}
                    yield what, partial(judge_on_table, method, load, width, seed)


@cache
def table_widths(data, name):
    n_features = load_table(data, name, most_rows=10)[0].shape[1]
    return sorted({2, min(16, n_features // 2)})


def table_methods(width, seed):
    vae = partial(VAEEmbedding, width, n_score_samples=N_DRAWS, random_state=seed)
    methods = {
        "skrepr": vae(),
        "plain start": vae(architecture=MLP(linear_path=None)),
        "PCA": PCA(width, random_state=seed),
        "FactorAnalysis": FactorAnalysis(width, random_state=seed),
        "AutoencoderEmbedding": AutoencoderEmbedding(width, random_state=seed),
    }
    if HAS_PYTHAE:
        from pythae_models import PythaeEmbedding

        methods["pythae VAE"] = PythaeEmbedding("VAE", width, seed)
    return methods | {
        "noise per feature": vae(noise="feature"),
        "5 importance samples": vae(n_importance_samples=5),
    }


def judge_on_table(name, load, width, seed):
    X_train, X_test, y_train, y_test = load()
    method = table_methods(width, seed)[name]
    row = {"seconds": timed(method.fit, X_train)[0]}
    if hasattr(method, "score_samples"):
        scored = X_test[:MOST_SCORED]
        linear = PCA(width, random_state=seed).fit(X_train).score_samples(scored)
        gains = method.score_samples(scored) - linear
        row |= {
            "gain": trim_mean(gains, 0.02),
            "median_gain": float(np.median(gains)),
            "mean_gain": float(np.mean(gains)),
            "linear": trim_mean(linear, 0.02),
        }
    if isinstance(method, VAEEmbedding):
        row |= facts_of_fit(method)
    Z_train, Z_test = method.transform(X_train), method.transform(X_test)
    return row | {"knn": KNeighborsClassifier(5).fit(Z_train, y_train).score(Z_test, y_test)}


def facts_of_fit(vae):
    return {
        "active_units": vae.active_units_,
        "epochs": vae.n_epochs_,
        "best_epoch": vae.best_epoch_,
    }


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
        for name, n_epochs in {"fashion_mnist": 20, "usps": 40}.items():
            n_epochs = 5 if quick else n_epochs
            for method, batch in image_methods():
                what = {"set": name, "method": method, "batch": batch, "seed": seed}
                load = partial(load_images, data, name, quick)
                yield what, partial(judge_on_images, load, method, batch, seed, n_epochs)


def image_methods():
    methods = [("skrepr", 128), ("skrepr", 64), ("skrepr, plain start", 128)]
    if HAS_PYTHAE:
        methods += [(f"pythae {kind}", 128) for kind in ("VAE", "BetaVAE", "IWAE", "VAMP")]
        methods += [("pythae VAE", 64)]
    methods += [("skrepr, 5 importance samples", 128)]
    if offers("prior", "mixture"):
        methods += [("skrepr, mixture prior", 128)]
    return methods


def judge_on_images(load, method, batch, seed, n_epochs):
    X_train, X_test, *_ = ((X > 0.5).astype(np.float32) for X in load())
    X_test = X_test[:MOST_SCORED]
    if method.startswith("pythae"):
        import pythae_models

        kind = method.split()[1]
        torch.manual_seed(seed)
        extra = {"beta": 4.0} if kind == "BetaVAE" else {}
        model = pythae_models.make_model(
            kind, X_train.shape[1], 20, (400,), activation=nn.GELU, binary=True, **extra
        )
        settings = {"n_epochs": n_epochs, "batch_size": batch, "held_out": False}
        seconds, model = timed(partial(pythae_models.train, **settings), model, X_train, seed)
        scores = pythae_models.log_evidence(model, X_test, N_DRAWS)
    else:
        extra = {
            "skrepr": {},
            "skrepr, plain start": {"architecture": MLP((400,), linear_path=None)},
            "skrepr, 5 importance samples": {"n_importance_samples": 5},
            "skrepr, mixture prior": {"prior": "mixture"},
        }[method]
        model = image_vae(n_epochs, seed, **{"batch_size": batch} | extra)
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


# --------------------------------------------------------------------------- imputation


def imputation(data, seeds, quick):
    for seed in seeds:
        for name in IMPUTED[1:3] if quick else IMPUTED:
            load = partial(load_table, data, name, most_rows=2000 if quick else 4000, seed=seed)
            for method in IMPUTERS:
                what = {"set": name, "method": method, "seed": seed}
                yield what, partial(judge_imputation, method, load, seed)


def judge_imputation(method, load, seed):
    rng = np.random.default_rng(seed)
    whole = load()[:2]
    missing = [rng.random(X.shape) < 0.1 for X in whole]
    X_train, X_test = (np.where(gone, np.nan, X) for X, gone in zip(whole, missing))
    start = time.process_time()
    filled = IMPUTERS[method](X_train, X_test, min(16, X_train.shape[1] // 2), seed)
    seconds = time.process_time() - start
    error = (filled - whole[1])[missing[1]]
    return {"error": float(np.sqrt(np.mean(error**2))), "seconds": seconds}


def impute_means(X_train, X_test, width, seed):
    return np.where(np.isnan(X_test), np.nanmean(X_train, axis=0), X_test)


def impute_by_pca(X_train, X_test, width, seed):
    """Fill with the reconstruction of PCA, and fit it again, until nothing moves."""
    filled = np.nan_to_num(X_train)
    for _ in range(100):
        pca = PCA(width, random_state=seed).fit(filled)
        before, filled = filled, _one_round(pca, X_train, filled)
        if np.abs(filled - before).max() < 1e-3:
            break
    filled = impute_means(X_train, X_test, width, seed)
    for _ in range(100):
        filled = _one_round(pca, X_test, filled)
    return filled


def _one_round(pca, X, filled):
    return np.where(np.isnan(X), pca.inverse_transform(pca.transform(filled)), X)


def impute_iteratively(X_train, X_test, width, seed):
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(random_state=seed).fit(X_train).transform(X_test)


def impute_by_vae(X_train, X_test, width, seed):
    vae = VAEEmbedding(width, missing="mask", n_score_samples=N_DRAWS, random_state=seed)
    return vae.fit(X_train.astype(np.float32)).impute(X_test.astype(np.float32))


IMPUTERS = {
    "skrepr": impute_by_vae,
    "column means": impute_means,
    "PCA iteration": impute_by_pca,
    "IterativeImputer": impute_iteratively,
}


# ------------------------------------------------------------------------------- counts


def counts(data, seeds, quick):
    methods = ["PCA", "Gaussian on log1p", "AutoencoderEmbedding"]
    if offers("likelihood", "negative_binomial"):
        methods.append("negative binomial on counts")
    for seed in seeds if quick else range(max(5, len(seeds))):
        for method in methods:
            what = {"set": "mouse_bladder", "method": method, "seed": seed}
            yield what, partial(judge_counts, data, method, seed, quick)


def judge_counts(data, method, seed, quick):
    file = np.load(Path(data, "singlecell/mouse_bladder.npz"))
    some = slice(None, None, 2 if quick else None)
    X, y, size = (file[name][some] for name in ("X", "y", "size"))
    if "counts" in method:
        X = X.astype(np.float32)
    else:
        X = np.log1p(X * (np.median(size) / size)[:, None]).astype(np.float32)
    estimator = {
        "PCA": PCA(10, random_state=seed),
        "Gaussian on log1p": VAEEmbedding(10, random_state=seed),
        "AutoencoderEmbedding": AutoencoderEmbedding(10, random_state=seed),
    }.get(method)
    if estimator is None:
        estimator = VAEEmbedding(10, likelihood="negative_binomial", random_state=seed)
    seconds, Z = timed(estimator.fit_transform, X)
    clusters = [
        KMeans(len(np.unique(y)), n_init=1, random_state=start).fit_predict(Z)
        for start in range(10)
    ]
    return {"ari": np.mean([adjusted_rand_score(y, c) for c in clusters]), "seconds": seconds}


# ------------------------------------------------------------------------------ anomaly


def anomaly(data, seeds, quick):
    names = [name for name in find_tables(data) if name.startswith("anomaly")]
    for seed in seeds:
        for name in names[::4] if quick else names:
            load = partial(load_table, data, name, most_rows=1000 if quick else 5000, seed=seed)
            for method in ("skrepr", *(["pyod VAE"] if HAS_PYOD else [])):
                what = {"set": name, "method": method, "seed": seed}
                yield what, partial(judge_anomalies, method, load, seed)


def judge_anomalies(method, load, seed):
    X_train, X_test, _, y_test = load()
    if method == "skrepr":
        width = max(2, min(16, X_train.shape[1] // 2))
        detector = VAEEmbedding(width, n_score_samples=N_DRAWS, random_state=seed)
    else:
        from pyod.models.vae import VAE

        detector = VAE(verbose=0, random_state=seed)
    seconds = timed(detector.fit, X_train)[0]
    if method == "skrepr":
        scores = -detector.score_samples(X_test)
    else:
        scores = detector.decision_function(X_test)
    return {"auroc": roc_auc_score(y_test, scores), "seconds": seconds}


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
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(n_epochs):
        order = torch.randperm(len(rows))
        for start in range(0, len(rows), batch):
            optimizer.zero_grad()
            model(rows.index_select(0, order[start : start + batch])).backward()
            optimizer.step()
