"""The parts of ``contrastive.py``: each yields what is measured, and a call that does it."""

import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from real_tables import UNSEEN, find_tables, load_table
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from training_loop import EpochClock, timed

from skrepr import AutoencoderEmbedding, ContrastiveEmbedding, objectives
from skrepr.architectures import MLP, ConvNet
from skrepr.augmentations import (
    ColorJitter,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    choose_augmentation,
    make_view,
)
from skrepr.objectives import SimCLR

MOST_LABELS = 20_000
# Sets on which `score` has to choose: tables with the folder they are in.
CHOSEN_ON = {
    "images": ("usps", "fashion_mnist"),
    "series": ("TwoPatterns", "SyntheticControl"),
    "tables": {"letter": "tabular", "satellite": "anomaly"},
}


def load_images(data, name):
    """Load training and test images (n, 1, height, width), about in [0, 1], and classes."""
    file = np.load(Path(data, f"images/{name}.npz"))
    X = [file[f"X_{part}"].astype(np.float32)[:, None] for part in ("train", "test")]
    X = [(x + 1) / 2 if name == "usps" else x / 255 for x in X]
    return *X, file["y_train"], file["y_test"]


def judge(Z_train, Z_test, y_train, y_test, most=None):
    """Return the accuracy of a linear probe and of 5-NN, in percent."""
    Z_train, y_train = Z_train[:most], y_train[:most]
    probes = {
        "probe": LogisticRegression(max_iter=300),
        "knn": KNeighborsClassifier(5),
    }
    return {
        name: 100
        * make_pipeline(StandardScaler(), probe).fit(Z_train, y_train).score(Z_test, y_test)
        for name, probe in probes.items()
    }


def precision_of(model):
    """Return "bf16" or "float32", in which a fitted model was trained."""
    if isinstance(model, SimCLRByHand):
        return faster_precision()
    return model.net_.precision if hasattr(model, "net_") else "float32"


@cache
def faster_precision():
    """Return what `precision="auto"` becomes on this processor."""
    rows = np.random.default_rng(0).normal(size=(128, 1, 16, 16)).astype(np.float32)
    return precision_of(ContrastiveEmbedding(precision="auto", max_epochs=1).fit(rows))


def autocast():
    return torch.autocast("cpu", torch.bfloat16, enabled=faster_precision() == "bf16")


def fit_for(seconds, estimator, X, y=None):
    """Train for about so many seconds of the processor, with the schedule run to its end.

    Returns what the training took, without start and readout, and the fitted estimator.
    """
    clock = EpochClock()
    estimator = clone(estimator).set_params(early_stopping=False, callbacks=[("clock", clock)])
    few = clone(estimator).set_params(max_epochs=1).fit(X, y)
    of_epoch = dict(few.net_.callbacks_)["clock"].seconds
    estimator.set_params(max_epochs=max(1, round(seconds / of_epoch))).fit(X, y)
    return dict(estimator.net_.callbacks_)["clock"].seconds, estimator


# ------------------------------------------------------------------------------- images


def images(data, seeds, quick):
    methods = ["default", "SimCLR by hand", "PCA", "AutoencoderEmbedding"]
    if faster_precision() == "bf16" and not quick:
        methods.append("default, float32")
    for name in ("usps", "fashion_mnist"):
        for method in methods:
            for seed in seeds:
                what = {"set": name, "method": method, "seed": seed}
                yield what, partial(judge_on_images, data, name, method, seed, quick)


def judge_on_images(data, name, method, seed, quick):
    X_train, X_test, y_train, y_test = load_images(data, name)
    epochs = "auto"
    if quick:
        X_train, y_train, epochs = X_train[:3000], y_train[:3000], 6
    if method == "PCA":
        model = PCA(64, random_state=seed)
        X_train, X_test = (X.reshape(len(X), -1) for X in (X_train, X_test))
    elif method == "AutoencoderEmbedding":
        model = AutoencoderEmbedding(64, max_epochs=epochs, random_state=seed)
    elif "by hand" in method:
        model = SimCLRByHand(6 if quick else None, seed)
    else:
        precision = "float32" if "float32" in method else "auto"
        model = ContrastiveEmbedding(precision=precision, max_epochs=epochs, random_state=seed)
    seconds = timed(model.fit, X_train)[0]
    Z = model.transform(X_train), model.transform(X_test)
    row = {"seconds": seconds, "precision": precision_of(model)}
    row |= judge(*Z, y_train, y_test, MOST_LABELS)
    if len(y_train) > MOST_LABELS:
        row |= {f"{key}, all": value for key, value in judge(*Z, y_train, y_test).items()}
    return row


class SimCLRByHand:
    """A loop as it is usually written: a layer of 64 units, trained below a head, and read.

    Layers, augmentation, batches, epochs and precision are those of ContrastiveEmbedding.

    Parameters
    ----------
    n_epochs : int or None
        None: as many as ContrastiveEmbedding plans.
    seed : int
    n_units : int or None, default=64
        None: no such layer, the head is on the convolutions, as in ContrastiveEmbedding.
    """

    def __init__(self, n_epochs, seed, n_units=64):
        self.n_epochs, self.seed, self.n_units = n_epochs, seed, n_units

    def fit(self, X):
        torch.manual_seed(self.seed)
        shape, n = X.shape[1:], len(X)
        backbone = ConvNet((32, 64, 128, 128), activation="relu").make_backbone(shape)
        self.encoder, width = backbone, backbone.width
        if self.n_units is not None:
            self.encoder = nn.Sequential(backbone, nn.Linear(width, self.n_units))
            width = self.n_units
        layers = nn.Linear(width, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU()
        head = nn.Sequential(*layers, nn.Linear(512, 128))
        model = nn.Sequential(self.encoder, head)
        rows = torch.from_numpy(X)
        self.mean, self.scale = rows.mean(), rows.std()
        rows = (rows - self.mean) / self.scale
        augmentation = choose_augmentation(shape)
        n_steps = n // 128
        n_epochs = self.n_epochs or round(np.clip(40 * n / 128, 4000, 10_000) / (n / 128))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 1e-3, total_steps=n_epochs * n_steps, pct_start=0.05
        )
        own = torch.eye(256, dtype=torch.bool)
        for _ in range(n_epochs):
            for index in torch.randperm(n)[: n_steps * 128].split(128):
                views = torch.cat([make_view(rows[index], augmentation, None) for _ in range(2)])
                with autocast():
                    both = nn.functional.normalize(model(views))
                cosines = (both @ both.T).float() / 0.2
                partners = torch.arange(256).roll(128)
                loss = nn.functional.cross_entropy(cosines.masked_fill(own, -torch.inf), partners)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        return self

    @torch.inference_mode()
    def transform(self, X):
        rows = (torch.from_numpy(X) - self.mean) / self.scale
        self.encoder.eval()
        return torch.cat([self.encoder(part) for part in rows.split(1000)]).numpy()


# --------------------------------------------------------------------------- objectives


def all_objectives():
    """List objectives of two views, but for the sum, which is of others."""
    recipes = [getattr(objectives, name) for name in objectives.__all__]
    return {
        recipe.__name__: recipe
        for recipe in recipes
        if hasattr(recipe, "make_loss") and recipe is not objectives.WeightedSum
    }


def objectives_table(data, seeds, quick):
    for seed in seeds:
        for name in ("usps", "fashion_mnist"):
            for objective in ("PCA", *all_objectives()):
                what = {"set": name, "objective": objective, "seed": seed}
                yield what, partial(judge_objective, data, name, objective, seed, quick)


def judge_objective(data, name, objective, seed, quick):
    X_train, X_test, y_train, y_test = load_images(data, name)
    X_train, y_train = X_train[:10_000], y_train[:10_000]
    if objective == "PCA":
        flat = (X.reshape(len(X), -1) for X in (X_train, X_test))
        pca = PCA(64, random_state=seed).fit(X_train.reshape(len(X_train), -1))
        row = {"seconds": 0.0, "precision": precision_of(pca)}
        return row | judge(*map(pca.transform, flat), y_train, y_test)
    recipe = all_objectives()[objective]
    supervised = getattr(recipe, "uses_labels", False)
    model = ContrastiveEmbedding(
        objective=recipe(), supervised=supervised, precision="auto", random_state=seed
    )
    # of the supervised one, a tenth of the labels
    labels = np.where(np.arange(len(y_train)) % 10 == 0, y_train.astype(int), -1)
    seconds, model = fit_for(10 if quick else 30, model, X_train, labels)
    row = {"seconds": seconds, "epochs": model.n_epochs_, "score": model.score(X_test)}
    row |= {"effective rank": model.effective_rank_, "precision": precision_of(model)}
    return row | judge(model.transform(X_train), model.transform(X_test), y_train, y_test)


# ----------------------------------------------------------------------------- choosing


def choosing(data, seeds, quick):
    for seed in seeds:
        for name in (name for names in CHOSEN_ON.values() for name in names):
            for number, settings in enumerate(configurations(name, quick)):
                what = {"set": name, "configuration": number, "seed": seed}
                yield what, partial(judge_configuration, data, name, settings, seed, quick)


def configurations(name, quick):
    """List settings of ContrastiveEmbedding for tables, or series and images."""
    layers = {
        True: [MLP((64,)), MLP((256, 256)), MLP((256, 256, 256))],
        False: [
            ConvNet((8, 16), activation="relu"),
            ConvNet((32, 64), activation="relu"),
            ConvNet((32, 64, 128, 128), activation="relu"),
        ],
    }[name in CHOSEN_ON["tables"]]
    listed = [
        {"objective": SimCLR(temperature=temperature), "learning_rate": rate, "architecture": net}
        for temperature in (0.05, 0.2, 1.0)
        for rate in (1e-4, 1e-3, 1e-2)
        for net in layers
    ]
    listed += [
        {"objective": recipe(), "architecture": layers[1]}
        for recipe in all_objectives().values()
        if not getattr(recipe, "uses_labels", False)
    ]
    return listed[::6] if quick else listed


def judge_configuration(data, name, settings, seed, quick):
    if name in CHOSEN_ON["images"]:
        X_train, X_test, y_train, y_test = load_images(data, name)
    else:
        folder = "timeseries" if name in CHOSEN_ON["series"] else CHOSEN_ON["tables"][name]
        X_train, X_test, y_train, y_test = load_table(data, f"{folder}/{name}", seed=seed)
    shape = None if X_train.ndim > 2 or name in CHOSEN_ON["tables"] else (1, -1)
    X_train, y_train = X_train[:2000], y_train[:2000]
    X_test, y_test = X_test[:4000], y_test[:4000]  # a probe on 10,000 costs more than the fit
    model = ContrastiveEmbedding(input_shape=shape, random_state=seed, **settings)
    seconds, model = fit_for(2 if quick else 4, model, X_train)
    row = {"seconds": seconds, "score": model.score(X_test)}
    row |= {"effective rank": model.effective_rank_}
    row |= {"objective": type(model.objective_).__name__, "architecture": str(model.architecture_)}
    return row | judge(model.transform(X_train), model.transform(X_test), y_train, y_test)


def show_choosing(table):
    """Print rank correlations with the probe, and the probe of what `score` puts first."""
    of_simclr = table[table["objective"] == "SimCLR"]
    for kind, part, within in (
        ("all", table, ["seed"]),
        ("SimCLR", of_simclr, ["seed"]),
        ("SimCLR, of one architecture", of_simclr, ["seed", "architecture"]),
        ("other objectives", table.drop(of_simclr.index), ["seed"]),
    ):
        print(f"{kind}: {part.groupby(['set', *within]).size().max()} configurations at most")
        for figure in ("score", "effective rank"):
            show_correlations(part, figure, within)
    by_set = table.groupby(["set", "seed"], sort=False)
    first = table.loc[by_set["score"].idxmax(), ["set", "probe"]].set_index("set")
    print("probe of the configuration with the highest score, of the median, and of the best")
    print(
        first.join(by_set["probe"].agg(["median", "max"]).droplevel("seed")).round(1).to_string()
    )


def show_correlations(table, figure, within):
    means = {}
    for name, part in table.groupby("set", sort=False):
        groups = (group for _, group in part.groupby(within))
        means[name] = np.mean([spearmanr(g[figure], g["probe"]).statistic for g in groups])
    told = ", ".join(f"{name} {value:.2f}" for name, value in means.items())
    values = np.array(list(means.values()))
    error = values.std(ddof=1) / len(values) ** 0.5
    print(f"  {figure}: {told}; mean {values.mean():.2f} ({error:.2f})")


# ------------------------------------------------------------------------------- labels


def labels(data, seeds, quick):
    for share in (0.01, 0.1, 1.0):
        for method in ("embedding", "from scratch"):
            for seed in seeds:
                what = {"labels": share, "method": method, "seed": seed}
                yield what, partial(judge_labels, data, share, method, seed, quick)


def judge_labels(data, share, method, seed, quick):
    X_train, X_test, y_train, y_test = load_images(data, "star_galaxy")
    rng = np.random.default_rng(seed)
    known = rng.permutation(len(X_train))[: round(share * len(X_train))]
    if method == "embedding":
        model = embedding_of_sky(data, seed, quick)
        Z_train, Z_test = model.transform(X_train[known]), model.transform(X_test)
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        probabilities = probe.fit(Z_train, y_train[known]).predict_proba(Z_test)[:, 1]
    else:
        begin = X_train[known], y_train[known]
        probabilities = classify_from_scratch(*begin, X_test, seed, 300 if quick else 1500)
    return {
        "accuracy": 100 * np.mean((probabilities > 0.5) == y_test),
        "auc": 100 * roc_auc_score(y_test, probabilities),
        "precision": faster_precision(),
    }


SKY_VIEWS = (RandomCrop(area=(0.85, 1.1)), RandomRotation(180), RandomFlip(), ColorJitter(0.1))


@cache
def embedding_of_sky(data, seed, quick):
    X = load_images(data, "star_galaxy")[0]
    model = ContrastiveEmbedding(
        augmentation=list(SKY_VIEWS),
        max_epochs=2 if quick else "auto",
        precision="auto",
        random_state=seed,
    )
    return model.fit(X)


def classify_from_scratch(X, y, X_test, seed, n_steps):
    """Train the same convolutions on labels, with the same views."""
    torch.manual_seed(seed)
    backbone = ConvNet((32, 64, 128, 128), activation="relu").make_backbone(X.shape[1:])
    model = nn.Sequential(backbone, nn.Linear(backbone.width, 1))
    rows, classes = torch.from_numpy(X), torch.from_numpy(y.astype(np.float32))
    mean, scale = rows.mean(), rows.std()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=n_steps)
    size = min(128, len(rows))
    for _ in range(n_steps):
        index = torch.randperm(len(rows))[:size]
        x = make_view((rows[index] - mean) / scale, list(SKY_VIEWS), None)
        with autocast():
            output = model(x)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(output.float(), classes[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        output = model.eval()((torch.from_numpy(X_test) - mean) / scale)
    return output[:, 0].sigmoid().numpy()


# ------------------------------------------------------------------- tables and spectra


def tables(data, seeds, quick):
    names = [name for name in find_tables(data) if name.startswith(("tabular", "anomaly"))]
    names = [*names, *UNSEEN, "sklearn/digits"]
    for name in names[::6] if quick else names:
        for method in ("table itself", "PCA", "ContrastiveEmbedding"):
            for seed in seeds:
                what = {"set": name, "method": method, "seed": seed}
                yield what, partial(judge_on_table, data, name, method, seed, quick)


def judge_on_table(data, name, method, seed, quick):
    most_rows = 1000 if quick else 5000
    X_train, X_test, y_train, y_test = load_table(data, name, most_rows=most_rows, seed=seed)
    if method != "table itself":
        width = min(64, *X_train.shape)
        model = PCA(width) if method == "PCA" else ContrastiveEmbedding(width, random_state=seed)
        seconds = timed(model.fit, X_train)[0]
        X_train, X_test = model.transform(X_train), model.transform(X_test)
    else:
        seconds = 0.0
    # as they are: the scale of components is part of an embedding
    knn = KNeighborsClassifier(5).fit(X_train, y_train)
    row = {"seconds": seconds, "knn": 100 * knn.score(X_test, y_test)}
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return row | {"probe": 100 * probe.fit(X_train, y_train).score(X_test, y_test)}


def show_tables(table):
    """Print each set, and differences over sets."""
    for figure in ("knn", "probe"):
        by_set = table.pivot_table(figure, "set", "method", sort=False)
        if figure == "knn":
            print(by_set.round(1).to_string())
        for other in ("PCA", "table itself"):
            lead = by_set["ContrastiveEmbedding"] - by_set[other]
            error = lead.std() / len(lead) ** 0.5
            print(f"{figure} above {other}: {lead.mean():+.2f} points ({error:.2f})")


def spectra(data, seeds, quick):
    for method in ("spectrum itself", "PCA", "AutoencoderEmbedding", "ContrastiveEmbedding"):
        for seed in seeds:
            what = {"method": method, "seed": seed}
            yield what, partial(judge_on_spectra, data, method, seed, quick)


def judge_on_spectra(data, method, seed, quick):
    most_rows = 1000 if quick else None
    X_train, X_test, y_train, y_test = load_table(
        data, "spectra/supernova_spectra", most_rows=most_rows, seed=seed
    )
    model = {
        "spectrum itself": StandardScaler(),
        "PCA": PCA(64, random_state=seed),
        "AutoencoderEmbedding": AutoencoderEmbedding(64, random_state=seed),
        "ContrastiveEmbedding": ContrastiveEmbedding(
            input_shape=(1, -1), precision="auto", random_state=seed
        ),
    }[method]
    seconds = timed(model.fit, X_train)[0]
    figures = judge(model.transform(X_train), model.transform(X_test), y_train, y_test)
    return {"seconds": seconds, "precision": precision_of(model)} | figures


# -------------------------------------------------------------------------------- speed


def speed(data, seeds, quick):
    for seed in seeds:
        yield {"set": "usps", "batch": 128, "seed": seed}, partial(race, data, seed, quick)
        what = {"set": "table of 64 columns", "batch": 4096, "seed": seed}
        yield what, measure_memory


def race(data, seed, quick):
    """Let both take turns, with one network; return medians over rounds."""
    X = load_images(data, "usps")[0][: 1000 if quick else 4000]
    ours, by_hand = [], []
    for _ in range(3 if quick else 6):
        model = ContrastiveEmbedding(
            max_epochs=2,
            early_stopping=False,
            precision="auto",
            callbacks=[("clock", EpochClock())],
            random_state=seed,
        ).fit(X)
        ours.append(dict(model.net_.callbacks_)["clock"].seconds / 2)
        by_hand.append(timed(SimCLRByHand(2, seed, None).fit, X)[0] / 2)
    ours, by_hand = np.array(ours[1:]), np.array(by_hand[1:])  # the first is warming up
    return {
        "ratio": float(np.median(ours / by_hand)),
        "seconds": float(np.median(ours)),
        "precision": precision_of(model),
    }


def measure_memory():
    """Return the largest memory of a process of its own, in GB."""
    code = (
        "import numpy as np, resource; from skrepr import ContrastiveEmbedding;"
        "X = np.random.default_rng(0).normal(size=(40_000, 64)).astype(np.float32);"
        "ContrastiveEmbedding(batch_size=4096, max_epochs=2, random_state=0).fit(X);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {"GB": float(done.stdout), "precision": "float32"}


# name: what yields the measurements, and the number of seeds
PARTS = {
    "images": (images, 1),
    "objectives": (objectives_table, 2),
    "choosing": (choosing, 1),
    "labels": (labels, 5),
    "tables": (tables, 1),
    "spectra": (spectra, 3),
    "speed": (speed, 1),
}
