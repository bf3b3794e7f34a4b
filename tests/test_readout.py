"""Moments, principal axes and the readout, against numpy and scikit-learn's PCA."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import torch
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skrepr import _closed_form
from skrepr._closed_form import (
    Moments,
    Readout,
    blocks,
    column_statistics,
    largest_sign,
    principal_axes,
)
from skrepr._rows import Rows, SparseRows

CPU = torch.device("cpu")
SPLITS = [[200], [1, 199], [199, 1], [50, 3, 140, 7], [1] * 200]


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


# ------------------------------------------------------------------------- moments


@pytest.mark.parametrize("sizes", SPLITS, ids=["whole", "1+199", "199+1", "uneven", "single"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_do_not_depend_on_the_blocks(sizes, offset):
    # columns whose spread is lost if squares are summed around zero
    X = some_rows() * np.float32(50) + np.float32(offset)
    moments = Moments(6)
    for block in torch.from_numpy(X).split(sizes):
        assert moments.add(block) is moments
    exact = X.astype(np.float64)
    assert moments.count == 200
    assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-12, atol=1e-12)
    assert_allclose(moments.covariance, np.cov(exact.T, ddof=0), rtol=1e-7, atol=1e-7)


def test_missing_values_count_as_the_mean_in_moments():
    X = with_holes(some_rows())
    filled = np.where(np.isnan(X), np.nanmean(X, axis=0), X).astype(np.float64)
    moments = Moments(6).add(torch.from_numpy(X))
    assert_allclose(moments.mean, filled.mean(axis=0), rtol=1e-6)
    assert_allclose(moments.covariance, np.cov(filled.T, ddof=0), rtol=1e-5, atol=1e-6)


def test_a_column_missing_from_a_block_keeps_its_mean():
    X = some_rows()
    moments = Moments(6).add(torch.from_numpy(X))
    mean = moments.mean.clone()
    hole = torch.from_numpy(some_rows(seed=1))
    hole[:, 2] = torch.nan
    moments.add(hole)
    assert_allclose(moments.mean[2], mean[2], rtol=1e-12)
    assert not torch.isclose(moments.mean[1], mean[1])
    assert moments.covariance.isfinite().all()


def test_moments_do_not_change_the_block_or_keep_its_graph():
    block = torch.from_numpy(with_holes(some_rows())).requires_grad_()
    before = block.detach().clone()
    moments = Moments(6).add(block)
    assert torch.equal(block.detach().nan_to_num(9.0), before.nan_to_num(9.0))
    assert not moments.scatter.requires_grad


# ----------------------------------------------------------------- what begins a fit


def test_blocks_are_the_rows_in_order(monkeypatch):
    monkeypatch.setattr(_closed_form, "_BLOCK_VALUES", 60)
    X = some_rows(n=33).reshape(33, 2, 3)
    parts = list(blocks(as_rows(X)))
    assert [len(part) for part in parts] == [10, 10, 10, 3]
    assert np.array_equal(torch.cat(parts).numpy(), X.reshape(33, 6))


@pytest.mark.parametrize("block_values", [6, 60, 2**22])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_column_statistics_are_those_of_the_observed_values(monkeypatch, block_values, offset):
    monkeypatch.setattr(_closed_form, "_BLOCK_VALUES", block_values)
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
    monkeypatch.setattr(_closed_form, "_BLOCK_VALUES", block_values)
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
    monkeypatch.setattr(_closed_form, "_WIDEST_COVARIANCE", 8)
    X = some_rows(n=n, width=20)
    assert_axes_of(X, principal_axes(as_rows(X), 3), atol=1e-4)
    holes = with_holes(X)
    filled = np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes)
    assert_axes_of(filled, principal_axes(as_rows(holes), 1), atol=1e-2)


@pytest.mark.parametrize("widest", [8, 4096])
def test_principal_axes_of_sparse_data(monkeypatch, widest):
    monkeypatch.setattr(_closed_form, "_WIDEST_COVARIANCE", widest)
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


def test_largest_sign():
    axes = torch.tensor([[1.0, -3.0, 2.0], [0.5, 0.1, -0.2], [0.0, 0.0, 0.0]])
    assert torch.equal(largest_sign(axes), torch.tensor([[-1.0], [1.0], [1.0]]))
    assert largest_sign(torch.empty(0, 3)).shape == (0, 1)


# ------------------------------------------------------------------------- readout


def fitted(H, n_components, **kwargs):
    H = torch.from_numpy(H)
    readout = Readout(H.shape[1], n_components)
    return readout.fit(Moments(H.shape[1]).add(H), **kwargs), H


def some_metric(width=6, rank=None, seed=3):
    J = np.random.default_rng(seed).normal(size=(rank or 2 * width, width))
    return torch.from_numpy(J.T @ J)


def test_readout_begins_as_the_identity():
    H = torch.from_numpy(some_rows())
    readout = Readout(6, 6)
    assert readout.is_square
    assert torch.equal(readout(H), H)
    assert torch.equal(readout.undo(H), H)
    wide = Readout(6, 2)
    assert not wide.is_square
    assert torch.equal(wide(H), H[:, :2])


@pytest.mark.parametrize("n_components", [1, 2, 5, 6])
def test_readout_is_pca(n_components):
    H = some_rows()
    readout, features = fitted(H, n_components)
    expected = PCA(n_components, svd_solver="full").fit_transform(H.astype(np.float64))
    assert_allclose(readout(features), expected, atol=1e-5)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("with_metric", [False, True])
def test_components_are_centred_uncorrelated_and_sorted(whiten, with_metric):
    readout, H = fitted(
        some_rows(), 6, whiten=whiten, metric=some_metric() if with_metric else None
    )
    Z = readout(H).double().numpy()
    assert_allclose(Z.mean(axis=0), 0, atol=1e-5)
    covariance = np.cov(Z.T, ddof=0)
    variance = np.diag(covariance)
    assert_allclose(covariance, np.diag(variance), atol=1e-4 * variance[0])
    if whiten:
        assert_allclose(variance, 1, rtol=1e-3)
    else:
        assert (np.diff(variance) < 0).all()
        assert variance[0] > 2 * variance[-1]


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("metric", [None, some_metric(), some_metric(rank=3)])
def test_undo_is_the_exact_inverse_of_a_square_readout(whiten, metric):
    H = some_rows()
    H[:, 5] = 2.0  # a unit that does not vary
    readout, features = fitted(H, 6, whiten=whiten, metric=metric)
    assert_allclose(readout.undo(readout(features)), H, atol=2e-3)


def test_undo_of_a_wide_readout_is_that_of_pca():
    H = some_rows()
    readout, features = fitted(H, 2)
    pca = PCA(2).fit(H)
    assert_allclose(
        readout.undo(readout(features)), pca.inverse_transform(pca.transform(H)), atol=1e-5
    )


@pytest.mark.parametrize("n_components", [2, 6])
def test_a_metric_gives_pca_of_the_features_as_it_measures_them(n_components):
    H, metric = some_rows(), some_metric()
    readout, features = fitted(H, n_components, metric=metric)
    measured = H.astype(np.float64) @ scipy.linalg.sqrtm(metric.numpy())
    expected = PCA(n_components, svd_solver="full").fit_transform(measured)
    Z = readout(features).double().numpy()
    # signs are free: compare inner products
    assert_allclose(Z @ Z.T, expected @ expected.T, atol=1e-3)


def test_a_metric_makes_distances():
    H, metric = some_rows(), some_metric()
    readout, features = fitted(H, 6, metric=metric)
    Z = readout(features).double()
    step = (features[:50] - features[50:100]).double()
    expected = torch.einsum("nk,kl,nl->n", step, metric, step)
    assert_allclose((Z[:50] - Z[50:100]).square().sum(1), expected, rtol=1e-4)


def test_signs_follow_the_loadings():
    loadings = torch.from_numpy(np.random.default_rng(5).normal(size=(9, 6)))
    plain, _ = fitted(some_rows(), 6)
    for sign in (1, -1):
        readout, _ = fitted(some_rows(), 6, loadings=sign * loadings)
        seen = sign * loadings.numpy() @ readout.inverse.double().numpy()
        assert (seen[np.abs(seen).argmax(axis=0), np.arange(6)] > 0).all()
        assert_allclose(readout.matrix.abs(), plain.matrix.abs(), atol=1e-6)


def test_whitening_leaves_a_component_without_variance_alone():
    H = some_rows()
    H[:, 5] = 0
    readout, features = fitted(H, 6, whiten=True)
    Z = readout(features)
    assert_allclose(Z[:, :5].var(0, correction=0), 1, rtol=1e-3)
    assert_allclose(Z[:, 5], 0, atol=1e-5)


def test_chunks_of_a_stream_give_pca_of_all_rows():
    H = some_rows()
    readout, moments = Readout(6, 2), Moments(6)
    for chunk in torch.from_numpy(H).split(30):
        readout.fit(moments.add(chunk))
    expected = PCA(2).fit_transform(H.astype(np.float64))
    assert_allclose(readout(torch.from_numpy(H)), expected, atol=1e-5)


@pytest.mark.parametrize("follows_a_stream", [False, True])
def test_readout_is_its_state(follows_a_stream):
    H = torch.from_numpy(some_rows())
    moments = Moments(6).add(H)
    readout = Readout(6, 2).fit(moments)
    if follows_a_stream:
        readout.moments = moments
    copy = Readout.from_state(readout.state_dict())
    assert torch.equal(copy(H), readout(H))
    assert torch.equal(copy.undo(H[:, :2]), readout.undo(H[:, :2]))
    assert (copy.moments is not None) == follows_a_stream
    if follows_a_stream:
        more = torch.from_numpy(some_rows(seed=1))
        for one in (readout, copy):
            one.fit(one.moments.add(more))
        assert torch.equal(copy.matrix, readout.matrix)
