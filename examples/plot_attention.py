"""
Where attention looks
=====================

Each series repeats a wave form of its own, with one of three periods, under noise. What is hidden
of it cannot be told from its neighborhood, but from the other seasons: a network has to find out
how long a season is, and to read the same phase there. That is what attention is for.

:class:`~skrepr.SequenceTransformerEmbedding` is trained to predict hidden spans.
:meth:`~skrepr.SequenceTransformerEmbedding.attention` tells how much each patch of a series, here
of four steps, looks at each other, in the mean over heads and layers. Three series of different
periods are drawn above their maps: the bright lines next to the diagonal lie one, two and more
seasons away, and follow the period. Below, a gap is filled by
:meth:`~skrepr.SequenceTransformerEmbedding.impute`, next to the truth without noise. The share of
the variance in such gaps that is explained is printed next to that of the straight line between
the values at both ends.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter1d

from skrepr import SequenceTransformerEmbedding

LENGTH, PATCH, NOISE = 128, 4, 0.2
PERIODS = 24, 32, 40  # steps of a season
GAP = slice(56, 68)


def make_seasons(periods, random_state=0):
    """Repeat a smooth random wave form in each series: without noise, and with it."""
    rng = np.random.default_rng(random_state)
    waves = [gaussian_filter1d(rng.normal(size=period), 1.5, mode="wrap") for period in periods]
    clean = np.stack([np.resize(wave / wave.std(), LENGTH) for wave in waves])
    return clean, clean + NOISE * rng.normal(size=clean.shape)


def explained(truth, guess):
    """Return the share of the variance that a guess explains."""
    return 1 - np.sum((truth - guess) ** 2) / np.sum((truth - truth.mean()) ** 2)


def draw(figure, drawn, clean, gaps, filled, maps):
    """Draw series, maps of attention, and filled gaps, one below the other."""
    panels = figure.subplots(3, len(PERIODS), height_ratios=[2, 5, 2])
    steps = np.arange(LENGTH)
    ticks = np.arange(0, LENGTH // PATCH, 8)
    for i, period in enumerate(PERIODS):
        above, middle, below = panels[:, i]
        above.plot(steps, drawn[i], color="#332288", lw=1)
        above.set(title=f"a period of {period} steps", xlim=(0, LENGTH), yticks=[])
        middle.imshow(maps[i], cmap="magma", vmax=np.quantile(maps[i], 0.99), aspect="auto")
        middle.set_xticks(ticks, ticks * PATCH)
        middle.set_yticks(ticks, ticks * PATCH)
        below.plot(steps, clean[i], color="0.7", label="truth")
        below.plot(steps, gaps[i], color="#332288", lw=1, label="given")
        below.plot(steps[GAP], filled[i, GAP], color="#CC6677", lw=2, label="imputed")
        below.set(xlim=(20, 108), yticks=[], xlabel="step")
    panels[1, 0].set_ylabel("step that looks ...")
    panels[1, 1].set_xlabel("... at step")
    figure.legend(*panels[2, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def main(path, n_samples=1500, max_epochs=60):
    """Fit, print how well gaps are filled, draw; return both explained shares."""
    periods = np.random.default_rng(0).choice(PERIODS, n_samples)
    _, X = make_seasons(periods)
    embedding = SequenceTransformerEmbedding(
        16, max_epochs=max_epochs, learning_rate=2e-3, random_state=0
    ).fit(X)
    clean, seen = make_seasons(np.resize(PERIODS, 300), random_state=1)
    gaps = seen.copy()
    gaps[:, GAP] = np.nan
    filled = embedding.impute(gaps)
    ends = seen[:, [GAP.start - 1, GAP.stop]]
    weight = np.linspace(0, 1, GAP.stop - GAP.start + 2)[1:-1]
    shares = {
        "attention": explained(clean[:, GAP], filled[:, GAP]),
        "straight line": explained(
            clean[:, GAP], ends[:, :1] * (1 - weight) + ends[:, 1:] * weight
        ),
    }
    for name, share in shares.items():
        print(f"{name:<14} explains {share:6.1%} of what is missing")
    figure = plt.figure(figsize=(11, 7), layout="constrained")
    few = np.arange(len(PERIODS))
    draw(figure, seen[few], clean[few], gaps[few], filled[few], embedding.attention(seen[few]))
    figure.savefig(path, dpi=90)
    return shares


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
