"""What lights up and fades: flares of small stars, supernovae."""

import numpy as np
from scipy.special import ndtri

from ._black_body import black_body
from ._light_surveys import REFERENCE
from ._sky_population import distances

FLARE = 10_000  # kelvin
LONGEST_FLARE = 60  # widths
# Supernovae by wavelength at rest (Angstrom): days in which type Ia fades e-fold, the height of
# its second maximum, and the share of light that type II has left at the end of its plateau.
AT_REST = (3670, 4830, 6220, 7550, 8690)
FADING = (10, 13, 18, 15, 14)
SECOND_MAXIMUM = (0, 0, 0.06, 0.22, 0.3)
LEFT = (0.04, 0.35, 0.75, 0.85, 0.9)


def draw_flare_stars(u, known):
    """Draw red dwarfs."""
    return {"temperature": 2900 + 600 * u["temperature"], "flare_rate": 0.4 * 15 ** u["shape"]}


def draw_supernovae_ia(u, known):
    """Draw thermonuclear supernovae: those that last longer are brighter."""
    stretch = 1 + 0.1 * ndtri(u["shape"])
    return {"stretch": stretch} | _supernova(u, known, -19.3 - 1.5 * (stretch - 1), 0.12)


def draw_supernovae_ii(u, known):
    """Draw supernovae of massive stars, with a plateau."""
    return {"plateau": 80 + 40 * u["shape"]} | _supernova(u, known, -16.9, 0.7)


def _supernova(u, known, absolute, scatter):
    amplitude = 0.4 + 2.1 * u["amplitude"]
    peak = known["magnitude"] - 2.5 * np.log10(10 ** (0.4 * amplitude) - 1)
    redshifts = np.geomspace(1e-3, 3, 1000)
    moduli = distances(redshifts)[1]
    # nearer ones by the law of Hubble: ten magnitudes are a factor of 100
    redshifts, moduli = np.append(1e-5, redshifts), np.append(moduli[0] - 10, moduli)
    modulus = peak - absolute - scatter * ndtri(u["redshift"])
    return {
        "epoch": u["in_season"],
        "amplitude": amplitude,
        "redshift": np.exp(np.interp(modulus, moduli, np.log(redshifts))),
        "temperature": 4500 + 1500 * u["temperature"],
    }


def flaring(latents, row, time, wavelength, generator):
    """Return the change in magnitude by flares that come at random."""
    contrast = _relative_to_r(wavelength, FLARE) / _relative_to_r(
        wavelength, latents["temperature"][row]
    )
    light = np.zeros(len(time))
    for star, rate in enumerate(latents["flare_rate"]):
        at = np.flatnonzero(row == star)
        begin, end = time[at[0]] - 1, time[at[-1]]
        count = generator.poisson(rate * (end - begin))
        peak, height, width = generator.random((count, 3)).T
        peak = np.sort(begin + (end - begin) * peak)
        height = np.minimum(0.01 * height**-1.2, 3)  # a power law, of the flux in r
        # about 8 minutes wide at half maximum for a flare of a tenth, longer if it is higher
        width = 0.0055 * (height / 0.1) ** 0.35 * np.exp(0.3 * ndtri(width))
        # a flare is seen from a width before its peak until it has faded
        first = np.searchsorted(peak, time[at] - LONGEST_FLARE * width.max(initial=0))
        last = np.searchsorted(peak, time[at] + width.max(initial=0))
        for ahead in range((last - first).max(initial=0)):
            seen = np.flatnonzero(first + ahead < last)
            which = first[seen] + ahead
            light[at[seen]] += height[which] * flare((time[at[seen]] - peak[which]) / width[which])
    return -2.5 * np.log10(1 + contrast * light)


def flare(time):
    """Return the template of Davenport et al. (2014), time in full widths at half maximum."""
    rise = np.polynomial.polynomial.polyval(
        np.minimum(time, 0), [1, 1.941, -0.175, -2.246, -1.125]
    )
    later = np.maximum(time, 0)
    decay = 0.6890 * np.exp(-1.600 * later) + 0.3030 * np.exp(-0.2783 * later)
    return np.where(time < 0, np.where(time > -1, rise, 0), decay)


def supernova_ia(latents, row, time, wavelength, generator):
    """Return the change in magnitude of a galaxy by a supernova of type Ia.

    From the red on, it has a second maximum three to four weeks after the first.
    """

    def light(days, rest, of):
        days = days / latents["stretch"][of]
        fall = np.interp(rest, AT_REST, FADING)
        again = np.interp(rest, AT_REST, SECOND_MAXIMUM)
        again = again * np.exp(-0.5 * ((days - 31) / 7) ** 2)
        return bazin(days, 4.0, 0.0, 1.0, fall) + again + 0.08 * bazin(days, 4.0, 0.0, 1.0, 70)

    return _brightened(light, 11_000, latents, row, time, wavelength)


def supernova_ii(latents, row, time, wavelength, generator):
    """Return the change in magnitude of a galaxy by a supernova of type II with a plateau."""

    def light(days, rest, of):
        left = np.interp(rest, AT_REST, LEFT)
        tail = 0.08 * bazin(days, 2.5, 0.0, 1.0, 111)  # heated by cobalt
        return bazin(days, 2.5, latents["plateau"][of], left, 7.0) + tail

    return _brightened(light, 8_000, latents, row, time, wavelength)


def bazin(days, rise, plateau, left, fall):
    """Return the function of Bazin et al. (2009), with a plateau as in Villar et al. (2019).

    It rises around day 0 within ``rise`` days, declines evenly in magnitudes to the share ``left``
    until the end of the plateau, and from there e-fold in ``fall`` days. Without plateau it is
    Bazin's.
    """
    decline = left ** (np.clip(days, 0, plateau) / np.maximum(plateau, 1))
    late = np.where(plateau > 0, np.maximum(days - plateau, 0), days)
    return decline * np.exp(-late / fall - np.logaddexp(0, -days / rise))


def _brightened(light, temperature, latents, row, time, wavelength):
    """Return the change in magnitude of a galaxy, from the light by days, wavelength and object.

    The maximum in r is at the epoch, and its height there that of the amplitude.
    """
    stretch = 1 + latents["redshift"]
    days = np.linspace(-10, 60, 281)
    every = np.arange(len(stretch))
    course = light(days, REFERENCE / stretch[:, None], every[:, None])  # (n, days)
    course_at = course.argmax(axis=1)
    height = (10 ** (0.4 * latents["amplitude"]) - 1) / course[every, course_at]

    days = (time - latents["epoch"][row]) / stretch[row] + days[course_at][row]
    rest = wavelength / stretch[row]
    own = _relative_to_r(wavelength, temperature / stretch[row])
    # metals take the ultraviolet away
    own = own * _ultraviolet(rest) / _ultraviolet(REFERENCE / stretch[row])
    galaxy = _relative_to_r(wavelength, latents["temperature"][row])
    return -2.5 * np.log10(1 + height[row] * own / galaxy * light(days, rest, row))


def _ultraviolet(rest):
    return np.interp(rest, (2500, 4200), (0.05, 1.0))


def _relative_to_r(wavelength, temperature):
    return black_body(wavelength, temperature) / black_body(REFERENCE, temperature)
