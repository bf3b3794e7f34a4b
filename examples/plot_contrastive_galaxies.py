"""
Kinds of objects in the sky, found without labels
=================================================

Simulated images of stars, quasars and galaxies, some behind a gravitational lens.
:class:`~skrepr.ContrastiveEmbedding` learns to recognize an object however it is turned, mirrored
and exposed; nobody tells it what there is. Crops that change the scale are left out: size is what
galaxies differ in. Next to it stands :class:`~skrepr.AutoencoderEmbedding`, which has to keep
angle and brightness, since they are needed to draw the image again.

KMeans groups either embedding. Each line shows members of one group, drawn at random, and what
they are. The adjusted Rand index says how far groups and kinds agree: 1 is perfect, 0 chance. It
stays far from 1: a quasar and a star are one white point in these images, which no embedding of
them can tell apart, and far galaxies are small and red whatever their kind. A small group of
lenses alone is found by the autoencoder only, to which two bright images are hard to draw. After
Cheng et al. (2020, MNRAS 494, 3750), who clustered lenses by an autoencoder, and Sarmiento et al.
(2021, ApJ 921, 177), who clustered galaxies by contrastive learning.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from skrepr import AutoencoderEmbedding, ContrastiveEmbedding
from skrepr.augmentations import ColorJitter, GaussianNoise, RandomFlip, RandomRotation
from skrepr.datasets import make_sky_objects

KINDS = {
    "star": "#DDCC77",
    "quasar": "#332288",
    "elliptical": "#CC6677",
    "spiral": "#88CCEE",
    "lensed": "#117733",
}
N_GROUPS = 5, 8, 12
N_DRAWN, N_MEMBERS = 8, 10  # groups that are drawn, and members of each

# Contrast is how bright an object is, after arcsinh. Its color is left alone.
AUGMENTATION = [
    RandomRotation(180),
    RandomFlip(),
    ColorJitter(brightness=0, contrast=0.6, saturation=0),
    GaussianNoise(0.3),
]


def draw_groups(panels, images, kinds, groups, random_state=0):
    """Draw members of each group in a line, and next to it what the group consists of."""
    left, right = panels
    rng = np.random.default_rng(random_state)
    counts = np.array(
        [[np.sum(kinds[groups == g] == kind) for kind in KINDS] for g in range(N_DRAWN)]
    )
    shares = counts / counts.sum(axis=1, keepdims=True)
    order = np.argsort(shares @ np.arange(len(KINDS)))
    colors = np.clip(images[:, ::-1] / 3.5, 0, 1)  # i, r and g as red, green and blue
    size = images.shape[-1] + 1
    canvas = np.ones((N_DRAWN * size, N_MEMBERS * size, 3))
    for line, group in enumerate(order):
        members = rng.permutation(np.flatnonzero(groups == group))[:N_MEMBERS]
        for column, member in enumerate(members):
            place = np.s_[line * size :, column * size :]
            canvas[place][: size - 1, : size - 1] = colors[member].transpose(1, 2, 0)
    left.imshow(canvas, interpolation="bicubic", aspect="auto")
    left.axis("off")
    start = np.zeros(N_DRAWN)
    for (kind, color), width in zip(KINDS.items(), shares[order].T, strict=True):
        right.barh(np.arange(N_DRAWN), width, 0.9, left=start, color=color, label=kind)
        start += width
    for line, group in enumerate(order):
        right.text(1.03, line, f"{counts[group].sum()}", va="center", fontsize="small")
    right.set(xlim=(0, 1), ylim=(N_DRAWN - 0.5, -0.5), xticks=[], yticks=[])
    right.spines[:].set_visible(False)


def main(path, n_samples=2000, max_epochs=20):
    """Fit, print how far groups and kinds agree, draw; return the agreement."""
    images, _, latents, labels = make_sky_objects(n_samples, image_size=24, random_state=0)
    X = np.arcsinh(images / 0.05)
    kinds = np.where(latents["lensed"], "lensed", labels)
    # whitened: otherwise brightness, the widest direction, would decide alone
    embeddings = {
        "contrastive": ContrastiveEmbedding(
            16, augmentation=AUGMENTATION, max_epochs=max_epochs, whiten=True, random_state=0
        ),
        # twice the epochs, since a contrastive epoch is two views of each image
        "autoencoder": AutoencoderEmbedding(
            16, max_epochs=2 * max_epochs, whiten=True, random_state=0
        ),
    }
    figure = plt.figure(figsize=(13, 4.8), layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=[N_MEMBERS, 3, N_MEMBERS, 3])
    agreement = {}
    print(f"{'groups':<12}" + "".join(f"{k:>7}" for k in N_GROUPS))
    for panels, (name, embedding) in zip(axes.reshape(2, 2), embeddings.items(), strict=True):
        Z = embedding.fit_transform(X)
        found = {k: KMeans(k, n_init=10, random_state=0).fit_predict(Z) for k in N_GROUPS}
        agreement[name] = {k: adjusted_rand_score(kinds, found[k]) for k in N_GROUPS}
        print(f"{name:<12}" + "".join(f"{value:7.2f}" for value in agreement[name].values()))
        draw_groups(panels, X, kinds, found[N_DRAWN])
        panels[0].set_title(f"{name}: adjusted Rand index {agreement[name][N_DRAWN]:.2f}")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.savefig(path, dpi=90)
    return agreement


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
