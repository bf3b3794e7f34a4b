"""skorch's callbacks: ours, and those of the user."""

import copy

import numpy as np
from skorch.callbacks import Callback, LRScheduler

from ._progress import new_bar


class TermScoring(Callback):
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


class ProgressBar(Callback):
    """One bar for the whole training, with the losses and the time left."""

    def on_train_begin(self, net, **kwargs):
        self.bar_ = new_bar(net.run_.epochs)

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        shown = {"loss": row["train_loss"]}
        if "valid_loss" in row:
            shown["held out"] = row["valid_loss"]
        self.bar_.set_postfix({name: f"{value:.4g}" for name, value in shown.items()})
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.close()

    def close(self):
        """Close the bar; also called where a training has failed."""
        if hasattr(self, "bar_"):
            self.bar_.close()
            del self.bar_


def checked(callbacks, *, has_gradients=True):
    """Copy the user's callbacks, or say why one of them is none, or would do nothing."""
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
        if not has_gradients and overrides(callback, "on_grad_computed"):
            raise TypeError(
                f"callbacks: {type(callback).__name__} acts on gradients, which this training "
                "does not keep: its steps are written out in closed form. Leave it out; a lower "
                "learning_rate shortens steps."
            )
    return copy.deepcopy(list(callbacks))


def overrides(callback, *hooks):
    """Whether a callback has something to do in one of the hooks."""
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)


def has_schedule(net):
    """Whether a callback of the user's sets the learning rate of each epoch or step."""
    return any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_)
