"""Pulsating stars: Fourier series with the amplitude, epoch and harmonics of the latents."""

import numpy as np
import pytest

from skrepr.datasets import _light_pulsations as pulsations
from skrepr.datasets._light_surveys import START

KINDS = {
    "rr_lyrae_ab": (pulsations.draw_rr_lyrae_ab, pulsations.rr_lyrae_ab),
    "rr_lyrae_c": (pulsations.draw_rr_lyrae_c, pulsations.rr_lyrae_c),
    "cepheid": (pulsations.draw_cepheids, pulsations.cepheid),
    "mira": (pulsations.draw_miras, pulsations.mira),
}
STRICT = ["rr_lyrae_ab", "rr_lyrae_c", "cepheid"]  # each cycle is like the last one
PHASE = np.linspace(0, 1, 2048, endpoint=False)


def draw(name, n=60):
    columns = ("period", "epoch", "amplitude", "shape", "temperature", "companion")
    u = dict(zip(columns, np.random.default_rng(0).random((6, n))))
    return KINDS[name][0](u, {})


def cycles(name, latents, wavelength=6220.0, cycle=0):
    n = len(latents["period"])
    row = np.repeat(np.arange(n), len(PHASE))
    phase = np.tile(PHASE, n) + cycle
    time = latents["epoch"][row] + latents["period"][row] * phase
    change = KINDS[name][1](latents, row, time, np.full(len(time), wavelength), None)
    return change.reshape(n, len(PHASE))


@pytest.mark.parametrize("name", STRICT)
def test_amplitude_epoch_and_mean_are_those_of_the_latents(name):
    latents = draw(name)
    change = cycles(name, latents)
    np.testing.assert_allclose(np.ptp(change, axis=1), latents["amplitude"], rtol=1e-3)
    np.testing.assert_allclose(change.mean(axis=1), 0, atol=1e-10)
    brightest = PHASE[change.argmin(axis=1)]
    assert np.minimum(brightest, 1 - brightest).max() < 0.002
    np.testing.assert_allclose(cycles(name, latents, cycle=50), change, atol=1e-8)
    assert ((latents["epoch"] >= START) & (latents["epoch"] < START + latents["period"])).all()


@pytest.mark.parametrize("name", KINDS)
def test_the_blue_varies_more(name):
    latents = draw(name)
    np.testing.assert_allclose(cycles(name, latents, 4830.0), 1.4 * cycles(name, latents))
    np.testing.assert_allclose(cycles(name, latents, 8690.0), 0.75 * cycles(name, latents))


def harmonics(change):
    """Return amplitude ratios R_21, R_31 and phase differences phi_21, phi_31 of cosines."""
    terms = np.fft.rfft(change, axis=1)[:, 1:4]
    first, angles = np.abs(terms[:, :1]), np.angle(terms)
    order = np.array([2, 3])
    return np.abs(terms[:, 1:]) / first, (angles[:, 1:] - order * angles[:, :1]) % (2 * np.pi)


@pytest.mark.parametrize(
    ("name", "ratios", "phases"),
    [("rr_lyrae_ab", (0.48, 0.35), (3.92, 8.14)), ("rr_lyrae_c", (0.17, 0.07), (4.7, 3.9))],
)
def test_harmonics_of_rr_lyrae(name, ratios, phases):
    latents = draw(name) | {"shape": np.ones(60)}
    found_ratios, found_phases = harmonics(cycles(name, latents))
    np.testing.assert_allclose(found_ratios, [ratios] * 60, rtol=1e-6)
    np.testing.assert_allclose(found_phases, [np.mod(phases, 2 * np.pi)] * 60, rtol=1e-6)


def time_of_rise(change):
    """Return the share of the cycle from the minimum to the maximum."""
    return (change.argmin(axis=1) - change.argmax(axis=1)) % len(PHASE) / len(PHASE)


def test_rises_are_faster_than_declines():
    steep = time_of_rise(cycles("rr_lyrae_ab", draw("rr_lyrae_ab")))
    assert steep.min() > 0.08 and steep.max() < 0.25
    overtone = time_of_rise(cycles("rr_lyrae_c", draw("rr_lyrae_c")))
    assert overtone.min() > 0.3 and overtone.max() < 0.5


def test_cepheids_are_round_at_ten_days():
    period = np.array([3.0, 5.4, 9.9, 10.1, 20.0])
    latents = {
        "period": period,
        "epoch": START + 0 * period,
        "amplitude": 0.7 + 0 * period,
        "shape": np.ones(5),
    }
    ratios, phases = harmonics(cycles("cepheid", latents))
    assert ratios[2:4, 0].max() < 0.2 < 0.35 < ratios[[0, 1, 4], 0].min()
    rising = phases[:3, 0]
    assert (np.diff(rising) > 0).all() and phases[3, 0] < rising[2] - 0.5
    # delta Cephei, of 5.4 days: 0.29 of its cycle in V
    assert time_of_rise(cycles("cepheid", latents))[1] == pytest.approx(0.29, abs=0.06)


def test_no_maximum_of_a_mira_is_like_the_last_one():
    latents = draw("mira")
    heights = np.array([-cycles("mira", latents, cycle=k).min(axis=1) for k in range(6)])
    spread = heights.std(axis=0) / latents["amplitude"]
    assert spread.min() > 0.01 and spread.max() < 0.15
    spans = [np.ptp(cycles("mira", latents, cycle=k), axis=1) for k in range(20)]
    np.testing.assert_allclose(np.mean(spans, axis=0), latents["amplitude"], rtol=0.06)


def test_long_periods_of_rr_lyrae_go_with_small_amplitudes():
    latents = draw("rr_lyrae_ab", 2000)
    assert np.corrcoef(latents["period"], latents["amplitude"])[0, 1] < -0.6
    assert draw("rr_lyrae_c", 2000)["period"].mean() < latents["period"].min()
