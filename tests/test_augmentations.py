"""Laws of the augmentations."""

import pytest
import torch
from sklearn.base import clone

from skrepr import augmentations
from skrepr.augmentations import FeatureDropout, FeatureSwap, GaussianNoise, SaltAndPepper

EVERY = [getattr(augmentations, name) for name in augmentations.__all__]
# An effect that can be seen, and none.
STRONG = {"rate": 0.5, "scale": 0.5}


def made(cls, value):
    (name,) = set(cls().get_params()) & set(STRONG)
    return cls(**{name: value})


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x():
    return torch.randn(200, 3, 8, generator=seeded(7))


@pytest.mark.parametrize("cls", EVERY)
def test_contract(cls, x):
    augmentation = clone(made(cls, 0.5))
    before = x.clone()
    changed = augmentation(x, seeded())
    assert changed.shape == x.shape and changed.dtype == x.dtype
    assert torch.equal(x, before)
    assert not torch.equal(changed, x)
    assert torch.equal(augmentation(x, seeded()), changed)
    assert not torch.equal(augmentation(x, seeded(1)), changed)


@pytest.mark.parametrize("cls", EVERY)
def test_draws_from_the_given_generator_alone(cls, x):
    state = torch.get_rng_state()
    made(cls, 0.5)(x, seeded())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("cls", EVERY)
def test_without_effect_nothing_is_drawn(cls, x):
    generator = seeded()
    state = generator.get_state()
    assert torch.equal(made(cls, 0.0)(x, generator), x)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("cls", EVERY)
@pytest.mark.parametrize("value", [-0.1, "a", True, float("nan"), float("inf")])
def test_bad_parameters_are_named(cls, value, x):
    with pytest.raises(ValueError, match=cls.__name__):
        made(cls, value)(x, seeded())


@pytest.mark.parametrize("cls", EVERY)
def test_a_batch_of_one_row(cls):
    assert made(cls, 0.5)(torch.ones(1, 4), seeded()).shape == (1, 4)


def test_gaussian_noise_has_its_scale(x):
    noise = GaussianNoise(0.3)(x, seeded()) - x
    assert noise.std().item() == pytest.approx(0.3, rel=0.05)
    assert abs(noise.mean().item()) < 0.02


@pytest.mark.parametrize("cls", [FeatureDropout, FeatureSwap, SaltAndPepper])
def test_rate_is_the_share_of_changed_values(cls, x):
    changed = (cls(0.3)(x, seeded()) != x).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.03)


def test_feature_dropout_puts_the_mean(x):
    changed = FeatureDropout(0.4)(x, seeded())
    assert torch.equal(changed[changed != x], torch.zeros(int((changed != x).sum())))


def test_salt_and_pepper_puts_the_extremes_of_the_column(x):
    changed = SaltAndPepper(1.0)(x, seeded())
    low, high = changed == x.amin(0), changed == x.amax(0)
    assert (low | high).all()
    assert high.float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_feature_swap_takes_from_another_row_of_the_same_column():
    n = 6
    x = torch.arange(n, dtype=torch.float32)[:, None] + 100 * torch.arange(3000)
    changed = FeatureSwap(1.0)(x, seeded())
    assert (changed != x).all()
    assert torch.equal((changed // 100), (x // 100))
    # every other row is as likely as any
    source = (changed - x).remainder(n).long()
    shares = source.flatten().bincount(minlength=n)[1:] / source.numel()
    assert shares.min() > 0.18 and shares.max() < 0.22
