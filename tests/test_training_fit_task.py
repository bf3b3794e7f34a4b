"""scikit-learn's callbacks see the fit and each epoch, and can end it."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.callback import CallbackContext, ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skrepr import AutoencoderEmbedding, _training, load, save
from skrepr._training._interruption import Interruption
from skrepr.architectures import MLP

X, LABELS = load_digits(return_X_y=True)
X, LABELS = X[:600], LABELS[:600]
OPEN = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown")
HELD_OUT = {"early_stopping": True, "patience": 50}
# no linear path, which would be a start to return to; the best epoch is in the middle
WILD = HELD_OUT | {"learning_rate": 0.3, "decoder": MLP((8,), linear_path=None)}


def make(**parameters):
    settings = {"architecture": MLP((8,)), "max_epochs": 3, "batch_size": 64, "device": "cpu"}
    settings |= {"learning_rate": 0.01}
    return AutoencoderEmbedding(2, **settings | {"random_state": 0} | parameters)


def state_of(estimator):
    return {name: value.clone() for name, value in estimator.module_.state_dict().items()}


def assert_same_fit(one, other):
    first, second = one.module_.state_dict(), other.module_.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (one.best_epoch_, one.n_epochs_) == (other.best_epoch_, other.n_epochs_)
    assert one.history_.drop(columns="seconds").equals(other.history_.drop(columns="seconds"))
    np.testing.assert_array_equal(one.transform(X), other.transform(X))
    np.testing.assert_array_equal(one.reconstruct(X), other.reconstruct(X))
    assert one.reconstruction_error_ == other.reconstruction_error_


class Notes:
    """Writes what it is told to a file, where other processes can write too."""

    def __init__(self, path):
        self.path = path

    def _note(self, what, context):
        tasks, task = [], context
        while task is not None:
            tasks.insert(0, [task.estimator_name, task.task_name, task.task_id, task.max_subtasks])
            task = task.parent
        with open(self.path, "a") as file:
            file.write(json.dumps([what, tasks]) + "\n")

    def setup(self, estimator, context):
        self._note("setup", context)

    def on_fit_task_begin(self, estimator, context):
        self._note("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._note("end", context)

    def teardown(self, estimator, context):
        self._note("teardown", context)

    def read(self):
        with open(self.path) as file:
            return [json.loads(line) for line in file]

    def tasks(self):
        """Return what was noted, as (what, name of the task, its number)."""
        return [(what, path[-1][1], path[-1][2]) for what, path in self.read()]


class Spread(Notes):
    """Is passed on by searches and pipelines, to any depth."""

    max_propagation_depth = None


class Watches:
    """Notes of each epoch the estimator that there would be if the fit ended there."""

    def __init__(self):
        self.begun, self.ended, self.data = [], [], []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.begun.append(fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.data.append((X, y))
        self.ended.append(fitted_estimator)
        fitted_estimator.transform(X), fitted_estimator.score(X)

    def teardown(self, estimator, context):
        pass


class Stops(Watches):
    """Ends the fit after some epochs."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append(fitted_estimator)
        return context.task_name == "epoch" and context.task_id + 1 == self.epoch


class Fails(Notes):
    """Fails at one of its hooks: in the fit, or in its second epoch."""

    def __init__(self, path, hook, task):
        super().__init__(path)
        self.hook, self.task = hook, task

    def _note(self, what, context):
        super()._note(what, context)
        if (what, context.task_name, context.task_id) == (self.hook, *self.task):
            raise RuntimeError("no space left")


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path / "notes")


@pytest.fixture
def spread(tmp_path):
    return Spread(tmp_path / "notes")


@pytest.fixture
def few_to_try(monkeypatch):
    """Let cross-validation try a few dozen epochs."""
    monkeypatch.setattr("skrepr._training._how_far._MOST_WORK", 5e8)


def of_epochs(n):
    return [(what, "epoch", epoch) for epoch in range(n) for what in ("begin", "end")]


def of_fit(n_epochs, name="fit"):
    around = [("setup", name, 0), ("begin", name, 0)]
    return [*around, *of_epochs(n_epochs), ("end", name, 0), ("teardown", name, 0)]


# ------------------------------------------------------------------ what callbacks are told


def test_fit_is_a_task_and_each_epoch_a_task_of_it(notes):
    estimator = make().set_callbacks(notes).fit(X)
    assert notes.tasks() == of_fit(3)
    fit = ["AutoencoderEmbedding", "fit", 0, 3]
    assert notes.read()[2] == ["begin", [fit, ["AutoencoderEmbedding", "epoch", 0, 0]]]
    assert not [name for name in vars(estimator) if name.startswith(OPEN)]


@pytest.mark.parametrize("n", [600, 60], ids=["held-out rows", "cross-validation"])
def test_no_more_epochs_than_are_told_beforehand(n, notes, few_to_try):
    settings = {"max_epochs": "auto", "patience": 1, "learning_rate": 0.01}
    estimator = make(**settings).set_callbacks(notes).fit(X[:n])
    assert notes.tasks() == of_fit(estimator.n_epochs_)
    planned = notes.read()[0][1][0][3]
    assert 0 < estimator.n_epochs_ < planned


def test_a_fit_without_epochs_is_told(notes):
    few = np.repeat(X[:2], 20, axis=0)  # their line is found by PCA
    estimator = make(max_epochs="auto").set_callbacks(notes).fit(few)
    assert estimator.n_epochs_ == 0
    assert notes.tasks() == of_fit(0)


def test_partial_fit_is_a_fit_of_one_epoch(notes):
    estimator = make().set_callbacks(notes).partial_fit(X).partial_fit(X)
    assert notes.tasks() == 2 * of_fit(1, "partial-fit")
    assert estimator.n_epochs_ == 2


def test_warm_start_counts_its_own_epochs(notes):
    estimator = make(warm_start=True).fit(X).set_callbacks(notes).fit(X)
    assert notes.tasks() == of_fit(3)
    assert estimator.n_epochs_ == 6


def test_data_are_given_as_they_came():
    watch = Watches()
    make().set_callbacks(watch).fit(X, LABELS)
    assert all(pair[0] is X and pair[1] is LABELS for pair in watch.data)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search_shows_the_epochs_of_each_fit(n_jobs, spread):
    grid = {"max_epochs": [1, 2]}
    search = GridSearchCV(make(), grid, cv=2, n_jobs=n_jobs, error_score="raise")
    search.set_callbacks(spread).fit(X)
    ours = [path for what, path in spread.read() if what == "end" and path[-1][1] == "epoch"]
    assert all(path[0][:2] == ["GridSearchCV", "fit"] for path in ours)
    assert all(path[-2][:2] == ["AutoencoderEmbedding", "fit"] for path in ours)
    n_refit = search.best_params_["max_epochs"]
    assert len(ours) == 2 * 1 + 2 * 2 + n_refit
    assert [what for what, _ in spread.read()].count("setup") == 1
    for estimator in (search.best_estimator_, search.estimator):
        assert not [name for name in vars(estimator) if name.startswith(("_skl_callbacks", *OPEN))]
    search.best_estimator_.fit(X)
    assert len([1 for what, _ in spread.read() if what == "teardown"]) == 1


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize("last", [True, False])
def test_pipeline_shows_the_epochs(method, last, spread):
    steps = [StandardScaler(), make()] + ([] if last else [StandardScaler()])
    pipeline = make_pipeline(*steps).set_callbacks(spread)
    getattr(pipeline, method)(X)
    paths = [path for what, path in spread.read() if what == "begin" and path[-1][1] == "epoch"]
    assert len(paths) == 3
    assert [task[0] for task in paths[0]] == ["Pipeline"] + 2 * ["AutoencoderEmbedding"]
    assert paths[0][1][2] == 1  # the second step
    assert not [name for name in vars(pipeline[1]) if name.startswith(("_skl_callbacks", *OPEN))]


def test_pipeline_with_memory(spread, tmp_path):
    def fitted():
        steps = make(), StandardScaler()
        pipeline = make_pipeline(*steps, memory=str(tmp_path / "memory"))
        return pipeline.set_callbacks(spread).fit(X)

    first, second = fitted(), fitted()
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    assert len([1 for task in spread.tasks() if task[:2] == ("end", "epoch")]) == 3


def test_what_is_interrupted_also_ends(notes, monkeypatch):
    class PressesCtrlC(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if len(net.history) == 3 and training:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Interruption, "_last", -np.inf)
    estimator = make(max_epochs=9, callbacks=[PressesCtrlC()]).set_callbacks(notes)
    with pytest.warns(UserWarning, match="Interrupted in epoch 3"):
        estimator.fit(X)
    assert estimator.n_epochs_ == 2
    assert notes.tasks() == of_fit(3)


# ------------------------------------------------------------ the estimator of each epoch


CASES = {
    "last epoch": {},
    "best epoch": WILD | {"random_state": 3},  # neither the first nor the last
    "start": HELD_OUT | {"learning_rate": 1e-9, "max_epochs": 2},
    "batch norm and dropout": {"architecture": MLP((8,), dropout=0.2, normalization="batch")},
    "no rotation": {"sparsity": 1e-2},
    "draws from the global generator": {
        "architecture": torch.nn.Sequential(
            torch.nn.Linear(64, 8), torch.nn.RReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 2)
        )
    },
}


@pytest.mark.parametrize("name", CASES)
def test_each_epoch_gives_the_estimator_of_a_fit_that_ends_there(name):
    whole = (
        make(max_epochs=4, **CASES[name])
        if "max_epochs" not in CASES[name]
        else make(**CASES[name])
    )
    watch = Watches()
    plain = clone(whole).fit(X)
    assert name != "best epoch" or 1 < plain.best_epoch_ < plain.n_epochs_
    assert_same_fit(whole.set_callbacks(watch).fit(X), plain)  # to be watched changes nothing
    *epochs, end = watch.ended
    assert len(epochs) == len(watch.begun) == whole.n_epochs_
    assert_same_fit(epochs[-1], plain)
    assert_same_fit(end, plain)
    for number, (begun, ended) in enumerate(zip(watch.begun[1:], epochs[:-1]), 1):
        stop = Stops(number)
        stopped = clone(whole).set_callbacks(stop).fit(X)
        assert len(stop.ended) == number + 1
        for same in (begun, ended, *stop.ended[-2:]):
            assert_same_fit(same, stopped)


def test_what_is_best_is_told_epoch_by_epoch():
    watch = Watches()
    estimator = make(max_epochs=12, **WILD).set_callbacks(watch).fit(X)
    losses = estimator.history_["valid_loss"].to_numpy()
    best = [int(np.argmin(losses[:n])) + 1 for n in range(1, 13)]
    assert [fitted.best_epoch_ for fitted in watch.ended[:-1]] == best
    assert best != list(range(1, 13))


def test_before_the_first_epoch_it_is_the_start():
    watch = Watches()
    make(max_epochs=1, learning_rate=0.1).set_callbacks(watch).fit(X)
    start = make(max_epochs=1, learning_rate=1e-30).fit(X)
    assert watch.begun[0].n_epochs_ == len(watch.begun[0].history_) == 0
    np.testing.assert_allclose(watch.begun[0].transform(X), start.transform(X), atol=1e-3)


def test_share_of_the_way_that_cross_validation_has_chosen(few_to_try):
    few, watch = X[:60], Watches()
    settings = {"max_epochs": "auto", "learning_rate": 0.01, "random_state": 1}
    estimator = make(**settings).set_callbacks(watch).fit(few)
    assert estimator.weight_share_ < 1
    assert_same_fit(watch.ended[-2], estimator)
    assert_same_fit(make(**settings).fit(few), estimator)


def test_stream(tmp_path):
    watch = Watches()
    estimator = make().partial_fit(X[:300])
    twin = copy.deepcopy(estimator).partial_fit(X[300:])
    estimator.set_callbacks(watch).partial_fit(X[300:])
    assert_same_fit(estimator, twin)
    assert_same_fit(watch.ended[0], twin)


def test_nothing_is_left_of_an_earlier_fit():
    watch = Watches()
    estimator = make().fit(X)
    assert "components_" in vars(estimator)
    estimator.set_callbacks(watch).partial_fit(X)
    assert "components_" not in vars(watch.ended[0])


def test_the_estimator_of_an_epoch_is_a_copy_of_its_own(tmp_path):
    watch = Watches()
    estimator = make().set_callbacks(watch).fit(X)
    expected = estimator.transform(X)
    first = watch.ended[0]
    before = first.transform(X)
    assert not np.array_equal(before, expected)
    first.set_callbacks()
    save(first, tmp_path / "first", resume=True)
    first.partial_fit(X)
    np.testing.assert_array_equal(estimator.transform(X), expected)
    assert not np.array_equal(first.transform(X), before)


def test_what_set_callbacks_has_set_is_not_in_a_file_and_that_is_told(tmp_path):
    path, estimator = tmp_path / "embedding", make().fit(X)
    save(estimator, path)  # without a word
    estimator.set_callbacks(ScoringMonitor(scoring="r2"))
    with pytest.warns(UserWarning, match=r"What set_callbacks has set is not written"):
        save(estimator, path)
    assert not hasattr(load(path), "_skl_callbacks")
    np.testing.assert_array_equal(load(path).transform(X), estimator.transform(X))
    twin = pickle.loads(pickle.dumps(estimator))  # what a pickle can carry
    assert [type(callback) for callback in twin._skl_callbacks] == [ScoringMonitor]


def test_the_estimator_of_an_epoch_goes_on_as_the_fit_would():
    watch = Watches()
    estimator = make(architecture=MLP((8,), dropout=0.2)).set_callbacks(watch).fit(X)
    last = watch.ended[-2].set_callbacks().partial_fit(X)
    assert_same_fit(last, estimator.set_callbacks().partial_fit(X))


def test_a_fitted_estimator_is_copied_without_its_bytes(monkeypatch):
    def fail(*arguments, **keywords):
        raise AssertionError

    estimator = make().fit(X)
    monkeypatch.setattr(AutoencoderEmbedding, "__getstate__", fail)
    shallow = copy.copy(estimator)
    assert vars(shallow) == vars(estimator)
    assert vars(shallow) is not vars(estimator)


def test_scoring_monitor_scores_each_epoch():
    monitor = ScoringMonitor(scoring=lambda fitted, X, y: {"score": fitted.score(X)})
    estimator = make(warm_start=True).set_callbacks(monitor).fit(X, LABELS)
    log = monitor.get_logs().data_as_pandas
    assert log["task_name"].tolist() == ["fit", "epoch", "epoch", "epoch"]
    scores = log["score"].tolist()
    assert scores[0] == scores[-1] == estimator.score(X)
    assert len(set(scores)) == 3
    estimator.fit(X, LABELS)
    assert monitor.get_logs().data_as_pandas["score"].tolist()[0] == estimator.score(X)


# ------------------------------------------------------------------------ stop and failure


@pytest.mark.parametrize("epoch", [1, 2])
def test_stopping_when_asked_leaves_a_fitted_estimator(epoch):
    settings = {"early_stopping": False}
    estimator = make(max_epochs=9, **settings).set_callbacks(Stops(epoch)).fit(X)
    assert estimator.n_epochs_ == estimator.best_epoch_ == epoch
    assert estimator.max_epochs_ == 9
    shorter = make(max_epochs=epoch, **settings).fit(X)
    np.testing.assert_array_equal(estimator.transform(X), shorter.transform(X))


def test_stopping_when_asked_leaves_the_best_state():
    whole = make(max_epochs=12, **WILD).fit(X)
    best = whole.best_epoch_
    assert 1 < best < 12
    stopped = make(max_epochs=99, **WILD).set_callbacks(Stops(12)).fit(X)
    assert stopped.n_epochs_ == 12
    assert_same_fit(stopped, whole)


def test_all_callbacks_hear_of_the_last_epoch(notes):
    class Counts(Callback):
        def on_epoch_end(self, net, **kwargs):
            self.n_epochs = len(net.history)
            if self.n_epochs == 2:
                raise KeyboardInterrupt  # skorch's way to end a training

    watch = Watches()
    estimator = make(max_epochs=9, callbacks=[Counts()]).set_callbacks(notes, watch).fit(X)
    assert estimator.n_epochs_ == 2
    assert notes.tasks() == of_fit(2)
    assert [fitted.n_epochs_ for fitted in watch.ended] == [1, 2, 2]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    ("hook", "of_epoch"),
    [("setup", False), ("teardown", False)]
    + [(hook, of_epoch) for hook in ("begin", "end") for of_epoch in (False, True)],
)
def test_error_in_a_callback_leaves_the_estimator_as_it_was(
    hook, of_epoch, fitted, method, tmp_path
):
    root = "fit" if method == "fit" else "partial-fit"
    failing = Fails(tmp_path / "notes", hook, ("epoch" if of_epoch else root, 0))
    estimator = make()
    if fitted:
        estimator.fit(X)
    estimator.set_callbacks(failing)
    attributes = dict(vars(estimator))
    state = state_of(estimator) if fitted else None
    with pytest.raises(RuntimeError, match="no space left"):
        getattr(estimator, method)(X[:300])
    assert vars(estimator).keys() == attributes.keys()
    assert all(vars(estimator)[name] is value for name, value in attributes.items())
    if fitted:
        assert all(torch.equal(state[name], value) for name, value in state_of(estimator).items())
    tasks = failing.tasks()
    assert tasks[0] == ("setup", root, 0)
    assert tasks[-1] == ("teardown", root, 0)


def test_error_of_ours_is_followed_by_teardown(notes):
    estimator = make(learning_rate=1e30, max_epochs=50).set_callbacks(notes)
    with pytest.raises(ValueError, match="became NaN or infinite"):
        estimator.fit(X)
    assert notes.tasks()[-1] == ("teardown", "fit", 0)
    assert not hasattr(estimator, "net_")


def test_bad_input_is_told_before_any_callback(notes):
    estimator = make().set_callbacks(notes)
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(np.full((50, 3), np.nan))
    assert not notes.path.exists()


# --------------------------------------------------------------------- copies of all kinds


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


COPIES = {
    "clone": lambda estimator, folder: clone(estimator),
    "deepcopy": lambda estimator, folder: copy.deepcopy(estimator),
    "pickle": lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
    "joblib": through_joblib,
}


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("kind", COPIES)
def test_copies_keep_callbacks(kind, fitted, notes, tmp_path):
    estimator = make().set_callbacks(notes)
    if fitted:
        estimator.fit(X)
        notes.path.unlink()
    twin = COPIES[kind](estimator, tmp_path)
    assert twin.get_params().keys() == estimator.get_params().keys()
    if fitted and kind != "clone":
        np.testing.assert_array_equal(twin.transform(X), estimator.transform(X))
    twin.fit(X)
    assert notes.tasks() == of_fit(3)


# --------------------------------------------------------------------------- what it costs


def test_nothing_is_done_where_no_callback_is_set(monkeypatch):
    def fail(*arguments, **keywords):
        raise AssertionError

    for name in ("_from_estimator", "_from_parent", "_call_hooks"):
        monkeypatch.setattr(CallbackContext, name, fail)
    make().fit(X).partial_fit(X)


def test_no_estimator_is_made_where_nobody_asks_for_it(notes, monkeypatch):
    def fail(*arguments, **keywords):
        raise AssertionError

    monkeypatch.setattr(_training, "as_if_ended", fail)
    make().set_callbacks(notes).fit(X)
    with pytest.raises(AssertionError):
        make().set_callbacks(Watches()).fit(X)


def test_one_given_in_place_of_those_of_skorch_is_told():
    message = "callbacks: .*ScoringMonitor.* is a callback of scikit-learn"
    with pytest.raises(TypeError, match=message):
        make(callbacks=[ScoringMonitor(scoring="r2")]).fit(X)


# ----------------------------------------------------------------- a scikit-learn before 1.9

WITHOUT = """
import builtins

real = builtins.__import__

def older(name, globals=None, locals=None, fromlist=(), level=0):
    ours = (globals or {}).get("__name__", "").startswith("skrepr")
    if ours and (name.startswith("sklearn.callback") or "callback" in (fromlist or ())):
        raise ModuleNotFoundError(name)
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = older
import numpy as np
from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
X = np.random.default_rng(0).normal(size=(60, 5))
estimator = AutoencoderEmbedding(2, architecture=MLP((8,)), max_epochs=2, random_state=0)
assert not hasattr(estimator, "set_callbacks")
print(estimator.fit(X).partial_fit(X).transform(X).sum().item())
"""


def test_before_1_9_all_is_there_but_callbacks():
    run = [sys.executable, "-c", WITHOUT]
    printed = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    data = np.random.default_rng(0).normal(size=(60, 5))
    estimator = AutoencoderEmbedding(2, architecture=MLP((8,)), max_epochs=2, random_state=0)
    expected = estimator.fit(data).partial_fit(data).transform(data).sum()
    assert float(printed) == pytest.approx(expected, abs=1e-3)
