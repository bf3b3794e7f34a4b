"""The latents of what varies: which class has which, and their ranges."""

import numpy as np
import pytest

from skrepr.datasets._light_population import CLASSES, LATENTS, draw_latents
from skrepr.datasets._light_surveys import START, SURVEYS, days_from_opposition

PULSATING = {"cepheid", "mira", "rr_lyrae_ab", "rr_lyrae_c"}
ECLIPSED = {"detached_binary", "transit"}
SUPERNOVAE = {"supernova_ia", "supernova_ii"}
ALL = set(CLASSES)
OWNERS = {
    "magnitude": ALL,
    "right_ascension": ALL,
    "reddening": ALL,
    "temperature": ALL - {"quasar"},
    "amplitude": ALL - {"flare_star"},
    "period": PULSATING | ECLIPSED | {"contact_binary"},
    "epoch": PULSATING | ECLIPSED | SUPERNOVAE | {"contact_binary"},
    "shape": PULSATING | {"contact_binary"},
    **dict.fromkeys(
        (
            "radius",
            "radius_ratio",
            "temperature_ratio",
            "inclination",
            "eccentricity",
            "periastron",
        ),
        ECLIPSED,
    ),
    "flare_rate": {"flare_star"},
    "redshift": SUPERNOVAE | {"quasar"},
    "stretch": {"supernova_ia"},
    "plateau": {"supernova_ii"},
    "timescale": {"quasar"},
}


def draw(survey="ztf", n=6000, weights=None, baseline=1096.0):
    weights = weights or dict.fromkeys(CLASSES, 1.0)
    return draw_latents(n, weights, SURVEYS[survey], baseline, np.random.default_rng(0))


@pytest.fixture(scope="module")
def population():
    return draw()


def test_what_an_object_lacks_is_missing(population):
    labels, latents = population
    assert list(latents) == list(LATENTS) == list(OWNERS)
    for column, owners in OWNERS.items():
        assert (latents[column].notna() == np.isin(labels, list(owners))).all(), column


def test_classes_are_as_frequent_as_their_weights(population):
    labels, _ = population
    for name in CLASSES:
        assert (labels == name).mean() == pytest.approx(1 / 12, abs=0.015)
    labels, _ = draw(weights={"quasar": 3, "mira": 1, "transit": 0})
    assert (labels == "quasar").mean() == pytest.approx(0.75, abs=0.02)
    assert set(labels) == {"quasar", "mira"}


def test_ranges(population):
    _, latents = population
    for column, (least, most) in {
        "magnitude": (14, 18.5),
        "right_ascension": (0, 360),
        "reddening": (0, 1),
        "temperature": (2500, 10_000),
        "period": (0.2, 1000),
        "radius": (0.01, 0.5),
        "radius_ratio": (0.05, 1),
        "inclination": (50, 90),
        "eccentricity": (0, 0.4),
        "redshift": (0.0001, 3.6),
        "stretch": (0.5, 1.5),
        "plateau": (80, 120),
    }.items():
        assert latents[column].dropna().between(least, most).all(), column
    assert latents["magnitude"].median() > 16.5


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("rr_lyrae_c", 0.2, 0.5),
        ("rr_lyrae_ab", 0.35, 0.9),
        ("contact_binary", 0.25, 0.6),
        ("cepheid", 2.5, 40),
        ("mira", 90, 900),
    ],
)
def test_periods(population, name, least, most):
    labels, latents = population
    assert latents["period"][labels == name].between(least, most).all()


def test_supernovae_are_in_season(population):
    labels, latents = population
    found = latents[np.isin(labels, list(SUPERNOVAE))]
    inside = found["epoch"].between(START + 20, START + 1076)
    offset = days_from_opposition(found["epoch"], found["right_ascension"])
    assert (offset.abs() < 95)[inside].all() and inside.mean() > 0.9
    in_space = draw("tess", baseline=27.4)[1]["epoch"]
    assert in_space[in_space > START + 900].empty


def test_fewer_objects_are_the_first(population):
    labels, latents = population
    first_labels, first = draw(n=50)
    assert (first_labels == labels[:50]).all() and first.equals(latents.iloc[:50])
