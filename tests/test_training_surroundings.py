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

from skrepr import AutoencoderEmbedding, load, save
from skrepr._jacobian import squared_jacobian
from skrepr._training import _surroundings
from skrepr._training._surroundings import (
    ONE_BLAS_THREAD,
    allow_threads,
    count_work,
    own_surroundings,
)
from skrepr.architectures import MLP, ConvNet
from skrepr.augmentations import GaussianNoise


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
    assert count_work(module, torch.zeros(2, *shape)).multiplications == expected
    assert not any(part._forward_hooks for part in module.modules())


def test_count_values():
    module = nn.Sequential(nn.Conv1d(2, 4, 3, stride=2), nn.Sequential(nn.ReLU(), nn.Flatten()))
    assert count_work(module, torch.zeros(3, 2, 9)).values == 3 * 4 * 4


@pytest.mark.parametrize(("exact", "n_passes"), [(True, 3), (False, 1)])
def test_count_passes_back_on_the_way_forward(exact, n_passes):
    class Slopes(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
            self.decoder = nn.Linear(3, 6)

        def forward(self, x):
            h, norm = squared_jacobian(self.encoder, x, self.encoder, exact=exact)
            return self.decoder(h).square().mean() + norm

    n_weights, n_values = 6 * 5 + 5 * 3, 5 + 5 + 3
    work = count_work(Slopes(), torch.zeros(2, 6))
    assert work == (n_weights + 18, n_values + 6, n_passes * n_weights, n_passes * n_values)
    plain = count_work(nn.Sequential(Slopes().encoder, Slopes().decoder), torch.zeros(2, 6))
    assert plain == (*work[:2], 0, 0)


def test_passes_back_of_a_penalty_are_counted():
    work = embedding(contraction=0.1, max_epochs=1).fit(table()).module_.work
    plain = embedding(max_epochs=1).fit(table()).module_.work
    assert work[:2] == plain[:2]
    assert plain[2:] == (0, 0)
    assert work.multiplications_back == work.multiplications  # twice, through half of it


@pytest.mark.parametrize("recipe", [MLP(), ConvNet()])
def test_multiplications_are_known_of_every_network(recipe):
    X = np.random.default_rng(0).normal(size=(40, 1, 8, 8)).astype(np.float32)
    X = X.reshape(40, -1) if isinstance(recipe, MLP) else X
    module = embedding(architecture=recipe, max_epochs=1).fit(X).module_
    n_weights = sum(parameter.numel() for parameter in module.parameters() if parameter.ndim > 1)
    if isinstance(recipe, MLP):
        assert module.work.multiplications == n_weights
    else:
        assert module.work.multiplications > n_weights  # kernels are used in many places


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


class default_dtype:
    def __enter__(self):
        torch.set_default_dtype(torch.float64)

    def __exit__(self, *error):
        found = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        assert found == torch.float64


class default_device:
    def __enter__(self):
        torch.set_default_device("meta")

    def __exit__(self, *error):
        found = torch.get_default_device()
        torch.set_default_device(None)
        assert found == torch.device("meta")


class deterministic:
    def __enter__(self):
        torch.use_deterministic_algorithms(True)

    def __exit__(self, *error):
        found = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(False)
        assert found


class numpy_raises(np.errstate):
    def __init__(self):
        super().__init__(all="raise")

    def __exit__(self, *error):
        assert set(np.geterr().values()) == {"raise"}
        super().__exit__(*error)


class no_gradients(torch.no_grad):
    def __exit__(self, *error):
        assert not torch.is_grad_enabled()
        super().__exit__(*error)


class inference(torch.inference_mode):
    def __exit__(self, *error):
        assert torch.is_inference_mode_enabled()
        super().__exit__(*error)


class autocast(torch.autocast):
    def __init__(self):
        super().__init__("cpu", torch.bfloat16)

    def __exit__(self, *error):
        assert torch.is_autocast_enabled("cpu")
        super().__exit__(*error)


SURROUNDINGS = {
    "float64": default_dtype,
    "set_default_device": default_device,
    "device": lambda: torch.device("meta"),
    "no_grad": no_gradients,
    "inference_mode": inference,
    "deterministic": deterministic,
    "errstate": numpy_raises,
    "autocast": autocast,
}


@pytest.mark.parametrize("name", SURROUNDINGS)
@pytest.mark.parametrize("kind", ["default", "of the user"])
def test_what_the_user_has_set_changes_nothing_and_stays(name, kind, tmp_path):
    X = table()
    encoder = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.1)) if kind == "of the user" else None
    parameters = {"architecture": encoder, "contraction": 0.1, "max_epochs": 2}
    objects = {"architecture": encoder} if encoder is not None else None
    expected = embedding(**parameters).fit(X)
    streamed = embedding(**parameters).partial_fit(X)
    with SURROUNDINGS[name]():
        fitted = embedding(**parameters).fit(X)
        in_stream = embedding(**parameters).partial_fit(X)
        Z = fitted.transform(X)
        rebuilt, score = fitted.inverse_transform(Z), fitted.score(X)
        save(fitted, tmp_path / "fitted.safetensors", resume=True)
        loaded = load(tmp_path / "fitted.safetensors", objects)
        again = loaded.transform(X)
    np.testing.assert_array_equal(Z, expected.transform(X))
    np.testing.assert_array_equal(again, Z)
    np.testing.assert_array_equal(rebuilt, expected.inverse_transform(Z))
    assert score == expected.score(X)
    np.testing.assert_array_equal(in_stream.transform(X), streamed.transform(X))
    expected.partial_fit(X)
    for estimator in (fitted, loaded):  # nothing of what was around is left in them
        np.testing.assert_array_equal(estimator.partial_fit(X).transform(X), expected.transform(X))


def test_strict_errors_of_numpy_are_those_of_the_user_only():
    """Values too small for float32 are zero, as numpy has it where nothing is set."""
    X = table()
    X = np.where(X < -1, 1e-300, X.astype(np.float64))
    assert (X == 1e-300).any()
    with numpy_raises():
        estimator = embedding().fit(X)
        Z = estimator.transform(X)
        estimator.inverse_transform(np.where(Z < 0, 1e-300, Z.astype(np.float64)))
        embedding().partial_fit(X)
    np.testing.assert_array_equal(Z, embedding().fit(X).transform(X))


def test_threads_share_the_default_dtype():
    """The first to leave does not give it back while another is inside."""
    inside, leave = threading.Event(), threading.Event()
    found = []

    def stay():
        with own_surroundings():
            inside.set()
            leave.wait(10)
            found.append(torch.get_default_dtype())

    with default_dtype():
        with own_surroundings():
            thread = threading.Thread(target=stay)
            thread.start()
            inside.wait(10)
        leave.set()
        thread.join()
    assert found == [torch.float32]


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_two_threads_give_the_same_bits_each_time(normalization, three_threads, monkeypatch):
    """Dropout, noise and batch normalization in steps that two threads share."""
    monkeypatch.setattr(_surroundings, "_OPERATIONS_OF_A_THREAD", 1.0)
    torch.set_num_threads(2)
    parameters = {
        "architecture": MLP((256, 128), normalization=normalization, dropout=0.2),
        "corruption": GaussianNoise(0.1),
        "batch_size": 256,
    }
    X = table(600, 64)
    one, *others = (embedding(**parameters).fit(X) for _ in range(4))
    for other in others:
        for a, b in zip(one.module_.state_dict().values(), other.module_.state_dict().values()):
            assert torch.equal(a, b)
        np.testing.assert_array_equal(one.transform(X), other.transform(X))
