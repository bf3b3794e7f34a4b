"""Real data sets as standardized tables, each with a training and a test part."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.preprocessing import StandardScaler

# A test row further out, in standard deviations of the training part, is left out: the one
# such spectrum there is makes up 99.99 % of the mean squared error of any method.
FURTHEST = 1000
FOLDERS = ("tabular", "anomaly", "timeseries")
SINGLE = (
    "images/usps.npz",
    "images/fashion_mnist.npz",
    "spectra/supernova_spectra.npz",
    "singlecell/mouse_bladder.npz",
)
# Sets that had no part in the choice of any default.
UNSEEN = (
    *(f"unseen/mfeat_{view}" for view in ("fac", "fou", "kar", "mor", "pix", "zer")),
    "unseen/star_galaxy",
    "unseen/adult",
    *(f"unseen/{name}" for name in ("breast_cancer", "diabetes", "iris", "wine")),
)


def find_tables(folder):
    """List the data sets in ``folder``, by their paths without ending."""
    folder = Path(folder)
    paths = [path for name in FOLDERS for path in sorted((folder / name).glob("*.npz"))]
    paths += [folder / name for name in SINGLE if (folder / name).exists()]
    return [path.relative_to(folder).with_suffix("").as_posix() for path in paths]


def load_table(folder, name, *, most_rows=None, seed=0):
    """Load one data set.

    Parameters
    ----------
    folder : str or Path
    name : str
        As listed by `find_tables` or in `UNSEEN`; "sklearn/digits", say, is the set of
        scikit-learn.
    most_rows : int or None, default=None
        Training rows beyond this number, and test rows beyond half of it, are left out.
    seed : int, default=0
        Of the split and of the rows left out. Spectra are split by object; sets that come
        with a split keep it.

    Returns
    -------
    X_train, X_test : ndarray of shape (n, n_features), float32
        Standardized by the training part; NaN is 0. Test rows with a value beyond 1,000
        standard deviations are left out.
    y_train, y_test : ndarray of shape (n,)
    """
    if name in UNSEEN:
        file = _unseen(Path(folder), name)
    elif name.startswith("sklearn/"):
        file = _of_sklearn(name)
    else:
        file = np.load(Path(folder, f"{name}.npz"))
    if "X_train" in file:
        X_train, y_train = file["X_train"], file["y_train"]
        X_test, y_test = file["X_test"], file["y_test"]
    else:
        X, y = file["X"].astype(np.float32), file["y"]
        if "size" in file:  # counts: log of the share of the cell's total
            X = np.log1p(X * (np.median(file["size"]) / file["size"][:, None]))
        if "object" in file:
            split = GroupShuffleSplit(1, test_size=0.3, random_state=seed)
            train, test = next(split.split(X, groups=file["object"]))
        else:
            train, test = train_test_split(
                np.arange(len(X)), test_size=0.3, random_state=seed, stratify=y
            )
        X_train, X_test, y_train, y_test = X[train], X[test], y[train], y[test]
    rng = np.random.default_rng(seed)
    order_train, order_test = rng.permutation(len(X_train)), rng.permutation(len(X_test))
    if most_rows is not None:
        order_train, order_test = order_train[:most_rows], order_test[: most_rows // 2]
    X_train = X_train[order_train].reshape(len(order_train), -1).astype(np.float32)
    X_test = X_test[order_test].reshape(len(order_test), -1).astype(np.float32)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = (np.nan_to_num(scaler.transform(X)) for X in (X_train, X_test))
    y_train, y_test = y_train[order_train], y_test[order_test]
    kept = np.abs(X_test).max(axis=1) <= FURTHEST
    return X_train, X_test[kept], y_train, y_test[kept]


def _unseen(folder, name):
    """Load one of the sets that had no part in the choice of any default."""
    name = name.removeprefix("unseen/")
    if name.startswith("mfeat_"):
        file = np.load(folder / "multiview/mfeat.npz")
        return {"X": file[name.removeprefix("mfeat_")], "y": file["y"]}
    if name == "star_galaxy":
        return np.load(folder / "images/star_galaxy.npz")
    if name == "adult":  # its numbers
        parts = {
            part: pd.read_csv(folder / f"tabular/adult_{part}.csv.gz")
            for part in ("train", "test")
        }
        return {
            key: value
            for part, frame in parts.items()
            for key, value in (
                (f"X_{part}", frame.iloc[:, :-1].select_dtypes("number").to_numpy(np.float32)),
                (f"y_{part}", frame.iloc[:, -1].to_numpy()),
            )
        }
    return _of_sklearn(name)


def _of_sklearn(name):
    name = name.split("/")[-1]
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "diabetes":  # a number: its third
        y = pd.qcut(y, 3, labels=False)
    return {"X": X, "y": y}
