"""Settings of the whole suite."""

import os
from importlib.util import find_spec

# scikit-learn's array API check is skipped without it; read when scipy is imported
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest

# of a part of scikit-learn that comes with its version 1.9
collect_ignore = [] if find_spec("sklearn.callback") else ["test_training_fit_task.py"]

# ------------------------------------------------------------ of the tests of displays


@pytest.fixture
def figures():
    """Draw without a window, and close what was drawn."""
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def X():
    X = np.random.default_rng(0).normal(size=(60, 12)) * np.arange(12, 0, -1)
    X.flags.writeable = False  # shared
    return X


@pytest.fixture(scope="session")
def embedding(X):
    from skrepr import AutoencoderEmbedding
    from skrepr.architectures import MLP

    return AutoencoderEmbedding(
        3, architecture=MLP((8,)), sparsity=1e-3, max_epochs=4, early_stopping=True, random_state=0
    ).fit(X)
