"""Scaling: powers stay in range, no digit is lost, and what needs none is not copied."""

import numpy as np
import pytest

from skrepr.metrics._scale import centered, exponent, in_unit, on_sphere, scaled

X = np.random.default_rng(0).normal(size=(50, 3))


@pytest.mark.parametrize(
    ("dtype", "units"),
    [
        (np.float64, [5e-324, 1e-300, 1e-170, 1e-39, 1e-20, 1, 1e20, 1e39, 1e155, 1e307]),
        (np.float32, [1e-45, 1e-30, 1e-5, 1, 1e4, 1e6, 1e37]),
    ],
)
def test_up_to_the_eighth_power_is_in_range(dtype, units):
    for unit in units:
        found = scaled((unit * X).astype(dtype))
        assert found.dtype == dtype
        powers = np.abs(found).max() ** np.array([8, -8], dtype=dtype)  # overflow is an error
        assert np.isfinite(powers).all()


def test_what_is_in_range_is_not_copied():
    for rows in (X, X.astype(np.float32), np.zeros((4, 2))):
        assert scaled(rows) is rows
        assert scaled(rows, axis=0) is rows


def test_scaling_costs_no_digit_and_leaves_missing_values():
    rows = np.where(X > 1, np.nan, X)
    for power in (-900, -300, 300, 900):
        large = np.ldexp(rows, power)
        assert np.array_equal(np.ldexp(scaled(large), exponent(large)), large, equal_nan=True)
    assert np.isnan(scaled(np.full((3, 2), np.nan))).all()


def test_columns_and_arrays_have_units_of_their_own_or_in_common():
    columns = X * [1e-200, 1, 1e200]
    lowest, middle, highest = exponent(columns, axis=0)
    assert lowest < -600 < middle == 0 < 600 < highest
    assert (exponent(X, columns) == exponent(columns)).all()
    assert in_unit(X, exponent(X)) is X


def test_the_mean_of_constant_columns_leaves_nothing():
    rows = np.c_[np.full(100_000, 0.1), np.linspace(0, 1, 100_000)]
    assert (centered(rows)[:, 0] == 0).all()
    assert centered(rows)[:, 1].mean() == pytest.approx(0)


def test_rows_have_the_length_of_one_or_no_direction():
    rows = np.r_[X * np.logspace(-300, 300, 50)[:, None], np.zeros((1, 3))]
    assert np.linalg.norm(on_sphere(rows), axis=1) == pytest.approx([1] * 50 + [0])
