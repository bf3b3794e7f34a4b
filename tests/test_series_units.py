"""Channels of series are told apart, and scaled by what is observed."""

import math

import numpy as np
import pytest
import torch

from skrepr._rows import RaggedRows, Rows
from skrepr._series_units import SeriesUnits, span

CPU = torch.device("cpu")
NAN = math.nan


def rows_of(x):
    return Rows(x, x.shape[1:], CPU)


def test_values_have_mean_zero_and_deviation_one_in_each_channel():
    x = torch.randn(50, 2, 20, generator=torch.Generator().manual_seed(0))
    x = x * torch.tensor([[3.0], [1e-9]]) + torch.tensor([[100.0], [0.0]])
    x[::3, :, 15:] = NAN
    units = SeriesUnits(2).fit(rows_of(x))
    series = units(x)
    for channel in range(2):
        values = series.values[:, channel][series.observed[:, channel]]
        assert values.mean().item() == pytest.approx(0, abs=1e-4)
        assert values.std(correction=0).item() == pytest.approx(1, rel=1e-4)
    known = ~x.isnan()
    torch.testing.assert_close(units.undo(series.values)[known], x[known])
    assert not series.values[~known].any()
    assert torch.equal(series.weights, known.float())


def test_padding_has_no_part_in_the_units():
    x = torch.randn(30, 1, 12, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(x, (0, 9), value=NAN)
    ragged = RaggedRows([*x], (1, 12), CPU)
    scales = [SeriesUnits(1).fit(rows).scale for rows in (rows_of(x), rows_of(padded), ragged)]
    torch.testing.assert_close(scales[0], scales[1])
    torch.testing.assert_close(scales[0], scales[2])


def test_constant_and_empty_channels_are_left_at_zero():
    x = torch.full((4, 2, 5), 7.0)
    x[:, 1] = NAN
    series = SeriesUnits(2).fit(rows_of(x))(x)
    assert not series.values.any()
    assert series.values.isfinite().all()


@pytest.mark.parametrize("value", [7.0, 0.1, -1e-26, 1e12])
def test_a_channel_that_does_not_vary_is_known_without_a_network(value):
    units = SeriesUnits(1).fit(rows_of(torch.full((7, 1, 5), value)))
    assert not units(torch.full((1, 1, 5), value)).values.any()
    told = units.undo(torch.randn(3, 1, 5))
    torch.testing.assert_close(told, torch.full_like(told, value), rtol=1e-6, atol=0)
    assert units(torch.full((1, 1, 5), value + 1)).values.isfinite().all()


def test_unscaled_values_are_those_of_x():
    x = torch.randn(6, 1, 5)
    units = SeriesUnits(1, scaled=False).fit(rows_of(x))
    assert torch.equal(units(x).values, x)
    assert torch.equal(units.undo(x), x)


def test_each_channel_is_what_it_is_said_to_be():
    time = torch.tensor([[0.0, 2.0, 4.0, NAN], [0.0, 2.0, 6.0, 8.0]])
    value = torch.tensor([[1.0, NAN, 3.0, NAN], [1.0, 2.0, 3.0, 4.0]])
    error = torch.tensor([[0.1, 0.2, 0.2, NAN], [0.2, 0.2, 0.2, 0.4]])
    band = torch.tensor([[0.0, 1.0, 1.0, NAN], [0.0, 0.0, -1.0, 1.0]])
    x = torch.stack([error, value, time, band], 1)
    units = SeriesUnits(4, time_channel=2, error_channel=0, band_channel=3, n_bands=2).fit(
        rows_of(x)
    )
    assert units.value_channels == [1]
    assert units.typical_step == 2
    assert units.typical_error == pytest.approx(0.2)
    series = units(x)
    assert series.observed[:, 0].tolist() == [[True, False, True, False], [True] * 4]
    assert series.inside.tolist() == [[True, True, True, False], [True] * 4]
    assert series.times[:, :3].tolist() == [[0, 1, 2], [0, 1, 3]]
    assert series.times[1, 3] == 4
    torch.testing.assert_close(
        series.weights[:, 0],
        torch.tensor([[1 / 1.25, 0.0, 0.5, 0.0], [0.5, 0.5, 0.5, 0.2]]),
    )
    assert series.bands[0].tolist() == [[1, 0, 0, 0], [0, 1, 1, 0]]
    assert series.bands[1].tolist() == [[1, 1, 0, 0], [0, 0, 0, 1]]  # -1 is none
    beside = units.beside_values(x)
    assert torch.equal(beside.band.nan_to_num(), band.nan_to_num())
    assert torch.equal(beside.time.nan_to_num(), time.nan_to_num())


def test_errors_of_zero_weigh_alike():
    x = torch.zeros(3, 2, 4)
    units = SeriesUnits(2, error_channel=1).fit(rows_of(x))
    assert (units(x).weights == 1).all()


def test_span_against_a_loop():
    observed = np.random.default_rng(0).uniform(size=(40, 7)) < 0.4
    expected = np.zeros_like(observed)
    for row, seen in zip(expected, observed, strict=True):
        places = np.flatnonzero(seen)
        if len(places):
            row[places[0] : places[-1] + 1] = True
    assert np.array_equal(span(torch.from_numpy(observed)).numpy(), expected)


def test_a_part_of_a_series_begins_at_its_first_step():
    x = torch.arange(24.0).reshape(2, 2, 6) + 1
    x[0, 1, 2] = x[1, :, 5] = torch.nan
    units = SeriesUnits(2, time_channel=0)
    series = units(x)
    part = series.part(torch.tensor([1, 2]), torch.tensor([4, 6]))
    assert part.inside.tolist() == [[True] * 3 + [False] * 3] * 2
    for row, begin in ((0, 1), (1, 2)):
        for name in ("values", "observed", "times", "weights"):
            now, then = (getattr(of, name)[row] for of in (part, series))
            assert torch.equal(now[..., :3], then[..., begin : begin + 3]), name
    assert not part.values[..., 3:].any() and not part.observed[..., 3:].any()
    assert (part.begin - series.begin).tolist() == [1, 2]
