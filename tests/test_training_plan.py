"""What "auto" becomes follows from the number of rows."""

import pytest
from torch import nn

from skrepr import AutoencoderEmbedding
from skrepr._training._plan import (
    Plan,
    auto_batch_size,
    auto_max_epochs,
    cross_validates,
    make_plan,
    smallest_batch,
)


@pytest.mark.parametrize(
    ("n", "batch_size", "max_epochs", "patience"),
    [
        (40, 40, 200, 10),
        (499, 64, 26, 10),
        (500, 128, 1024, 102),
        (10_000, 128, 51, 10),
        (50_000, 256, 31, 10),
        (1_000_000, 256, 2, 10),
    ],
)
def test_few_rows_get_the_steps_and_many_the_wider_batches(n, batch_size, max_epochs, patience):
    plan = make_plan(AutoencoderEmbedding(), n)
    assert plan == Plan(n >= 500, batch_size, max_epochs, patience)
    assert all(type(value) is int for value in plan[1:])


def test_steps_are_planned_within_bounds():
    for n in (500, 3_000, 40_000, 10**6):
        batch_size = auto_batch_size(n)
        steps = auto_max_epochs(n, batch_size) * n / batch_size
        assert steps >= 3_900 or n < 500
        assert steps <= 8_000
    assert auto_max_epochs(10**9, 256) == 1


def test_what_is_set_is_kept():
    settings = {"max_epochs": 7, "batch_size": 30, "patience": 3}
    assert make_plan(AutoencoderEmbedding(**settings), 600) == (True, 30, 7, 3)
    assert make_plan(AutoencoderEmbedding(**settings), 20) == (False, 20, 7, 3)
    assert make_plan(AutoencoderEmbedding(early_stopping=True), 20).early_stopping
    assert not make_plan(AutoencoderEmbedding(validation_fraction=None), 600).early_stopping


def test_a_stream_has_no_end_to_plan_for():
    plan = make_plan(AutoencoderEmbedding(batch_size=90), 600, stream=True)
    assert plan == (False, 90, 1, 10)
    # nor does a small chunk make batches smaller, or another batch size than the first one's
    assert make_plan(AutoencoderEmbedding(batch_size=90), 5, stream=True).batch_size == 90
    assert make_plan(AutoencoderEmbedding(), 5, stream=True, batch_size=70).batch_size == 70


def test_batches_may_be_made_of_more_than_rows():
    plan = make_plan(AutoencoderEmbedding(), 600, n_in_batches=100_000)
    assert plan == make_plan(AutoencoderEmbedding(), 100_000)
    few = make_plan(AutoencoderEmbedding(), 20, n_in_batches=100_000)
    assert not few.early_stopping  # of which rows decide
    assert few.batch_size == 256


@pytest.mark.parametrize(
    ("n", "parameters", "expected"),
    [
        (499, {}, True),
        (3, {}, True),
        (2, {}, False),
        (500, {}, False),
        (100, {"max_epochs": 5}, False),
        (100, {"early_stopping": False}, False),
        (100, {"early_stopping": True}, False),
        (100, {"validation_fraction": None}, False),
    ],
)
def test_cross_validation_stands_in_for_early_stopping(n, parameters, expected):
    estimator = AutoencoderEmbedding(**parameters)
    estimator.early_stopping_ = make_plan(estimator, n).early_stopping
    assert cross_validates(estimator, n) is expected


def test_smallest_batch_is_the_module_s_own():
    module = nn.Linear(2, 2)
    assert (smallest_batch(module), smallest_batch(module, 1)) == (2, 1)
    module.smallest_batch = 7
    assert (smallest_batch(module), smallest_batch(module, 1)) == (7, 7)
