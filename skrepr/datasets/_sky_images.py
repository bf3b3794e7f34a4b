"""Where the light of an object stands on the sky: profiles, lenses, and the seeing."""

import numpy as np
from scipy.special import i0e, ndtr

FIELD = 12.0  # arcseconds on a side
# The seeing, as surveys describe theirs, is the sum of two normal distributions.
SEEING = ((0.85, 0.33), (0.15, 0.80))  # share of the light; standard deviation in arcseconds
OVERSAMPLING = 3
MARGIN = 3  # pixels around the image whose light the seeing brings in


def images_of_parts(labels, latents, image_size):
    """Return where the light of the four parts of each object falls: (n, 4, height, width).

    Each part that is there sums to 1 over an unbounded image, times the magnification of the
    lens. The parts are those of ``spectra_of_parts``.
    """
    pixel = FIELD / image_size
    fine = (image_size + 2 * MARGIN) * OVERSAMPLING
    step = pixel / OVERSAMPLING
    positions = (np.arange(fine) - (fine - 1) / 2) * step
    edges = (np.arange(image_size + 1) - image_size / 2) * pixel
    # in single precision, which is twice as fast and finer than the noise
    columns = {
        name: values.to_numpy(dtype=np.float32)[:, None, None] for name, values in latents.items()
    }
    light = _light(labels, columns, positions.astype(np.float32), np.float32(step))
    images = np.zeros((len(latents), 4, image_size, image_size), dtype=np.float32)
    for share, width in SEEING:
        # what each pixel catches of the light at each fine position, along one axis
        caught = np.diff(ndtr((edges[:, None] - positions) / width), axis=0).astype(np.float32)
        images += np.float32(share * step**2) * (caught @ light @ caught.T)
    return images


def _light(labels, latents, positions, step):
    """Return the surface brightness of the parts before the seeing, on a fine grid."""
    # x to the right, y upwards, as the image is drawn
    x, y = positions - latents["x"], -positions[:, None] - latents["y"]
    light = np.zeros((len(labels), 4, len(positions), len(positions)), dtype=np.float32)

    def of(rows, *names):
        return tuple(latents[name][rows] for name in names)

    lensed = np.flatnonzero(latents["lensed"])
    radius, shape, angle = of(lensed, "einstein_radius", "lens_axis_ratio", "lens_position_angle")
    along, across = _rotate(x[lensed], y[lensed], angle)
    light[lensed, 3] = _spheroid(along, across, 0.7 * radius, shape, step)
    x, y = np.broadcast_arrays(x, y)
    x, y = x.copy(), y.copy()
    x[lensed], y[lensed] = _behind_a_lens(
        along, across, radius, shape, angle, *of(lensed, "source_distance", "source_angle")
    )

    points = np.flatnonzero((labels == "star") | (labels == "quasar"))
    light[points, 0] = _point(x[points], y[points], 0.7 * step)
    ellipticals = np.flatnonzero(labels == "elliptical")
    size, shape, angle = of(ellipticals, "size", "axis_ratio", "position_angle")
    along, across = _rotate(x[ellipticals], y[ellipticals], angle)
    light[ellipticals, 0] = _spheroid(along, across, size, shape, step)
    spirals = np.flatnonzero(labels == "spiral")
    size, shape, angle = of(spirals, "size", "axis_ratio", "position_angle")
    along, across = _rotate(x[spirals], y[spirals], angle)
    # a bulge is rounder than its disk
    light[spirals, 0] = _spheroid(along, across, 0.22 * size, 0.4 + 0.6 * shape, step)
    across = across / shape
    disk = _disk(along, across, size) / shape
    light[spirals, 1] = disk
    light[spirals, 2] = disk * _arms(along, across, size, *of(spirals, "pitch_angle", "arm_phase"))
    return light


def _rotate(x, y, position_angle):
    """Return coordinates along and across an axis, whose angle runs from up to the left."""
    angle = np.deg2rad(position_angle)
    return y * np.cos(angle) - x * np.sin(angle), x * np.cos(angle) + y * np.sin(angle)


def _point(x, y, width):
    return np.exp(-(x**2 + y**2) / (2 * width**2)) / (2 * np.pi * width**2)


def _spheroid(along, across, half_light, axis_ratio, step):
    """Return de Vaucouleurs' profile, Sersic's of index 4."""
    # the center of a fine pixel stands for all of it, where the profile has a cusp
    radius = np.sqrt(along**2 + (across / axis_ratio) ** 2 + (0.4 * step) ** 2)
    total = 22.67 * half_light**2 * axis_ratio  # 8 pi exp(7.669) 7! / 7.669**8
    return np.exp(-7.669 * (np.sqrt(np.sqrt(radius / half_light)) - 1)) / total


def _disk(along, across, half_light):
    """Return an exponential disk, seen face on."""
    scale = half_light / 1.678
    return np.exp(-np.sqrt(along**2 + across**2) / scale) / (2 * np.pi * scale**2)


def _arms(along, across, half_light, pitch_angle, phase):
    """Return how two logarithmic spiral arms gather the light of a disk; 1 on each circle."""
    radius = np.sqrt(along**2 + across**2) / half_light
    winding = np.log(np.maximum(radius, 0.05)) / np.tan(np.deg2rad(pitch_angle))
    turn = np.cos(2 * (np.arctan2(across, along) - winding - np.deg2rad(phase)))
    sharpness = 4 * np.clip(radius / 0.4 - 0.4, 0, 1)  # arms begin outside the bulge
    return np.exp(sharpness * (turn - 1)) / i0e(sharpness)


def _behind_a_lens(along, across, einstein_radius, axis_ratio, angle, distance, source_angle):
    """Return where rays end behind a singular isothermal ellipsoid, from the source.

    Kormann et al. (1994), equation 27a.
    """
    flattening = np.sqrt(1 - axis_ratio**2)
    elliptical = np.sqrt(axis_ratio**2 * along**2 + across**2) + 1e-6
    scale = einstein_radius * np.sqrt(axis_ratio) / flattening
    along = along - scale * np.arctan(flattening * along / elliptical)
    across = across - scale * np.arctanh(flattening * across / elliptical)
    angle = np.deg2rad(angle)
    x = across * np.cos(angle) - along * np.sin(angle)
    y = along * np.cos(angle) + across * np.sin(angle)
    away = np.deg2rad(source_angle)
    return x + distance * np.sin(away), y - distance * np.cos(away)
