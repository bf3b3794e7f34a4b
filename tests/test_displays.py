"""What the displays draw: marks, colours, limits, labels."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb, to_rgba
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
from skrepr.displays import EmbeddingDisplay, LossCurveDisplay, ReconstructionDisplay
from skrepr.displays._matplotlib import ON_DARK, ON_LIGHT, scheme

COLORS, GREY = ON_LIGHT


@pytest.fixture(autouse=True)
def figures(monkeypatch):
    """Draw without a window, and close what was drawn."""
    matplotlib.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(60, 12)) * np.arange(12, 0, -1)


@pytest.fixture(scope="module")
def embedding(X):
    return AutoencoderEmbedding(
        3, architecture=MLP((8,)), sparsity=1e-3, max_epochs=4, early_stopping=True, random_state=0
    ).fit(X)


def overlaps(boxes):
    """Count pairs of boxes (left, bottom, right, top) that share area."""
    return sum(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    )


def extents(artists, figure):
    """Boxes on the canvas, as :func:`overlaps` takes them."""
    figure.canvas.draw()
    return [artist.get_window_extent().extents for artist in artists]


# ------------------------------------------------------------------ all displays


@pytest.mark.parametrize("kind", ["embedding", "loss", "reconstruction"])
def test_axes_given_are_used_and_plot_draws_again(kind, embedding, X):
    figure, (first, second) = plt.subplots(1, 2)
    display = {
        "embedding": lambda: EmbeddingDisplay.from_estimator(embedding, X, ax=first),
        "loss": lambda: LossCurveDisplay.from_estimator(embedding, ax=first),
        "reconstruction": lambda: ReconstructionDisplay.from_estimator(embedding, X, ax=first),
    }[kind]()
    assert (display.ax_, display.figure_) == (first, figure)
    assert not second.has_data() and not second.child_axes
    assert display.plot(ax=second) is display
    assert display.ax_ is second
    assert display.plot().figure_ is not figure


@pytest.mark.parametrize(
    "display",
    [
        EmbeddingDisplay(np.zeros((2, 2))),
        LossCurveDisplay(pd.DataFrame()),
        ReconstructionDisplay(np.zeros((1, 2)), np.zeros((1, 2))),
    ],
)
def test_without_matplotlib_the_cure_is_named(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install skrepr\[plot\]"):
        display.plot()


def contrast(color, background):
    """Contrast of WCAG 2: from 1 (none) to 21 (black on white)."""

    def luminance(rgb):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    dark, light = sorted([luminance(to_rgb(color)), luminance(to_rgb(background))])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("style", "expected"), [("default", ON_LIGHT), ("dark_background", ON_DARK)]
)
def test_colours_are_seen_on_their_background(style, expected, embedding, X):
    with plt.style.context(style):
        _, axes = plt.subplots(1, 4)
        background = axes[0].get_facecolor()
        marks = EmbeddingDisplay.from_estimator(embedding, X, np.arange(60) % 10, ax=axes[0])
        loss = LossCurveDisplay.from_estimator(embedding, ax=axes[1])
        bars = ReconstructionDisplay.from_estimator(embedding, X, ax=axes[2])
        curves = ReconstructionDisplay.from_estimator(
            embedding, X, sample_shape=(2, 6), ax=axes[3]
        )
        assert scheme(axes[0]) == expected
    drawn = [scatter.get_facecolor()[0][:3] for scatter in marks.scatters_.values()]
    drawn += [line.get_color() for line in loss.lines_.values()]
    drawn += [bar.get_facecolor() for container in bars.artists_.flat for bar in container]
    drawn += [line.get_color() for lines in curves.artists_.flat for line in lines]
    assert len({to_hex(color) for color in drawn}) >= 10
    assert min(contrast(color, background) for color in drawn) > 1.3
    # what is alone in its kind is never faint
    for color in (expected.colors[0], expected.colors[-1], expected.colors[1]):
        assert contrast(color, background) > 3.5


def test_a_legend_stays_in_the_cell_of_its_axes():
    figure, axes = plt.subplots(1, 3, figsize=(12, 4))
    Z = np.random.default_rng(0).normal(size=(60, 2))
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1], "train_kl": [1.0, 0.5]})
    displays = [
        EmbeddingDisplay.from_embedding(Z, np.arange(60) % 12, ax=axes[0]),
        LossCurveDisplay(history, best_epoch=2).plot(axes[1]),
        EmbeddingDisplay.from_embedding(Z, np.arange(60) % 3, ax=axes[2]),
    ]
    legends = [display.ax_.get_legend() for display in displays]
    boxes = extents([*legends, *(display.ax_.patch for display in displays)], figure)
    assert not overlaps(boxes)
    assert max(box[2] for box in boxes) <= figure.bbox.x1


def test_in_small_axes_a_legend_is_written_small():
    figure, axes = plt.subplots(2, 3, figsize=(10, 6))
    Z = np.random.default_rng(0).normal(size=(60, 2))
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1], "train_kl": [1.0, 0.5]})
    first = EmbeddingDisplay.from_embedding(Z, np.arange(60) % 12, ax=axes[0, 0])
    second = LossCurveDisplay(history, best_epoch=2).plot(axes[1, 0])
    legends = [display.ax_.get_legend() for display in (first, second)]
    panels = [ax.patch for ax in (first.ax_, second.ax_, axes[0, 1], axes[1, 1])]
    assert not overlaps(extents([*legends, *panels], figure))


def test_nothing_global_is_changed(embedding, X):
    settings, state = dict(plt.rcParams), np.random.get_state()[1].copy()  # noqa: NPY002
    EmbeddingDisplay.from_estimator(embedding, X, reduction="tsne", n_thumbnails=3)
    LossCurveDisplay.from_estimator(embedding)
    ReconstructionDisplay.from_estimator(embedding, X)
    assert dict(plt.rcParams) == settings
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


# --------------------------------------------------------------- EmbeddingDisplay


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
    centres = np.array([display.points[display.y == label].mean(axis=0) for label in range(3)])
    distances = np.linalg.norm(display.points[:, None] - centres, axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), display.y)


def test_one_row_far_out_does_not_turn_the_axes():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(100, 4)) * [1, 1, 9, 5]
    Z[7] = 1e4, 0, 0, 0
    display = EmbeddingDisplay.from_embedding(Z)
    rest = PCA(2).fit(np.delete(Z, 7, axis=0))
    np.testing.assert_allclose(np.abs(display.points), np.abs(rest.transform(Z)))


def test_one_row_is_drawn_where_nothing_is_to_be_reduced():
    display = EmbeddingDisplay.from_embedding([[1.0, 2.0]], ["a"])
    np.testing.assert_array_equal(display.scatters_["a"].get_offsets(), [[1, 2]])


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
        centres = [first.points[y == label].mean(axis=0) for label in (0, 1)]
        distances = np.linalg.norm(first.points[:, None] - centres, axis=2)
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


def test_labels_have_colours_and_names():
    Z = np.random.default_rng(0).normal(size=(60, 2))
    y = pd.Series(np.array(["star", "galaxy", None], dtype=object)[np.arange(60) % 3], name="kind")
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert list(display.scatters_) == ["galaxy", "star", "not known"]
    for name, rows in [("galaxy", y == "galaxy"), ("star", y == "star"), ("not known", y.isna())]:
        np.testing.assert_allclose(display.scatters_[name].get_offsets(), Z[rows])
    colors = [to_hex(marks.get_facecolor()[0]).upper() for marks in display.scatters_.values()]
    assert colors == [*COLORS[:2], GREY]
    texts = [text.get_text() for text in display.legend_.get_texts()]
    assert texts == ["galaxy", "star", "not known"]
    assert display.legend_.get_title().get_text() == "kind"


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (
            pd.Categorical(["mid", "low", None, "high"], ["low", "mid", "high", "none"]),
            "low mid high",
        ),
        (pd.array([True, None, False, True], dtype="boolean"), "False True"),
        (pd.array([11, 2, None, 2], dtype="Int64"), "2 11"),
        (np.array([1, "a", None, 2.5], dtype=object), "1 2.5 a"),
        (np.array([3.0, np.nan, -1.0, 3.0]), "-1 3"),
        ([True, False, None, True], "False True"),
    ],
)
def test_labels_of_every_kind_are_in_order(y, names):
    display = EmbeddingDisplay.from_embedding(np.arange(8.0).reshape(4, 2), y)
    assert list(display.scatters_) == [*names.split(), "not known"]
    assert sum(len(marks.get_offsets()) for marks in display.scatters_.values()) == 4


def test_large_numbers_are_told_apart():
    y = np.array([[1_000_001], [1_000_002], [1_000_001]])  # a column
    display = EmbeddingDisplay.from_embedding(np.arange(6.0).reshape(3, 2), y)
    assert list(display.scatters_) == ["1000001", "1000002"]


def test_a_wide_legend_takes_nothing_from_the_map():
    Z = np.random.default_rng(0).normal(size=(60, 2))
    sides = []
    for length in (1, 60):
        y = np.array([f"{i:d}" * length for i in range(9)])[np.arange(60) % 9]
        display = EmbeddingDisplay.from_embedding(Z, y)
        sides += [extents([display.ax_.patch], display.figure_)[0]]
    assert np.diff(sides[1][::2]) > 0.95 * np.diff(sides[0][::2])
    assert max(len(text.get_text()) for text in display.legend_.get_texts()) == 30


def test_legend_stands_beside_the_points():
    Z = np.random.default_rng(0).normal(size=(60, 2))
    display = EmbeddingDisplay.from_embedding(Z, np.arange(60) % 26)
    boxes = extents([display.legend_, display.ax_.patch], display.figure_)
    assert not overlaps(boxes)
    whole = display.figure_.bbox.extents
    assert (boxes[0][:2] >= whole[:2]).all() and (boxes[0][2:] <= whole[2:]).all()
    # with the legend and equal scales, the labels of the axes stay on the figure
    tight = display.ax_.get_tightbbox().extents
    assert (tight[:2] >= -1).all() and (tight[2:] <= whole[2:] + 1).all()


def test_from_the_eleventh_label_on_shapes_tell_them_apart():
    Z = np.random.default_rng(0).normal(size=(400, 2))
    y = np.r_[np.arange(400 - 31) % 30, np.repeat([99], 2), np.arange(30), [99]].astype(str)
    y = np.where(np.arange(402) < 2, "rare", y)[:400]
    display = EmbeddingDisplay.from_embedding(Z, y)
    *named, other = display.scatters_
    looks = {
        (
            to_hex(display.scatters_[name].get_facecolor()[0]),
            display.scatters_[name].get_paths()[0].vertices.tobytes(),
        )
        for name in named
    }
    assert len(named) == len(looks) == 30
    assert other == "2 other labels" and not {"rare", "99"} & set(named)
    assert to_hex(display.scatters_[other].get_facecolor()[0]).upper() == GREY
    assert sum(len(marks.get_offsets()) for marks in display.scatters_.values()) == 400


@pytest.mark.parametrize(
    ("y", "color_by", "is_value"),
    [
        (np.arange(40) % 3, "auto", False),
        (np.arange(40.0) % 3, "auto", False),
        (np.arange(40), "auto", True),
        (np.arange(40) / 3, "auto", True),
        (np.arange(40) % 3, "value", True),
        (np.arange(40).astype(str), "auto", False),
        (np.arange(40) / 3, "label", False),
    ],
)
def test_labels_and_values_are_told_apart(y, color_by, is_value):
    Z = np.random.default_rng(0).normal(size=(40, 2))
    display = EmbeddingDisplay.from_embedding(Z, y, color_by=color_by)
    assert (display.colorbar_ is not None) is is_value
    assert (display.legend_ is None) is is_value


def test_values_are_shades_with_a_scale():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(200, 2)), pd.Series(rng.normal(size=200), name="redshift")
    y[3], y[5] = np.nan, 1e6
    display = EmbeddingDisplay.from_embedding(Z, y)
    marks = display.scatters_[None]
    np.testing.assert_array_equal(marks.get_array(), y.dropna())
    assert marks.get_cmap().name == "viridis"
    assert marks.get_clim()[1] < 10  # the value far out takes no colours from the others
    assert display.colorbar_.ax.get_ylabel() == "redshift"


def test_a_value_far_out_takes_no_colours_from_few_others():
    Z = np.random.default_rng(0).normal(size=(40, 2))
    y = np.r_[1e9, np.linspace(-1, 1, 39)]
    display = EmbeddingDisplay.from_embedding(Z, y)
    low, high = display.scatters_[None].get_clim()
    assert -1 <= low < -0.9 and 0.9 < high <= 1
    assert display.colorbar_.extend == "both"
    # of a handful, none is far out
    display = EmbeddingDisplay.from_embedding(Z[:4], [0.5, 1.5, 2.5, 3.5])
    assert display.scatters_[None].get_clim() == (0.5, 3.5)
    assert display.colorbar_.extend == "neither"


@pytest.mark.parametrize("density_from", [0, 1000])
@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_points_without_a_value_are_grey_and_counted(density_from, unknown):
    Z = np.random.default_rng(0).uniform(size=(200, 2))
    y = np.where(Z[:, 0] > 0.5, Z[:, 1], unknown)
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=density_from)
    n = (Z[:, 0] <= 0.5).sum()
    assert f"grey: value of {n} points not known" in display.ax_.get_xlabel()
    if density_from:
        marks = display.scatters_["not known"]
        assert len(marks.get_offsets()) == n
        assert to_hex(marks.get_facecolor()[0]).upper() == GREY
        return
    grey = np.asarray(display.ax_.images[0].get_array())
    empty = display.counts_ == 0
    is_grey = grey[..., 3] == 1
    assert is_grey.any() and np.allclose(grey[is_grey], to_rgba(GREY))
    np.testing.assert_array_equal(~empty & display.image_.get_array().mask, is_grey)


@pytest.mark.parametrize("density_from", [0, 1000])
def test_where_no_value_is_known_all_is_grey(density_from):
    Z = np.random.default_rng(0).normal(size=(50, 2))
    display = EmbeddingDisplay.from_embedding(
        Z, np.full(50, np.nan), color_by="value", density_from=density_from
    )
    assert [text.get_text() for text in display.legend_.get_texts()] == ["not known"]
    assert display.colorbar_ is None


def test_both_axes_have_one_scale_and_all_points_are_inside():
    Z = np.random.default_rng(0).uniform(size=(100, 2)) * [10, 1]
    display = EmbeddingDisplay.from_embedding(Z)
    x, y = display.ax_.get_xlim(), display.ax_.get_ylim()
    assert np.diff(x) == pytest.approx(np.diff(y))
    assert display.ax_.get_aspect() == 1
    assert x[0] < Z[:, 0].min() and x[1] > Z[:, 0].max()
    assert display.n_outside_ == 0


def test_points_far_out_leave_room_and_are_counted():
    Z = np.random.default_rng(0).normal(size=(1000, 2))
    Z[7] = 1e4, 0
    display = EmbeddingDisplay.from_embedding(Z)
    assert display.ax_.get_xlim()[1] < 10
    assert display.n_outside_ == 1
    assert "1 of 1,000 points are outside" in display.ax_.get_xlabel()
    assert display.plot(coverage=1.0).ax_.get_xlim()[1] > 1e4
    assert display.n_outside_ == 0
    display.plot(coverage=0.5)
    x, y = display.ax_.get_xlim(), display.ax_.get_ylim()
    low, high = np.transpose([x, y])
    inside = ((low <= Z) & (high >= Z)).all(axis=1)
    assert display.n_outside_ == (~inside).sum() > 300


def test_one_point_of_few_far_out_leaves_room():
    Z = np.random.default_rng(0).normal(size=(60, 2))
    Z[7] = 1e4, 0
    display = EmbeddingDisplay.from_embedding(Z)
    assert display.n_outside_ == 1 and display.ax_.get_xlim()[1] < 10


def test_rare_labels_lie_above_frequent_ones_and_grey_below():
    y = np.array([None] + ["rare"] * 5 + ["frequent"] * 30, dtype=object)
    scatters = EmbeddingDisplay.from_embedding(np.zeros((36, 2)), y).scatters_
    order = sorted(scatters, key=lambda name: scatters[name].get_zorder())
    assert order == ["not known", "frequent", "rare"]


def test_marks_can_be_the_labels_themselves():
    Z = np.random.default_rng(0).normal(size=(20, 2))
    display = EmbeddingDisplay.from_embedding(Z, np.arange(20) % 2, marker="label")
    assert display.legend_ is None
    zero, one = (marks.get_paths()[0].vertices for marks in display.scatters_.values())
    assert zero.shape != one.shape


def test_letters_are_written_as_they_are_in_one_size():
    Z = np.random.default_rng(0).normal(size=(40, 2))
    y = np.array(["$1", "a_b", "x^2 y^2", "$a$"])[np.arange(40) % 4]
    display = EmbeddingDisplay.from_embedding(Z, y, marker="label")
    plain = EmbeddingDisplay.from_embedding(Z, np.full(40, "$1"), marker="label")
    heights = {}
    for name, marks in display.scatters_.items():
        box = marks.get_paths()[0].get_extents()
        heights[name] = box.height / max(box.width, box.height) * np.sqrt(marks.get_sizes()[0])
        np.testing.assert_allclose((box.min + box.max) / 2, 0, atol=1e-9)
    np.testing.assert_allclose(
        plain.scatters_["$1"].get_paths()[0].vertices,
        display.scatters_["$1"].get_paths()[0].vertices,
    )
    assert max(heights.values()) < 1.5 * min(heights.values())


def test_density_counts_every_point():
    Z = np.random.default_rng(0).normal(size=(5000, 2))
    display = EmbeddingDisplay.from_embedding(Z, density_from=5000)
    assert display.counts_.sum() == 5000 - display.n_outside_
    assert not display.scatters_ and not display.ax_.collections
    assert display.image_.origin == "lower"
    left, right, bottom, top = display.image_.get_extent()
    assert display.ax_.get_xlim() == (left, right) and display.ax_.get_ylim() == (bottom, top)
    n_cells = len(display.counts_)
    expected, _, _ = np.histogram2d(*Z.T, bins=n_cells, range=[(left, right), (bottom, top)])
    assert (display.counts_ != expected.T).mean() < 0.001  # points on an edge
    assert display.colorbar_.ax.get_ylabel() == "points in a cell"
    assert EmbeddingDisplay.from_embedding(Z, density_from=5001).image_ is None


def test_density_has_the_colour_of_the_most_frequent_label():
    y = np.repeat([0, 1, 2], [1000, 900, 100])
    Z = np.random.default_rng(0).uniform(size=(2000, 2)) + 5 * (y == 0)[:, None]
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=0)
    picture = np.asarray(display.image_.get_array())
    shown = display.counts_ > 0
    assert (picture[..., 3] > 0).tolist() == shown.tolist()
    colors = np.array([matplotlib.colors.to_rgb(color) for color in COLORS[:3]])
    n_cells = len(shown)
    low, span = display.ax_.get_xlim()[0], np.diff(display.ax_.get_xlim())
    cells = ((Z - [low, display.ax_.get_ylim()[0]]) / span * n_cells).astype(int)
    for column, row in np.unique(cells, axis=0)[::20]:
        here = y[(cells == [column, row]).all(axis=1)]
        most = np.bincount(here, minlength=3)
        chosen = np.abs(colors - picture[row, column, :3]).sum(axis=1).argmin()
        assert most[chosen] == most.max()


def test_density_of_as_many_labels_as_points():
    Z = np.random.default_rng(0).uniform(size=(30_000, 2))
    y = np.where(np.arange(30_000) < 20_000, np.arange(30_000), -1).astype(str)
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert list(display.counts_.shape) == [86, 86]
    picture = np.asarray(display.image_.get_array())[display.counts_ > 8]
    shown = {to_hex(cell[:3]).upper() for cell in picture}
    assert COLORS[0] in shown  # "-1", the first in order
    assert [text.get_text() for text in display.legend_.get_texts()][-1] == "19991 other labels"


def test_density_shows_mean_values():
    Z = np.random.default_rng(0).uniform(size=(4000, 2))
    y = np.where(Z[:, 0] < 0.5, 1.5, 3.5)
    y[::10] = np.nan
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=0)
    means = display.image_.get_array()
    width = means.shape[1] // 2
    np.testing.assert_allclose(means[:, : width - 1].compressed(), 1.5)
    np.testing.assert_allclose(means[:, width + 1 :].compressed(), 3.5)
    assert display.colorbar_.ax.get_ylabel() == "mean value"


def test_million_points_are_drawn_as_an_image():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(10**6, 2)).astype(np.float32), rng.integers(0, 5, 10**6)
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert display.image_ is not None and not display.scatters_
    assert display.counts_.shape == (200, 200)
    assert display.counts_.sum() == 10**6 - display.n_outside_
    assert len(display.legend_.get_texts()) == 5


@pytest.mark.parametrize("sample_shape", [(1, 3, 4), (3, 2, 2), (1, 12), (12,)])
def test_thumbnails_are_samples_at_their_points(sample_shape, X):
    pca = PCA(2).fit(X)
    y = np.arange(60) % 2
    display = EmbeddingDisplay.from_estimator(
        pca, X, y, n_thumbnails=12, sample_shape=sample_shape
    )
    rows = display.thumbnail_rows_
    assert 4 <= len(rows) == len(display.thumbnails_) <= 12
    frames = display.ax_.patches
    boxes = [
        (*frame.get_xy(), frame.get_x() + frame.get_width(), frame.get_y() + frame.get_height())
        for frame in frames
    ]
    assert not overlaps(boxes)
    for row, frame, shown in zip(rows, frames, display.thumbnails_, strict=True):
        np.testing.assert_allclose(frame.get_center(), display.points[row], atol=1e-9)
        assert to_hex(frame.get_edgecolor()).upper() == COLORS[y[row]]
        if len(sample_shape) == 3:
            _, _, bottom, top = shown.get_extent()
            assert bottom < top and shown.origin == "upper"
            image = np.asarray(shown.get_array())
            sample = X[row].reshape(sample_shape)
            sample = sample[0] if sample_shape[0] == 1 else np.moveaxis(sample, 0, -1)
            assert image.shape == sample.shape
            assert np.corrcoef(image.ravel(), sample.ravel())[0, 1] == pytest.approx(1)
        else:
            (line,) = shown
            assert np.corrcoef(line.get_ydata(), X[row])[0, 1] == pytest.approx(1)
    x, y = display.ax_.get_xlim(), display.ax_.get_ylim()
    left, bottom, right, top = np.array(boxes).T
    assert x[0] <= left.min() and right.max() <= x[1]
    assert y[0] <= bottom.min() and top.max() <= y[1]


def test_thumbnails_at_the_edge_are_whole():
    Z = np.array([[0.0, 0.0], [1.0, 1.0]])
    display = EmbeddingDisplay.from_embedding(Z, samples=np.eye(2), n_thumbnails=5)
    assert sorted(display.thumbnail_rows_) == [0, 1]
    for frame in display.ax_.patches:
        low, high = frame.get_extents().transformed(display.ax_.transData.inverted()).get_points()
        assert (low >= display.ax_.get_xlim()[0]).all() and (
            high <= display.ax_.get_xlim()[1]
        ).all()


def test_frames_have_the_colours_of_values():
    Z = np.random.default_rng(0).normal(size=(50, 2))
    y = np.r_[np.full(5, np.nan), Z[5:, 0]]
    display = EmbeddingDisplay.from_embedding(Z, y, samples=Z, n_thumbnails=20)
    marks = display.scatters_[None]
    for row, frame in zip(display.thumbnail_rows_, display.ax_.patches, strict=True):
        expected = GREY if np.isnan(y[row]) else marks.get_cmap()(marks.norm(y[row]))
        assert to_hex(frame.get_edgecolor()) == to_hex(expected)


def test_many_thumbnails_are_placed_in_a_dense_cloud():
    Z = np.random.default_rng(0).normal(size=(2000, 2))
    display = EmbeddingDisplay.from_embedding(Z, samples=Z, n_thumbnails=20)
    assert 14 <= len(display.thumbnail_rows_) <= 20


@pytest.mark.parametrize("n_channels", [None, 2])
def test_series_of_different_lengths_are_thumbnails(n_channels):
    rng = np.random.default_rng(0)
    shape = () if n_channels is None else (n_channels,)
    samples = [rng.normal(size=(*shape, length)) for length in 5 + np.arange(30) % 4]
    display = EmbeddingDisplay.from_embedding(
        rng.normal(size=(30, 2)), samples=samples, n_thumbnails=10
    )
    for row, lines in zip(display.thumbnail_rows_, display.thumbnails_, strict=True):
        for line, channel in zip(lines, np.atleast_2d(samples[row]), strict=True):
            drawn = np.asarray(line.get_ydata())
            drawn = drawn[np.isfinite(drawn)]
            assert len(drawn) == len(channel)
            assert np.corrcoef(drawn, channel)[0, 1] == pytest.approx(1)


def test_series_with_different_channels_are_told():
    samples = [np.ones((1 + i % 2, 5)) for i in range(10)]
    with pytest.raises(ValueError, match="with one number of channels"):
        EmbeddingDisplay.from_embedding(
            np.random.default_rng(0).normal(size=(10, 2)), samples=samples, n_thumbnails=3
        )


@pytest.mark.parametrize("sample", [np.full(6, np.nan), np.full(6, 3.0), np.ones(1)])
def test_thumbnails_without_a_curve_are_drawn(sample):
    Z = np.random.default_rng(0).normal(size=(10, 2))
    display = EmbeddingDisplay.from_embedding(Z, samples=np.tile(sample, (10, 1)), n_thumbnails=3)
    for row, (line,) in zip(display.thumbnail_rows_, display.thumbnails_, strict=True):
        if np.isfinite(sample).all():
            np.testing.assert_allclose(np.mean(line.get_data(), axis=1), Z[row])


def test_only_the_rows_shown_become_dense(X):
    X = csr_array(np.where(X > 0, X, 0))
    pca = PCA(2, svd_solver="arpack", random_state=0).fit(X)
    display = EmbeddingDisplay.from_estimator(pca, X, n_thumbnails=4, sample_shape=(1, 3, 4))
    assert display.samples is X
    assert {image.get_array().shape for image in display.thumbnails_} == {(3, 4)}


def test_thumbnails_take_the_shape_that_the_network_sees(X):
    model = make_pipeline(
        StandardScaler(),
        AutoencoderEmbedding(
            2, architecture=MLP((8,)), input_shape=(1, 3, 4), max_epochs=1, random_state=0
        ),
    ).fit(X)
    display = EmbeddingDisplay.from_estimator(model, X, n_thumbnails=4)
    assert display.sample_shape == (1, 3, 4)
    assert {image.get_array().shape for image in display.thumbnails_} == {(3, 4)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduction": "isomap"}, "reduction must be"),
        ({"marker": "cross"}, "marker must be"),
        ({"y": np.arange(10), "color_by": "hue"}, "color_by must be"),
        ({"n_thumbnails": 3}, "need samples"),
        ({"n_thumbnails": -1}, "must be 0 or more"),
        ({"n_thumbnails": 3, "samples": np.ones((10, 8, 8, 3))}, "channels first"),
        ({"n_thumbnails": 3, "samples": np.ones(10)}, "A sample is a table"),
        ({"y": np.ones((10, 2))}, "y should be a 1d array"),
        ({"y": ["a", "b"] * 5, "color_by": "value"}, "color_by='value' needs numbers"),
        ({"y": np.arange(9)}, "inconsistent numbers of samples"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_embedding(np.random.default_rng(0).normal(size=(10, 2)), **arguments)


def test_a_shape_that_does_not_fit_is_told(X):
    with pytest.raises(ValueError, match=r"sample_shape=\(1, 5, 5\) does not fit rows of shape"):
        EmbeddingDisplay.from_estimator(PCA(2).fit(X), X, n_thumbnails=3, sample_shape=(1, 5, 5))


@pytest.mark.parametrize(
    ("width", "reduction"), [(1, "auto"), (2, "auto"), (4, "auto"), (4, "tsne")]
)
def test_constant_embeddings_are_drawn(width, reduction):
    display = EmbeddingDisplay.from_embedding(
        np.zeros((10, width)), samples=np.ones((10, 5)), n_thumbnails=3, reduction=reduction
    )
    assert np.isfinite(display.ax_.get_xlim()).all()


# --------------------------------------------------------------- LossCurveDisplay


def test_every_loss_and_every_term_has_its_curve(embedding):
    display = LossCurveDisplay.from_estimator(embedding)
    history = embedding.history_
    assert set(display.lines_) == {
        f"{part}_{what}"
        for part in ("train", "valid")
        for what in ("loss", "reconstruction", "sparsity")
    }
    for column, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), history["epoch"])
        np.testing.assert_array_equal(line.get_ydata(), history[column])
        assert line.get_linestyle() == ("--" if column.startswith("train") else "-")
    colors = {column: line.get_color() for column, line in display.lines_.items()}
    assert all(colors[f"train_{w}"] == colors[f"valid_{w}"] for w in ("loss", "sparsity"))
    assert len(set(colors.values())) == 3
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts[:2] == ["loss, training rows", "loss, held-out rows"]
    assert texts[-1] == f"weights kept: epoch {embedding.best_epoch_} (start)"
    assert set(display.best_line_.get_xdata()) == {embedding.best_epoch_}
    boxes = extents([display.ax_.get_legend(), display.ax_.patch], display.figure_)
    assert not overlaps(boxes)


def test_the_epoch_kept_after_partial_fit_and_after_going_on(X):
    model = AutoencoderEmbedding(
        2, architecture=MLP((8,)), max_epochs=2, early_stopping=True, warm_start=True,
        sparsity=1e-3, random_state=0,
    ).fit(X)  # fmt: skip
    model.fit(X).partial_fit(X)
    display = LossCurveDisplay.from_estimator(model)
    assert len(display.lines_) == 6  # held-out rows in the first epochs only
    assert set(display.best_line_.get_xdata()) == {model.best_epoch_} == {5}
    assert np.isnan(display.lines_["valid_loss"].get_ydata()[-1])


def test_ticks_of_a_single_epoch_are_epochs():
    display = LossCurveDisplay(pd.DataFrame({"epoch": [1], "train_loss": [2.0]})).plot()
    low, high = display.ax_.get_xlim()
    ticks = [tick for tick in display.ax_.get_xticks() if low <= tick <= high]
    assert ticks == [0, 1]


def test_curve_of_a_pipeline(embedding, X):
    model = make_pipeline(StandardScaler().fit(X), embedding)
    assert LossCurveDisplay.from_estimator(model).best_epoch == embedding.best_epoch_


@pytest.mark.parametrize(
    ("losses", "log", "scale"),
    [
        ([100, 10, 1], "auto", "log"),
        ([3, 2, 1], "auto", "linear"),
        ([100, 1, -1], "auto", "linear"),
        ([100, 1, 0.1], False, "linear"),
        ([3, 2, 1], True, "log"),
    ],
)
def test_scale_of_the_loss(losses, log, scale):
    history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": losses})
    display = LossCurveDisplay(history).plot(log=log)
    assert display.ax_.get_yscale() == scale
    assert display.best_line_ is None


def test_columns_without_values_have_no_curve():
    history = pd.DataFrame(
        {"epoch": [1, 2], "train_loss": [2.0, 1.0], "valid_loss": [None, None], "seconds": [1, 1]}
    )
    display = LossCurveDisplay(history).plot()
    assert list(display.lines_) == ["train_loss"]
    ticks = display.ax_.get_xticks()
    np.testing.assert_array_equal(ticks, ticks.round())


def test_training_without_an_epoch_says_so():
    history = pd.DataFrame({"epoch": [], "train_loss": [], "seconds": []})
    display = LossCurveDisplay(history, best_epoch=0).plot()
    assert "no epoch was run" in display.ax_.texts[0].get_text()


def test_what_has_no_history_is_told(X):
    with pytest.raises(TypeError, match="PCA has no history_"):
        LossCurveDisplay.from_estimator(PCA(2).fit(X))


# ---------------------------------------------------------- ReconstructionDisplay


def heights(bars):
    return [bar.get_height() for bar in bars]


def test_table_is_bars_in_standard_deviations(X):
    names = [f"column {i}" for i in range(12)]
    frame = pd.DataFrame(X, columns=names)
    pca = PCA(3).fit(frame)
    display = ReconstructionDisplay.from_estimator(pca, frame, rows=[4, 2])
    rebuilt = pca.inverse_transform(pca.transform(frame))
    np.testing.assert_array_equal(display.rows, [4, 2])
    centre, scale = X.mean(axis=0), X.std(axis=0)
    for column, row in enumerate([4, 2]):
        drawn = [heights(bars) for bars in display.artists_[:, column]]
        np.testing.assert_allclose(drawn[0], (X[row] - centre) / scale, atol=1e-9)
        np.testing.assert_allclose(drawn[1], (rebuilt[row] - centre) / scale)
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


def test_colour_images_are_in_colour(X):
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


def test_what_cannot_rebuild_is_told(X):
    class Encoder:
        def transform(self, X):
            return X[:, :2]

    with pytest.raises(TypeError, match="Encoder has no inverse_transform"):
        ReconstructionDisplay.from_estimator(Encoder(), X)


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


def test_no_sample_is_told(X):
    with pytest.raises(ValueError, match="There is no sample to draw"):
        ReconstructionDisplay.from_estimator(PCA(3).fit(X), X, n_samples=0)


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
