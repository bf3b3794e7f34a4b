"""The sentences of the report: what is said of which figures."""

import pandas as pd
import pytest
from sklearn.decomposition import PCA

from skrepr.metrics._conclusions import _apart, conclude

COLUMNS = ["Mine", "PCA", "difference", "standard_error", "better"]


class Trained:
    """An embedding of which only the losses are known."""

    def __init__(self, *losses):
        if losses:
            self.history_ = pd.DataFrame({"valid_loss": losses})


def table(mean=0, rows=0, neighbors=None):
    """Make the table of a report with the verdicts wanted: 1 better, -1 worse, 0 neither."""
    mean_error, better, ratio = 2 - mean, 0.5 + 0.4 * rows, 1 - 0.6 * rows
    figures = {
        "mean squared error": [mean_error, 2.0, mean_error - 2, 0.3, "lower"],
        "rows rebuilt better": [better, 1 - better, 2 * better - 1, 0.05, "higher"],
        "median ratio of row errors": [ratio, 1.0, ratio - 1, 0.05, "lower"],
    }
    if neighbors is not None:
        trust = 0.9 + 0.05 * neighbors
        figures["trustworthiness"] = [trust, 0.9, trust - 0.9, 0.01, "higher"]
    return pd.DataFrame.from_dict(figures, orient="index", columns=COLUMNS)


WORDS = {1: "0.5 times PCA's; ", 0: "1 times PCA's (no measurable difference); ", -1: "1.5 times"}
SHARES = {
    1: "90% of rows rebuilt better, 10% worse, the median row with 0.4 times PCA's error. ",
    0: "50% of rows rebuilt better, 50% worse, the median row with 1 times PCA's error. ",
    -1: "10% of rows rebuilt better, 90% worse, the median row with 1.6 times PCA's error. ",
}


@pytest.mark.parametrize(
    ("mean", "rows", "headline", "advice"),
    [
        (1, 1, "beats PCA on reconstruction", ""),
        (
            1,
            0,
            "beats PCA on reconstruction in the mean, not row by row",
            "What it gains on some rows outweighs what it loses on others: see which ones count.",
        ),
        (
            1,
            -1,
            "beats PCA on reconstruction in the mean, but is worse row by row",
            "It gains much on the fewer rows: choose it if large errors are what counts, and PCA "
            "if every row counts alike.",
        ),
        (
            0,
            1,
            "beats PCA on reconstruction row by row, while the means do not differ",
            "The rows with the largest errors decide the mean, and are too few to tell: choose it "
            "if every row counts alike, and try more rows if large errors are what counts.",
        ),
        (0, 0, "does not beat PCA on reconstruction", "Use PCA."),
        (0, -1, "does not beat PCA on reconstruction", "Use PCA."),
        (
            -1,
            1,
            "beats PCA on reconstruction row by row, but not in the mean",
            "It loses much on the fewer rows: choose it if every row counts alike, and PCA if "
            "large errors are what counts.",
        ),
        (-1, 0, "does not beat PCA on reconstruction", "Use PCA."),
        (-1, -1, "does not beat PCA on reconstruction", "Use PCA."),
    ],
)
def test_mean_and_rows_are_both_told_with_what_follows(mean, rows, headline, advice):
    (sentence,) = conclude(table(mean, rows), Trained(), False)
    assert sentence.startswith(f"Mine {headline}: mean squared error {WORDS[mean]}")
    assert sentence.endswith((SHARES[rows] + advice).strip())


@pytest.mark.parametrize(
    ("losses", "advice"),
    [
        ((), "Use PCA."),
        ((3.0, 1.0, 2.0), "Use PCA."),
        ((3.0, 2.0, 2.0), "Use PCA."),
        # falls to the last, by nothing that matters
        ((3.0, *(2.0 - 1e-6 * i for i in range(30))), "Use PCA."),
        (
            (3.0, 2.0, 1.0),
            "Use PCA, or train longer: the held-out loss was still falling at the last epoch.",
        ),
    ],
)
def test_advice_where_pca_is_not_beaten(losses, advice):
    first, *others = conclude(table(), Trained(*losses), False)
    assert first.endswith(f"error. {advice}")
    assert "still falling" not in " ".join(others)  # not told twice


@pytest.mark.parametrize(("mean", "rows"), [(1, 1), (0, 1), (1, -1)])
def test_where_pca_is_beaten_more_training_may_gain_more(mean, rows):
    first, last = conclude(table(mean, rows), Trained(3.0, 2.0, 1.0), False)
    assert "still falling" not in first
    assert last == (
        "More training may gain more: the held-out loss was still falling at the last epoch."
    )


def test_pca_is_not_recommended_outright_where_something_else_is_better():
    first, second = conclude(table(neighbors=1), Trained(), False)
    assert first.endswith("error. Use PCA if that is what counts.")
    assert second == (
        "Mine keeps neighborhoods better than PCA: trustworthiness 0.95 against 0.90."
    )


def test_to_use_pca_is_no_advice_for_pca():
    (sentence,) = conclude(table(), PCA(), False)
    assert sentence.endswith("PCA's error.")


@pytest.mark.parametrize(
    ("error", "words"),
    [(0.0, "mean squared error 0, as PCA's (no"), (0.1, "error above 0, which is PCA's; 50%")],
)
def test_a_pca_without_error_is_not_divided_by(error, words):
    figures = table()
    figures.loc["mean squared error", COLUMNS[:4]] = [error, 0.0, error, 0.01]
    assert words in conclude(figures, Trained(), False)[0]


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ((0.5, 0.25), ["0.50", "0.25"]),
        ((0.9981, 0.9973), ["0.998", "0.997"]),
        ((0.99812, 0.99809), ["0.9981", "0.9981"]),
        ((-1.5, 0.123), ["-1.50", "0.12"]),
    ],
)
def test_figures_in_sentences_are_told_apart(numbers, texts):
    assert _apart(*numbers) == texts
