"""Training, managed by skorch: the only file that imports it.

The loop knows no method. It asks of the module

``forward(batch)``
    the loss of a batch, or a dict of terms whose sum is the loss, the same in all batches;
``set_progress(fraction)``, optional
    called before each step with the share of the planned steps that is done (None in
    `partial_fit`, which has no planned end), for schedules;
``after_step()``, optional
    called once after each optimizer step, for momentum teachers and queues.

skorch keeps callbacks, history, optimizer and schedulers. What it does per row and per
batch is replaced where nobody would notice: batches come from whole-batch indexing, and
an epoch runs through a slim loop that reads the losses from the device once, at its end.
As soon as a callback wants to see single batches, skorch's own loop runs instead; weights
and history are the same, bit for bit.
"""

import copy
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, PassthroughScoring


class _Stop(Exception):
    """A callback has ended the training as planned."""


@dataclass
class _Run:
    """What is true for the time of one training only."""

    held_out: object  # Rows, or None
    randomness: object  # Randomness of the module
    planned_steps: int | None
    watch: object  # Interruption
    epochs: int  # that are planned
    n_before: int  # epochs in the history, of earlier trainings
    slim: bool
    set_progress: Callable | None  # of the module, looked up once
    after_step: Callable | None
    task: object = None  # FitTask, where somebody wants to know
    start: object = None  # Start
    start_anew: Callable | None = None
    may_return: bool = False
    share: float = 1.0
    n_steps: int = 0
    n_complete: int = 0  # epochs in the history that ended, of this and earlier trainings
    out_of_patience: bool = False


class Net(NeuralNet):
    """A skorch net whose module returns its own loss, and that is given `Rows` for X."""

    def __init__(self, module, *, precision="float32", **kwargs):
        self.precision = precision
        super().__init__(module, criterion=torch.nn.Identity, **kwargs)

    @property
    def _default_callbacks(self):
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
            ("terms", _TermScoring()),
            ("keep_best", KeepBest()),
        ]

    def initialize_module(self):
        self.module_ = self.module
        # the instance lives in module_ alone, which skorch moves between devices
        self.module = type(self.module_)
        return self

    def on_epoch_begin(self, net, **kwargs):
        super().on_epoch_begin(net, **kwargs)
        if self.run_.task is not None:
            self.run_.task.begin_epoch()
        self.run_.randomness.new_epoch()

    def get_split_datasets(self, X, y=None, **fit_params):
        return X, self.run_.held_out

    def get_iterator(self, dataset, training=False):
        generator = self.run_.randomness.generator if training else None
        return _WithTarget(dataset.batches(self.batch_size, generator))

    def infer(self, x, **fit_params):
        if self.precision == "float32":
            return self.module_(x)
        with torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16):
            return self.module_(x)

    def get_loss(self, y_pred, y_true=None, X=None, training=False):
        return sum(y_pred.values()) if isinstance(y_pred, dict) else y_pred

    def train_step(self, batch, **fit_params):
        self._before_step()
        step = super().train_step(batch, **fit_params)
        self._after_step()
        return step

    def _before_step(self):
        run = self.run_
        if run.set_progress is not None:
            planned = run.planned_steps
            run.set_progress(None if planned is None else run.n_steps / planned)
        run.n_steps += 1

    def _after_step(self):
        if self.run_.after_step is not None:
            self.run_.after_step()
        self.run_.watch.check()

    def notify(self, method_name, **cb_kwargs):
        at_end = method_name == "on_epoch_end"
        stop = False
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            # the way in which callbacks of skorch end a training as planned
            if not at_end or self.run_.watch.signalled:
                raise
            stop = True
        if at_end and self.run_.task is not None:
            stop |= self.run_.task.end_epoch()
        if stop or (at_end and self.run_.out_of_patience):
            raise _Stop

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        if self.run_.slim:
            self._run_slim_epoch(iterator, training, prefix)
        else:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        key = prefix + "_loss"
        losses = [row[key] for row in self.history[-1]["batches"] if key in row]
        if not np.isfinite(losses).all():
            where = "held-out rows" if key.startswith("valid") else "training rows"
            raise ValueError(_not_finite(f"The loss on the {where}", len(self.history), self.lr))

    def _run_slim_epoch(self, iterator, training, prefix):
        self._set_training(training)
        # setting gradients to None here costs a tenth of what the optimizer takes for it
        groups = self.optimizer_.param_groups
        parameters = [parameter for group in groups for parameter in group["params"]]
        sizes = []
        for step, (batch, _) in enumerate(iterator):
            if training:
                output = self._slim_train_step(batch, parameters)
            else:
                with torch.no_grad():
                    output = self.infer(batch)
            terms = output if isinstance(output, dict) else {}
            told = torch.stack([self.get_loss(output), *terms.values()])
            if step == 0:
                # one tensor for all steps: many small ones, kept between large blocks that
                # come and go, would leave holes in memory that nothing fits into
                values = told.new_empty(len(iterator), len(told))
            values[step] = told
            sizes.append(_length(batch))
        names = [f"{prefix}_{name}" for name in ("loss", *terms)]
        # one read of the device, of all that the epoch has to tell
        values = values.T.tolist()
        self.history[-1]["batches"].extend(
            dict(zip(names, row)) | {f"{prefix}_batch_size": size}
            for *row, size in zip(*values, sizes)
        )
        self.history.record(f"{prefix}_batch_count", len(sizes))

    def losses_of(self, batches):
        """Compute the loss of each batch, without training."""
        self._set_training(False)
        with torch.no_grad():
            return torch.stack([self.get_loss(self.infer(batch)) for batch in batches]).tolist()

    def mean_loss(self, rows):
        """Compute the loss of some rows in the way in which that of an epoch is computed."""
        batches = rows.batches(self.batch_size)
        return float(np.average(self.losses_of(batches), weights=batches.sizes))

    def _slim_train_step(self, batch, parameters):
        self._before_step()
        for parameter in parameters:
            parameter.grad = None
        output = self.infer(batch)
        self.get_loss(output).backward()
        self.optimizer_.step()
        self._after_step()
        return _detached(output)


class _WithTarget:
    """Batches as skorch expects them: pairs of input and target, here the same."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return ((batch, batch) for batch in self.batches)


class _TermScoring(Callback):
    """Writes the epoch's mean of every loss term to the history."""

    def on_batch_end(self, net, batch=None, training=False, y_pred=None, **kwargs):
        if isinstance(y_pred, dict):
            for name, value in y_pred.items():
                prefix = "train" if training else "valid"
                net.history.record_batch(f"{prefix}_{name}", value.item())

    def on_epoch_end(self, net, **kwargs):
        rows = net.history[-1]["batches"]
        names = {name for row in rows for name in row} - {
            f"{prefix}_{what}" for prefix in ("train", "valid") for what in ("loss", "batch_size")
        }
        for name in sorted(names):
            size = name.split("_", 1)[0] + "_batch_size"
            of_term = [(row[name], row[size]) for row in rows if name in row and size in row]
            if of_term:
                values, sizes = zip(*of_term)
                net.history.record(name, np.average(values, weights=sizes))


class KeepBest(Callback):
    """Keeps the weights with the lowest held-out loss and ends the training without progress.

    Weights are those of the whole module, buffers included, so that student, teacher and
    queue stay together. Without held-out rows the weights of the last complete epoch are
    kept, for the case of an interruption.

    Parameters
    ----------
    patience : int or None, default=None
        Number of epochs without a new best after which training ends.

    Attributes
    ----------
    epoch_ : int
        The epoch whose weights are kept.
    """

    def __init__(self, patience=None):
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        self.tensors_ = state_tensors(net)
        self.kept_ = [tensor.detach().clone() for tensor in self.tensors_]
        self.epoch_ = len(net.history)
        self.loss_ = net.run_.start.loss

    def on_epoch_end(self, net, **kwargs):
        epoch = len(net.history)
        loss = net.history[-1, "valid_loss"] if net.run_.held_out is not None else -epoch
        if loss < self.loss_:
            self.loss_, self.epoch_ = loss, epoch
            with torch.no_grad():
                torch._foreach_copy_(self.kept_, self.tensors_)
        elif self.patience is not None and epoch - self.epoch_ >= self.patience:
            net.run_.out_of_patience = True
        net.run_.n_complete = epoch

    def restore(self):
        """Put the kept weights back."""
        with torch.no_grad():
            torch._foreach_copy_(self.tensors_, self.kept_)

    def on_train_end(self, net, **kwargs):
        del self.tensors_, self.kept_


def state_tensors(net):
    """List the tensors of the module, as they stand: its weights and buffers."""
    return list(net.module_.state_dict(keep_vars=True).values())


class Start:
    """The weights where a training begins, and what they make of held-out rows.

    Parameters
    ----------
    net : Net
    held_out : Rows or None
    """

    # Groups of held-out rows whose losses are compared, and by how many standard errors
    # the sum of signed ranks must be above that of chance.
    _N_GROUPS, _SURE = 10, 1.5

    def __init__(self, net, held_out):
        self.net = net
        self.tensors = state_tensors(net)
        self.weights = [tensor.detach().clone() for tensor in self.tensors]
        self.loss = np.inf
        if held_out is not None:
            loss = net.mean_loss(held_out)
            self.loss = loss if np.isfinite(loss) else np.inf
            size = max(1, min(net.batch_size, len(held_out) // self._N_GROUPS))
            self._groups = held_out.batches(size)
            self._losses = np.array(net.losses_of(self._groups))

    @torch.no_grad()
    def move_to(self, share):
        """Set the module to what lies at ``share`` of the way from here to its weights."""
        for tensor, first in zip(self.tensors, self.weights):
            if share == 0:
                tensor.copy_(first)
            elif share < 1 and tensor.is_floating_point():
                # infinite bounds, which training does not move, have no way between them
                between = torch.lerp(first, tensor, share)
                tensor.copy_(torch.where(first == tensor, tensor, between))

    def is_surely_beaten(self):
        """Whether the weights of the module have a lower loss, by more than chance.

        Judged by the signed ranks of the gains of groups of rows (Wilcoxon 1945): a group
        with an outlier counts as any other, whatever the unit and sign of the loss.
        """
        gains = self._losses - np.array(self.net.losses_of(self._groups))
        if not np.isfinite(gains).all():
            return True
        n = len(gains)
        ranks = rankdata(np.abs(gains))[gains > 0].sum()
        chance, error = n * (n + 1) / 4, np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return bool((gains > 0).all() or ranks > chance + self._SURE * error)

    def check_last_step(self, rows):
        """Raise if the weights, or the loss that they now give, are not finite.

        Losses are those before each step, so nothing has told how the last one ended.
        """
        finite = all(
            # what was not finite at the start is so by intention, as are open bounds
            (now.isfinite() | (now == start) | (now.isnan() & start.isnan())).all()
            for now, start in zip(self.tensors, self.weights)
        )
        few = next(iter(rows.batches(self.net.batch_size)))
        if not finite or not np.isfinite(self.net.losses_of([few])).all():
            raise ValueError(_not_finite("The weights", len(self.net.history), self.net.lr))


class _ProgressBar(Callback):
    """One bar for the whole fit, with the losses and the time left."""

    def on_train_begin(self, net, **kwargs):
        from tqdm.auto import tqdm

        self.bar_ = tqdm(total=net.run_.epochs, unit="epoch", leave=True)

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        shown = {"loss": row["train_loss"]}
        if "valid_loss" in row:
            shown["held out"] = row["valid_loss"]
        self.bar_.set_postfix({name: f"{value:.4g}" for name, value in shown.items()})
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        del self.bar_


def make_net(
    module,
    *,
    optimizer,
    optimizer_params,
    learning_rate,
    weight_decay,
    batch_size,
    max_epochs,
    device,
    precision,
    patience=None,
    callbacks=None,
    verbose=False,
    optimizer_state=None,
    history=(),
    keeps_best=True,
):
    """Make the skorch net that will train ``module``, ready to start or to go on.

    Parameters are those of the estimators, with "auto" resolved; ``optimizer_state`` and
    ``history`` are those of an earlier training that goes on. ``keeps_best`` is false where
    somebody else looks after the weights.
    """
    optimizer, arguments = _optimizer(
        optimizer, optimizer_params, learning_rate, weight_decay, module, device
    )
    bar = [("progress_bar", _ProgressBar())] if verbose else []
    net = Net(
        module,
        precision=precision,
        optimizer=optimizer,
        lr=learning_rate,
        batch_size=batch_size,
        max_epochs=max_epochs,
        callbacks=_checked_callbacks(callbacks) + bar,
        callbacks__keep_best=KeepBest(patience) if keeps_best else None,
        device=str(device),
        verbose=0,
        **{f"optimizer__{name}": value for name, value in arguments.items()},
    )
    net.initialize()
    if optimizer_state is not None:
        _go_on(net.optimizer_, optimizer_state)
    net.history.extend(history)
    return net


def _optimizer(optimizer, optimizer_params, learning_rate, weight_decay, module, device):
    """Choose the optimizer's class and arguments, and make sure that they fit together."""
    cls = torch.optim.AdamW if optimizer is None else optimizer
    if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
        raise TypeError(
            "The 'optimizer' parameter must be a class of torch.optim, or None. Got "
            f"{optimizer!r} instead."
        )
    own = dict(optimizer_params or {})
    for name, parameter in (("lr", "learning_rate"), ("weight_decay", "weight_decay")):
        if name in own:
            raise ValueError(
                f"optimizer_params={own!r} must not hold {name!r}. Set {parameter} instead."
            )
    arguments = {}
    if optimizer is None and device.type in ("cpu", "cuda", "mps") and "foreach" not in own:
        # one kernel instead of a loop over parameters: a third of the time of a small net
        arguments["fused"] = True
    if "weight_decay" in inspect.signature(cls).parameters:
        arguments["weight_decay"] = weight_decay
    elif weight_decay:
        raise ValueError(
            f"weight_decay={weight_decay!r} has no effect with optimizer={cls.__name__}, "
            "which has no such parameter. Set weight_decay=0."
        )
    arguments |= own
    try:
        cls(module.parameters(), lr=learning_rate, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"optimizer_params={optimizer_params!r} does not fit optimizer={cls.__name__}: {error}"
        ) from error
    return cls, arguments


def _go_on(optimizer, earlier):
    """Give a new optimizer the moments of an earlier one; its arguments are its own."""
    state = optimizer.state_dict()
    if any(
        not new.keys() <= old.keys()
        for new, old in zip(state["param_groups"], earlier["param_groups"])
    ):
        raise ValueError(
            f"Training cannot go on with optimizer={type(optimizer).__name__}, since it began "
            "with another one. Set warm_start=False to start anew."
        )
    optimizer.load_state_dict(state | {"state": copy.deepcopy(earlier["state"])})


def _checked_callbacks(callbacks):
    """Copy the user's callbacks, or say why one of them is none."""
    if callbacks is None:
        return []
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError(
            "The 'callbacks' parameter must be a list of skorch callbacks, or None. Got "
            f"{callbacks!r} instead."
        )
    for entry in callbacks:
        callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
        if hasattr(callback, "on_fit_task_end"):
            raise TypeError(
                f"callbacks: {callback!r} is a callback of scikit-learn, and 'callbacks' takes "
                "those of skorch. Set it by the method set_callbacks, of this estimator or of "
                "the search or pipeline around it."
            )
        if not isinstance(callback, Callback):
            raise TypeError(
                "callbacks: expected instances of skorch.callbacks.Callback, or pairs of a "
                f"name and an instance. Got {entry!r} instead."
            )
    return copy.deepcopy(list(callbacks))


def train(
    net,
    rows,
    held_out,
    *,
    epochs,
    randomness,
    watch,
    open_ended=False,
    may_return=False,
    share=1.0,
    start_anew=None,
    task=None,
):
    """Train for some epochs and leave the best weights in the module.

    Parameters
    ----------
    net : Net
    rows, held_out : Rows
        To train on; to judge by (or None).
    epochs : int
    randomness : Randomness
        Of the module.
    watch : Interruption
    open_ended : bool, default=False
        Whether this is one chunk of a stream without a planned end.
    may_return : bool, default=False
        Whether the weights at the start are a solution, which is given up only for what
        surely is a better one.
    share : float, default=1.0
        Share of the way from the start to the best weights that is kept.
    start_anew : callable or None, default=None
        Called with the module where held-out rows were judged and the start is returned to.
    task : FitTask or None, default=None
        Is told of each epoch, and may end the training after it.

    Returns
    -------
    best_epoch : int
        The epoch whose weights were kept.

    Raises
    ------
    ValueError
        If a loss is not finite.
    KeyboardInterrupt
        If interrupted before the end of the first epoch, in a stream, or twice.
    """
    watch.finishing = False
    n_before = len(net.history)
    if epochs == 0:
        return n_before  # no callback hears of a training that is none
    net.run_ = _new_run(net, rows, held_out, randomness, watch, epochs, open_ended)
    net.run_.task, net.run_.start_anew = task, start_anew
    net.run_.may_return, net.run_.share = may_return, share
    with randomness:
        net.run_.start = Start(net, held_out if may_return else None)
        net.notify("on_train_begin", X=rows, y=None)
        interrupted = not _run_epochs(net, rows, epochs, may_stop_early=not open_ended)
        watch.finishing = True
        if interrupted:
            warnings.warn(
                f"Interrupted in epoch {len(net.history) + 1}: the fit ends with the best "
                f"weights so far, those of epoch {_keep_best(net).epoch_}. Interrupt twice within "
                f"{watch.IMPATIENCE:g} seconds to stop without a result.",
                UserWarning,
            )
        best_epoch, returned = _settle(net, interrupted)
        if returned and start_anew is not None:
            start_anew(net.module_)
        if len(net.history) > n_before:
            net.run_.start.check_last_step(rows)
        # a callback of the user's that loads other weights here has the last word
        net.notify("on_train_end", X=rows, y=None)
    _tidy(net, n_before)
    return best_epoch


def _settle(net, interrupted=False):
    """Put the weights into the module with which the training ends.

    Returns their epoch, and whether held-out rows have brought them back to the start.
    """
    run, best_epoch, returned = net.run_, net.run_.n_complete, False
    if interrupted or run.held_out is not None:
        _keep_best(net).restore()
        best_epoch = _keep_best(net).epoch_
    if run.may_return and run.held_out is not None and not run.start.is_surely_beaten():
        run.start.move_to(0)
        best_epoch, returned = run.n_before, True
    if run.share < 1:
        run.start.move_to(run.share)
    return best_epoch, returned


def _keep_best(net):
    return next(callback for _, callback in net.callbacks_ if isinstance(callback, KeepBest))


def as_if_ended(net):
    """Tell what a training would leave if it ended now.

    Parameters
    ----------
    net : Net
        In the middle of a training, at the end or the beginning of an epoch.

    Returns
    -------
    module : torch.nn.Module
        A copy, with the weights that would be kept.
    history : list of dict
        Of the epochs that are complete.
    best_epoch : int
    """
    now = Start(net, None)
    try:
        best_epoch, returned = _settle(net)
        module = copy.deepcopy(net.module_)
    finally:
        now.move_to(0)
    if returned and net.run_.start_anew is not None:
        net.run_.start_anew(module)
    history = [row | {"batches": []} for row in net.history[: net.run_.n_complete]]
    return module.eval(), history, best_epoch


class Fold:
    """A training in pieces, whose held-out losses are measured in between.

    Parameters
    ----------
    net : Net
    rows : Rows
        To train on.
    groups : list of Rows
        Held-out rows in groups, each of which has a loss.
    randomness : Randomness
        Of the module.
    watch : Interruption
    epochs : int
        Number of epochs that are planned in all.
    """

    def __init__(self, net, rows, groups, *, randomness, watch, epochs):
        self.net, self.rows, self.groups = net, rows, groups
        self.randomness, self.watch, self.epochs = randomness, watch, epochs
        self.start = Start(net, None)

    def go_on_to(self, epoch):
        """Train until ``epoch`` epochs are done."""
        done, net = len(self.net.history), self.net
        net.run_ = _new_run(net, self.rows, None, self.randomness, self.watch, self.epochs)
        net.run_.n_steps = done * len(self.rows.batches(net.batch_size))
        with self.randomness:
            net.fit_loop(self.rows, epochs=epoch - done)
        _tidy(net, done)

    def losses(self, share):
        """Measure the loss of each group at a share of the way from the start to the weights.

        Returns
        -------
        losses : list of float
        """
        end = Start(self.net, None)
        self.start.move_to(share)
        losses = self.net.losses_of(
            batch for rows in self.groups for batch in rows.batches(len(rows))
        )
        end.move_to(0)
        return losses


def _tidy(net, n_before):
    """Forget what was true for one training only."""
    for row in net.history[n_before:]:
        # one entry a batch would grow without bound, in memory and in every pickle
        row["batches"] = []
    del net.run_


def _new_run(net, rows, held_out, randomness, watch, epochs, open_ended=False):
    return _Run(
        held_out=held_out,
        randomness=randomness,
        epochs=epochs,
        planned_steps=None if open_ended else epochs * len(rows.batches(net.batch_size)),
        watch=watch,
        slim=_nobody_watches_batches(net),
        set_progress=getattr(net.module_, "set_progress", None),
        after_step=getattr(net.module_, "after_step", None),
        n_before=len(net.history),
        n_complete=len(net.history),
    )


def _run_epochs(net, rows, epochs, may_stop_early):
    """Train; return whether it went on to an end that was planned."""
    n_before = len(net.history)
    try:
        net.fit_loop(rows, epochs=epochs)
    except _Stop:
        pass
    except KeyboardInterrupt:
        n_complete = net.run_.n_complete
        if net.run_.watch.impatient or not may_stop_early or n_complete == n_before:
            raise
        del net.history[n_complete:]
        return False
    return True


def _nobody_watches_batches(net):
    """Whether the slim loop can stand in for skorch's own."""
    optimizer = type(net.optimizer_)
    if optimizer is torch.optim.LBFGS or not optimizer.__module__.startswith("torch.optim."):
        return False  # it may ask for the loss again within a step
    hooks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
    return not any(
        getattr(type(callback), hook) is not getattr(Callback, hook)
        for _, callback in net.callbacks_
        if not isinstance(callback, _TermScoring)
        for hook in hooks
    )


def _length(batch):
    return len(batch[0] if isinstance(batch, tuple) else batch)


def _detached(output):
    if isinstance(output, dict):
        return {name: value.detach() for name, value in output.items()}
    return output.detach()


def _not_finite(what, epoch, learning_rate):
    return (
        f"{what} became NaN or infinite in epoch {epoch}. Likely causes: "
        f"a learning rate that is too large (learning_rate={learning_rate:g}), values of "
        "very different size among the features, or outliers. Cures: a learning rate ten "
        "times smaller; a StandardScaler or RobustScaler in front; "
        "callbacks=[skorch.callbacks.GradientNormClipping(1.0)]."
    )
