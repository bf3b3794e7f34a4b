"""Laws of the autoencoder."""

import math

import numpy as np
import pytest
import scipy.sparse
import torch
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits, make_low_rank_matrix
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skrepr import AutoencoderEmbedding, _rows
from skrepr._autoencoder import _Autoencoder
from skrepr._start import Units
from skrepr.architectures import MLP, ConvNet, Linear
from skrepr.augmentations import (
    FeatureDropout,
    FeatureSwap,
    GaussianNoise,
    SaltAndPepper,
    make_view,
)


@pytest.fixture(scope="module")
def digits():
    return StandardScaler().fit_transform(load_digits().data).astype(np.float32)


@pytest.fixture(scope="module")
def curve():
    """Rows on a curved surface: 2 numbers decide 8."""
    u = np.random.default_rng(0).uniform(-1, 1, size=(600, 2))
    columns = [u[:, 0], u[:, 1], u[:, 0] ** 2, u[:, 1] ** 2, u.prod(1), np.sin(3 * u[:, 0])]
    X = np.stack([*columns, np.cos(3 * u[:, 1]), u.sum(1)], axis=1)
    return X.astype(np.float32)


def small(n_components=2, **parameters):
    settings = {"architecture": MLP((16,)), "max_epochs": 5, "random_state": 0}
    return AutoencoderEmbedding(n_components, **settings | parameters)


def pca_error(X, X_new, n_components):
    pca = PCA(n_components).fit(X)
    return np.mean((X_new - pca.inverse_transform(pca.transform(X_new))) ** 2)


# ------------------------------------------------------------------------ PCA


@pytest.mark.parametrize("start", ["pca", "random"])
def test_linear_autoencoder_reaches_the_error_of_pca(digits, start):
    epochs = 2 if start == "pca" else 100
    embedding = small(
        8,
        architecture=Linear(start),
        max_epochs=epochs,
        batch_size=200,
        learning_rate=1e-2,
        early_stopping=False,
    ).fit(digits)
    assert -embedding.score(digits) <= 1.01 * pca_error(digits, digits, 8)


@pytest.mark.parametrize("start", ["pca", "random"])
def test_linear_autoencoder_spans_the_subspace_of_pca(start):
    rng = np.random.default_rng(0)
    deviation = np.array([5.0, 4.0, 3.0, *[0.3] * 9])
    axes = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    X = rng.normal(size=(1000, 12)) * deviation @ axes.T + 7
    embedding = small(
        3,
        architecture=Linear(start),
        max_epochs=5 if start == "pca" else 200,
        learning_rate=1e-4 if start == "pca" else 3e-3,
        early_stopping=False,
    ).fit(X)
    rebuilt = embedding.reconstruct(X)
    spanned = np.linalg.svd(rebuilt - rebuilt.mean(0), full_matrices=False)[2][:3]
    angle = subspace_angles(spanned.T, PCA(3).fit(X).components_.T).max()
    assert np.degrees(angle) < 1


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6])
def test_linear_autoencoder_reads_like_pca(digits, scale):
    X = scale * (digits + 3)
    embedding = small(4, architecture=Linear(), learning_rate=1e-9, early_stopping=False).fit(X)
    pca = PCA(4).fit(X)
    tolerance = 2e-2 * scale
    np.testing.assert_allclose(embedding.transform(X), pca.transform(X), atol=tolerance)
    np.testing.assert_allclose(
        embedding.explained_variance_ratio_, pca.explained_variance_ratio_, atol=0.01
    )


def test_start_is_pca_and_training_only_adds(digits, curve):
    for X in (digits, curve):
        train, test = X[::2], X[1::2]
        start = small(4, learning_rate=1e-12).fit(train)
        trained = small(4, max_epochs=60).fit(train)
        bar = pca_error(train, test, 4)
        assert -start.score(test) <= 1.02 * bar
        assert -trained.score(test) < 0.9 * bar


def test_axes_are_principal_axes(digits):
    embedding = small(6, max_epochs=20, early_stopping=False).fit(digits)
    Z = embedding.transform(digits).astype(float)
    covariance = np.cov(Z.T)
    deviation = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(Z.mean(0), 0, atol=1e-4 * deviation[0])
    np.testing.assert_allclose(covariance / np.outer(deviation, deviation), np.eye(6), atol=1e-3)
    assert (np.diff(deviation) <= 0).all()
    again = small(6, max_epochs=20, early_stopping=False).fit(digits)
    np.testing.assert_array_equal(again.transform(digits), embedding.transform(digits))


def test_readout_leaves_the_reconstruction_alone(digits):
    embedding = small(6, whiten=True).fit(digits)
    direct = embedding.module_.decode(embedding.module_.encode(torch.from_numpy(digits)))
    np.testing.assert_allclose(embedding.reconstruct(digits), direct.detach(), atol=1e-6)
    np.testing.assert_allclose(
        embedding.inverse_transform(embedding.transform(digits)), direct.detach(), atol=1e-4
    )


def test_whiten_gives_unit_variance(digits):
    Z = small(6, whiten=True, early_stopping=False).fit_transform(digits)
    np.testing.assert_allclose(np.cov(Z.T), np.eye(6), atol=2e-3)


def test_units_of_X_do_not_matter(digits):
    plain = small(4).fit(digits).transform(digits)
    np.testing.assert_allclose(
        small(4).fit(1024 * digits).transform(1024 * digits) / 1024, plain, atol=1e-3
    )
    moved = digits + 50
    difference = small(4).fit(moved).transform(moved) - plain
    assert np.abs(difference).mean() < 0.02 * plain.std()


def test_partial_fit_keeps_the_axes_of_the_network(digits):
    embedding = small(4).partial_fit(digits[:300]).partial_fit(digits[300:600])
    code = embedding.module_.encode(torch.from_numpy(digits))
    np.testing.assert_allclose(embedding.transform(digits), code.detach(), atol=1e-6)
    assert not hasattr(embedding, "explained_variance_ratio_")


# --------------------------------------------------------------------- losses


@pytest.mark.parametrize("loss", ["squared_error", "huber", "binary_cross_entropy"])
def test_score_is_the_squared_error_whatever_the_loss(digits, loss):
    X = (digits > 0).astype(np.float32)
    embedding = small(4, loss=loss).fit(X)
    error = np.mean((X - embedding.reconstruct(X)) ** 2)
    assert embedding.score(X) == pytest.approx(-error, rel=1e-4)
    assert embedding.score_samples(X).mean() == pytest.approx(-error, rel=1e-4)
    assert error < 0.9 * X.var(axis=0).mean()
    if loss == "binary_cross_entropy":
        rebuilt = embedding.reconstruct(X)
        assert rebuilt.min() >= 0 and rebuilt.max() <= 1


def test_losses_are_those_of_the_formulas():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(size=(7, 3)))
    for loss, formula in {
        "squared_error": lambda e, o: (e**2).mean(),
        "huber": lambda e, o: torch.where(e.abs() <= 1, e**2 / 2, e.abs() - 0.5).mean(),
        "binary_cross_entropy": lambda e, o: (
            -(x * o.sigmoid().log() + (1 - x) * (1 - o.sigmoid()).log()).mean()
        ),
    }.items():
        module = _Autoencoder(nn.Linear(3, 2), nn.Linear(2, 3), 2, Units((3,)), loss=loss).double()
        output = module.decoder(module.encoder(4 * x if loss == "huber" else x))
        target = 4 * x if loss == "huber" else x
        expected = formula(output - target, output)
        torch.testing.assert_close(module(target), expected, rtol=1e-6, atol=0)


def test_huber_resists_outliers(curve):
    X = curve.copy()
    X[::20] += 100
    clean = np.delete(np.arange(len(X)), np.s_[::20])
    parameters = {"max_epochs": 30, "architecture": MLP((16,), linear_path="random")}
    errors = [
        -small(2, loss=loss, **parameters).fit(X).score(X[clean])
        for loss in ("huber", "squared_error")
    ]
    assert errors[0] < errors[1]


def test_binary_start_is_near_the_linear_one(digits):
    X = (digits > 0).astype(np.float32)
    started = small(8, loss="binary_cross_entropy", learning_rate=1e-12).fit(X)
    assert -started.score(X) < 0.8 * X.var(axis=0).mean()


# ------------------------------------------------------------- missing values


def test_missing_values_are_left_out(curve):
    holes = np.random.default_rng(1).uniform(size=curve.shape) < 0.1
    X = np.where(holes, np.nan, curve)
    embedding = small(2, missing="mask", max_epochs=40).fit(X)
    error = (curve - embedding.reconstruct(X)) ** 2
    assert embedding.score(X) == pytest.approx(-error[~holes].mean(), rel=1e-4)
    guess = ((curve - np.nanmean(X, axis=0)) ** 2)[holes].mean()
    assert error[holes].mean() < 0.5 * guess


def test_a_row_without_values_is_an_average_row(curve):
    X = np.vstack([curve, np.full((1, 8), np.nan, dtype=np.float32)])
    embedding = small(2, missing="mask").fit(X)
    assert np.isfinite(embedding.transform(X)).all()
    assert embedding.score_samples(X)[-1] == pytest.approx(-embedding.reconstruction_error_)


def test_loss_of_missing_values_is_zero():
    module = _Autoencoder(nn.Linear(4, 2), nn.Linear(2, 4), 2, Units((4,), missing=True))
    x = torch.randn(6, 4)
    x[0, 1] = x[3, 2] = torch.nan
    seen = ~x.isnan()
    filled = x.nan_to_num()
    output = module.decoder(module.encoder(filled))
    expected = ((output - filled) ** 2)[seen].mean()
    torch.testing.assert_close(module(x), expected)


# -------------------------------------------------------------------- modules


class Body(nn.Module):
    """An encoder of a user's own."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU())

    def forward(self, x):
        return self.layers(x)


def test_module_as_encoder_is_trained_or_frozen(curve):
    body = Body()
    before = {name: value.clone() for name, value in body.state_dict().items()}
    for trainable in (True, False):
        embedding = small(2, architecture=body, decoder=MLP((16,)), trainable=trainable).fit(curve)
        inner = embedding.module_.encoder.module.state_dict()
        same = all(torch.equal(inner[name], before[name]) for name in before)
        assert same is not trainable
    assert all(torch.equal(body.state_dict()[name], before[name]) for name in before)


def test_module_sees_X_in_its_own_units(curve):
    seen = []

    class Witness(Body):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    X = 100 * curve + 1000
    small(2, architecture=Witness(), max_epochs=1).fit(X)
    assert max(float(batch.max()) for batch in seen[1:]) == pytest.approx(X.max(), rel=1e-4)


def test_module_as_decoder(curve):
    embedding = small(2, decoder=nn.Sequential(nn.Linear(2, 8))).fit(curve)
    assert embedding.reconstruct(curve).shape == curve.shape


def test_images_and_series_by_convolutions():
    X = load_digits().images[:, None].astype(np.float32)
    embedding = small(4, architecture=ConvNet((8, 16)), max_epochs=3).fit(X)
    assert embedding.transform(X).shape == (len(X), 4)
    assert embedding.reconstruct(X).shape == X.shape
    flat = small(4, architecture=ConvNet((8, 16)), max_epochs=3, input_shape=(1, 8, -1))
    flat.fit(X.reshape(len(X), -1))
    np.testing.assert_allclose(
        flat.transform(X.reshape(len(X), -1)), embedding.transform(X), atol=1e-3
    )
    assert flat.reconstruct(X.reshape(len(X), -1)).shape == (len(X), 64)


@pytest.mark.parametrize(
    "shape",
    [(1, 8, 8), (3, 33, 17), (1, 64, 65), (1, 256, 256), (1, 10), (2, 257), (1, 10_000)],
    ids=str,
)
def test_every_option_on_images_and_series(shape):
    X = np.random.default_rng(0).normal(size=(12, *shape)).astype(np.float32)
    X[np.random.default_rng(1).uniform(size=X.shape) < 0.05] = np.nan
    embedding = small(
        2,
        architecture=ConvNet((4, 8)),
        max_epochs=1,
        missing="mask",
        sparsity=1e-3,
        contraction=1e-3,
        corruption=[GaussianNoise(), FeatureDropout(), SaltAndPepper(), FeatureSwap()],
    ).fit(X)
    assert embedding.transform(X).shape == (12, 2)
    rebuilt = embedding.reconstruct(X)
    assert rebuilt.shape == X.shape and np.isfinite(rebuilt).all()
    assert {"train_reconstruction", "train_contraction", "train_sparsity"} <= set(
        embedding.history_
    )


def test_layers_of_convolutions_learn_more_than_pca():
    X = load_digits().images[:, None].astype(np.float32)
    settings = {"max_epochs": 20, "learning_rate": 3e-3}
    embedding = small(4, architecture=ConvNet((8, 16)), **settings).fit(X[:1000])
    flat = X.reshape(len(X), -1)
    assert -embedding.score(X[1000:]) < 0.9 * pca_error(flat[:1000], flat[1000:], 4)


# ------------------------------------------------- denoising, sparse, contractive


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("make_encoder", "shape"),
    [
        (lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)), (5,)),
        (lambda: MLP((7,), activation="tanh", normalization="batch").make_encoder((5,), 3), (5,)),
        (lambda: ConvNet((4,), activation="tanh").make_encoder((1, 9), 3), (1, 9)),
    ],
    ids=["plain", "batch normalization", "convolutions"],
)
def test_contraction_is_the_jacobian_by_finite_differences(make_encoder, shape, training):
    torch.manual_seed(0)
    encoder = make_encoder()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.5)  # branches begin at zero
    decoder = nn.Sequential(nn.Linear(3, math.prod(shape)), nn.Unflatten(1, shape))
    module = _Autoencoder(encoder, decoder, 3, Units(shape), contraction=1.0).double().train()
    x = torch.randn(9, *shape, dtype=torch.float64)
    module(x)  # running statistics that are not those of the start
    found = module.train(training)(x)["contraction"]
    module.eval()
    step = 1e-5
    columns = [
        (encoder(x + step * e) - encoder(x - step * e)) / (2 * step)
        for e in torch.eye(math.prod(shape), dtype=torch.float64).unflatten(1, shape)
    ]
    expected = torch.stack(columns).square().sum() / len(x)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_contraction_is_exact_where_that_is_cheap(digits):
    narrow = small(2, contraction=0.1, max_epochs=1).fit(digits)
    wide = small(65, contraction=0.1, max_epochs=1).fit(digits)
    assert (narrow.contraction_, wide.contraction_) == ("exact", "estimate")
    assert {"train_contraction", "valid_contraction"} <= set(wide.history_)


def test_contraction_flattens_the_encoder(curve):
    def slope(contraction):
        embedding = small(2, contraction=contraction, max_epochs=30).fit(curve)
        x = torch.from_numpy(curve)
        moved = embedding.module_.encode(x + 1e-2) - embedding.module_.encode(x)
        return float(moved.detach().square().mean())

    assert slope(1.0) < slope(0.1) < slope(0.0)


def test_sparsity_is_the_mean_over_rows_of_the_sum_of_sizes():
    module = _Autoencoder(nn.Linear(5, 3), nn.Linear(3, 5), 3, Units((5,)), sparsity=0.2)
    x = torch.randn(9, 5)
    sizes = [sum(abs(unit) for unit in row) for row in module.encode(x).tolist()]
    assert module(x)["sparsity"].item() == pytest.approx(0.2 * sum(sizes) / 9)


def test_without_options_the_loss_is_the_error_and_nothing_else():
    module = _Autoencoder(nn.Linear(5, 3), nn.Linear(3, 5), 3, Units((5,)))
    x = torch.randn(9, 5)
    assert torch.equal(module(x), nn.functional.mse_loss(module.decoder(module.encoder(x)), x))


def test_held_out_rows_are_corrupted_alike_in_every_epoch():
    module = _Autoencoder(
        nn.Linear(5, 3), nn.Linear(3, 5), 3, Units((5,)), corruption=[GaussianNoise(0.5)]
    )
    module.generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 5)
    assert module(x) != module(x)
    before = module.generator.get_state()
    module.eval()
    assert torch.equal(module(x), module(x))
    assert torch.equal(module.generator.get_state(), before)


def test_code_shrinks_as_sparsity_grows(digits):
    sizes = []
    for sparsity in (0.0, 0.01, 0.1):
        embedding = small(8, sparsity=sparsity, max_epochs=20).fit(digits)
        code = embedding.module_.encode(torch.from_numpy(digits))
        sizes.append(float(code.detach().abs().mean()))
    assert sizes[0] > sizes[1] > sizes[2]


def test_sparse_units_are_not_rotated(digits):
    embedding = small(4, sparsity=0.01).fit(digits)
    code = embedding.module_.encode(torch.from_numpy(digits)).detach()
    np.testing.assert_allclose(embedding.transform(digits), code, atol=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {"sparsity": 0.0, "contraction": 0.0},
        {"corruption": []},
        {"corruption": FeatureDropout(0.0)},
        {"corruption": [GaussianNoise(0.0), FeatureSwap(0.0), SaltAndPepper(0.0)]},
    ],
)
def test_options_at_zero_give_the_plain_autoencoder(curve, parameters):
    plain, other = small(2).fit(curve), small(2, **parameters).fit(curve)
    np.testing.assert_array_equal(plain.transform(curve), other.transform(curve))


@pytest.mark.parametrize("width", [2, 8])
def test_denoising_removes_unseen_noise_better_than_pca(curve, width):
    """Trained on noisy rows alone, judged against the clean signal.

    At full width nothing but the corruption keeps the network from handing on its input.
    """
    rng = np.random.default_rng(0)
    scale = curve.std(axis=0).mean()
    noisy = (curve + 0.4 * scale * rng.normal(size=curve.shape)).astype(np.float32)
    train, test = slice(0, 400), slice(400, None)

    def error(corruption):
        embedding = small(
            width, corruption=corruption, architecture=MLP((32,)), max_epochs=100
        ).fit(noisy[train])
        return np.mean((embedding.reconstruct(noisy[test]) - curve[test]) ** 2)

    pca = PCA(width).fit(noisy[train])
    by_pca = pca.inverse_transform(pca.transform(noisy[test]))
    denoising = error(GaussianNoise(0.3))
    assert denoising < 0.9 * np.mean((by_pca - curve[test]) ** 2)
    if width == 8:
        assert denoising < 0.9 * error(None)


def test_corruptions_of_a_list_compose(curve):
    def halve(x, generator):
        return x / 2

    def add_one(x, generator):
        return x + 1

    module = _Autoencoder(
        nn.Linear(8, 2), nn.Linear(2, 8), 2, Units((8,)), corruption=[halve, add_one]
    )
    module.generator = None
    x = torch.from_numpy(curve)
    torch.testing.assert_close(make_view(x, module.corruption, None), x / 2 + 1)
    rebuilt = module.decoder(module.encoder(x / 2 + 1))
    torch.testing.assert_close(module(x), (rebuilt - x).square().mean())


def test_a_grid_reaches_into_named_corruptions(curve):
    embedding = small(2, corruption=[("noise", GaussianNoise(0.1)), ("mask", FeatureDropout())])
    assert embedding.get_params()["corruption__noise__scale"] == 0.1
    embedding.set_params(corruption__noise__scale=0.5, corruption__mask=FeatureDropout(0.3))
    assert embedding.corruption[0][1].scale == 0.5
    assert embedding.corruption[1][1].rate == 0.3
    assert embedding.fit(curve).transform(curve).shape == (len(curve), 2)
    with pytest.raises(ValueError, match="Invalid parameter 'nose'"):
        embedding.set_params(corruption__nose__scale=0.5)


def test_wide_sparse_counts_are_never_made_dense(monkeypatch):
    X = scipy.sparse.random(300, 6000, density=0.005, format="csr", random_state=0)
    largest = 0
    toarray = type(X).toarray

    def watched(matrix, *args, **kwargs):
        nonlocal largest
        largest = max(largest, matrix.shape[0])
        return toarray(matrix, *args, **kwargs)

    monkeypatch.setattr(type(X), "toarray", watched)
    monkeypatch.setattr("skrepr._rows._kinds._SAMPLE_VALUES", 100 * 6000)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 100 * 6000)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 100 * 6000)
    embedding = small(4, max_epochs=2, batch_size=50).fit(X)
    assert embedding.transform(X).shape == (300, 4)
    assert largest == 100


def test_low_rank_data_with_more_components_than_rank():
    X = make_low_rank_matrix(200, 10, effective_rank=3, tail_strength=0.0, random_state=0)
    embedding = small(8, early_stopping=False).fit(X)
    assert np.isfinite(embedding.transform(X)).all()
    assert -embedding.score(X) < 1e-2 * X.var(axis=0).mean()


def test_wide_sparse_counts_with_missing_values():
    X = scipy.sparse.random(120, 1500, density=0.02, format="csr", random_state=0)
    X.data[:50] = np.nan
    embedding = small(3, missing="mask", max_epochs=1).fit(X)
    assert np.isfinite(embedding.transform(X)).all()
    dense = X.toarray()
    expected = np.where(np.isnan(dense), np.nanmean(dense, axis=0), dense)
    filled = _rows.SparseRows(X, (1500,), torch.device("cpu")).solver_input(0).toarray()
    np.testing.assert_allclose(filled, expected, atol=1e-6)


@pytest.mark.parametrize(
    "first",
    [{"architecture": MLP((64,))}, {"architecture": ConvNet((8, 16)), "input_shape": (1, 8, 8)}],
    ids=["dense", "convolutional"],
)
def test_layers_are_trained_one_after_the_other_in_a_pipeline(first):
    X = load_digits().data.astype(np.float32)
    settings = {"corruption": GaussianNoise(0.3), "max_epochs": 20, "learning_rate": 3e-3}
    stack = make_pipeline(
        small(16, **settings, **first),
        small(4, **settings, architecture=MLP((32,))),
    ).fit(X[:1000])
    rebuilt = stack.inverse_transform(stack.transform(X[1000:]))
    assert np.mean((rebuilt - X[1000:]) ** 2) < 0.95 * pca_error(X[:1000], X[1000:], 4)
