"""What all displays draw on: axes, colors, legends, figures that are closed."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from pictures import extents, overlaps

from skrepr.displays import EmbeddingDisplay, LossCurveDisplay, ReconstructionDisplay
from skrepr.displays._matplotlib import ON_DARK, ON_LIGHT, scheme

pytestmark = pytest.mark.usefixtures("figures")


@pytest.mark.parametrize("kind", ["embedding", "loss", "reconstruction"])
def test_axes_given_are_used_and_plot_draws_again(kind, embedding, X):
    figure, (first, second) = plt.subplots(1, 2)
    display = {
        "embedding": lambda: EmbeddingDisplay.from_estimator(embedding, X, ax=first),
        "loss": lambda: LossCurveDisplay.from_estimator(embedding, ax=first),
        "reconstruction": lambda: ReconstructionDisplay.from_estimator(
            embedding, X, n_samples=2, ax=first
        ),
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
    with pytest.raises(ImportError, match="pip install matplotlib"):
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
def test_colors_are_seen_on_their_background(style, expected, embedding, X):
    with plt.style.context(style):
        _, axes = plt.subplots(1, 4)
        background = axes[0].get_facecolor()
        marks = EmbeddingDisplay.from_estimator(embedding, X, np.arange(60) % 10, ax=axes[0])
        loss = LossCurveDisplay.from_estimator(embedding, ax=axes[1])
        bars = ReconstructionDisplay.from_estimator(embedding, X, n_samples=2, ax=axes[2])
        curves = ReconstructionDisplay.from_estimator(
            embedding, X, n_samples=2, sample_shape=(2, 6), ax=axes[3]
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


def test_nothing_global_is_changed(embedding, X):
    settings, state = dict(plt.rcParams), np.random.get_state()[1].copy()  # noqa: NPY002
    EmbeddingDisplay.from_estimator(embedding, X, reduction="tsne", n_thumbnails=3)
    LossCurveDisplay.from_estimator(embedding)
    ReconstructionDisplay.from_estimator(embedding, X, n_samples=2)
    assert dict(plt.rcParams) == settings
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


class Trouble(Exception):
    """What goes wrong while a picture is drawn."""


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt])
@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("kind", ["embedding", "loss", "reconstruction"])
def test_after_an_error_no_figure_of_ours_is_open(kind, is_own, error, embedding, X, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("matplotlib.axes.Axes.scatter", fail)
    monkeypatch.setattr("matplotlib.axes.Axes.plot", fail)
    monkeypatch.setattr("matplotlib.axes.Axes.bar", fail)
    ax = None if is_own else plt.subplots()[1]
    before = plt.get_fignums()
    with pytest.raises(error):
        {
            "embedding": lambda: EmbeddingDisplay.from_estimator(embedding, X, ax=ax),
            "loss": lambda: LossCurveDisplay.from_estimator(embedding, ax=ax),
            "reconstruction": lambda: ReconstructionDisplay.from_estimator(
                embedding, X, rows=[0], ax=ax
            ),
        }[kind]()
    assert plt.get_fignums() == before
    assert len(before) == (not is_own)


def test_axes_of_the_user_stay_empty_where_samples_turn_out_to_be_none():
    _, ax = plt.subplots()
    samples = [np.ones(5), *(np.ones((2, 5)) for _ in range(9))]
    Z = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(ValueError, match="with one number of channels"):
        EmbeddingDisplay.from_embedding(Z, samples=samples, n_thumbnails=10, ax=ax)
    assert not ax.has_data() and not ax.patches
