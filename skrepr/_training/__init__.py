"""How a network is trained: the only room that knows skorch, which is imported in `fit`.

The loop knows no method. It asks of the module

``forward(batch)``
    the loss of a batch, or a dict of terms whose sum is the loss, the same in all batches;
``set_plan(n_epochs)``, optional
    called before the first step with the number of planned epochs (None in `partial_fit`), for
    schedules that are given in epochs;
``set_progress(fraction)``, optional
    called before each step with the share of the planned steps that is done (None in
    `partial_fit`, which has no planned end), for schedules;
``after_step()``, optional
    called once after each optimizer step, for momentum teachers and queues;
``watched(rows)``, optional
    what early stopping watches of held-out rows in place of the loss, a float, lower is better;
``row_losses(rows)``, optional
    the loss of each row, by which the trained weights are compared with the start: without it
    groups of rows are compared, and one outlier speaks for its group;
``smallest_batch``, optional
    the least number of rows of a batch that its loss makes sense of;
``learning_rate_factor(fraction)``, optional
    by which the learning rate of each step is multiplied, given what `set_progress` is given,
    unless a scheduler is among the user's callbacks;
``take_step(batch, rate, precision, side_by_side)``, optional
    take a step in closed form, in place of autograd and optimizer, and return the loss before
    it; ``side_by_side`` calls functions on ``n_threads`` threads, an attribute of the module.

``_plan.py``
    What "auto" becomes.
``_net.py``, ``_callbacks.py``, ``_optimizer.py``
    skorch's net, with whole batches and a slim loop.
``_loop.py``, ``_keep_best.py``
    A training from its start to the weights that are kept.
``_side_by_side.py``
    Work on several Python threads.
``_schedule.py``
    How the learning rate goes, where it is not constant.
``_how_far.py``
    How far to train on few rows.
``_progress.py``
    The bar that shows how far a fit is.
``_history.py``
    What the history tells, in our words.
``_fit_task.py``
    What scikit-learn's callbacks are told.
``_devices.py``, ``_surroundings.py``, ``_randomness.py``, ``_interruption.py``
    Where to compute and in which arithmetic; threads and settings; generators; Ctrl-C.
"""

from importlib import import_module

from ._devices import probe_precision, resolve_device, resolve_precision
from ._fit_task import CallbackSupportMixin, FitTask, has_callbacks, with_callbacks
from ._history import as_frame
from ._how_far import affordable_epochs, choose_stop, split_into_folds
from ._interruption import Interruption
from ._optimizer import stay_in_schedule
from ._plan import (
    auto_batch_size,
    auto_max_epochs,
    cross_validates,
    make_plan,
    smallest_batch,
)
from ._randomness import Randomness, borrowed_generator, carry_generator, chance_of, fixed_draws
from ._schedule import rise_and_fall
from ._side_by_side import SideBySide
from ._surroundings import (
    FORWARD,
    FORWARD_AND_BACKWARD,
    ONE_BLAS_THREAD,
    Work,
    allow_threads,
    count_work,
    most_threads,
    own_surroundings,
)

__all__ = [
    "FORWARD",
    "FORWARD_AND_BACKWARD",
    "ONE_BLAS_THREAD",
    "CallbackSupportMixin",
    "FitTask",
    "Fold",
    "Interruption",
    "Randomness",
    "Run",
    "SideBySide",
    "Work",
    "affordable_epochs",
    "allow_threads",
    "as_frame",
    "as_if_ended",
    "auto_batch_size",
    "auto_max_epochs",
    "borrowed_generator",
    "carry_generator",
    "chance_of",
    "choose_stop",
    "count_work",
    "cross_validates",
    "fixed_draws",
    "has_callbacks",
    "make_net",
    "make_plan",
    "most_threads",
    "own_surroundings",
    "probe_precision",
    "resolve_device",
    "resolve_precision",
    "rise_and_fall",
    "smallest_batch",
    "split_into_folds",
    "stay_in_schedule",
    "train",
    "with_callbacks",
]
# These need skorch.
_LATE = {
    "Fold": "_loop",
    "Run": "_loop",
    "as_if_ended": "_loop",
    "make_net": "_net",
    "train": "_loop",
}


def __getattr__(name):
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATE[name]}", __name__), name)
