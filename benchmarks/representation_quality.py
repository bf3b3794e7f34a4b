"""How good the default AutoencoderEmbedding is on real tables, beside PCA and its peers.

    python benchmarks/representation_quality.py --data DIR [--quick] [--part NAME]

For each data set and for the widths 2 and min(16, n_features // 2): held-out
reconstruction error, accuracy of 5 nearest neighbours and of a linear probe on the
embedding, and seconds, for AutoencoderEmbedding at its defaults, PCA, UMAP and pythae's
autoencoder (layers 256-64, 50 epochs), the peers where they are installed. For the anomaly
sets, as information, the AUROC of the reconstruction error beside that of simple detectors.

Every row is appended to ``benchmarks/results/representation_quality.jsonl``; the table is
printed from that file, so that the parts of a long run add up. `--quick` takes a quarter
of the sets, one seed and at most 2,000 training rows.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from real_tables import find_tables, load_table
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding

RESULTS = Path(__file__).parent / "results" / "representation_quality.jsonl"
PARTS = ("tabular", "anomaly", "timeseries", "images", "spectra", "singlecell")
# A linear probe on more rows costs minutes and changes nothing in the second digit.
MOST_PROBE_ROWS = 10_000


class Pythae:
    """pythae's autoencoder as a transformer: layers 256-64, 50 epochs, its other defaults."""

    def __init__(self, n_components, random_state):
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X):
        import logging
        import tempfile

        import torch
        from pythae.data.datasets import BaseDataset
        from pythae.models import AE, AEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
        from torch import nn

        logging.disable(logging.WARNING)
        n_features, n_components = X.shape[1], self.n_components

        class Encoder(BaseEncoder):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(
                    nn.Linear(n_features, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU()
                )
                self.embedding = nn.Linear(64, n_components)

            def forward(self, x):
                return ModelOutput(embedding=self.embedding(self.layers(x.flatten(1))))

        class Decoder(BaseDecoder):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(
                    nn.Linear(n_components, 64),
                    nn.ReLU(),
                    nn.Linear(64, 256),
                    nn.ReLU(),
                    nn.Linear(256, n_features),
                )

            def forward(self, z):
                return ModelOutput(reconstruction=self.layers(z))

        torch.manual_seed(self.random_state)
        config = AEConfig(input_dim=(n_features,), latent_dim=n_components)
        self.model_ = AE(config, Encoder(), Decoder())
        n_held_out = max(1, len(X) // 10) if len(X) >= 500 else 0
        data = BaseDataset(torch.from_numpy(X[n_held_out:]), torch.zeros(len(X) - n_held_out))
        held_out = (
            BaseDataset(torch.from_numpy(X[:n_held_out]), torch.zeros(n_held_out))
            if n_held_out
            else None
        )
        with tempfile.TemporaryDirectory() as folder:
            trainer = BaseTrainer(
                self.model_,
                data,
                held_out,
                BaseTrainerConfig(
                    output_dir=folder,
                    num_epochs=50,
                    learning_rate=1e-3,
                    per_device_train_batch_size=64,
                    per_device_eval_batch_size=64,
                    no_cuda=True,
                    seed=self.random_state,
                ),
            )
            trainer.train()
        self.model_ = trainer._best_model if hasattr(trainer, "_best_model") else self.model_
        self.model_.eval()
        return self

    def _run(self, X):
        import torch

        with torch.inference_mode():
            z = self.model_.encoder(torch.from_numpy(X)).embedding
            return z.numpy(), self.model_.decoder(z).reconstruction.numpy()

    def transform(self, X):
        return self._run(X)[0]

    def reconstruct(self, X):
        return self._run(X)[1]


class PCAWithReconstruction(PCA):
    def reconstruct(self, X):
        return self.inverse_transform(self.transform(X))


def methods(n_components, seed):
    """Make the methods that are installed, by name."""
    made = {
        "skrepr": AutoencoderEmbedding(n_components, random_state=seed),
        "PCA": PCAWithReconstruction(n_components, random_state=seed),
    }
    try:
        import pythae  # noqa: F401

        made["pythae"] = Pythae(n_components, seed)
    except ImportError:
        pass
    try:
        from umap import UMAP

        made["UMAP"] = UMAP(n_components=n_components, random_state=seed, n_jobs=1)
    except ImportError:
        pass
    return made


def judge(method, X_train, X_test, y_train, y_test, labelled):
    """Fit one method and measure it."""
    start = time.perf_counter()
    method.fit(X_train)
    row = {"seconds": time.perf_counter() - start}
    Z_train, Z_test = method.transform(X_train), method.transform(X_test)
    if hasattr(method, "reconstruct"):
        row["error"] = float(np.mean((X_test - method.reconstruct(X_test)) ** 2))
        row["error_of_rows"] = np.mean((X_test - method.reconstruct(X_test)) ** 2, axis=1)
    if labelled:
        some = slice(MOST_PROBE_ROWS)
        row["knn"] = KNeighborsClassifier(5).fit(Z_train, y_train).score(Z_test, y_test)
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of convergence: 300 steps are the protocol
            row["probe"] = probe.fit(Z_train[some], y_train[some]).score(Z_test, y_test)
    return row


def detectors(X, y, seed):
    """AUROC of simple detectors that are fitted and scored on the same rows."""
    forest = -IsolationForest(300, random_state=seed).fit(X).score_samples(X)
    distance = NearestNeighbors(n_neighbors=5).fit(X).kneighbors()[0][:, -1]
    return {"forest": roc_auc_score(y, forest), "knn_distance": roc_auc_score(y, distance)}


def run(data, names, seeds, most_rows):
    """Measure everything that is not in the file of results yet."""
    RESULTS.parent.mkdir(exist_ok=True)
    done = set() if not RESULTS.exists() else {key_of(row) for row in read_rows()}
    for name in names:
        for seed in seeds:
            X_train, X_test, y_train, y_test = load_table(
                data, name, most_rows=most_rows, seed=seed
            )
            d, labelled = X_train.shape[1], not name.startswith("anomaly")
            for width in sorted({2, min(16, d // 2)}):
                for method_name, method in methods(min(width, len(X_train) - 1), seed).items():
                    row = {
                        "set": name,
                        "seed": seed,
                        "width": width,
                        "method": method_name,
                        "rows": len(X_train),
                        "features": d,
                    }
                    if key_of(row) in done:
                        continue
                    row |= judge(method, X_train, X_test, y_train, y_test, labelled)
                    scores = row.pop("error_of_rows", None)
                    if not labelled and scores is not None:
                        row["auroc"] = roc_auc_score(y_test, scores)
                    print("{set:32s} {seed} {width:3d} {method:7s} {seconds:7.1f} s".format(**row))
                    with RESULTS.open("a") as file:
                        file.write(json.dumps(row) + "\n")


def key_of(row):
    return tuple(row[name] for name in ("set", "seed", "width", "method", "rows"))


def read_rows():
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def summarise(rows):
    """Print the table, and the figures over all sets."""
    table = pd.DataFrame(rows)
    keys = ["set", "rows", "features", "width"]
    columns = ["error", "knn", "probe", "auroc", "seconds"]
    columns = [name for name in columns if name in table]
    mean = table.groupby([*keys, "method"])[columns].mean().unstack("method")
    with pd.option_context("display.width", 250, "display.max_rows", None):
        pd.set_option("display.max_columns", None)
        print(mean.dropna(axis=1, how="all").round(3).to_string())

    print("\nin total (each row of the table above counts once)")
    for other in ("PCA", "pythae"):
        if ("error", other) not in mean:
            continue
        ratio = (mean["error", "skrepr"] / mean["error", other]).dropna()
        print(
            f"reconstruction against {other}: better on {(ratio < 1).mean():.0%} of "
            f"{len(ratio)}, geometric mean of the ratio {np.exp(np.log(ratio).mean()):.3f}, "
            f"worst {ratio.max():.3f} ({ratio.idxmax()[0]}, width {ratio.idxmax()[3]})"
        )
    for other in ("PCA", "pythae", "UMAP"):
        for what in ("knn", "probe"):
            if (what, other) not in mean:
                continue
            gain = 100 * (mean[what, "skrepr"] - mean[what, other]).dropna()
            error = gain.std() / len(gain) ** 0.5
            print(
                f"{what} accuracy against {other}: {gain.mean():+.2f} points (standard error "
                f"{error:.2f}), not below on {(gain >= -0.5).mean():.0%} of {len(gain)}"
            )
    seconds = mean["seconds"]
    print("seconds, mean and largest: " + ", ".join(
        f"{name} {seconds[name].mean():.1f} / {seconds[name].max():.1f}" for name in seconds
    ))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--quick", action="store_true", help="within 10 minutes")
    parser.add_argument("--part", choices=PARTS, help="only the sets of this folder")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    names = find_tables(arguments.data)
    if arguments.part:
        names = [name for name in names if name.startswith(arguments.part)]
    if arguments.quick:
        names, seeds, most_rows = names[::4], [0], 2000
    else:
        seeds, most_rows = range(arguments.seeds), None
    run(arguments.data, names, seeds, most_rows)
    summarise([row for row in read_rows() if row["set"] in names])


if __name__ == "__main__":
    main()
