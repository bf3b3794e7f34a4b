"""The black body: Planck's law."""

import numpy as np
import pytest
from scipy import constants

from skrepr.datasets._black_body import black_body


def test_planck():
    meters, temperature = np.array([3e-7, 5.5e-7, 9e-7])[:, None], np.array([1500.0, 6000, 30000])
    energy = constants.h * constants.c / (meters * constants.k * temperature)
    expected = meters**-5 / np.expm1(energy)
    found = black_body(1e10 * meters, temperature)
    np.testing.assert_allclose(found / found[1, 1], expected / expected[1, 1], rtol=1e-4)


def test_wien():
    wavelength = np.linspace(2000, 20000, 18001)
    for temperature in (3000, 6000):
        peak = wavelength[black_body(wavelength, temperature).argmax()]
        assert peak * temperature == pytest.approx(2.898e7, rel=1e-3)
