"""Surveys: seasons, nights, the moon; errors that follow the magnitude; colors."""

import numpy as np
import pytest

from skrepr.datasets import _light_surveys as surveys
from skrepr.datasets._light_surveys import START, SURVEYS


def look(survey="ztf", n=200, n_nights=1096, seed=0):
    streams = [np.random.default_rng(seed + k) for k in range(3)]
    clear = surveys.draw_weather(n_nights, streams[0])
    right_ascension = np.linspace(0, 360, n, endpoint=False)
    return right_ascension, surveys.visits_from_ground(
        SURVEYS[survey], right_ascension, clear, *streams[1:]
    )


@pytest.mark.parametrize("name", ["ztf", "lsst"])
def test_times_are_sorted_at_night_and_in_season(name):
    right_ascension, (row, time, _, _) = look(name)
    assert time.dtype == np.float64 and (np.unique(row) == np.arange(200)).all()
    assert (np.diff(row) >= 0).all() and (np.diff(time)[np.diff(row) == 0] > 0).all()
    after_midnight = (time - surveys.MIDNIGHT + 0.5) % 1 - 0.5
    assert np.abs(after_midnight).max() < 0.35
    # the sun: its right ascension grows by 360 degrees a year from the equinox on
    sun = 360 * (time - surveys.EQUINOX) / surveys.YEAR
    from_sun = np.abs((right_ascension[row] - sun + 180) % 360 - 180)
    assert from_sun.min() > 70
    # in three years each object has three seasons with gaps between them
    gaps = [(np.diff(time[row == k]) > 60).sum() for k in range(0, 200, 20)]
    assert min(gaps) >= 2 and max(gaps) <= 3


def test_sidereal_time():
    """Objects are seen near the meridian: hours drift through the season by 4 minutes a day."""
    right_ascension, (row, time, _, _) = look()
    offset = surveys.days_from_opposition(time, right_ascension[row])
    hour = (time - surveys.MIDNIGHT + 0.5) % 1 - 0.5
    near = np.abs(offset) < 50
    slope = np.polyfit(offset[near], hour[near], 1)[0]
    assert slope == pytest.approx(-1 / surveys.YEAR, rel=0.1)


def test_cadence_weather_and_bands():
    _, (row, time, band, _) = look()
    nights = np.unique(np.floor(time))
    assert 0.6 < len(nights) / 1096 < 0.75  # clear
    per_object = np.bincount(row)
    assert per_object.min() > 100 and per_object.max() < 600
    shares = np.bincount(band) / len(band)
    np.testing.assert_allclose(shares, SURVEYS["ztf"].shares, atol=0.02)
    first, second = band[::2], band[1::2]  # two visits a night
    assert (first == second).mean() < 0.1
    clear = surveys.draw_weather(20_000, np.random.default_rng(0))
    assert clear.mean() == pytest.approx(1 - surveys.CLOUDY, abs=0.02)
    assert np.corrcoef(clear[1:], clear[:-1])[0, 1] > 0.2


def test_the_moon_takes_depth_from_the_blue():
    _, (_, time, band, depth) = look("lsst", n_nights=2000)
    from_full = (time - surveys.FULL_MOON + surveys.SYNODIC_MONTH / 2) % surveys.SYNODIC_MONTH
    full = np.abs(from_full - surveys.SYNODIC_MONTH / 2) < 3
    new = np.abs(from_full - surveys.SYNODIC_MONTH / 2) > 12
    lost = [depth[new & (band == k)].mean() - depth[full & (band == k)].mean() for k in range(6)]
    assert (np.diff(lost) < 0).all() and lost[1] > 0.5 and lost[5] < 0.25
    dark = np.array([depth[new & (band == k)].max() for k in range(6)])
    np.testing.assert_allclose(dark, SURVEYS["lsst"].depths, atol=0.1)


def test_an_object_out_of_season_is_caught_once():
    clear = np.zeros(3, dtype=bool)
    streams = np.random.default_rng(0), np.random.default_rng(1)
    row, time, _, _ = surveys.visits_from_ground(
        SURVEYS["ztf"], np.array([0.0, 180.0]), clear, *streams
    )
    assert (row == [0, 0, 1, 1]).all() and ((time > START) & (time < START + 3)).all()


def test_space_looks_all_the_time_but_for_downlinks():
    row, time, band, depth = surveys.visits_from_space(
        SURVEYS["tess"], 20, 27.4, np.random.default_rng(0)
    )
    of_one = time[row == 7]
    steps = np.diff(of_one)
    assert np.median(steps) == pytest.approx(1 / 48) and (steps > 0).all()
    assert (steps > 0.9).sum() == 1
    assert (band == 0).all() and (depth == SURVEYS["tess"].depths[0]).all()


def test_errors():
    """Equation 5 of Ivezic et al. (2019): 0.2 at the depth, photons and floor for the bright."""
    error = surveys.errors_of(np.array([24.0, 19.0, 9.0]), 24.0, 0.005)
    assert error == pytest.approx([0.2, np.hypot(0.00373, 0.005), 0.005], rel=1e-3)
    for survey in SURVEYS.values():
        assert surveys.errors_of(survey.bright, survey.depths[0], survey.floor) < 0.02


def test_colors():
    """AB colors of black bodies; those of a star like the sun are about 0.5, 0.15 and 0.05."""
    sun = [surveys.color(band, np.array([5770.0]))[0] for band in "griz"]
    assert -np.diff(sun) == pytest.approx([0.45, 0.16, 0.06], abs=0.08)
    temperatures = np.array([3000.0, 6000.0, 10_000.0])
    assert (np.diff(surveys.color("g", temperatures)) < 0).all()
    quasar = surveys.color("g", np.array([np.nan]))[0]
    assert quasar == pytest.approx(2.5 * 0.44 * np.log10(6220 / 4830))


@pytest.mark.parametrize("name", SURVEYS)
def test_surveys_are_complete(name):
    survey = SURVEYS[name]
    assert len(survey.bands) == len(survey.shares) == len(survey.depths)
    assert sum(survey.shares) == pytest.approx(1)
    assert set(survey.bands) <= set(surveys.WAVELENGTHS) and surveys.EXTINCTION.keys() == (
        surveys.WAVELENGTHS.keys()
    )
