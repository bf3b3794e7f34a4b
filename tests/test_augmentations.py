"""Laws of the augmentations."""

import math

import pytest
import torch
from sklearn.base import BaseEstimator, clone

from skrepr import augmentations
from skrepr.augmentations import (
    Blur,
    ColorJitter,
    CutOut,
    FeatureDropout,
    FeatureSwap,
    GaussianNoise,
    Jitter,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    SaltAndPepper,
    Scaling,
    TimeCrop,
    TimeMask,
    TimeWarp,
    make_view,
)

EVERY = [getattr(augmentations, name) for name in augmentations.__all__]
ANY, SERIES, IMAGES = (200, 5), (200, 3, 16), (200, 3, 12, 10)
# By the parameters that an augmentation has: an effect that can be seen, and none.
STRONG = {"rate": 0.5, "scale": 0.5, "size": 0.3, "sigma": 2.0, "degrees": 90}
WEAK = dict.fromkeys(STRONG, 0.0) | {
    **{"area": (1, 1), "brightness": 0, "contrast": 0, "saturation": 0, "horizontal": False},
    "share": 0,
}
BAD = [-0.1, "a", True, float("nan"), float("inf")]


def made(cls, values):
    parameters = {name: values[name] for name in cls().get_params() if name in values}
    if cls is TimeCrop:
        parameters = {"share": (1, 1)} if parameters else {}
    return cls(**parameters)


def layouts(cls):
    """The shapes of batch that an augmentation takes."""
    found = []
    for shape in (ANY, SERIES, IMAGES):
        try:
            cls()(torch.ones(shape))
            found.append(shape)
        except ValueError:
            pass
    return found


CASES = [(cls, shape) for cls in EVERY for shape in layouts(cls)]
every_layout = pytest.mark.parametrize(
    ("cls", "shape"), CASES, ids=[f"{cls.__name__}{len(shape)}" for cls, shape in CASES]
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(shape, dtype=torch.float32):
    return torch.randn(shape, generator=seeded(7), dtype=dtype)


@pytest.fixture
def x():
    return torch.randn(200, 3, 8, generator=seeded(7))


@every_layout
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contract(cls, shape, dtype):
    x = batch(shape, dtype)
    augmentation = clone(made(cls, STRONG))
    before = x.clone()
    changed = augmentation(x, seeded())
    assert changed.shape == x.shape and changed.dtype == x.dtype and changed.device == x.device
    assert changed.isfinite().all()
    assert torch.equal(x, before)
    assert not torch.equal(changed, x)
    assert torch.equal(augmentation(x, seeded()), changed)
    assert not torch.equal(augmentation(x, seeded(1)), changed)


@every_layout
def test_a_fresh_draw_for_each_row(cls, shape):
    """Rows that are alike come out in many ways."""
    x = batch((1, *shape[1:])).expand(shape) + 0.0
    if cls in (FeatureSwap, SaltAndPepper):
        x[1::2] += 1  # rows to borrow from
    changed = made(cls, STRONG)(x, seeded())[::2]
    assert len(changed.unique(dim=0)) > (1 if cls is RandomFlip else 20)


@every_layout
def test_one_draw_for_all_rows_outside_training(cls, shape):
    x, donors = batch(shape), batch((50, *shape[1:])) + 1
    augmentation = made(cls, STRONG)
    for seed in range(3):  # of flips, one at least is none
        changed = augmentation(x, seeded(seed), donors=donors)
        assert changed.shape == x.shape
        parts = [augmentation(rows, seeded(seed), donors=donors) for rows in x.split(67)]
        torch.testing.assert_close(torch.cat(parts), changed, rtol=1e-5, atol=1e-6)
    same = x[:1].expand(shape)
    for row in augmentation(same, seeded(), donors=donors)[1:3]:
        torch.testing.assert_close(row, augmentation(same[:1], seeded(), donors=donors)[0])


@every_layout
def test_draws_from_the_given_generator_alone(cls, shape):
    state = torch.get_rng_state()
    made(cls, STRONG)(batch(shape), seeded())
    assert torch.equal(torch.get_rng_state(), state)


@every_layout
@pytest.mark.parametrize("has_donors", [False, True])
def test_without_effect_nothing_is_drawn(cls, shape, has_donors):
    x, generator = batch(shape), seeded()
    state = generator.get_state()
    donors = x[:9] if has_donors else None
    assert torch.equal(made(cls, WEAK)(x, generator, donors=donors), x)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls in EVERY for name in cls().get_params()]
)
@pytest.mark.parametrize("value", BAD)
def test_bad_parameters_are_named(cls, name, value):
    if cls is RandomFlip and value is True:
        value = 1
    with pytest.raises(ValueError, match=f"{name!r} parameter of {cls.__name__} must be .*Got"):
        cls(**{name: value})(batch(layouts(cls)[-1]), seeded())


@pytest.mark.parametrize("value", [(0.5,), (0.6, 0.5), (0, 1), (0.5, "a"), (0.5, float("inf"))])
def test_bad_pairs_are_named(value):
    with pytest.raises(ValueError, match="'area' parameter of RandomCrop must be a pair"):
        RandomCrop(area=value)(batch(IMAGES))
    with pytest.raises(ValueError, match="'share' parameter of TimeCrop must be a pair"):
        TimeCrop(value)(batch(SERIES))


@pytest.mark.parametrize("cls", EVERY)
def test_other_layouts_are_told(cls):
    taken = {len(shape) for shape in layouts(cls)}
    assert taken in ({2, 3, 4}, {3}, {4}, {3, 4})
    for shape in (ANY, SERIES, IMAGES):
        if len(shape) not in taken:
            with pytest.raises(ValueError, match=rf"{cls.__name__} changes .*\({shape[0]}, "):
                cls()(batch(shape))


@every_layout
def test_a_batch_of_one_row(cls, shape):
    x = torch.ones(1, *shape[1:])
    assert made(cls, STRONG)(x, seeded()).shape == x.shape


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


def test_what_is_borrowed_comes_from_the_donors(x):
    donors = 100 + torch.arange(4.0)[:, None, None].expand(4, 3, 8)
    swapped = FeatureSwap(1.0)(x, seeded(), donors=donors)
    assert set(swapped.unique().tolist()) == {100.0, 101.0, 102.0, 103.0}
    assert torch.equal(swapped, swapped[:1].expand(x.shape))
    extremes = SaltAndPepper(1.0)(x, seeded(), donors=donors)
    assert set(extremes.unique().tolist()) == {100.0, 103.0}


class Fixed(BaseEstimator):
    """A move of the image plane that is known."""

    def __init__(self, matrix):
        self.matrix = matrix

    def __call__(self, x, generator=None, *, donors=None):
        raise AssertionError("is composed")

    def make_matrices(self, x, generator=None, *, donors=None):
        return self.matrix


IDENTITY = torch.eye(3)[None]


def moved(x, *matrices):
    return make_view(x, [Fixed(matrix) for matrix in (IDENTITY, *matrices)])


def test_a_turn_by_a_right_angle_is_exact(monkeypatch):
    x = batch((4, 2, 9, 9))
    for quarter in (-1, 1, 2):
        monkeypatch.setattr(
            "skrepr.augmentations._random_rotation.uniform",
            lambda x, n, bounds, generator, quarter=quarter: x.new_full(
                (n,), quarter * math.pi / 2
            ),
        )
        torch.testing.assert_close(
            RandomRotation()(x), torch.rot90(x, quarter, (2, 3)), rtol=0, atol=1e-5
        )


def test_a_turn_keeps_angles_where_the_image_is_no_square(monkeypatch):
    monkeypatch.setattr(
        "skrepr.augmentations._random_rotation.uniform",
        lambda x, n, bounds, generator: x.new_full((n,), math.pi / 2),
    )
    x = batch((4, 1, 5, 9))
    turned = RandomRotation()(x)
    torch.testing.assert_close(
        turned[..., 2:7], torch.rot90(x[..., 2:7], 1, (2, 3)), rtol=0, atol=1e-5
    )


def test_angles_fill_their_range(x):
    matrices = RandomRotation(30).make_matrices(batch((2000, 1, 4, 4)), seeded())
    angles = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]).rad2deg()
    assert angles.abs().max() <= 30 + 1e-4 and angles.min() < -29 and angles.max() > 29
    assert abs(angles.mean().item()) < 1.5


def test_neighboring_moves_are_composed_and_interpolated_once(monkeypatch):
    x = batch((5, 2, 8, 12))
    parts = [RandomCrop(), RandomFlip(True, True), RandomRotation(40)]
    calls, real = [], torch.nn.functional.grid_sample
    monkeypatch.setattr(
        "skrepr.augmentations._view.F.grid_sample",
        lambda *args, **kwargs: calls.append(1) or real(*args, **kwargs),
    )
    view = make_view(x, [*parts, GaussianNoise(0), RandomCrop()], seeded())
    assert len(calls) == 2
    generator = seeded()
    crop, flip, turn = (part.make_matrices(x, generator) for part in parts)
    first = real(
        x,
        torch.nn.functional.affine_grid(
            (crop @ flip @ turn)[:, :2], list(x.shape), align_corners=False
        ),
        padding_mode="border",
        align_corners=False,
    )
    torch.testing.assert_close(view, RandomCrop()(first, generator))


def test_the_first_of_the_list_is_the_first_move():
    """Whole pixels, one after the other, need no interpolation: both ways agree exactly."""
    x = batch((6, 1, 8, 8))
    shift = IDENTITY.clone()
    shift[0, 0, 2] = 2 * 3 / 8
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))[None]
    step_by_step = moved(moved(x, shift), mirror)
    torch.testing.assert_close(step_by_step[..., 3:], x[..., 3:].flip(3))
    torch.testing.assert_close(moved(x, shift, mirror), step_by_step)
    assert not torch.allclose(moved(x, mirror, shift), step_by_step)


def test_flips_are_the_same_alone_and_composed():
    x = batch((50, 2, 5, 7))
    part = RandomFlip(True, True)
    torch.testing.assert_close(
        make_view(x, [Fixed(IDENTITY), part], seeded()), part(x, seeded()), atol=1e-5, rtol=0
    )
    assert make_view(batch(SERIES), [RandomFlip(), RandomFlip()], seeded()).shape == SERIES


def test_flips_are_half_of_the_rows_in_each_direction():
    x = torch.arange(4.0).reshape(1, 1, 2, 2).expand(4000, 1, 2, 2)
    values, counts = RandomFlip(True, True)(x, seeded()).unique(dim=0, return_counts=True)
    assert len(values) == 4 and (counts - 1000).abs().max() < 120
    assert len(RandomFlip()(x, seeded()).unique(dim=0)) == 2
    series = torch.arange(3.0).expand(100, 1, 3)
    assert len(RandomFlip()(series, seeded()).unique(dim=0)) == 2
    with pytest.raises(ValueError, match=r"vertical=True. is for images"):
        RandomFlip(vertical=True)(series)


def test_windows_of_a_crop():
    x = batch((3000, 1, 8, 16))
    matrices = RandomCrop((0.3, 0.8), aspect=(0.5, 2)).make_matrices(x, seeded())
    width, height = matrices[:, 0, 0], matrices[:, 1, 1]
    area, aspect = width * height, width / height
    assert 0.3 <= area.min() < 0.32 and 0.78 < area.max() <= 0.8001
    assert 0.5 <= aspect.min() < 0.6 and 1.7 < aspect.max() <= 2.001
    for axis, side in enumerate((width, height)):
        edge = matrices[:, axis, 2].abs() + side
        assert edge.max() <= 1 + 1e-5 and edge.max() > 0.99  # within the image, up to its edge


def test_padding_shifts_by_so_many_pixels():
    x = batch((3000, 1, 8, 16))
    matrices = RandomCrop((1, 1), padding=2).make_matrices(x, seeded())
    assert torch.equal(matrices[:, 0, 0], torch.ones(3000))
    for axis, pixels in enumerate((16, 8)):
        shift = matrices[:, axis, 2] * pixels / 2
        assert 1.98 < shift.abs().max() <= 2


def test_windows_larger_than_the_image_hold_all_of_it():
    matrices = RandomCrop((1.2, 1.5)).make_matrices(batch((3000, 1, 8, 8)), seeded())
    for axis in (0, 1):
        assert (matrices[:, axis, axis] - matrices[:, axis, 2].abs()).min() >= 1 - 1e-5


def test_color_jitter_changes_one_thing_at_a_time():
    x = batch(IMAGES, torch.float64)
    shift = ColorJitter(0.7, 0, 0)(x, seeded()) - x
    torch.testing.assert_close(shift, shift[:, :1, :1, :1].expand(IMAGES))
    assert 0.65 < shift.abs().max() <= 0.7
    sharper = ColorJitter(0, 0.5, 0)(x, seeded())
    torch.testing.assert_close(sharper.mean((1, 2, 3)), x.mean((1, 2, 3)))
    ratio = sharper.std((1, 2, 3)) / x.std((1, 2, 3))
    assert 0.5 <= ratio.min() < 0.52 and 1.48 < ratio.max() <= 1.5
    colors = ColorJitter(0, 0, 0.5)(x, seeded())
    torch.testing.assert_close(colors.mean(1), x.mean(1))
    ratio = colors.std(1) / x.std(1)
    assert 0.5 <= ratio.min() < 0.52 and 1.48 < ratio.max() <= 1.5
    gray = x[:, :1]
    assert torch.equal(ColorJitter(0, 0, 0.5)(gray, seeded()), gray)


def test_blur_is_a_gaussian_of_its_width(monkeypatch):
    monkeypatch.setattr(
        "skrepr.augmentations._blur.uniform",
        lambda x, shape, bounds, generator: x.new_full(shape, 1.5),
    )
    x = torch.zeros(1, 2, 41, 31, dtype=torch.float64)
    x[..., 20, 15] = 1
    blurred = Blur()(x)
    place = torch.arange(41.0, dtype=torch.float64) - 20
    assert blurred.sum((2, 3)).flatten().tolist() == pytest.approx([1, 1])
    assert (blurred[0, 0].sum(1) * place**2).sum().sqrt().item() == pytest.approx(1.5, rel=1e-3)
    expected = torch.exp(-(place[:, None] ** 2 + place[5:36] ** 2) / 4.5)
    torch.testing.assert_close(blurred[0, 1], expected / expected.sum())
    flat = torch.ones(1, 1, 6, 6)
    torch.testing.assert_close(Blur()(flat), flat)  # edges do not fade


def test_holes_and_gaps_have_their_size_and_any_place():
    images = CutOut(0.25)(torch.ones(500, 2, 8, 12), seeded())
    assert set(images.mean((1, 2, 3)).tolist()) == {0.75}
    assert (images == 0).any(0).all()
    assert torch.equal(images[:, 0], images[:, 1])
    series = TimeMask(0.3, n_spans=1)(torch.ones(500, 2, 10), seeded())
    hidden = series[:, 0] == 0
    assert (hidden.sum(1) == 3).all() and hidden.any(0).all()
    assert (hidden.int().diff(dim=1).abs().sum(1) <= 2).all()  # in one piece
    assert torch.equal(series[:, 0], series[:, 1])
    two = TimeMask(0.4, n_spans=2)(torch.ones(500, 1, 10), seeded()) == 0
    assert two.sum(2).max() == 4 and two.sum(2).min() == 2
    assert (TimeMask(1.0, n_spans=1)(torch.ones(3, 1, 5), seeded()) == 0).all()


def test_time_crop_stretches_a_part():
    x = torch.linspace(0, 1, 40, dtype=torch.float64).expand(500, 2, 40)
    part = TimeCrop((0.4, 0.7))(x, seeded())
    length = part[:, 0, -1] - part[:, 0, 0]
    assert 0.4 <= length.min() < 0.42 and 0.68 < length.max() <= 0.7
    assert part.min() < 0.02 and part.max() > 0.98
    torch.testing.assert_close(part.diff(dim=2), (length / 39)[:, None, None].expand(500, 2, 39))


def test_time_warp_is_monotone_and_keeps_the_ends():
    x = torch.linspace(0, 1, 60, dtype=torch.float64).expand(300, 2, 60)
    for scale in (0.3, 2.0):
        warped = TimeWarp(scale)(x, seeded())
        pace = warped.diff(dim=2)
        assert (pace > 0).all()
        torch.testing.assert_close(warped[..., [0, -1]], x[..., [0, -1]])
        assert pace[:, 0, 0].log().std().item() > 0.5 * scale


def test_jitter_follows_the_spread_of_each_channel():
    x = batch((300, 2, 100)) * torch.tensor([1.0, 50.0])[:, None]
    noise = Jitter(0.2)(x, seeded()) - x
    shares = (noise.std(2) / x.std(2)).mean(0)
    assert shares.tolist() == pytest.approx([0.2, 0.2], rel=0.03)


def test_scaling_is_one_positive_factor_for_each_row_and_channel():
    x = batch((3000, 2, 4))
    factor = Scaling(0.3)(x, seeded()) / x
    torch.testing.assert_close(factor, factor[..., :1].expand(x.shape))
    logs = factor[..., 0].log()
    assert logs.std(0).tolist() == pytest.approx([0.3, 0.3], rel=0.06)
    assert abs(torch.corrcoef(logs.T)[0, 1].item()) < 0.06


def own_noise(x, generator):
    return x + torch.randn(x.shape[1:], generator=generator) * x.std(0, correction=0)


def own_shift(x, generator):
    return x + torch.randn(x.shape, generator=generator)


def test_a_callable_without_donors_is_called_row_by_row_outside_training(x):
    view = make_view(x, [own_shift], seeded(), donors=x[:3])
    shift = view - x
    torch.testing.assert_close(shift, shift[:1].expand(x.shape))
    torch.testing.assert_close(make_view(x[5:6], [own_shift], seeded(), x[:3]), view[5:6])
    assert torch.equal(make_view(x, [own_noise], seeded(), donors=x[:3]), x)  # no other row seen
    assert not torch.equal(make_view(x, [own_noise], seeded()), x)
    generator = seeded()
    make_view(x, [own_shift], generator, donors=x)
    once = seeded()
    torch.randn(1, 3, 8, generator=once)
    assert torch.equal(generator.get_state(), once.get_state())
    assert make_view(x[:0], [own_shift], seeded(), donors=x).shape == (0, 3, 8)


def test_a_view_hands_donors_on(x):
    parts = [FeatureSwap(1.0), GaussianNoise(0.0), own_shift]
    view = make_view(x, parts, seeded(), donors=100 + x[:1])
    torch.testing.assert_close(view, view[:1].expand(x.shape))
    assert view.min() > 80
    composed = make_view(
        batch(IMAGES), [RandomCrop(), RandomRotation()], seeded(), donors=batch(IMAGES)[:2]
    )
    alone = make_view(
        batch(IMAGES)[7:8], [RandomCrop(), RandomRotation()], seeded(), batch(IMAGES)
    )
    torch.testing.assert_close(composed[7:8], alone)
