"""The course of a training."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._matplotlib import import_pyplot, legend_beside, scheme
from ._samples import last_step

_FEW_EPOCHS = 30  # up to here every epoch has a mark


class LossCurveDisplay:
    """Loss of each epoch, and the epoch whose weights were kept.

    The loss is black (white on a dark background) and every term of it has a colour; lines
    are dashed for training rows and solid for held-out rows. A vertical line marks the epoch
    whose weights were kept; 0 is the start.

    It is recommended to use :meth:`from_estimator`. What is given here is stored as it is.

    Parameters
    ----------
    history : pandas.DataFrame
        One row an epoch, with columns `epoch`, `train_loss`, and possibly `valid_loss` and
        ``train_*`` and ``valid_*`` for terms of the loss.
    best_epoch : int or None, default=None
        The epoch whose weights were kept. None: no line.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of it.
    lines_ : dict of matplotlib Line2D
        The curves, by the column of `history`.
    best_line_ : matplotlib Line2D or None
        The vertical line.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skrepr import AutoencoderEmbedding
    >>> from skrepr.displays import LossCurveDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> embedding = AutoencoderEmbedding(2, max_epochs=5, random_state=0).fit(X)
    >>> display = LossCurveDisplay.from_estimator(embedding)
    >>> list(display.lines_)
    ['train_loss']
    >>> plt.close(display.figure_)
    """

    def __init__(self, history, *, best_epoch=None):
        self.history = history
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, log="auto"):
        """Draw the loss curve of a fitted embedding.

        Parameters
        ----------
        estimator : estimator
            A fitted embedding with `history_` and `best_epoch_`, or a Pipeline that ends in
            one.
        ax : matplotlib Axes or None, default=None
            Where to draw. None: a new figure.
        log : bool or "auto", default="auto"
            See :meth:`plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        embedding = last_step(estimator)
        check_is_fitted(embedding)
        history = getattr(embedding, "history_", None)
        if history is None:
            raise TypeError(
                f"{type(embedding).__name__} has no history_, so there is no loss curve to draw."
            )
        best_epoch = getattr(embedding, "best_epoch_", None)
        return cls(history, best_epoch=best_epoch).plot(ax, log=log)

    def plot(self, ax=None, *, log="auto"):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None: a new figure.
        log : bool or "auto", default="auto"
            Whether the axis of the loss is logarithmic. "auto": where all values are above
            zero and span more than a factor of 20.

        Returns
        -------
        display : LossCurveDisplay
        """
        plt = import_pyplot(self)
        curves = self._curves()
        terms = list(dict.fromkeys(what for _, what in curves.values() if what != "loss"))
        if ax is None:
            # many names stand beside the axes
            _, ax = plt.subplots(figsize=(8.4 if terms else 6.4, 4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        *colors, ink = scheme(ax).colors
        colors = colors[1:]  # the first one is nearly as dark as text
        marker = "o" if len(self.history) <= _FEW_EPOCHS else None
        self.lines_ = {}
        for column, (part, what) in curves.items():
            is_loss = what == "loss"
            rows = "training rows" if part == "train" else "held-out rows"
            color = ink if is_loss else colors[terms.index(what) % len(colors)]
            (self.lines_[column],) = ax.plot(
                self.history["epoch"],
                self.history[column],
                color=color,
                ls="--" if part == "train" else "-",
                lw=1.8 if is_loss else 1.2,
                marker=marker,
                ms=3,
                label=f"{what.replace('_', ' ')}, {rows}",
            )
        self.best_line_ = None
        if self.best_epoch is not None:
            self.best_line_ = ax.axvline(
                self.best_epoch,
                color=ink,
                lw=1.2,
                ls=":",
                alpha=0.7,
                zorder=0,
                label=f"weights kept: epoch {self.best_epoch}"
                + ("" if self.best_epoch else " (start)"),
            )
        values = self.history[list(curves)].to_numpy(dtype=float)
        values = values[np.isfinite(values)]
        if log == "auto":
            log = values.size and values.min() > 0 and values.max() > 20 * values.min()
        if log:
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.spines[["top", "right"]].set_visible(False)
        if not len(self.history):
            ax.set(xlim=(-0.5, 1), yticks=[])
            message = "no epoch was run: the weights are those of the start"
            ax.text(0.5, 0.5, message, ha="center", transform=ax.transAxes)
        elif terms:
            legend_beside(ax)
        else:
            ax.legend(frameon=False, loc="best")
        if len(self.history) == 1:
            ax.set_xlim(-0.5, self.history["epoch"].iloc[0] + 0.5)
        return self

    def _curves(self):
        """Say what each column shows: (train or valid, name of the loss or term)."""
        names = {
            column: tuple(column.split("_", 1))
            for column in self.history.columns
            if column.startswith(("train_", "valid_")) and not self._is_empty(column)
        }
        order = sorted(
            names, key=lambda column: (names[column][1] != "loss", *names[column][::-1])
        )
        return {column: names[column] for column in order}

    def _is_empty(self, column):
        return not pd.to_numeric(self.history[column], errors="coerce").notna().any()
