"""The light of a black body."""

import numpy as np


def black_body(wavelength, temperature):
    """Return the surface brightness per Angstrom at a wavelength in Angstrom, in one unit for all.

    The unit keeps numbers near one at some thousand kelvin.
    """
    # hc/k in Angstrom kelvin
    return (5500 / wavelength) ** 5 / np.expm1(1.438777e8 / (wavelength * temperature))
