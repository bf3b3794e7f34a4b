"""What is decoded along each component of an embedding, all others held still."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from pictures import extents, overlaps
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA, KernelPCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding, VAEEmbedding
from skrepr.architectures import MLP
from skrepr.displays import LatentTraversalDisplay

pytestmark = pytest.mark.usefixtures("figures")


def heights(lines):
    return np.array([line.get_ydata() for line in lines])


def test_a_component_moves_and_the_others_stay(X):
    pca = PCA(5).fit(X)
    Z = pca.transform(X)
    display = LatentTraversalDisplay.from_estimator(
        pca, X, row=7, components=[3, 0], n_steps=4, coverage=0.8
    )
    assert display.decoded.shape == (2, 4, 12)
    for component, along, decoded in zip([3, 0], display.values, display.decoded, strict=True):
        np.testing.assert_allclose(along[[0, -1]], np.quantile(Z[:, component], [0.1, 0.9]))
        np.testing.assert_allclose(np.diff(along, n=2), 0, atol=1e-9)
        codes = np.tile(Z[7], (4, 1))
        codes[:, component] = along
        np.testing.assert_allclose(decoded, pca.inverse_transform(codes))


def test_walks_begin_at_the_mean_and_run_over_the_middle_96_percent(X):
    pca = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    X = X[:20] + 5  # whose embedding is not centered
    display = LatentTraversalDisplay.from_estimator(pca, X, n_steps=2)
    Z = pca.transform(X)
    np.testing.assert_allclose(display.values.T, np.quantile(Z, [0.02, 0.98], axis=0))
    codes = np.repeat(Z.mean(axis=0)[None], 2, axis=0)
    codes[:, 1] = display.values[1]
    np.testing.assert_allclose(display.decoded[1], pca.inverse_transform(codes))


def test_the_first_eight_components_are_shown(X):
    display = LatentTraversalDisplay.from_estimator(PCA(10).fit(X), X)
    np.testing.assert_array_equal(display.components, np.arange(8))
    labels = [panel.get_ylabel() for panel in display.axes_[:, 0]]
    low, high = display.values[2, [0, -1]]
    assert labels[2] == f"component 2\n{low:.2g} to {high:.2g}"


@pytest.mark.parametrize("estimator", [AutoencoderEmbedding, VAEEmbedding])
def test_images_of_embeddings_are_on_one_scale(estimator, X):
    images = X.reshape(60, 1, 3, 4).astype(np.float32)
    embedding = estimator(2, architecture=MLP((8,)), max_epochs=1, random_state=0).fit(images)
    display = LatentTraversalDisplay.from_estimator(embedding, images, row=3, n_steps=3)
    assert display.axes_.shape == display.artists_.shape == (2, 3)
    for place in np.ndindex(2, 3):
        image = np.asarray(display.artists_[place].get_array())
        np.testing.assert_array_equal(image, display.decoded[place][0].astype(float))
    ends = display.decoded.min(), display.decoded.max()
    assert {image.get_clim() for image in display.artists_.flat} == {ends}
    assert display.colorbar_ is None
    codes = embedding.transform(images)[[3] * 3]
    codes[:, 1] = display.values[1]
    np.testing.assert_allclose(display.decoded[1], embedding.inverse_transform(codes), atol=1e-5)


def test_color_images_are_in_color(X):
    display = LatentTraversalDisplay.from_estimator(
        PCA(3).fit(X), X, n_steps=2, sample_shape=(3, 2, 2)
    )
    images = np.array([np.asarray(image.get_array()) for image in display.artists_.flat])
    assert images.shape == (6, 2, 2, 3)
    assert (images.min(), images.max()) == (0, 1)


def test_series_are_curves_over_x_from_dark_to_light(X):
    x = np.linspace(4000, 7000, 6)
    pca = PCA(3).fit(X)
    display = LatentTraversalDisplay.from_estimator(
        pca, X, n_steps=4, sample_shape=(2, 6), x=x, components=[1, 2]
    )
    assert display.axes_.shape == (2, 1) and display.artists_.shape == (2, 4)
    for place in np.ndindex(2, 4):
        lines = display.artists_[place]
        np.testing.assert_allclose(heights(lines), display.decoded[place])
        np.testing.assert_array_equal(lines[0].get_xdata(), x)
        np.testing.assert_array_equal(lines[0].get_color(), lines[1].get_color())
    brightness = [sum(lines[0].get_color()[:3]) for lines in display.artists_[0]]
    assert (np.diff(brightness) > 0).all()
    assert len({panel.get_ylim() for panel in display.axes_.flat}) == 1
    assert [text.get_text() for text in display.colorbar_.ax.get_yticklabels()] == ["low", "high"]


def test_tables_are_marks_in_standard_deviations(X):
    frame = pd.DataFrame(X, columns=[f"${i}" for i in range(12)])
    pca = PCA(3).fit(frame)
    display = LatentTraversalDisplay.from_estimator(pca, frame, n_steps=3)
    for place in np.ndindex(3, 3):
        (line,) = display.artists_[place]
        expected = (display.decoded[place] - X.mean(axis=0)) / X.std(axis=0)
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-9)
        assert line.get_marker() == "o" and line.get_linestyle() == "None"
    display.figure_.draw_without_rendering()
    labels = [label.get_text() for label in display.axes_[-1, 0].get_xticklabels()]
    assert labels == list(frame.columns)
    assert "standard deviations" in display.ax_.get_title()


def test_tables_of_few_rows_or_many_columns(X):
    display = LatentTraversalDisplay.from_estimator(PCA(3).fit(X), X[:9], components=[0])
    assert display.scale is None and not display.ax_.get_title()
    (line,) = display.artists_[0, 0]
    np.testing.assert_allclose(line.get_ydata(), display.decoded[0, 0])
    wide = np.random.default_rng(0).normal(size=(40, 50))
    display = LatentTraversalDisplay.from_estimator(PCA(2).fit(wide), wide, n_steps=2)
    (line,) = display.artists_[1, 1]
    assert line.get_linestyle() == "-"
    np.testing.assert_allclose(line.get_ydata(), display.decoded[1, 1])


@pytest.mark.parametrize("sample_shape", [(1, 3, 4), (2, 6), (12,)])
def test_panels_and_their_labels_do_not_overlap(sample_shape, X):
    display = LatentTraversalDisplay.from_estimator(
        PCA(6).fit(X), X, sample_shape=sample_shape, n_steps=5
    )
    display.figure_.canvas.draw()
    boxes = [panel.get_tightbbox().padded(-1).extents for panel in display.axes_.flat]
    assert not overlaps(boxes)
    labels = extents([panel.yaxis.label for panel in display.axes_[:, 0]], display.figure_)
    assert not overlaps(labels)
    assert min(box[0] for box in labels) >= -1


def test_it_is_drawn_into_axes_that_are_given(X):
    figure, (left, right) = plt.subplots(1, 2)
    display = LatentTraversalDisplay.from_estimator(PCA(2).fit(X), X, ax=right)
    assert display.ax_ is right and display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert not left.child_axes


def test_sparse_rows_frames_and_tensors(X):
    X = np.where(X > 0, X, 0)
    embedding = AutoencoderEmbedding(2, architecture=MLP((8,)), max_epochs=1, random_state=0)
    embedding.fit(csr_array(X))
    display = LatentTraversalDisplay.from_estimator(embedding, csr_array(X), row=1)
    expected = LatentTraversalDisplay.from_estimator(embedding, X, row=1)
    np.testing.assert_allclose(display.decoded, expected.decoded, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(display.scale, X.std(axis=0))
    embedding.set_output(transform="pandas")
    framed = LatentTraversalDisplay.from_estimator(embedding, X, row=1)
    np.testing.assert_array_equal(framed.decoded, expected.decoded)
    pca = PCA(3, svd_solver="full")
    expected = LatentTraversalDisplay.from_estimator(pca.fit(X), torch.tensor(X))
    with config_context(array_api_dispatch=True):
        pca.fit(torch.tensor(X))
        display = LatentTraversalDisplay.from_estimator(pca, torch.tensor(X))
    np.testing.assert_allclose(np.abs(display.values[:, 3]), np.abs(expected.values[:, 3]))


class NeverCalled(BaseEstimator):
    def transform(self, X):
        raise AssertionError("embedded before the arguments were checked")

    inverse_transform = transform


class Identity(BaseEstimator):
    def transform(self, X):
        return np.asarray(X)

    def inverse_transform(self, Z):
        return Z


@pytest.mark.parametrize(
    ("estimator", "arguments", "exception", "message"),
    [
        (NeverCalled(), {"row": 60}, ValueError, "row must be below 60.* Got 60"),
        (Identity(), {"components": [12]}, ValueError, r"components must be from 0 to 11.*\[12\]"),
        (Identity(), {"components": [-1]}, ValueError, "components must be from 0 to 11"),
        (Identity(), {"components": []}, ValueError, "numbers of components, at least one"),
        (Identity(), {"components": [0.5]}, ValueError, "numbers of components, at least one"),
        (Identity(), {"components": 3}, ValueError, "numbers of components, at least one"),
        (Identity(), {"components": [True]}, ValueError, "numbers of components, at least one"),
        (Identity(), {"x": np.arange(11)}, ValueError, r"x must be of shape \(12,\)"),
        (Identity(), {"sample_shape": (5,)}, ValueError, "does not fit rows of shape"),
        (Identity(), {"X": np.full((60, 12), np.nan)}, ValueError, "Input Z contains NaN"),
        (Identity(), {"X": np.ones((0, 12))}, ValueError, "minimum of 1 is required"),
        (StandardScaler, {}, TypeError, "no inverse_transform"),
        (KernelPCA(2), {}, TypeError, "does not work with its parameters"),
    ],
)
def test_what_cannot_be_walked_is_told(estimator, arguments, exception, message, X):
    if estimator is StandardScaler:
        estimator = type("NoWayBack", (), {"transform": NeverCalled.transform})()
    elif isinstance(estimator, KernelPCA):
        estimator.fit(X)
    with pytest.raises(exception, match=message):
        LatentTraversalDisplay.from_estimator(estimator, **{"X": X} | arguments)
    assert not plt.get_fignums()


def test_the_way_back_of_umap_is_not_taken(X):
    class FakeUMAP(PCA):
        def inverse_transform(self, Z):
            raise AssertionError("the endless way back was taken")

    FakeUMAP.inverse_transform.__module__ = "umap.umap_"
    with pytest.raises(TypeError, match=r"LatentTraversalDisplay\(decoded, values\).plot\(\)"):
        LatentTraversalDisplay.from_estimator(FakeUMAP(2).fit(X), X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decoded": np.ones((2, 12))}, "decoded must be of shape"),
        ({"values": np.ones((3, 2))}, r"Got shapes \(2, 3, 12\) and \(3, 2\)"),
        ({"components": [0]}, "inconsistent numbers of samples"),
        ({"scale": np.zeros(12)}, "scale must be above 0"),
        ({"center": np.ones(3)}, r"center must be of shape \(12,\)"),
        ({"feature_names": ["a"]}, r"feature_names must be of shape \(12,\)"),
        ({"x": np.arange(3)}, r"x must be of shape \(12,\)"),
    ],
)
def test_what_is_given_must_fit(arguments, message):
    given = {"decoded": np.ones((2, 3, 12)), "values": np.ones((2, 3))} | arguments
    with pytest.raises(ValueError, match=message):
        LatentTraversalDisplay(**given).plot()
    assert not plt.get_fignums()


def test_no_figure_stays_after_an_error_while_drawing(monkeypatch, X):
    display = LatentTraversalDisplay.from_estimator(PCA(2).fit(X), X)
    plt.close("all")
    monkeypatch.setattr(LatentTraversalDisplay, "_draw_lines", NeverCalled.transform)
    with pytest.raises(TypeError):
        display.plot()
    assert not plt.get_fignums()


@pytest.mark.parametrize("shape", [(12,), (50,), (2, 6), (1, 3, 4), (3, 2, 2)])
def test_what_is_missing_stays_blank(shape):
    decoded = np.random.default_rng(0).normal(size=(2, 3, *shape))
    decoded[0], decoded[1, 0] = np.nan, np.inf
    display = LatentTraversalDisplay(decoded, np.ones((2, 3))).plot()
    display.figure_.canvas.draw()
    assert len(display.artists_.ravel()) == 6
