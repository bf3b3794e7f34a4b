"""
Digits: a deep embedding in the place of PCA
============================================

scikit-learn's handwritten digits, 64 pixels in 2, 4 and 8 numbers, by
:class:`~sklearn.decomposition.PCA` and by :class:`~skrepr.AutoencoderEmbedding`. How well rows
that neither embedding has seen can be classified and clustered, both embeddings of width 2, and
two grid searches over width, layers and dropout, with labels and without.

Takes less than a minute on two cores. Run as a script it writes ``quickstart.png`` next to
itself, or into the file named on the command line.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
from skrepr.displays import EmbeddingDisplay


def compare(X_train, X_test, y_train, y_test, widths=(2, 4, 8)):
    """Judge both embeddings at several widths, on the rows held out.

    Returns
    -------
    table : pandas.DataFrame
        One row a width and method.
    pictures : dict
        The embeddings of width 2 of the rows held out, by the name of the method.
    """
    rows, pictures = [], {}
    for width in widths:
        for name, embedding in [
            ("PCA", PCA(width)),
            ("autoencoder", AutoencoderEmbedding(width, random_state=0)),
        ]:
            embed = make_pipeline(StandardScaler(), embedding)
            Z_train, Z_test = embed.fit_transform(X_train), embed.transform(X_test)
            linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(Z_train, y_train)
            neighbors = KNeighborsClassifier().fit(Z_train, y_train)
            clusters = KMeans(10, n_init=10, random_state=0).fit(Z_train).predict(Z_test)
            rows.append(
                {
                    "width": width,
                    "embedding": name,
                    "logistic regression": linear.score(Z_test, y_test),
                    "5 neighbors": neighbors.score(Z_test, y_test),
                    "KMeans (Rand)": adjusted_rand_score(y_test, clusters),
                }
            )
            if width == 2:
                pictures[name] = Z_test
    return pd.DataFrame(rows).set_index(["width", "embedding"]), pictures


def search(X, y):
    """Choose width, layers and dropout: with labels, by what a classifier makes of it.

    Without labels (``y=None``) by the embedding's own score, minus the squared error of the
    reconstruction of rows held out. A wider embedding always has room for more, so this
    score ranks networks; the width it prefers is the largest one offered.
    """
    steps = [
        ("scale", StandardScaler()),
        ("embed", AutoencoderEmbedding(architecture=MLP(), max_epochs=10, random_state=0)),
    ]
    if y is not None:
        steps.append(("classify", LogisticRegression(max_iter=1000)))
    grid = {
        "embed__n_components": [4, 8],
        "embed__architecture__hidden_layer_sizes": [(64,), (256, 64)],
        "embed__architecture__dropout": [0.0, 0.2],
    }
    return GridSearchCV(Pipeline(steps), grid, cv=2, n_jobs=2).fit(X, y)


def draw(pictures, y, table, path):
    """Draw embeddings of width 2 side by side, every digit as itself."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(10, 5), layout="constrained")
    for ax, (name, Z) in zip(axes, pictures.items(), strict=True):
        # the middle of the picture: a few rows far out would leave no room for the others
        EmbeddingDisplay.from_embedding(Z, y, marker="label", coverage=0.94, ax=ax)
        accuracy = table.loc[(2, name), "5 neighbors"]
        ax.set_title(f"{name}\n5 nearest neighbors get {accuracy:.0%} right")
    figure.suptitle("Digits of 64 pixels in 2 numbers (rows not seen in fit)")
    figure.savefig(path, dpi=100)


def main(path):
    """Compare, draw and search."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 3, stratify=y, random_state=0
    )
    table, pictures = compare(X_train, X_test, y_train, y_test)
    print("On held-out rows: accuracy, and agreement of clusters with digits (0: chance)\n")
    print(table.round(3).to_string())
    draw(pictures, y_test, table, path)
    print(f"\nBoth embeddings of width 2: {path.name}")
    for how, labels in [("with labels", y_train), ("without labels", None)]:
        found = search(X_train, labels)
        print(f"\nBest of a grid, {how} (score of held-out folds {found.best_score_:.3f}):")
        for name, value in found.best_params_.items():
            print(f"  {name} = {value}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
