"""
What an autoencoder adds to PCA, component by component
=======================================================

Digits and a curved surface: the share of the variance of unseen rows that is rebuilt, for
:class:`~sklearn.decomposition.PCA`, for a linear autoencoder, which is PCA, and for the default
one; and what two numbers make of the surface, a rolled-up sheet.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, make_swiss_roll
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import Linear
from skrepr.displays import EmbeddingDisplay

MARKERS = {"PCA": "o", "linear autoencoder": "x", "autoencoder": "s"}
COLORS = {"PCA": "#0072b2", "linear autoencoder": "#000000", "autoencoder": "#d55e00"}


def methods(n_components):
    """Make the three methods at one width."""
    return {
        "PCA": PCA(n_components),
        "linear autoencoder": AutoencoderEmbedding(
            n_components, architecture=Linear(), random_state=0
        ),
        "autoencoder": AutoencoderEmbedding(n_components, random_state=0),
    }


def compare(X, widths):
    """Fit every method at every width.

    Returns
    -------
    shares : dict of float
        Share of the variance of unseen rows that is rebuilt, of 1, by width and method.
    maps : dict of ndarray of shape (n_samples, 2)
        The embeddings of all rows in two numbers, by method.
    """
    X_train, X_test = train_test_split(X, random_state=0)
    spread = np.mean((X_test - X_train.mean(axis=0)) ** 2)
    shares, maps = {}, {}
    for width in widths:
        for name, method in methods(width).items():
            rebuilt = method.fit(X_train).inverse_transform(method.transform(X_test))
            shares[width, name] = 1 - np.mean((X_test - rebuilt) ** 2) / spread
            if width == 2:
                maps[name] = method.transform(X)
    return shares, maps


def draw_shares(ax, shares):
    """Draw a curve over the width for each method."""
    widths = sorted({width for width, _ in shares})
    for name, marker in MARKERS.items():
        ax.plot(
            widths,
            [shares[width, name] for width in widths],
            marker=marker,
            ls="none" if marker == "x" else "-",
            color=COLORS[name],
            label=name,
            ms=8 if marker == "x" else 6,
        )
    ax.set(xlabel="number of components", xscale="log", ylim=(0, 1.02))
    ax.set_ylabel("share of variance rebuilt, unseen rows")
    ax.set_xticks(widths, widths)
    ax.minorticks_off()


def main(path):
    """Fit, print a table, draw; return the shares."""
    roll, place = make_swiss_roll(3000, random_state=0)
    data = {
        "swiss roll (3 columns)": (roll, (1, 2)),
        "digits (64)": (load_digits().data, (1, 2, 4, 8, 16)),
    }
    figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
    shares, maps = {}, {}
    for ax, (data_name, (X, widths)) in zip(axes[0], data.items(), strict=True):
        found, maps[data_name] = compare(StandardScaler().fit_transform(X), widths)
        draw_shares(ax, found)
        ax.set_title(data_name)
        for (width, name), share in found.items():
            print(f"{data_name:24s} width {width:2d}  {name:20s} {share:.3f}")
            shares[data_name, width, name] = share
    axes[0, 1].legend(loc="lower right")
    for ax, name in zip(axes[1], ("PCA", "autoencoder"), strict=True):
        place_along = pd.Series(place, name="place along the roll")
        EmbeddingDisplay.from_embedding(maps["swiss roll (3 columns)"][name], place_along, ax=ax)
        ax.set_title(f"swiss roll, {name}")
    figure.savefig(path, dpi=90)
    return shares


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
