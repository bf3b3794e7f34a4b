"""Nothing that is hidden is seen, and no series depends on the others or on its padding."""

import math

import pytest
import torch

from skrepr._kernel_bank import KernelBank
from skrepr._light_curve_features import LightCurveFeatures
from skrepr._rows import Rows
from skrepr._series_model import SeriesModel, make_classic, n_inputs
from skrepr._series_units import SeriesUnits
from skrepr.architectures import POOLINGS, ConvNet, PooledSteps, Recurrent, Transformer
from skrepr.objectives import MaskedReconstruction, NextStepPrediction

CPU = torch.device("cpu")
LENGTH = 21
SMALL_LSTM = Recurrent("lstm", n_units=4, n_layers=2, patch_size=2)
CONFIGURATIONS = {
    "even": {},
    "of its own scale": {"per_sample": True},
    "unscaled": {"scaled": False, "patch_size": 3},
    "patches": {"patch_size": 4, "per_sample": True},
    "uneven": {"special": True},
    "uneven patches": {"special": True, "patch_size": 4, "per_sample": True},
    "learned token": {"pooling": "cls", "per_sample": True},
    "learned query": {"pooling": "attention", "patch_size": 4},
    "convolutions": {"recipe": ConvNet((4, 6)), "pooling": "max"},
    "recurrent": {"recipe": SMALL_LSTM, "special": True, "pooling": "last"},
}


def series(n=6, seed=0, special=False):
    """Two channels of values with gaps; with times, errors and bands in front of them."""
    generator = torch.Generator().manual_seed(seed)
    x = 3 + 2 * torch.randn(n, 2, LENGTH, generator=generator).cumsum(2)
    gaps = torch.rand(x.shape, generator=generator) < 0.2
    gaps[..., [0, -1]] = False
    x = x.masked_fill(gaps, math.nan)
    if not special:
        return x
    times = torch.rand(n, 1, LENGTH, generator=generator).cumsum(2)
    errors = torch.rand(n, 1, LENGTH, generator=generator)
    bands = torch.randint(2, (n, 1, LENGTH), generator=generator).float()
    return torch.cat([times - times[..., :1], errors, bands, x], 1)


def make(
    *,
    special=False,
    scaled=True,
    per_sample=False,
    pooling="mean_std",
    patch_size=1,
    classic=True,
    recipe=None,
    objective=None,
):
    channels = ("time_channel", "error_channel", "band_channel")
    where = dict(zip(channels, range(3), strict=True)) if special else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        units = SeriesUnits(5 if special else 2, **where, n_bands=2 * special, scaled=scaled)
        recipe = recipe or Transformer(2, n_heads=2, n_units=8, patch_size=patch_size)
        objective = objective or MaskedReconstruction(0.4, mask_length=2)
        causal = getattr(objective, "is_causal", False)
        encoder = recipe.make_step_encoder(n_inputs(units, per_sample), LENGTH, causal=causal)
        fixed = LightCurveFeatures(2) if special else KernelBank(2, LENGTH, 200)
        model = SeriesModel(
            PooledSteps(encoder, pooling),
            units,
            objective.make_series_loss(encoder, 2, LENGTH),
            classic=fixed if classic else None,
            per_sample=per_sample,
            causal=causal,
        )
    x = series(special=special)
    rows = Rows(x, x.shape[1:], CPU)
    model.eval().start(rows)
    model.settle(rows)
    return model, x


configured = pytest.mark.parametrize("parameters", CONFIGURATIONS.values(), ids=CONFIGURATIONS)


@configured
def test_hidden_values_never_leak(parameters):
    """No prediction, before it is compared with its target, depends on a hidden value."""
    model, x = make(**parameters)
    values = model.units.value_channels
    x.requires_grad_()
    of_x = model.units(x)
    model.objective.generator = torch.Generator().manual_seed(0)
    drawn = [model.objective.hide(of_x.inside) for _ in range(3)]
    assert any(not hidden[:, :1].eq(hidden).all() for hidden in drawn)  # not all channels alike
    for hidden in [*drawn, *model.objective.rounds(of_x.inside)]:
        predicted, _ = model.predict(of_x, model.objective.head, hidden)
        (slope,) = torch.autograd.grad(predicted.square().sum(), x, retain_graph=True)
        slope = slope[:, values]
        assert not slope[hidden].any()
        assert slope[~hidden].any()


@configured
def test_errors_of_hidden_values_do_not_leak_either(parameters):
    if not parameters.get("special"):
        return
    model, x = make(**parameters)
    head, of_x = model.objective.head, model.units(x)
    hidden = next(iter(model.objective.rounds(of_x.inside)))
    x[:, 1] = torch.where(hidden.all(1), 9.0, x[:, 1])
    after, _ = model.predict(model.units(x), head, hidden)
    assert torch.equal(after, model.predict(of_x, head, hidden)[0])


def test_what_a_series_is_compared_with_is_in_units_of_what_is_seen_of_it():
    """A loud series counts no more than a faint one, nor does one far from the others."""
    model, x = make(per_sample=True, patch_size=3)
    louder = 100 + 30 * x
    rows = Rows(torch.cat([x, louder]), x.shape[1:], CPU)
    model.units.fit(rows)
    head = model.objective.head
    hidden = next(iter(model.objective.rounds(model.units(x).inside)))
    for of, by in ((x, 1), (louder, 30)):
        wanted = model.predict(model.units(of), head, hidden)[1]
        seen = of.masked_fill(hidden, math.nan)
        center = seen.nanmean(2, keepdim=True)
        deviation = (seen - center).square().nanmean(2, keepdim=True).sqrt()
        expected = ((of - center) / deviation).clamp(-8, 8)
        counts = hidden & ~of.isnan()
        torch.testing.assert_close(wanted[counts], expected[counts], rtol=1e-3, atol=1e-3 * by)
    around = [model.judge(of)[:, 1] for of in (x, louder)]
    torch.testing.assert_close(around[0], around[1], rtol=1e-2, atol=0)


def test_a_step_far_from_a_flat_series_does_not_drown_the_others():
    model, x = make(per_sample=True)
    x[0] = 3 + 1e-5 * torch.arange(float(LENGTH))
    x[0, :, 10] = 50.0
    assert model.judge(x)[0, 0] < 2 * 2 * LENGTH * (8 + 3) ** 2


@configured
def test_a_padded_batch_is_one_series_at_a_time(parameters):
    model, x = make(**parameters)
    short = x[..., :13].clone()
    short[..., -1] = x[..., -1]  # the last step of it is observed
    padded = torch.nn.functional.pad(short, (0, 8), value=math.nan)
    both = torch.cat([padded, x])
    for of in (model.encode, model.judge):
        expected = torch.cat([of(row[None]) for part in (short, x) for row in part])
        torch.testing.assert_close(of(both), expected, rtol=1e-4, atol=1e-5)
    steps = model.steps(both)[:6]
    torch.testing.assert_close(steps[:, :13], model.steps(short), rtol=1e-4, atol=1e-5)
    assert steps[:, 13:].isnan().all()
    assert model.impute(both)[:6, 13:].isnan().all()


@configured
def test_the_loss_is_that_of_the_paper(parameters):
    model, x = make(**parameters)
    of_x = model.units(x)
    off = weight = 0.0
    for hidden in model.objective.rounds(of_x.inside):
        predicted, wanted = model.predict(of_x, model.objective.head, hidden)
        for place in (hidden & of_x.observed).nonzero():
            row, channel, step = place.tolist()
            w = 1.0
            if parameters.get("special"):
                w = 1 / (1 + (x[row, 1, step] / model.units.typical_error) ** 2)
            difference = predicted[row, channel, step] - wanted[row, channel, step]
            if not parameters.get("per_sample"):
                assert wanted[row, channel, step] == of_x.values[row, channel, step]
            off, weight = off + w * difference**2, weight + w
    torch.testing.assert_close(model(x), off / weight, rtol=1e-4, atol=0)
    error, _, counted = model.judge(x).sum(0)
    torch.testing.assert_close(error / counted, model(x))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_against_a_loop(pooling):
    model, x = make(pooling=pooling, classic=False, patch_size=2)
    model.feature_mean.zero_(), model.feature_deviation.fill_(1)
    x[1, :, 9:] = math.nan
    if pooling == "attention":
        torch.nn.init.normal_(model.reader.query, generator=torch.Generator().manual_seed(0))
    reading = model.read(model.units(x))
    assert (reading.summary is None) == (pooling != "cls")
    for i, row in enumerate(model.encode(x) / model.shares):
        tokens_of = reading.tokens[i][reading.there[i]]
        expected = {
            "mean": lambda x: x.mean(0),
            "max": lambda x: x.amax(0),
            "last": lambda x: x[-1],
            "mean_std": lambda x: torch.cat([x.mean(0), x.std(0, correction=0)]),
            "attention": lambda x: (x @ model.reader.query / 8**0.5).softmax(0) @ x,
            "cls": lambda x, i=i: reading.summary[i],
        }[pooling](tokens_of)
        torch.testing.assert_close(row, expected.clamp(-8, 8), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", sorted(set(POOLINGS) - {"cls"}))
def test_single_tokens_and_none_have_gradients(pooling):
    model, x = make(pooling=pooling, classic=False, patch_size=2)
    x[1, :, 2:] = x[2] = math.nan
    model.pooled(model.read(model.units(x))).sum().backward()
    assert model.encoder.embed.weight.grad.isfinite().all()


def test_attention_as_pooling_begins_as_the_mean():
    (by_attention, x), (by_mean, _) = (make(pooling=how) for how in ("attention", "mean"))
    torch.testing.assert_close(by_attention.encode(x), by_mean.encode(x))


def test_the_learned_token_is_looked_at_and_looks():
    model, x = make(pooling="cls", patch_size=2)
    maps = model.attention(x)
    assert maps.shape == (6, 12, 12)
    torch.testing.assert_close(maps.sum(2), torch.ones(6, 12))
    x[:, :, 11:] = math.nan
    assert (model.attention(x)[:, :7, :7] > 0).all()
    model(x).backward()
    assert model.reader.summary.grad.any()


def test_padding_is_not_looked_at_even_where_there_is_nothing_else():
    model, x = make(patch_size=2)
    x[2] = math.nan
    maps = model.attention(torch.nn.functional.pad(x, (0, 8), value=math.nan))
    torch.testing.assert_close(maps[:, :11, :11], model.attention(x))


def test_a_learned_token_needs_attention():
    for recipe in (Recurrent(n_units=4), ConvNet((4,))):
        with pytest.raises(ValueError, match=r"pooling=.cls. needs .* Transformer"):
            make(recipe=recipe, pooling="cls")


@pytest.mark.parametrize("pooling", POOLINGS)
@configured
def test_a_series_without_a_value_gets_an_answer(parameters, pooling):
    if pooling == "cls" and "recipe" in parameters:
        return
    model, x = make(**parameters | {"pooling": pooling})
    x[2] = math.nan
    assert model.encode(x).isfinite().all()
    assert model(x).isfinite()
    assert model.normality(x)[2] == 0
    if hasattr(model.encoder, "attention"):
        assert model.attention(x).isfinite().all()


def test_what_is_fixed_and_what_is_learned_weigh_as_they_should():
    model, x = make()
    variance = model.encode(x).var(0, correction=0)
    learned, fixed = variance[:16].sum().item(), variance[16:].sum().item()
    assert learned == pytest.approx(0.05**2, rel=0.05)
    assert 0.5 < fixed <= 1.01  # without the kernels that answer all six rows alike
    assert variance.shape == (model.width,)


def test_predictions_are_given_back_in_units_of_x():
    """A network that says zero says the mean of the channel, or of the series."""
    for per_sample in (False, True):
        model, x = make(per_sample=per_sample)
        torch.nn.init.zeros_(model.objective.head.weight)
        torch.nn.init.zeros_(model.objective.head.bias)
        mean = x.nanmean(2) if per_sample else x.nanmean((0, 2)).expand(6, 2)
        expected = mean[:, None].expand(6, LENGTH, 2)
        torch.testing.assert_close(model.impute(x), expected, rtol=1e-4, atol=1e-4)


def test_each_kind_of_series_has_its_classic():
    uneven = {"time_channel": 0, "band_channel": 1, "n_bands": 3}
    assert make_classic(SeriesUnits(3, **uneven), 50).n_bands == 3
    for length, n_features in ((2, 110), (20, 1100), (500, 2200)):
        assert make_classic(SeriesUnits(1), length).n_features == n_features
    assert make_classic(SeriesUnits(1), 1) is None


def test_rows_at_once_follow_the_length_that_is_met(monkeypatch):
    """Memory is bounded however long a series is, and however short those of the fit were."""
    model, _ = make(classic=False)
    sizes = []
    forward, attention = model.encoder.forward, model.encoder.attention

    def noted(function):
        def of(inputs, times, inside):
            sizes.append(inputs.shape)
            return function(inputs, times, inside)

        return of

    monkeypatch.setattr(model.encoder, "forward", noted(forward))
    monkeypatch.setattr(model.encoder, "attention", noted(attention))
    monkeypatch.setattr("skrepr._series_model._TOKENS_AT_ONCE", 1600)
    monkeypatch.setattr("skrepr._series_model._WEIGHTS_AT_ONCE", 40_000)
    x = torch.randn(40, 2, 100, generator=torch.Generator().manual_seed(0))
    for function in (model.encode, model.impute, model.steps, model.judge):
        sizes.clear()
        with torch.inference_mode():
            function(x)
        assert {shape[0] for shape in sizes} == {16, 8}
    sizes.clear()
    with torch.inference_mode():
        model.attention(x[:9])
    assert {shape[0] for shape in sizes} == {4, 1}


# -------------------------------------------------------------------- about the future

CAUSAL = {name: which for name, which in CONFIGURATIONS.items() if "per_sample" not in which}
CAUSAL["uneven patches"] = {"special": True, "patch_size": 4}
causal = pytest.mark.parametrize("parameters", CAUSAL.values(), ids=CAUSAL)


@causal
@pytest.mark.parametrize("change", ["others", "none"])
def test_the_encoder_does_not_know_of_the_future(parameters, change):
    model, x = make(**parameters, objective=NextStepPrediction(2))
    size = model.encoder.patch_size
    now = 12
    x[1, model.units.value_channels, 8:12] = math.nan  # a gap that may not end
    later = x.clone()
    later[..., now:] = math.nan if change == "none" else later[..., now:].flip(1)
    if parameters.get("special") and change == "others":
        later[:, 0, now:] = x[:, 0, [-1]] + 5  # in times, errors and bands, too
        later[:, 1:3, now:] = 1.0
    before, after = (model.read(model.units(of)).tokens for of in (x, later))
    n = now // size
    torch.testing.assert_close(after[:, :n], before[:, :n])
    if change == "others":
        assert not torch.allclose(after[:, n:], before[:, n:])


@causal
def test_values_are_predicted_from_those_before(parameters):
    model, x = make(**parameters, objective=NextStepPrediction(2))
    size = model.encoder.patch_size
    x.requires_grad_()
    of_x = model.units(x)
    ((predicted, _, counts),) = model.objective.judged(model, of_x)
    for t in (size, 2 * size + 1, LENGTH - 1):
        assert counts[..., t].all()
        (slope,) = torch.autograd.grad(predicted[..., t].square().sum(), x, retain_graph=True)
        slope = slope[:, model.units.value_channels]
        assert not slope[..., t // size * size :].any()
        assert slope[..., : t // size * size].any()


@causal
def test_a_padded_batch_is_one_series_at_a_time_for_causal_encoders(parameters):
    model, x = make(**parameters, objective=NextStepPrediction(3))
    short = x[..., :13].clone()
    short[..., -1] = x[..., -1]  # the last step of it is observed
    padded = torch.nn.functional.pad(short, (0, 8), value=math.nan)
    both = torch.cat([padded, x])
    of_future = [] if parameters.get("special") else [lambda of: model.forecast(of, 7)]
    with torch.no_grad():
        for of in (model.encode, model.judge, *of_future):
            expected = torch.cat([of(row[None]) for part in (short, x) for row in part])
            torch.testing.assert_close(of(both), expected, rtol=1e-4, atol=1e-5)
        for of in (model.steps, model.impute):
            torch.testing.assert_close(of(both)[:6, :13], of(short), rtol=1e-4, atol=1e-5)
            assert of(both)[:6, 13:].isnan().all()


def test_of_nothing_nothing_is_predicted():
    model, x = make(objective=NextStepPrediction(2), patch_size=2)
    x[2] = math.nan
    future = model.forecast(x, 3)
    assert future[2].isnan().all()
    assert future[[0, 1, 3, 4, 5]].isfinite().all()
    assert model(x).isfinite()
    assert model.normality(x)[2] == 0
