"""Ctrl-C during a fit."""

import math
import signal
import threading
import time
import warnings


class Interruption:
    """Tells Ctrl-C from the KeyboardInterrupt by which callbacks end a training.

    Used as a context around a fit. While training, Ctrl-C acts at once; while the fit is
    being finished (`finishing`) the first one waits until all is done.

    Attributes
    ----------
    signalled : bool
        Whether Ctrl-C was pressed.
    """

    # A second Ctrl-C within this many seconds ends not only the fit, but what called it: a
    # search goes on with its next fit when one fit ends with a result.
    IMPATIENCE = 2.0
    _last = -math.inf

    def __init__(self):
        self.signalled = self.finishing = self.late = False

    def __enter__(self):
        self._previous = None
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._previous = handler
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *error):
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, signum, frame):
        self.signalled = True
        if not self.finishing or self.pressed_twice():
            self._previous(signum, frame)
        else:
            self.late = True

    def warn_if_late(self):
        """Warn of a Ctrl-C that came when only the last touches were missing."""
        if self.late:
            warnings.warn("Interrupted while the fit was being finished: it is complete.")

    @classmethod
    def pressed_twice(cls):
        """Take note of an interruption; tell whether it follows closely on another."""
        now = time.monotonic()
        twice = now - Interruption._last < cls.IMPATIENCE
        Interruption._last = now
        return twice
