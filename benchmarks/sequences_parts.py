"""The parts of ``sequences.py``: each yields what is measured, and a call that does it."""

import copy
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from busy_machine import neighbors
from scipy.signal import lombscargle
from scipy.stats import kurtosis, skew
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from torch import nn
from training_loop import EpochClock, timed
from word2vec_fits import in_fresh_process

from skrepr import SequenceTransformerEmbedding
from skrepr._kernel_bank import KernelBank
from skrepr.architectures import ConvNet, Recurrent

WIDTH = 320
# Accuracy that others have reported, of TS2Vec and of MiniRocket.
PUBLISHED = {
    "ArrowHead": (0.811, 0.846),
    "CBF": (1.0, 0.999),
    "Coffee": (1.0, 1.0),
    "Computers": (0.648, 0.744),
    "ECG200": (0.920, 0.910),
    "ECGFiveDays": (1.0, 1.0),
    "FacesUCR": (0.938, 0.957),
    "GunPoint": (0.973, 0.993),
    "ItalyPowerDemand": (0.954, 0.963),
    "MoteStrain": (0.863, 0.927),
    "OSULeaf": (0.818, 0.955),
    "Plane": (0.981, 1.0),
    "PowerCons": (0.972, 0.994),
    "SonyAIBORobotSurface1": (0.909, 0.892),
    "Strawberry": (0.962, 0.981),
    "SwedishLeaf": (0.934, 0.968),
    "SyntheticControl": (1.0, 0.983),
    "Trace": (1.0, 1.0),
    "TwoLeadECG": (0.984, 0.998),
    "TwoPatterns": (1.0, 0.996),
    "BasicMotions": (0.975, 1.0),
}
NETWORKS = {"attention": None, "convolutions": ConvNet, "recurrent": Recurrent}


def load_series(data, name, seed=0):
    """Load training and test series (n, length) or (n, n_channels, length), and classes."""
    file = np.load(Path(data, f"timeseries/{name}.npz"))
    if "X_train" in file:
        return file["X_train"], file["X_test"], file["y_train"], file["y_test"]
    X, y = file["X"].astype(np.float32), file["y"]
    return train_test_split(X, y, test_size=0.5, random_state=seed, stratify=y)


def judge(Z_train, Z_test, y_train, y_test):
    """Return the test accuracy of the classifier that is best within the training rows."""
    fewest = np.unique(y_train, return_counts=True)[1].min()
    n_folds = max(2, min(5, fewest))
    folds = (
        RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=2, random_state=0)
        if len(y_train) < 150
        else StratifiedKFold(n_folds, shuffle=True, random_state=0)
    )
    # one number for all columns: their proportions are part of an embedding
    scale = np.sqrt(Z_train.var(axis=0).sum())
    steps = [("scale", FunctionTransformer(_divided, kw_args={"by": scale})), ("judge", SVC())]
    costs = np.logspace(-1, 4, 6)
    grid = [
        {"judge": [SVC(gamma=1.0)], "judge__C": costs},
        {"judge": [LogisticRegression(max_iter=500)], "judge__C": costs},
    ]
    search = GridSearchCV(Pipeline(steps), grid, cv=folds).fit(Z_train, y_train)
    return search.score(Z_test, y_test)


def _divided(Z, by):
    return Z / by


class KernelsAlone:
    """The kernels that stand next to the network, through PCA."""

    def fit(self, X):
        X = self._shaped(X)
        self.bank = KernelBank(X.shape[1], X.shape[2], 2200).fit(X)
        features = self.bank(X).numpy()
        self.mean, deviation = features.mean(axis=0), features.std(axis=0)
        self.deviation = np.where(deviation > 1e-6, deviation, np.inf)
        self.pca = PCA(min(WIDTH, len(X) - 1), random_state=0).fit(self._scaled(features))
        return self

    def transform(self, X):
        return self.pca.transform(self._scaled(self.bank(self._shaped(X)).numpy()))

    def _shaped(self, X):
        X = torch.from_numpy(np.asarray(X, dtype=np.float32))
        return X[:, None] if X.ndim == 2 else X

    def _scaled(self, features):
        return ((features - self.mean) / self.deviation).clip(-8, 8)


def embed(model, *rows):
    """Fit to the first rows, and embed all; return seconds, too."""

    def both():
        model.fit(rows[0])
        return [model.transform(X) for X in rows]

    return timed(both)


# ------------------------------------------------------------------------ even series


def archive(data, seeds, quick):
    methods = {
        "default": {},
        "kernels alone": None,
        "network alone": {"fixed_features": False},
    }
    names = ["CBF", "ECG200", "Coffee"] if quick else list(PUBLISHED)
    for seed in seeds:
        for name in names:
            for method, parameters in methods.items():
                if method == "default" or seed == 0:
                    what = {"set": name, "method": method, "seed": seed}
                    yield what, partial(judge_on_set, data, name, parameters, seed)


def networks(data, seeds, quick):
    names = ("CBF", "ECG200") if quick else ("CBF", "ECG200", "FacesUCR", "OSULeaf", "SwedishLeaf")
    for seed in seeds:
        for name in names:
            for network, recipe in NETWORKS.items():
                for joined in (False, True):
                    method = f"{network}{' and kernels' * joined}"
                    parameters = {
                        "architecture": recipe and recipe(),
                        "fixed_features": joined,
                    }
                    what = {"set": name, "method": method, "seed": seed}
                    yield what, partial(judge_on_set, data, name, parameters, seed)


def judge_on_set(data, name, parameters, seed):
    X_train, X_test, y_train, y_test = load_series(data, name)
    if parameters is None:
        model = KernelsAlone()
    else:
        model = SequenceTransformerEmbedding(WIDTH, random_state=seed, **parameters)
    seconds, Z = embed(model, X_train, X_test)
    return {"accuracy": judge(*Z, y_train, y_test), "seconds": seconds}


# -------------------------------------------------------------------------- few labels


def labels(data, seeds, quick):
    names = ("SwedishLeaf", "FacesUCR", "TwoPatterns", "eeg_andrzejak")
    for seed in seeds:
        for name in names[: 1 if quick else None]:
            what = {"set": name, "seed": seed}
            yield what, partial(judge_with_few, data, name, seed)


def judge_with_few(data, name, seed):
    """Return accuracies with 5 and 20 % of the labels."""
    X_train, X_test, y_train, y_test = load_series(data, name, seed)
    model = SequenceTransformerEmbedding(WIDTH, random_state=seed)
    seconds, Z = embed(model, X_train, X_test)
    row = {"seconds": seconds}
    for share in (0.05, 0.2):
        kept = labeled(y_train, share, seed)
        told = f"{100 * share:.0f} %"
        row[f"embedding, {told}"] = judge(Z[0][kept], Z[1], y_train[kept], y_test)
        row[f"raw values, {told}"] = judge(X_train[kept], X_test, y_train[kept], y_test)
        trained = train_on_labels(model, X_train[kept], y_train[kept], X_test, seed)
        row[f"network on labels, {told}"] = float(np.mean(trained == y_test))
    return row


def labeled(y, share, seed):
    """Choose rows whose labels are known: at least two of each class."""
    generator = np.random.default_rng(seed)
    kept = [
        generator.permutation(np.flatnonzero(y == value))[
            : max(2, round(share * (y == value).sum()))
        ]
        for value in np.unique(y)
    ]
    return np.concatenate(kept)


def train_on_labels(fitted, X, y, X_test, seed, n_steps=600):
    """Train the network of a fitted embedding anew, on labels alone; return its answers."""
    torch.manual_seed(seed)
    classes, y = np.unique(y, return_inverse=True)
    X, X_test, y = (torch.from_numpy(each) for each in (X[:, None], X_test[:, None], y))
    series = fitted._make_module(fitted.input_shape_)
    series.units.load_state_dict(fitted.module_.units.state_dict())
    head = nn.LazyLinear(len(classes))

    def answer(x):
        return head(series.pooled(series.read(series.units(x))))

    answer(X[:2])
    parameters = [*series.reader.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, 1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=n_steps)
    for _ in range(n_steps):
        index = torch.randint(len(X), (min(32, len(X)),))
        loss = nn.functional.cross_entropy(answer(X[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        series.eval()
        return classes[torch.cat([answer(part) for part in X_test.split(256)]).argmax(1).numpy()]


# ------------------------------------------------------------------------ light curves


def light_curves(data, seeds, quick):
    for seed in seeds:
        for name in ("rr_lyrae",) if quick else ("rr_lyrae", "crts", "supernovae"):
            for method in ("embedding", "features made by hand"):
                what = {"set": name, "method": method, "seed": seed}
                yield what, partial(judge_on_curves, data, name, method, seed)


def load_curves(data, name):
    """Load curves (time, brightness, error, band) and classes."""
    file = np.load(
        Path(
            data,
            "lightcurves",
            {
                "rr_lyrae": "sesar_rrlyrae_s82.npz",
                "crts": "crts_transients_500.npz",
                "supernovae": "spcc_supernovae_6000.npz",
            }[name],
        )
    )
    brightness = ("flux", "flux_err") if name == "supernovae" else ("mag", "mag_err")
    channels = [file["mjd"], *(file[key] for key in brightness)]
    channels.append(file["band"] if "band" in file else np.zeros(len(file["mjd"])))
    rows = np.stack(channels).astype(np.float64)
    curves = [rows[:, a:b] for a, b in zip(file["offsets"], file["offsets"][1:])]
    curves = [curve[:, np.argsort(curve[0], kind="stable")] for curve in curves]
    y = file["y"]
    if name == "supernovae":
        curves, y = curves[:1000], y[:1000]
    values, counts = np.unique(y, return_counts=True)
    kept = np.isin(y, values[counts >= 20])
    return [curve for curve, keep in zip(curves, kept) if keep], y[kept]


def judge_on_curves(data, name, method, seed):
    curves, y = load_curves(data, name)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(y, y)
    scores, seconds = [], 0.0
    if method != "embedding":
        seconds, features = timed(partial(map_features, curves))
    for train, test in folds:
        if method == "embedding":
            model = SequenceTransformerEmbedding(
                time_channel=0, error_channel=2, band_channel=3, random_state=seed
            )
            parts = [[curves[i] for i in index] for index in (train, test)]
            took, Z = embed(model, *parts)
            seconds += took / 5
            scores.append(judge(*Z, y[train], y[test]))
        else:
            forest = RandomForestClassifier(300, random_state=seed).fit(features[train], y[train])
            scores.append(forest.score(features[test], y[test]))
    return {"accuracy": float(np.mean(scores)), "seconds": seconds}


def map_features(curves):
    n_bands = 1 + int(max(curve[3].max() for curve in curves))
    return np.nan_to_num(np.stack([features_by_hand(curve, n_bands) for curve in curves]))


def features_by_hand(curve, n_bands):
    """Describe a curve by moments and amplitudes of each band, colors, and its period."""
    time, values, _, bands = curve
    described, means, centered = [], [], np.zeros_like(values)
    for band in range(n_bands):
        part = values[bands == band]
        if len(part) < 3:
            described.append(np.full(8, np.nan))
            means.append(np.nan)
            continue
        low, middle, high = np.percentile(part, (5, 50, 95))
        deviation = part.std()
        means.append(part.mean())
        centered[bands == band] = part - middle
        spread = [np.median(np.abs(part - middle)), skew(part), kurtosis(part)]
        described.append([middle, deviation, high - low, *spread, high - middle, len(part)])
    colors = np.subtract.outer(means, means)[np.triu_indices(n_bands, 1)]
    span = np.ptp(time)
    frequencies = np.exp(np.linspace(np.log(2 / span), np.log(10), 5000))
    power = lombscargle(time - time[0], centered, 2 * np.pi * frequencies, normalize=True)
    best = frequencies[power.argmax()]
    return np.concatenate([*described, colors, [np.log(best), power.max(), span]])


# ----------------------------------------------------------- anomalies, speed, neighbors


def anomaly(data, seeds, quick):
    for seed in seeds:
        for name in ("ECG200",) if quick else ("ECG200", "eeg_andrzejak"):
            yield {"set": name, "seed": seed}, partial(find_anomalies, data, name, seed)


def find_anomalies(data, name, seed):
    """Return AUROC of what is told apart without having been seen in training."""
    X_train, X_test, y_train, y_test = load_series(data, name, seed)
    strange = 4 if name == "eeg_andrzejak" else -1
    X_train = X_train[y_train != strange]
    model = SequenceTransformerEmbedding(64, random_state=seed)
    seconds, Z = embed(model, X_train, X_test)
    raw, embedded = (
        IsolationForest(random_state=seed).fit(train).score_samples(test)
        for train, test in ((X_train, X_test), Z)
    )
    scores = {
        "score_samples": model.score_samples(X_test),
        "forest on the embedding": embedded,
        "forest on raw values": raw,
    }
    found = {key: roc_auc_score(y_test == strange, -score) for key, score in scores.items()}
    return found | {"seconds": seconds}


def speed(data, seeds, quick):
    for seed in seeds:
        for name in ("SwedishLeaf",) if quick else ("SwedishLeaf", "TwoPatterns"):
            yield {"set": name, "seed": seed}, partial(race, data, name, 2 if quick else 5, seed)


def race(data, name, n_rounds, seed, n_epochs=5):
    """Let both take turns, with one network; return medians over rounds."""
    X = load_series(data, name)[0]
    ours, by_hand = [], []
    for _ in range(n_rounds + 1):
        model = SequenceTransformerEmbedding(
            max_epochs=n_epochs,
            batch_size=64,
            early_stopping=False,
            callbacks=[("clock", EpochClock())],
            random_state=seed,
        ).fit(X)
        ours.append(dict(model.net_.callbacks_)["clock"].seconds / n_epochs)
        network = copy.deepcopy(model.module_).train()
        by_hand.append(timed(train_by_hand, network, X, n_epochs)[0] / n_epochs)
    ours, by_hand = np.array(ours[1:]), np.array(by_hand[1:])  # the first is warming up
    return {"ratio": float(np.median(ours / by_hand)), "seconds": float(np.median(ours))}


def train_by_hand(network, X, n_epochs):
    rows = torch.from_numpy(X)[:, None]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    for _ in range(n_epochs):
        order = torch.randperm(len(rows))
        for index in order.split(64):
            loss = network(rows.index_select(0, index))
            loss = sum(loss.values()) if isinstance(loss, dict) else loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def busy(data, seeds, quick):
    for seed in seeds:
        for number in (0, 2):
            what = {"set": "SwedishLeaf", "neighbors": number, "seed": seed}
            yield what, partial(measure_beside, data, number)


def measure_beside(data, number):
    with neighbors(number):
        return {"seconds": in_fresh_process(seconds_of_fit, data)}


def seconds_of_fit(data):
    X = load_series(data, "SwedishLeaf")[0]
    SequenceTransformerEmbedding(max_epochs=1).fit(X[:50])  # all is imported
    start = time.perf_counter()
    SequenceTransformerEmbedding(random_state=0).fit(X)
    return time.perf_counter() - start


# name: what yields the measurements, and the number of seeds
PARTS = {
    "archive": (archive, 3),
    "networks": (networks, 1),
    "labels": (labels, 5),
    "light_curves": (light_curves, 1),
    "anomaly": (anomaly, 3),
    "speed": (speed, 1),
    "busy": (busy, 3),
}
