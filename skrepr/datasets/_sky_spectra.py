"""The light of stars, galaxies and quasars by wavelength, from their latents."""

import numpy as np

from ._black_body import black_body

SPEED_OF_LIGHT = 299792.458  # km / s
# Each line: its wavelength at rest (Angstrom), its equivalent width (Angstrom, negative in
# absorption) and the width of the line itself (km / s, one standard deviation).
OLD_STARS = (
    (3934, -9, 400),
    (3969, -8, 400),
    (4304, -7, 900),
    (4384, -3, 400),
    (4861, -2, 300),
    (5175, -7, 900),
    (5270, -3, 500),
    (5335, -2.5, 500),
    (5893, -4, 350),
    (6563, -1.5, 300),
    (7100, -8, 2500),
    (8498, -1.5, 250),
    (8542, -4, 250),
    (8662, -3.5, 250),
)
NEBULAE = (
    (3727, 18, 150),
    (3869, 4, 100),
    (4102, 4, 100),
    (4341, 8, 100),
    (4861, 20, 100),
    (4959, 5, 100),
    (5007, 14, 100),
    (6548, 9, 100),
    (6563, 85, 100),
    (6583, 27, 100),
    (6716, 13, 100),
    (6731, 10, 100),
)
# after the composite of Vanden Berk et al. (2001)
BROAD_LINES = (
    (1216, 80),
    (1240, 15),
    (1400, 10),
    (1549, 28),
    (1909, 22),
    (2799, 34),
    (4102, 6),
    (4341, 14),
    (4861, 48),
    (6563, 190),
)
NARROW_LINES = ((3727, 2, 300), (4959, 5, 300), (5007, 15, 300))
BALMER = (3835, 3889, 3970, 4102, 4341, 4861, 6563)
METALS = (
    (3934, -10, 500),
    (3969, -8, 500),
    (4227, -2, 300),
    (4304, -6, 900),
    (5175, -5, 900),
    (5270, -2, 400),
    (5893, -3, 300),
    (8498, -1.5, 250),
    (8542, -3.5, 250),
    (8662, -3, 250),
)
# Heads of the bands of titanium oxide: steep on the blue side, fading over these Angstrom.
TITANIUM_OXIDE = ((4760, 120), (4955, 150), (5170, 180), (5450, 180), (5850, 220), (6150, 250))
TITANIUM_OXIDE += ((6650, 250), (7055, 350), (7590, 350), (8430, 350))


def spectra_of_parts(labels, latents, log_wavelength, forest):
    """Return the flux per Angstrom of the four parts of each object, each on its own scale.

    The parts are the core (all of a star, a quasar or an elliptical; the bulge of a spiral),
    the disk, its arms, and the lens in front: (n, 4, L). ``log_wavelength`` is an even grid, and
    the resolution follows its step. ``forest`` are standard normal numbers (n, L).
    """
    wavelength = np.exp(log_wavelength)
    blur = 0.8 * (log_wavelength[1] - log_wavelength[0])
    flux = np.zeros((len(latents), 4, len(wavelength)))
    stretch = 1 + latents["redshift"].to_numpy()[:, None]
    star, quasar, spiral = (labels == name for name in ("star", "quasar", "spiral"))
    galaxy = ~(star | quasar)
    rest = wavelength / stretch
    flux[star, 0] = _star(wavelength, latents["temperature"].to_numpy()[star, None], blur)
    flux[quasar, 0] = _quasar(
        rest[quasar], latents["line_width"].to_numpy()[quasar, None], blur
    ) * _transmission(rest[quasar], stretch[quasar], forest[quasar])
    flux[galaxy, 0] = _old_stars(rest[galaxy], blur)
    flux[spiral, 1] = _old_stars(rest[spiral], blur)
    flux[spiral, 2] = _young_stars(rest[spiral], blur)
    lensed = latents["lensed"].to_numpy()
    in_front = 1 + latents["lens_redshift"].to_numpy()[lensed, None]
    flux[lensed, 3] = _old_stars(wavelength / in_front, blur)
    return flux


def _black_body(wavelength, temperature):
    # relative to 5500 Angstrom, which keeps numbers near one
    return black_body(wavelength, temperature) / black_body(5500, temperature)


def _lines(rest, lines, blur, strength=1.0, width=None):
    """Return what lines do to a continuum of 1; ``width`` (km/s) replaces that of the list."""
    log_rest = np.log(rest)
    total = np.ones(np.broadcast_shapes(rest.shape, np.shape(strength)))
    for center, equivalent_width, *own_width in lines:
        velocity = own_width[0] if width is None else width
        sigma = np.sqrt((velocity / SPEED_OF_LIGHT) ** 2 + blur**2)
        height = strength * equivalent_width / (center * sigma * np.sqrt(2 * np.pi))
        total += height * np.exp(-0.5 * ((log_rest - np.log(center)) / sigma) ** 2)
    return np.maximum(total, 0.05)


def _step(rest, edge, width):
    return 1 / (1 + np.exp(np.clip((edge - rest) / width, -50, 50)))


def _old_stars(rest, blur):
    """Return an old population: red, with metal lines and the break at 4000 Angstrom."""
    below_break = 0.58 + 0.42 * _step(rest, 4000, 20)
    bluest = 0.4 + 0.6 * _step(rest, 3300, 150)
    return _black_body(rest, 5000) * below_break * bluest * _lines(rest, OLD_STARS, blur)


def _young_stars(rest, blur):
    """Return a young population and the gas that it makes shine."""
    balmer_break = 0.75 + 0.25 * _step(rest, 3700, 40)
    return _black_body(rest, 9500) * balmer_break * _lines(rest, NEBULAE, blur)


def _quasar(rest, line_width, blur):
    """Return a power law, broad lines, and the blends of iron between them."""
    iron = 1 + 0.18 * np.exp(-0.5 * ((rest - 2500) / 180) ** 2)
    iron += 0.12 * np.exp(-0.5 * ((rest - 3150) / 250) ** 2)
    iron += 0.10 * np.exp(-0.5 * ((rest - 4580) / 70) ** 2)
    iron += 0.08 * np.exp(-0.5 * ((rest - 5300) / 90) ** 2)
    broad = _lines(rest, BROAD_LINES, blur, width=line_width / 2.3548)
    narrow = _lines(rest, NARROW_LINES, blur)
    continuum = (rest / 3000) ** -1.5 + 0.25 * (rest / 5500) ** 0.5 * _step(rest, 4500, 300)
    return continuum * (iron + broad + narrow - 2)


def _transmission(rest, stretch, forest):
    """Return what hydrogen between a quasar and us lets through: the forest of Lyman alpha."""
    depth = 0.0036 * (rest * stretch / 1215.67) ** 3.45  # Meiksin (2006)
    left = np.exp(-depth * np.exp(0.9 * forest - 0.4))
    return np.where(rest < 1215.67, left * (rest > 912), 1.0)


def _star(wavelength, temperature, blur):
    """Return a black body with the lines that its temperature allows."""
    hydrogen = 13 * np.exp(-0.5 * (np.log(temperature / 9500) / 0.35) ** 2)
    balmer = _lines(wavelength, [(line, -1, 900) for line in BALMER], blur, hydrogen)
    neutral = 1 / (1 + (temperature / 6000) ** 6)
    metals = _lines(wavelength, METALS, blur, 1.4 * neutral)
    blanketing = 1 - 0.45 * neutral * (1 - _step(wavelength, 4000 + 0 * temperature, 60))
    molecules = 1 / (1 + (temperature / 3700) ** 14)
    bands = np.ones(np.broadcast_shapes(wavelength.shape, temperature.shape))
    for head, fade in TITANIUM_OXIDE:
        beyond = wavelength - head
        band = _step(wavelength, head, 12) * np.exp(-np.maximum(beyond, 0) / fade)
        bands = bands * (1 - 0.55 * molecules * band)
    return _black_body(wavelength, temperature) * balmer * metals * blanketing * bands
