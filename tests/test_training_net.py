"""The net does what skorch does, and tells what goes wrong in the same epoch."""

import re
import weakref

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
from trainings import (
    BATCH_SIZE,
    N_HELD_OUT,
    STEPS,
    Diary,
    Loss,
    Reconstruction,
    Watcher,
    as_rows,
    assert_same_state,
    callback_of,
    embedding,
    fixed_layer,
    make,
    state_of,
    table,
    train_ours,
)

from skrepr import _training
from skrepr._rows import Rows
from skrepr._training._interruption import Interruption
from skrepr._training._net import Net
from skrepr._training._randomness import Randomness

pytestmark = pytest.mark.usefixtures("one_thread")


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


class OwnSteps(Loss):
    """Takes the steps of plain gradient descent itself."""

    n_threads = 2

    def __init__(self):
        super().__init__()
        self.asked = []

    def learning_rate_factor(self, fraction):
        return 1.0 if fraction is None else 1 - fraction

    def take_step(self, x, rate, precision, side_by_side):
        self.asked.append((rate, precision, side_by_side.n))
        self.zero_grad()
        loss = self(x)
        loss.backward()
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.add_(parameter.grad, alpha=-rate)
        return loss.detach()


@pytest.mark.parametrize("extra", [[], [Watcher()]], ids=["slim", "fallback"])
@pytest.mark.parametrize("open_ended", [False, True], ids=["fit", "partial_fit"])
def test_a_module_may_take_its_own_steps(extra, open_ended):
    class Descent(Loss):
        learning_rate_factor = OwnSteps.learning_rate_factor

    nets, settings = {}, {"optimizer": torch.optim.SGD, "weight_decay": 0.0}
    for kind in (OwnSteps, Descent):
        module = make(kind)
        nets[kind], _ = train_ours(
            module, extra, epochs=3, held_out=not open_ended, open_ended=open_ended, **settings
        )
    assert_same_state(*(net.module_.state_dict() for net in nets.values()))
    own, plain = ([row["train_loss"] for row in net.history] for net in nets.values())
    assert own == plain
    rates, precisions, n_threads = zip(*nets[OwnSteps].module_.asked)
    assert set(precisions) == {"float32"} and set(n_threads) == {2}
    assert rates[0] > rates[-1] or open_ended


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
    asked = {"epochs": 2, "randomness": randomness, "watch": Interruption()}
    _training.train(net, _training.Run(as_rows(table()), None, **asked))
    np.testing.assert_allclose(rates, 0.1 * (1 - np.arange(10) / 10))


@pytest.mark.parametrize("by_batch", [False, True], ids=["by epoch", "by batch"])
@pytest.mark.parametrize("open_ended", [False, True], ids=["fit", "partial_fit"])
def test_a_scheduler_takes_the_place_of_what_a_module_plans(by_batch, open_ended):
    class Planned(Loss):
        learning_rate_factor = OwnSteps.learning_rate_factor

        def after_step(self):
            rates[Planned].append(net.optimizer_.param_groups[0]["lr"])

    class Own(OwnSteps):
        def take_step(self, x, rate, precision, side_by_side):
            rates[Own].append(rate)
            return super().take_step(x, rate, precision, side_by_side)

    rates = {Planned: [], Own: []}
    for kind in rates:
        step = {"step_every": "batch"} if by_batch else {}
        schedule = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5, **step)
        module = make(kind)
        net = _training.make_net(
            module,
            optimizer=torch.optim.SGD,
            optimizer_params=None,
            learning_rate=0.1,
            weight_decay=0.0,
            batch_size=BATCH_SIZE,
            max_epochs=2,
            device=torch.device("cpu"),
            precision="float32",
            callbacks=[schedule],
        )
        asked = {"randomness": Randomness(module, torch.device("cpu")), "watch": Interruption()}
        run = _training.Run(as_rows(table()), None, epochs=2, open_ended=open_ended, **asked)
        _training.train(net, run)
    steps = np.arange(10) if by_batch else np.arange(10) // 5
    for found in rates.values():
        np.testing.assert_allclose(found, 0.1 * 0.5**steps)


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


@pytest.mark.parametrize("callbacks", [None, [Watcher()]], ids=["slim", "fallback"])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.RAdam])
def test_a_step_that_float32_does_not_hold(optimizer, callbacks):
    """A learning rate that it just holds, which the optimizer multiplies."""
    estimator = embedding(optimizer=optimizer, learning_rate=3e38, callbacks=callbacks)
    with pytest.raises(ValueError, match=r"became NaN or infinite in epoch 1.*=3e\+38"):
        estimator.fit(table())
    assert not hasattr(estimator, "net_")


@pytest.mark.parametrize("callbacks", [None, [Watcher()]], ids=["slim", "fallback"])
def test_other_errors_of_an_optimizer_are_its_own(callbacks):
    class Breaks(torch.optim.SGD):
        def step(self, closure=None):
            raise RuntimeError("no memory")

    Breaks.__module__ = "torch.optim.breaks"  # the slim loop takes it for one of torch's
    with pytest.raises(RuntimeError, match="no memory"):
        embedding(optimizer=Breaks, callbacks=callbacks).fit(table())
