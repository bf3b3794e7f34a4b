"""
Looking at an embedding: map, training, reconstructions
=======================================================

Three displays of one autoencoder of 8 components, on scikit-learn's handwritten digits:
:class:`~skrepr.displays.EmbeddingDisplay`, :class:`~skrepr.displays.LossCurveDisplay` and
:class:`~skrepr.displays.ReconstructionDisplay`. The map and the reconstructions are those of
rows not seen in fit.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skrepr import AutoencoderEmbedding
from skrepr.displays import EmbeddingDisplay, LossCurveDisplay, ReconstructionDisplay


def main(path, max_epochs="auto"):
    """Fit, draw; return the displays."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, _, y_test = train_test_split(X, y, stratify=y, random_state=0)
    embedding = AutoencoderEmbedding(
        8, input_shape=(1, 8, 8), max_epochs=max_epochs, random_state=0
    ).fit(X_train)

    figure = plt.figure(figsize=(13, 6.5), layout="constrained")
    axes = figure.subplot_mosaic("MML;MMR", width_ratios=[1, 1, 2], height_ratios=[2, 3])
    displays = {
        "map": EmbeddingDisplay.from_estimator(
            embedding, X_test, y_test, reduction="tsne", n_thumbnails=30, ax=axes["M"]
        ),
        "loss": LossCurveDisplay.from_estimator(embedding, ax=axes["L"]),
        "reconstruction": ReconstructionDisplay.from_estimator(
            embedding, X_test, n_samples=6, ax=axes["R"]
        ),
    }
    axes["M"].set_title("digits in 8 numbers, by t-SNE in 2 (rows not seen in fit)")
    axes["L"].set_title("the training")
    figure.savefig(path, dpi=90)
    return displays


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
