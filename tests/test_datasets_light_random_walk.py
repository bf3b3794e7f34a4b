"""Damped random walks: their structure function, at any times; quasars."""

import numpy as np
import pytest

from skrepr.datasets._light_random_walk import damped_random_walk, draw_quasars, walking


def walks(n, times, timescale):
    row = np.repeat(np.arange(n), len(times))
    generator = np.random.default_rng(0)
    walk = damped_random_walk(np.tile(times, n), row, np.full(n, timescale), generator)
    return walk.reshape(n, len(times))


def test_structure_function_at_uneven_times():
    times = np.array([0.0, 0.0, 0.3, 1.0, 7.0, 50.0, 51.0, 400.0, 2000.0])
    walk = walks(20_000, times, 60.0)
    between = np.abs(times[:, None] - times)
    expected = 2 * (1 - np.exp(-between / 60))
    found = ((walk[:, :, None] - walk[:, None]) ** 2).mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=1e-12)
    np.testing.assert_allclose(walk.var(axis=0), 1, rtol=0.05)


def test_times_between_do_not_matter():
    """The walk is exact: looking more often does not change where it goes."""
    coarse, fine = walks(20_000, np.array([0.0, 40.0]), 60.0), walks(20_000, np.arange(41.0), 60.0)
    for one in (coarse, fine):
        assert np.corrcoef(one[:, 0], one[:, -1])[0, 1] == pytest.approx(
            np.exp(-40 / 60), abs=0.02
        )


def test_objects_walk_alone():
    """Lengths differ, and the end of one is not the beginning of the next."""
    lengths = np.tile([1, 5, 2], 4000)
    row = np.repeat(np.arange(len(lengths)), lengths)
    time = 0.01 * np.arange(len(row))
    walk = damped_random_walk(time, row, np.full(len(lengths), 1000.0), np.random.default_rng(0))
    begins = np.flatnonzero(np.diff(row)) + 1
    assert abs(np.corrcoef(walk[begins - 1], walk[begins])[0, 1]) < 0.04
    inside = np.flatnonzero(np.diff(row) == 0)
    assert np.corrcoef(walk[inside], walk[inside + 1])[0, 1] > 0.99


def test_quasars_vary_more_in_the_blue_and_as_their_latents_say():
    n = 4000
    u = {name: np.full(n, 0.5) for name in ("redshift", "shape", "amplitude")}
    latents = draw_quasars(u, {})
    assert latents["timescale"] == pytest.approx(200 * (1 + latents["redshift"]))
    row, times = np.repeat(np.arange(n), 3), np.tile([0.0, 0.0, 1e6], n)
    wavelength = np.tile([6220.0, 4830.0, 6220.0], n)
    change = walking(latents, row, times, wavelength, np.random.default_rng(0)).reshape(n, 3)
    structure = np.sqrt(((change[:, 0] - change[:, 2]) ** 2).mean())
    assert structure == pytest.approx(latents["amplitude"][0], rel=0.05)
    np.testing.assert_allclose(change[:, 1], change[:, 0] * (4830 / 6220) ** -0.479)
