"""Settings of the whole suite."""

import os
from importlib.util import find_spec

# scikit-learn's array API check is skipped without it; read when scipy is imported
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest

pytest.register_assert_rewrite("own_parts", "small_vaes", "trainings")
# of a part of scikit-learn that comes with its version 1.9
collect_ignore = [] if find_spec("sklearn.callback") else ["test_training_fit_task.py"]

# ----------------------------------------------------------- of the tests of trainings


@pytest.fixture(scope="module")
def one_thread():
    """What is trained without an estimator, or without skrepr, has no rule of its own."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_earlier_interruption(monkeypatch):
    from skrepr._training import Interruption

    monkeypatch.setattr(Interruption, "_last", -np.inf)


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
