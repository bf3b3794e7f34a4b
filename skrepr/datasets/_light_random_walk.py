"""Quasars: their light walks at random and is drawn back to its mean."""

import numpy as np
from scipy.special import betaincinv, ndtri


def draw_quasars(u, known):
    """Draw redshifts, and the walks of quasars like those of MacLeod et al. (2010)."""
    redshift = 0.2 + 3.3 * betaincinv(1.8, 2.2, u["redshift"])
    at_rest = 200 * 10 ** (0.3 * ndtri(u["shape"]))
    return {
        "redshift": redshift,
        "timescale": at_rest * (1 + redshift),
        "amplitude": 0.22 * 10 ** (0.15 * ndtri(u["amplitude"])),
    }


def walking(latents, row, time, wavelength, generator):
    """Return the change in magnitude, one walk in all bands, wider in the blue."""
    deviation = latents["amplitude"] / np.sqrt(2)
    walk = damped_random_walk(time, row, latents["timescale"], generator)
    # MacLeod et al. (2010), equation 7
    return deviation[row] * (wavelength / 6220) ** -0.479 * walk


def damped_random_walk(time, row, timescale, generator):
    """Draw a damped random walk of variance 1 at any times, exactly.

    Given the last value, the next is normal: Kelly et al. (2009), the equations of section 3.
    ``time`` is sorted within each object ``row``, and these are sorted, too.
    """
    first = np.r_[True, row[1:] != row[:-1]]
    passed = np.diff(time, prepend=time[:1])
    decay = np.where(first, 0.0, np.exp(-np.where(first, 0.0, passed) / timescale[row]))
    walk = np.sqrt(1 - decay**2) * generator.standard_normal(len(time))
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(time)))
    for step in range(1, lengths.max(initial=0)):  # all objects at once
        at = starts[lengths > step] + step
        walk[at] += decay[at] * walk[at - 1]
    return walk
