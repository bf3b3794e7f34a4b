"""What is done with a fitted embedding that is a density."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from small_vaes import DIGITS, IRIS, linear, make

from skrepr import RepresentationCollapseWarning, VAEEmbedding
from skrepr.architectures import MLP

RNG = np.random.default_rng(0)


def test_samples_have_the_moments_of_the_pushed_forward_prior():
    embedding = linear(2).fit(IRIS)
    X = embedding.sample(20_000, random_state=0)
    pca = PCA(2).fit(IRIS)
    expected = pca.get_covariance() - np.eye(4) * pca.noise_variance_
    assert_allclose(X.mean(axis=0), pca.mean_, atol=0.05)
    assert_allclose(np.cov(X.T), expected, atol=0.1)


def test_posterior_is_on_the_axes_of_transform():
    embedding = linear(2).fit(IRIS)
    mean, deviation = embedding.posterior(IRIS)
    assert_array_equal(mean, embedding.transform(IRIS))
    pca = PCA(2).fit(IRIS)
    signal = pca.explained_variance_ - pca.noise_variance_
    # W's posterior deviation, in the units of X
    expected = np.sqrt(pca.noise_variance_ * signal / pca.explained_variance_)
    assert_allclose(deviation, np.broadcast_to(expected, deviation.shape), rtol=0.02)
    white = linear(2, whiten=True).fit(IRIS)
    assert_allclose(
        white.posterior(IRIS)[1], deviation / np.sqrt(embedding.explained_variance_), rtol=5e-3
    )


@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_interpolation_walks_between_two_reconstructions(as_frame, output):
    X = pd.DataFrame(IRIS, columns=list("abcd"))
    embedding = make().set_output(transform=output).fit(X if as_frame else IRIS)
    a, b = (X.iloc[0], X.iloc[100]) if as_frame else (IRIS[0], IRIS[100])
    path = embedding.interpolate(a, b, n_steps=5)
    assert path.shape == (5, 4)
    both = embedding.reconstruct(X.iloc[[0, 100]] if as_frame else IRIS[[0, 100]])
    assert_allclose(path[[0, -1]], both, rtol=1e-3, atol=1e-4)


def test_samples_are_those_of_the_seed():
    embedding = make().fit(IRIS)
    first = embedding.sample(5, random_state=1)
    assert_array_equal(embedding.sample(5, random_state=1), first)
    assert not np.array_equal(embedding.sample(5, random_state=2), first)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert not np.array_equal(embedding.sample(5), embedding.sample(5))
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3"])
def test_bad_numbers_are_told(n):
    embedding = make().fit(IRIS)
    with pytest.raises(ValueError, match="n_samples must be an integer >= 1"):
        embedding.sample(n)
    with pytest.raises(ValueError, match="n_steps must be an integer >= 2"):
        embedding.interpolate(IRIS[0], IRIS[1], n_steps=n)


def test_imputation_beats_the_mean_and_keeps_what_is_there():
    X = (IRIS - IRIS.mean(axis=0)) / IRIS.std(axis=0)
    hidden = RNG.random(X.shape) < 0.1
    holes = np.where(hidden, np.nan, X)
    embedding = make(missing="mask", max_epochs=50, n_score_samples=50).fit(holes)
    filled = embedding.impute(holes)
    assert_array_equal(filled[~hidden], X[~hidden].astype(np.float32))
    error = np.sqrt(np.mean((filled - X)[hidden] ** 2))
    assert error < 0.6 * np.sqrt(np.mean(X[hidden] ** 2))
    assert not hasattr(make(), "impute")


def test_other_shapes_come_back_as_they_were():
    images = DIGITS.reshape(-1, 1, 8, 8)[:100]
    embedding = make(architecture=None, max_epochs=1).fit(images)
    assert embedding.sample(3, random_state=0).shape == (3, 1, 8, 8)
    assert embedding.interpolate(images[0], images[1], 4).shape == (4, 1, 8, 8)
    flat = make(max_epochs=1, input_shape=(1, 8, 8), noise="feature").fit(DIGITS[:100])
    assert flat.sample(3, random_state=0).shape == (3, 64)
    assert flat.noise_.shape == (1, 8, 8)


def test_mutual_information_is_at_most_the_number_of_rows_and_falls_with_beta():
    values = []
    for beta in (0.01, 1.0, 10.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RepresentationCollapseWarning)
            values.append(linear(2, beta=beta).fit(DIGITS).mutual_information_)
    assert np.log(600) >= values[0] > values[1] > values[2] > -0.05


def test_collapse_is_told_with_its_cure():
    settings = {"architecture": MLP((16,), linear_path=None), "early_stopping": False}
    with pytest.warns(RepresentationCollapseWarning, match="active_units_.*Lower beta=50"):
        make(8, beta=50.0, max_epochs=10, **settings).fit(DIGITS)
    noise = np.random.default_rng(0).normal(size=(1500, 10))
    with pytest.warns(RepresentationCollapseWarning, match="kl_per_component_.*free_bits"):
        make(8, max_epochs=20, batch_size=64, **settings).fit(noise)


def test_spare_components_are_no_collapse():
    X = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6))
    embedding = make(5).fit(X)  # warnings are errors
    assert embedding.active_units_ == 2


def test_the_unit_of_x_shifts_the_density_alone():
    expected = make().fit(IRIS)
    for unit in (1e-26, 1e20):
        embedding = make().fit(IRIS * unit)
        scores = embedding.score_samples(IRIS * unit)
        shift = -4 * np.log(unit)
        assert_allclose(scores, expected.score_samples(IRIS) + shift, atol=2e-3)
        assert len(np.unique(scores)) > 140  # iris has rows that are equal
        assert_allclose(embedding.score(IRIS * unit), expected.score(IRIS) + shift, atol=2e-3)


@pytest.mark.parametrize("parameters", [{}, {"noise": "feature"}, {"prior": "mixture"}], ids=str)
def test_no_row_has_an_infinite_score(parameters):
    embedding = make(**parameters).fit(IRIS)
    far = np.vstack([IRIS[:3], [[1e30, -1e30, 1e30, 1e30]], [[3e38, -3e38, 3e38, -3e38]]])
    scores = embedding.score_samples(far)
    assert np.isfinite(scores).all() and np.isfinite(embedding.score(far))
    assert scores[3:].max() < scores[:3].min()


def test_columns_that_others_determine_bring_the_noise_to_its_floor():
    X = IRIS[:, [0, 1, 0, 1, 0]]
    embedding = linear(2).fit(X)
    assert embedding.noise_at_floor_ == 1
    assert np.isfinite(embedding.score_samples(X)).all()


def test_advice_speaks_of_noise_only_where_there_is_some():
    rng = np.random.default_rng(0)
    X = (rng.random((300, 6)) < rng.random((300, 1))).astype(float)
    small = {"architecture": MLP((8,)), "max_epochs": 20, "beta": 50.0, "random_state": 0}
    with pytest.warns(RepresentationCollapseWarning, match="Lower beta=50") as told:
        VAEEmbedding(4, likelihood="bernoulli", early_stopping=False, **small).fit(X)
    assert "variance of the noise" not in str(told[0].message)
