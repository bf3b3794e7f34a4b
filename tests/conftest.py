"""Settings of the whole suite."""

import os

# scikit-learn's array API check is skipped without it; read when scipy is imported
os.environ["SCIPY_ARRAY_API"] = "1"

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small networks are faster on one thread, and two jobs do not fight over two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
