"""What torch and numpy are set to while skrepr computes, and how they are left: as found.

The number of threads follows from sizes alone, so that the same call gives the same numbers
whatever else the machine does. Small networks are faster on one thread, and only one thread
is safe on a busy machine: where several take turns a hundred times a step, each turn waits
for the slowest, and a neighbor that keeps its core makes it slower than all the work.
"""

import threading
from contextlib import contextmanager
from functools import cache, partial
from typing import NamedTuple

import torch
from threadpoolctl import ThreadpoolController
from torch import nn

# A further thread for each so many operations of a step. With fewer a second thread does not
# pay, or hardly: measured on two cores, which nothing else used, with waiting threads asleep.
_OPERATIONS_OF_A_THREAD = 1e9
# Operations a row and multiplication: forward alone, and forward and backward.
FORWARD, FORWARD_AND_BACKWARD = 2, 6


@contextmanager
def own_surroundings(work=0):
    """Compute on few threads in the block, and leave all as it was found.

    May be entered again inside the block, and in several Python threads at once.

    Parameters
    ----------
    work : float, default=0
        Operations of one step, as for `allow_threads`.
    """
    outermost = not hasattr(_HERE, "most_threads")
    before = torch.get_num_threads()
    if outermost:
        _HERE.most_threads = before
    _BLAS.enter()
    try:
        allow_threads(work)
        yield
    finally:
        _set_threads_here(before)
        _BLAS.exit()
        if outermost:
            del _HERE.most_threads


def allow_threads(work):
    """Use as many threads as steps of ``work`` operations pay for, until the context ends.

    Never more than the user has allowed torch.
    """
    most = _HERE.most_threads
    _set_threads_here(int(min(most, max(1, work // _OPERATIONS_OF_A_THREAD))))


class Work(NamedTuple):
    """What one row costs on its way forward."""

    multiplications: int  # with weights
    values: int  # that layers hand on


@torch.no_grad()
def count_work(module, batch):
    """Count what one row of ``batch`` costs."""
    counts, values = [], []

    def count(part, inputs, output):
        # vectors are added, or scale single values
        own = [p.numel() for p in part.parameters(recurse=False) if p.ndim > 1]
        if own:
            counts.append(sum(own) * _n_places(part, inputs, output))
        if isinstance(output, torch.Tensor) and not any(part.children()):
            values.append(output.numel() // len(batch))

    hooks = [part.register_forward_hook(count) for part in module.modules()]
    try:
        module(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return Work(sum(counts), sum(values))


def _n_places(part, inputs, output):
    """Count the places of one row at which all weights of a layer are used."""
    x = inputs[0] if inputs else None
    if not (isinstance(x, torch.Tensor) and x.ndim > 2):
        return 1
    if isinstance(part, nn.modules.conv._ConvNd):
        # the smaller side: a stride leaves places out, and a transposed one puts them in
        return min(x[0, 0].numel(), output[0, 0].numel())
    return x[0, ..., 0].numel()  # steps of a series, tokens


_HERE = threading.local()  # in each thread the number of torch's threads that the user has set
_ONE_AT_A_TIME = threading.Lock()


def _set_threads_here(n):
    """Set the number of torch's threads for the calling Python thread alone.

    ``torch.set_num_threads`` also sets what Python threads begin with that use torch later
    for the first time; another thread sees to it that this stays what it was.
    """
    if n == torch.get_num_threads():
        return
    known, done = threading.Event(), threading.Event()

    def keep_default():
        default = torch.get_num_threads()
        known.set()
        done.wait()
        torch.set_num_threads(default)

    with _ONE_AT_A_TIME:
        keeper = threading.Thread(target=keep_default)
        keeper.start()
        try:
            known.wait()
            torch.set_num_threads(n)
        finally:
            done.set()
            keeper.join()


class _OneBlasThread:
    """Keeps the BLAS of numpy and scipy on one thread, which is a setting of the process.

    The first of several Python threads that are inside sets it, the last one restores it.
    Both is done by a thread that ends at once: threadpoolctl lets no other one change what a
    living thread has set.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside = 0

    def enter(self):
        with self._lock:
            if self._n_inside == 0:
                self._limit = _in_new_thread(
                    partial(_controller().limit, limits=1, user_api="blas")
                )
            self._n_inside += 1

    def exit(self):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                _in_new_thread(self._limit.restore_original_limits)


@cache
def _controller():
    return ThreadpoolController()


def _in_new_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


_BLAS = _OneBlasThread()
