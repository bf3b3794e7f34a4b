"""Arrays of other libraries than numpy: as input, and as the form of results."""

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from sklearn import get_config


def keeps_library(X):
    """Whether results are arrays of the library of X, on its device, as scikit-learn does it.

    Under its setting ``array_api_dispatch``; else they are of numpy.
    """
    return get_config()["array_api_dispatch"] and (
        isinstance(X, torch.Tensor)
        or (hasattr(X, "__array_namespace__") and not isinstance(X, (np.ndarray, np.generic)))
    )


def as_array(X):
    """Give X an axis that can be sliced, and leave its values alone.

    Where results are arrays of its library, X becomes a tensor without being copied.
    """
    if isinstance(X, (list, tuple)) and any(isinstance(row, torch.Tensor) for row in X):
        X = torch.stack([torch.as_tensor(row).detach() for row in X])
    keeps = keeps_library(X)
    if keeps and not isinstance(X, torch.Tensor):
        X = torch.from_dlpack(X)
    if isinstance(X, torch.Tensor):
        X = X.detach()
        # what cannot be used is refused as an array of numpy, where it is told well
        if keeps and not X.is_complex() and X.layout == torch.strided:
            return X
        narrow = (X.is_floating_point() and X.element_size() < 2) or X.dtype == torch.bfloat16
        return (X.float() if narrow else X).numpy(force=True)
    if scipy.sparse.issparse(X):
        return X if X.format == "csr" else X.tocsr()
    return X if hasattr(X, "shape") else np.asarray(X)


def as_numbers(X):
    """Copy X into an array of numpy, float64, whatever library it is of.

    What is missing is NaN, in nullable columns of pandas, too.
    """
    if isinstance(X, torch.Tensor):
        X = X.numpy(force=True)
    elif scipy.sparse.issparse(X):
        X = X.toarray()
    elif isinstance(X, (pd.DataFrame, pd.Series)):
        X = X.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.array(X, dtype=np.float64, order="C")


def check_numbers(X, name):
    """Check that an array is none of those that numpy would turn into others without a word."""
    parts = X if isinstance(X, (list, tuple)) else [X]
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        raise ValueError(
            f"The mask of a masked array would be lost. Give {name}.filled(np.nan), or a list of "
            "such arrays."
        )
    is_tensor = isinstance(X, torch.Tensor)
    if X.is_complex() if is_tensor else isinstance(X, np.ndarray) and np.iscomplexobj(X):
        raise ValueError(f"Complex data not supported\n{name} holds complex numbers.")


def as_tensor(values):
    """Make a tensor of what was validated: where it is, and of its memory if that is writable."""
    if isinstance(values, torch.Tensor):
        return values
    if scipy.sparse.issparse(values):
        values = values.toarray()
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def result_device(X):
    """Return the device on which to gather what is computed from X."""
    return as_array(X).device if keeps_library(X) else torch.device("cpu")


def as_result(values, X):
    """Return a tensor that was computed from X as an array of numpy, or of the library of X."""
    if not keeps_library(X):
        return values.numpy()
    values = values.to(result_device(X))
    return values if isinstance(X, torch.Tensor) else X.__array_namespace__().from_dlpack(values)


def float32_of(X):
    """Return float32 as the library of an array knows it."""
    return torch.float32 if isinstance(X, torch.Tensor) else np.float32
