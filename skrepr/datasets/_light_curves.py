"""Light curves of what varies in the sky, as surveys measure them."""

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state, check_scalar

from ._light_population import CLASSES, draw_latents
from ._light_surveys import (
    EXTINCTION,
    SURVEYS,
    WAVELENGTHS,
    color,
    draw_weather,
    errors_of,
    visits_from_ground,
    visits_from_space,
)

CHANNELS = ("time", "magnitude", "error", "band")
BLOCK = 256  # objects at a time, so that memory is bounded


def make_light_curves(
    n_samples=1000,
    *,
    classes=None,
    survey="ztf",
    bands=None,
    baseline=None,
    noise=1.0,
    outlier_fraction=0.0,
    random_state=None,
):
    r"""Generate light curves of variable stars, transients and quasars as a survey sees them.

    Times are uneven, as telescopes on the ground have them: seasons, clouds, the moon, sidereal
    time. Errors follow from the magnitude and the night. The truth is known: period, amplitude,
    epoch and more of each object.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of light curves.
    classes : str, sequence of str or dict of str to float, default=None
        Classes to draw from, equally often, or the relative frequency of each. None: all, which
        are ``"cepheid"``, ``"constant"``, ``"contact_binary"``, ``"detached_binary"``,
        ``"flare_star"``, ``"mira"``, ``"quasar"``, ``"rr_lyrae_ab"``, ``"rr_lyrae_c"``,
        ``"supernova_ia"``, ``"supernova_ii"`` and ``"transit"``.
    survey : {"ztf", "lsst", "tess"}, default="ztf"
        Whose cadence, bands, depths and brightness of objects:

        - ``"ztf"``: g, r and i, two visits every second clear night, 14 to 18.5 mag
        - ``"lsst"``: u, g, r, i, z and y, two visits every fourth clear night, 17 to 21.5 mag
        - ``"tess"``: one band, every half an hour from space, 8 to 13.5 mag; the choice for
          transits and flares
    bands : str or sequence of str, default=None
        Bands to observe in; those left out give their visits to the others. None: all of the
        survey.
    baseline : float, default=None
        Days from the first night to the last, 1 to a century. None: 3 years for ``"ztf"``, 10
        years for ``"lsst"``, and 27.4 days for ``"tess"``, which is one sector.
    noise : float, default=1.0
        Factor of the errors, 1 being the survey's, 0 none: at the same times the true magnitudes,
        with errors of 0.
    outlier_fraction : float, default=0.0
        Share of observations that are wrong by 0.2 magnitudes and more, in either direction,
        which their errors do not tell.
    random_state : int, RandomState instance or None, default=None
        Seed. The same int gives the same curves: the first ones are the same for each
        `n_samples`, and times and truth do not depend on `noise` and `outlier_fraction`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these attributes:

        curves : list of ndarray of shape (4, n_observations), float64
            One array per object, with times in rising order in the first channel.
        labels : ndarray of shape (n_samples,), str
            Class of each object.
        latents : DataFrame of shape (n_samples, 19)
            What curves are made from, NaN where an object has no such thing:

            - ``magnitude``: AB magnitude in r without dust; mean of pulsating stars and quasars,
              out of eclipse of binaries, of the host galaxy of supernovae
            - ``right_ascension``: degrees; it tells the season
            - ``reddening``: by dust in front, :math:`E(B - V)`
            - ``temperature``: kelvin, of the star, of the hotter one of two, or of the starlight
              of a host galaxy
            - ``amplitude``: in magnitudes in r; from minimum to maximum for pulsating stars (mean
              of the cycles of Miras), depth of contact binaries, of eclipses of the hotter star
              and of transits, brightening of host and supernova together; of quasars the
              structure function :math:`SF_\infty` after long times; 0 for constants
            - ``period``: days
            - ``epoch``: modified Julian date of the first maximum of a pulsating star, the middle
              of the first eclipse of the hotter star or transit, the maximum of a supernova in r
            - ``shape``: about 1 for pulsating stars, the larger the stronger are the harmonics of
              the Fourier series; of contact binaries the degree of contact, 0 to 1
            - ``radius``: of the hotter star, in semi-major axes of the orbit
            - ``radius_ratio``, ``temperature_ratio``: of the companion, which is a planet for
              transits, over those of the star
            - ``inclination``: degrees; 90 is edge on
            - ``eccentricity``, ``periastron``: of the orbit, the latter in degrees
            - ``flare_rate``: flares a day that brighten r by more than one percent
            - ``redshift``: of supernovae and quasars
            - ``stretch``: of supernovae of type Ia, relative to the duration of a common one
            - ``plateau``: days at rest, supernovae of type II
            - ``timescale``: observed days in which a quasar forgets
        channels : tuple of str
            ``("time", "magnitude", "error", "band")``: modified Julian date, AB magnitude with
            dust, its standard deviation, and the index in ``bands``.
        bands : tuple of str
            Names of the bands.

    See Also
    --------
    make_sky_objects : Images and spectra of stars, quasars and galaxies.

    Notes
    -----
    RR Lyrae stars, Cepheids and Miras are Fourier series with amplitude ratios and phase
    differences like those of real ones [1]_, [2]_; their amplitude, not their phase, differs from
    band to band. Detached binaries and transits are disks with linear limb darkening, cut into
    rings and otherwise exact [3]_; tides and reflection are left out. Contact binaries have the
    cosines of [4]_. Flares follow the template of [5]_. Supernovae follow the function of [6]_,
    with a plateau like that of [7]_ or a second maximum in the red; they stand on their host
    galaxy, so that a curve begins before and ends after them. Quasars are damped random walks
    [8]_, exact at any times.

    Brightnesses are those at which the survey measures well, not those of a census. What is
    fainter than the depth of a visit is not there. There are no blends, no upper limits and no
    saturation. 10,000 curves of ``"ztf"`` with the default baseline take some seconds.

    References
    ----------
    .. [1] N. R. Simon and A. S. Lee (1981). The structural properties of Cepheid light curves.
       Astrophysical Journal 248.
    .. [2] S. Deb and H. P. Singh (2009). Light curve analysis of variable stars using Fourier
       decomposition and principal component analysis. Astronomy and Astrophysics 507.
    .. [3] K. Mandel and E. Agol (2002). Analytic light curves for planetary transit searches.
       Astrophysical Journal 580.
    .. [4] S. M. Rucinski (1993). A simple description of light curves of W UMa systems.
       Publications of the Astronomical Society of the Pacific 105.
    .. [5] J. R. A. Davenport et al. (2014). Kepler flares II. The temporal morphology of
       white-light flares on GJ 1243. Astrophysical Journal 797.
    .. [6] G. Bazin et al. (2009). The core-collapse rate from the Supernova Legacy Survey.
       Astronomy and Astrophysics 499.
    .. [7] V. A. Villar et al. (2019). Supernova photometric classification pipelines trained on
       spectroscopically classified supernovae from the Pan-STARRS1 medium-deep survey.
       Astrophysical Journal 884.
    .. [8] B. C. Kelly, J. Bechtold and A. Siemiginowska (2009). Are the variations in quasar
       optical flux driven by thermal fluctuations? Astrophysical Journal 698.

    Examples
    --------
    >>> from skrepr.datasets import make_light_curves
    >>> data = make_light_curves(50, classes=["rr_lyrae_ab", "quasar"], random_state=0)
    >>> data.channels, data.bands
    (('time', 'magnitude', 'error', 'band'), ('g', 'r', 'i'))
    >>> time, magnitude, error, band = data.curves[0]
    >>> bool((time[1:] >= time[:-1]).all())
    True
    >>> data.latents.loc[data.labels == "rr_lyrae_ab", "period"].between(0.35, 0.9).all()
    np.True_
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(noise, "noise", Real, min_val=0)
    check_scalar(outlier_fraction, "outlier_fraction", Real, min_val=0, max_val=1)
    weights = _weights_of(classes)
    survey = _survey_of(survey, bands)
    if baseline is None:
        baseline = survey.baseline
    check_scalar(baseline, "baseline", Real, min_val=1, max_val=36525)
    seed = random_state  # None: fresh, and numpy's global generator is left as it is
    if seed is not None:
        seed = check_random_state(random_state).randint(2**32, dtype=np.uint64)
    # one generator for each kind of number and each class, so that each is the same whatever the
    # others are
    streams = np.random.SeedSequence(seed).spawn(7 + len(CLASSES))
    draws, weather, nights, details, detector, lots, heights, *events = map(
        np.random.default_rng, streams
    )
    events = dict(zip(CLASSES, events))
    labels, latents = draw_latents(n_samples, weights, survey, baseline, draws)
    clear = draw_weather(int(np.ceil(baseline)), weather)
    curves = []
    for start in range(0, n_samples, BLOCK):
        rows = slice(start, start + BLOCK)
        block = {name: column.to_numpy()[rows] for name, column in latents.items()}
        if survey.interval:
            visits = visits_from_ground(survey, block["right_ascension"], clear, nights, details)
        else:
            visits = visits_from_space(survey, len(labels[rows]), baseline, nights)
        row, time, band, depth = visits
        magnitude = _true_magnitudes(survey, labels[rows], block, row, time, band, events)
        margin = depth - magnitude
        kept = _detected(margin, row)
        error = noise * errors_of(magnitude, depth, survey.floor)
        magnitude += error * detector.standard_normal(len(row))
        magnitude += (lots.random(len(row)) < outlier_fraction) * _blunders(heights, len(row))
        channels = np.stack([time, magnitude, error, band])[:, kept]
        begins = np.flatnonzero(np.diff(row[kept])) + 1
        curves += [curve.copy() for curve in np.split(channels, begins, axis=1)]
    return Bunch(
        curves=curves, labels=labels, latents=latents, channels=CHANNELS, bands=survey.bands
    )


def _weights_of(classes):
    """Return the relative frequency of each class."""
    if not isinstance(classes, Mapping):
        names = CLASSES if classes is None else [classes] if isinstance(classes, str) else classes
        classes = dict.fromkeys(names, 1.0)
    unknown = [name for name in classes if name not in CLASSES]
    if unknown or not classes:
        raise ValueError(
            f"classes must be some of {', '.join(CLASSES)}. Got {unknown or 'none'} instead."
        )
    for name, weight in classes.items():
        check_scalar(weight, f"classes[{name!r}]", Real, min_val=0)
    if not 0 < sum(classes.values()) < np.inf:
        raise ValueError(f"Frequencies of classes must have a positive sum. Got {dict(classes)}.")
    return dict(classes)


def _survey_of(name, bands):
    """Return the survey, in the bands that are asked for."""
    if name not in SURVEYS:
        raise ValueError(f"survey must be one of {', '.join(SURVEYS)}. Got {name!r} instead.")
    survey = SURVEYS[name]
    if bands is None:
        return survey
    bands = (bands,) if isinstance(bands, str) else tuple(bands)
    unknown = [band for band in bands if band not in survey.bands]
    if unknown or not bands or len(set(bands)) < len(bands):
        raise ValueError(
            f"bands must be some of {', '.join(survey.bands)}, the bands of {name!r}, each once. "
            f"Got {bands!r} instead."
        )
    at = [survey.bands.index(band) for band in bands]
    return survey._replace(
        bands=bands,
        shares=tuple(survey.shares[index] for index in at),
        depths=tuple(survey.depths[index] for index in at),
    )


def _true_magnitudes(survey, labels, latents, row, time, band, events):
    """Return the magnitude of each object at its times, in its bands, without noise."""
    quiet = latents["magnitude"][:, None] + np.stack(
        [
            color(name, latents["temperature"]) + EXTINCTION[name] * latents["reddening"]
            for name in survey.bands
        ],
        axis=1,
    )
    magnitude = quiet[row, band]
    wavelength = np.array([WAVELENGTHS[name] for name in survey.bands], dtype=float)[band]
    label = labels[row]
    for name, kind in CLASSES.items():
        at = np.flatnonzero(label == name)
        if len(at):
            objects = np.flatnonzero(labels == name)
            own = {key: of[objects] for key, of in latents.items()}
            of = np.searchsorted(objects, row[at])
            magnitude[at] += kind.change(own, of, time[at], wavelength[at], events[name])
    return magnitude


def _detected(margin, row):
    """Return where an object is brighter than the depth, and of one that never is, the best."""
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    best = np.maximum.reduceat(margin, starts)
    return margin >= np.minimum(best, 0)[row]


def _blunders(generator, size):
    """Draw errors that nobody knows of: 0.2 magnitudes and more."""
    lot = generator.random((size, 2)).T
    return np.where(lot[0] < 0.5, -1, 1) * (0.2 + 0.5 * -np.log1p(-lot[1]))
