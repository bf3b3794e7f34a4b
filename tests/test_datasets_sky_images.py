"""Images of objects in the sky: shapes follow the latents."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import map_coordinates

from skrepr.datasets._sky_images import images_of_parts

GALAXY = {"size": 1.0, "axis_ratio": 0.9, "position_angle": 0.0, "pitch_angle": 20.0}
GALAXY |= {"arm_phase": 0.0, "x": 0.0, "y": 0.0}
NO_LENS = dict.fromkeys(("lens_axis_ratio", "lens_position_angle", "source_angle"), np.nan)
NO_LENS |= {"lensed": False, "einstein_radius": 0.0, "source_distance": 0.0}
LENS = {"lensed": True, "einstein_radius": 2.0, "lens_axis_ratio": 0.8}
LENS |= {"lens_position_angle": 0.0, "source_distance": 0.6, "source_angle": 0.0}
STEPS = (np.arange(48) - 23.5) * 0.25  # arcseconds


def images(label, **latents):
    n = max(np.size(values) for values in latents.values())
    table = pd.DataFrame({name: np.resize(v, n) for name, v in latents.items()})
    for name, value in (GALAXY | NO_LENS).items():
        if name not in table:
            table[name] = value
    return images_of_parts(np.full(len(table), label), table, 48)


def moments(image):
    """Return the center, and the second moments, to the right and upwards."""
    weights = image / image.sum()
    x, y = STEPS, -STEPS[:, None]
    center = (weights * x).sum(), (weights * y).sum()
    x, y = x - center[0], y - center[1]
    return center, (weights * x**2).sum(), (weights * y**2).sum(), (weights * x * y).sum()


@pytest.mark.parametrize("label", ["star", "quasar"])
def test_points_have_the_shape_of_the_seeing(label):
    (parts,) = images(label, x=0.1, y=-0.2)
    assert parts[0].sum() == pytest.approx(1, abs=0.001)
    assert not parts[1:].any()
    center, right, up, _ = moments(parts[0])
    assert center == pytest.approx((0.1, -0.2), abs=0.002)
    pixel_and_point = 0.25**2 / 12 + (0.7 * 0.25 / 3) ** 2
    expected = 0.85 * 0.33**2 + 0.15 * 0.80**2 + pixel_and_point
    assert right == pytest.approx(expected, rel=0.02) and up == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("label", "part"), [("elliptical", 0), ("spiral", 1), ("spiral", 2)])
def test_the_light_of_a_galaxy_sums_to_one_and_half_of_it_is_within_its_size(label, part):
    (parts,) = images(label, size=1.5, axis_ratio=0.999)
    light = parts[part]
    assert 0.8 < light.sum() <= 1.005
    within = light[np.hypot(STEPS, STEPS[:, None]) < 1.5].sum()
    assert within == pytest.approx(0.5, abs=0.05)  # the seeing moves some out


def test_larger_galaxies_have_larger_moments():
    for label, part in (("elliptical", 0), ("spiral", 1)):
        widths = [moments(p[part])[1] for p in images(label, size=[0.4, 0.8, 1.2, 1.6])]
        assert (np.diff(widths) > 0.1).all()


def test_inclined_disks_are_flat():
    axis_ratio = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
    seeing = 0.85 * 0.33**2 + 0.15 * 0.80**2 + 0.25**2 / 12
    for ratio, parts in zip(axis_ratio, images("spiral", axis_ratio=axis_ratio, size=1.0)):
        _, right, up, _ = moments(parts[1])
        assert np.sqrt((right - seeing) / (up - seeing)) == pytest.approx(ratio, abs=0.03)


@pytest.mark.parametrize("label", ["elliptical", "spiral"])
def test_position_angle_runs_from_north_to_east_which_is_left(label):
    part = int(label == "spiral")
    for angle in (0.0, 30.0, 90.0, 140.0):
        _, right, up, mixed = moments(images(label, position_angle=angle, axis_ratio=0.4)[0][part])
        # of the longest axis, from up towards the left
        measured = np.degrees(np.arctan2(-2 * mixed, up - right) / 2)
        assert (measured - angle + 90) % 180 - 90 == pytest.approx(0, abs=2)


def test_two_arms_wind_as_the_pitch_angle_says():
    pitch = np.array([18.0, 28.0, -28.0])
    radii = np.linspace(1.6, 3.2, 30)
    theta = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    for angle, parts in zip(pitch, images("spiral", size=2.5, axis_ratio=1.0, pitch_angle=pitch)):
        # the angle in the disk runs from its longest axis, up, to the right
        column = np.sin(theta) * radii[:, None] / 0.25 + 23.5
        row = -np.cos(theta) * radii[:, None] / 0.25 + 23.5
        ring = map_coordinates(parts[2], [row, column], order=3)
        harmonics = np.fft.rfft(ring, axis=1)
        assert (np.abs(harmonics[:, 2]) > 0.15 * harmonics[:, 0].real).all()
        assert (np.abs(harmonics[:, 2]) > 3 * np.abs(harmonics[:, 1])).all()
        turn = np.unwrap(-np.angle(harmonics[:, 2])) / 2  # of the crest, with the radius
        slope = np.polyfit(np.log(radii), turn, 1)[0]
        assert np.degrees(np.arctan(1 / slope)) == pytest.approx(angle, abs=2)


def test_a_lens_makes_two_images_on_both_sides_of_itself():
    (parts,) = images("quasar", **LENS | {"lens_axis_ratio": 0.95, "source_distance": 1.0})
    light = parts[0]
    profile = light[:, 22:26].sum(axis=1)
    peaks = [i for i in range(1, 47) if profile[i - 1] < profile[i] > profile[i + 1]]
    # of an isothermal sphere: Einstein's radius before and behind the source
    assert sorted(-STEPS[peaks]) == pytest.approx([-1.0, 3.0], abs=0.3)
    assert light.sum() == pytest.approx(2 * 2.0 / 1.0, rel=0.15)


def test_a_lens_shows_the_whole_ring_of_what_is_right_behind():
    (parts,) = images(
        "spiral", size=0.3, **LENS | {"source_distance": 0.0, "lens_axis_ratio": 0.95}
    )
    light = parts[1]
    radius = np.hypot(STEPS, STEPS[:, None])
    assert radius.flat[light.argmax()] == pytest.approx(2, abs=0.3)
    ring = light[np.abs(radius - 2) < 0.15]
    assert ring.min() > 0.4 * ring.max() and light[23:25, 23:25].max() < 0.5 * ring.min()
    assert parts[3].sum() > 0.7 and parts[3].argmax() in (
        23 * 48 + 23,
        23 * 48 + 24,
        24 * 48 + 23,
        24 * 48 + 24,
    )
