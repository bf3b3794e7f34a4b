"""The course of a training."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._arguments import AXES, BOOL, NONE, Constraint, a_string, an_int, check_arguments
from ._matplotlib import axes_or_new, import_pyplot, legend_beside, scheme
from ._samples import last_step

_FEW_EPOCHS = 30  # up to here every epoch has a mark
_CONSTRAINTS = {
    "history": Constraint(
        lambda history: (
            isinstance(history, pd.DataFrame) and ("epoch" in history or not len(history))
        ),
        "a pandas.DataFrame with a column 'epoch'",
    ),
    "best_epoch": an_int(0) | NONE,
    "log": BOOL | a_string("auto"),
    "ax": AXES,
}


class LossCurveDisplay:
    """Loss of each epoch, and the epoch whose weights were kept.

    The loss is black (white on a dark background) and every term of it has a color; lines
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
        check_arguments(cls, _CONSTRAINTS, locals())
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
        check_arguments(type(self), _CONSTRAINTS, vars(self) | locals())
        plt = import_pyplot(type(self))
        curves = self._curves()
        terms = list(dict.fromkeys(what for _, what in curves if what != "loss"))
        # many names stand next to the axes
        size = (8.4 if terms else 6.4, 4)
        with axes_or_new(plt, ax, figsize=size, layout="constrained") as to_draw_on:
            self._draw(to_draw_on, curves, terms, log)
        return self

    def _draw(self, ax, curves, terms, log):
        self.ax_, self.figure_ = ax, ax.figure
        *colors, ink = scheme(ax).colors
        self._draw_curves(ax, curves, terms, colors[1:], ink)  # the first is as dark as text
        self.best_line_ = None
        if self.best_epoch is not None:
            name = f"weights kept: epoch {self.best_epoch}"
            name += "" if self.best_epoch else " (start)"
            self.best_line_ = ax.axvline(
                self.best_epoch, color=ink, lw=1.2, ls=":", alpha=0.7, zorder=0, label=name
            )
        values = np.concatenate([np.empty(0), *curves.values()])
        values = values[np.isfinite(values)]
        if isinstance(log, str):
            log = values.size and values.min() > 0 and values.max() / 20 > values.min()
        if log:
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.spines[["top", "right"]].set_visible(False)
        if not values.size:
            ax.set(xlim=(-0.5, len(self.history) + 0.5), yticks=[])
            message = "no epoch was run: the weights are those of the start"
            if len(self.history):
                message = "no loss is finite"
            ax.text(0.5, 0.5, message, ha="center", transform=ax.transAxes)
        elif terms:
            legend_beside(ax)
        else:
            ax.legend(frameon=False, loc="best")
        if len(self.history) == 1 and values.size:
            ax.set_xlim(-0.5, self.history["epoch"].iloc[0] + 0.5)

    def _draw_curves(self, ax, curves, terms, colors, ink):
        marker = "o" if len(self.history) <= _FEW_EPOCHS else None
        self.lines_ = {}
        for (part, what), losses in curves.items():
            is_loss = what == "loss"
            rows = "training rows" if part == "train" else "held-out rows"
            color = ink if is_loss else colors[terms.index(what) % len(colors)]
            (self.lines_[f"{part}_{what}"],) = ax.plot(
                self.history["epoch"],
                losses,
                color=color,
                ls="--" if part == "train" else "-",
                lw=1.8 if is_loss else 1.2,
                marker=marker,
                ms=3,
                label=f"{what.replace('_', ' ')}, {rows}",
            )

    def _curves(self):
        """Read each column with values: (train or valid, name of the loss or term) -> losses."""
        curves = {
            tuple(column.split("_", 1)): pd.to_numeric(self.history[column], errors="coerce")
            for column in self.history.columns
            if isinstance(column, str) and column.startswith(("train_", "valid_"))
        }
        order = sorted(curves, key=lambda names: (names[1] != "loss", *names[::-1]))
        return {
            names: curves[names].to_numpy(dtype=np.float64, na_value=np.nan)
            for names in order
            if curves[names].notna().any()
        }
