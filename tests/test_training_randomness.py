"""The same random_state gives the same numbers, and the global generators stay as they were."""

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from torch import nn
from torch.nn import functional as F

from skrepr import AutoencoderEmbedding
from skrepr._training._randomness import (
    Randomness,
    borrowed_generator,
    carry_generator,
    draw_seed,
    draws_globally,
    reseed_global,
)
from skrepr.architectures import MLP
from skrepr.architectures._layers import Dropout
from skrepr.augmentations import GaussianNoise

N_FEATURES = 6
CPU = torch.device("cpu")


def table(n=70, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, N_FEATURES))).astype(np.float32)


def embedding(**parameters):
    settings = {"architecture": MLP((8,), dropout=0.3), "max_epochs": 3, "batch_size": 16}
    settings |= {"early_stopping": False, "random_state": 0, "device": "cpu"}
    return AutoencoderEmbedding(2, **settings | parameters)


def dropout_encoder():
    """Return a network of the user's that draws from torch's global generator."""
    encoder = nn.Sequential(nn.Linear(N_FEATURES, 8), nn.ReLU(), nn.Dropout(0.5))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape))
    return encoder


class NoisyAlways(nn.Module):
    """A network that draws outside training too."""

    def __init__(self):
        super().__init__()
        self.encoder = dropout_encoder()

    def forward(self, x):
        return F.dropout(self.encoder(x), 0.5, training=True)


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = dropout_encoder()

    def forward(self, x):
        h = self.encoder(x)
        if self.training:
            raise RuntimeError("out of memory")
        return h


def weights_of(estimator):
    return torch.cat(
        [value.flatten().double() for value in estimator.module_.state_dict().values()]
    )


class global_generators_stay:
    """A context that fails if numpy's or torch's global generator was moved."""

    def __enter__(self):
        np.random.seed(5)  # noqa: NPY002
        torch.manual_seed(5)
        self.numpy, self.torch = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002

    def __exit__(self, *error):
        for before, after in zip(self.numpy, np.random.get_state()):  # noqa: NPY002
            np.testing.assert_array_equal(before, after)
        assert torch.equal(self.torch, torch.get_rng_state())


def add_noise(module, inputs, output):
    return output + torch.randn_like(output) if module.training else output


def hooked_encoder():
    """Return a network whose layers draw nothing, with a hook that does."""
    encoder = dropout_encoder()[:2]
    encoder[0].register_forward_hook(add_noise)
    return encoder


ENCODERS = {
    "ours": lambda: MLP((8,), dropout=0.3),
    "torch dropout": dropout_encoder,
    "noise in transform": NoisyAlways,
    "hook": hooked_encoder,
}


class OwnNoise(BaseEstimator):
    """An augmentation of the user's that does not draw from what it is given."""

    def __call__(self, x, generator=None):
        return x + torch.randn_like(x)


def own_noise(x, generator=None):
    return x + torch.randn_like(x)


@pytest.mark.parametrize("corruption", [OwnNoise(), own_noise, [GaussianNoise(), OwnNoise()]])
def test_augmentations_that_draw_globally(corruption):
    X = table()
    estimator = embedding(corruption=corruption)
    with global_generators_stay():
        one = clone(estimator).fit(X)
    torch.rand(3)
    with global_generators_stay():
        fits = Parallel(n_jobs=4, prefer="threads")(
            delayed(clone(estimator).fit)(X) for _ in range(12)
        )
    assert [torch.equal(weights_of(fit), weights_of(one)) for fit in fits] == [True] * 12


@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize("name", ENCODERS)
def test_global_generators_stay(name, random_state):
    estimator = embedding(architecture=ENCODERS[name](), random_state=random_state)
    X = table()
    with global_generators_stay():
        estimator.fit(X)
    with global_generators_stay():
        estimator.partial_fit(X)
    with global_generators_stay():
        Z = estimator.transform(X)
        estimator.inverse_transform(Z)
        estimator.score_samples(X)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"architecture": Fails()}, "out of memory"),
        ({"learning_rate": 1e30, "optimizer": torch.optim.SGD}, "became NaN or infinite"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_global_generators_stay_after_an_error(changes, error):
    estimator = embedding(**changes)
    with global_generators_stay(), pytest.raises((RuntimeError, ValueError), match=error):
        estimator.fit(table())


def test_global_generators_stay_after_an_error_in_transform():
    estimator = embedding(architecture=NoisyAlways()).fit(table())
    estimator.module_.decoder = None
    with global_generators_stay(), pytest.raises(TypeError):
        estimator.reconstruct(table())


@pytest.mark.parametrize("name", ENCODERS)
def test_same_random_state_same_numbers(name):
    X = table()
    encoder = ENCODERS[name]()
    one = embedding(architecture=encoder).fit(X)
    torch.rand(3)
    two = embedding(architecture=encoder).fit(X)
    other = embedding(architecture=encoder, random_state=1).fit(X)
    assert torch.equal(weights_of(one), weights_of(two))
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    assert not torch.equal(weights_of(one), weights_of(other))
    assert one.history_["train_loss"].tolist() == two.history_["train_loss"].tolist()


@pytest.mark.parametrize("name", ENCODERS)
def test_transform_draws_nothing_that_is_not_fixed(name):
    estimator = embedding(architecture=ENCODERS[name]()).fit(table())
    state = estimator.module_.generator.get_state()
    Z = estimator.transform(table())
    torch.rand(3)
    np.testing.assert_array_equal(estimator.transform(table()), Z)
    assert torch.equal(estimator.module_.generator.get_state(), state)


def test_random_state_of_numpy():
    X = table()
    one = embedding(random_state=np.random.RandomState(3)).fit(X)
    two = embedding(random_state=np.random.RandomState(3)).fit(X)
    assert torch.equal(weights_of(one), weights_of(two))
    state = np.random.RandomState(3)
    first, second = embedding(random_state=state).fit(X), embedding(random_state=state).fit(X)
    assert not torch.equal(weights_of(first), weights_of(second))


def test_without_random_state_each_fit_differs():
    X = table()
    one, two = (embedding(random_state=None).fit(X) for _ in range(2))
    assert not torch.equal(weights_of(one), weights_of(two))


@pytest.mark.parametrize("name", ENCODERS)
def test_fits_side_by_side_are_reproducible(name):
    """Threads share torch's global generator: 24 fits, each as if it were alone."""
    X = table()
    estimator = embedding(architecture=ENCODERS[name](), max_epochs=2, random_state=0)
    alone = {
        seed: weights_of(clone(estimator).set_params(random_state=seed).fit(X)) for seed in (0, 1)
    }
    with global_generators_stay():
        fitted = Parallel(n_jobs=4, prefer="threads")(
            delayed(clone(estimator).set_params(random_state=i % 2).fit)(X) for i in range(24)
        )
    assert [torch.equal(weights_of(fit), alone[i % 2]) for i, fit in enumerate(fitted)] == [
        True
    ] * 24


@pytest.mark.parametrize("name", ENCODERS)
def test_warm_start_goes_on_where_the_draws_ended(name):
    X = table()
    encoder = ENCODERS[name]()
    whole = embedding(architecture=encoder, max_epochs=10).fit(X)
    halves = embedding(architecture=encoder, max_epochs=5, warm_start=True).fit(X).fit(X)
    assert halves.n_epochs_ == 10
    assert torch.equal(weights_of(whole), weights_of(halves))
    np.testing.assert_array_equal(whole.transform(X), halves.transform(X))


class WithLayer(nn.Linear):
    """Generates something else."""

    def __init__(self):
        super().__init__(N_FEATURES, 4)
        self.generator = nn.Linear(4, 4)

    def forward(self, x):
        return self.generator(super().forward(x))


class WithNumber(nn.Linear):
    generator = 7


class WithMethod(nn.Linear):
    def generator(self):
        return "of electricity"


class WithProperty(nn.Linear):
    @property
    def generator(self):
        return None


class WithBuffer(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("generator", None)


class WithNoModule(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_module("generator", None)


@pytest.mark.parametrize(
    "part",
    [
        WithLayer(),
        *(kind(N_FEATURES, 4) for kind in (WithNumber, WithMethod, WithProperty)),
        *(kind(N_FEATURES, 4) for kind in (WithBuffer, WithNoModule)),
    ],
    ids=lambda part: type(part).__name__,
)
def test_other_meanings_of_the_name_generator_stay(part):
    names, held = part.state_dict().keys(), getattr(part, "generator")  # noqa: B009
    carry_generator(nn.Sequential(part), torch.Generator())
    assert getattr(part, "generator") == held  # noqa: B009
    assert part.state_dict().keys() == names
    estimator = embedding(architecture=part).fit(table())
    inside = estimator.module_.encoder.module
    assert type(inside.generator) is type(held)
    assert inside.state_dict().keys() == names
    assert np.isfinite(estimator.transform(table())).all()


@pytest.mark.parametrize("own", [None, torch.Generator()])
def test_a_module_of_the_users_may_ask_for_the_generator(own):
    part, generator = nn.Linear(2, 2), torch.Generator()
    part.generator = own
    carry_generator(nn.Sequential(part), generator)
    assert part.generator is generator


def test_dropout_draws_from_the_carried_generator():
    module = nn.Sequential(Dropout(0.5), nn.Linear(4, 4), nn.Sequential(Dropout(0.5)))
    generator = torch.Generator().manual_seed(0)
    carry_generator(module, generator)
    assert module.generator is module[0].generator is module[2][0].generator is generator
    assert not hasattr(module[1], "generator")
    x = torch.ones(1000, 4)
    with global_generators_stay():
        one = module[0](x)
        two = module[0](x)
        generator.manual_seed(0)
        again = module[0](x)
    assert torch.equal(one, again)
    assert not torch.equal(one, two)
    # a share of 0.5 is kept, twice as large
    assert set(one.unique().tolist()) == {0.0, 2.0}
    assert abs(float(one.mean()) - 1) < 0.05
    assert torch.equal(module[0].eval()(x), x)


def test_borrowed_generator():
    with global_generators_stay():
        with borrowed_generator(3):
            one = torch.rand(4)
            with borrowed_generator(4):
                torch.rand(2)
            two = torch.rand(4)
        with borrowed_generator(5):
            reseed_global(3, CPU)
            assert torch.equal(torch.rand(4), one)
            assert torch.equal(torch.rand(4), two)


def test_borrowed_generator_is_given_back_after_an_error():
    with global_generators_stay(), pytest.raises(IndexError), borrowed_generator(3):
        torch.rand(4)[9]


def test_draw_seed_moves_the_generator_it_is_given():
    generator = torch.Generator().manual_seed(0)
    seeds = {draw_seed(generator) for _ in range(5)}
    assert len(seeds) == 5
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds)


class OfTheUser(nn.Linear):
    pass


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Linear(2, 2), False),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.GELU()), False),
        (MLP((4,), dropout=0.5).make_encoder((3,), 2), False),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)), True),
        (nn.Dropout2d(0.1), True),
        (nn.AlphaDropout(0.1), True),
        (nn.RReLU(), True),
        (nn.GRU(2, 2, num_layers=2, dropout=0.1), True),
        (nn.GRU(2, 2), False),
        (nn.MultiheadAttention(4, 2, dropout=0.1), True),
        (nn.MultiheadAttention(4, 2), False),
        (nn.TransformerEncoderLayer(4, 2, dropout=0.0), False),
        (nn.TransformerEncoderLayer(4, 2, dropout=0.1), True),
        (nn.Dropout(0.0), False),
        (nn.FractionalMaxPool2d(2, output_ratio=0.5), True),
        (nn.Sequential(OfTheUser(2, 2)), True),
        (hooked_encoder(), True),
    ],
)
def test_draws_globally(module, expected):
    assert draws_globally(module) is expected


def test_randomness_seeds_each_epoch_from_the_module():
    """What a foreign module draws depends on the state of the carried generator alone."""
    module = nn.Sequential(nn.Dropout(0.5))
    draws = []
    for _ in range(2):
        carry_generator(module, torch.Generator().manual_seed(2))
        with global_generators_stay(), Randomness(module, CPU) as randomness:
            for _ in range(2):
                randomness.new_epoch()
                draws.append(torch.rand(4))
    assert torch.equal(draws[0], draws[2])
    assert torch.equal(draws[1], draws[3])
    assert not torch.equal(draws[0], draws[1])


def test_randomness_draws_nothing_for_modules_of_ours():
    module = MLP((4,), dropout=0.5).make_encoder((3,), 2)
    generator = torch.Generator().manual_seed(2)
    carry_generator(module, generator)
    state = generator.get_state()
    with Randomness(module, CPU) as randomness:
        randomness.new_epoch()
    assert torch.equal(generator.get_state(), state)
