"""A training from its start to the weights that are kept, whole or in pieces."""

import copy
import warnings
from contextlib import contextmanager

import torch
from skorch.callbacks import Callback

from ._callbacks import ProgressBar, TermScoring
from ._history import without_batches
from ._keep_best import KeepBest, Start
from ._net import Run, Stop


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
        if held_out is not None and start_anew is not None:
            start_anew(net.module_)
        return n_before  # no callback hears of a training that is none
    run = net.run_ = _new_run(net, rows, held_out, randomness, watch, epochs, open_ended)
    run.task, run.share, run.may_return, run.start_anew = task, share, may_return, start_anew
    with randomness, _closed_bars(net):
        run.start = Start(net, held_out if may_return else None)
        net.notify("on_train_begin", X=rows, y=None)
        interrupted = not _run_epochs(net, rows, epochs, may_stop_early=not open_ended)
        watch.finishing = True
        if interrupted:
            warnings.warn(
                f"Interrupted in epoch {len(net.history) + 1}: the fit ends with the best "
                f"weights so far, those of epoch {_keep_best(net).epoch_}. Interrupt twice "
                f"within {watch.IMPATIENCE:g} seconds to stop without a result.",
                UserWarning,
            )
        best_epoch, returned = _put_best(net, interrupted)
        if returned and start_anew is not None:
            start_anew(net.module_)
        if len(net.history) > n_before:
            run.start.check_last_step(rows)
        # a callback of the user's that loads other weights here has the last word
        net.notify("on_train_end", X=rows, y=None)
    _tidy(net, n_before)
    return best_epoch


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
        self.net, self.rows, self.groups = net, rows, groups
        self.randomness, self.watch, self.epochs = randomness, watch, epochs
        self.start = Start(net, None)

    def go_on_to(self, epoch):
        """Train until ``epoch`` epochs are done."""
        done, net = len(self.net.history), self.net
        net.run_ = _new_run(net, self.rows, None, self.randomness, self.watch, self.epochs)
        net.run_.n_steps = done * len(net.batches_of(self.rows))
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
        losses = [self.net.watched(rows) for rows in self.groups]
        end.move_to(0)
        return losses


def _tidy(net, n_before):
    """Forget what was true for one training only."""
    # one entry a batch would grow without bound, in memory and in every pickle
    net.history[n_before:] = without_batches(net.history[n_before:])
    del net.run_


def _new_run(net, rows, held_out, randomness, watch, epochs, open_ended=False):
    if hasattr(net.module_, "set_plan"):
        net.module_.set_plan(None if open_ended else epochs)
    return Run(
        held_out=held_out,
        randomness=randomness,
        epochs=epochs,
        planned_steps=None if open_ended else epochs * len(net.batches_of(rows)),
        watch=watch,
        slim=_nobody_watches_batches(net),
        set_progress=getattr(net.module_, "set_progress", None),
        after_step=getattr(net.module_, "after_step", None),
        learning_rate_factor=getattr(net.module_, "learning_rate_factor", None),
        n_complete=len(net.history),
        n_before=len(net.history),
    )


def _run_epochs(net, rows, epochs, may_stop_early):
    """Train; return whether it went on to an end that was planned."""
    n_before = len(net.history)
    try:
        net.fit_loop(rows, epochs=epochs)
    except Stop:
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
        if not isinstance(callback, TermScoring)
        for hook in hooks
    )
