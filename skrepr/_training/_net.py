"""The net: skorch's, with whole batches and a slim loop.

skorch keeps callbacks, history, optimizer and schedulers. What it does per row and per
batch is replaced where nobody would notice: batches come from whole-batch indexing, and
an epoch runs through a slim loop that reads the losses from the device once, at its end.
As soon as a callback wants to see single batches, skorch's own loop runs instead; weights
and history are the same, bit for bit.
"""

from contextlib import contextmanager

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer, PassthroughScoring

from ._callbacks import ProgressBar, TermScoring, checked, has_schedule
from ._keep_best import KeepBest, not_finite
from ._optimizer import begin_schedule, choose_optimizer, go_on
from ._plan import smallest_batch
from ._randomness import fixed_draws

_ADVICE = (
    "values of very different size among the features, or outliers. Cures: a learning rate ten "
    "times smaller; a StandardScaler or RobustScaler in front; "
    "callbacks=[skorch.callbacks.GradientNormClipping(1.0)]"
)


class Stop(Exception):
    """A callback has ended the training as planned."""


class Net(NeuralNet):
    """A skorch net whose module returns its own loss, and that is given `Rows` for X.

    While it trains, ``run_`` is the `Run` that it is about. ``advice`` is what a training that
    diverges is told, besides its learning rate: more causes, and cures; None: those of features.
    """

    def __init__(self, module, *, precision="float32", advice=None, **kwargs):
        self.precision = precision
        self.advice = advice or _ADVICE
        super().__init__(module, criterion=torch.nn.Identity, **kwargs)

    @property
    def _default_callbacks(self):
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
            ("terms", TermScoring()),
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
        return _WithTarget(self.batches_of(dataset, generator))

    def batches_of(self, rows, generator=None):
        """Cut rows into batches that the loss of the module makes sense of."""
        return rows.batches(self.batch_size, generator, smallest_batch(self.module_))

    def infer(self, x, **fit_params):
        if self.precision == "float32":
            return self.module_(x)
        with torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16):
            return self.module_(x)

    def get_loss(self, y_pred, y_true=None, X=None, training=False):
        return sum(y_pred.values()) if isinstance(y_pred, dict) else y_pred

    def train_step(self, batch, **fit_params):
        if self.run_.take_step is not None:
            self._set_training(True)
            output = self._own_step(batch[0])
            return {"loss": self.get_loss(output), "y_pred": output}
        self._before_step()
        with self._overflow_told():
            step = super().train_step(batch, **fit_params)
        self._after_step()
        return step

    def _own_step(self, batch):
        """Take the step that the module knows how to take, without autograd and optimizer."""
        self._before_step()
        rate = self.optimizer_.param_groups[0]["lr"]
        output = self.run_.take_step(batch, rate, self.precision, self.run_.side_by_side)
        if self.run_.is_scheduled:
            self.optimizer_.step()  # without gradients: schedulers of torch count its steps
        self._after_step()
        return output

    def _before_step(self):
        run = self.run_
        fraction = None if run.planned_steps is None else run.n_steps / run.planned_steps
        if run.set_progress is not None:
            run.set_progress(fraction)
        if run.learning_rate_factor is not None:
            for group in self.optimizer_.param_groups:
                group["lr"] = self.lr * run.learning_rate_factor(fraction)
        run.n_steps += 1

    def _after_step(self):
        if self.run_.after_step is not None:
            self.run_.after_step()
        self.run_.watch.check()

    @contextmanager
    def _overflow_told(self):
        """Say in our words what torch says where a step is larger than any number it has."""
        try:
            yield
        except RuntimeError as error:
            if "without overflow" not in str(error):
                raise
            raise ValueError(not_finite("The weights", self)) from error

    def notify(self, method_name, **cb_kwargs):
        at_end, stop = method_name == "on_epoch_end", False
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
            raise Stop

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
            raise ValueError(not_finite(f"The loss on the {where}", self))

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
            of_step = torch.stack([self.get_loss(output), *terms.values()])
            if step == 0:
                # one tensor for all steps: many small ones, kept between large blocks that
                # come and go, would leave holes in memory that nothing fits into
                values = of_step.new_empty(len(iterator), len(of_step))
            values[step] = of_step
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
        with self._judging():
            return torch.stack([self.get_loss(self.infer(batch)) for batch in batches]).tolist()

    @contextmanager
    def _judging(self):
        self._set_training(False)
        with torch.no_grad(), fixed_draws(self.module_, torch.device(self.device)):
            yield

    def mean_loss(self, rows):
        """Compute the loss of some rows in the way in which that of an epoch is computed."""
        batches = self.batches_of(rows)
        return float(np.average(self.losses_of(batches), weights=batches.sizes))

    def watched(self, rows):
        """Compute what early stopping watches: a figure of the module's own, or the loss."""
        if not hasattr(self.module_, "watched"):
            return self.mean_loss(rows)
        with self._judging():
            return float(self.module_.watched(rows))

    def row_losses(self, rows):
        """Compute the loss of each row, by the module's own method."""
        with self._judging():
            return self.module_.row_losses(rows).cpu().double().numpy()

    def _slim_train_step(self, batch, parameters):
        if self.run_.take_step is not None:
            return self._own_step(batch)
        self._before_step()
        for parameter in parameters:
            parameter.grad = None
        output = self.infer(batch)
        self.get_loss(output).backward()
        with self._overflow_told():
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
    advice=None,
):
    """Make the skorch net that will train ``module``, ready to start or to go on.

    Parameters are those of the estimators, with "auto" resolved; ``optimizer_state`` and
    ``history`` are those of an earlier training that goes on. ``keeps_best`` is false where
    somebody else looks after the weights. ``advice`` is that of `Net`.
    """
    optimizer, arguments = choose_optimizer(
        optimizer, optimizer_params, learning_rate, weight_decay, module, device
    )
    bar = [("progress_bar", ProgressBar())] if verbose else []
    net = Net(
        module,
        precision=precision,
        advice=advice,
        optimizer=optimizer,
        lr=learning_rate,
        batch_size=batch_size,
        max_epochs=max_epochs,
        callbacks=checked(callbacks, has_gradients=not hasattr(module, "take_step")) + bar,
        callbacks__keep_best=KeepBest(patience) if keeps_best else None,
        device=str(device),
        verbose=0,
        **{f"optimizer__{name}": value for name, value in arguments.items()},
    )
    net.initialize()
    if optimizer_state is not None:
        go_on(net.optimizer_, optimizer_state)
    if has_schedule(net):
        begin_schedule(net.optimizer_, optimizer_state)
    net.history.extend(history)
    return net


def _length(batch):
    return len(batch[0] if isinstance(batch, tuple) else batch)


def _detached(output):
    if isinstance(output, dict):
        return {name: value.detach() for name, value in output.items()}
    return output.detach()
