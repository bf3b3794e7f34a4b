"""A training from its start to the weights that are kept, whole or in pieces."""

import copy
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field

import torch

from ._callbacks import ProgressBar, TermScoring, has_schedule, overrides
from ._history import without_batches
from ._keep_best import KeepBest, Start
from ._net import Stop
from ._side_by_side import SideBySide


@dataclass
class Run:
    """One training: what is asked for, and how it stands.

    Parameters
    ----------
    rows, held_out : Rows
        To train on; to judge by (or None).
    epochs : int
        That are planned.
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
    """

    rows: object
    held_out: object
    _: KW_ONLY
    epochs: int
    randomness: object
    watch: object
    open_ended: bool = False
    may_return: bool = False
    share: float = 1.0
    start_anew: Callable | None = None
    task: object = None
    n_steps: int = field(default=0, init=False)
    side_by_side: SideBySide | None = field(default=None, init=False)
    out_of_patience: bool = field(default=False, init=False)
    # epochs in the history: of earlier trainings; of these and this one, those that ended
    n_before: int = field(init=False)
    n_complete: int = field(init=False)
    start: Start = field(init=False)

    def begin(self, net):
        """Let ``net`` be about this training, from where it stands."""
        net.run_, module = self, net.module_
        self.n_before = self.n_complete = len(net.history)
        self.planned_steps = (
            None if self.open_ended else self.epochs * len(net.batches_of(self.rows))
        )
        self.slim = _nobody_watches_batches(net)
        if hasattr(module, "set_plan"):
            module.set_plan(None if self.open_ended else self.epochs)
        # of the module, looked up once
        self.set_progress = getattr(module, "set_progress", None)
        self.after_step = getattr(module, "after_step", None)
        self.take_step = getattr(module, "take_step", None)
        self.is_scheduled = has_schedule(net)
        # the user's schedule stands in for that of the module
        factor = getattr(module, "learning_rate_factor", None)
        self.learning_rate_factor = None if self.is_scheduled else factor
        self.start = Start(net, self.held_out if self.may_return else None)


def train(net, run):
    """Train for some epochs and leave the best weights in the module.

    Parameters
    ----------
    net : Net
    run : Run
        One that has not begun.

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
    run.watch.finishing = False
    if run.epochs == 0:
        if run.held_out is not None and run.start_anew is not None:
            run.start_anew(net.module_)
        return len(net.history)  # no callback hears of a training that is none
    with run.randomness, _closed_bars(net), SideBySide(_n_threads(net)) as run.side_by_side:
        run.begin(net)
        net.notify("on_train_begin", X=run.rows, y=None)
        interrupted = not _run_epochs(net)
        run.watch.finishing = True
        if interrupted:
            warnings.warn(
                f"Interrupted in epoch {len(net.history) + 1}: the fit ends with the best "
                f"weights so far, those of epoch {_keep_best(net).epoch_}. Interrupt twice "
                f"within {run.watch.IMPATIENCE:g} seconds to stop without a result.",
                UserWarning,
            )
        best_epoch, returned = _put_best(net, interrupted)
        if returned and run.start_anew is not None:
            run.start_anew(net.module_)
        if len(net.history) > run.n_before:
            run.start.check_last_step(run.rows)
        # a callback of the user's that loads other weights here has the last word
        net.notify("on_train_end", X=run.rows, y=None)
    _forget_batches(net, run.n_before)
    del net.run_, run.start  # which holds weights
    return best_epoch


def _n_threads(net):
    return getattr(net.module_, "n_threads", 1)


def _put_best(net, interrupted=False):
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


@contextmanager
def _closed_bars(net):
    try:
        yield
    finally:
        for _, callback in net.callbacks_:
            if isinstance(callback, ProgressBar):
                callback.close()


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
        best_epoch, returned = _put_best(net)
        module = copy.deepcopy(net.module_)
    finally:
        now.move_to(0)
    if returned and net.run_.start_anew is not None:
        net.run_.start_anew(module)
    history = without_batches(net.history[: net.run_.n_complete])
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
        self.net, self.groups = net, groups
        self.run = Run(rows, None, epochs=epochs, randomness=randomness, watch=watch)
        self.run.begin(net)

    def go_on_to(self, epoch):
        """Train until ``epoch`` epochs are done."""
        done = len(self.net.history)
        with self.run.randomness:
            self.net.fit_loop(self.run.rows, epochs=epoch - done)
        _forget_batches(self.net, done)

    def losses(self, share):
        """Measure the loss of each group at a share of the way from the start to the weights.

        Returns
        -------
        losses : list of float
        """
        end = Start(self.net, None) if share < 1 else None
        self.run.start.move_to(share)
        losses = [self.net.watched(rows) for rows in self.groups]
        if end is not None:
            end.move_to(0)
        return losses


def _forget_batches(net, n_before):
    """Forget single batches of the last epochs, of which memory and pickles would be full."""
    net.history[n_before:] = without_batches(net.history[n_before:])


def _run_epochs(net):
    """Train; return whether it went on to an end that was planned."""
    run = net.run_
    try:
        net.fit_loop(run.rows, epochs=run.epochs)
    except Stop:
        pass
    except KeyboardInterrupt:
        if run.watch.impatient or run.open_ended or run.n_complete == run.n_before:
            raise
        del net.history[run.n_complete :]
        return False
    return True


def _nobody_watches_batches(net):
    """Whether the slim loop can stand in for skorch's own."""
    optimizer = type(net.optimizer_)
    if optimizer is torch.optim.LBFGS or not optimizer.__module__.startswith("torch.optim."):
        return False  # it may ask for the loss again within a step
    return not any(
        overrides(callback, "on_batch_begin", "on_batch_end", "on_grad_computed")
        for _, callback in net.callbacks_
        if not isinstance(callback, TermScoring)
    )
