"""When surveys look at an object, through which filter, and how well they measure it."""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtri

from ._black_body import black_body

START = 60000.0  # modified Julian date of the first night
YEAR = 365.25
EQUINOX = 60023.9  # of March: the sun then stands at right ascension 0
REFERENCE = 6220.0  # Angstrom, r: magnitudes and amplitudes of the latents are told in it
WAVELENGTHS = {"u": 3670, "g": 4830, "r": 6220, "i": 7550, "z": 8690, "y": 9710, "tess": 7865}
# magnitudes by which dust of one magnitude of reddening dims: Schlafly and Finkbeiner (2011)
EXTINCTION = {"u": 4.24, "g": 3.30, "r": 2.29, "i": 1.70, "z": 1.26, "y": 1.09, "tess": 1.60}
MIDNIGHT = 0.33  # UT as a share of a day, in the west of America
CLOUDY = 0.3  # share of nights
SYNODIC_MONTH, FULL_MOON = 29.5306, 60010.5
CADENCE_OF_SPACE = 1 / 48  # days
ORBIT, DOWNLINK = 13.7, 1.0  # days; of each orbit, the last are lost


class Survey(NamedTuple):
    """What sets a survey apart."""

    bands: tuple
    shares: tuple  # of the visits
    depths: tuple  # magnitude that has an error of 0.2 in a dark night
    floor: float  # magnitudes of error that remain for the brightest
    interval: int  # clear nights from visit to visit; 0: always, from space
    bright: float  # range of magnitudes in r of the objects
    faint: float
    baseline: float  # days


# Depths of single visits: Bellm et al. (2019), Ivezic et al. (2019); that of TESS gives the errors
# of half an hour.
SURVEYS = {
    "ztf": Survey(
        ("g", "r", "i"), (0.45, 0.47, 0.08), (20.8, 20.6, 19.9), 0.01, 2, 14.0, 18.5, 1096.0
    ),
    "lsst": Survey(
        ("u", "g", "r", "i", "z", "y"),
        (0.07, 0.10, 0.22, 0.22, 0.195, 0.195),
        (23.8, 24.5, 24.0, 23.4, 22.7, 22.0),
        0.005,
        4,
        17.0,
        21.5,
        3652.0,
    ),
    "tess": Survey(("tess",), (1.0,), (19.2,), 0.0001, 0, 8.0, 13.5, 27.4),
}


def color(band, temperature):
    """Return the magnitude in a band less that in r, AB; of a quasar without temperature."""
    wavelength = WAVELENGTHS[band]
    ratio = black_body(wavelength, temperature) / black_body(REFERENCE, temperature)
    # per hertz; the power law of quasars is that of Vanden Berk et al. (2001)
    per_hertz = np.where(
        np.isnan(temperature),
        (wavelength / REFERENCE) ** 0.44,
        (wavelength / REFERENCE) ** 2 * ratio,
    )
    return -2.5 * np.log10(per_hertz)


def days_from_opposition(time, right_ascension):
    """Return the days since the object crossed the meridian at midnight, -182 to 183."""
    opposition = EQUINOX + YEAR * (right_ascension / 360 - 0.5)
    return (time - opposition + YEAR / 2) % YEAR - YEAR / 2


def draw_weather(n_nights, generator):
    """Draw which nights are clear. Clouds come for several nights, for all objects at once."""
    memory = 0.6
    state = lfilter([np.sqrt(1 - memory**2)], [1, -memory], generator.standard_normal(n_nights))
    return state > ndtri(CLOUDY)


def visits_from_ground(survey, right_ascension, clear, nights, details):
    """Return object, time, band and depth of visits, sorted by object and time.

    A clear night of the season has two visits some time apart, mostly in different bands.
    ``nights`` and ``details`` are generators.
    """
    right_ascension = right_ascension[:, None]
    night = np.arange(len(clear))
    midnight = START + night + MIDNIGHT
    # days after midnight at which it stands highest: sidereal time is four minutes faster a day
    crossing = -days_from_opposition(midnight, right_ascension) / YEAR
    # each field has its turn; clouds delay all of them, so that no period of nights stands out
    turn = (np.cumsum(clear) + right_ascension.astype(int)) % survey.interval == 0
    chance = np.where(turn, 0.9, 0.05) * (clear & (np.abs(crossing) < 0.3))
    lot = nights.random(chance.shape)
    visited = lot < chance
    # an object that was out of season all the time is caught once, low in the twilight
    best = np.abs(crossing).argmin(axis=1)
    visited[np.arange(len(best)), best] |= ~visited.any(axis=1)
    row, night = np.nonzero(visited)

    u = details.random((len(row), 5)).T
    first = midnight[night] + np.clip(crossing[row, night], -0.15, 0.15) + 0.1 * (u[0] - 0.5)
    time = np.stack([first, first + 0.015 + 0.1 * u[1] ** 3], axis=1).ravel()
    ends = np.cumsum(survey.shares) / np.sum(survey.shares)
    band = np.searchsorted(ends[:-1], np.stack([u[2], (u[2] + 0.5) % 1], axis=1).ravel())

    # the moon brightens the blue sky; air and wind blur
    phase = 2 * np.pi * (time - FULL_MOON) / SYNODIC_MONTH
    wavelength = np.array([WAVELENGTHS[name] for name in survey.bands])[band]
    moonlight = 0.7 * (4830 / wavelength) ** 2 * ((1 + np.cos(phase)) / 2) ** 2
    blur = -0.25 * np.log1p(-u[3:5].T.ravel())
    depth = np.array(survey.depths)[band] - moonlight - blur
    return np.repeat(row, 2), time, band, depth


def visits_from_space(survey, n_objects, baseline, nights):
    """Return the same of exposures of half an hour, with gaps for downlinks."""
    time = np.arange(0, baseline, CADENCE_OF_SPACE)
    time = START + time[time % ORBIT < ORBIT - DOWNLINK]
    taken = nights.random((n_objects, len(time))) < 0.98
    row, index = np.nonzero(taken)
    return row, time[index], np.zeros(len(row), dtype=int), np.full(len(row), survey.depths[0])


def errors_of(magnitude, depth, floor):
    """Return the standard deviation of a measured magnitude: Ivezic et al. (2019), equation 5."""
    gamma = 0.039
    photons = 10 ** (0.4 * (magnitude - depth))  # x of the equation; at 1, an error of 0.2
    return np.sqrt(floor**2 + (0.04 - gamma) * photons + gamma * photons**2)
