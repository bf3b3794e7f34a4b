"""What varies in the sky: classes of light curves, and the latents of their objects."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from . import _light_eclipses as eclipses
from . import _light_outbursts as outbursts
from . import _light_pulsations as pulsations
from . import _light_random_walk as random_walk
from ._light_surveys import START, days_from_opposition

# Each object owns one row of uniform numbers, a column for each of these: what is drawn for an
# object does not depend on how many follow. Columns serve each class as it needs.
QUANTITIES = (
    "class",
    "magnitude",
    "right_ascension",
    "reddening",
    "temperature",
    "in_season",
    "period",
    "epoch",
    "amplitude",
    "shape",
    "radius",
    "companion",
    "inclination",
    "eccentricity",
    "periastron",
    "redshift",
)
LATENTS = (
    "magnitude",
    "right_ascension",
    "reddening",
    "temperature",
    "amplitude",
    "period",
    "epoch",
    "shape",
    "radius",
    "radius_ratio",
    "temperature_ratio",
    "inclination",
    "eccentricity",
    "periastron",
    "flare_rate",
    "redshift",
    "stretch",
    "plateau",
    "timescale",
)


class Kind(NamedTuple):
    """A class: how its latents are drawn, and how they and the time change its magnitude."""

    draw: Callable  # (uniform numbers, what is known of each object) -> latents
    change: Callable  # (latents, row, time, wavelength, generator) -> magnitudes


def _draw_constants(u, known):
    return {"amplitude": np.zeros(len(u["class"])), "temperature": 3500 + 4000 * u["temperature"]}


def _unchanged(latents, row, time, wavelength, generator):
    return np.zeros(len(time))


CLASSES = {
    "cepheid": Kind(pulsations.draw_cepheids, pulsations.cepheid),
    "constant": Kind(_draw_constants, _unchanged),
    "contact_binary": Kind(eclipses.draw_contact_binaries, eclipses.contact),
    "detached_binary": Kind(eclipses.draw_detached_binaries, eclipses.eclipsing),
    "flare_star": Kind(outbursts.draw_flare_stars, outbursts.flaring),
    "mira": Kind(pulsations.draw_miras, pulsations.mira),
    "quasar": Kind(random_walk.draw_quasars, random_walk.walking),
    "rr_lyrae_ab": Kind(pulsations.draw_rr_lyrae_ab, pulsations.rr_lyrae_ab),
    "rr_lyrae_c": Kind(pulsations.draw_rr_lyrae_c, pulsations.rr_lyrae_c),
    "supernova_ia": Kind(outbursts.draw_supernovae_ia, outbursts.supernova_ia),
    "supernova_ii": Kind(outbursts.draw_supernovae_ii, outbursts.supernova_ii),
    "transit": Kind(eclipses.draw_transits, eclipses.eclipsing),
}


def draw_latents(n_samples, weights, survey, baseline, generator):
    """Draw labels and latents; `make_light_curves` says what they mean and in which units.

    ``weights`` has the relative frequency of each class.
    """
    u = dict(zip(QUANTITIES, generator.random((n_samples, len(QUANTITIES))).T))
    names, shares = np.array(list(weights)), np.array(list(weights.values()), dtype=float)
    ends = np.cumsum(shares) / shares.sum()
    labels = names[np.searchsorted(ends[:-1], u["class"], side="right")]

    # more faint objects than bright ones
    known = {
        "magnitude": survey.bright + (survey.faint - survey.bright) * np.sqrt(u["magnitude"]),
        "right_ascension": 360 * u["right_ascension"],
        "reddening": -0.06 * np.log1p(-u["reddening"]),
    }
    # a supernova is found if it can be seen: when its galaxy is in season
    moment = START + baseline * u["in_season"]
    if survey.interval:
        moment = moment - 0.55 * days_from_opposition(moment, known["right_ascension"])
    u["in_season"] = np.clip(moment, START, START + baseline)

    latents = pd.DataFrame(np.nan, index=range(n_samples), columns=list(LATENTS))
    for name in weights:
        here = labels == name
        own, shared = ({key: of[key][here] for key in of} for of in (u, known))
        for column, values in (shared | CLASSES[name].draw(own, shared)).items():
            latents.loc[here, column] = values
    return labels, latents
