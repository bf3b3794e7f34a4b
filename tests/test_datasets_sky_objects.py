"""Objects in the sky: what is returned, its seeds, and that images and spectra agree."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr.datasets import make_sky_objects

GRID = np.geomspace(3800, 9200, 512)


@pytest.fixture(scope="module")
def clean():
    return make_sky_objects(400, lensed_fraction=0.3, noise=0, random_state=0)


def test_shapes_and_types():
    images, spectra, latents, labels = make_sky_objects(
        70, image_size=20, n_wavelengths=100, random_state=0
    )
    assert images.shape == (70, 3, 20, 20) and images.dtype == np.float32
    assert spectra.shape == (70, 100) and spectra.dtype == np.float32
    assert latents.shape == (70, 24) and len(labels) == 70
    assert np.isfinite(images).all() and np.isfinite(spectra).all()
    assert set(labels) == {"elliptical", "quasar", "spiral", "star"}
    text = make_sky_objects.__doc__
    assert all(f"``{name}``" in text for name in latents)


def test_seeds():
    first, again, other = (make_sky_objects(80, random_state=seed) for seed in (0, 0, 1))
    for one, same, different in zip(first[:2], again[:2], other[:2]):
        assert (one == same).all()
        assert not np.allclose(one, different)
    assert first[2].equals(again[2]) and (first[3] == again[3]).all()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert not np.allclose(make_sky_objects(5)[0], make_sky_objects(5)[0])
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_more_objects_do_not_change_the_first():
    few, many = (make_sky_objects(n, random_state=0) for n in (30, 150))
    for one, other in zip(few[:2], many[:2]):
        np.testing.assert_allclose(one, other[:30], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(few[2].astype(float), many[2].iloc[:30].astype(float), rtol=1e-5)
    assert (few[3] == many[3][:30]).all()


def test_images_do_not_depend_on_the_wavelengths():
    images = make_sky_objects(30, n_wavelengths=64, random_state=0)[0]
    assert (images == make_sky_objects(30, n_wavelengths=300, random_state=0)[0]).all()


@pytest.mark.slow
def test_finer_pixels_show_the_same_sky():
    coarse, fine = (
        make_sky_objects(60, image_size=size, lensed_fraction=0, noise=0, random_state=0)[0]
        for size in (32, 64)
    )
    binned = fine.reshape(60, 3, 32, 2, 32, 2).sum(axis=(3, 5))
    error = np.abs(binned - coarse).max(axis=(1, 2, 3)) / coarse.max(axis=(1, 2, 3))
    assert np.median(error) < 0.06 and error.max() < 0.2  # most at the cusp of a bulge


def test_noise_scatters_around_the_same_objects(clean):
    noisy = make_sky_objects(400, lensed_fraction=0.3, noise=2, random_state=0)
    scatter = noisy[2]["noise"].to_numpy()
    assert (clean[2]["noise"] == 0).all()
    assert np.median(scatter) == pytest.approx(2, rel=0.1)
    columns = clean[2].columns.drop("noise")
    assert noisy[2][columns].equals(clean[2][columns])
    corner = (noisy[0] - clean[0])[:, :, :3, :3].std(axis=(1, 2, 3))
    red = (noisy[1] - clean[1])[:, 300:400].std(axis=1)
    for measured in (corner, red):
        assert np.corrcoef(measured, scatter)[0, 1] > 0.7
    difference = noisy[1] - clean[1]
    assert abs(difference.mean()) < 0.01
    assert difference[:, :10].std() > 1.5 * difference[:, 250:300].std()


def test_images_have_the_brightness_of_the_latents(clean):
    images, _, latents, labels = clean
    alone = ~latents["lensed"]
    flux = images[:, 1].sum(axis=(1, 2))
    expected = 10 ** (0.4 * (22.5 - latents["magnitude"]))
    points = alone & ((labels == "star") | (labels == "quasar"))
    np.testing.assert_allclose(flux[points], expected[points], rtol=0.01)
    small = alone & (latents["size"] > 0) & (latents["size"] < 1)
    assert ((flux / expected > 0.85) & (flux / expected < 1.02))[small].all()


def test_spectra_have_the_brightness_of_the_images(clean):
    images, spectra, latents, labels = clean
    flux = images.sum(axis=(2, 3))
    no_edge = (latents["size"] < 0.8).to_numpy()
    for band, (blue, red) in enumerate(((4000, 5500), (5600, 7000), (7000, 8400))):
        inside = (blue < GRID) & (red > GRID)
        per_hertz = (GRID**2 * spectra)[:, inside].mean(axis=1)
        expected = flux[:, band] * 3.631e-29 * 2.99792458e18 / 1e-17
        # what falls outside of the image is missing there; hydrogen before a quasar flickers
        near = no_edge & ~latents["lensed"] & ~((labels == "quasar") & (latents["redshift"] > 2))
        assert np.all(np.abs(per_hertz / expected - 1)[near] < 0.14)


def test_a_lens_magnifies(clean):
    latents, labels = clean[2], clean[3]
    lensed = latents["lensed"].to_numpy()
    assert 0.2 < lensed[(labels == "quasar") | (labels == "spiral")].mean() < 0.4
    assert not lensed[(labels == "star") | (labels == "elliptical")].any()
    assert (latents["magnification"][~lensed] == 1).all()
    assert (latents["magnification"][lensed] > 1).all()
    assert not make_sky_objects(100, lensed_fraction=0, random_state=0)[2]["lensed"].any()


@pytest.mark.parametrize("kind", [pytest.param("images", marks=pytest.mark.slow), "spectra"])
def test_classes_are_told_apart(kind):
    images, spectra, _, labels = make_sky_objects(600, lensed_fraction=0, random_state=0)
    X = np.arcsinh(images / 0.05).reshape(600, -1) if kind == "images" else np.arcsinh(spectra)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=300))
    assert model.fit(X[:400], labels[:400]).score(X[400:], labels[400:]) > 0.65


@pytest.mark.slow
def test_ten_thousand_objects_take_less_than_20_s():
    before = time.process_time()
    make_sky_objects(10_000, random_state=0)
    assert time.process_time() - before < 20


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 0}, "n_samples == 0, must be >= 1"),
        ({"image_size": 4}, "image_size == 4, must be >= 8"),
        ({"n_wavelengths": 3}, "n_wavelengths == 3, must be >= 16"),
        ({"lensed_fraction": 1.5}, "lensed_fraction == 1.5, must be <= 1"),
        ({"noise": -1}, "noise == -1, must be >= 0"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_sky_objects(**parameters)


def test_a_parameter_of_another_type():
    with pytest.raises(TypeError, match="n_samples must be an instance of int"):
        make_sky_objects(10.5)
