"""Spectra of objects in the sky: lines stand where the redshift puts them."""

import numpy as np
import pandas as pd
import pytest

from skrepr.datasets._sky_spectra import spectra_of_parts

GRID = np.linspace(np.log(3800), np.log(9200), 1024)
WAVELENGTH = np.exp(GRID)
FOREST = np.random.default_rng(0).normal(size=(1, 1024))


def spectrum(label, part=0, *, redshift=0.0, temperature=np.nan, line_width=np.nan, lens=np.nan):
    latents = pd.DataFrame(
        {
            "redshift": [redshift],
            "temperature": temperature,
            "line_width": line_width,
            "lensed": not np.isnan(lens),
            "lens_redshift": lens,
        }
    )
    return spectra_of_parts(np.array([label]), latents, GRID, FOREST)[0, part]


def peak(flux, low, high):
    inside = (low < WAVELENGTH) & (high > WAVELENGTH)
    return WAVELENGTH[inside][flux[inside].argmax()]


def mean(flux, low, high):
    return flux[(low < WAVELENGTH) & (high > WAVELENGTH)].mean()


@pytest.mark.parametrize("redshift", [0.05, 0.13, 0.21, 0.35])
@pytest.mark.parametrize("line", [4861, 6563])
def test_nebular_lines_move_with_the_redshift(line, redshift):
    flux = spectrum("spiral", 2, redshift=redshift)
    at = line * (1 + redshift)
    assert peak(flux, 0.99 * at, 1.002 * at) == pytest.approx(at, rel=1e-3)


@pytest.mark.parametrize("redshift", [0.6, 1.2, 1.8])
def test_broad_lines_of_quasars_move_with_the_redshift(redshift):
    flux = spectrum("quasar", redshift=redshift, line_width=3000)
    at = 2799 * (1 + redshift)
    assert peak(flux, 0.95 * at, 1.05 * at) == pytest.approx(at, rel=3e-3)


@pytest.mark.parametrize("line_width", [2000.0, 4000.0, 8000.0])
def test_lines_of_quasars_have_their_width(line_width):
    flux = spectrum("quasar", redshift=1.0, line_width=line_width)
    none = spectrum("quasar", redshift=1.0, line_width=1e6)
    line = np.where(np.abs(WAVELENGTH / 5598 - 1) < 0.06, flux / none, 0)
    base = np.median(line[line > 0])
    above = WAVELENGTH[line - base > (line.max() - base) / 2]
    width = 299792.458 * (above[-1] - above[0]) / 5598
    assert width == pytest.approx(line_width, rel=0.25)


@pytest.mark.parametrize("redshift", [0.1, 0.4, 0.8])
def test_ellipticals_break_at_4000_angstrom(redshift):
    flux = WAVELENGTH**2 * spectrum("elliptical", redshift=redshift)  # per hertz, as D4000 is
    z = 1 + redshift
    # Balogh et al. (1999): old galaxies have about 1.8, young ones 1.2
    strength = mean(flux, 4000 * z, 4100 * z) / mean(flux, 3850 * z, 3950 * z)
    assert 1.5 < strength < 2.5
    if redshift < 0.8:
        for line, flank in ((5175, 120), (5893, 60)):
            middle = mean(flux, (line - 15) * z, (line + 15) * z)
            sides = mean(flux, (line - flank) * z, (line - flank / 2) * z)
            assert middle < 0.95 * sides


def test_hot_stars_are_blue_with_hydrogen_cool_ones_red_with_bands():
    hot, cool, sun = (spectrum("star", temperature=t) for t in (10000.0, 3100.0, 5800.0))
    color = [mean(flux, 4000, 5500) / mean(flux, 7000, 8400) for flux in (cool, sun, hot)]
    assert color[0] < 0.6 < color[1] < 1.6 < color[2]

    def depth(flux, line, half=12, flank=90):
        sides = (
            mean(flux, line - flank, line - flank / 2),
            mean(flux, line + flank / 2, line + flank),
        )
        return 1 - mean(flux, line - half, line + half) / np.mean(sides)

    assert depth(hot, 4861) > 0.2 > depth(sun, 4861) > 0.0
    assert depth(sun, 3934, flank=20, half=4) > 0.15 > depth(hot, 3934, flank=20, half=4)
    assert mean(cool, 7060, 7120) < 0.75 * mean(cool, 6980, 7040)  # the band head at 7055


def test_hydrogen_in_front_of_a_quasar_takes_its_blue_light():
    flux = spectrum("quasar", redshift=3.0, line_width=3000)
    near = spectrum("quasar", redshift=1.0, line_width=3000)
    slope, open_slope = (mean(f, 4000, 4600) / mean(f, 5200, 5800) for f in (flux, near))
    assert slope < 0.9 * open_slope
    inside = (WAVELENGTH > 4000) & (WAVELENGTH < 4600)
    assert np.diff(flux[inside]).std() > 10 * np.diff(near[inside]).std()


def test_a_lens_has_its_own_redshift():
    flux = spectrum("spiral", 3, redshift=0.8, lens=0.2)
    same = spectrum("elliptical", redshift=0.2)
    np.testing.assert_allclose(flux, same)
    assert not spectrum("spiral", 3, redshift=0.8).any()
