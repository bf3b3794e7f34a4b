"""What stands in the sky: the latents that images and spectra of an object share."""

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtri

CLASSES = ("elliptical", "quasar", "spiral", "star")
# Each object owns one row of uniform numbers, a column for each of these: what is drawn for an
# object does not depend on how many follow.
QUANTITIES = (
    "class",
    "redshift",
    "luminosity",
    "radius",
    "inclination",
    "axis_ratio",
    "position_angle",
    "bulge_fraction",
    "star_formation",
    "pitch_angle",
    "handedness",
    "arm_phase",
    "temperature",
    "line_width",
    "x",
    "y",
    "noise",
    "lensed",
    "einstein_radius",
    "lens_redshift",
    "lens_magnitude",
    "lens_axis_ratio",
    "lens_position_angle",
    "source_distance",
    "source_angle",
)
THICKNESS = 0.18  # of a disk seen edge on, its shortest axis over its longest


def draw_latents(n_samples, lensed_fraction, noise, generator):
    """Draw labels and latents; `make_sky_objects` says what they mean and in which units."""
    u = dict(zip(QUANTITIES, generator.random((n_samples, len(QUANTITIES))).T))
    labels = np.array(CLASSES)[(u["class"] * len(CLASSES)).astype(int)]
    elliptical, quasar, spiral, star = (labels == name for name in CLASSES)
    galaxy = elliptical | spiral
    # an elliptical far behind a lens is too faint and red to be seen
    lensed = (quasar | spiral) & (u["lensed"] < lensed_fraction)

    # what a lens magnifies lies far behind it
    galaxy_redshift = 0.08 + 0.42 * betaincinv(1.6, 2.2, u["redshift"]) + 0.4 * lensed
    quasar_redshift = 0.3 + 3.2 * betaincinv(1.8, 2.2, u["redshift"])
    redshift = np.select([star, quasar], [0.0, quasar_redshift], galaxy_redshift)
    kiloparsec, modulus = distances(redshift)

    absolute = -21.3 - 0.5 * ndtri(u["luminosity"])
    magnitude = np.where(galaxy, absolute + modulus, 20.7 - 3.7 * (1 - u["luminosity"]) ** 1.5)
    # magnified into view, and not beyond what is seen elsewhere
    magnitude += lensed * np.where(quasar, 1.5, -0.5)
    # brighter galaxies are larger, ellipticals more so than disks
    slope, typical = np.where(elliptical, [[-0.22], [4.5]], [[-0.11], [6.5]])
    radius = typical * 10 ** (slope * (absolute + 21.3) + 0.09 * ndtri(u["radius"]))
    size = np.where(galaxy, np.clip(radius / kiloparsec, 0.25, 3.2), 0.0)
    # face on and edge on as often as disks in random directions are
    cosine = u["inclination"]
    disk_ratio = np.sqrt(THICKNESS**2 + (1 - THICKNESS**2) * cosine**2)

    def only(mask, values):
        return np.where(mask, values, np.nan)

    # far away is long ago, when spirals had more young stars and less of a bulge
    star_formation = 0.25 + 0.5 * u["star_formation"] + 0.25 * lensed
    bulge_fraction = (0.05 + 0.35 * u["bulge_fraction"]) * np.where(lensed, 0.3, 1.0)
    einstein_radius = np.where(lensed, 1.1 + 1.3 * u["einstein_radius"], 0.0)
    pitch = (12 + 16 * u["pitch_angle"]) * np.where(u["handedness"] < 0.5, -1, 1)
    latents = {
        "redshift": redshift,
        "magnitude": magnitude,
        "size": size,
        "axis_ratio": only(galaxy, np.where(spiral, disk_ratio, 0.5 + 0.5 * u["axis_ratio"])),
        "position_angle": only(galaxy, 180 * u["position_angle"]),
        "inclination": only(spiral, np.degrees(np.arccos(cosine))),
        "bulge_fraction": only(galaxy, np.where(spiral, bulge_fraction, 1.0)),
        "star_formation": only(galaxy, np.where(spiral, star_formation, 0.0)),
        "pitch_angle": only(spiral, pitch),
        "arm_phase": only(spiral, 180 * u["arm_phase"]),
        "temperature": only(star, 3000 * 5 ** (u["temperature"] ** 1.3)),
        "line_width": only(quasar, 2000 * 4 ** u["line_width"]),
        "x": 0.12 * ndtri(u["x"]),
        "y": 0.12 * ndtri(u["y"]),
        "noise": noise * np.exp(0.25 * ndtri(u["noise"])),
        "lensed": lensed,
        "einstein_radius": einstein_radius,
        "lens_redshift": only(
            lensed, np.minimum(redshift * (0.3 + 0.3 * u["lens_redshift"]), 0.45)
        ),
        "lens_magnitude": only(lensed, 20.6 - 0.8 * einstein_radius + 0.8 * u["lens_magnitude"]),
        "lens_axis_ratio": only(lensed, 0.6 + 0.35 * u["lens_axis_ratio"]),
        "lens_position_angle": only(lensed, 180 * u["lens_position_angle"]),
        "source_distance": einstein_radius * (0.1 + 0.6 * np.sqrt(u["source_distance"])),
        "source_angle": only(lensed, 360 * u["source_angle"]),
    }
    return labels, pd.DataFrame(latents)


def distances(redshift, hubble=70.0, matter=0.3):
    """Return kiloparsecs in an arcsecond, and the distance modulus, in a flat universe."""
    grid = np.linspace(0, 4, 4001)
    rate = 299792.458 / (hubble * np.sqrt(matter * (1 + grid) ** 3 + 1 - matter))
    comoving = np.concatenate([[0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(grid))])
    distance = np.interp(np.maximum(redshift, 1e-3), grid, comoving)  # megaparsecs
    kiloparsec = distance / (1 + redshift) * 1000 * np.pi / (180 * 3600)
    return kiloparsec, 5 * np.log10(distance * (1 + redshift)) + 25
