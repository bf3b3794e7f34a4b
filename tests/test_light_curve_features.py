"""Features of light curves: the formula, periods that are found, and what must not matter."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from skrepr._light_curve_features import LightCurveFeatures, _features, _periodogram
from skrepr._light_curve_features._curves import as_curves
from skrepr._light_curve_features._folding import fold
from skrepr._light_curve_features._moments import OF_CURVE
from skrepr._light_curve_features._periodogram import power_at
from skrepr.datasets import make_light_curves

NAN = math.nan


def padded(curves):
    """Return times, values, errors and bands of curves, (n, longest) each."""
    longest = max(curve.shape[1] for curve in curves)
    columns = np.full((4, len(curves), longest), NAN)
    for i, curve in enumerate(curves):
        columns[:, i, : curve.shape[1]] = curve
    return [torch.tensor(column) for column in columns]


@pytest.fixture(scope="module")
def stars():
    """Curves of every class in three bands, two years long, and their truth."""
    data = make_light_curves(48, baseline=400, random_state=0)
    return padded(data.curves), data


@pytest.fixture(scope="module")
def features(stars):
    return LightCurveFeatures(n_bands=3, min_period=0.2).fit(stars[0][0])


def of(features, columns, name):
    return features(*columns)[:, features.names.index(name)]


def least_squares_power(time, value, error, band, frequency):
    """Share of the weighted squares that a sinusoid explains next to a constant per band."""
    seen = np.isfinite(time)
    time, value, error, band = (x[seen] for x in (time, value, error, band))
    constants = (band[:, None] == np.unique(band)).astype(float)
    angle = 2 * np.pi * frequency * (time - time[0])
    sinusoid = np.stack([np.cos(angle), np.sin(angle)], 1)

    def chi_square(design):
        design, target = design / error[:, None], value / error
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        return np.sum((target - design @ solution) ** 2)

    none = chi_square(constants)
    return 1 - chi_square(np.concatenate([constants, sinusoid], 1)) / none


def test_power_is_that_of_least_squares(stars):
    """One sinusoid, a constant for each band, errors as weights: in float64."""
    columns = [x[:12] for x in stars[0]]
    seen = columns[0].isfinite()
    curves = as_curves(*columns, seen, 3)
    # errors that are too small to be believed, and constants, have a test of their own
    usual = torch.nanmedian(columns[2], dim=1, keepdim=True).values
    columns[2] = columns[2].maximum(0.1 * usual)
    frequency = torch.tensor([0.0213, 0.34, 1.7, 4.013], dtype=torch.float64).expand(12, -1)
    power = power_at(curves, frequency)
    for *curve, own in zip(*(x.numpy() for x in columns), power.numpy(), strict=True):
        expected = [least_squares_power(*curve, f) for f in frequency[0].numpy()]
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-9)


def test_harmonics_are_those_of_ridge_regression(stars):
    """Three harmonics, a constant for each band that is not shrunk."""
    columns = [x[:12] for x in stars[0]]
    curves = as_curves(*columns, columns[0].isfinite(), 3)
    explained = _periodogram._explained_by_harmonics(
        curves, torch.full((12, 1), 0.34, dtype=torch.float64)
    )
    for row in range(12):
        n = int(curves.n_observations[row])
        value, weight, time, band = (
            x[row, :n].numpy() for x in (curves.value, curves.weight, curves.time, curves.band)
        )
        angle = 2 * np.pi * 0.34 * time * np.arange(1, 4)[:, None]
        design = np.concatenate([np.cos(angle), np.sin(angle)])
        for b in np.unique(band):
            of_band = band == b
            mean = np.average(design[:, of_band], axis=1, weights=weight[of_band])
            design[:, of_band] -= mean[:, None]
        gram = design * weight @ design.T + 0.5 / n * np.eye(6)
        target = design * weight @ value
        expected = target @ np.linalg.solve(gram, target)
        assert explained[row, 0] == pytest.approx(expected, rel=1e-6)


def test_power_of_one_band_is_the_formula_of_the_paper():
    """Zechmeister and Kuerster (2009), eqs. 4 to 15, transcribed."""
    rng = np.random.default_rng(0)
    t, error = np.sort(rng.uniform(0, 80, 60)), rng.uniform(0.5, 2, 60)
    y = np.sin(t) + rng.normal(size=60)
    w = error**-2 / np.sum(error**-2)
    frequency = np.linspace(0.02, 3, 50)
    expected = []
    for omega in 2 * np.pi * frequency:
        c, s = np.cos(omega * t), np.sin(omega * t)
        big_y, big_c, big_s = w @ y, w @ c, w @ s
        yy, yc, ys = w @ y**2 - big_y**2, w @ (y * c) - big_y * big_c, w @ (y * s) - big_y * big_s
        cc, ss, cs = w @ c**2 - big_c**2, w @ s**2 - big_s**2, w @ (c * s) - big_c * big_s
        d = cc * ss - cs**2
        expected.append((ss * yc**2 + cc * ys**2 - 2 * cs * yc * ys) / (yy * d))
    columns = [torch.tensor(x)[None] for x in (t, y, error, 0 * t)]
    curves = as_curves(*columns, torch.ones(1, 60, dtype=torch.bool), 1)
    power = power_at(curves, torch.tensor(frequency)[None])
    np.testing.assert_allclose(power[0], expected, rtol=1e-6)


def test_the_search_sees_every_frequency(stars, features):
    """Its products of tables are the sums at each frequency, in float32."""
    columns = [x[:6] for x in stars[0]]
    curves = as_curves(*columns, columns[0].isfinite(), 3)
    n = int(features.n_frequencies)
    assert n > _periodogram._COARSE  # more than one row of the tables
    frequency = features.step * (2 + torch.arange(n))
    power = torch.cat([power_at(curves, f.expand(6, -1)) for f in frequency.split(500)], 1)
    binned, candidates = _periodogram.search(curves, features.step, n)
    highest, at = power.max(1)
    torch.testing.assert_close(binned.amax(1).double(), highest, atol=1e-4, rtol=0)
    torch.testing.assert_close(candidates[:, 0], frequency[at], atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["rr_lyrae_ab", "rr_lyrae_c", "cepheid", "contact_binary"])
def test_periods_are_found(kind):
    """An eclipsing binary has two equal cycles of a sinusoid in one period."""
    data = make_light_curves(24, classes=kind, baseline=700, random_state=1)
    columns = padded(data.curves)
    found = 10 ** of(LightCurveFeatures(3).fit(columns[0]), columns, "log_period").double()
    ratio = found.numpy() / data.latents["period"].to_numpy()
    cycles = 2 if kind == "contact_binary" else 1
    assert (np.abs(cycles * ratio - 1) < 5e-3).mean() > 0.9


def test_harmonics_tell_the_period_from_its_daily_aliases():
    """Of a sinusoid as good as seen at one hour of the night the aliases fit, too."""
    generator = torch.Generator().manual_seed(0)
    time = 500 * torch.rand(20, 60, generator=generator, dtype=torch.float64)
    time = time.floor() + 0.15 * torch.rand(20, 60, generator=generator, dtype=torch.float64)
    period = 0.45 + 0.2 * torch.rand(20, 1, generator=generator)
    value = (time / period) % 1 + 0.05 * torch.randn(20, 60, generator=generator)
    features = LightCurveFeatures(min_period=0.2).fit(time)
    found = 10 ** of(features, (time, value), "log_period")
    assert ((found / period[:, 0] - 1).abs() < 1e-3).float().mean() > 0.8
    curves = as_curves(time, value.double(), 0 * time, 0 * time, time >= 0, 1)
    frequency = torch.cat([1 / period, 1 / period - 1, 1 / period + 1], 1).double()
    assert (power_at(curves, frequency).argmax(1) > 0).float().mean() > 0.1


def test_a_period_between_the_frequencies_of_the_grid_is_found_as_well():
    time = torch.linspace(0, 100, 300, dtype=torch.float64).expand(8, -1) ** 1.01
    features = LightCurveFeatures(min_period=1.0).fit(time)
    frequency = features.step * (40 + torch.linspace(0, 1, 8))[:, None]
    value = torch.cos(2 * math.pi * frequency * time)
    found = 10 ** -of(features, (time, value), "log_period").double()
    assert ((found - frequency[:, 0]).abs() < 0.04 * features.step).all()
    assert (of(features, (time, value), "power") > 0.999).all()


def test_folded_curves_have_their_phase_and_their_shape():
    generator = torch.Generator().manual_seed(0)
    time = 300 * torch.rand(3, 400, generator=generator, dtype=torch.float64)
    time[:, 0] = 0
    phase = time / 0.73 + torch.tensor([[0.0], [0.2], [0.9]])
    value = 15 + 2 * torch.cos(2 * math.pi * phase)
    features = LightCurveFeatures(n_bins=16, min_period=0.3).fit(time)
    z = features(time, value)
    at = features.names.index("fold_0")
    expected = -(2**0.5) * torch.cos(2 * math.pi * torch.arange(16) / 16)
    torch.testing.assert_close(z[:, at : at + 16], expected.expand(3, -1), atol=0.1, rtol=0)
    twice = z[:, at + 16 :]
    torch.testing.assert_close(twice[:, :8], expected[::2].expand(3, -1), atol=0.2, rtol=0)


def test_bins_are_means_shrunk_by_half_an_observation():
    """Observations between the middles of two bins are shared by them; an empty bin is 0."""
    phase = torch.tensor([[0.0, 0.03, 0.1, 0.5, 0.5, 0.78]], dtype=torch.float64)
    value = torch.tensor([[3.0, 2.0, 1.0, -4.0, -1.0, 0.5]], dtype=torch.float64)
    curves = as_curves(phase * 7, value, 0 * value, 0 * value, value > -9, 1)
    folded, explained = fold(curves, *torch.tensor([[1 / 7], [0.9]], dtype=torch.float64), 10)
    above, weight = np.zeros(10), np.zeros(10)
    for time, x in zip(curves.time[0].numpy(), curves.value[0].numpy(), strict=True):
        position = 10 * ((time / 7 + 0.1) % 1)
        for b in range(10):
            distance = min(abs(position - b), 10 - abs(position - b))
            share = max(0, 1 - distance) / 6
            above[b] += share * x
            weight[b] += share
    expected = above / (weight + 0.5 / 6)
    np.testing.assert_allclose(folded[0], expected, atol=1e-6)
    assert (folded[0, 4:5] == 0).all()
    assert 0.5 < explained[0] < 1


def test_at_twice_the_period_eclipses_differ():
    """The deeper one, of higher magnitude, comes in the first half."""
    generator = torch.Generator().manual_seed(0)
    time = 300 * torch.rand(4, 600, generator=generator, dtype=torch.float64)
    phase = (time / 1.46 + torch.linspace(0, 1, 4)[:, None]) % 1
    depth = torch.where(phase < 0.5, 1.0, 0.6)
    value = depth * torch.exp(-((((2 * phase) % 1 - 0.5) / 0.15) ** 2))
    features = LightCurveFeatures(min_period=0.3).fit(time)
    torch.testing.assert_close(
        of(features, (time, value), "log_period"), torch.full((4,), math.log10(0.73)),
        atol=1e-4, rtol=0,
    )  # fmt: skip
    twice = features(time, value)[:, -32:]
    assert (twice[:, :16].amax(1) > 1.3 * twice[:, 16:].amax(1)).all()
    explained, once = (of(features, (time, value), f"explained{x}") for x in ("_twice", ""))
    assert (explained > once + 0.05).all()


def test_order_of_observations_does_not_matter(stars, features):
    time, *rest = stars[0]
    columns = 10 * (time / 10).ceil(), *rest  # several are at the same time in the same band
    z = features(*columns)
    shuffle = torch.randperm(time.shape[1], generator=torch.Generator().manual_seed(0))
    assert torch.equal(features(*(x[:, shuffle] for x in columns)), z)


def test_origin_of_time_does_not_matter(stars, features):
    time, *rest = stars[0]
    z = features(time, *rest)
    assert time.nanmedian() > 1e4
    other = features(time - time.nan_to_num(math.inf).amin(1, keepdim=True), *rest)
    torch.testing.assert_close(other, z, atol=1e-3, rtol=1e-3)
    other = features(time + 2.4e6, *rest)  # good to 4e-10 days
    torch.testing.assert_close(other, z, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("known", [True, False])
def test_units_of_value_shift_and_scale_what_is_said(stars, features, known):
    time, value, error, band = stars[0]
    error = error if known else torch.zeros_like(error)
    z = features(time, value, error, band)
    other = features(time, 100 * value + 1, 100 * error, band)
    for i, name in enumerate(features.names):
        expected = z[:, i]
        if name == "mean":
            expected = 100 * expected + 1
        elif name.startswith("color"):
            expected = 100 * expected
        elif name in {"log_std", "log_error", "log_slope"}:
            expected = expected + 2
        torch.testing.assert_close(other[:, i], expected, atol=1e-3, rtol=1e-3)


def test_errors_are_weights():
    """Wild values do not matter where their errors say that they are wild."""
    generator = torch.Generator().manual_seed(0)
    time = 100 * torch.rand(1, 200, generator=generator, dtype=torch.float64)
    value = torch.sin(2 * math.pi * time / 3.3)
    wild = torch.rand(1, 200, generator=generator) < 0.3
    value = value + 100 * wild * torch.randn(1, 200, generator=generator)
    error = torch.where(wild, 100.0, 0.01)
    features = LightCurveFeatures(min_period=1.0).fit(time)
    period = torch.tensor([math.log10(3.3)])
    found = of(features, (time, value, error), "log_period")
    torch.testing.assert_close(found, period, atol=1e-3, rtol=0)
    assert of(features, (time, value, error), "power") > 0.9
    assert of(features, (time, value), "power") < 0.3


def test_an_error_that_is_far_too_small_is_not_believed():
    time = torch.linspace(0, 100, 200, dtype=torch.float64)[None]
    value = torch.sin(2 * math.pi * time / 3.3)
    error = torch.full_like(value, 0.1)
    error[0, 50] = 1e-9
    value[0, 50] += 3
    features = LightCurveFeatures(min_period=1.0).fit(time)
    assert of(features, (time, value, error), "power") > 0.2
    less = error.clone()
    less[0, 50] = 1e-2
    assert torch.equal(features(time, value, error), features(time, value, less))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("errors", [None, 0.0, 0.1])
def test_few_observations_and_constants_have_features_too(features, n, errors):
    generator = torch.Generator().manual_seed(n)
    time = 5.8e4 + 100 * torch.rand(6, 9, generator=generator, dtype=torch.float64)
    time[:, n:] = NAN
    time[1] = time[1, 0]  # all at once
    value = 18 + torch.randn(6, 9, generator=generator)
    value[2:4] = 18.1
    value[3:5] = 0
    band = torch.randint(3, (6, 9), generator=generator)
    error = None if errors is None else torch.full_like(value, errors)
    z = features(time, value, error, band)
    assert z.isfinite().all()
    assert z.abs().max() < 50
    assert (z[2:5, features.names.index("power")] == 0).all()
    if n < 4:
        assert (z[:, features.names.index("power")] == 0).all()


def test_a_period_needs_three_observations_more_than_bands():
    time = torch.rand(20, 4, generator=torch.Generator().manual_seed(0)).double().cumsum(1)
    value = torch.randn(20, 4, generator=torch.Generator().manual_seed(1))
    features = LightCurveFeatures().fit(time)
    assert (of(features, (time, value), "power") > 0).all()
    value[:, 3] = NAN
    assert (of(features, (time, value), "power") == 0).all()
    longest = torch.full((20,), -math.log10(2 * float(features.step)))
    torch.testing.assert_close(of(features, (time, value), "log_period"), longest)


def test_extreme_units_have_finite_features(features):
    time = 5.8e4 + torch.rand(2, 50, generator=torch.Generator().manual_seed(0)).double().cumsum(1)
    value = 1e-26 * (5 + torch.sin(time))
    z = features(time, value, 0.1 * value.abs())
    assert z.isfinite().all()
    assert (z[:, features.names.index("power")] > 0.9).all()


def test_training_rows_without_two_times_can_be_fitted():
    time = torch.tensor([[5.0, NAN], [NAN, NAN]], dtype=torch.float64)
    features = LightCurveFeatures().fit(time)
    assert features(time, torch.ones(2, 2)).isfinite().all()
    assert features(time[:0], torch.ones(0, 2)).shape == (0, features.n_features)


def test_rows_do_not_depend_on_each_other(stars, features, monkeypatch):
    z = features(*stars[0])
    monkeypatch.setattr(_features, "_CHUNK_VALUES", 1)
    torch.testing.assert_close(features(*stars[0]), z, atol=1e-3, rtol=1e-3)


def test_what_is_masked_does_not_count(stars, features):
    time, value, error, band = (x[:10] for x in stars[0])
    mask = torch.rand(time.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    z = features(time, value.where(mask, NAN), error, band)
    assert not torch.equal(z, features(time, value, error, band))
    assert torch.equal(features(time, value, error, band, mask), z)
    assert torch.equal(features(time, value, error.where(mask, math.inf), band), z)
    assert torch.equal(features(time, value, error, band.where(mask, 3)), z)
    assert torch.equal(features(time.where(mask, NAN), value, error, band), z)


def test_moments_are_those_of_numpy():
    rng = np.random.default_rng(0)
    time, value = np.sort(rng.uniform(0, 50, 101)), rng.gamma(2.0, size=101)
    error = np.full(101, 0.2)
    columns = [torch.tensor(x)[None] for x in (time, value, error)]
    features = LightCurveFeatures(min_period=1.0).fit(columns[0])
    z = dict(zip(features.names, features(*columns)[0].tolist(), strict=True))
    shortest = 1 / float(features.n_frequencies * features.step)
    centered, std = value - value.mean(), value.std()
    q05, q25, q50, q75, q95 = np.quantile(value, [0.05, 0.25, 0.5, 0.75, 0.95])
    product = centered[1:] * centered[:-1] / error[0] ** 2
    expected = {
        "log_n_observations": np.log10(102),
        "log_span": np.log10(np.ptp(time)),
        "mean": value.mean(),
        "log_std": np.log10(std),
        "log_error": np.log10(0.2),
        "log_chi_square": np.log10(np.sum((centered / error) ** 2) / 100),
        "skewness": np.arcsinh(np.mean(centered**3) / std**3),
        "kurtosis": np.arcsinh(np.mean(centered**4) / std**4 - 3),
        "median": (q50 - value.mean()) / std,
        "log_width": np.log10((q95 - q05) / std),
        "quartile_ratio": (q75 - q25) / (q95 - q05),
        "upper_ratio": (q95 - q50) / (q95 - q05),
        "lowest": np.arcsinh(centered.min() / std),
        "highest": np.arcsinh(centered.max() / std),
        "log_von_neumann": np.log10(np.mean(np.diff(value) ** 2) / std**2),
        "stetson_j": np.arcsinh(np.mean(np.sign(product) * np.sqrt(np.abs(product)))),
        "stetson_k": np.mean(np.abs(centered)) / std,
        "log_slope": np.log10(np.max(np.abs(np.diff(value)) / np.diff(time).clip(shortest))),
        "trend": np.corrcoef(time, value)[0, 1],
    }
    for name, number in expected.items():
        assert z[name] == pytest.approx(number, abs=2e-3), name


def test_changes_are_between_observations_of_one_band():
    time = torch.arange(40.0, dtype=torch.float64)[None]
    band = torch.arange(40)[None] % 2
    value = time + 100 * band
    features = LightCurveFeatures(n_bands=2).fit(time)
    std = np.arange(0, 40, 2).std()
    found = of(features, (time, value, torch.ones_like(value), band), "log_von_neumann")
    assert found.item() == pytest.approx(np.log10(2**2 / std**2 + 1e-3), abs=1e-3)


def test_colors_are_between_bands():
    generator = torch.Generator().manual_seed(0)
    time = torch.rand(2, 60, generator=generator, dtype=torch.float64).cumsum(1)
    band = torch.arange(60).expand(2, -1) % 3
    value = torch.tensor([15.0, 16.0, 18.5])[band]
    features = LightCurveFeatures(n_bands=4).fit(time)
    z = features(time, value, torch.full_like(value, 0.1), band)
    names = [f"{name}_{b}" for name in ("color", "share") for b in range(4)]
    expected = torch.tensor([-1.5, -0.5, 2, 0, 1 / 3, 1 / 3, 1 / 3, 0])
    torch.testing.assert_close(
        z[:, [features.names.index(name) for name in names]], expected.expand(2, -1)
    )
    assert (z[:, features.names.index("power")] == 0).all()  # no band varies


def test_frequencies_follow_from_the_times():
    time = torch.arange(0, 1000, 0.5, dtype=torch.float64)[None]
    features = LightCurveFeatures().fit(time)
    assert features.step == pytest.approx(0.5 / 999.5)
    assert features.n_frequencies * features.step == pytest.approx(1.0, rel=0.01)
    close = torch.cat([time, time + 1e-4], 1)
    assert LightCurveFeatures().fit(close).n_frequencies == _features._MOST_FREQUENCIES
    mask = torch.cat([time >= 0, time < 0], 1)
    assert LightCurveFeatures().fit(close, mask).n_frequencies == features.n_frequencies
    own = LightCurveFeatures(min_period=0.1).fit(close)
    assert own.n_frequencies * own.step == pytest.approx(10.0, rel=0.01)


def test_buffers_hold_what_is_fitted(stars, features):
    columns = [x[:5] for x in stars[0]]
    other = LightCurveFeatures(n_bands=3, min_period=0.2)
    other.load_state_dict(features.state_dict())
    assert torch.equal(other(*columns), features(*columns))


@pytest.mark.parametrize("parameters", [{"n_bands": 0}, {"n_bins": 7}, {"min_period": 0.0}])
def test_parameters_are_checked(parameters):
    with pytest.raises(ValueError, match=f"{next(iter(parameters))} must be"):
        LightCurveFeatures(**parameters)


@pytest.mark.parametrize(("n_bands", "n_bins"), [(1, 8), (3, 32)])
def test_groups_count_by_what_they_say_and_not_by_their_columns(n_bands, n_bins):
    """A fold of more bins, or more bands, move a curve no farther."""
    features = LightCurveFeatures(n_bands, n_bins)
    squares = pd.Series(features.weights.square().numpy(), features.names)
    starts = "fold_twice_", "fold_", "periodogram_", "share_", "color_", "std_"
    of = {start: squares[squares.index.str.match(rf"{start}\d+$")].sum() for start in starts}
    np.testing.assert_allclose([of["fold_twice_"], of["periodogram_"]], of["fold_"], rtol=1e-5)
    bands = of["share_"] + of["color_"] + of["std_"]
    np.testing.assert_allclose(
        [bands, squares["log_span"] * len(OF_CURVE)], 2 * of["fold_"], rtol=1e-5
    )
    np.testing.assert_allclose(squares.sum(), 1, rtol=1e-5)
