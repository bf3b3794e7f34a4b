"""Laws of the way back, and of axes that read like PCA's."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP, Linear
from skrepr.augmentations import GaussianNoise


@pytest.fixture(scope="module")
def digits():
    return StandardScaler().fit_transform(load_digits().data).astype(np.float32)


@pytest.fixture(scope="module")
def iris():
    return load_iris().data.astype(np.float32)


def small(n_components=4, **parameters):
    settings = {"architecture": MLP((32,)), "max_epochs": 10, "random_state": 0}
    return AutoencoderEmbedding(n_components, **settings | parameters)


# ------------------------------------------------------------------------------- axes


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6])
@pytest.mark.parametrize("whiten", [False, True])
def test_axes_of_a_linear_autoencoder_are_those_of_pca(digits, scale, whiten):
    X = scale * (digits + 3)
    settings = {"architecture": Linear(), "learning_rate": 1e-9, "early_stopping": False}
    embedding = small(whiten=whiten, **settings).fit(X)
    pca = PCA(4, whiten=whiten).fit(X)
    np.testing.assert_allclose(embedding.components_, pca.components_, atol=1e-3)
    np.testing.assert_allclose(embedding.mean_, pca.mean_, rtol=1e-3, atol=1e-3 * scale)
    np.testing.assert_allclose(embedding.explained_variance_, pca.explained_variance_, rtol=1e-3)
    np.testing.assert_allclose(
        embedding.explained_variance_ratio_, pca.explained_variance_ratio_, atol=1e-3
    )
    unit = 1.0 if whiten else scale
    np.testing.assert_allclose(embedding.transform(X), pca.transform(X), atol=1e-2 * unit)


def test_components_are_the_best_linear_approximation_of_the_reconstruction(digits):
    embedding = small(max_epochs=30, early_stopping=False).fit(digits)
    Z, rebuilt = embedding.transform(digits).astype(float), embedding.reconstruct(digits)
    best = LinearRegression().fit(Z, rebuilt)
    read = Z @ embedding.components_ + embedding.mean_
    np.testing.assert_allclose(read, best.predict(Z), atol=2e-3)
    assert np.mean((read - rebuilt) ** 2) > 0.05 * rebuilt.var()  # it is not linear
    product = embedding.components_ @ embedding.components_.T
    np.testing.assert_allclose(product, np.eye(4), atol=1e-6)
    assert embedding.components_.dtype == embedding.mean_.dtype == np.float32
    np.testing.assert_allclose(embedding.explained_variance_, Z.var(axis=0, ddof=1), rtol=1e-4)
    assert embedding.explained_variance_.sum() < digits.var(axis=0).sum()


@pytest.mark.parametrize("shape", [(1, 64), (1, 8, 8), (4, 16)])
def test_components_have_the_layout_of_X(digits, shape):
    X = digits.reshape(-1, *shape)[:300]
    embedding = small(architecture=MLP((8,)), max_epochs=2).fit(X)
    assert embedding.components_.shape == (4, *shape)
    assert embedding.mean_.shape == shape
    flat = small(architecture=MLP((8,)), max_epochs=2, input_shape=shape).fit(digits[:300])
    np.testing.assert_allclose(flat.components_, embedding.components_.reshape(4, -1), atol=1e-6)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("max_epochs", ["auto", 20])
@pytest.mark.parametrize("n_rows", [150, 3])
def test_components_beyond_the_rank_are_exactly_zero(iris, whiten, max_epochs, n_rows):
    X = iris[:: len(iris) // n_rows][:n_rows]
    embedding = small(16, whiten=whiten, max_epochs=max_epochs, early_stopping="auto").fit(X)
    rank = min(n_rows - 1, 4)
    Z = embedding.transform(iris)
    assert (Z[:, rank:] == 0).all()
    assert (embedding.transform(X)[:, :rank].std(axis=0) > 1e-3).all()
    if whiten:
        np.testing.assert_allclose(embedding.transform(X)[:, :rank].std(axis=0), 1, rtol=1e-3)
    assert (embedding.explained_variance_[rank:] == 0).all()
    assert np.linalg.norm(embedding.components_, axis=1).round(5).tolist() == [1] * 4 + [0] * 12
    back = embedding.inverse_transform(Z)
    np.testing.assert_allclose(back, embedding.reconstruct(iris), atol=1e-4)


def test_sparse_units_beyond_the_rank_are_used(iris):
    embedding = small(16, sparsity=1e-3, max_epochs=20).fit(iris)
    assert (embedding.transform(iris).std(axis=0) > 1e-3).all()


def test_axes_are_told_only_where_they_are_those_of_the_embedding(digits):
    names = ("components_", "mean_", "explained_variance_", "explained_variance_ratio_")
    embedding = small(max_epochs=2).fit(digits)
    assert all(hasattr(embedding, name) for name in names)
    embedding.partial_fit(digits[:100])
    assert not any(hasattr(embedding, name) for name in names)
    sparse = small(max_epochs=2, sparsity=1e-3).fit(digits)
    assert not any(hasattr(sparse, name) for name in names)


# ----------------------------------------------------------------- explained variance


@pytest.mark.parametrize("n_components", [2, 4, 8])
def test_shares_fall_and_sum_to_what_is_rebuilt(digits, n_components):
    embedding = small(n_components, max_epochs=20, early_stopping=False).fit(digits)
    shares = embedding.explained_variance_ratio_
    assert (np.diff(shares) <= 0).all()
    rebuilt = 1 + embedding.score(digits) / digits.var(axis=0).mean()
    assert shares.sum() == pytest.approx(rebuilt, abs=1e-3)
    assert embedding.reconstruction_error_ == pytest.approx(-embedding.score(digits), rel=1e-3)


def test_shares_of_one_held_out_row_are_shares(digits):
    settings = {"early_stopping": True, "validation_fraction": 0.02}
    embedding = small(max_epochs=2, **settings).fit(100 * digits[:50])
    shares = embedding.explained_variance_ratio_
    assert (shares >= 0).all() and 0 < shares.sum() <= 1


def test_constant_data_have_no_variance_to_explain():
    embedding = small(2).fit(np.full((150, 3), 7.0))
    assert embedding.explained_variance_ratio_.tolist() == [0, 0]
    assert (embedding.transform(np.full((2, 3), 7.0)) == 0).all()


# -------------------------------------------------------------------------- extremes


@pytest.mark.parametrize("unit", [1e-40, 1e-26, 1e-15, 1e20, 1e30])
def test_any_unit_goes_there_and_back(iris, unit):
    X = iris.astype(np.float64) * unit
    embedding = small(2).fit(X)
    Z = embedding.transform(X)
    assert np.isfinite(Z).all() and np.ptp(Z) > 0
    plain = small(2).fit(iris)
    back = embedding.inverse_transform(Z).astype(np.float64) / unit
    np.testing.assert_allclose(back, embedding.reconstruct(X).astype(np.float64) / unit, atol=1e-3)
    np.testing.assert_allclose(back, plain.reconstruct(iris), atol=0.05)
    scores, expected = embedding.score_samples(X), plain.score_samples(iris)
    assert scores.dtype == np.float32
    assert len(np.unique(scores)) > 100
    assert np.corrcoef(scores.astype(float), expected)[0, 1] > 0.99


def test_no_finite_row_has_an_infinite_score(iris):
    far = np.float32([[1e18] * 4, [-1e25] * 4, [3e38] * 4, [3e38, -3e38, 3e38, -3e38]])
    scores = small(2).fit(iris).score_samples(np.vstack([iris[:1], far]))
    assert np.isfinite(scores).all()
    assert (scores[1:] < scores[0]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_inverse_transform_reads_tensors(iris, dtype):
    embedding = small(2).fit(iris)
    Z = torch.from_numpy(embedding.transform(iris)).to(dtype).requires_grad_()
    expected = embedding.inverse_transform(Z.detach().float().numpy())
    np.testing.assert_array_equal(embedding.inverse_transform(Z), expected)


@pytest.mark.parametrize("Z", [np.array([[np.inf, -np.inf]]), np.array([[1e300, -1e300]])])
def test_infinite_embeddings_are_refused(iris, Z):
    with pytest.raises(ValueError, match="infinity"):
        small(2).fit(iris).inverse_transform(Z)


@pytest.mark.parametrize("ratio", [1e-3, 3e-6])
def test_a_small_column_is_a_direction_of_its_own(ratio):
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(5, 3, 400), ratio * rng.normal(size=400)]
    embedding = small(2, whiten=True, max_epochs="auto").fit(X)
    np.testing.assert_allclose(embedding.transform(X).std(axis=0), 1, rtol=1e-2)
    np.testing.assert_allclose(
        embedding.explained_variance_, PCA(2).fit(X).explained_variance_, rtol=1e-2
    )


def test_the_rounding_of_large_offsets_is_no_direction():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 10)) + 1e4
    Z = small(8, whiten=True, max_epochs="auto").fit(X).transform(X)
    assert (Z[:, 3:] == 0).all()


def test_spare_units_may_learn_where_they_have_something_to_learn(iris):
    noisy = small(16, corruption=GaussianNoise(0.3), max_epochs=20).fit(iris)
    assert (noisy.transform(iris).std(axis=0) > 0).all()
    stream = small(3).partial_fit(np.repeat(iris[:1], 20, axis=0))
    for _ in range(60):
        stream.partial_fit(iris)
    assert -stream.score(iris) < 0.1 * iris.var(axis=0).mean()
