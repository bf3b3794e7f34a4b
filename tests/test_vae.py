"""Laws of the variational autoencoder as an estimator."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from small_vaes import DIGITS, IRIS, linear, make

from skrepr import RepresentationCollapseWarning, load, save
from skrepr.architectures import MLP
from skrepr.augmentations import FeatureDropout, GaussianNoise

RNG = np.random.default_rng(0)


def counts(n=200, d=6, seed=0):
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)) * 0.5 + rng.normal(size=d))
    return rng.poisson(rate * rng.uniform(1, 9, size=(n, 1))).astype(float)


# ------------------------------------------------------------------ probabilistic PCA


@pytest.mark.parametrize("n_components", [1, 3])
def test_the_linear_one_is_probabilistic_pca(n_components):
    X = np.tile(IRIS, (5, 1))  # PCA divides by one row less
    embedding = linear(n_components, n_score_samples=200).fit(X)
    pca = PCA(n_components).fit(X)
    assert_allclose(embedding.score_samples(IRIS), pca.score_samples(IRIS), atol=0.01 * 4)
    assert_allclose(embedding.score(IRIS), pca.score(IRIS), atol=0.05 * 4)
    assert_allclose(
        np.abs(embedding.components_ @ pca.components_.T), np.eye(n_components), atol=1e-3
    )
    assert_allclose(embedding.noise_**2, pca.noise_variance_, rtol=0.02)
    assert embedding.noise_at_floor_ == 0


def test_training_the_linear_one_stays_there():
    embedding = linear(2, learning_rate=1e-3, max_epochs=60, n_score_samples=200).fit(IRIS)
    pca = PCA(2).fit(IRIS)
    assert_allclose(embedding.score_samples(IRIS).mean(), pca.score(IRIS), atol=0.01 * 4)
    cosines = np.linalg.svd(embedding.components_ @ pca.components_.T)[1]
    assert_allclose(cosines, 1, atol=1e-3)


def test_training_adds_to_it_on_held_out_rows():
    train, test = DIGITS[:500], DIGITS[500:]
    varies = train.std(axis=0) > 0.5
    train, test = train[:, varies], test[:, varies]
    embedding = make(8, architecture=MLP((64,)), max_epochs=60, n_score_samples=50).fit(train)
    gain = embedding.score_samples(test) - PCA(8).fit(train).score_samples(test)
    assert np.median(gain) > 1  # 2.9 when this was written
    assert embedding.active_units_ == 8


@pytest.mark.parametrize("beta", [0.5, 1.5, 4.0, 20.0])
def test_a_dimension_collapses_when_beta_times_the_noise_exceeds_its_variance(beta):
    variance = np.array([9.0, 4.0, 2.0, 1.0, 0.4, 0.3])
    X = RNG.normal(size=(1000, 6))
    X = np.linalg.qr(X - X.mean(axis=0))[0] * np.sqrt(1000 * variance)
    settings = {"beta": beta, "learning_rate": 1e-3, "max_epochs": 40}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepresentationCollapseWarning)
        embedding = linear(4, **settings).fit(X)
    noise = float(embedding.noise_[0] ** 2)
    assert embedding.active_units_ == (variance[:4] > beta * noise).sum()
    expected = np.log(np.maximum(1, variance[:4] / (beta * noise))) / 2
    assert_allclose(np.sort(embedding.kl_per_component_)[::-1], expected, atol=0.03)


def test_raising_beta_lowers_the_divergence():
    sums = []
    for beta in (0.1, 1.0, 3.0):
        embedding = make(beta=beta, max_epochs=20, early_stopping=False).fit(IRIS)
        sums.append(embedding.kl_per_component_.sum())
    assert sums[0] > sums[1] > sums[2]


def test_a_random_start_has_no_solution_to_return_to():
    plain = make(architecture=MLP((8,), linear_path=None)).fit(IRIS)
    assert not plain.module_.start_is_solution
    assert make().fit(IRIS).module_.start_is_solution
    assert not make(prior="mixture").fit(IRIS).module_.start_is_solution


# ------------------------------------------------------------------ remedies


@pytest.mark.parametrize("seed", range(5))
def test_contrast_keeps_more_units_active_in_a_decoder_that_collapses(seed):
    active = []
    for weight in (0.0, 10.0):
        embedding = make(
            8,
            architecture=MLP((64,), linear_path=None),
            beta=8.0,
            contrastive_weight=weight,
            max_epochs=15,
            batch_size=50,
            early_stopping=False,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RepresentationCollapseWarning)
            active.append(embedding.fit(DIGITS).active_units_)
    assert active[1] > active[0]


def test_what_contrast_needs_is_in_the_history():
    history = make(contrastive_weight=2.0).fit(IRIS).history_
    terms = ["train_reconstruction", "train_divergence", "train_contrast"]
    assert_allclose(history[terms].sum(axis=1), history["train_loss"], rtol=1e-5)
    assert list(make(n_importance_samples=3).fit(IRIS).history_.filter(like="train")) == [
        "train_loss",
        "train_bound",
    ]


def test_views_are_those_of_the_user():
    default = make(contrastive_weight=1.0).fit(IRIS)
    (noise,) = default.augmentation_
    assert type(noise) is GaussianNoise and noise.scale == 0.2
    named = make(contrastive_weight=1.0, augmentation=[("mask", FeatureDropout(0.5))])
    assert named.get_params()["augmentation__mask__rate"] == 0.5
    named.fit(IRIS)
    assert type(named.augmentation_[0]) is FeatureDropout
    assert not np.array_equal(named.transform(IRIS), default.transform(IRIS))


def test_warm_up_lets_the_code_say_more_at_first():
    settings = {"architecture": MLP((8,), linear_path=None), "max_epochs": 6}
    plain, warm = (
        make(kl_warmup_epochs=n, **settings, early_stopping=False).fit(IRIS).history_
        for n in (0, 4)
    )
    assert warm["train_divergence"][0] < 0.3 * plain["train_divergence"][0]
    stream = make(kl_warmup_epochs=4, **settings).partial_fit(IRIS).history_
    other = make(kl_warmup_epochs=0, **settings).partial_fit(IRIS).history_
    assert stream["train_divergence"][0] == other["train_divergence"][0]


def test_free_bits_keep_units_in_use():
    settings = {"architecture": MLP((16,), linear_path=None), "beta": 6.0, "max_epochs": 30}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepresentationCollapseWarning)
        plain, free = (
            make(4, free_bits=bits, early_stopping=False, **settings).fit(DIGITS)
            for bits in (0.0, 0.3)
        )
    assert free.kl_per_component_.min() > 0.2 > plain.kl_per_component_.min()


def two_clusters(n=400):
    rng = np.random.default_rng(0)
    X = np.where(np.arange(n)[:, None] % 2, -4, 4) + rng.normal(size=(n, 2)) * 0.3
    return np.hstack([X, X @ [[1.0, 0.5], [-0.5, 1.0]] + 0.1 * rng.normal(size=(n, 2))])


def test_a_mixture_of_two_beats_the_normal_prior_on_two_clusters():
    X = two_clusters()
    scores, samples = [], {}
    for prior in ("normal", "mixture"):
        settings = {"max_epochs": 40, "batch_size": 50, "early_stopping": False}
        embedding = make(prior=prior, n_pseudo_inputs=2, n_score_samples=50, **settings)
        embedding.fit(X[:300])
        scores.append(np.median(embedding.score_samples(X[300:])))
        assert embedding.score(X[300:]) < embedding.score_samples(X[300:]).mean()
        samples[prior] = embedding.sample(1000, random_state=0)[:, 0]
    assert scores[1] > scores[0] + 1
    between = {prior: np.mean(np.abs(values) < 2) for prior, values in samples.items()}
    assert between["mixture"] < 0.02 < 0.2 < between["normal"]
    assert 0.4 < np.mean(samples["mixture"] > 0) < 0.6


# ------------------------------------------------------------------ other kinds of data

OTHER = {
    "bernoulli": (RNG.random((200, 6)) < RNG.random((200, 1))).astype(float),
    "poisson": counts(),
    "negative_binomial": counts(seed=1),
}


@pytest.fixture(params=OTHER, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(kind):
    return make(likelihood=kind).fit(OTHER[kind])


def test_fit_is_repeatable_and_changes_no_parameter(kind, fitted):
    X = OTHER[kind]
    other = clone(fitted)
    before = dict(other.get_params())
    copied = X.copy()
    assert_array_equal(other.fit(X).transform(X), fitted.transform(X))
    assert_array_equal(other.fit(X).transform(X), fitted.transform(X))
    assert other.get_params() == before
    assert_array_equal(X, copied)
    assert_array_equal(make(likelihood=kind).fit_transform(X), fitted.transform(X))


def test_answers_change_nothing(kind, fitted):
    X = OTHER[kind]
    before = dict(vars(fitted))
    for method in ("transform", "score_samples", "score", "reconstruct", "posterior"):
        first = getattr(fitted, method)(X)
        assert_array_equal(getattr(fitted, method)(X), first)
    assert all(vars(fitted)[name] is value for name, value in before.items())
    assert vars(fitted).keys() == before.keys()


def test_rows_depend_on_themselves_alone(kind, fitted):
    X = OTHER[kind]
    order = RNG.permutation(len(X))
    for method in ("transform", "score_samples", "reconstruct"):
        answer = getattr(fitted, method)
        expected = answer(X)
        assert_allclose(answer(X[order]), expected[order], rtol=1e-4, atol=1e-4)
        assert_allclose(answer(X[:7]), expected[:7], rtol=1e-4, atol=1e-4)


def test_copies_answer_alike_and_go_on(kind, fitted, tmp_path):
    X = OTHER[kind]
    save(fitted, tmp_path / "saved", resume=True)
    for twin in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "saved")):
        for method in ("transform", "score_samples", "posterior"):
            assert_array_equal(getattr(twin, method)(X), getattr(fitted, method)(X))
        again = clone(fitted).fit(X).partial_fit(X)
        assert_array_equal(twin.partial_fit(X).transform(X), again.transform(X))


def test_output_as_a_frame(kind, fitted):
    frame = clone(fitted).set_output(transform="pandas").fit_transform(OTHER[kind])
    assert list(frame.columns) == ["vaeembedding0", "vaeembedding1"]
    assert_array_equal(frame.to_numpy(), fitted.transform(OTHER[kind]))


@pytest.mark.parametrize("value", [-1.0, 0.5, 1.5])
def test_values_outside_the_support_are_refused(kind, value):
    X = OTHER[kind].copy()
    X[3, 2] = value
    if kind == "bernoulli" and value == 0.5:
        make(likelihood=kind).fit(X)
        return
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=f"likelihood='{kind}' needs .* Got.*{value:g}"):
            getattr(make(likelihood=kind), method)(X)


def test_missing_values_of_any_kind(kind):
    X = np.where(RNG.random((200, 6)) < 0.1, np.nan, OTHER[kind])
    embedding = make(likelihood=kind, missing="mask").fit(X)
    assert np.isfinite(embedding.score_samples(X)).all()
    filled = embedding.impute(X)
    assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)].astype(np.float32))
    assert (filled >= 0).all()


def test_training_explains_more_than_the_means_of_the_columns(kind):
    X = OTHER[kind]
    settings = {"max_epochs": 60, "early_stopping": False}
    start = make(likelihood=kind, max_epochs=1, learning_rate=1e-9, early_stopping=False).fit(X)
    assert make(likelihood=kind, **settings).fit(X).score(X) > start.score(X) + 0.05


def test_counts_are_rebuilt_with_the_total_of_their_row():
    X = counts(n=500)
    settings = {"max_epochs": 60, "early_stopping": False}
    embedding = make(likelihood="poisson", **settings).fit(X)
    rebuilt = embedding.reconstruct(X)
    assert_allclose(np.corrcoef(rebuilt.sum(axis=1), X.sum(axis=1))[0, 1], 1, atol=0.02)
    average = embedding.inverse_transform(embedding.transform(X))
    size = X.sum(axis=1, keepdims=True) / X.mean(axis=0).sum()
    assert_allclose(average * np.maximum(size, 1 / X.mean(axis=0).sum()), rebuilt, rtol=1e-2)
    deeper = embedding.transform(X * 10)
    assert np.abs(deeper - embedding.transform(X)).std() < 0.5 * embedding.transform(X).std()
    assert not hasattr(embedding, "noise_")


# ------------------------------------------------------------------ parameters and files


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"free_bits": 0.1, "n_importance_samples": 2}, "free_bits=0.1 needs"),
        ({"free_bits": 0.1, "prior": "mixture"}, "free_bits=0.1 needs"),
        ({"noise": "feature", "likelihood": "bernoulli"}, "noise='feature' is one of"),
    ],
)
def test_parameters_that_exclude_each_other(parameters, message):
    with pytest.raises(ValueError, match=message):
        make(**parameters).fit(np.clip(IRIS, 0, 1))


def test_a_class_is_no_augmentation():
    with pytest.raises(TypeError, match="must be an instance, such as GaussianNoise"):
        make(contrastive_weight=1.0, augmentation=GaussianNoise).fit(IRIS)


@pytest.mark.parametrize(
    "parameters",
    [
        {"noise": "feature", "whiten": True},
        {"prior": "mixture", "n_pseudo_inputs": 3},
        {"contrastive_weight": 1.0, "contrastive_momentum": 0.9},
        {"n_importance_samples": 20, "kl_warmup_epochs": 2},
        {"contrastive_weight": 1.0, "augmentation": [("mask", FeatureDropout(0.5))]},
        {"early_stopping": True},
    ],
    ids=str,
)
def test_every_configuration_comes_back_from_its_file(parameters, tmp_path):
    embedding = make(**parameters).fit(IRIS)
    save(embedding, tmp_path / "saved", resume=True)
    loaded = load(tmp_path / "saved")
    for method in ("transform", "score_samples", "score"):
        assert_array_equal(getattr(loaded, method)(IRIS), getattr(embedding, method)(IRIS))
    assert_array_equal(loaded.sample(3, random_state=0), embedding.sample(3, random_state=0))
    for name in ("kl_per_component_", "active_units_", "mutual_information_", "noise_"):
        assert_array_equal(getattr(loaded, name), getattr(embedding, name))
    assert_array_equal(
        loaded.partial_fit(IRIS).transform(IRIS), embedding.partial_fit(IRIS).transform(IRIS)
    )
