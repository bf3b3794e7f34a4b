"""The latents of objects in the sky: ranges, and what follows from what."""

import numpy as np
import pytest

from skrepr.datasets._sky_population import CLASSES, draw_latents


@pytest.fixture(scope="module")
def population():
    return draw_latents(4000, 0.2, 1.0, np.random.default_rng(0))


def test_classes_are_equally_frequent(population):
    labels, _ = population
    for name in CLASSES:
        assert (labels == name).mean() == pytest.approx(0.25, abs=0.03)


def test_what_an_object_lacks_is_missing(population):
    labels, latents = population
    galaxies = np.isin(labels, ["elliptical", "spiral"])
    for column, owners in {
        "temperature": labels == "star",
        "line_width": labels == "quasar",
        "inclination": labels == "spiral",
        "pitch_angle": labels == "spiral",
        "axis_ratio": galaxies,
        "position_angle": galaxies,
        "lens_redshift": latents["lensed"].to_numpy(),
    }.items():
        assert (latents[column].notna() == owners).all(), column
    assert (latents["redshift"][labels == "star"] == 0).all()
    assert ((latents["size"] > 0) == galaxies).all()
    assert ((latents["einstein_radius"] > 0) == latents["lensed"]).all()
    assert ((latents["source_distance"] > 0) == latents["lensed"]).all()


def test_inclination_gives_the_axis_ratio(population):
    labels, latents = population
    spirals = latents[labels == "spiral"]
    # Hubble's formula for a disk that is not infinitely thin
    cosine = np.cos(np.radians(spirals["inclination"]))
    squared = (spirals["axis_ratio"] ** 2 - 0.18**2) / (1 - 0.18**2)
    np.testing.assert_allclose(squared, cosine**2, atol=1e-10)


def test_disks_have_no_preferred_direction(population):
    labels, latents = population
    cosine = np.cos(np.radians(latents["inclination"][labels == "spiral"]))
    assert cosine.mean() == pytest.approx(0.5, abs=0.03)
    assert cosine.var() == pytest.approx(1 / 12, rel=0.1)


def test_far_galaxies_are_faint_and_small(population):
    labels, latents = population
    for name in ("elliptical", "spiral"):
        alone = latents[(labels == name) & ~latents["lensed"]]
        ranks = alone[["redshift", "magnitude", "size"]].rank().corr()
        assert ranks.loc["redshift", "magnitude"] > 0.6
        assert ranks.loc["redshift", "size"] < -0.5


def test_a_lens_is_in_front(population):
    lensed = population[1][population[1]["lensed"]]
    assert (lensed["lens_redshift"] < 0.61 * lensed["redshift"]).all()
    assert (lensed["source_distance"] < lensed["einstein_radius"]).all()
