"""How many directions an embedding uses, on cases with known answers."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skrepr.metrics import describe_collapse, effective_rank, rows_for_collapse


def rank_of_the_paper(Z):
    """Transcribe RankMe (Garrido et al. 2023, equation 1), with its epsilon of 1e-7."""
    sigma = np.sqrt(np.clip(np.linalg.eigvalsh(Z.T @ Z), 0, None))
    p = [value / sum(abs(sigma)) + 1e-7 for value in sigma]
    return math.exp(-sum(value * math.log(value) for value in p))


def orthonormal(n, k, seed=0):
    Z = np.random.default_rng(seed).normal(size=(n, k))
    return np.linalg.qr(Z - Z.mean(axis=0))[0]


@pytest.mark.parametrize("k", [1, 2, 7])
def test_equal_directions_count_one_each(k):
    assert effective_rank(orthonormal(100, k)) == pytest.approx(k, rel=1e-9)


def test_two_directions_of_unequal_length():
    # shares 3/4 and 1/4: exp(entropy) = 4 / 3^(3/4)
    Z = orthonormal(100, 2) * [3, 1]
    assert effective_rank(Z) == pytest.approx(4 / 3**0.75, rel=1e-9)


def test_rows_on_a_line_have_rank_one():
    Z = np.outer(np.arange(50.0), [1, 2, -3]) + 5.0
    assert effective_rank(Z) == pytest.approx(1, abs=1e-6)
    # without centering, the way to the origin is a direction of its own
    assert effective_rank(Z, center=False) > 1.05


@pytest.mark.parametrize("value", [0.0, 1.0, 1e6])
def test_a_constant_embedding_has_rank_zero(value):
    assert effective_rank(np.full((20, 3), value)) == 0
    assert effective_rank(np.full((20, 3), 0.1 * value, dtype=np.float32)) == 0
    # the mean of many rows is off by rounding, and is none of their values
    assert effective_rank(np.full((100_000, 3), 0.1 * value)) == 0


def test_the_formula_of_the_paper():
    Z = np.random.default_rng(1).normal(size=(300, 6)) * [5, 3, 2, 1, 0.5, 0.1] + 1
    assert effective_rank(Z, center=False) == pytest.approx(rank_of_the_paper(Z), rel=1e-5)
    centered = Z - Z.mean(axis=0)
    assert effective_rank(Z) == pytest.approx(rank_of_the_paper(centered), rel=1e-5)


def test_it_does_not_depend_on_units_axes_or_origin():
    rng = np.random.default_rng(2)
    Z = rng.normal(size=(200, 4)) * [4, 2, 1, 0.3]
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    rank = effective_rank(Z)
    for unit in (1e-300, 1e-200, 1e-17, 1e-3, 1e200, 1e307):
        assert effective_rank(unit * Z) == pytest.approx(rank, rel=1e-9)
    assert effective_rank(Z @ turn) == pytest.approx(rank, rel=1e-9)
    assert effective_rank(Z + 100) == pytest.approx(rank, rel=1e-9)
    assert isinstance(rank, float)


def test_fewer_rows_than_components():
    assert effective_rank(np.random.default_rng(3).normal(size=(4, 10))) <= 3 + 1e-9


@pytest.mark.parametrize("bad", [[[1.0, np.nan]], [1.0, 2.0], np.empty((0, 3))])
def test_bad_input(bad):
    with pytest.raises(ValueError, match=r"Z|2D array|minimum"):
        effective_rank(bad)


# ------------------------------------------------------------------------------- collapse

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
Z = PCA(4).fit_transform(X)


def in_use(*shares, n=300):
    """Make an embedding of uncorrelated components with these standard deviations."""
    return np.sqrt(n) * orthonormal(n, len(shares)) * shares


@pytest.mark.parametrize("value", [0.0, 0.1, -1e3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3])
def test_constant_components_have_collapsed(value, dtype, k):
    constant = np.full((300, k), value, dtype=dtype)
    constant[::3] += np.spacing(constant[::3]) * (value != 0)  # the last digit is noise
    for data in (X, None):
        trouble = describe_collapse(constant, data)
        assert trouble.startswith(f"all {k} components are constant (no standard dev")
        assert "smaller learning_rate" in trouble
    # unless the data are
    for data in (np.full((300, 6), 0.1), np.where(X > 0, np.nan, 0.1), np.full((300, 6), np.nan)):
        assert describe_collapse(constant, data) is None


def test_what_varies_about_a_large_mean_is_not_constant():
    assert describe_collapse(Z + 1e6, X) is None


@pytest.mark.parametrize(
    ("share", "share_of_pca", "collapsed"),
    [(0.9e-4, 1.1e-3, True), (1.1e-4, 1.1e-3, False), (0.9e-4, 0.9e-3, False), (0, 0, False)],
)
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_a_component_is_dead_where_that_of_pca_is_not(share, share_of_pca, collapsed, order):
    data = in_use(1, 1, share_of_pca)
    trouble = describe_collapse(in_use(1, 1, share)[:, order], data)
    if collapsed:
        assert trouble == (
            "1 of 3 components hardly vary (the smallest has 9.0e-05 of the largest one's "
            "standard deviation), where those of PCA on the same rows do. Try fewer components, "
            "or a smaller learning_rate."
        )
    else:
        assert trouble is None


def test_components_beyond_the_data_may_be_dead():
    assert describe_collapse(in_use(1, 1, 1, 0, 0), in_use(1, 1, 1)) is None


def test_without_numbers_only_the_plain_limit_applies():
    assert describe_collapse(in_use(1, 1, 1.1e-4)) is None
    trouble = describe_collapse(in_use(1, 1, 0.9e-4))
    assert trouble.startswith("1 of 3 components hardly vary (the smallest has 9.0e-05 of the ")
    assert "PCA" not in trouble and trouble.endswith(
        "deviation). Try fewer components, or a smaller learning_rate."
    )
    # nor by rank
    narrow = in_use(1, *[1e-3] * 11)
    assert describe_collapse(narrow) is None
    assert "effective rank" in describe_collapse(narrow, in_use(*[1] * 12))


def test_the_rank_is_judged_by_a_quarter_of_that_of_pca():
    even = in_use(*[1] * 8)
    few, fewer = in_use(1, 1, *[0.01] * 6), in_use(1, *[0.01] * 7)
    assert effective_rank(few) > 2 > effective_rank(fewer)
    assert describe_collapse(few, even) is None
    assert describe_collapse(fewer, even) == (
        f"its effective rank is {effective_rank(fewer):.1f} with 8 components, where that of PCA "
        "on the same rows is 8.0. Try a smaller learning_rate or a simpler architecture; a "
        "StandardScaler in front if features differ in scale."
    )
    # data of few directions ask for few, and as many as there are components are enough
    assert describe_collapse(fewer, in_use(1, *[0.1] * 7)) is None
    assert describe_collapse(fewer[:, :4], even) is None
    assert describe_collapse(even[:, :1], even) is None


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e155, 1e300])
def test_collapse_does_not_depend_on_units(unit):
    assert describe_collapse(unit * Z, X) is describe_collapse(Z, unit * X) is None
    dead = in_use(1, 1, 0.9e-4)
    assert describe_collapse(unit * dead, unit * X) == describe_collapse(dead, X) is not None


def test_collapse_is_judged_by_100_rows_at_least_and_some_of_many():
    constant = np.ones((5000, 2))
    assert describe_collapse(constant[:99], X[:99]) is describe_collapse(constant[:99]) is None
    assert describe_collapse(constant[:100], X[:100])
    assert [rows_for_collapse(n) for n in (20, 500, 5000)] == [20, 500, 1000]
    # evenly spread: only the first rows are all the same
    constant[1000:] = RNG.normal(size=(4000, 2))
    assert describe_collapse(constant) is None
