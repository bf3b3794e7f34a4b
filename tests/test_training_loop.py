"""The loop does what skorch does, and ends as promised when something goes wrong."""

import copy
import os
import re
import signal
import threading
import weakref
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    PassthroughScoring,
    ProgressBar,
)
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import nn
from torch.nn import functional as F

from skrepr import AutoencoderEmbedding, _training
from skrepr._rows import Rows
from skrepr._training import _devices, _interruption
from skrepr._training._interruption import Interruption
from skrepr._training._keep_best import Start
from skrepr._training._net import Net
from skrepr._training._randomness import Randomness, carry_generator
from skrepr.architectures import MLP

N_ROWS, N_HELD_OUT, N_FEATURES, BATCH_SIZE = 70, 20, 6, 16
SMALL = MLP((8,))


def table(n=N_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, N_FEATURES))).astype(np.float32)


def as_rows(X):
    return Rows(torch.from_numpy(X), X.shape[1:], torch.device("cpu"))


def embedding(**parameters):
    settings = {"architecture": SMALL, "max_epochs": 3, "batch_size": BATCH_SIZE}
    settings |= {"early_stopping": False, "random_state": 0, "device": "cpu"}
    return AutoencoderEmbedding(2, **settings | parameters)


def state_of(estimator):
    return {name: value.clone() for name, value in estimator.module_.state_dict().items()}


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """What is trained here without skrepr, for comparison, has no rule of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_earlier_interruption(monkeypatch):
    monkeypatch.setattr(Interruption, "_last", -np.inf)


# ------------------------------------------------------------------ equal to skorch


class Reconstruction(nn.Module):
    """What stock skorch trains, with a criterion of its own."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(N_FEATURES, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Linear(5, N_FEATURES)
        )

    def forward(self, x):
        return self.layers(x)


class Loss(Reconstruction):
    """The same as the loop wants it."""

    def forward(self, x):
        return F.mse_loss(self.layers(x), x)


class Terms(Reconstruction):
    def forward(self, x):
        y = self.layers(x)
        return {"error": F.mse_loss(y, x), "size": 0.1 * y.abs().mean()}


class SameOrder(torch.utils.data.Sampler):
    """The permutations that our batches are drawn in."""

    def __init__(self, n, seed):
        self.n = n
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self):
        return self.n

    def __iter__(self):
        return iter(torch.randperm(self.n, generator=self.generator).tolist())


class StockTerms(NeuralNet):
    """The least that a user of skorch writes for a module that returns terms."""

    def get_loss(self, y_pred, y_true=None, X=None, training=False):
        return y_pred["error"] + y_pred["size"]


class RecordTerms(Callback):
    def on_batch_end(self, net, training=False, y_pred=None, **kwargs):
        for name, value in y_pred.items():
            net.history.record_batch(f"{'train' if training else 'valid'}_{name}", value.item())


class Diary(Callback):
    """Keeps weights and batch rows of each epoch; asks for no batch hook."""

    def on_train_begin(self, net, **kwargs):
        self.states, self.batches = [], []

    def on_epoch_end(self, net, **kwargs):
        self.states.append(copy.deepcopy(net.module_.state_dict()))
        self.batches.append(copy.deepcopy(net.history[-1]["batches"]))


class Watcher(Callback):
    """Makes the loop fall back on skorch's own."""

    def on_batch_end(self, net, **kwargs):
        pass


class AllHooks(Callback):
    """A user's own callback that notes all it is told."""

    def on_train_begin(self, net, **kwargs):
        self.notes = ["train begin"]

    def on_train_end(self, net, **kwargs):
        self.notes.append("train end")

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.notes.append(("epoch begin", len(dataset_train), len(dataset_valid or ())))

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        row = net.history[-1]
        self.notes.append(("epoch end", row["train_loss"], row.get("valid_loss")))

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.notes.append(("batch begin", tuple(batch[0].shape), training))

    def on_batch_end(self, net, batch=None, training=False, loss=None, y_pred=None, **kwargs):
        self.notes.append(("batch end", tuple(batch[0].shape), training, loss.item()))

    def on_grad_computed(self, net, named_parameters, batch=None, training=False, **kwargs):
        norms = {name: parameter.grad.norm().item() for name, parameter in named_parameters}
        self.notes.append(("grad computed", norms, training))


class ShrinksWeights(Callback):
    def on_epoch_end(self, net, **kwargs):
        with torch.no_grad():
            for parameter in net.module_.parameters():
                parameter.mul_(0.9)


def weight_norm(net, X, y=None):
    return len(X) + sum(p.square().sum().item() for p in net.module_.parameters())


def make(cls):
    torch.manual_seed(1)
    module = cls()
    carry_generator(module, torch.Generator().manual_seed(7))
    return module


def train_ours(
    module,
    callbacks,
    *,
    held_out=True,
    epochs=4,
    open_ended=False,
    may_return=True,
    share=1.0,
    **changes,
):
    settings = {
        "optimizer": None,
        "optimizer_params": None,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "batch_size": BATCH_SIZE,
        "max_epochs": epochs,
        "patience": None,
        "device": torch.device("cpu"),
        "precision": "float32",
        "callbacks": callbacks,
        "verbose": False,
    }
    net = _training.make_net(module, **settings | changes)
    rows, judged = as_rows(table()), as_rows(table(N_HELD_OUT, 1))
    randomness = Randomness(module, torch.device("cpu"))
    randomness.foreign = False  # these modules draw nothing, so the order is all that is drawn
    best_epoch = _training.train(
        net,
        rows,
        judged if held_out else None,
        epochs=epochs,
        randomness=randomness,
        watch=Interruption(),
        open_ended=open_ended,
        may_return=may_return,
        share=share,
    )
    return net, best_epoch


def train_stock(cls, callbacks, *, held_out=True, epochs=4, net_class=NeuralNet, criterion=None):
    X, judged = table(), table(N_HELD_OUT, 1)
    net = net_class(
        make(cls),
        criterion=criterion or nn.MSELoss,
        optimizer=torch.optim.AdamW,
        optimizer__fused=True,
        optimizer__weight_decay=0.01,
        lr=0.01,
        batch_size=BATCH_SIZE,
        max_epochs=epochs,
        iterator_train__sampler=SameOrder(len(X), 7),
        train_split=predefined_split(Dataset(judged, judged)) if held_out else None,
        callbacks=callbacks,
        verbose=0,
    )
    return net.fit(X, X)


def callback_of(net, cls):
    return next(callback for _, callback in net.callbacks_ if isinstance(callback, cls))


def rows_of(history):
    return [
        {name: value for name, value in row.items() if name not in ("dur", "batches")}
        for row in history
    ]


def assert_same_training(ours, stock):
    assert rows_of(ours.history) == rows_of(stock.history)
    one, other = callback_of(ours, Diary), callback_of(stock, Diary)
    assert one.batches == other.batches
    assert len(one.states) == len(other.states)
    for state, stock_state in zip(one.states, other.states):
        assert_same_state(state, stock_state)


@pytest.mark.parametrize("extra", [[], [Watcher()]], ids=["slim", "fallback"])
def test_scalar_loss_trains_as_stock_skorch_does(extra):
    ours, _ = train_ours(make(Loss), [Diary(), *extra])
    stock = train_stock(Reconstruction, [Diary()])
    assert len(stock.history) == 4
    assert_same_training(ours, stock)


@pytest.mark.parametrize("extra", [[], [Watcher()]], ids=["slim", "fallback"])
def test_terms_train_and_are_recorded_as_stock_skorch_does(extra):
    ours, _ = train_ours(make(Terms), [Diary(), *extra])
    recorded = [
        PassthroughScoring(f"{prefix}_{name}", on_train=prefix == "train", lower_is_better=None)
        for prefix in ("train", "valid")
        for name in ("error", "size")
    ]
    stock = train_stock(
        Terms,
        [RecordTerms(), *recorded, Diary()],
        net_class=StockTerms,
        criterion=nn.Identity,
    )
    assert {"train_error", "train_size", "valid_error", "valid_size"} <= set(ours.history[-1])
    assert_same_training(ours, stock)


@pytest.mark.parametrize(("hooks", "slim"), [([], True), ([Watcher()], False)])
def test_which_loop_runs(hooks, slim, monkeypatch):
    epochs = []
    original = Net._run_slim_epoch
    monkeypatch.setattr(
        Net,
        "_run_slim_epoch",
        lambda net, *args: epochs.append(args[1]) or original(net, *args),
    )
    train_ours(make(Loss), hooks, epochs=2)
    assert epochs == ([True, False] * 2 if slim else [])


CALLBACKS = {
    "early stopping": lambda: EarlyStopping(patience=2, threshold=0.2),
    "early stopping on training rows": lambda: EarlyStopping("train_loss", 1, threshold=0.3),
    "schedule by epoch": lambda: LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1),
    "schedule by batch": lambda: LRScheduler(
        torch.optim.lr_scheduler.CosineAnnealingLR, T_max=9, step_every="batch"
    ),
    "clipping": lambda: GradientNormClipping(0.1),
    "scoring": lambda: EpochScoring(weight_norm, name="norm", use_caching=False),
    "progress bar": ProgressBar,
    "all hooks": AllHooks,
    "changed weights": ShrinksWeights,
}


@pytest.mark.parametrize(
    ("name", "held_out"),
    [(name, True) for name in CALLBACKS]
    + [(name, False) for name in CALLBACKS if name != "early stopping"],
)
def test_callbacks_do_what_they_do_in_skorch(name, held_out):
    ours, _ = train_ours(make(Loss), [Diary(), CALLBACKS[name]()], held_out=held_out, epochs=8)
    stock = train_stock(Reconstruction, [Diary(), CALLBACKS[name]()], held_out=held_out, epochs=8)
    assert (len(stock.history) < 8) == name.startswith("early stopping")
    assert_same_training(ours, stock)
    if name == "all hooks":
        assert callback_of(ours, AllHooks).notes == callback_of(stock, AllHooks).notes
    if not held_out:
        assert_same_state(ours.module_.state_dict(), stock.module_.state_dict())


@pytest.mark.parametrize("held_out", [True, False], ids=["held out", "all rows"])
def test_early_stopping_that_loads_the_best_weights_has_the_last_word(held_out):
    """Its score is lowest after the first epoch, unlike the loss."""

    def callbacks():
        score = EpochScoring(weight_norm, name="norm", use_caching=False, on_train=True)
        return [Diary(), score, EarlyStopping("norm", patience=2, load_best=True)]

    stock = train_stock(Reconstruction, callbacks(), held_out=held_out, epochs=6)
    ours, _ = train_ours(make(Loss), callbacks(), held_out=held_out, epochs=6)
    assert callback_of(stock, EarlyStopping).best_epoch_ < len(stock.history) < 6
    assert_same_training(ours, stock)
    assert_same_state(ours.module_.state_dict(), stock.module_.state_dict())


@pytest.mark.parametrize("load_best", [False, True])
def test_checkpoint_writes_and_loads_what_it_does_in_skorch(tmp_path, load_best):
    nets = {}
    for name in ("ours", "stock"):
        checkpoint = Checkpoint("train_loss_best", dirname=tmp_path / name, load_best=load_best)
        if name == "ours":
            nets[name], _ = train_ours(make(Loss), [Diary(), checkpoint], held_out=False)
        else:
            nets[name] = train_stock(Reconstruction, [Diary(), checkpoint], held_out=False)
    assert_same_training(nets["ours"], nets["stock"])
    for file in ("params.pt", "optimizer.pt", "history.json"):
        assert (tmp_path / "ours" / file).exists()
    assert_same_state(
        *(torch.load(tmp_path / name / "params.pt", weights_only=True) for name in nets)
    )
    assert_same_state(*(net.module_.state_dict() for net in nets.values()))


def test_callbacks_of_the_user_are_copied():
    class Counter(Callback):
        n = 0

        def on_epoch_end(self, net, **kwargs):
            self.n += 1

    counter = Counter()
    estimator = embedding(callbacks=[("count", counter)]).fit(table())
    assert counter.n == 0
    assert vars(counter) == {}
    assert callback_of(estimator.net_, Counter).n == 3
    estimator.fit(table())
    assert callback_of(estimator.net_, Counter).n == 3


def test_batch_rows_are_dropped_from_the_history():
    estimator = embedding().fit(table())
    assert [row["batches"] for row in estimator.net_.history] == [[], [], []]
    assert estimator.history_["train_loss"].notna().all()


# ---------------------------------------------------------------- what the loop calls


class Recorder(Loss):
    """Notes when it is told the progress, and when a step is done."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def set_progress(self, fraction):
        self.notes.append(fraction)

    def after_step(self):
        self.notes.append("step")

    def forward(self, x):
        self.notes.append("train" if self.training else "held out")
        return super().forward(x)


WATCHERS = {
    "none": {},
    "batches": {"callbacks": [Watcher()]},
    "gradients": {"callbacks": [GradientNormClipping(1.0)]},
    "schedule": {"callbacks": [CALLBACKS["schedule by batch"]()]},
    "LBFGS": {"optimizer": torch.optim.LBFGS, "optimizer_params": {"max_iter": 3}},
}


@pytest.mark.parametrize("open_ended", [False, True], ids=["fit", "partial_fit"])
def test_the_plan_is_told_before_the_first_step(open_ended):
    module = make(Recorder)
    module.set_plan = lambda n_epochs: module.notes.append(("plan", n_epochs))
    train_ours(module, [], epochs=3, held_out=False, open_ended=open_ended)
    plan = ("plan", None if open_ended else 3)
    assert module.notes[0] == plan
    assert module.notes.count(plan) == 1


@pytest.mark.parametrize("open_ended", [False, True], ids=["fit", "partial_fit"])
@pytest.mark.parametrize("name", WATCHERS)
def test_progress_and_steps(name, open_ended):
    settings = {"callbacks": None, **WATCHERS[name]}
    if name == "LBFGS":
        settings["weight_decay"] = 0.0
    module = make(Recorder)
    train_ours(module, epochs=3, held_out=not open_ended, open_ended=open_ended, **settings)
    n_steps = 3 * 5
    told = [note for note in module.notes if not isinstance(note, str)]
    if open_ended:
        assert told == [None] * n_steps
    else:
        assert told == [step / n_steps for step in range(n_steps)]
    assert module.notes.count("step") == n_steps
    # one step is: told the progress, one or more losses, told of its end
    steps = "".join({"train": "t", "held out": "h", "step": "s"}.get(n, "p") for n in module.notes)
    one = "pt+s" if name == "LBFGS" else "pts"
    held_out = "hh" if not open_ended else ""
    groups = "h*"  # the held-out rows once more before, and after if a gain is to be judged
    assert re.fullmatch(f"{groups}(({one}){{5}}{held_out}){{3}}{groups}", steps)


def test_optimizer_of_the_user_may_ask_for_the_loss_again():
    class Twice(torch.optim.SGD):
        def step(self, closure=None):
            closure()
            super().step(closure)

    estimator = embedding(optimizer=Twice, learning_rate=0.01).fit(table())
    assert estimator.n_epochs_ == 3


# --------------------------------------------------------------- early stopping, law 3


@pytest.mark.parametrize("extra", [[], [Watcher()]], ids=["slim", "fallback"])
def test_best_held_out_weights_are_kept_with_buffers(extra):
    module = make(Loss)
    net, best_epoch = train_ours(
        module, [Diary(), *extra], epochs=12, learning_rate=0.3, weight_decay=0.0
    )
    losses = [row["valid_loss"] for row in net.history]
    assert best_epoch == 1 + int(np.argmin(losses)) < 12
    assert_same_state(module.state_dict(), callback_of(net, Diary).states[best_epoch - 1])


def test_start_is_epoch_0_and_patience_ends_training():
    module = make(Loss)
    start = copy.deepcopy(module.state_dict())
    net, best_epoch = train_ours(module, [], epochs=50, patience=3, learning_rate=3.0)
    assert best_epoch == 0
    assert len(net.history) == 3
    assert_same_state(module.state_dict(), start)


GAINS = {
    "of all groups": ([0.1] * 10, True),
    "of one group in ten": ([1.0, *[-0.05] * 9], False),
    "of all but an outlier": ([*[0.1] * 9, -50.0], True),
    "of half": ([0.1, -0.1] * 5, False),
    "of the only two": ([0.1, 0.2], True),
    "of one of two": ([0.1, -0.05], False),
    "from infinity": ([np.inf, *[-1.0] * 9], True),
}


@pytest.mark.parametrize("offset", [1e6, 0.0, -3.0])
@pytest.mark.parametrize(("gains", "left"), GAINS.values(), ids=GAINS.keys())
def test_start_is_left_for_a_sure_gain_only(monkeypatch, gains, left, offset):
    gains = np.array(gains)
    start = np.where(np.isinf(gains), np.inf, offset)
    losses = iter([start, offset - np.where(np.isinf(gains), 0, gains)])
    monkeypatch.setattr(Net, "mean_loss", lambda *_: np.inf)
    monkeypatch.setattr(Start, "_losses_of_groups", lambda *_: next(losses))
    module = make(Loss)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    _, best_epoch = train_ours(module, [], epochs=3)
    assert (best_epoch > 0) == left
    same = all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert same != left


def test_one_row_does_not_speak_for_its_group_where_rows_have_losses():
    class OfGroups(Loss):
        """Where one row in ten loses by far more in training than the others gain."""

        def losses(self, rows):
            trained = not torch.equal(self.layers[0].weight, self.weight)
            first = torch.cat([x[:, 0] for x in rows.blocks()])
            return trained * torch.where(torch.isin(first, outliers), 9.0, -1.0)

        def watched(self, rows):
            losses = self.losses(rows).sort().values
            n_cut = len(losses) // 10
            return float(losses[n_cut : len(losses) - n_cut].mean())

    class OfRows(OfGroups):
        def row_losses(self, rows):
            return self.losses(rows)

    outliers = torch.from_numpy(table(N_HELD_OUT, 1)[[0, 10], 0])
    for kind, left in ((OfGroups, False), (OfRows, True)):
        module = make(kind)
        module.weight = module.layers[0].weight.detach().clone()
        assert (train_ours(module, [], epochs=3)[1] > 0) == left


def test_a_start_that_is_no_solution_never_comes_back():
    module = make(Loss)
    start = copy.deepcopy(module.state_dict())
    net, best_epoch = train_ours(module, [], epochs=5, learning_rate=3.0, may_return=False)
    losses = [row["valid_loss"] for row in net.history]
    assert best_epoch == 1 + int(np.argmin(losses))
    assert not torch.equal(module.state_dict()["layers.0.weight"], start["layers.0.weight"])


def test_early_stopping_may_watch_a_figure_of_the_module():
    class Watched(Loss):
        figures = iter([5.0, *[5.0] * 10, 3.0, 4.0, 2.0, 6.0, *[2.0] * 10])

        def watched(self, rows):
            assert not self.training and not torch.is_grad_enabled()
            return next(self.figures)

    module, diary = make(Watched), Diary()
    net, best_epoch = train_ours(module, [diary], epochs=4)
    assert best_epoch == 3
    assert [row["valid_watched"] for row in net.history] == [3.0, 4.0, 2.0, 6.0]
    assert_same_state(module.state_dict(), callback_of(net, Diary).states[2])


@pytest.mark.parametrize("extra", [[], [Watcher()]], ids=["slim", "fallback"])
def test_a_module_may_plan_its_learning_rate(extra):
    rates = []

    class Planned(Loss):
        def learning_rate_factor(self, fraction):
            return 1 - fraction

        def after_step(self):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    module = make(Planned)
    net = _training.make_net(
        module,
        optimizer=None,
        optimizer_params=None,
        learning_rate=0.1,
        weight_decay=0.0,
        batch_size=BATCH_SIZE,
        max_epochs=2,
        device=torch.device("cpu"),
        precision="float32",
        callbacks=extra,
    )
    randomness = Randomness(module, torch.device("cpu"))
    _training.train(
        net, as_rows(table()), None, epochs=2, randomness=randomness, watch=Interruption()
    )
    np.testing.assert_allclose(rates, 0.1 * (1 - np.arange(10) / 10))


@pytest.mark.parametrize(("smallest", "expected"), [(2, [16] * 4 + [6]), (7, [16] * 3 + [22])])
def test_batches_have_as_many_rows_as_their_loss_needs(smallest, expected):
    sizes = []

    class Needy(Loss):
        smallest_batch = smallest

        def forward(self, x):
            if self.training:
                sizes.append(len(x))
            return super().forward(x)

    train_ours(make(Needy), [], epochs=1)
    assert sizes == expected


def test_the_start_is_judged_as_the_epochs_are():
    """By the same batches: a loss that grows with the batch must not let the start win."""

    class OfSizes(Loss):
        def forward(self, x):
            return super().forward(x) * 0 + len(x)

    net, _ = train_ours(make(OfSizes), [], epochs=1)
    assert net.mean_loss(as_rows(table(N_HELD_OUT, 1))) == net.history[-1, "valid_loss"]


def test_a_share_of_the_way_is_kept_of_floats_alone():
    whole, part = make(Loss), make(Loss)
    for module in (whole, part):
        module.register_buffer("bound", torch.tensor(torch.inf))
        module.register_buffer("number", torch.tensor(0))
        module.after_step = lambda module=module: module.number.add_(1)
    start = copy.deepcopy(part.state_dict())
    train_ours(whole, [], held_out=False)
    train_ours(part, [], held_out=False, share=0.25)
    assert part.bound == torch.inf
    assert part.number == whole.number > 0
    for name, end in whole.state_dict().items():
        if name != "bound" and end.is_floating_point():
            between = start[name] + 0.25 * (end - start[name])
            torch.testing.assert_close(part.state_dict()[name], between)


@pytest.mark.parametrize("stops", [[1, 3], [3], [1, 2, 3]])
def test_a_fold_is_a_training_in_pieces(stops):
    groups = [as_rows(table(5, seed)) for seed in (1, 2)]

    def losses_after(epochs, share):
        module = make(Loss)
        if epochs:
            train_ours(module, [], held_out=False, epochs=epochs, share=share)
        with torch.inference_mode():
            module.eval()
            return [module(rows.values).item() for rows in groups]

    module = make(Loss)
    fractions = []
    module.set_progress = fractions.append
    plans = set()
    module.set_plan = plans.add
    net, _ = train_ours(module, [], held_out=False, epochs=0, keeps_best=False)
    randomness = Randomness(module, torch.device("cpu"))
    randomness.foreign = False
    fold = _training.Fold(
        net, as_rows(table()), groups, randomness=randomness, watch=Interruption(), epochs=3
    )
    for epochs in [0, *stops]:
        if epochs:
            fold.go_on_to(epochs)
        for share in (0.25, 1.0):
            expected = losses_after(epochs, share)
            np.testing.assert_allclose(fold.losses(share), expected, rtol=1e-5)
    np.testing.assert_allclose(fractions, np.arange(15) / 15)
    assert plans == {3}  # of the whole, in each piece


def test_held_out_rows_are_read_batch_by_batch(monkeypatch):
    held, most = set(), [0]
    draw = Rows.draw

    def watched(self, batch_size, generator, smallest):
        for batch in draw(self, batch_size, generator, smallest):
            held.add(number := object())
            weakref.finalize(batch, held.discard, number)
            most[0] = max(most[0], len(held))
            yield batch

    monkeypatch.setattr(Rows, "draw", watched)
    train_ours(make(Loss), [], epochs=2, patience=3)
    assert most[0] <= 3  # the one before may live until the next is there


def test_patience_counts_from_the_best_epoch():
    estimator = embedding(
        architecture=MLP((8,), linear_path=None),
        early_stopping=True,
        validation_fraction=0.3,
        patience=4,
        max_epochs=300,
        learning_rate=0.03,
    ).fit(table())
    assert estimator.best_epoch_ > 0
    assert estimator.n_epochs_ == estimator.best_epoch_ + 4 < 300
    losses = estimator.history_["valid_loss"]
    assert losses.idxmin() + 1 == estimator.best_epoch_


def test_without_held_out_rows_the_last_weights_stay():
    module = make(Loss)
    net, best_epoch = train_ours(module, [Diary()], held_out=False, learning_rate=0.3)
    assert best_epoch == 4
    assert_same_state(module.state_dict(), callback_of(net, Diary).states[-1])


def fixed_layer():
    """Return a layer that starts the same each time it is made."""
    layer = nn.Linear(N_FEATURES, 4)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("learning_rate", [1e300, 1e30, 1e12])
def test_the_last_step_is_judged_too(method, learning_rate):
    """One epoch of one step: the loss was measured before it."""
    settings = {"max_epochs": 1, "batch_size": N_ROWS, "learning_rate": learning_rate}
    estimator = embedding(**settings)
    with pytest.raises(ValueError, match=r"The weights became NaN or infinite in epoch 1\."):
        getattr(estimator, method)(1e6 * table())
    assert not hasattr(estimator, "net_")


class OpenBounds(nn.Module):
    """Buffers that are not finite by intention."""

    def __init__(self):
        super().__init__()
        self.layer = fixed_layer()
        self.register_buffer("high", torch.full((3,), torch.inf))
        self.register_buffer("unknown", torch.full((3,), torch.nan))

    def forward(self, x):
        return self.layer(x)


def test_what_was_not_finite_at_the_start_may_stay():
    estimator = embedding(architecture=OpenBounds()).fit(table())
    assert estimator.module_.encoder.module.unknown.isnan().all()


class PressesCtrlC(nn.Module):
    """An encoder under which Ctrl-C is pressed in the middle of an epoch."""

    def __init__(self, at_step, times=1):
        super().__init__()
        self.layer = fixed_layer()
        self.at_step, self.times = at_step, times
        self.n_steps = 0

    def forward(self, x):
        if self.training:
            self.n_steps += 1
            if self.n_steps == self.at_step:
                for _ in range(self.times):
                    os.kill(os.getpid(), signal.SIGINT)
        return self.layer(x)


# steps of one epoch over all rows of `table`, and over those that are not held out
STEPS = 5


@pytest.mark.parametrize("callbacks", [None, [Watcher()]], ids=["slim", "fallback"])
def test_ctrl_c_after_an_epoch_commits_the_last_complete_one(callbacks):
    interrupted = embedding(
        architecture=PressesCtrlC(2 * STEPS + 3), max_epochs=9, callbacks=callbacks
    )
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(UserWarning, match=r"Interrupted in epoch 3: .* those of epoch 2\."):
        interrupted.fit(table())
    assert signal.getsignal(signal.SIGINT) is before
    assert interrupted.n_epochs_ == interrupted.best_epoch_ == 2
    assert not interrupted.module_.training
    whole = embedding(architecture=PressesCtrlC(-1), max_epochs=2).fit(table())
    assert_same_state(state_of(interrupted), state_of(whole))
    np.testing.assert_array_equal(interrupted.transform(table()), whole.transform(table()))


def test_ctrl_c_commits_the_best_held_out_weights():
    settings = {
        "early_stopping": True,
        "validation_fraction": 0.3,
        "decoder": MLP((8,), linear_path=None),
        "learning_rate": 0.3,
        "patience": 50,
    }
    whole = embedding(architecture=PressesCtrlC(-1), max_epochs=15, **settings).fit(table())
    best = whole.best_epoch_
    assert 0 < best < 15
    n_steps = len(list(range(0, 49, BATCH_SIZE))) - 1  # a last row joins the batch before
    interrupted = embedding(architecture=PressesCtrlC(15 * n_steps + 1), max_epochs=99, **settings)
    with pytest.warns(UserWarning, match=f"Interrupted in epoch 16: .* those of epoch {best}"):
        interrupted.fit(table())
    assert interrupted.n_epochs_ == 15
    assert interrupted.best_epoch_ == best
    assert_same_state(state_of(interrupted), state_of(whole))


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("case", ["first epoch", "partial_fit", "twice"])
def test_ctrl_c_leaves_the_estimator_as_it_was(case, fitted):
    estimator = embedding(architecture=PressesCtrlC(-1))
    if fitted:
        estimator.fit(table())
    attributes = dict(vars(estimator))
    state = state_of(estimator) if fitted else None
    at_step = {"first epoch": 3, "partial_fit": 3, "twice": STEPS + 2}[case]
    encoder = PressesCtrlC(at_step)
    parameters = {"architecture": encoder, "max_epochs": 9}
    if case == "twice":
        parameters["callbacks"] = [PressesAtTheEnd()]
    if fitted and case == "partial_fit":  # goes on with the network it has
        estimator.module_.encoder.module.at_step = STEPS * 3 + 3
    estimator.set_params(**parameters)
    attributes |= parameters
    before = signal.getsignal(signal.SIGINT)
    run = estimator.partial_fit if case == "partial_fit" else estimator.fit
    with (
        pytest.raises(KeyboardInterrupt),
        pytest.warns(UserWarning, match="Interrupt twice") if case == "twice" else nullcontext(),
    ):
        run(table(seed=3))
    assert signal.getsignal(signal.SIGINT) is before
    assert vars(estimator).keys() == attributes.keys()
    assert all(vars(estimator)[name] is value for name, value in attributes.items())
    if fitted:
        assert_same_state(state_of(estimator), state)


class PressesBetweenEpochs(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_between_epochs_is_not_taken_for_a_planned_end():
    estimator = embedding(callbacks=[PressesBetweenEpochs()], max_epochs=9)
    with pytest.warns(UserWarning, match=r"Interrupted in epoch 3: .* those of epoch 2\."):
        estimator.fit(table())
    assert estimator.n_epochs_ == 2


class PressesAtTheEnd(Callback):
    def on_train_end(self, net, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)


def test_second_ctrl_c_within_two_seconds_stops_a_search():
    first = embedding(architecture=PressesCtrlC(STEPS + 1), max_epochs=9)
    with pytest.warns(UserWarning, match="Interrupted"):
        first.fit(table())
    second = embedding(architecture=PressesCtrlC(STEPS + 1), max_epochs=9)
    with pytest.raises(KeyboardInterrupt):
        second.fit(table())
    assert not hasattr(second, "net_")


def test_patient_ctrl_c_is_not_counted_as_a_second_one(monkeypatch):
    clock = iter([100.0, 102.1])
    monkeypatch.setattr(_interruption.time, "monotonic", lambda: next(clock))
    assert not Interruption.pressed_twice()
    assert not Interruption.pressed_twice()


def test_ctrl_c_in_a_fold_ends_the_fit(monkeypatch):
    go_on, pressed = _training.Fold.go_on_to, []

    def press(self, epoch):
        go_on(self, epoch)
        if epoch == 2 and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(_training.Fold, "go_on_to", press)
    estimator = AutoencoderEmbedding(2, architecture=SMALL, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(table(60))
    assert pressed
    assert not hasattr(estimator, "net_")


class PressesWhileFinishing(AutoencoderEmbedding):
    times = 1

    def _describe(self, rows, stream):
        for _ in range(self.times):
            os.kill(os.getpid(), signal.SIGINT)
        super()._describe(rows, stream)


def finishing(**parameters):
    settings = {"architecture": SMALL, "max_epochs": 2, "early_stopping": False}
    return PressesWhileFinishing(2, random_state=0, **settings | parameters)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_while_the_fit_is_finished_waits(method):
    estimator = finishing()
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(UserWarning, match="is complete"):
        getattr(estimator, method)(table())
    assert signal.getsignal(signal.SIGINT) is before
    assert estimator.transform(table()).shape == (N_ROWS, 2)


def test_ctrl_c_twice_while_the_fit_is_finished_stops_it(monkeypatch):
    monkeypatch.setattr(PressesWhileFinishing, "times", 2)
    estimator = finishing()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(table())
    assert not hasattr(estimator, "net_")


def test_ctrl_c_from_outside():
    """A signal at any time, from another thread."""
    estimator = embedding(max_epochs=10**6)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(UserWarning, match="Interrupted in epoch"):
        estimator.fit(table())
    timer.join()
    assert 0 < estimator.n_epochs_ < 10**6
    assert len(estimator.history_) == estimator.n_epochs_


def test_handler_of_the_user_is_called_and_put_back():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda signum, frame: pressed.append(signum))
    try:
        own = signal.getsignal(signal.SIGINT)
        estimator = embedding(architecture=PressesCtrlC(STEPS + 1)).fit(table())
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]
    assert estimator.n_epochs_ == 3


def test_fit_outside_the_main_thread():
    estimator = embedding()
    thread = threading.Thread(target=estimator.fit, args=(table(),))
    thread.start()
    thread.join()
    assert estimator.n_epochs_ == 3


class LoadsOtherWeights(Callback):
    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            for parameter in net.module_.parameters():
                parameter.fill_(0.5)


def test_a_callback_at_the_end_has_the_last_word():
    settings = {"early_stopping": True, "learning_rate": 1e-9}  # back to the start
    estimator = embedding(callbacks=[LoadsOtherWeights()], **settings).fit(table())
    assert estimator.best_epoch_ == 0
    assert all((parameter == 0.5).all() for parameter in estimator.module_.parameters())


class Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("no space left")


def test_failing_callback_leaves_the_estimator_as_it_was():
    estimator = embedding().fit(table())
    attributes, state = dict(vars(estimator)), state_of(estimator)
    before = signal.getsignal(signal.SIGINT)
    estimator.set_params(callbacks=[Fails()], n_components=3)
    with pytest.raises(RuntimeError, match="no space left"):
        estimator.fit(table(seed=1))
    assert signal.getsignal(signal.SIGINT) is before
    estimator.set_params(callbacks=None, n_components=2)
    assert vars(estimator) == attributes
    assert_same_state(state_of(estimator), state)


# ------------------------------------------------------------------------------ law 4


@pytest.mark.parametrize("fitted", [False, True])
def test_learning_rate_that_is_far_too_large(fitted):
    estimator = embedding(max_epochs=200)
    if fitted:
        estimator.set_params(max_epochs=1).fit(table()).set_params(max_epochs=200)
        state = state_of(estimator)
    estimator.set_params(learning_rate=1e3, optimizer=torch.optim.SGD)
    with pytest.raises(ValueError, match="became NaN or infinite") as caught:
        estimator.fit(table())
    message = str(caught.value)
    assert re.search(r"training rows .* in epoch \d+\.", message)
    assert "learning_rate=1000" in message
    for cure in ("ten times smaller", "StandardScaler", "GradientNormClipping"):
        assert cure in message
    if fitted:
        assert estimator.n_epochs_ == 1
        assert_same_state(state_of(estimator), state)
    else:
        assert not hasattr(estimator, "net_")
        assert not hasattr(estimator, "n_features_in_")


class Breaks(nn.Module):
    """An encoder that returns NaN or infinity from some step on, or on held-out rows."""

    def __init__(self, value, at_step=None):
        super().__init__()
        self.layer = fixed_layer()
        self.value, self.at_step = value, at_step
        self.n_steps = 0

    def forward(self, x):
        self.n_steps += self.training
        if self.at_step is None:
            broken = not self.training and self.n_steps > 0
        else:
            broken = self.training and self.n_steps >= self.at_step
        return self.layer(x) * (self.value if broken else 1.0)


@pytest.mark.parametrize("callbacks", [None, [Watcher()]], ids=["slim", "fallback"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_loss_that_is_not_finite_is_noticed_in_the_same_epoch(value, callbacks):
    estimator = embedding(
        architecture=Breaks(value, at_step=2 * STEPS), max_epochs=9, callbacks=callbacks
    )
    with pytest.raises(ValueError, match=r"loss on the training rows .* in epoch 2\."):
        estimator.fit(table())
    assert not hasattr(estimator, "net_")


def test_held_out_loss_that_is_not_finite():
    estimator = embedding(architecture=Breaks(np.nan), early_stopping=True)
    with pytest.raises(ValueError, match=r"loss on the held-out rows .* in epoch \d\."):
        estimator.fit(table())
    assert not hasattr(estimator, "net_")


# ------------------------------------------------------------------------- parameters


def test_bf16_trains_close_to_float32_and_transforms_in_float32():
    one = embedding().fit(table())
    other = embedding(precision="bf16").fit(table())
    assert other.net_.precision == "bf16"
    assert {p.dtype for p in other.module_.parameters()} == {torch.float32}
    losses = one.history_["train_loss"], other.history_["train_loss"]
    assert not (losses[0] == losses[1]).any()
    np.testing.assert_allclose(*losses, rtol=0.05)
    Z = other.transform(table())
    assert Z.dtype == np.float32
    with torch.inference_mode():
        exact = other.readout_(other.module_.encode(torch.from_numpy(table())))
    np.testing.assert_allclose(Z, exact.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("there", "batch_size", "expected"),
    [(True, 4, "float32"), (True, 2**17, "bf16"), (False, 2**17, "float32")],
)
def test_precision_auto_is_bf16_where_it_pays(monkeypatch, there, batch_size, expected):
    monkeypatch.setattr(_devices, "_has_bf16", lambda device: there)
    module = nn.Linear(100, 10)
    chosen = _devices.resolve_precision("auto", module, batch_size, torch.device("cpu"))
    assert chosen == expected


@pytest.mark.parametrize("there", [True, False])
def test_bf16_pays_on_a_processor_with_matrix_units(monkeypatch, there):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: there)
    assert _devices._has_bf16(torch.device("cpu")) is there


def test_device_auto_is_one_that_is_there():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.backends.mps.is_available():
        assert _devices.resolve_device("auto").type == expected
    assert _devices.resolve_device("cpu") == torch.device("cpu")
    assert embedding(device=torch.device("cpu")).fit(table()).device_ == torch.device("cpu")


@pytest.mark.parametrize("device", ["cuda:77", "meta", "nonsense", ""])
def test_device_that_is_not_there(device):
    estimator = embedding(device=device)
    with pytest.raises(ValueError, match=re.escape(f"device={device!r} is not available")):
        estimator.fit(table())
    assert not hasattr(estimator, "device_")


class NotACallback:
    pass


@pytest.mark.parametrize(
    "callback", [NotACallback(), EarlyStopping, ("name", NotACallback()), "EarlyStopping"]
)
def test_callbacks_of_wrong_kinds(callback):
    with pytest.raises(TypeError, match=r"callbacks: expected instances of skorch\.callbacks"):
        embedding(callbacks=[callback]).fit(table())


class ForScikitLearn:
    """Follows the protocol of scikit-learn."""

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass


@pytest.mark.parametrize("entry", [ForScikitLearn(), ("name", ForScikitLearn())])
def test_callbacks_of_sklearn_are_told_apart(entry):
    with pytest.raises(TypeError, match=r"ForScikitLearn .* of scikit-learn.*set_callbacks"):
        embedding(callbacks=[entry]).fit(table())


@pytest.mark.parametrize(
    ("optimizer_params", "message"),
    [
        ({"speed": 1}, "optimizer_params=.*speed.* does not fit optimizer=AdamW"),
        ({"betas": (2.0, 0.9)}, "optimizer_params=.*betas.* does not fit optimizer=AdamW"),
        ({"lr": 0.1}, "Set learning_rate instead"),
        ({"weight_decay": 0.1}, "Set weight_decay instead"),
    ],
)
def test_optimizer_params_that_do_not_fit(optimizer_params, message):
    with pytest.raises(ValueError, match=message):
        embedding(optimizer_params=optimizer_params).fit(table())


def test_optimizer_that_is_none():
    with pytest.raises(TypeError, match=r"'optimizer' parameter must be a class of torch\.optim"):
        embedding(optimizer=nn.Linear).fit(table())


def test_optimizer_without_weight_decay():
    with pytest.raises(ValueError, match=r"weight_decay=0\.1 has no effect with optimizer=LBFGS"):
        embedding(optimizer=torch.optim.LBFGS, weight_decay=0.1).fit(table())
    assert embedding(optimizer=torch.optim.LBFGS, learning_rate=0.1).fit(table()).n_epochs_ == 3


@pytest.mark.parametrize("params", [None, {"foreach": True}, {"fused": False, "amsgrad": True}])
def test_arguments_reach_the_optimizer(params):
    group = embedding(weight_decay=0.2, optimizer_params=params).fit(table()).net_.optimizer_
    group = group.param_groups[0]
    assert group["weight_decay"] == 0.2
    assert group["fused"] is {None: True}.get(params and "set", (params or {}).get("fused"))
    for name, value in (params or {}).items():
        assert group[name] == value


def test_training_that_goes_on_takes_the_arguments_of_now():
    estimator = embedding(warm_start=True, optimizer_params={"betas": (0.8, 0.9)}).fit(table())
    moment = next(iter(estimator.net_.optimizer_.state.values()))["exp_avg"].clone()
    estimator.set_params(
        learning_rate=0.5, weight_decay=0.3, optimizer_params={"betas": (0.7, 0.8)}
    ).fit(table())
    group = estimator.net_.optimizer_.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (0.5, 0.3, (0.7, 0.8))
    state = next(iter(estimator.net_.optimizer_.state.values()))
    assert state["step"] == 6 * STEPS
    assert not torch.equal(state["exp_avg"], moment)


def test_training_cannot_go_on_with_another_optimizer():
    estimator = embedding(warm_start=True).fit(table())
    estimator.set_params(optimizer=torch.optim.SGD)
    with pytest.raises(ValueError, match=r"cannot go on with optimizer=SGD.*warm_start=False"):
        estimator.fit(table())
    assert estimator.n_epochs_ == 3


# ----------------------------------------------------------------------- progress bar


def test_progress_bar(capsys):
    embedding(verbose=1, early_stopping=True, max_epochs=4).fit(table())
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert re.search(r"4/4 .*loss=\d.*held out=\d", shown.err)


def test_no_progress_bar(capsys):
    embedding(verbose=0, early_stopping=True).fit(table())
    assert capsys.readouterr() == ("", "")
