"""How an embedding of any width comes to two dimensions."""

import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skrepr.displays import EmbeddingDisplay

pytestmark = pytest.mark.usefixtures("figures")


def test_two_components_are_drawn_as_they_are():
    Z = np.random.default_rng(0).normal(size=(50, 2))
    display = EmbeddingDisplay.from_embedding(Z)
    np.testing.assert_allclose(display.scatters_[None].get_offsets(), Z)
    assert display.ax_.get_xlabel() == "component 1"
    assert display.ax_.get_ylabel() == "component 2"
    assert display.legend_ is None and display.colorbar_ is None and display.image_ is None


def test_more_components_are_reduced_by_pca():
    Z = np.random.default_rng(0).normal(size=(80, 5)) * [5, 4, 1, 1, 1]
    display = EmbeddingDisplay.from_embedding(Z)
    pca = PCA(2).fit(Z)
    np.testing.assert_allclose(display.points, pca.transform(Z))
    share = pca.explained_variance_ratio_[1]
    assert display.ax_.get_ylabel() == f"principal axis 2 ({share:.0%})"


def test_one_component_is_the_horizontal_axis():
    Z = np.random.default_rng(0).normal(size=(30, 1))
    display = EmbeddingDisplay.from_embedding(Z)
    np.testing.assert_allclose(display.scatters_[None].get_offsets()[:, 0], Z[:, 0])
    assert len(display.ax_.get_yticks()) == 0


def test_tsne_keeps_clusters_and_draws_a_sample():
    y = np.arange(90) % 3
    Z = 20 * np.eye(4)[y] + np.random.default_rng(0).normal(size=(90, 4))
    display = EmbeddingDisplay.from_embedding(
        Z, y, reduction="tsne", max_samples=60, samples=Z, n_thumbnails=3
    )
    assert display.ax_.get_xlabel() == "t-SNE 1"
    assert len(display.points) == len(display.rows) == 60
    np.testing.assert_array_equal(display.y, y[display.rows])
    np.testing.assert_array_equal(display.samples, Z[display.rows])
    centers = np.array([display.points[display.y == label].mean(axis=0) for label in range(3)])
    distances = np.linalg.norm(display.points[:, None] - centers, axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), display.y)


def test_one_row_far_out_does_not_turn_the_axes():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(100, 4)) * [1, 1, 9, 5]
    Z[7] = 1e4, 0, 0, 0
    display = EmbeddingDisplay.from_embedding(Z)
    rest = PCA(2).fit(np.delete(Z, 7, axis=0))
    np.testing.assert_allclose(np.abs(display.points), np.abs(rest.transform(Z)))


@pytest.mark.parametrize(("reduction", "n"), [("auto", 1), ("tsne", 1), ("umap", 3)])
def test_too_few_rows_are_told(reduction, n):
    with pytest.raises(ValueError, match=f"'{reduction}' of 5 components needs at least"):
        EmbeddingDisplay.from_embedding(np.eye(5)[:n], reduction=reduction)


@pytest.mark.filterwarnings("ignore:Tensorflow:ImportWarning")
@pytest.mark.parametrize("n", [4, 60])
def test_umap_itself(n):
    pytest.importorskip("umap")
    y = np.arange(n) % 2
    Z = 20 * np.eye(3)[y] + np.random.default_rng(0).normal(size=(n, 3))
    first, again = (EmbeddingDisplay.from_embedding(Z, reduction="umap") for _ in range(2))
    assert np.isfinite(first.points).all()
    np.testing.assert_array_equal(first.points, again.points)
    if n == 60:
        centers = [first.points[y == label].mean(axis=0) for label in (0, 1)]
        distances = np.linalg.norm(first.points[:, None] - centers, axis=2)
        np.testing.assert_array_equal(distances.argmin(axis=1), y)


def test_umap_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        EmbeddingDisplay.from_embedding(np.eye(4), reduction="umap")


def test_umap_is_used_where_it_is_installed(monkeypatch):
    class UMAP:
        def __init__(self, n_components, n_neighbors, n_jobs, random_state):
            assert (n_components, n_neighbors, n_jobs) == (2, 3, 1)

        def fit_transform(self, Z):
            return Z[:, 2:]

    monkeypatch.setitem(sys.modules, "umap", type(sys)("umap"))
    sys.modules["umap"].UMAP = UMAP
    display = EmbeddingDisplay.from_embedding(np.eye(4), reduction="umap")
    np.testing.assert_array_equal(display.points, np.eye(4)[:, 2:])
    assert display.ax_.get_xlabel() == "UMAP 1"


@pytest.mark.parametrize(
    ("width", "reduction"), [(1, "auto"), (2, "auto"), (4, "auto"), (4, "tsne")]
)
def test_constant_embeddings_are_drawn(width, reduction):
    display = EmbeddingDisplay.from_embedding(
        np.zeros((10, width)), samples=np.ones((10, 5)), n_thumbnails=3, reduction=reduction
    )
    assert np.isfinite(display.ax_.get_xlim()).all()


@pytest.mark.parametrize(
    ("reduction", "exponent"), [("pca", -560), ("pca", 515), ("tsne", -100), ("tsne", 515)]
)
def test_the_map_does_not_depend_on_the_unit(reduction, exponent):
    Z = np.random.default_rng(0).normal(size=(40, 4))
    expected, display = (
        EmbeddingDisplay.from_embedding(
            values, reduction=reduction, samples=Z, n_thumbnails=3, density_from=density_from
        )
        for values, density_from in ((Z, 100), (np.ldexp(Z, exponent), 0))
    )
    display.figure_.draw_without_rendering()
    exponent = 0 if reduction == "tsne" else exponent
    np.testing.assert_array_equal(display.points, np.ldexp(expected.points, exponent))
    np.testing.assert_array_equal(display.thumbnail_rows_, expected.thumbnail_rows_)
    assert display.counts_.sum() == 40 - display.n_outside_ > 30


def test_infinite_embeddings_are_told():
    Z = np.random.default_rng(0).normal(size=(40, 4))
    Z[3, :2] = np.inf, -np.inf
    with pytest.raises(ValueError, match="Input Z contains infinity"):
        EmbeddingDisplay.from_embedding(Z)
