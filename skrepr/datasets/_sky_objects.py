"""Images and spectra of objects in the sky."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from ._sky_images import FIELD, images_of_parts
from ._sky_population import draw_latents
from ._sky_spectra import spectra_of_parts

WAVELENGTHS = 3800, 9200  # Angstrom
BANDS = ((4000, 5500), (5600, 7000), (7000, 8400))  # g, r, i
NANOMAGGY = 1.0886e7  # in 1e-17 erg / s / cm2 / Angstrom, times the wavelength squared
SKY = 0.05  # noise of the sky, nanomaggies in a square arcsecond
PHOTONS = 0.002  # variance of the noise that comes with a nanomaggy of the object itself
SPECTRUM = 0.3  # noise of spectra, of 512 wavelengths, where it is least
BLOCK = 64  # objects at a time, so that what is computed of them stays in the cache


def make_sky_objects(
    n_samples=1000,
    *,
    image_size=32,
    n_wavelengths=512,
    lensed_fraction=0.1,
    noise=1.0,
    random_state=None,
):
    r"""Generate images and spectra of stars, quasars and galaxies that share their latents.

    Four classes are equally frequent: stars, quasars, elliptical and spiral galaxies. Some
    quasars and spirals stand behind an elliptical, whose gravity bends their light into arcs, or
    two or four images. The brightness in each band is that of the spectrum: what moves
    the lines of a galaxy to the red also changes its colors, and makes it fainter and smaller.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of objects.
    image_size : int, default=32
        Height and width of the images in pixels. They always show 12 arcseconds, at a seeing
        of 0.8 arcseconds, so that more pixels are finer ones.
    n_wavelengths : int, default=512
        Number of wavelengths, from 3800 to 9200 Angstrom. Their resolution follows it.
    lensed_fraction : float, default=0.1
        Share of quasars and spirals that stand behind a lens.
    noise : float, default=1.0
        Noise of images and spectra, 1 being a survey's, 0 none: the same objects without noise.
    random_state : int, RandomState instance or None, default=None
        Seed. The same int gives the same objects: the first ones are the same for each
        `n_samples`, also their noise, and latents and images do not depend on `n_wavelengths`.

    Returns
    -------
    images : ndarray of shape (n_samples, 3, image_size, image_size), float32
        Flux of each pixel in nanomaggies, in the bands g, r and i (4000 to 5500, 5600 to 7000
        and 7000 to 8400 Angstrom). North is up and east is left as
        :func:`~matplotlib.pyplot.imshow` draws them. Networks and eyes see more after
        ``numpy.arcsinh(images / 0.05)``, as pictures of galaxies are made.
    spectra : ndarray of shape (n_samples, n_wavelengths), float32
        Flux in 1e-17 erg / s / cm2 / Angstrom at wavelengths
        ``numpy.geomspace(3800, 9200, n_wavelengths)``, on which a redshift is a shift. A table;
        ``spectra[:, numpy.newaxis]`` is a series of one channel.
    latents : DataFrame of shape (n_samples, 24)
        What images and spectra are made from, NaN where an object has no such thing:

        - ``redshift``: 0 for stars
        - ``magnitude``: AB magnitude in r, of the object without a lens
        - ``size``: radius in arcseconds along the longest axis that holds half the light, of
          disks and ellipticals; 0 for stars and quasars
        - ``axis_ratio``: shortest over longest axis as seen; of spirals it follows from the
          inclination
        - ``position_angle``: degrees from north to east of the longest axis
        - ``inclination``: degrees, 0 is face on, 90 edge on; spirals
        - ``bulge_fraction``: share of the bulge in the light in r; 1 for ellipticals
        - ``star_formation``: share of young stars in the light of the disk in r; 0 for
          ellipticals
        - ``pitch_angle``: degrees, how open the spiral arms are; below 0 they wind the other way
        - ``arm_phase``: degrees by which the arms are turned in the disk
        - ``temperature``: kelvin; stars
        - ``line_width``: full width of broad lines at half maximum in km/s; quasars
        - ``x``, ``y``: arcseconds to the right and upwards from the center of the image
        - ``noise``: of this object, as the parameter, which it scatters around
        - ``lensed``: whether there is a lens in front
        - ``einstein_radius``: arcseconds; 0 without lens
        - ``lens_redshift``, ``lens_magnitude``, ``lens_axis_ratio``, ``lens_position_angle``:
          the same of the lens, which then stands at ``x``, ``y``
        - ``source_distance``, ``source_angle``: arcseconds and degrees from north to east, where
          the object would be seen from the lens, if that were not heavy
        - ``magnification``: by the lens, of the light in the image; 1 without lens
    labels : ndarray of shape (n_samples,), str
        ``"elliptical"``, ``"quasar"``, ``"spiral"`` or ``"star"``; behind a lens the class of the
        object, not of the lens.

    See Also
    --------
    make_light_curves : What changes in the sky, night by night.
    make_manifold : Rows on a curved manifold of few dimensions.

    Notes
    -----
    Stars and quasars are points, ellipticals Sersic profiles of index 4, spirals a bulge of the
    same kind and an exponential disk with two logarithmic arms, where the young stars are. Lenses
    are singular isothermal ellipsoids [1]_. All is convolved with a seeing of two normal
    distributions and integrated over the pixels. Magnitudes and sizes of galaxies follow from
    luminosities, radii and a flat universe (:math:`H_0` = 70 km/s/Mpc, :math:`\Omega_m` = 0.3).

    Spectra are simple, with the features that one recognizes: stars are black bodies with
    hydrogen, metals or titanium oxide; ellipticals have metal lines and the break at 4000
    Angstrom, spirals nebular lines in addition; quasars have broad lines on a power law [2]_,
    and hydrogen in front of them. There are no dust, no neighbors in the image and no flaws of
    detectors. 10,000 objects take some seconds.

    References
    ----------
    .. [1] R. Kormann, P. Schneider and M. Bartelmann (1994). Isothermal elliptical gravitational
       lens models. Astronomy and Astrophysics 284.
    .. [2] D. E. Vanden Berk et al. (2001). Composite quasar spectra from the Sloan Digital Sky
       Survey. Astronomical Journal 122.

    Examples
    --------
    >>> from skrepr.datasets import make_sky_objects
    >>> images, spectra, latents, labels = make_sky_objects(200, random_state=0)
    >>> images.shape, spectra.shape
    ((200, 3, 32, 32), (200, 512))
    >>> print(*sorted(set(labels)))
    elliptical quasar spiral star
    >>> latents.loc[labels == "spiral", "redshift"].between(0.08, 0.9).all()
    np.True_
    """
    for name, value, least in (
        ("n_samples", n_samples, 1),
        ("image_size", image_size, 8),
        ("n_wavelengths", n_wavelengths, 16),
    ):
        check_scalar(value, name, Integral, min_val=least)
    check_scalar(lensed_fraction, "lensed_fraction", Real, min_val=0, max_val=1)
    check_scalar(noise, "noise", Real, min_val=0)
    seed = random_state  # None: fresh, and numpy's global generator is left as it is
    if seed is not None:
        seed = check_random_state(random_state).randint(2**32, dtype=np.uint64)
    # one generator for each kind of number, so that each is the same whatever the others are
    streams = np.random.SeedSequence(seed).spawn(4)
    draws, sky, detector, forest = map(np.random.default_rng, streams)
    labels, latents = draw_latents(n_samples, lensed_fraction, noise, draws)
    images = np.empty((n_samples, len(BANDS), image_size, image_size), dtype=np.float32)
    spectra = np.empty((n_samples, n_wavelengths), dtype=np.float32)
    magnification = np.ones(n_samples)
    for start in range(0, n_samples, BLOCK):
        rows = slice(start, start + BLOCK)
        images[rows], spectra[rows], magnification[rows] = _observe(
            labels[rows], latents.iloc[rows], image_size, n_wavelengths, forest
        )
        scatter = latents["noise"].to_numpy(dtype=np.float32)[rows, None]
        images[rows] += _noise_of_images(images[rows], scatter[..., None, None], sky)
        spectra[rows] += (
            _noise_of_spectra(n_wavelengths) * scatter * _normal(detector, spectra[rows])
        )
    return images, spectra, latents.assign(magnification=magnification), labels


def _observe(labels, latents, image_size, n_wavelengths, forest):
    """Return images and spectra without noise, and the magnification."""
    places = images_of_parts(labels, latents, image_size)  # (n, 4, height, width)
    lensed = latents["lensed"].to_numpy()
    in_r = _flux_of_parts(latents)  # (n, 4)
    seen = in_r[:, :3] * places[:, :3].sum(axis=(2, 3))
    magnification = np.where(lensed, seen.sum(axis=1) / in_r[:, :3].sum(axis=1), 1.0)

    # the brightness in the bands, on a grid of its own, so that it does not depend on the other
    grid = np.linspace(*np.log(WAVELENGTHS), 256)
    even = np.zeros((len(labels), 256))
    per_hertz = np.exp(2 * grid) * spectra_of_parts(labels, latents, grid, even)
    in_bands = [
        per_hertz[..., (np.log(blue) < grid) & (grid < np.log(red))].mean(axis=2)
        for blue, red in BANDS
    ]
    there = in_r > 0
    scale = np.divide(in_r, in_bands[1], out=np.zeros_like(in_r), where=there)
    bands = np.stack(in_bands, axis=2) * scale[:, :, None]  # (n, 4, 3) in nanomaggies
    images = np.einsum("npyx,npb->nbyx", places, bands.astype(np.float32), optimize=True)

    grid = np.linspace(*np.log(WAVELENGTHS), n_wavelengths)
    parts = spectra_of_parts(
        labels, latents, grid, forest.standard_normal((len(labels), n_wavelengths))
    )
    scale[:, :3] *= magnification[:, None]
    spectra = NANOMAGGY * np.einsum("npl,np->nl", parts, scale)
    return images, spectra, magnification


def _flux_of_parts(latents):
    """Return the flux in r of the core, the disk, its arms and the lens, in nanomaggies."""
    whole, lens = (
        10 ** (0.4 * (22.5 - latents[name].to_numpy())) for name in ("magnitude", "lens_magnitude")
    )
    core, young = latents["bulge_fraction"].fillna(1), latents["star_formation"].fillna(0)
    shares = np.stack([core, (1 - core) * (1 - young), (1 - core) * young], axis=1)
    return np.column_stack([whole[:, None] * shares, np.nan_to_num(lens)])


def _normal(generator, like):
    return generator.standard_normal(like.shape, dtype=np.float32)


def _noise_of_images(images, scatter, generator):
    area = (FIELD / images.shape[-1]) ** 2
    deviation = np.sqrt(SKY**2 * area + PHOTONS * images)
    return scatter * deviation * _normal(generator, images)


def _noise_of_spectra(n_wavelengths):
    """Return the noise of a spectrum by wavelength, most at its ends and in the sky's lines."""
    wavelength = np.geomspace(*WAVELENGTHS, n_wavelengths)
    ends = 1 + 1.5 * np.exp((3800 - wavelength) / 200) + 0.8 * np.exp((wavelength - 9200) / 500)
    lines = 1.5 * np.exp(-0.5 * ((wavelength - 5577) / 8) ** 2)
    return (SPECTRUM * np.sqrt(n_wavelengths / 512) * (ends + lines)).astype(np.float32)
