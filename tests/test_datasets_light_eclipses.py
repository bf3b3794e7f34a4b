"""Eclipses: areas, limb darkening and orbits against plain computations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from skrepr.datasets import _light_eclipses as eclipses
from skrepr.datasets._black_body import black_body

COLUMNS = (
    "period",
    "epoch",
    "amplitude",
    "shape",
    "temperature",
    "radius",
    "companion",
    "inclination",
    "eccentricity",
    "periastron",
)


def draw(drawer, n=40):
    return drawer(dict(zip(COLUMNS, np.random.default_rng(0).random((len(COLUMNS), n)))), {})


def light(change, latents, phase, wavelength=6220.0):
    n = len(latents["period"])
    row = np.repeat(np.arange(n), len(phase))
    time = latents["epoch"][row] + latents["period"][row] * np.tile(phase, n)
    return change(latents, row, time, np.full(len(time), wavelength), None).reshape(n, -1)


@pytest.mark.parametrize("distance", [0.0, 0.3, 0.75, 0.95, 1.15])
@pytest.mark.parametrize("size", [0.1, 0.6, 1.3])
def test_hidden_share_against_a_sum_over_pixels(distance, size):
    x = np.linspace(-1, 1, 1601)
    squared = x[:, None] ** 2 + x**2
    limb = 0.6
    star = np.where(squared < 1, 1 - limb * (1 - np.sqrt(np.clip(1 - squared, 0, 1))), 0)
    hidden = star[(x[:, None] - distance) ** 2 + x**2 < size**2].sum() / star.sum()
    found = eclipses.hidden_share(np.array([distance]), np.array([size]), np.array([limb]))
    assert found[0] == pytest.approx(hidden, rel=0.02, abs=2e-4)


def test_nothing_is_hidden_apart_and_all_behind():
    apart = eclipses.hidden_share(np.array([1.5, 2.5]), np.array([0.4, 1.5]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(apart, 0, atol=1e-7)
    behind = eclipses.hidden_share(np.array([0.1, 0.0]), np.array([1.2, 1.0]), np.array([0.5, 0]))
    np.testing.assert_allclose(behind, 1, atol=1e-7)


@pytest.mark.parametrize("drawer", [eclipses.draw_detached_binaries, eclipses.draw_transits])
def test_the_eclipse_of_the_hotter_star_is_at_the_epoch(drawer):
    latents = draw(drawer)
    near = np.linspace(-0.01, 0.01, 201)
    change = light(eclipses.eclipsing, latents, near)
    np.testing.assert_allclose(change[:, 100], latents["amplitude"])
    circular = latents["eccentricity"] == 0
    assert circular.any() and (latents["amplitude"] > 0.001).all()
    np.testing.assert_allclose(change[circular].max(axis=1), latents["amplitude"][circular])
    np.testing.assert_allclose(change[circular], change[circular, ::-1], atol=1e-9)
    one_later = light(eclipses.eclipsing, latents, near + 1)
    np.testing.assert_allclose(one_later, change, atol=1e-6)


def test_a_central_transit_is_deeper_in_the_blue():
    latents = draw(eclipses.draw_transits)
    latents["inclination"] = np.full(40, 90.0)
    middle = np.zeros(1)
    blue, red = (light(eclipses.eclipsing, latents, middle, of)[:, 0] for of in (4830.0, 9710.0))
    assert (blue > 1.02 * red).all()
    # without limb darkening it would be the ratio of the areas
    lost = 1 - 10 ** (-0.4 * red)
    assert ((lost / latents["radius_ratio"] ** 2 > 1.05) & (red < 0.05)).all()


def test_total_eclipses_of_two_stars():
    """The light that is left in each eclipse is that of the star in front."""
    for size in (1.0, 0.5):
        one = {
            "period": 2.0,
            "epoch": 60000.3,
            "temperature": 8000.0,
            "radius": 0.2,
            "radius_ratio": size,
            "temperature_ratio": 0.6,
            "inclination": 90.0,
            "eccentricity": 0.0,
            "periastron": 77.0,
        }
        latents = {name: np.array([value]) for name, value in one.items()}
        change = light(eclipses.eclipsing, latents, np.array([0.0, 0.25, 0.5]))[0]
        second = size**2 * black_body(6220.0, 4800.0) / black_body(6220.0, 8000.0)
        expected = -2.5 * np.log10([second / (1 + second), 1, 1 / (1 + second)])
        total = [True, True, True] if size == 1 else [False, True, True]
        np.testing.assert_allclose(change[total], expected[total], atol=1e-7)
        # a small star in front of a large one leaves a ring of it
        assert size == 1 or 0.25 < 1 - 10 ** (-0.4 * change[0]) < 0.4


@pytest.mark.parametrize(
    ("eccentricity", "periastron"), [(0.0, 0.0), (0.4, 30.0), (0.35, 250.0), (0.2, 90.0)]
)
def test_orbits_against_an_integrated_one(eccentricity, periastron):
    """Kepler's second law tells the true anomaly, step by step from the epoch on."""
    omega, tilt = np.radians(periastron), np.radians(86)
    phase = np.linspace(0, 0.9, 10)
    speed = 2 * np.pi / (1 - eccentricity**2) ** 1.5
    anomaly = solve_ivp(
        lambda _, f: speed * (1 + eccentricity * np.cos(f)) ** 2,
        (0, 1),
        [np.pi / 2 - omega],
        t_eval=phase,
        rtol=1e-10,
        atol=1e-10,
    ).y[0]
    sine = np.sin(anomaly + omega)
    distance = (1 - eccentricity**2) / (1 + eccentricity * np.cos(anomaly))
    latents = {
        "period": np.array([10.0]),
        "epoch": np.array([60000.0]),
        "inclination": np.array([86.0]),
        "eccentricity": np.array([eccentricity]),
        "periastron": np.array([periastron]),
    }
    found, behind = eclipses._separation(latents, np.zeros(10, dtype=int), 60000 + 10 * phase)
    np.testing.assert_allclose(
        found, distance * np.sqrt(1 - (sine * np.sin(tilt)) ** 2), atol=1e-6
    )
    clear = np.abs(sine) > 1e-6
    assert (behind == (sine < 0))[clear].all()


def test_contact_binaries_never_rest():
    latents = draw(eclipses.draw_contact_binaries)
    phase = np.linspace(0, 1, 401)
    change = light(eclipses.contact, latents, phase)
    np.testing.assert_allclose(change[:, 0], latents["amplitude"])
    np.testing.assert_allclose(np.ptp(change, axis=1), latents["amplitude"], rtol=0.01)
    second = change[:, 200] / change[:, 0]
    assert (second > 0.6).all() and (second < 0.98).all()
    # out of eclipse a detached binary is constant for most of its period
    assert (np.abs(change) < 0.05 * latents["amplitude"][:, None]).mean() < 0.35


def test_depth_of_detached_binaries_differs_between_minima():
    latents = draw(eclipses.draw_detached_binaries)
    circular = latents["eccentricity"] == 0
    change = light(eclipses.eclipsing, latents, np.array([0.0, 0.5]))[circular]
    assert (change[:, 0] > change[:, 1]).all() and (change[:, 1] > 0).all()
    assert latents["eccentricity"][latents["period"] < 3].max() == 0
    assert latents["eccentricity"].max() > 0.1
