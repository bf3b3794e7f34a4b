"""What an autoencoder adds to PCA, component by component.

Digits and a curved surface: the share of the variance of unseen rows that is rebuilt, for
PCA, for a linear autoencoder, which is PCA, and for the default one. Writes
``plot_autoencoder_vs_pca.png`` beside this file.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_swiss_roll
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import Linear


def methods(n_components):
    """Make the three methods at one width."""
    return {
        "PCA": PCA(n_components),
        "linear autoencoder": AutoencoderEmbedding(
            n_components, architecture=Linear(), random_state=0
        ),
        "autoencoder": AutoencoderEmbedding(n_components, random_state=0),
    }


def share_rebuilt(method, X_train, X_test):
    """Share of the variance of unseen rows that the method rebuilds, of 1."""
    method.fit(X_train)
    rebuilt = method.inverse_transform(method.transform(X_test))
    spread = np.mean((X_test - X_train.mean(axis=0)) ** 2)
    return 1 - np.mean((X_test - rebuilt) ** 2) / spread


def main(folder=Path(__file__).parent):
    """Fit, print a table, draw; return the shares."""
    roll = StandardScaler().fit_transform(make_swiss_roll(3000, random_state=0)[0])
    digits = StandardScaler().fit_transform(load_digits().data)
    data = {"swiss roll (3 columns)": (roll, (1, 2)), "digits (64)": (digits, (1, 2, 4, 8, 16))}
    markers = {"PCA": "o", "linear autoencoder": "x", "autoencoder": "s"}
    colours = {"PCA": "#0072b2", "linear autoencoder": "#000000", "autoencoder": "#d55e00"}
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
    shares = {}
    for axis, (name, (X, widths)) in zip(axes, data.items(), strict=True):
        X_train, X_test = train_test_split(X, random_state=0)
        for width in widths:
            for method_name, method in methods(width).items():
                share = share_rebuilt(method, X_train, X_test)
                shares[name, width, method_name] = share
                print(f"{name:24s} width {width:2d}  {method_name:20s} {share:.3f}")
        for method_name, marker in markers.items():
            curve = [shares[name, width, method_name] for width in widths]
            style = "none" if marker == "x" else "-"
            axis.plot(
                widths,
                curve,
                marker=marker,
                ls=style,
                color=colours[method_name],
                label=method_name,
                ms=8 if marker == "x" else 6,
            )
        axis.set(title=name, xlabel="number of components", xscale="log", ylim=(0, 1.02))
        axis.set_xticks(widths, widths)
        axis.minorticks_off()
    axes[0].set_ylabel("share of variance rebuilt, unseen rows")
    axes[1].legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(folder / "plot_autoencoder_vs_pca.png", dpi=90)
    plt.close(figure)
    return shares


if __name__ == "__main__":
    main()
