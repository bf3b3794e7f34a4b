"""Work on several Python threads, each of which has one thread of torch.

torch's own threads meet after every operation. Where operations are short, these meetings cost
as much as they save, and on a busy machine far more; threads that meet once or twice a step do
not mind.
"""

import threading
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
            threading.Thread(target=self._work, args=(i + 1, inbox), daemon=True)
            for i, inbox in enumerate(self._inboxes)
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

        The function at position i runs on thread i modulo n, after those of lower position.
        """
        asked = self._inboxes[: max(0, len(functions) - 1)]
        for i, inbox in enumerate(asked):
            inbox.put(functions[i + 1 :: self.n])
        with torch.no_grad():
            answers = [(0, *_answer(functions[:: self.n]))]
        answers += [self._answers.get() for _ in asked]
        results = [None] * len(functions)
        for i, found, error in sorted(answers, key=lambda answer: answer[0]):
            if error is not None:
                raise error
            results[i :: self.n] = found
        return results

    def _work(self, i, inbox):
        with own_surroundings(), torch.no_grad():
            while (functions := inbox.get()) is not None:
                self._answers.put((i, *_answer(functions)))


def _answer(functions):
    """Return results and None, or None and what was raised."""
    try:
        return [function() for function in functions], None
    except BaseException as error:  # for the thread that has asked
        return None, error
