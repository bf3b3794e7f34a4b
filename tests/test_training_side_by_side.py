"""Functions on several Python threads."""

import threading

import pytest
import torch

from skrepr._training import SideBySide, own_surroundings


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_functions", [0, 1, 2, 7])
def test_results_come_in_order_from_as_many_threads(n_threads, n_functions):
    names = set()
    n_busy = min(n_threads, n_functions)
    all_busy = threading.Barrier(max(1, n_busy))

    def call(i):
        names.add(threading.current_thread().name)
        if i < n_busy:  # else one thread might call all of them
            all_busy.wait(timeout=20)
        return i**2

    with SideBySide(n_threads) as side_by_side:
        for _ in range(2):
            found = side_by_side([lambda i=i: call(i) for i in range(n_functions)])
            assert found == [i**2 for i in range(n_functions)]
    assert len(names) == n_busy


def test_a_thread_that_is_done_takes_the_next():
    """The last two would wait for the first, were they kept for its thread."""
    ended = threading.Semaphore(0)

    def wait():
        return all(ended.acquire(timeout=20) for _ in range(3))

    with SideBySide(2) as side_by_side:
        assert side_by_side([wait, *[ended.release] * 3]) == [True, None, None, None]


def test_each_has_one_thread_of_torch_and_no_gradients():
    both = threading.Barrier(2)

    def look():
        both.wait(timeout=20)
        return torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()

    before = torch.get_num_threads()
    with own_surroundings(), SideBySide(2) as side_by_side:
        assert side_by_side([look, look]) == [(1, False, torch.float32)] * 2
        assert torch.is_grad_enabled()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("place", [0, 1])
def test_errors_reach_the_caller_and_the_threads_live_on(place):
    both = threading.Barrier(2)

    def fail():
        both.wait(timeout=20)
        raise KeyError("here")

    functions = [lambda: both.wait(timeout=20)] * 2
    functions[place] = fail
    with SideBySide(2) as side_by_side:
        with pytest.raises(KeyError, match="here"):
            side_by_side(functions)
        assert side_by_side([lambda: 3, lambda: 4]) == [3, 4]


def test_after_an_error_nothing_more_is_called():
    called = []

    def fail():
        raise KeyboardInterrupt

    with SideBySide(1) as side_by_side, pytest.raises(KeyboardInterrupt):
        side_by_side([fail, lambda: called.append(1)])
    assert not called


def test_an_interruption_comes_before_other_errors():
    both = threading.Barrier(2)

    def fail(error):
        both.wait(timeout=20)
        raise error

    functions = [lambda: fail(KeyError()), lambda: fail(KeyboardInterrupt())]
    with SideBySide(2) as side_by_side, pytest.raises(KeyboardInterrupt):
        side_by_side(functions)


def test_threads_end_with_the_context():
    before = threading.active_count()
    with SideBySide(4):
        assert threading.active_count() == before + 3
    assert threading.active_count() == before
