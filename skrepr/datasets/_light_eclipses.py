"""Stars that are eclipsed: by another star, by a planet, or by one that they touch."""

import numpy as np

from ._black_body import black_body
from ._light_surveys import REFERENCE, START

N_RINGS = 10  # steps of brightness from the rim to the center of a disk
PLANET = 0.25  # its temperature, relative to the star's


def draw_detached_binaries(u, known):
    """Draw two stars apart, the hotter one at least as large as the cooler one."""
    period = 0.7 * 30 ** u["period"]
    # Kepler's third law: the wider the orbit, the smaller the stars in it
    radius = (0.13 + 0.12 * u["radius"]) * period ** (-2 / 3)
    radius_ratio = 0.45 + 0.55 * u["companion"]
    # tides make close orbits circular
    eccentricity = np.where(period > 3, 0.4 * u["eccentricity"] ** 2, 0.0)
    return _orbit(
        u, period, radius, radius_ratio, 0.7, eccentricity, 0.6 + 0.4 * u["shape"], 4500, 5000
    )


def draw_transits(u, known):
    """Draw hot planets of stars like the sun and smaller."""
    period = 0.8 * 12 ** u["period"]
    radius = (0.16 + 0.06 * u["radius"]) * period ** (-2 / 3)
    radius_ratio = 0.07 + 0.1 * u["companion"]
    return _orbit(u, period, radius, radius_ratio, 0.8, np.zeros(len(period)), PLANET, 4000, 2500)


def draw_contact_binaries(u, known):
    """Draw two stars that share a surface; the longer the period, the hotter."""
    period = 0.25 + 0.35 * u["period"] ** 1.5
    return {
        "period": period,
        "epoch": START + u["epoch"] * period,
        "amplitude": 0.1 + 0.65 * u["amplitude"],
        "shape": 0.3 + 0.7 * u["shape"],
        "temperature": 4000 + 5500 * (period - 0.25) + 500 * u["temperature"],
    }


def _orbit(u, period, radius, radius_ratio, highest, eccentricity, ratio, coolest, spread):
    """Return latents of an orbit whose impact parameter is at most ``highest`` of grazing."""
    ones = np.ones(len(period))
    periastron = 360 * u["periastron"]
    distance = (1 - eccentricity**2) / (1 + eccentricity * np.sin(np.radians(periastron)))
    lowest = highest * u["inclination"] * radius * (1 + radius_ratio) / distance
    latents = {
        "period": period,
        "epoch": START + u["epoch"] * period,
        "temperature": coolest + spread * u["temperature"] ** 2,
        "radius": radius,
        "radius_ratio": radius_ratio,
        "temperature_ratio": ratio * ones,
        "inclination": np.degrees(np.arccos(lowest)),
        "eccentricity": eccentricity,
        "periastron": periastron,
    }
    every = np.arange(len(period))
    depth = eclipsing(latents, every, latents["epoch"], REFERENCE * ones, None)
    return latents | {"amplitude": depth}


def eclipsing(latents, row, time, wavelength, generator):
    """Return the change in magnitude of two disks that pass in front of each other."""
    k, hot = latents["radius_ratio"][row], latents["temperature"][row]
    cool = hot * latents["temperature_ratio"][row]
    second = (
        k**2 * black_body(wavelength, cool) / black_body(wavelength, hot)
    )  # that of the first: 1
    distance, behind = _separation(latents, row, time)
    distance = distance / latents["radius"][row]
    limb = 0.55 * (REFERENCE / wavelength) ** 0.6  # typical: stronger in the blue
    lost = np.zeros(len(time))
    at = np.flatnonzero(~behind & (distance < 1 + k))
    lost[at] = hidden_share(distance[at], k[at], limb[at])
    at = np.flatnonzero(behind & (distance < 1 + k))  # lengths in radii of the second
    lost[at] = second[at] * hidden_share(distance[at] / k[at], 1 / k[at], limb[at])
    return -2.5 * np.log10(1 - lost / (1 + second))


def hidden_share(distance, size, limb):
    """Return the share of a star's light that a dark disk hides.

    ``distance`` of the centers and ``size`` of the disk are in radii of the star, whose limb is
    darkened linearly by ``limb``. The star is a stack of even disks, the largest as bright
    as its rim: exact, as the formulas of Mandel and Agol (2002), for many disks.
    """
    steps = (np.arange(N_RINGS) + 0.5) / N_RINGS  # cosine of the angle to the line of sight
    radii = np.concatenate([[1.0], np.sqrt(1 - steps**2)])
    hidden, whole = np.zeros(len(distance)), np.zeros(len(distance))
    for number, radius in enumerate(radii):
        weight = 1 - limb if number == 0 else limb / N_RINGS
        hidden += weight * _overlap(distance, radius, size)
        whole += weight * np.pi * radius**2
    return hidden / whole


def _overlap(distance, first, second):
    """Return the area that two disks share."""
    # Disks that do not cross are moved to where they touch: the area is the same.
    d = np.clip(distance, np.abs(first - second), first + second)
    d = np.maximum(d, 1e-12)
    cosine_1 = np.clip((d**2 + first**2 - second**2) / (2 * d * first), -1, 1)
    cosine_2 = np.clip((d**2 + second**2 - first**2) / (2 * d * second), -1, 1)
    kite = (first + second - d) * (d + first - second) * (d - first + second)
    kite = np.sqrt(np.maximum(kite * (d + first + second), 0)) / 2
    return first**2 * np.arccos(cosine_1) + second**2 * np.arccos(cosine_2) - kite


def _separation(latents, row, time):
    """Return the separation on the sky, in semi-major axes, and whether the second is behind."""
    e, omega = latents["eccentricity"], np.radians(latents["periastron"])
    # at the epoch the second star is in front: true anomaly and omega make 90 degrees
    half = np.arctan(np.sqrt((1 - e) / (1 + e)) * np.tan((np.pi / 2 - omega) / 2))
    at_epoch = 2 * half - e * np.sin(2 * half)
    phase = (time - latents["epoch"][row]) / latents["period"][row]
    mean = 2 * np.pi * (phase % 1) + at_epoch[row]
    e, omega = e[row], omega[row]
    eccentric = mean + e * np.sin(mean)
    for _ in range(5):  # Newton's steps for Kepler's equation; e is at most 0.4
        excess = eccentric - e * np.sin(eccentric) - mean
        eccentric = eccentric - excess / (1 - e * np.cos(eccentric))
    x = np.cos(eccentric) - e
    y = np.sqrt(1 - e**2) * np.sin(eccentric)
    along = x * np.cos(omega) - y * np.sin(omega)  # the line of nodes
    across = x * np.sin(omega) + y * np.cos(omega)
    cosine = np.cos(np.radians(latents["inclination"]))[row]
    return np.hypot(along, across * cosine), across < 0


def contact(latents, row, time, wavelength, generator):
    """Return the change in magnitude: round maxima, two minima of almost the same depth."""
    amplitude = latents["amplitude"]
    # Rucinski (1993, 1997): a4 = a2 (0.125 - a2) where stars begin to touch, less of it in contact
    a2 = -0.5 * (1 - 10 ** (-0.4 * amplitude))
    a4 = (1 - 0.6 * latents["shape"]) * a2 * (0.125 - a2)
    a1 = 0.08 * a2  # the first minimum is the deeper one

    def magnitude(angle, of=slice(None)):
        light = (
            1 + a1[of] * np.cos(angle) + a2[of] * np.cos(2 * angle) + a4[of] * np.cos(4 * angle)
        )
        return -2.5 * np.log10(light)

    angle = 2 * np.pi * (time - latents["epoch"][row]) / latents["period"][row]
    top, bottom = magnitude(np.pi / 2), magnitude(0.0)
    return (magnitude(angle, row) - top[row]) * (amplitude / (bottom - top))[row]
