"""What y says about the color of each point."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgba

from skrepr.displays import EmbeddingDisplay
from skrepr.displays._matplotlib import ON_LIGHT

pytestmark = pytest.mark.usefixtures("figures")
COLORS, GREY = ON_LIGHT


def test_labels_have_colors_and_names():
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
    assert marks.get_clim()[1] < 10  # the value far out takes no colors from the others
    assert display.colorbar_.ax.get_ylabel() == "redshift"


def test_a_value_far_out_takes_no_colors_from_few_others():
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
def test_points_without_a_value_are_gray_and_counted(density_from, unknown):
    Z = np.random.default_rng(0).uniform(size=(200, 2))
    y = np.where(Z[:, 0] > 0.5, Z[:, 1], unknown)
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=density_from)
    n = (Z[:, 0] <= 0.5).sum()
    assert f"gray: value of {n} points not known" in display.ax_.get_xlabel()
    if density_from:
        marks = display.scatters_["not known"]
        assert len(marks.get_offsets()) == n
        assert to_hex(marks.get_facecolor()[0]).upper() == GREY
        return
    gray = np.asarray(display.ax_.images[0].get_array())
    empty = display.counts_ == 0
    is_gray = gray[..., 3] == 1
    assert is_gray.any() and np.allclose(gray[is_gray], to_rgba(GREY))
    np.testing.assert_array_equal(~empty & display.image_.get_array().mask, is_gray)


@pytest.mark.parametrize("density_from", [0, 1000])
def test_where_no_value_is_known_all_is_gray(density_from):
    Z = np.random.default_rng(0).normal(size=(50, 2))
    display = EmbeddingDisplay.from_embedding(
        Z, np.full(50, np.nan), color_by="value", density_from=density_from
    )
    assert [text.get_text() for text in display.legend_.get_texts()] == ["not known"]
    assert display.colorbar_ is None


@pytest.mark.parametrize(
    ("y", "keys", "texts"),
    [
        (["", " ", "a", "\t"], ["", "\t", " ", "a"], ["''", "'\\t'", "' '", "a"]),
        (["", "''", "a", "a"], ["", "''", "a"], ["''", "\"''\"", "a"]),
        (["not known", None, "a", "a"], ["a", "not known", "(not known)"], None),
        (
            ["not known", None, "(not known)", "b"],
            ["(not known)", "b", "not known", "((not known))"],
            None,
        ),
        (["$a$", "$\\foo$", "_a", "100%"], ["$\\foo$", "$a$", "100%", "_a"], None),
        ([1, "1", 2.0, None], ["1", "2.0", "not known"], None),
        (pd.Categorical([1, "1", "b", "b"], [1, "b", "1"]), ["1", "b"], None),
        (["nan", None, "None", "nan"], ["None", "nan", "not known"], None),
    ],
)
@pytest.mark.parametrize("density_from", [0, 100])
def test_labels_of_any_text_keep_apart_and_are_seen(y, keys, texts, density_from):
    Z = np.array([[0.0, 0.0], [1, 0], [0, 1], [1, 1]])
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=density_from)
    display.figure_.draw_without_rendering()
    assert [text.get_text() for text in display.legend_.get_texts()] == (texts or keys)
    if density_from == 0:
        assert display.counts_.sum() == 4
        return
    assert list(display.scatters_) == keys
    assert sum(len(marks.get_offsets()) for marks in display.scatters_.values()) == 4
    EmbeddingDisplay.from_embedding(Z, y, marker="label")


@pytest.mark.parametrize(("density_from", "n_kept"), [(0, 10), (1000, 30)])
def test_a_label_named_like_the_rest_or_the_missing_is_neither(density_from, n_kept):
    frequent = ["3 other labels", "not known", *(f"{i:02d}" for i in range(n_kept - 2))]
    y = np.array(3 * frequent + ["x", "y", "z", None, None], dtype=object)
    Z = np.random.default_rng(0).normal(size=(len(y), 2))
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=density_from)
    names = [*sorted(frequent), "(3 other labels)", "(not known)"]
    assert [text.get_text() for text in display.legend_.get_texts()] == names
    if density_from:
        n_points = [len(marks.get_offsets()) for marks in display.scatters_.values()]
        assert dict(zip(display.scatters_, n_points, strict=True)) == dict.fromkeys(names, 3) | {
            "(not known)": 2
        }


@pytest.mark.parametrize("name", ["$\\foo", "$x$", 3, ("a", "b")])
def test_a_name_of_y_is_written_as_it_is(name):
    Z = np.random.default_rng(0).normal(size=(40, 2))
    labels = EmbeddingDisplay.from_embedding(Z, pd.Series(np.arange(40) % 3, name=name))
    values = EmbeddingDisplay.from_embedding(Z, pd.Series(Z[:, 0], name=name))
    for display in (labels, values):
        display.figure_.draw_without_rendering()
    assert labels.legend_.get_title().get_text() == str(name)
    assert values.colorbar_.ax.get_ylabel() == str(name)
    assert not labels.legend_.get_title().get_parse_math()
    assert not values.colorbar_.ax.yaxis.label.get_parse_math()


@pytest.mark.parametrize("y", [[[1], [2]] * 2, [{}] * 4])
def test_what_is_no_label_is_told(y):
    with pytest.raises(ValueError, match="Labels must be hashable"):
        EmbeddingDisplay.from_embedding(np.eye(4, 2), y)


def test_columns_of_every_library_are_read():
    polars = pytest.importorskip("polars")
    Z = np.arange(8.0).reshape(4, 2)
    for y in (
        polars.DataFrame({"kind": ["a", "b", None, "a"]}),
        polars.Series("kind", ["a", "b", None, "a"]),
        pd.DataFrame({"kind": ["a", "b", None, "a"]}),
    ):
        display = EmbeddingDisplay.from_embedding(Z, y)
        assert list(display.scatters_) == ["a", "b", "not known"]
