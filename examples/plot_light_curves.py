"""
Variable stars from uneven light curves, without labels
=======================================================

Simulated light curves as a survey from the ground records them: uneven times with seasons and
clouds, errors, three filters. :class:`~skrepr.SequenceTransformerEmbedding` takes them as they
are, one array (time, magnitude, error, filter) for each object; nobody tells it what there is, or
what period an object has.

KMeans groups the embedding. Each line holds members of one group: the first four at random,
folded at their true period where they have one, and as they were observed where they have none.
The bar on the right is what the group consists of. The adjusted Rand index says how far groups and
classes agree: 1 is perfect, 0 chance. Next to it stands that of a table of moments which is often
made first: mean, deviation, amplitude and skewness in each filter, and the number of visits.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import skew
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from skrepr import SequenceTransformerEmbedding
from skrepr.datasets import make_light_curves

CLASSES = {
    "rr_lyrae_ab": "#CC6677",
    "rr_lyrae_c": "#DDCC77",
    "cepheid": "#882255",
    "contact_binary": "#88CCEE",
    "detached_binary": "#332288",
    "mira": "#117733",
    "supernova_ia": "#44AA99",
    "quasar": "#999933",
}
FILTERS = {0: "#4477AA", 1: "#EE6677", 2: "#AA3377"}  # g, r and i
N_GROUPS, N_DRAWN = 8, 4


def moments(curves):
    """Describe each curve by moments in each filter: (n_curves, 16)."""
    rows = []
    for _, magnitude, _, band in curves:
        row = [len(magnitude)]
        for number in FILTERS:
            part = magnitude[band == number]
            if len(part) < 3:
                row += [0.0] * 5
                continue
            low, high = np.percentile(part, (5, 95))
            row += [part.mean(), part.std(), high - low, skew(part), len(part)]
        rows.append(row)
    return StandardScaler().fit_transform(np.array(rows))


def draw_curve(axes, curve, period, color):
    """Draw a curve, folded where it has a period."""
    time, magnitude, _, band = curve
    is_folded = np.isfinite(period)
    phase = (time - time[0]) / period % 1 if is_folded else time - time[0]
    for number, shade in FILTERS.items():
        kept = band == number
        for shift in (0, 1) if is_folded else (0,):
            axes.plot(phase[kept] + shift, magnitude[kept], ".", color=shade, ms=1.5, alpha=0.7)
    axes.invert_yaxis()
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(color=color, linewidth=1.5)


def draw_groups(figure, data, groups, random_state=0):
    """Draw members of each group in a line, and next to them what the group consists of."""
    rng = np.random.default_rng(random_state)
    labels, periods = data.labels, data.latents["period"].to_numpy()
    kinds = list(CLASSES)
    shares = np.array(
        [[np.mean(labels[groups == group] == kind) for kind in kinds] for group in range(N_GROUPS)]
    )
    order = np.argsort(shares.argmax(axis=1))
    panels = figure.subplots(N_GROUPS, N_DRAWN + 1, width_ratios=[*[3] * N_DRAWN, 2])
    for line, group in zip(panels, order, strict=True):
        members = rng.permutation(np.flatnonzero(groups == group))
        for axes, member in zip(line, members[:N_DRAWN]):
            draw_curve(axes, data.curves[member], periods[member], CLASSES[labels[member]])
        for axes in line[len(members[:N_DRAWN]) : N_DRAWN]:
            axes.axis("off")
        start = 0.0
        for kind, width in zip(kinds, shares[group], strict=True):
            line[-1].barh(0, width, left=start, color=CLASSES[kind], label=kind)
            start += width
        line[-1].text(1.04, 0, f"{len(members)}", va="center", fontsize="small")
        line[-1].set(xlim=(0, 1), ylim=(-1, 1))
        line[-1].axis("off")
    handles, names = panels[0, -1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(kinds) // 2)


def main(path, n_samples=480, max_epochs="auto"):
    """Fit, print how far groups and classes agree, draw; return the agreement."""
    data = make_light_curves(n_samples, classes=list(CLASSES), random_state=0)
    embedding = SequenceTransformerEmbedding(
        16,
        time_channel=0,
        error_channel=2,
        band_channel=3,
        max_epochs=max_epochs,
        random_state=0,
    )
    agreement, found = {}, {}
    for name, Z in (
        ("embedding", embedding.fit_transform(data.curves)),
        ("moments", moments(data.curves)),
    ):
        found[name] = KMeans(N_GROUPS, n_init=10, random_state=0).fit_predict(Z)
        agreement[name] = adjusted_rand_score(data.labels, found[name])
        print(f"{name:<10} adjusted Rand index {agreement[name]:.2f}")
    figure = plt.figure(figsize=(9, 9.5), layout="constrained")
    draw_groups(figure, data, found["embedding"])
    figure.suptitle(
        f"Groups of the embedding, adjusted Rand index {agreement['embedding']:.2f} "
        f"(moments: {agreement['moments']:.2f})"
    )
    figure.savefig(path, dpi=90)
    return agreement


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
