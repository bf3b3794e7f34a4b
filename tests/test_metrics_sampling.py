"""Rows against rows: blocks and samples of them."""

import numpy as np
import pytest

from skrepr.metrics._sampling import draw_rows, mean_and_error


def test_auto_samples_from_20_000_rows_on():
    assert len(draw_rows(20_000, "auto", 0)) == 20_000
    rows = draw_rows(20_001, "auto", 0)
    assert len(set(rows)) == 2000 and rows.min() >= 0 and rows.max() <= 20_000


def test_error_of_a_sample_is_that_of_draws_without_replacement():
    values = np.random.default_rng(0).normal(size=50)
    draws = [mean_and_error(values[draw_rows(50, 30, seed)], 50) for seed in range(2000)]
    means, errors = np.transpose(draws)
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.05)
    assert mean_and_error(values, 50) == (pytest.approx(values.mean()), 0)
