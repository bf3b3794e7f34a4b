"""Views of series keep what they must, and values are read from codes as well as they can be."""

import math
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from skrepr._rows import Rows
from skrepr._series_model import SeriesModel, n_inputs
from skrepr._series_objective import (
    TwoViews,
    bridged,
    choose_series_augmentation,
    compares_views,
    make_series_objective,
    view_of,
)
from skrepr._series_units import SeriesUnits
from skrepr.architectures import PooledSteps, Recurrent, Transformer
from skrepr.augmentations import Jitter, TimeCrop, TimeMask
from skrepr.objectives import (
    BYOL,
    HierarchicalContrast,
    MaskedReconstruction,
    SimCLR,
    VICReg,
    WeightedSum,
)

LENGTH = 18
SUM = WeightedSum(
    [
        ("contrast", HierarchicalContrast(), 0.5),
        ("mask", MaskedReconstruction(), 1.0),
        ("views", VICReg(projection_sizes=(4,)), 0.1),
    ]
)


def backwards(x, generator=None):
    return x.flip(2)


def series(n=6, special=False):
    """Two channels with gaps and padding; with times, errors and bands in front of them."""
    generator = torch.Generator().manual_seed(0)
    x = 5 + 2 * torch.randn(n, 2, LENGTH, generator=generator).cumsum(2)
    gaps = torch.rand(x.shape, generator=generator) < 0.2
    gaps[..., [0, 11, LENGTH - 1]] = False
    x = x.masked_fill(gaps, math.nan)
    x[1, :, 12:] = x[2, :, :3] = math.nan
    if not special:
        return x
    times = torch.rand(n, 1, LENGTH, generator=generator).cumsum(2)
    errors = torch.rand(n, 1, LENGTH, generator=generator)
    bands = torch.randint(2, (n, 1, LENGTH), generator=generator).float()
    return torch.cat([times - times[..., :1], errors, bands, x], 1)


def make(
    objective,
    *,
    special=False,
    scaled=True,
    per_sample=False,
    patch_size=1,
    augmentation=(backwards,),
    recipe=None,
):
    channels = ("time_channel", "error_channel", "band_channel")
    where = dict(zip(channels, range(3), strict=True)) if special else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        units = SeriesUnits(5 if special else 2, **where, n_bands=2 * special, scaled=scaled)
        recipe = recipe or Transformer(1, n_heads=2, n_units=8, patch_size=patch_size)
        encoder = recipe.make_step_encoder(n_inputs(units, per_sample), LENGTH)
        reader = PooledSteps(encoder, "mean")
        loss, fitted = make_series_objective(objective, reader, 2, LENGTH, list(augmentation))
        model = SeriesModel(reader, units, loss, fitted=fitted, per_sample=per_sample)
    x = series(special=special)
    rows = Rows(x, x.shape[1:], torch.device("cpu"))
    model.eval().start(rows)
    return model, x, rows


# ------------------------------------------------------------------------------- views


def test_gaps_are_bridged_by_straight_lines():
    values = torch.tensor([[[0, 0, 4, 0, 0, 1.0, 0]], [[0, 0, 0, 0, 0, 0, 0.0]]])
    observed = values != 0
    expected = torch.tensor([[[4, 4, 4, 3, 2, 1.0, 1]], [[0, 0, 0, 0, 0, 0, 0.0]]])
    assert_allclose(bridged(values, observed), expected)


@pytest.mark.parametrize("special", [False, True])
def test_views_keep_times_errors_bands_gaps_and_padding(special):
    model, x, _ = make(SimCLR(), special=special)
    before = model.units(x)
    after = view_of(before, [backwards], None, model.units)
    assert after.times is before.times and after.inside is before.inside
    assert after.errors is before.errors and after.bands is before.bands
    assert after.observed is before.observed and after.weights is before.weights
    assert not after.values[~before.observed].any()
    whole = bridged(before.values, before.observed)
    for row, length in enumerate([18, 12, 15, 18]):
        expected = whole[row, :, :length].flip(1) * before.observed[row, :, :length]
        assert_allclose(after.values[row, :, :length], expected)


def test_views_of_padded_series_are_those_of_series_alone():
    model, x, _ = make(SimCLR())
    together = view_of(model.units(x), [backwards], None, model.units).values
    alone = view_of(model.units(x[1:2, :, :12]), [backwards], None, model.units).values
    assert_allclose(together[1:2, :, :12], alone)
    assert not together[1, :, 12:].any()


def test_augmentations_see_channels_in_their_own_units():
    for scaled in (True, False):
        model, x, _ = make(SimCLR(), scaled=scaled)
        seen = []

        def look(x, generator=None, seen=seen):
            seen.append(x)
            return x

        before = model.units(x)
        after = view_of(before, [look], None, model.units)
        assert_allclose(after.values, before.values, rtol=1e-5, atol=1e-5)
        full = max(seen, key=len)  # of the four series without padding
        assert len(full) == 4 and abs(full.mean()) < 0.5 and 0.5 < full.std() < 1.5


def test_changes_of_time_are_for_even_series():
    even, uneven = (choose_series_augmentation(SUM, None, (3, 30), even) for even in (True, False))
    assert [type(part) for part in even] == [TimeCrop, TimeMask, Jitter]
    assert [type(part) for part in uneven] == [TimeMask, Jitter]
    given = [Jitter(0.3)]
    (part,) = choose_series_augmentation(SUM, given, (3, 30), False)
    assert part.scale == 0.3 and part is not given[0]
    assert choose_series_augmentation(MaskedReconstruction(), None, (3, 30), True) == []


def test_who_compares_views():
    assert compares_views(SimCLR()) and compares_views(SUM)
    assert not compares_views(MaskedReconstruction()) and not compares_views(
        HierarchicalContrast()
    )
    assert not compares_views(WeightedSum(SUM.parts[:2]))


# ---------------------------------------------------------------------------- the losses


def test_two_views_are_compared_by_what_is_pooled():
    model, x, _ = make(SimCLR(projection_sizes=()), augmentation=[])
    features = model.pooled(model.read(model.units(x)))
    assert_allclose(model(x).item(), model.objective.loss(features, features).item(), rtol=1e-5)
    model.objective.augmentation = [Jitter(1.0)]
    assert model(x) != model.objective.loss(features, features)
    assert model(x) == model(x)  # of held-out rows
    model.train().objective.generator = torch.Generator().manual_seed(0)
    assert model(x) != model(x)


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(
    "objective", [HierarchicalContrast(), SimCLR(projection_sizes=(4,)), BYOL(), SUM]
)
def test_losses_are_finite_and_teach_the_encoder(objective, special):
    model, x, _ = make(objective, special=special, patch_size=2)
    loss = model.train()(x)
    loss = sum(loss.values()) if isinstance(loss, dict) else loss
    loss.backward()
    grads = [p.grad for p in model.encoder.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)
    assert model.encoder.embed.weight.grad.any()
    x[:, -2:] = math.nan
    for mode in (True, False):  # nothing to compare
        loss = model.train(mode)(x)
        assert torch.as_tensor(sum(loss.values()) if isinstance(loss, dict) else loss).isfinite()


@pytest.mark.parametrize("recipe", [None, Recurrent(n_units=8)])
def test_a_hierarchical_contrast_of_a_model_falls(recipe):
    model, x, _ = make(HierarchicalContrast(0.2), recipe=recipe)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model(x)  # the same crops each time
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("patch_size", [1, 2])
def test_what_a_crop_leaves_out_is_not_seen(patch_size):
    model, x, _ = make(HierarchicalContrast(0.0), per_sample=True, patch_size=patch_size)
    x = x[:1]  # one without padding
    inside, objective = model.units(x).inside, model.objective.train()
    x.requires_grad_()
    n_left_out = 0
    for seed in range(5):
        objective.generator = torch.Generator().manual_seed(seed)
        begin, end, far_begin, far_end = objective.crops(inside, objective.generator)
        seen = torch.zeros(LENGTH, dtype=torch.bool)
        seen[far_begin:far_end] = True
        x.grad = None
        objective.generator.manual_seed(seed)
        model(x).backward()
        assert not x.grad[0, :, ~seen].any()
        assert x.grad[0, :, begin:end].any()
        n_left_out += (~seen).sum()
    assert n_left_out


def test_codes_of_the_same_steps_are_contrasted():
    """Without attention, and with nothing hidden, both crops tell the same of a step."""
    model, x, _ = make(HierarchicalContrast(0.0), patch_size=2)
    model.encoder.layers = torch.nn.ModuleList()
    compared = []
    module = sys.modules["skrepr.objectives._hierarchical_contrast"]
    formula = module.hierarchical_contrast

    def look(first, second, *, there, **options):
        compared.append((first, second, there))
        return formula(first, second, there=there, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "hierarchical_contrast", look)
        for seed in range(5):
            model.train().objective.generator = torch.Generator().manual_seed(seed)
            model(x)
    for first, second, there in compared:
        assert there.any(1).all()
        # but for the last patch, which the end of a crop may cut
        torch.testing.assert_close(first[there], second[there])


def test_a_sum_tells_its_terms():
    model, x, _ = make(SUM)
    terms = model(x)
    assert list(terms) == ["contrast", "mask", "views"]
    assert model.predictor is model.objective.losses[1]
    assert_allclose(terms["mask"].item(), model.objective.losses[1](model, model.units(x)).item())


def test_teachers_follow_and_collapse_is_watched():
    model, _, rows = make(BYOL(0.5, projection_sizes=(4,), predictor_size=4))
    teacher = model.objective.loss.teacher
    student = model.encoder.embed.weight
    before = teacher.network[0].encoder.embed.weight.clone()
    torch.nn.init.zeros_(student)
    model.after_step()
    assert_allclose(teacher.network[0].encoder.embed.weight, before / 2)
    model.set_progress(1.0)
    assert teacher.momentum == 1
    model, _, rows = make(BYOL(projection_sizes=(4,), predictor_size=4), augmentation=[])
    assert isinstance(model.objective, TwoViews)
    with torch.no_grad():
        assert 1 < -model.watched(rows) <= math.log2(6)
        model.encoder.norm.weight.zero_()
        assert model.watched(rows) == pytest.approx(0, abs=1e-5)  # collapsed
    assert not hasattr(make(SimCLR())[0], "watched")


# ------------------------------------------------------------------- values read from codes


@pytest.mark.parametrize(
    "parameters",
    [{}, {"patch_size": 4, "per_sample": True}, {"special": True, "scaled": False}],
)
def test_values_are_read_from_codes_by_ridge_regression(parameters):
    model, x, rows = make(HierarchicalContrast(), **parameters)
    model.fit_prediction(rows)
    head, p, of_x = model.fitted.masked.head, model.encoder.patch_size, model.units(x)
    codes, wanted, weights = [], [], []
    for hidden in model.fitted.masked.rounds(of_x.inside):
        reading = model.read(of_x, hidden)
        codes.append(reading.tokens.repeat_interleave(p, 1)[:, :LENGTH])
        wanted.append(model.in_units_of(reading, of_x.values))
        weights.append(of_x.weights * hidden)
    codes, wanted, weights = (
        torch.stack(part).detach().double().numpy() for part in (codes, wanted, weights)
    )
    for channel in range(2):
        for place in range(p):
            steps = slice(place, LENGTH, p)
            X = codes[:, :, steps].reshape(-1, 8)
            y, w = (part[:, :, channel, steps].reshape(-1) for part in (wanted, weights))
            # the ridge is measured in the mean square of the codes
            alpha = 1e-2 * (w[:, None] * X**2).sum(0).mean()
            ridge = Ridge(alpha, solver="cholesky").fit(X, y, sample_weight=w)
            row = channel * p + place
            assert_allclose(head.weight[row].detach(), ridge.coef_, rtol=1e-3, atol=1e-4)
            assert_allclose(head.bias[row].item(), ridge.intercept_, rtol=1e-3, atol=1e-4)


def test_a_channel_without_values_is_predicted_to_be_zero():
    model, x, _ = make(HierarchicalContrast())
    x[:, 1] = math.nan
    model.fit_prediction(Rows(x, x.shape[1:], torch.device("cpu")))
    assert not model.fitted.masked.head.weight[1].any()
    assert model.fitted.masked.head.weight.isfinite().all()


def test_hidden_values_do_not_leak_to_what_was_fitted():
    model, x, rows = make(SimCLR(projection_sizes=(4,)), per_sample=True, patch_size=2)
    model.fit_prediction(rows)
    x = x[:2].requires_grad_()  # nothing before their first step
    of_x = model.units(x)
    for hidden in model.fitted.masked.rounds(of_x.inside):
        predicted, _ = model.predict(of_x, model.fitted.masked.head, hidden)
        (slope,) = torch.autograd.grad(predicted.square().sum(), x, retain_graph=True)
        assert not slope[hidden].any() and slope[~hidden].any()


def test_what_was_fitted_is_left_alone_by_the_training():
    model, x, rows = make(HierarchicalContrast())
    model.fit_prediction(rows)
    assert not any(p.requires_grad for p in model.fitted.parameters())
    assert make(MaskedReconstruction())[0].fitted is None
    assert np.isfinite(model.judge(x).detach().numpy()).all()
