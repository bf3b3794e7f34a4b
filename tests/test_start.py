"""Statistics of columns, principal axes and the start at them, against numpy and PCA."""

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skrepr import _start
from skrepr._likelihoods import make_likelihood
from skrepr._rows import Rows, SparseRows
from skrepr._start import (
    Units,
    column_statistics,
    linear_start,
    principal_axes,
    start_at_probabilistic_pca,
    starts_at_probabilistic_pca,
    without_spare_units,
)
from skrepr.architectures import MLP

CPU = torch.device("cpu")


def some_rows(n=200, width=6, seed=0):
    """Draw rows with correlated columns, a clear spectrum, and a mean."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(width, width)))[0]
    latent = rng.normal(size=(n, width)) * 1.7 ** -np.arange(width)
    return (latent @ axes + rng.normal(size=width)).astype(np.float32)


def as_rows(X, sample_shape=None):
    if scipy.sparse.issparse(X):
        return SparseRows(X, X.shape[1:], CPU)
    return Rows(torch.from_numpy(X), sample_shape or X.shape[1:], CPU)


def with_holes(X, seed=0):
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < 0.2] = np.nan
    return X


@pytest.mark.parametrize("block_values", [6, 60, 2**22])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_column_statistics_are_those_of_the_observed_values(monkeypatch, block_values, offset):
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", block_values)
    X = with_holes(some_rows() * np.float32(50) + np.float32(offset))
    X[:, 4] = np.nan
    X[:60, 3] = np.nan  # whole blocks without a value
    mean, variance = column_statistics(as_rows(X))
    seen = [0, 1, 2, 3, 5]
    exact = X[:, seen].astype(np.float64)
    assert_allclose(mean[seen], np.nanmean(exact, axis=0), rtol=1e-12)
    assert_allclose(variance[seen], np.nanvar(exact, axis=0), rtol=1e-7)
    assert (mean[4], variance[4]) == (0, 0)


def assert_axes_of(X, found, atol):
    """Compare with PCA: axes with their signs, and deviations."""
    mean, axes, deviation = found
    pca = PCA(len(axes), svd_solver="full").fit(X.astype(np.float64))
    assert_allclose(mean, pca.mean_, atol=1e-5)
    assert_allclose(axes, pca.components_, atol=atol)
    spread = pca.transform(X.astype(np.float64)).std(axis=0)
    assert_allclose(deviation, spread, rtol=10 * atol)
    assert axes.dtype == deviation.dtype == torch.float32


@pytest.mark.parametrize("n_components", [1, 3, 6])
@pytest.mark.parametrize("block_values", [60, 2**22])
def test_principal_axes_are_those_of_pca(monkeypatch, n_components, block_values):
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", block_values)
    X = some_rows()
    found = principal_axes(as_rows(X, (2, 3)), n_components)
    assert len(found[1]) == n_components
    assert_axes_of(X, found, atol=1e-5)


def test_principal_axes_with_missing_values():
    X = with_holes(some_rows())
    filled = np.where(np.isnan(X), np.nanmean(X, axis=0), X)
    assert_axes_of(filled, principal_axes(as_rows(X), 3), atol=1e-4)


@pytest.mark.parametrize("n", [12, 200])
def test_principal_axes_of_wide_data(monkeypatch, n):
    monkeypatch.setattr(_start, "_WIDEST_COVARIANCE", 8)
    X = some_rows(n=n, width=20)
    assert_axes_of(X, principal_axes(as_rows(X), 3), atol=1e-4)
    holes = with_holes(X)
    filled = np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes)
    assert_axes_of(filled, principal_axes(as_rows(holes), 1), atol=1e-2)


@pytest.mark.parametrize("widest", [8, 4096])
def test_principal_axes_of_sparse_data(monkeypatch, widest):
    monkeypatch.setattr(_start, "_WIDEST_COVARIANCE", widest)
    dense = some_rows(width=20)
    dense[np.random.default_rng(1).random(dense.shape) < 0.5] = 0
    X = scipy.sparse.csr_array(dense)
    assert_axes_of(dense, principal_axes(as_rows(X), 3), atol=1e-4)


def test_principal_axes_stop_at_the_rank():
    X = some_rows()
    flat = np.hstack([X[:, :2], X[:, :2] @ np.ones((2, 4), dtype=np.float32)])
    _, axes, deviation = principal_axes(as_rows(flat), 6)
    assert len(axes) == len(deviation) == 2
    _, axes, _ = principal_axes(as_rows(np.ones((50, 3), dtype=np.float32)), 2)
    assert axes.shape == (0, 3)


def test_units_center_and_divide_by_one_number():
    X = some_rows() * np.float32(1e-3) + 5
    units = Units((6,)).fit(as_rows(X))
    seen = units(torch.from_numpy(X))
    assert_allclose(seen.mean(0), 0, atol=1e-3)
    assert seen.var(0, correction=0).mean() == pytest.approx(1, rel=1e-3)
    assert_allclose(units.undo(seen), X, rtol=1e-6)


def test_linear_start_is_pca_with_a_white_code():
    X = some_rows()
    rows = as_rows(X)
    units = Units((6,)).fit(rows)
    start = linear_start(rows, units, 3)
    inputs = units(torch.from_numpy(X))
    code = inputs @ start.to_code.T
    assert_allclose(np.cov(code.T, ddof=0), np.eye(3), atol=1e-4)
    pca = PCA(3).fit(X)
    rebuilt = units.undo(code @ start.from_code.T)
    assert_allclose(rebuilt, pca.inverse_transform(pca.transform(X)), atol=1e-4)
    for x, low, high in ((inputs, start.low, start.high), (code, start.low_code, start.high_code)):
        assert_allclose(x.amin(0), low, atol=1e-6)
        assert_allclose(x.amax(0), high, atol=1e-6)


def test_the_mean_is_computed_once(monkeypatch):
    """Rows may be in a file: each pass reads all of it."""
    n_passes, original = [], Rows.blocks
    monkeypatch.setattr(Rows, "blocks", lambda rows: n_passes.append(1) or original(rows))
    rows = as_rows(some_rows())
    start = linear_start(rows, Units((6,)).fit(rows), 3)
    assert len(n_passes) == 2 + 1 + 1  # mean, variance; covariance; ranges
    _, axes, deviation = principal_axes(rows, 3)
    assert len(n_passes) == 4 + 2 + 1
    scale = Units((6,)).fit(rows).scale
    assert torch.equal(start.to_code, axes * (scale / deviation)[:, None])


def test_spare_units_are_zero_and_pass_no_gradient():
    rows = as_rows(some_rows())
    start = without_spare_units(linear_start(rows, Units((6,)).fit(rows), 3), 5)
    assert start.to_code.shape == (5, 6) and start.from_code.shape == (6, 5)
    assert not start.to_code[3:].any() and not start.from_code[:, 3:].any()
    code = torch.zeros(1, 5, requires_grad=True)
    code.clamp(start.low_code, start.high_code).sum().backward()
    assert code.grad[0].tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1e18])
def test_wide_data_may_be_in_any_unit(unit):
    X = some_rows(n=30, width=1100) * np.float32(unit)
    _, axes, deviation = principal_axes(as_rows(X), 3)
    _, expected, of_plain = principal_axes(as_rows(some_rows(n=30, width=1100)), 3)
    assert_allclose(axes, expected, atol=1e-3)
    assert_allclose(deviation.double() / unit, of_plain, rtol=1e-3)


def variational(X, likelihood="gaussian", width=3, recipe=None):
    recipe = recipe or MLP((5,))
    units = Units(X.shape[1:])
    module = torch.nn.Module()
    module.width = width
    module.units = units.fit(as_rows(X))
    module.likelihood = make_likelihood(likelihood, units)
    module.encoder = recipe.make_encoder(X.shape[1:], 2 * width)
    module.decoder = recipe.make_decoder(width, X.shape[1:])
    return module.requires_grad_(False)


def jacobian(module):
    return torch.autograd.functional.jacobian(module.decoder, torch.zeros(1, module.width))[
        0, :, 0
    ]


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_the_posterior_at_the_start_is_that_of_the_curvature(likelihood, beta):
    X = some_rows()
    X = (X.mean(axis=0) < X).astype(np.float32) if likelihood == "bernoulli" else X
    module = variational(X, likelihood)
    start_at_probabilistic_pca(module, as_rows(X), beta)
    weight = jacobian(module).double()
    offset = module.decoder(torch.zeros(1, 3))
    if likelihood == "bernoulli":
        p = torch.from_numpy(X.mean(axis=0))
        assert_allclose(offset[0].sigmoid(), p, rtol=1e-4)
        curvature, slope = (p * (1 - p)).double(), module.units.scale.double()
    else:
        assert_allclose(offset, 0, atol=1e-6)
        curvature = (1 / module.likelihood.variance.double()).expand(6)
        slope = curvature
    precision = torch.eye(3) + weight.T @ (curvature[:, None] * weight) / beta
    assert_allclose(precision, precision.diag().diag(), atol=1e-3 * float(precision.max()))
    inputs = module.units(torch.from_numpy(X))
    mean, log_variance = module.encoder(inputs).chunk(2, 1)
    assert_allclose(log_variance.exp(), (1 / precision.diag()).expand(200, 3), rtol=1e-3)
    expected = inputs.double() * slope @ weight / beta / precision.diag()
    assert_allclose(mean, expected, atol=1e-3)


def test_spare_units_of_a_variational_start_are_at_the_prior():
    X = some_rows()
    flat = np.hstack([X[:, :2], X[:, :2] @ np.ones((2, 4), dtype=np.float32)])
    module = variational(flat, width=4)
    start_at_probabilistic_pca(module, as_rows(flat))
    mean, log_variance = module.encoder(module.units(torch.from_numpy(flat))).chunk(2, 1)
    assert not mean[:, 2:].any() and not log_variance[:, 2:].any()
    assert not jacobian(module)[:, 2:].any()


@pytest.mark.parametrize("lacks", ["path", "start"])
def test_what_has_no_linear_path_or_start_is_left_alone(lacks):
    X = some_rows()
    assert starts_at_probabilistic_pca(variational(X))
    module = variational(X, recipe=MLP((5,), linear_path="random" if lacks == "path" else "pca"))
    if lacks == "start":
        module.likelihood.has_linear_start = False
    before = {name: value.clone() for name, value in module.state_dict().items()}
    start_at_probabilistic_pca(module, as_rows(X))
    assert not starts_at_probabilistic_pca(module)
    assert all(before[name].equal(value) for name, value in module.state_dict().items())
