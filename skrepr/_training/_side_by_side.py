"""Work on several Python threads, each of which has one thread of torch.

torch's own threads meet after every operation. Where operations are short, these meetings cost
as much as they save, and on a busy machine far more; threads that meet once or twice a step do
not mind.
"""

import threading
from collections import deque
from queue import SimpleQueue

import torch

from ._surroundings import own_surroundings


class SideBySide:
    """Runs functions next to each other, without gradients; used as a context.

    Parameters
    ----------
    n : int
        Number of threads, the calling one included.
    """

    def __init__(self, n):
        self.n = n

    def __enter__(self):
        self._inboxes = [SimpleQueue() for _ in range(self.n - 1)]
        self._answers = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(inbox,), daemon=True)
            for inbox in self._inboxes
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        for inbox in self._inboxes:
            inbox.put(None)
        for thread in self._threads:
            thread.join()

    def __call__(self, functions):
        """Call all functions; return their results in order, or raise the first error.

        A thread that is done with one takes the next, so that none waits while there is more.
        """
        waiting, results = deque(enumerate(functions)), [None] * len(functions)
        asked = self._inboxes[: max(0, len(functions) - 1)]
        for inbox in asked:
            inbox.put((waiting, results))
        with torch.no_grad():
            errors = _call_what_waits(waiting, results)
        for _ in asked:
            errors += self._answers.get()
        if errors:
            raise min(errors, key=_rank)[1]
        return results

    def _work(self, inbox):
        with own_surroundings(), torch.no_grad():
            while (asked := inbox.get()) is not None:
                self._answers.put(_call_what_waits(*asked))


def _call_what_waits(waiting, results):
    """Call functions until none is left; list what was raised: at most one (place, error)."""
    while waiting:
        try:
            i, function = waiting.popleft()
        except IndexError:  # another thread was faster
            break
        try:
            results[i] = function()
        except BaseException as error:  # for the thread that has asked
            waiting.clear()
            return [(i, error)]
    return []


def _rank(found):
    place, error = found
    return isinstance(error, Exception), place  # an interruption comes first
