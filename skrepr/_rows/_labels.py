"""Labels that go with the rows."""

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import type_of_target

from ._libraries import as_array

# scikit-learn's sign of a row without a label.
UNLABELED = -1


def read_labels(estimator, y, n):
    """Validate the labels of ``n`` rows.

    Parameters
    ----------
    estimator : estimator
        Whom messages speak of.
    y : array-like of shape (n,)
        Classes: integers, booleans, strings or categories. The number -1 (among strings,
        too; the string "-1" is a class), and what is missing, are rows without a label.
    n : int

    Returns
    -------
    labels : torch.Tensor of shape (n,), int64
        Numbers of classes, -1 for rows without a label.
    """
    name = type(estimator).__name__
    if y is None:
        raise ValueError(
            f"This {name} estimator requires y to be passed, but the target y is None. Pass one "
            "class for each row, or set supervised=False."
        )
    if isinstance(y, (list, tuple)) and any(isinstance(value, str) for value in y):
        y = np.asarray(y, dtype=object)  # numpy would make a string of -1
    y = y if isinstance(getattr(y, "dtype", None), pd.CategoricalDtype) else as_array(y)
    y = column_or_1d(y, warn=True) if np.ndim(y) != 1 else y
    check_consistent_length(range(n), y)
    numbers, classes = pd.factorize(y)  # -1 where a value is missing
    values = np.asarray(pd.Index(np.asarray(classes)).infer_objects())
    kind = type_of_target(values.astype(str) if values.dtype == object else values)
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"supervised=True needs classes. Got a y that is {kind}. Turn it into classes, for "
            "instance by KBinsDiscretizer, or set supervised=False."
        )
    unlabeled = [number for number, value in enumerate(values) if value == UNLABELED]
    numbers = np.where(np.isin(numbers, unlabeled), UNLABELED, numbers)
    return torch.from_numpy(numbers.astype(np.int64))
