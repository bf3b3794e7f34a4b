"""The parts of ``vae.py`` on tables: each yields what is measured, and a call that does it."""

import time
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from real_tables import find_tables, load_table
from scipy.stats import trim_mean
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from training_loop import timed

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
        linear = PCA(width, random_state=seed).fit(X_train.astype(float)).score_samples(scored)
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
    """Fill with the shrunk reconstruction of PCA, and fit it again, until nothing moves.

    That is regularized iterative PCA (Josse & Husson 2012); without shrinkage it drifts off.
    """
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
    shares = 1 - pca.noise_variance_ / pca.explained_variance_
    return np.where(np.isnan(X), pca.inverse_transform(shares * pca.transform(filled)), X)


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
