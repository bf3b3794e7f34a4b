"""Flares and supernovae: their templates, and that they are as bright as their latents say."""

import numpy as np
import pytest
from scipy.special import ndtri

from skrepr.datasets import _light_outbursts as outbursts

SUPERNOVAE = {
    "ia": (outbursts.draw_supernovae_ia, outbursts.supernova_ia),
    "ii": (outbursts.draw_supernovae_ii, outbursts.supernova_ii),
}


def draw(kind, n=50, host=19.0):
    columns = ("shape", "amplitude", "redshift", "temperature")
    u = dict(zip(columns, np.random.default_rng(0).random((4, n))))
    known = {"magnitude": np.full(n, host)}
    return SUPERNOVAE[kind][0](u | {"in_season": np.full(n, 60100.0)}, known)


def change(kind, latents, days, wavelength=6220.0):
    n = len(latents["epoch"])
    row = np.repeat(np.arange(n), len(days))
    time = latents["epoch"][row] + np.tile(days, n)
    wavelength = np.full(len(time), wavelength)
    return SUPERNOVAE[kind][1](latents, row, time, wavelength, None).reshape(n, -1)


def test_flare_template():
    """Davenport et al. (2014), equations 1 and 4: half of the height a width apart."""
    assert outbursts.flare(np.array([-2.0, -1.001, 0.0])) == pytest.approx([0, 0, 1], abs=0.01)
    time = np.linspace(-1, 1, 20001)
    above = time[outbursts.flare(time) > 0.5]
    assert above[-1] - above[0] == pytest.approx(1, abs=0.1)
    t = 3.0
    expected = 0.6890 * np.exp(-1.6 * t) + 0.3030 * np.exp(-0.2783 * t)
    assert outbursts.flare(np.array([t]))[0] == pytest.approx(expected)


def flares(rate, wavelength, n=20, days=20.0, seed=0):
    time = np.arange(0, days, 0.001)
    row = np.repeat(np.arange(n), len(time))
    latents = {"flare_rate": np.full(n, rate), "temperature": np.full(n, 3200.0)}
    generator = np.random.default_rng(seed)
    of = np.full(len(row), wavelength)
    return outbursts.flaring(latents, row, 60000 + np.tile(time, n), of, generator).reshape(n, -1)


def test_flares_come_as_often_as_their_rate():
    light = 10 ** (-0.4 * flares(0.5, 6220.0)) - 1
    peaks = (light[:, 1:-1] > light[:, :-2]) & (light[:, 1:-1] > light[:, 2:])
    high = peaks & (light[:, 1:-1] > 0.04)
    assert peaks.sum() == pytest.approx(0.5 * 20 * 20, rel=0.2)
    assert high.sum() / peaks.sum() == pytest.approx(4 ** (-1 / 1.2), abs=0.12)
    assert (flares(0.5, 6220.0) <= 1e-12).all() and (light == 0).mean() > 0.3


def test_flares_are_blue():
    red, green = flares(0.5, 6220.0), flares(0.5, 4830.0)
    brighter = red < -0.005
    assert (green[brighter] < 2 * red[brighter]).any() and (green <= red).all()


def test_no_flare_is_forgotten():
    """A plain sum over all flares, however long ago."""
    n_flares = 0
    for seed in range(5):
        dense = flares(3.0, 6220.0, n=1, seed=seed)[0]
        generator = np.random.default_rng(seed)
        count = generator.poisson(3.0 * (20 - 0.001 + 1))
        peak, height, width = generator.random((count, 3)).T
        time = 60000 + np.arange(0, 20.0, 0.001)
        begin = time[0] - 1
        peak = np.sort(begin + (time[-1] - begin) * peak)
        height = np.minimum(0.01 * height**-1.2, 3)
        width = 0.0055 * (height / 0.1) ** 0.35 * np.exp(0.3 * ndtri(width))
        total = sum(h * outbursts.flare((time - p) / w) for p, h, w in zip(peak, height, width))
        np.testing.assert_allclose(dense, -2.5 * np.log10(1 + total), atol=1e-4)
        n_flares += count
    assert n_flares > 200


def test_bazin():
    """Equation 1 of Bazin et al. (2009), where there is no plateau."""
    days = np.linspace(-30, 100, 200)
    expected = np.exp(-days / 20) / (1 + np.exp(-days / 4))
    np.testing.assert_allclose(outbursts.bazin(days, 4, 0, 1, 20), expected)
    with_plateau = outbursts.bazin(np.array([60.0, 90.0, 100.0]), 2.5, 90.0, 0.5, 10)
    np.testing.assert_allclose(with_plateau, [0.5 ** (2 / 3), 0.5, 0.5 * np.exp(-1)], rtol=1e-6)
    long_ago = outbursts.bazin(np.array([-4000.0, 4000.0]), 4, 0, 1, 20)
    np.testing.assert_allclose(long_ago, 0, atol=1e-80)


@pytest.mark.parametrize("kind", SUPERNOVAE)
def test_maximum_in_r_is_that_of_the_latents(kind):
    latents = draw(kind)
    days = np.linspace(-8, 8, 321)
    course = change(kind, latents, days)
    np.testing.assert_allclose(-course.min(axis=1), latents["amplitude"], rtol=1e-3)
    assert np.abs(days[course.argmin(axis=1)]).max() < 0.5
    quiet = change(kind, latents, np.array([-150.0]))
    np.testing.assert_allclose(quiet, 0, atol=1e-6)


@pytest.mark.parametrize("host", [8.0, 14.0, 18.0])
@pytest.mark.parametrize(("kind", "absolute", "scatter"), [("ia", -19.3, 0.3), ("ii", -16.9, 1.5)])
def test_redshifts_make_supernovae_as_faint_as_they_are(kind, absolute, scatter, host):
    latents = draw(kind, host=host)
    magnitude = host - 2.5 * np.log10(10 ** (0.4 * latents["amplitude"]) - 1)
    # nearby: Hubble's law
    distance = 299792.458 * latents["redshift"] / 70
    found = magnitude - 5 * np.log10(distance) - 25
    assert np.median(found) == pytest.approx(absolute, abs=0.4)
    assert found.std() < scatter


def test_type_ia_has_a_second_maximum_in_the_red():
    latents = {name: values[:1] for name, values in draw("ia").items()}
    latents["redshift"] = np.array([0.01])
    days = np.linspace(5, 40, 400)
    for wavelength, maxima in ((4830.0, 0), (7550.0, 1), (8690.0, 1)):
        course = change("ia", latents, days, wavelength)[0]
        turns = (course[1:-1] < course[:-2]) & (course[1:-1] < course[2:])
        assert turns.sum() == maxima
        assert not maxima or 18 < days[1:-1][turns][0] < 30


def test_type_ii_has_a_plateau_and_falls_off_it():
    latents = draw("ii")
    z = 1 + latents["redshift"]
    light = [
        10 ** (-0.4 * change("ii", latents, np.array([days]))[:, 0]) - 1 for days in (0.0, 60, 150)
    ]
    assert z.max() < 1.2
    assert (light[1] > 0.6 * light[0]).all() and (light[2] < 0.2 * light[0]).all()


def test_far_supernovae_last_longer():
    near = draw("ia")
    near["redshift"], far = np.full(50, 0.01), near | {"redshift": np.full(50, 0.5)}
    # days above half of the maximum, above the galaxy
    spans = []
    for latents in (near, far):
        days = np.linspace(-30, 80, 1101)
        light = 10 ** (-0.4 * change("ia", latents, days)) - 1
        spans.append((light > light.max(axis=1, keepdims=True) / 2).sum(axis=1))
    # what is red here was blue there, where it fades faster
    assert (spans[1] > 1.1 * spans[0]).all() and (spans[1] < 1.5 * spans[0]).all()
