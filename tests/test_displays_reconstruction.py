"""Samples above their reconstructions and what these leave out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from pictures import extents, overlaps
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
from skrepr.displays import ReconstructionDisplay

pytestmark = pytest.mark.usefixtures("figures")


def heights(bars):
    return [bar.get_height() for bar in bars]


def test_table_is_bars_in_standard_deviations(X):
    names = [f"column {i}" for i in range(12)]
    frame = pd.DataFrame(X, columns=names)
    pca = PCA(3).fit(frame)
    display = ReconstructionDisplay.from_estimator(pca, frame, rows=[4, 2])
    rebuilt = pca.inverse_transform(pca.transform(frame))
    np.testing.assert_array_equal(display.rows, [4, 2])
    center, scale = X.mean(axis=0), X.std(axis=0)
    for column, row in enumerate([4, 2]):
        drawn = [heights(bars) for bars in display.artists_[:, column]]
        np.testing.assert_allclose(drawn[0], (X[row] - center) / scale, atol=1e-9)
        np.testing.assert_allclose(drawn[1], (rebuilt[row] - center) / scale)
        np.testing.assert_allclose(drawn[2], (X[row] - rebuilt[row]) / scale)
        assert display.errors_[column] == pytest.approx(np.sqrt(np.mean(np.square(drawn[2]))))
    labels = [label.get_text() for label in display.axes_[2, 0].get_xticklabels()]
    assert labels == names
    titles = ["X", "reconstruction", "residual"]
    assert [panel.get_ylabel() for panel in display.axes_[:, 0]] == [
        f"{title} (sd)" for title in titles
    ]


def test_images_share_a_scale_and_residuals_have_one_around_zero(X):
    pca = PCA(3).fit(X)
    display = ReconstructionDisplay.from_estimator(pca, X, n_samples=4, sample_shape=(1, 3, 4))
    assert display.axes_.shape == display.artists_.shape == (3, 4)
    rebuilt = pca.inverse_transform(pca.transform(X))
    for column, row in enumerate(display.rows):
        drawn = [np.asarray(image.get_array()).ravel() for image in display.artists_[:, column]]
        np.testing.assert_allclose(drawn[0], X[row])
        np.testing.assert_allclose(drawn[1], rebuilt[row])
        np.testing.assert_allclose(drawn[2], X[row] - rebuilt[row], atol=1e-12)
    assert len({image.get_clim() for image in display.artists_[:2].flat}) == 1
    ((low, high),) = {image.get_clim() for image in display.artists_[2]}
    assert low == -high == -np.abs((X - rebuilt)[display.rows]).max()
    assert {panel.get_aspect() for panel in display.axes_.flat} == {1}
    assert display.colorbar_ is not None


def test_color_images_are_in_color(X):
    X = X - X.min()
    display = ReconstructionDisplay.from_estimator(
        PCA(11).fit(X), X, n_samples=2, sample_shape=(3, 2, 2)
    )
    image = np.asarray(display.artists_[0, 0].get_array())
    assert image.shape == (2, 2, 3)
    assert image.min() >= 0 and image.max() <= 1
    sample = np.moveaxis(X[display.rows[0]].reshape(3, 2, 2), 0, -1)
    assert np.corrcoef(image.ravel(), sample.ravel())[0, 1] == pytest.approx(1)
    residual = np.asarray(display.artists_[2, 0].get_array())
    assert residual.shape == (2, 2)


def test_series_are_curves_over_x_in_their_shape():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2, 9)).astype(np.float32)
    embedding = AutoencoderEmbedding(3, max_epochs=1, random_state=0).fit(X)
    x = np.linspace(4000, 7000, 9)
    display = ReconstructionDisplay.from_estimator(embedding, X, n_samples=3, x=x)
    rebuilt = embedding.reconstruct(X)
    for column, row in enumerate(display.rows):
        for panel, values in enumerate((X[row], rebuilt[row], X[row] - rebuilt[row])):
            lines = display.artists_[panel, column]
            assert len(lines) == 2
            np.testing.assert_allclose([line.get_ydata() for line in lines], values, atol=1e-6)
            np.testing.assert_array_equal(lines[0].get_xdata(), x)
        above, below, left_over = display.axes_[:, column]
        assert above.get_ylim() == below.get_ylim()
        low, high = left_over.get_ylim()
        assert low == -high
        assert high - low >= np.diff(above.get_ylim()) - 1e-6


def test_wide_tables_are_curves():
    X = np.random.default_rng(0).normal(size=(40, 50))
    display = ReconstructionDisplay.from_estimator(PCA(3).fit(X), X, n_samples=2)
    (line,) = display.artists_[0, 0]
    np.testing.assert_allclose(line.get_ydata(), X[display.rows[0]])


def test_rows_run_from_the_best_rebuilt_to_the_worst(X):
    pca = PCA(3).fit(X)
    display = ReconstructionDisplay.from_estimator(pca, X, n_samples=5, sample_shape=(1, 12, 1))
    errors = np.sqrt(np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2, axis=1))
    np.testing.assert_allclose(display.errors_, errors[display.rows])
    np.testing.assert_allclose(display.errors_[[0, -1]], [errors.min(), errors.max()])
    assert (np.diff(display.errors_) > 0).all()
    titles = [panel.get_title() for panel in display.axes_[0]]
    assert titles == [f"error\n{error:.2g}" for error in display.errors_]


@pytest.mark.parametrize("sample_shape", [(1, 3, 4), (2, 6), (12,)])
def test_panels_and_titles_do_not_overlap(sample_shape, X):
    display = ReconstructionDisplay.from_estimator(
        PCA(3).fit(X), X, n_samples=8, sample_shape=sample_shape
    )
    display.figure_.canvas.draw()
    # tick labels and titles included; below each other, one pixel of rounding
    boxes = [panel.get_tightbbox().padded(-1).extents for panel in display.axes_.ravel()]
    assert not overlaps(boxes)
    assert not overlaps(extents([panel.title for panel in display.axes_[0]], display.figure_))


def test_missing_values_stay_blank(X):
    X = X.copy()
    X[::5, 3] = np.nan
    embedding = AutoencoderEmbedding(
        2, architecture=MLP((8,)), missing="mask", max_epochs=1, random_state=0
    ).fit(X)
    display = ReconstructionDisplay.from_estimator(embedding, X, rows=[0, 1])
    assert np.isnan(heights(display.artists_[0, 0])[3])
    assert np.isfinite(heights(display.artists_[1, 0])[3])
    assert np.isfinite(display.errors_).all()


def test_sparse_rows_and_pipelines(X):
    X = np.where(X > 0, X, 0)
    embedding = AutoencoderEmbedding(2, architecture=MLP((8,)), max_epochs=1, random_state=0).fit(
        csr_array(X)
    )
    display = ReconstructionDisplay.from_estimator(embedding, csr_array(X), rows=[1, 2])
    np.testing.assert_allclose(display.samples, X[[1, 2]])
    model = make_pipeline(StandardScaler(), PCA(12)).fit(X)
    display = ReconstructionDisplay.from_estimator(model, X, n_samples=2)
    np.testing.assert_allclose(display.reconstructions, display.samples, atol=1e-9)


def test_few_rows_have_no_standard_deviation(X):
    display = ReconstructionDisplay.from_estimator(PCA(3).fit(X), X[:9], rows=[2])
    assert display.scale is None
    np.testing.assert_allclose(heights(display.artists_[0, 0]), X[2])
    assert display.axes_[0, 0].get_ylabel() == "X"


def test_rows_may_be_a_mask(X):
    mask = np.isin(np.arange(60), [3, 8])
    display = ReconstructionDisplay.from_estimator(PCA(3).fit(X), X, rows=mask)
    np.testing.assert_array_equal(display.rows, [3, 8])
    np.testing.assert_array_equal(display.samples, X[[3, 8]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, r"'n_samples' .* must be an int in the range \[1, inf\). Got 0"),
        ({"rows": []}, "There is no sample to draw"),
        ({"rows": np.zeros(60, dtype=bool)}, "There is no sample to draw"),
    ],
)
def test_no_sample_is_told(arguments, message, X):
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_estimator(PCA(3).fit(X), X, **arguments)
    with pytest.raises(ValueError, match="There is no sample to draw"):
        ReconstructionDisplay(X[:0], X[:0]).plot()


@pytest.mark.parametrize("n_channels", [None, 2])
def test_series_of_different_lengths_are_curves(n_channels):
    class Halving:
        def reconstruct(self, X):
            return [x / 2 for x in X]

    rng = np.random.default_rng(0)
    shape = () if n_channels is None else (n_channels,)
    X = [rng.normal(size=(*shape, length)) for length in 5 + np.arange(20) % 3]
    display = ReconstructionDisplay.from_estimator(Halving(), X, n_samples=4)
    for column, row in enumerate(display.rows):
        x = np.atleast_2d(X[row])
        for lines, expected in zip(display.artists_[:, column], (x, x / 2, x / 2), strict=True):
            drawn = np.array([line.get_ydata() for line in lines])
            np.testing.assert_allclose(drawn[:, : x.shape[1]], expected)
            assert np.isnan(drawn[:, x.shape[1] :]).all()
        assert display.errors_[column] == pytest.approx(np.sqrt(np.mean((x / 2) ** 2)))


@pytest.mark.parametrize("shape", [(5,), (1, 40), (1, 4, 4), (3, 4, 4)])
def test_samples_that_are_all_missing_stay_blank(shape):
    display = ReconstructionDisplay(np.full((2, *shape), np.nan), np.zeros((2, *shape))).plot()
    display.figure_.canvas.draw()
    np.testing.assert_array_equal(display.errors_, 0)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_wild_reconstruction_leaves_the_shades_of_images_alone(n_channels):
    samples = np.random.default_rng(0).uniform(size=(3, n_channels, 4, 4))
    rebuilt = samples.copy()
    rebuilt[0, 0, 0, 0] = 1000
    display = ReconstructionDisplay(samples, rebuilt).plot()
    above, below = (display.artists_[row, 1] for row in (0, 1))
    np.testing.assert_array_equal(above.get_array(), below.get_array())
    if n_channels == 1:
        assert above.get_clim() == below.get_clim() == (samples.min(), samples.max())
    else:
        assert np.ptp(above.get_array()) > 0.8


@pytest.mark.parametrize("unit", [1e-17, 1e9])
def test_powers_of_ten_do_not_lie_on_other_panels(unit, X):
    display = ReconstructionDisplay(unit * X[:3, None], unit * X[:3, None] / 2).plot()
    display.figure_.canvas.draw()
    assert {panel.yaxis.get_offset_text().get_text() for panel in display.axes_.flat} == {""}
    boxes = [panel.get_tightbbox().padded(-1).extents for panel in display.axes_.flat]
    assert not overlaps(boxes)


def test_long_names_of_columns_leave_room(X):
    sides = []
    for name in ("x", "a very long name of the column"):
        frame = pd.DataFrame(X, columns=[f"{name} {i}" for i in range(12)])
        display = ReconstructionDisplay.from_estimator(PCA(3).fit(frame), frame, n_samples=3)
        boxes = extents([panel.yaxis.label for panel in display.axes_[:, 0]], display.figure_)
        assert not overlaps(boxes)
        tight = [panel.get_tightbbox().extents for panel in display.axes_[2]]
        assert min(box[1] for box in tight) >= display.figure_.bbox.y0 - 1
        sides.append(display.axes_[0, 0].get_window_extent().height)
    assert sides[1] > 0.95 * sides[0]
    labels = [label.get_text() for label in display.axes_[2, 0].get_xticklabels()]
    assert labels[3] == "a very long…the column 3" and len(labels[3]) == 24


def test_a_table_with_positions_is_drawn_as_curves(X):
    x = pd.date_range("2020-01-01", periods=12).to_numpy()
    display = ReconstructionDisplay.from_estimator(PCA(3).fit(X), X, n_samples=1, x=x)
    display.figure_.draw_without_rendering()
    (line,) = display.artists_[0, 0]
    np.testing.assert_array_equal(line.get_xdata(), x)
    np.testing.assert_allclose(line.get_ydata(), X[display.rows[0]])


@pytest.mark.parametrize("shape", [(12,), (50,), (2, 6), (1, 3, 4)])
def test_center_and_scale_are_the_units_of_what_is_drawn(shape):
    samples = np.random.default_rng(0).normal(size=(1, *shape))
    center, scale = np.full(shape, 5.0), np.full(shape, 2.0)
    expected = ReconstructionDisplay((samples - 5) / 2, samples / 2 - 2.5).plot()
    display = ReconstructionDisplay(samples, samples, center=center, scale=scale).plot()
    assert [panel.get_ylim() for panel in display.axes_[0]] == [
        panel.get_ylim() for panel in expected.axes_[0]
    ]
    np.testing.assert_allclose(display.errors_, 0)
    half = ReconstructionDisplay(samples, samples - 1, scale=scale).plot()
    np.testing.assert_allclose(half.errors_, 0.5)
    assert half.axes_[0, 0].get_ylabel() == "X (sd)"


@pytest.mark.parametrize(
    ("arguments", "exception", "message"),
    [
        ({"rows": [60]}, ValueError, "rows must be below 60"),
        ({"rows": [-61]}, ValueError, "rows must be below 60"),
        ({"rows": [0.5]}, ValueError, "rows must be numbers of rows"),
        ({"rows": 3}, ValueError, "rows must be numbers of rows"),
        ({"rows": [True, False]}, ValueError, "or a mask of all 60 rows"),
        ({"rows": [float("nan")]}, ValueError, "rows must be numbers of rows"),
        ({"x": np.arange(11)}, ValueError, r"x must be of shape \(12,\)"),
        ({"x": np.r_[np.arange(11), np.nan]}, ValueError, "x must be finite"),
        ({"x": ["u"] * 12}, ValueError, "x must be finite numbers or dates"),
        ({"x": np.arange(4), "sample_shape": (1, 3, 4)}, ValueError, "x is for series"),
        ({"sample_shape": (5,)}, ValueError, "does not fit rows of shape"),
    ],
)
def test_what_cannot_be_drawn_is_told_before_anything_is_rebuilt(arguments, exception, message, X):
    class NeverCalled:
        def reconstruct(self, X):
            raise AssertionError("rebuilt before the arguments were checked")

    with pytest.raises(exception, match=message):
        ReconstructionDisplay.from_estimator(NeverCalled(), X, **arguments)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reconstructions": np.ones((3, 11))}, "must have one shape"),
        ({"reconstructions": np.ones((2, 12))}, "must have one shape"),
        ({"scale": np.ones(3)}, r"scale must be of shape \(12,\)"),
        ({"center": np.ones(3)}, r"center must be of shape \(12,\)"),
        ({"scale": np.zeros(12)}, "scale must be above 0"),
        ({"scale": np.full(12, np.nan)}, "Input scale contains NaN"),
        ({"center": np.full(12, np.inf)}, "Input center contains infinity"),
        ({"feature_names": ["a"]}, r"feature_names must be of shape \(12,\)"),
        ({"x": np.arange(3)}, r"x must be of shape \(12,\)"),
    ],
)
def test_what_is_given_must_fit_the_samples(arguments, message, X):
    given = {"samples": X[:3], "reconstructions": X[:3]} | arguments
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay(**given).plot()
    assert not plt.get_fignums()


class Halving:
    def reconstruct(self, X):
        return np.asarray(X) / 2


@pytest.mark.parametrize(
    ("sample_shape", "exponent"),
    [((12,), -560), ((12,), 515), ((2, 6), 515), ((1, 3, 4), -560), ((3, 2, 2), 515)],
)
def test_errors_and_units_hold_beyond_the_squares_of_floats(exponent, sample_shape, X):
    expected, display = (
        ReconstructionDisplay.from_estimator(
            Halving(), values, sample_shape=sample_shape, n_samples=2
        )
        for values in (X, np.ldexp(X, exponent))
    )
    if sample_shape == (2, 6):
        display.figure_.draw_without_rendering()
    np.testing.assert_array_equal(display.rows, expected.rows)
    shift = 0 if sample_shape == (12,) else exponent  # bars are in standard deviations
    np.testing.assert_allclose(display.errors_, np.ldexp(expected.errors_, shift))


@pytest.mark.parametrize("sample_shape", [(12,), (2, 6), (1, 3, 4), (3, 2, 2)])
@pytest.mark.parametrize("odd", ["one row", "constant", "missing", "column missing", "infinite"])
def test_odd_samples_are_drawn(odd, sample_shape, X):
    X = {
        "one row": lambda: X[:1],
        "constant": lambda: np.ones((20, 12)),
        "missing": lambda: np.full((20, 12), np.nan),
        "column missing": lambda: np.where(np.arange(12) == 3, np.nan, X),
        "infinite": lambda: np.where(X > 9, np.inf, np.where(X < -9, -np.inf, X))[4:],
    }[odd]()
    assert odd != "infinite" or {np.inf, -np.inf} <= set(X[0])
    display = ReconstructionDisplay.from_estimator(
        Halving(), X, sample_shape=sample_shape, rows=[0]
    )
    if odd == "infinite":
        display.figure_.canvas.draw()
    assert (np.isfinite(display.errors_) | (odd == "infinite")).all()
    if odd == "column missing" and sample_shape == (12,):
        rebuilt = heights(display.artists_[1, 0])
        assert np.isfinite(np.delete(rebuilt, 3)).all()


def test_a_rebuilt_value_of_a_column_without_values_is_drawn(X):
    class Filling:
        def reconstruct(self, X):
            return np.where(np.isnan(X), 0.5, X)

    X = np.where(np.arange(12) == 3, np.nan, X)
    display = ReconstructionDisplay.from_estimator(Filling(), X, rows=[0])
    assert heights(display.artists_[1, 0])[3] == 0.5


def test_names_of_columns_are_written_as_they_are(X):
    frame = pd.DataFrame(X, columns=[f"$\\foo{i}$" for i in range(12)])
    display = ReconstructionDisplay.from_estimator(PCA(3).fit(frame), frame, n_samples=1)
    display.figure_.draw_without_rendering()
    labels = [label.get_text() for label in display.axes_[2, 0].get_xticklabels()]
    assert labels == list(frame.columns)
