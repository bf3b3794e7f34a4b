"""What torch and numpy are set to while skrepr computes, and how they are left: as found.

The number of threads follows from sizes alone, so that the same call gives the same numbers
whatever else the machine does. Small networks are faster on one thread, and only one thread
is safe on a busy machine: where several take turns a hundred times a step, each turn waits
for the slowest, and a neighbor that keeps its core makes it slower than all the work.
"""

import ctypes
import threading
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import nn

# A further thread for each so many operations of a step. With fewer a second thread does not
# pay, or hardly: measured on two cores, which nothing else used, with waiting threads asleep.
_OPERATIONS_OF_A_THREAD = 1e9
# Operations a row and multiplication: forward alone, and forward and backward.
FORWARD, FORWARD_AND_BACKWARD = 2, 6
_HERE = threading.local()  # in each thread the number of torch's threads that the user has set


@contextmanager
def own_surroundings(work=0):
    """Compute as if the user had set nothing, on few threads, and leave all as it was found.

    What a user may have set around a call: torch's default dtype and device, no_grad,
    inference_mode, autocast, and numpy's errors. May be entered again inside the block, and in
    several Python threads at once.

    Parameters
    ----------
    work : float, default=0
        Operations of one step, as for `allow_threads`.
    """
    outermost = not hasattr(_HERE, "most_threads")
    with ExitStack() as stack:
        if outermost:
            _HERE.most_threads = torch.get_num_threads()
            stack.callback(delattr, _HERE, "most_threads")
            stack.enter_context(_FLOAT32)
            # switches gradients on, too
            stack.enter_context(torch.inference_mode(False))
            # torch.get_default_device of torch 2.6 fails where a default has been taken back
            if torch.empty(0).device.type != "cpu":
                stack.enter_context(torch.device("cpu"))
            for kind in ("cpu", "cuda", "mps"):
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
            strict = {kind for kind, action in np.geterr().items() if action == "raise"}
            stack.enter_context(np.errstate(**{k: _NUMPYS_OWN[k] for k in strict}))
        stack.callback(_set_threads_here, torch.get_num_threads())
        allow_threads(work)
        yield


_NUMPYS_OWN = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


class _OfTheProcess:
    """A context that changes a setting of the whole process.

    The first of several Python threads that are inside changes it, the last one restores it.

    Parameters
    ----------
    change : callable
        Makes the change, and returns what undoes it.
    """

    def __init__(self, change):
        self._change = change
        self._lock = threading.Lock()
        self._n_inside = 0

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                self._undo = self._change()
            self._n_inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._undo()


def _set_float32():
    found = torch.get_default_dtype()
    if found != torch.float32:
        torch.set_default_dtype(torch.float32)
    return partial(torch.set_default_dtype, found)


def _limit_blas():
    # by threads that end at once: threadpoolctl lets no other thread change what a living
    # one has set
    limit = _in_new_thread(partial(_controller().limit, limits=1, user_api="blas"))
    return partial(_in_new_thread, limit.restore_original_limits)


@cache
def _controller():
    return ThreadpoolController()


def _in_new_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


_FLOAT32 = _OfTheProcess(_set_float32)
# The BLAS of numpy and scipy, which solvers use, on one thread.
ONE_BLAS_THREAD = _OfTheProcess(_limit_blas)


# ------------------------------------------------------------------ torch's threads


def allow_threads(work):
    """Use as many threads as steps of ``work`` operations pay for, until the context ends.

    Never more than the user has allowed torch.
    """
    most = _HERE.most_threads
    _set_threads_here(int(min(most, max(1, work // _OPERATIONS_OF_A_THREAD))))


def most_threads():
    """Return how many threads the user has allowed torch, inside `own_surroundings`."""
    return _HERE.most_threads


class Work(NamedTuple):
    """What one row costs on its way forward."""

    multiplications: int  # with weights
    values: int  # that layers hand on
    # of the passes back that are a part of it, as for a penalty on slopes
    multiplications_back: int = 0
    values_back: int = 0


@torch.no_grad()
def count_work(module, batch):
    """Count what one row of ``batch`` costs."""
    forward, back = [], []
    n = len(batch[0] if isinstance(batch, tuple) else batch)

    def count(part, inputs, output):
        # vectors are added, or scale single values
        own = sum(p.numel() for p in part.parameters(recurse=False) if p.ndim > 1)
        is_tensor = isinstance(output, torch.Tensor)
        values = output.numel() // n if is_tensor and not any(part.children()) else 0
        cost = own and own * _n_places(part, inputs, output), values
        forward.append(cost)
        if is_tensor and output.grad_fn is not None:
            output.register_hook(lambda grad: back.append(cost))

    hooks = [part.register_forward_hook(count) for part in module.modules()]
    try:
        module(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return Work(*map(sum, zip(*forward)), *map(sum, zip(*back)))


def _n_places(part, inputs, output):
    """Count the places of one row at which all weights of a layer are used."""
    x = inputs[0] if inputs else None
    if not (isinstance(x, torch.Tensor) and x.ndim > 2):
        return 1
    if isinstance(part, nn.modules.conv._ConvNd):
        # the smaller side: a stride leaves places out, and a transposed one puts them in
        return min(x[0, 0].numel(), output[0, 0].numel())
    return x[0, ..., 0].numel()  # steps of a series, tokens


def _set_threads_here(n):
    """Set the number of torch's threads for the calling Python thread alone.

    ``torch.set_num_threads`` does more: it also sets what Python threads begin with that use
    torch later for the first time.
    """
    if n == torch.get_num_threads():
        return
    library = _library_of_torch()
    if library is None:
        _set_threads_and_keep_default(n)
        return
    library.omp_set_num_threads(n)
    if hasattr(library, "MKL_Set_Num_Threads_Local"):
        library.MKL_Set_Num_Threads_Local(n)


_ONE_AT_A_TIME = threading.Lock()


def _set_threads_and_keep_default(n):
    """Set the number of threads by torch's own function; another thread repairs the default."""
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


@cache
def _library_of_torch():
    """Return the library whose OpenMP torch uses, or None where it cannot be asked.

    Its functions act on the calling thread, at once: starting another thread for each
    `transform` would take a slice of time of the machine's scheduler if cores are busy.
    """
    folder = Path(torch.__file__).parent / "lib"
    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib"):
        try:
            library = ctypes.CDLL(str(folder / name))
            before = torch.get_num_threads()
            library.omp_set_num_threads(before + 1)
            works = torch.get_num_threads() == before + 1
            library.omp_set_num_threads(before)
        except (OSError, AttributeError):
            continue
        if works:
            return library
    return None
