"""How good the default AutoencoderEmbedding is on real tables, compared with PCA and its peers.

    python benchmarks/representation_quality.py --data DIR [--quick] [--part NAME]

For each data set and for the widths 2 and min(16, n_features // 2): held-out
reconstruction error, accuracy of 5 nearest neighbors and of a linear probe on the
embedding, agreement of KMeans clusters with the classes (adjusted Rand index), and seconds,
for AutoencoderEmbedding at its defaults, PCA, UMAP and pythae's autoencoder (layers 256-64,
50 epochs), the peers where they are installed. For the anomaly sets, as information, the
AUROC of the reconstruction error next to that of simple detectors.

Every row is appended to a file in ``benchmarks/results``; the table is printed from that
file, so that the parts of a long run add up, and a run that is repeated measures only what
is missing. `--quick` takes a quarter of the sets, one seed and at most 2,000 training rows,
and has a file of its own. The defaults were chosen with these sets in view; `--part unseen` are
sets that had no part in it. UMAP is fitted to at most 10,000 of the training rows, and the linear
probe and KMeans to as many.
"""

import argparse
import json
import time
import warnings

import numpy as np
import pandas as pd
import torch
from real_tables import UNSEEN, find_tables, load_table
from results_file import path_of, read_rows
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding

PARTS = ("tabular", "anomaly", "timeseries", "images", "spectra", "singlecell", "unseen")
# A linear probe on more rows costs minutes and changes nothing in the second digit.
MOST_PROBE_ROWS = 10_000
# UMAP is fitted to this many of the training rows at most.
MOST_UMAP_ROWS = 10_000
# UMAP leaves torch with as many threads as there are cores, whatever was asked for.
THREADS = torch.get_num_threads()


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
        from pythae_models import PythaeEmbedding

        made["pythae"] = PythaeEmbedding("AE", n_components, seed)
    except ImportError:
        pass
    try:
        from umap import UMAP

        made["UMAP"] = UMAP(n_components=n_components, random_state=seed, n_jobs=1)
    except ImportError:
        pass
    return made


def judge(method, X_train, X_test, y_train, y_test, labeled):
    """Fit one method and measure it."""
    torch.set_num_threads(THREADS)
    start = time.perf_counter()
    method.fit(X_train[: MOST_UMAP_ROWS if type(method).__name__ == "UMAP" else None])
    row = {"seconds": time.perf_counter() - start}
    Z_train, Z_test = method.transform(X_train), method.transform(X_test)
    if hasattr(method, "reconstruct"):
        squares = (X_test - method.reconstruct(X_test)) ** 2
        row["error"] = float(np.mean(squares))
        row["error_of_rows"] = np.mean(squares, axis=1)
    if labeled:
        some = slice(MOST_PROBE_ROWS)
        row["knn"] = KNeighborsClassifier(5).fit(Z_train, y_train).score(Z_test, y_test)
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of convergence: 300 steps are the protocol
            row["probe"] = probe.fit(Z_train[some], y_train[some]).score(Z_test, y_test)
        n_classes = len(np.unique(y_train))
        clusters = KMeans(n_classes, n_init=10, random_state=0).fit(Z_train[some])
        row["kmeans"] = adjusted_rand_score(y_test, clusters.predict(Z_test))
    return row


def detectors(X_train, X_test, y_test, seed):
    """AUROC of simple detectors, fitted on the training rows."""
    forest = IsolationForest(n_estimators=300, random_state=seed).fit(X_train)
    neighbors = NearestNeighbors(n_neighbors=5).fit(X_train)
    scores = {
        "IsolationForest": -forest.score_samples(X_test),
        "5-NN distance": neighbors.kneighbors(X_test)[0][:, -1],
    }
    try:
        from pyod.models.auto_encoder import AutoEncoder

        detector = AutoEncoder(verbose=0, random_state=seed).fit(X_train)
        scores["pyod AE"] = detector.decision_function(X_test)
    except ImportError:
        pass
    return {name: roc_auc_score(y_test, score) for name, score in scores.items()}


def run(path, data, names, seeds, most_rows):
    """Measure everything that is not in the file of results yet."""
    path.parent.mkdir(exist_ok=True)
    done = {key_of(row) for row in read_rows(path)}
    for name in names:
        for seed in seeds:
            parts = load_table(data, name, most_rows=most_rows, seed=seed)
            for row in rows_of_one_set(name, seed, *parts, done):
                with path.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print("{set:32s} {seed} {width:3d} {method:16s} {seconds:7.1f} s".format(**row))


def rows_of_one_set(name, seed, X_train, X_test, y_train, y_test, done):
    d, labeled = X_train.shape[1], not name.startswith("anomaly")
    facts = {"set": name, "seed": seed, "rows": len(X_train), "features": d}
    for width in sorted({2, min(16, d // 2)}):
        for method_name, method in methods(min(width, len(X_train) - 1), seed).items():
            row = facts | {"width": width, "method": method_name}
            if key_of(row) not in done:
                row |= judge(method, X_train, X_test, y_train, y_test, labeled)
                scores = row.pop("error_of_rows", None)
                if not labeled and scores is not None:
                    row["auroc"] = roc_auc_score(y_test, scores)
                yield row
    row = facts | {"width": 0, "method": "IsolationForest"}
    if not labeled and key_of(row) not in done:
        start = time.perf_counter()
        for method_name, auroc in detectors(X_train, X_test, y_test, seed).items():
            seconds = time.perf_counter() - start
            yield row | {"method": method_name, "auroc": auroc, "seconds": seconds}


def key_of(row):
    return tuple(row[name] for name in ("set", "seed", "width", "method"))


def summarize(rows):
    """Print the table, and the figures over all sets."""
    table = pd.DataFrame(rows)
    embeddings = table[table["width"] > 0]
    columns = ["error", "knn", "probe", "kmeans", "seconds"]
    columns = [name for name in columns if name in embeddings]
    pair = ["set", "features", "width"]
    by_seed = embeddings.set_index([*pair, "seed", "method"])[columns].unstack("method")
    mean = by_seed.groupby(pair).mean()
    mean.insert(0, "rows", embeddings.groupby(pair)["rows"].max())
    print(mean.dropna(axis=1, how="all").round(3).to_string())
    n_seeds = embeddings.groupby("method")["seed"].nunique()
    seeds = ", ".join(f"{name} {number}" for name, number in n_seeds.items())
    print(f"\nover all sets and widths ({len(mean)} pairs; seeds: {seeds})")
    for other in ("PCA", "pythae"):
        if ("error", other) in by_seed:
            print(compare_errors(by_seed["error"], other, pair))
    for other in ("PCA", "pythae", "UMAP"):
        for what in ("knn", "probe", "kmeans"):
            if (what, other) in by_seed:
                print(compare_accuracies(by_seed[what], what, other, pair))
    seconds = by_seed["seconds"].dropna()
    figures = [f"{name} {s.mean():.1f} / {s.max():.1f}" for name, s in seconds.items()]
    print(f"seconds to fit, mean / largest, of {len(seconds)} fits: " + ", ".join(figures))
    if "auroc" in table:
        detectors = table.dropna(subset="auroc").groupby("method")["auroc"]
        print(
            "AUROC on the anomaly sets: "
            + ", ".join(f"{name} {value:.3f}" for name, value in detectors.mean().items())
        )


def compare_errors(error, other, pair):
    """Compare on the same rows: the seeds that both have."""
    ratio = np.log(error["skrepr"] / error[other]).dropna().groupby(pair).mean()
    by_set = ratio.groupby("set").mean()
    worst = ratio.idxmax()
    return (
        f"reconstruction error against {other}: better on {(ratio < -1e-4).mean():.0%} of the "
        f"pairs and {(by_set < -1e-4).mean():.0%} of the sets, geometric mean of the ratio "
        f"{np.exp(ratio.mean()):.3f}, worst {np.exp(ratio.max()):.3f} ({worst[0]}, width "
        f"{worst[2]})"
    )


def compare_accuracies(accuracy, what, other, pair):
    """Compare on the same rows: the seeds that both have."""
    gain = 100 * (accuracy["skrepr"] - accuracy[other]).dropna().groupby(pair).mean()
    return (
        f"{what} against {other}: {gain.mean():+.2f} points (standard error "
        f"{gain.std() / len(gain) ** 0.5:.2f}), at most half a point below on "
        f"{(gain >= -0.5).mean():.0%} of {len(gain)} pairs"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--quick", action="store_true", help="within 10 minutes")
    parser.add_argument("--part", choices=PARTS, help="only the sets of this folder")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    arguments = parser.parse_args()
    names = find_tables(arguments.data)
    if arguments.part == "unseen":
        names = UNSEEN
    elif arguments.part:
        names = [name for name in names if name.startswith(arguments.part)]
    path = path_of("representation_quality", arguments.quick)
    if arguments.quick:
        run(path, arguments.data, names[::4], [0], 2000)
    else:
        run(path, arguments.data, names, range(arguments.seeds), None)
    summarize([row for row in read_rows(path) if row["set"] in names])


if __name__ == "__main__":
    main()
