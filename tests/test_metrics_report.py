"""The report: its figures, its sentences, and that it compares on equal terms."""

import time
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, KernelPCA
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.utils.fixes import parse_version

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
from skrepr.datasets import make_manifold
from skrepr.metrics import effective_rank, embedding_report, trustworthiness
from skrepr.metrics._report import _median_figure

DIGITS, LABELS = load_digits(return_X_y=True)
OF_RECONSTRUCTION = ["mean squared error", "rows rebuilt better", "median ratio of row errors"]


class Oracle(TransformerMixin, BaseEstimator):
    """The columns that bear the signal, and the way back to all of them."""

    def __init__(self, columns=(0, 1), error=0.0, history=None):
        self.columns = columns
        self.error = error
        self.history = history

    def fit(self, X, y=None):
        assert y is None
        self.n_seen_ = len(X)
        if self.history is not None:
            self.history_ = pd.DataFrame({"valid_loss": self.history})
        return self

    def transform(self, X):
        return np.asarray(X)[:, list(self.columns)]

    def reconstruct(self, X):
        return X + self.error


def noise(n=400, d=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_pca_beside_pca_differs_in_nothing():
    report = embedding_report(PCA(8, random_state=0), DIGITS, LABELS, random_state=0)
    assert list(report.table.columns) == [
        "PCA as given",
        "PCA",
        "difference",
        "standard_error",
        "better",
    ]
    assert np.allclose(report.table["difference"], 0, atol=1e-9)
    assert report.table.loc["median ratio of row errors", "PCA"] == 1
    assert list(report.table.index) == [
        "mean squared error",
        "rows rebuilt better",
        "median ratio of row errors",
        "effective rank",
        "trustworthiness",
        "neighborhood preservation",
        "knn agreement",
        "linear probe, 1% of labels",
        "linear probe, 10% of labels",
        "linear probe, 100% of labels",
    ]
    assert report.conclusions == [
        "PCA as given does not beat PCA on reconstruction: mean squared error 1 times PCA's (no "
        "measurable difference); 0% of rows rebuilt better, 0% worse, the median row with 1 "
        "times PCA's error.",
        "PCA as given keeps neighborhoods as well as PCA: trustworthiness 0.9902 against 0.9902.",
        "PCA as given makes y no easier to read off linearly than PCA: accuracy with all labels "
        "0.8850 against 0.8850.",
    ]


def test_figures_are_those_of_the_held_out_rows_and_pca_has_not_seen_them():
    X = noise(200)
    train, test = X[:150], X[150:]

    class Fixed(Oracle):
        def fit(self, X, y=None):
            self.train_ = X
            return self

        def transform(self, X):
            self.test_ = X
            return super().transform(X)

    # a fitted estimator is not cloned, and shows what it was given
    model = Fixed(error=0.5).fit(train)
    table = embedding_report(model, X, random_state=0).table
    held_out = model.test_
    assert len(held_out) == 50
    rest = np.array([row for row in X if not (row == held_out).all(axis=1).any()])
    pca = PCA(2).fit(rest)
    errors = np.square(held_out - pca.inverse_transform(pca.transform(held_out)))
    assert table.loc["mean squared error", "Fixed"] == pytest.approx(0.25)
    assert table.loc["mean squared error", "PCA"] == pytest.approx(errors.mean())
    per_row = 0.25 - errors.mean(axis=1)
    assert table.loc["mean squared error", "standard_error"] == pytest.approx(
        per_row.std(ddof=1) / np.sqrt(50)
    )
    assert table.loc["trustworthiness", "Fixed"] == pytest.approx(
        trustworthiness(held_out, held_out[:, :2])
    )
    assert table.loc["effective rank", "PCA"] == pytest.approx(
        effective_rank(pca.transform(held_out))
    )
    assert len(test) == 50


def test_an_unfitted_estimator_is_cloned_and_sees_no_held_out_row():
    model = Oracle()
    report = embedding_report(model, noise(), test_size=0.5, random_state=0)
    assert not hasattr(model, "n_seen_")
    assert "fitted before" not in report.conclusions[-1]
    report = embedding_report(model.fit(noise()), noise(seed=1), random_state=0)
    assert "was fitted before" in report.conclusions[-1]


@pytest.mark.parametrize(
    ("y", "measure"),
    [
        (DIGITS[:, 20] + 0.5, "R² with all labels"),
        ((100 * DIGITS[:, 20] + np.arange(len(DIGITS)) % 90).astype(int), "R² with all labels"),
        (LABELS, "accuracy with all labels"),
        (pd.Series(LABELS.astype(str), index=range(5000, 5000 + len(LABELS))), "accuracy"),
    ],
)
def test_the_sentence_names_what_is_measured(y, measure):
    report = embedding_report(PCA(4), DIGITS, y, random_state=0)
    assert f"to read off linearly than PCA: {measure}" in report.conclusions[2]


def test_rounding_beats_nobody():
    class Rounded(PCA):
        def reconstruct(self, X):
            rebuilt = self.inverse_transform(self.transform(X))
            return rebuilt + 1e-6 * (X - rebuilt)

    report = embedding_report(Rounded(2), noise(), random_state=0)
    assert report.table.loc["mean squared error", "difference"] < 0
    assert report.table.loc["rows rebuilt better"].tolist()[:3] == [0, 0, 0]
    assert report.conclusions[0].startswith("Rounded does not beat PCA on reconstruction: ")


def test_what_beats_pca_is_said_to_and_that_it_was_still_learning():
    model = Oracle(error=0.1, history=[3.0, 2.0, 1.0])
    first, *_, last = embedding_report(model, noise(), random_state=0).conclusions
    assert first.startswith("Oracle beats PCA on reconstruction: mean squared error 0.01")
    assert "; 100% of rows rebuilt better, 0% worse, the median row with 0.01" in first
    assert last.startswith("More training may gain more")


class OfTwoKinds(Oracle):
    """Rebuilds large rows, by which PCA is ruled, and small ones each with an error of its own."""

    def __init__(self, error=0.0, lost=0.0):
        super().__init__(error=error)
        self.lost = lost

    def reconstruct(self, X):
        large = (np.abs(X) > 50).any(axis=1)
        return np.where(large[:, None], (1 - self.lost) * X, X + self.error)


def with_large_rows(share, size=1000.0, n=4000):
    X = noise(n)
    X[:: round(1 / share)] *= size
    return X


@pytest.mark.parametrize(
    ("share", "model", "headline", "words"),
    [
        # one row in a thousand carries the variance, and the mean cannot tell
        (
            0.001,
            OfTwoKinds(error=0.1, lost=0.6),
            "beats PCA on reconstruction row by row, while the means do not differ",
            "(no measurable difference); 100% of rows rebuilt better",
        ),
        # better in the mean, but by these rows only
        (
            0.001,
            OfTwoKinds(error=5),
            "does not beat PCA on reconstruction",
            "(no measurable difference); 0.2% of rows rebuilt better, 99.8% worse",
        ),
        # one row in twenty is enough to tell
        (
            0.05,
            OfTwoKinds(error=5),
            "beats PCA on reconstruction in the mean, but is worse row by row",
            "It gains much on the fewer rows",
        ),
        (
            0.05,
            OfTwoKinds(error=0.1, lost=1.5),
            "beats PCA on reconstruction row by row, but not in the mean",
            "It loses much on the fewer rows",
        ),
    ],
)
def test_few_rows_that_carry_the_variance_do_not_decide_alone(share, model, headline, words):
    report = embedding_report(model, with_large_rows(share), random_state=0)
    assert report.conclusions[0].startswith(f"OfTwoKinds {headline}: mean squared error ")
    assert words in report.conclusions[0]
    better, worse, difference, error = report.table.loc["rows rebuilt better"].iloc[:4]
    assert better + worse == pytest.approx(1, abs=0.01)
    assert difference == pytest.approx(better - worse)
    signs = np.r_[np.ones(round(1000 * better)), -np.ones(round(1000 * worse))]
    assert error == pytest.approx(signs.std() / np.sqrt(1000), rel=0.01, abs=1e-3)


def test_the_median_has_the_error_it_shows_over_samples():
    samples = np.random.default_rng(0).standard_cauchy(size=(400, 101))
    found = np.array([_median_figure(sample, 0.0, "lower")[:4] for sample in samples])
    assert (found[:, 0] == np.median(samples, axis=1)).all()
    assert np.mean(found[:, 3]) == pytest.approx(found[:, 0].std(), rel=0.15)
    of_two = _median_figure(np.array([1.0, 3.0]), 1.0, "lower")
    assert of_two == [2, 1, 1, pytest.approx(np.sqrt(0.5)), "lower"]


def test_what_float32_cannot_tell_from_nothing_is_nothing():
    class Narrow(PCA):
        def inverse_transform(self, Z):
            return super().inverse_transform(Z).astype(np.float32)

    table = embedding_report(Narrow(6), 1e3 * noise(), random_state=0).table
    assert table.loc["mean squared error"].tolist()[:4] == [0, 0, 0, 0]
    assert table.loc["rows rebuilt better"].tolist()[:4] == [0, 0, 0, 0]
    assert table.loc["median ratio of row errors"].tolist()[:4] == [1, 1, 0, 0]


def test_what_is_nothing_is_judged_by_the_typical_row():
    # next to the large rows float32 could not tell the others from nothing
    X = with_large_rows(0.001, size=1e5)
    table = embedding_report(OfTwoKinds(error=0.1, lost=0.6), X, random_state=0).table
    assert table.loc["rows rebuilt better", "OfTwoKinds"] > 0.99


def test_a_reconstruction_that_is_missing_is_no_good_one():
    with pytest.raises(ValueError, match="Input reconstruction contains NaN where X has values"):
        embedding_report(Oracle(error=np.nan), noise(), random_state=0)
    with pytest.raises(ValueError, match="Input reconstruction contains infinity"):
        embedding_report(Oracle(error=np.inf), noise(), random_state=0)


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e-30, 1e30, 1e155, 1e300])
def test_units_do_not_matter(unit):
    X = noise()
    y = X[:, 0] + X[:, 3]
    expected = embedding_report(Oracle(error=0.1), X, y, random_state=0)
    found = embedding_report(Oracle(error=0.1 * unit), unit * X, unit * y, random_state=0)
    in_units = expected.table.loc["mean squared error"].iloc[:4].to_numpy(float)
    with np.errstate(over="ignore"):
        in_units = in_units * unit * unit
    assert np.allclose(found.table.loc["mean squared error"].iloc[:4].to_numpy(float), in_units)
    figures = [report.table.iloc[1:, :4].to_numpy(float) for report in (expected, found)]
    assert np.allclose(*figures, atol=1e-3, equal_nan=True)
    assert found.conclusions == expected.conclusions


def test_neighbors_and_labels_better_and_worse_than_pca():
    X = noise(1200)
    y = (X[:, 0] > 0).astype(int)
    X[:, 5] *= 30  # PCA sees this column only
    good = embedding_report(Oracle((0,)), X, y, random_state=0).conclusions
    assert "Oracle makes y easier to read off linearly than PCA" in good[2]
    assert "Oracle keeps neighborhoods worse than PCA" in good[1]
    X = np.c_[X[:, 0], X]
    X[:, 1] = y
    poor = embedding_report(Oracle((2,)), X[:, [0, 5, 2]], X[:, 0], random_state=0)
    assert "Oracle makes y harder to read off linearly than PCA" in poor.conclusions[2]


def test_a_collapse_is_told():
    X = noise()
    X = np.c_[X, X[:, 0] * 0]
    model = Oracle((0, 6))
    assert any(
        sentence.startswith("The representation has collapsed: 1 of 2 components hardly vary")
        for sentence in embedding_report(model, X, random_state=0).conclusions
    )


def test_it_prints_and_shows_as_html():
    report = embedding_report(Oracle(error=5), noise(), random_state=0)
    text, html = repr(report), report._repr_html_()
    assert str(report) == text
    assert "trustworthiness" in text and "nan" not in text.lower()
    assert text.endswith(report.conclusions[-1])
    assert "<table" in html and html.count("<li>") == len(report.conclusions)
    assert html.count("<table") == html.count("</table>") == 1


def test_numbers_for_labels_images_frames_pipelines_and_missing_values():
    X, factors = make_manifold(300, 16, random_state=0)
    table = embedding_report(PCA(2), pd.DataFrame(X), factors[:, 0], random_state=0).table
    assert "knn agreement" not in table.index
    assert table.loc["linear probe, 100% of labels", "PCA"] > 0
    network = AutoencoderEmbedding(
        2, architecture=MLP((8,)), max_epochs=2, missing="mask", random_state=0
    )
    holed = np.where(noise(300, 16) > 2, np.nan, X)
    report = embedding_report(make_pipeline(StandardScaler(), network), holed, random_state=0)
    assert report.table.columns[0] == "AutoencoderEmbedding"
    assert np.isfinite(report.table["difference"]).all()
    report = embedding_report(
        AutoencoderEmbedding(2, max_epochs=1, random_state=0),
        X.reshape(300, 1, 4, 4),
        random_state=0,
    )
    assert np.isfinite(report.table["difference"]).all()


def test_of_a_pipeline_the_last_step_is_judged():
    X = noise() * [1, 1, 1, 1, 1, 1000]  # PCA of X would see the last column only
    for model in (make_pipeline(StandardScaler(), PCA(2)), make_pipeline(PCA(2))):
        table = embedding_report(model, X, random_state=0).table
        assert table.columns[0] == "PCA as given"
        assert np.allclose(table["difference"], 0, atol=1e-9)
        fitted = embedding_report(model.fit(noise(seed=1)), X, random_state=0)
        assert "fitted before" in fitted.conclusions[-1]
    # the steps before it may stand in a Pipeline within it
    flat = make_pipeline(StandardScaler(), MinMaxScaler(), PCA(2))
    nested = make_pipeline(make_pipeline(StandardScaler()), make_pipeline(MinMaxScaler(), PCA(2)))
    tables = [embedding_report(model, X, random_state=0).table for model in (flat, nested)]
    assert tables[0].equals(tables[1])
    assert tables[0].columns[0] == "PCA as given"
    fitted = embedding_report(nested.fit(noise(seed=1)), X, random_state=0)
    assert "fitted before" in fitted.conclusions[-1]
    assert fitted.table.loc["mean squared error", "PCA"] < 1
    frame = pd.DataFrame({"a": X[:, 0]}).assign(kind=np.where(X[:, 0] > 0, "a", "b"))
    encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["kind"]))
    table = embedding_report(make_pipeline(encoder, PCA(1)), frame, random_state=0).table
    assert table.loc["mean squared error", "PCA"] == pytest.approx(0)


def test_bytes_are_judged_as_numbers():
    X = np.random.default_rng(0).integers(256, size=(200, 8), dtype=np.uint8)
    of_bytes, of_floats = (embedding_report(PCA(2), A, random_state=0) for A in (X, 1.0 * X))
    assert np.allclose(of_bytes.table["PCA"], of_floats.table["PCA"], rtol=1e-3)


def test_methods_that_do_not_apply_are_left_alone():
    # has an inverse_transform, but not without fit_inverse_transform
    report = embedding_report(KernelPCA(2), noise(100), random_state=0)
    assert "mean squared error" not in report.table.index

    class Endless(PCA):
        __module__ = "umap.umap_"

        def inverse_transform(self, Z):
            raise AssertionError

    report = embedding_report(Endless(2), noise(100), random_state=0)
    assert "mean squared error" not in report.table.index


def test_without_a_way_back_there_is_no_reconstruction():
    class OneWay(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.fitted_ = True
            return self

        def transform(self, X):
            return X[:, :2]

    assert "mean squared error" not in embedding_report(OneWay(), noise()).table.index


def test_the_same_seed_gives_the_same_report():
    reports = [embedding_report(Oracle(), noise(), random_state=seed).table for seed in (0, 0, 1)]
    assert reports[0].equals(reports[1])
    assert not reports[0].equals(reports[2])


def test_few_rows_get_the_figures_that_apply():
    y = np.arange(20) % 2
    report = embedding_report(Oracle(), noise(20), y, test_size=0.5)
    assert list(report.table.index) == [*OF_RECONSTRUCTION, "effective rank", "knn agreement"]
    assert report.conclusions[-1] == "Only 10 rows were held out: all this may be chance."
    report = embedding_report(PCA(2), noise(4))
    assert list(report.table.index) == [*OF_RECONSTRUCTION, "effective rank"]
    # most held-out rows are of a class of their own
    y = [f"{i % 40}" for i in range(100)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = embedding_report(PCA(2), noise(100), y, random_state=0).table
    told = ["unique classes is greater than 50%" in str(warning.message) for warning in caught]
    # scikit-learn tells of it from 1.7 on
    assert all(told) and bool(told) == (parse_version(sklearn.__version__) >= parse_version("1.7"))
    assert "knn agreement" in table.index and "linear probe, 100% of labels" not in table.index


def test_bad_input():
    with pytest.raises(TypeError, match=r"an object implementing 'transform'. Got 3 instead"):
        embedding_report(3, noise())
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        embedding_report(PCA(2), csr_array(noise()))
    with pytest.raises(ValueError, match="test_size == 0, must be > 0"):
        embedding_report(PCA(2), noise(), test_size=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        embedding_report(PCA(2), noise(), [1, 2])
    with pytest.raises(ValueError, match=r"3 sample\(s\) while a minimum of 4 is required"):
        embedding_report(PCA(2), noise(3))
    with pytest.raises(TypeError, match=r"an object implementing 'transform'. Got Pipeline"):
        embedding_report(make_pipeline(PCA(2), make_pipeline(LinearRegression())), noise())
    with pytest.raises(TypeError, match=r"an object implementing 'transform'. Got Pipeline"):
        embedding_report(make_pipeline(make_pipeline(PCA(2), "passthrough")), noise())
    with pytest.raises(ValueError, match="test_size == nan, must be a number"):
        embedding_report(PCA(2), noise(), test_size=np.nan)
    infinite = noise(4)
    infinite[:2, 0] = np.inf, -np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        embedding_report(PCA(2), infinite)
    with pytest.raises(ValueError, match="y contains NaN"):
        embedding_report(PCA(2), noise(4), ["a", "b", None, "a"])
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        embedding_report(make_pipeline(OneHotEncoder(handle_unknown="ignore"), PCA(1)), noise(40))
    with pytest.raises(ValueError, match="Input Z contains NaN"):
        embedding_report(Oracle().fit(noise()), np.where(noise() > 2, np.nan, noise()))

    class NeverFitted(Oracle):
        def fit(self, X, y=None):
            raise AssertionError

    with pytest.raises(ValueError, match="could not convert string to float"):
        embedding_report(NeverFitted(), np.full((40, 2), "a"))


@pytest.mark.slow
def test_a_large_table_takes_less_than_a_minute_and_one_copy():
    X, factors = make_manifold(60_000, 784, n_factors=8, noise=0.05, random_state=0)
    X, y = X.astype(np.float32), np.digitize(factors[:, 0], np.linspace(-0.8, 0.8, 9))
    tracemalloc.start()
    start = time.process_time()
    embedding_report(PCA(16, random_state=0), X, y, random_state=0)
    assert time.process_time() - start < 60
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.25 * X.nbytes  # the split, and no copy more
