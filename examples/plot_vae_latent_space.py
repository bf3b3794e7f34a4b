"""
Digits that nobody wrote: the latent space of a variational autoencoder
=======================================================================

:class:`~skrepr.VAEEmbedding` learns a density of handwritten digits of 64 pixels: a code of 16
numbers, a prior of the code, and a decoder back to pixels. Three ways to look at it: move one
component of a digit and hold the others; draw codes from the prior, which gives digits that are
in no data set; walk from one digit to another. The prior is a mixture, which follows the groups of
the data: many samples from a normal prior lie between two digits.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skrepr import VAEEmbedding
from skrepr.displays import LatentTraversalDisplay

SIDE = 8
N_SAMPLES = 8, 8  # rows and columns of the grid
N_STEPS = 8


def tile(digits, n_rows, n_columns):
    """Put digits side by side into one image, with a pixel between them."""
    images = np.pad(digits.reshape(-1, SIDE, SIDE), ((0, 0), (0, 1), (0, 1)))
    image = images.reshape(n_rows, n_columns, SIDE + 1, SIDE + 1).swapaxes(1, 2)
    return image.reshape(n_rows * (SIDE + 1), -1)[:-1, :-1]


def show(ax, digits, shape, title):
    """Draw a grid of digits as ink on paper."""
    ax.imshow(tile(digits, *shape), cmap="gray_r", vmin=0, vmax=16, interpolation="bicubic")
    ax.set_title(title)
    ax.axis("off")


def main(path, **parameters):
    """Fit, print what the model says of its density, draw; return the embedding and samples."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, _, y_test = train_test_split(X, y, random_state=0)
    options = {"prior": "mixture", "n_pseudo_inputs": 64, "random_state": 0} | parameters
    embedding = VAEEmbedding(16, **options).fit(X_train)
    print(f"active components   {embedding.active_units_} of {embedding.n_components}")
    print(f"mutual information  {embedding.mutual_information_:.1f} nats")
    print(f"bound, unseen rows  {embedding.score(X_test):.1f} nats")
    samples = embedding.sample(np.prod(N_SAMPLES), random_state=0)

    figure = plt.figure(figsize=(13, 4.7), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05)
    left, middle, right = figure.subplots(1, 3, width_ratios=[7, 8, 8])
    left.set_box_aspect(8 / 7)
    shown = np.flatnonzero(y_test == 3)[0]
    display = LatentTraversalDisplay.from_estimator(
        embedding, X_test, row=int(shown), components=range(8), sample_shape=(1, 8, 8), ax=left
    )
    for image in display.artists_.flat:
        image.set(cmap="gray_r", clim=(0, 16), interpolation="bicubic")
    for panel in display.axes_.flat:
        panel.spines[:].set_visible(False)
    left.set_title("one component of a digit moves")
    show(middle, samples, N_SAMPLES, "drawn from the prior")
    one_of_each = [X_test[y_test == digit][0] for digit in range(10)]
    walks = [
        embedding.interpolate(one_of_each[i], one_of_each[(i + 3) % 10], n_steps=N_STEPS)
        for i in range(8)
    ]
    show(right, np.concatenate(walks), (len(walks), N_STEPS), "from one digit to another")
    figure.savefig(path, dpi=90)
    return embedding, samples


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
