"""The readout: PCA of features, or of what is rebuilt from them."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances

from skrepr._readout import Moments, Readout

SPLITS = [[200], [1, 199], [199, 1], [50, 3, 140, 7], [1] * 200]


def some_rows(n=200, width=6, seed=0):
    """Draw rows with correlated columns, a clear spectrum, and a mean."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(width, width)))[0]
    latent = rng.normal(size=(n, width)) * 1.7 ** -np.arange(width)
    return (latent @ axes + rng.normal(size=width)).astype(np.float32)


def some_outputs(H, width=9, seed=3, bend=0.3):
    """Rebuild something from features, linearly and not."""
    slopes = np.random.default_rng(seed).normal(size=(H.shape[1], width))
    return (H @ slopes + bend * (H**2) @ slopes[:, ::-1] + 5).astype(np.float32)


def moments_of(H, R=None):
    block = H if R is None else np.hstack([H, R])
    return Moments(H.shape[1], block.shape[1] - H.shape[1]).add(torch.from_numpy(block))


def fitted(H, n_components=None, R=None, **options):
    readout = Readout(H.shape[1], n_components or H.shape[1])
    return readout, readout.fit(moments_of(H, R), **options)


def embed(readout, H):
    return readout(torch.from_numpy(H)).double().numpy()


# ------------------------------------------------------------------------- moments


@pytest.mark.parametrize("sizes", SPLITS, ids=["whole", "1+199", "199+1", "uneven", "single"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_do_not_depend_on_the_blocks(sizes, offset):
    # columns whose spread is lost if squares are summed around zero
    H = some_rows() * np.float32(50) + np.float32(offset)
    R = some_outputs(some_rows())
    moments = Moments(6, 9)
    for block in torch.from_numpy(np.hstack([H, R])).split(sizes):
        assert moments.add(block) is moments
    exact = np.hstack([H, R]).astype(np.float64)
    assert moments.count == 200
    assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-12, atol=1e-12)
    expected = np.cov(exact.T, ddof=0)[:6]
    assert_allclose(moments.covariance, expected, rtol=1e-7, atol=1e-7)


def test_moments_do_not_change_the_block_or_keep_its_graph():
    block = torch.from_numpy(some_rows()).requires_grad_()
    before = block.detach().clone()
    moments = Moments(6).add(block)
    assert torch.equal(block.detach(), before)
    assert not moments.scatter.requires_grad


# ------------------------------------------------------------------- of features alone


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
@pytest.mark.parametrize("whiten", [False, True])
def test_readout_of_features_is_pca(n_components, whiten):
    H = some_rows()
    readout, axes = fitted(H, n_components, whiten=whiten)
    pca = PCA(n_components, svd_solver="full", whiten=whiten).fit(H.astype(np.float64))
    n = len(H)
    scale = np.sqrt(n / (n - 1)) if whiten else 1.0  # PCA divides by n - 1
    assert_allclose(embed(readout, H), pca.transform(H) * scale, atol=1e-4)
    assert_allclose(axes.variance, pca.explained_variance_, rtol=1e-4)
    assert axes.components is None


def test_undo_of_a_wide_readout_is_that_of_pca():
    H = some_rows()
    readout, _ = fitted(H, 2)
    pca = PCA(2).fit(H)
    back = readout.undo(readout(torch.from_numpy(H)))
    assert_allclose(back, pca.inverse_transform(pca.transform(H)), atol=1e-5)


def test_few_axes_of_wide_features_are_those_of_all():
    H = some_rows(n=300, width=700)
    readout, axes = fitted(H, 4)
    pca = PCA(4, svd_solver="full").fit(H.astype(np.float64))
    assert_allclose(embed(readout, H), pca.transform(H), atol=1e-3)
    assert_allclose(axes.variance, pca.explained_variance_, rtol=1e-3)


@pytest.mark.parametrize("n_different", [1, 2, 4])
def test_few_axes_of_wide_features_that_hardly_vary(n_different):
    H = some_rows(n_different, 300)[np.arange(50) % n_different]
    readout = fitted(H, 10)[0]
    Z = embed(readout, H)
    assert_allclose(pairwise_distances(Z), pairwise_distances(H), atol=1e-4)
    assert not Z[:, n_different - 1 :].any()


def test_more_components_than_features():
    H = some_rows(200, 6)
    Z = embed(fitted(H, 9)[0], H)
    assert_allclose(Z[:, :6], embed(fitted(H, 6)[0], H), atol=1e-5)
    assert not Z[:, 6:].any()


# ------------------------------------------------------------------ of what is rebuilt


@pytest.mark.parametrize("bend", [0.0, 0.3])
def test_axes_are_those_of_the_best_linear_prediction(bend):
    H = some_rows()
    R = some_outputs(H, bend=bend)
    readout, axes = fitted(H, R=R)
    design = np.hstack([H, np.ones((len(H), 1))]).astype(np.float64)
    predicted = design @ np.linalg.lstsq(design, R.astype(np.float64))[0]
    pca = PCA(6, svd_solver="full").fit(predicted)
    Z = embed(readout, H)
    assert_allclose(Z, pca.transform(predicted), atol=2e-4)
    assert_allclose(np.abs(axes.components), np.abs(pca.components_), atol=1e-4)
    assert_allclose(axes.variance, pca.explained_variance_, rtol=1e-4)
    assert_allclose(axes.mean, R.mean(axis=0), rtol=1e-6)
    assert_allclose(Z @ axes.components + axes.mean, predicted, atol=1e-3)
    assert_allclose(axes.components @ axes.components.T, np.eye(6), atol=1e-6)
    largest = np.abs(axes.components).argmax(axis=1)
    assert (axes.components[np.arange(6), largest] > 0).all()
    if bend == 0:
        assert_allclose(predicted, R, atol=1e-4)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("outputs", [3, 9])
def test_undo_is_the_inverse_of_a_square_readout(whiten, outputs):
    H = some_rows()
    R = some_outputs(H)[:, :outputs]  # with 3, half of the directions are not seen in it
    readout, _ = fitted(H, R=R, whiten=whiten)
    back = readout.undo(readout(torch.from_numpy(H)))
    assert_allclose(back, H, atol=2e-3)


@pytest.mark.parametrize("whiten", [False, True])
def test_a_direction_without_variance_is_exactly_zero(whiten):
    H = some_rows()
    H[:, 5] = H[:, 0] + 2 * H[:, 1]  # but for rounding
    R = some_outputs(H)
    for readout, axes in (fitted(H, R=R, whiten=whiten), fitted(H, whiten=whiten)):
        Z = embed(readout, H)
        assert (Z[:, 5] == 0).all()
        assert axes.variance[5] == 0
        assert Z[:, :5].std(axis=0).min() > 1e-3
        if whiten:
            assert_allclose(Z[:, :5].std(axis=0), 1, rtol=1e-3)
        assert_allclose(readout.undo(readout(torch.from_numpy(H))), H, atol=2e-3)
        if axes.components is not None:
            assert_allclose(axes.components @ axes.components.T, np.eye(6), atol=1e-6)


def test_more_components_than_outputs():
    H = some_rows()
    R = some_outputs(H, width=2)
    readout, axes = fitted(H, R=R)
    assert axes.components.shape == (6, 2)
    assert_allclose(axes.components[:2] @ axes.components[:2].T, np.eye(2), atol=1e-6)
    assert not axes.components[2:].any()
    assert_allclose(embed(readout, H)[:, 2:].std(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize("constant", ["features", "outputs"])
def test_where_nothing_varies(constant):
    H, R = some_rows(), some_outputs(some_rows())
    (H if constant == "features" else R)[:] = 3
    readout, axes = fitted(H, R=R)
    Z = embed(readout, H)
    assert np.isfinite(Z).all()
    assert (Z == 0).all() == (constant == "features")
    assert axes.components.shape == (6, 9)
    assert_allclose(readout.undo(readout(torch.from_numpy(H))), H, atol=1e-3)


@pytest.mark.parametrize("unit", [1e-40, 1e-26, 1e20, 1e30])
def test_units_of_what_is_rebuilt_do_not_matter(unit):
    H = some_rows()
    R = some_outputs(H).astype(np.float64) * unit
    moments = Moments(6, 9).add(torch.from_numpy(np.hstack([H.astype(np.float64), R])))
    readout, plain = Readout(6, 6), Readout(6, 6)
    readout.fit(moments)
    plain.fit(moments_of(H, some_outputs(H)))
    h = torch.from_numpy(H)
    # 1e-40 is below what float32 holds to seven digits
    assert_allclose(readout(h).double() / unit, plain(h), rtol=1e-3, atol=1e-3)
    assert_allclose(readout.undo(readout(h)), H, atol=1e-2 if unit < 1e-37 else 1e-4)


# ----------------------------------------------------------------------- streams, state


def test_chunks_of_a_stream_give_pca_of_all_rows():
    H = some_rows()
    readout, moments = Readout(6, 2), Moments(6)
    for chunk in torch.from_numpy(H).split(30):
        readout.fit(moments.add(chunk))
    expected = PCA(2).fit_transform(H.astype(np.float64))
    assert_allclose(embed(readout, H), expected, atol=1e-5)


@pytest.mark.parametrize("follows_a_stream", [False, True])
def test_readout_is_its_state(follows_a_stream):
    H = torch.from_numpy(some_rows())
    moments = Moments(6).add(H)
    readout = Readout(6, 2)
    readout.fit(moments)
    if follows_a_stream:
        readout.moments = moments
    copy = Readout(6, 2)
    copy.make_room(readout.state_dict())
    copy.load_state_dict(readout.state_dict())
    assert torch.equal(copy(H), readout(H))
    assert torch.equal(copy.undo(H[:, :2]), readout.undo(H[:, :2]))
    assert (copy.moments is not None) == follows_a_stream
    if follows_a_stream:
        more = torch.from_numpy(some_rows(seed=1))
        for one in (readout, copy):
            one.fit(one.moments.add(more))
        assert torch.equal(copy.matrix, readout.matrix)


def test_moments_of_a_stream_stay_in_float64():
    readout = Readout(6, 2)
    readout.moments = Moments(6).add(torch.from_numpy(some_rows()))
    readout.to(torch.float16)
    assert readout.moments.scatter.dtype == torch.float64


def test_a_direction_is_left_out():
    readout = Readout(4, 4)
    direction = torch.tensor([0.6, 0, 0.8, 0], dtype=torch.float64)
    readout.leave_out(direction)
    H = torch.from_numpy(some_rows(20, 4))
    Z = readout(H)
    assert_allclose(Z @ direction.float(), np.zeros(20), atol=1e-6)
    assert_allclose(Z + torch.outer(H @ direction.float(), direction.float()), H, atol=1e-6)
    assert_allclose(readout.undo(Z), Z, atol=1e-6)
