"""What the table of a report says, in sentences."""

import math

import numpy as np
from sklearn.decomposition import PCA

# Relative; a smaller difference counts as none.
LEAST_GAIN = 1e-3
RECONSTRUCTION, ROWS_BETTER, ROW_RATIO, NEIGHBORS, PROBE = (
    "mean squared error",
    "rows rebuilt better",
    "median ratio of row errors",
    "trustworthiness",
    "linear probe, {:.0%} of labels",
)
# Figures in sentences have as many decimals as tell them apart, between these.
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 4
_STILL_FALLING = "the held-out loss was still falling at the last epoch"
# Where mean and rows do not say the same, by their verdicts: the headline, and what follows.
_BOTH = {
    (1, 0): (
        "beats PCA on reconstruction in the mean, not row by row",
        "What it gains on some rows outweighs what it loses on others: see which ones count.",
    ),
    (1, -1): (
        "beats PCA on reconstruction in the mean, but is worse row by row",
        "It gains much on the fewer rows: choose it if large errors are what counts, and PCA if "
        "every row counts alike.",
    ),
    (0, 1): (
        "beats PCA on reconstruction row by row, while the means do not differ",
        "The rows with the largest errors decide the mean, and are too few to tell: choose it if "
        "every row counts alike, and try more rows if large errors are what counts.",
    ),
    (-1, 1): (
        "beats PCA on reconstruction row by row, but not in the mean",
        "It loses much on the fewer rows: choose it if every row counts alike, and PCA if large "
        "errors are what counts.",
    ),
}
# What is said of a figure that is as good as PCA's, better, and (at -1) worse.
_SENTENCES = {
    NEIGHBORS: (
        "keeps neighborhoods as well as PCA",
        "keeps neighborhoods better than PCA",
        "keeps neighborhoods worse than PCA",
    ),
    PROBE.format(1): (
        "makes y no easier to read off linearly than PCA",
        "makes y easier to read off linearly than PCA",
        "makes y harder to read off linearly than PCA",
    ),
}


def conclude(table, model, classes):
    """Say in sentences what the table shows.

    Parameters
    ----------
    table : pandas.DataFrame
        That of `EmbeddingReport`.
    model : estimator
        The embedding that was judged.
    classes : bool
        Whether y holds classes.

    Returns
    -------
    sentences : list of str
    """
    name = table.columns[0]
    falling = _was_still_falling(model)
    verdicts = {
        figure: _verdict(table.loc[figure]) for figure in _SENTENCES if figure in table.index
    }
    sentences = []
    if RECONSTRUCTION in table.index:
        both = _verdict(table.loc[RECONSTRUCTION]), _verdict(table.loc[ROWS_BETTER])
        if both == (1, 1):
            headline, advice = "beats PCA on reconstruction", ""
        elif both in _BOTH:
            headline, advice = _BOTH[both]
        else:
            headline, advice = "does not beat PCA on reconstruction", ""
            if type(model) is not PCA:
                advice = "Use PCA"
                advice += (
                    " if that is what counts" if max(verdicts.values(), default=0) > 0 else ""
                )
            if falling:
                advice += f"{', or train' if advice else 'Train'} longer: {_STILL_FALLING}"
                falling = False  # is told
            advice += "." if advice else ""
        figures = _reconstruction_in_words(table, both[0])
        sentences.append(f"{name} {headline}: {figures}. {advice}".rstrip())
    measures = {
        NEIGHBORS: NEIGHBORS,
        PROBE.format(1): ("accuracy" if classes else "R²") + " with all labels",
    }
    for figure, verdict in verdicts.items():
        ours, of_pca = _apart(*table.loc[figure, [name, "PCA"]])
        sentences.append(
            f"{name} {_SENTENCES[figure][verdict]}: {measures[figure]} {ours} against {of_pca}."
        )
    if falling:
        sentences.append(f"More training may gain more: {_STILL_FALLING}.")
    return sentences


def _reconstruction_in_words(table, verdict_on_mean):
    name = table.columns[0]
    ours, of_pca = table.loc[RECONSTRUCTION, [name, "PCA"]]
    if of_pca > 0:
        mean = f"{ours / of_pca:.3g} times PCA's"
    else:
        mean = "above 0, which is PCA's" if ours > 0 else "0, as PCA's"
    unsure = "" if verdict_on_mean else " (no measurable difference)"
    better, worse = 100 * table.loc[ROWS_BETTER, [name, "PCA"]]
    return (
        f"mean squared error {mean}{unsure}; {better:.3g}% of rows rebuilt better, {worse:.3g}% "
        f"worse, the median row with {table.loc[ROW_RATIO, name]:.3g} times PCA's error"
    )


def _apart(*numbers):
    """Write numbers with as few decimals as tell them apart."""
    for decimals in range(_FEWEST_DECIMALS, _MOST_DECIMALS + 1):
        texts = [f"{number:.{decimals}f}" for number in numbers]
        if len(set(texts)) == len(texts):
            break
    return texts


def _verdict(figure):
    """Return 1 for a figure that is better than PCA's, -1 for a worse one, 0 for neither."""
    gain = figure["difference"] if figure["better"] == "higher" else -figure["difference"]
    # float32 differs from float64 by nothing that matters, but always to the same side
    if abs(gain) <= max(2 * figure["standard_error"], LEAST_GAIN * abs(figure["PCA"])):
        return 0
    return 1 if gain > 0 else -1


def _was_still_falling(model):
    """Whether the last tenth of the epochs lowered the loss on held-out rows."""
    history = getattr(model, "history_", None)
    if history is None or "valid_loss" not in history or len(history) < 2:
        return False
    losses = history["valid_loss"].to_numpy()
    last, n_recent = losses[-1], math.ceil(len(losses) / 10)
    if np.isnan(losses).any() or last > losses.min():
        return False
    earlier = losses[:-n_recent].min()
    return bool(earlier - last > LEAST_GAIN * abs(earlier))
