"""scikit-learn's callbacks: what they are told of a fit and of its epochs.

They are set by ``set_callbacks``, on an estimator or on a search or pipeline around it, and see
a task for the fit, with a subtask for each epoch. scikit-learn has them from 1.9 on, and calls
them experimental; before, estimators are without that method.
"""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method):
        """Return the method as it is: there is nothing to tear down after it."""
        return method


def has_callbacks(estimator):
    """Whether callbacks are set, by the user or by a meta-estimator for the time of its fit."""
    return hasattr(estimator, "_skl_callbacks")


class FitTask:
    """Tells the callbacks of an estimator how its fit goes on.

    Must be used in a method that is wrapped by `with_callbacks`.

    Parameters
    ----------
    estimator : estimator
        The one that is being fitted; `has_callbacks` is true for it.
    X, y : array-like
        As given to the fit.
    name : str
        What is going on.
    n_epochs : int
        That are planned, at most.

    Attributes
    ----------
    so_far : callable
        Returns the attributes of the estimator that would be left if the fit ended now. Is
        called only where a callback asks for a fitted estimator. Must be set before the first
        epoch.
    """

    def __init__(self, estimator, X, y, *, name, n_epochs):
        self._told = {"estimator": estimator, "X": X, "y": y}
        self._fit = estimator._init_callback_context(task_name=name, max_subtasks=n_epochs)
        self._epoch = None
        self._fit.call_on_fit_task_begin(**self._told)

    def begin_epoch(self):
        """Tell that an epoch begins."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(
            **self._told, reconstruction_attributes=self._reconstruction
        )

    def end_epoch(self):
        """Tell that the epoch has ended; return whether a callback wants to stop here."""
        epoch, self._epoch = self._epoch, None
        return epoch.call_on_fit_task_end(
            **self._told, reconstruction_attributes=self._reconstruction
        )

    def end(self):
        """Tell that the fit is done, and its estimator ready."""
        if self._epoch is not None:  # was interrupted: what begins also ends
            self._epoch.call_on_fit_task_end(**self._told)
        self._fit.call_on_fit_task_end(**self._told, reconstruction_attributes={})

    def _reconstruction(self):
        # all attributes at once, so that none is left of an earlier fit that goes on
        return {"__dict__": self.so_far()}
