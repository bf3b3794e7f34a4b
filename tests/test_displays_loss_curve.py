"""The course of a training."""

import numpy as np
import pandas as pd
import pytest
from pictures import extents, overlaps
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
from skrepr.displays import LossCurveDisplay

pytestmark = pytest.mark.usefixtures("figures")


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


def test_a_curve_of_the_best_estimator_of_a_search(X):
    model = AutoencoderEmbedding(2, architecture=MLP((8,)), max_epochs=1, random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), model), {}, cv=2).fit(X)
    display = LossCurveDisplay.from_estimator(search)
    assert display.best_epoch == search.best_estimator_[-1].best_epoch_


@pytest.mark.parametrize(
    ("losses", "n_drawn"),
    [
        ([np.nan, np.nan, np.nan], 0),
        ([np.inf, np.inf, np.inf], 0),
        (["", "x", None], 0),
        ([3.0, np.inf, np.nan], 1),
        (["3", 2, None], 2),
        ([1e155, 1e154, 1e10], 3),
        ([1e300, 1e299, 1e290], 3),
        ([3e-170, 2e-170, 1e-170], 3),
        ([1.0, 1.0, 1.0], 3),
        (pd.array([3, 2, None], dtype="Int64"), 2),
    ],
)
def test_losses_of_every_kind_are_drawn(losses, n_drawn):
    history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": losses, 7: 1.0})
    LossCurveDisplay(history).plot(log=True)
    display = LossCurveDisplay(history).plot()
    display.figure_.draw_without_rendering()
    drawn = [line.get_ydata() for line in display.lines_.values()]
    assert np.isfinite(np.array(drawn, dtype=float)).sum() == n_drawn
    assert bool(display.ax_.texts) == (n_drawn == 0)
    if not n_drawn:
        assert display.ax_.texts[0].get_text() == "no loss is finite"
