"""Ctrl-C, acted upon only where nothing is left half done."""

import math
import signal
import sys
import threading
import time
import warnings


class Interruption:
    """Makes Ctrl-C wait for the next `check`, so that no line is cut in two.

    Raised wherever Python happens to be, a KeyboardInterrupt leaves torch without gradients
    or half imported, and every later fit fails. Used as a context around a fit or a
    transform; inside another one, which is the one that counts, and outside the main thread,
    where no signal arrives, it does nothing. A second Ctrl-C soon after the first acts at
    once: a single step may take hours.

    Attributes
    ----------
    signalled : bool
        Whether Ctrl-C has ended what ran; tells it from the KeyboardInterrupt by which
        callbacks end a training.
    impatient : bool
        Whether it was pressed twice.
    finishing : bool
        Set while a fit is being finished: Ctrl-C then waits until all is done.
    """

    # A second Ctrl-C within this many seconds ends not only the fit, but what called it: a
    # search goes on with its next fit when one fit ends with a result.
    IMPATIENCE = 2.0
    _last = -math.inf
    _outermost = None

    def __init__(self):
        self.signalled = self.impatient = self.finishing = False
        self._waits = False
        self._previous = None

    def __enter__(self):
        if (
            Interruption._outermost is None
            and threading.current_thread() is threading.main_thread()
            and callable(signal.getsignal(signal.SIGINT))
        ):
            Interruption._outermost = self
            self._previous = signal.getsignal(signal.SIGINT)
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind, error, traceback):
        if self._previous is None:
            return
        signal.signal(signal.SIGINT, self._previous)
        Interruption._outermost = None
        if self.finishing:
            if self._waits and error is None:
                warnings.warn("Interrupted while the fit was being finished: it is complete.")
        elif not isinstance(error, KeyboardInterrupt):
            self.check()

    def _handle(self, signum, frame):
        if self.pressed_twice() and not _is_importing(frame):
            self.impatient = True
            self._act(frame)
        else:
            self._waits = True

    def check(self):
        """Act on a Ctrl-C that waits, unless the fit is being finished."""
        if self._waits and not self.finishing:
            self._act(sys._getframe())

    def _act(self, frame):
        self._waits = False
        self.signalled = True
        self._previous(signal.SIGINT, frame)
        self.signalled = False  # a handler of the user's that has other plans

    @classmethod
    def pressed_twice(cls):
        """Take note of an interruption; tell whether it follows closely on another."""
        now = time.monotonic()
        twice = now - Interruption._last < cls.IMPATIENCE
        Interruption._last = now
        return twice


def _is_importing(frame):
    """Whether a module is being imported, which half imported would stay broken."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
