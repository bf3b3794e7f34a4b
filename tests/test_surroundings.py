"""Few threads inside a fit, and everything outside as it was found."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from skrepr import AutoencoderEmbedding, _surroundings
from skrepr._surroundings import (
    ONE_BLAS_THREAD,
    allow_threads,
    count_multiplications,
    own_surroundings,
)
from skrepr.architectures import MLP, ConvNet


def table(n=60, width=6):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, width))).astype(np.float32)


def embedding(**parameters):
    settings = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
    return AutoencoderEmbedding(2, **settings | parameters)


def blas_threads():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def in_new_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


@pytest.fixture
def three_threads():
    """A user who has set three threads for torch and two for the BLAS."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    limit = in_new_thread(lambda: threadpool_limits(2, user_api="blas"))
    yield
    in_new_thread(limit.restore_original_limits)
    torch.set_num_threads(before)


class Spy(nn.Module):
    """An encoder that writes down how many threads it may use."""

    seen = []

    def __init__(self, n_features=6, n_outputs=4, fails=False):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)
        self.fails = fails

    def forward(self, x):
        self.seen.append((torch.get_num_threads(), *blas_threads()))
        if self.fails and self.training:
            raise RuntimeError("out of memory")
        return self.linear(x)


@pytest.fixture
def seen():
    Spy.seen.clear()
    return Spy.seen


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_small_networks_use_one_thread(method, three_threads, seen):
    estimator = getattr(embedding(architecture=Spy()), method)(table())
    assert len(seen) > 3
    assert {number for entry in seen for number in entry} == {1}
    seen.clear()
    for evaluate in (estimator.transform, estimator.reconstruct, estimator.score_samples):
        evaluate(table())
    estimator.module_.decoder = Spy(2, n_outputs=6)
    estimator.inverse_transform(np.zeros((3, 2)))
    assert len(seen) == 4
    assert {n for n, *_ in seen} == {1}
    assert torch.get_num_threads() == in_new_thread(torch.get_num_threads) == 3
    assert set(blas_threads()) == {2}


def test_threads_are_given_back_after_an_error(three_threads):
    with pytest.raises(RuntimeError, match="out of memory"):
        embedding(architecture=Spy(fails=True)).fit(table())
    assert torch.get_num_threads() == 3
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize(("work", "allowed"), [(0, 1), (1.9e9, 1), (2e9, 2), (3e9, 3), (1e15, 3)])
def test_threads_follow_from_the_work_and_never_exceed_the_users(work, allowed, three_threads):
    with own_surroundings():
        assert torch.get_num_threads() == 1
        allow_threads(work)
        assert torch.get_num_threads() == allowed
        with own_surroundings():
            assert torch.get_num_threads() == 1
        with own_surroundings(1e15):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == allowed
    assert torch.get_num_threads() == 3


def test_a_fit_allows_the_threads_that_its_network_pays_for(three_threads, seen):
    X = table(300, 100)
    wide = nn.Sequential(Spy(100), nn.Linear(4, 10_000), nn.Linear(10_000, 300))
    estimator = embedding(architecture=wide, max_epochs=1, early_stopping=False, batch_size=150)
    estimator.fit(X)
    # 6 operations of 150 rows with 3 million weights: 2.7e9 and some more
    assert 1 in {n for n, *_ in seen}  # for reading and making the network
    assert 2 in {n for n, *_ in seen}
    assert {n for _, *blas in seen for n in blas} == {1}
    seen.clear()
    estimator.transform(X)
    assert {n for n, *_ in seen} == {1}  # forward is a third of it


@pytest.mark.parametrize("library", ["of torch", "none to be asked"])
def test_python_threads_do_not_disturb_each_other(library, three_threads, monkeypatch):
    """One begins while another is inside, and stays longer."""
    if library == "none to be asked":
        monkeypatch.setattr(_surroundings, "_library_of_torch", lambda: None)
    inside, may_leave, begun = threading.Event(), threading.Event(), threading.Event()
    found = {}

    def first():
        with own_surroundings(), ONE_BLAS_THREAD:
            inside.set()
            begun.wait(10)
        found["first"] = torch.get_num_threads()
        may_leave.set()

    def second():
        inside.wait(10)
        found["before"] = torch.get_num_threads()
        with own_surroundings(), ONE_BLAS_THREAD:
            begun.set()
            may_leave.wait(10)
            found["inside"] = torch.get_num_threads(), *set(blas_threads())
            found["default inside"] = in_new_thread(torch.get_num_threads)
        found["second"] = torch.get_num_threads()

    threads = [threading.Thread(target=run) for run in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"first": 3, "before": 3, "inside": (1, 1), "default inside": 3, "second": 3}
    assert torch.get_num_threads() == in_new_thread(torch.get_num_threads) == 3
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Linear(5, 7), (5,), 35),
        (nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.ReLU(), nn.Linear(7, 2)), (5,), 49),
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 16, 16), 8 * 3 * 9 * 64),
        (nn.ConvTranspose1d(4, 2, 5, stride=2), (4, 10), 4 * 2 * 5 * 10),
        (nn.Sequential(nn.Conv1d(2, 4, 1), nn.BatchNorm1d(4)), (2, 9), 8 * 9),
        (nn.Linear(5, 7), (11, 5), 35 * 11),
        (nn.GRU(3, 4, batch_first=True), (6, 3), 3 * (3 * 4 + 4 * 4) * 6),
    ],
)
def test_count_multiplications(module, shape, expected):
    module.eval()
    assert count_multiplications(module, torch.zeros(2, *shape)) == expected
    assert not any(part._forward_hooks for part in module.modules())


@pytest.mark.parametrize("recipe", [MLP(), ConvNet()])
def test_multiplications_are_known_of_every_network(recipe):
    X = np.random.default_rng(0).normal(size=(40, 1, 8, 8)).astype(np.float32)
    X = X.reshape(40, -1) if isinstance(recipe, MLP) else X
    module = embedding(architecture=recipe, max_epochs=1).fit(X).module_
    n_weights = sum(parameter.numel() for parameter in module.parameters() if parameter.ndim > 1)
    if isinstance(recipe, MLP):
        assert module.multiplications == n_weights
    else:
        assert module.multiplications > n_weights  # kernels are used in many places


def policy_after(code, **variables):
    env = {name: value for name, value in os.environ.items() if name not in POLICIES} | variables
    code += "; import os; print(os.environ.get('OMP_WAIT_POLICY'))"
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


POLICIES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def test_waiting_threads_sleep_unless_the_user_has_chosen():
    assert policy_after("import skrepr") == "PASSIVE"
    assert policy_after("import skrepr", OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"
    assert policy_after("import skrepr", GOMP_SPINCOUNT="1000") == "None"
    assert policy_after("import skrepr", KMP_BLOCKTIME="1") == "None"
