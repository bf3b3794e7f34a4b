"""Which distance between rows of a table has neighbors of one class, without a network.

    python benchmarks/table_distances.py --data DIR [--quick] [--seeds N]

``distances``
    Accuracy of 5 nearest neighbors on tables whose columns are changed, in points above that on
    the standardized table: the most that is to be had of a table where no labels are known.
    At most 3,000 training rows. Mean over sets, and its standard error.

Rows are appended to a file in ``benchmarks/results``, see ``contrastive.py``.
"""

from functools import partial

import numpy as np
from real_tables import UNSEEN, find_tables, load_table
from results_file import run_parts
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler

# Standard deviations at which values are clipped, and neighbors whose mean is joined.
_FURTHEST, _N_AVERAGED = 3, 10
# Of a column that is no linear function of the others, what is kept of it at least.
_LEAST_WEIGHT = 0.2


def standardized(change):
    """Return a change of columns that are standardized afterwards."""

    def changed(X, X_test):
        scaled = make_pipeline(change(len(X)), StandardScaler()).fit(X)
        return scaled.transform(X), scaled.transform(X_test)

    return changed


def whiten(X, X_test):
    """Give all principal axes that vary the same spread."""
    pca = PCA().fit(X)
    spread = pca.singular_values_ / len(X) ** 0.5
    spread[spread < 1e-3 * spread[0]] = np.inf
    return pca.transform(X) / spread, pca.transform(X_test) / spread


def weight_by_others(X, X_test):
    """Weight columns by how well the others tell them, by a linear regression."""
    correlation = X.T @ X / len(X) + 1e-3 * np.eye(X.shape[1])
    explained = 1 - 1 / np.diagonal(np.linalg.inv(correlation))
    weight = np.sqrt(_LEAST_WEIGHT + explained.clip(0, 1))
    return X * weight, X_test * weight


def join_neighbors(X, X_test):
    """Put the mean of the nearest training rows next to each row."""
    neighbors = NearestNeighbors(n_neighbors=_N_AVERAGED).fit(X)
    own = neighbors.kneighbors(return_distance=False)  # without the row itself
    means = X[own].mean(1), X[neighbors.kneighbors(X_test, return_distance=False)].mean(1)
    return tuple(np.hstack(pair) for pair in zip((X, X_test), means))


CHANGES = {
    "table itself": lambda X, X_test: (X, X_test),
    "clipped": lambda *both: tuple(np.clip(X, -_FURTHEST, _FURTHEST) for X in both),
    "arcsinh": standardized(lambda n: FunctionTransformer(np.arcsinh)),
    "ranks": standardized(lambda n: QuantileTransformer(n_quantiles=min(256, n))),
    "whitened": whiten,
    "weighted": weight_by_others,
    "neighbors joined": join_neighbors,
}


def distances(data, seeds, quick):
    names = [name for name in find_tables(data) if name.startswith(("tabular", "anomaly"))]
    names = [*names, *UNSEEN, "sklearn/digits"]
    for name in names[::6] if quick else names:
        for seed in seeds:
            for change in (*CHANGES, "city blocks"):
                what = {"set": name, "change": change, "seed": seed}
                yield what, partial(judge, data, name, change, seed)


def judge(data, name, change, seed):
    X_train, X_test, y_train, y_test = load_table(data, name, most_rows=3000, seed=seed)
    own = CHANGES.get(change, CHANGES["table itself"])
    X_train, X_test = own(X_train.astype(float), X_test.astype(float))
    knn = KNeighborsClassifier(5, p=1 if change == "city blocks" else 2)
    return {"knn": 100 * knn.fit(X_train, y_train).score(X_test, y_test)}


def show_gains(table):
    """Print points above the standardized table, and their standard errors."""
    by_set = table.pivot_table("knn", "set", "change", sort=False)
    gain = by_set.drop(columns="table itself").sub(by_set["table itself"], axis=0)
    print(f"points above the standardized table, over {len(gain)} sets")
    for change, of_change in gain.items():
        print(f"{change}: {of_change.mean():+.2f} ({of_change.std() / len(gain) ** 0.5:.2f})")


if __name__ == "__main__":
    parts = {"distances": (distances, 4)}
    run_parts("table_distances", __doc__, parts, show={"distances": show_gains})
