"""Light curves: what is returned, its seeds, honest errors, and periods that can be found."""

import time

import numpy as np
import pytest

from skrepr.datasets import make_light_curves
from skrepr.datasets._light_surveys import EXTINCTION


@pytest.fixture(scope="module")
def data():
    return make_light_curves(400, random_state=0)


def joined(data):
    """Return the object of each observation, and all observations in one array."""
    lengths = [curve.shape[1] for curve in data.curves]
    return np.repeat(np.arange(len(lengths)), lengths), np.hstack(data.curves)


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@pytest.mark.parametrize("survey", ["ztf", "lsst", "tess"])
def test_shapes_and_types(survey):
    data = make_light_curves(150, survey=survey, random_state=0)
    assert len(data.curves) == len(data.labels) == len(data.latents) == 150
    assert data.channels == ("time", "magnitude", "error", "band")
    assert len(set(data.labels)) == 12
    for curve in data.curves:
        assert curve.dtype == np.float64 and curve.ndim == 2 and len(curve) == 4
        assert curve.shape[1] >= 1 and np.isfinite(curve).all()
        assert curve.flags.c_contiguous and curve.flags.owndata
        assert (np.diff(curve[0]) > 0).all() and curve[0, 0] >= 60000
        assert (curve[2] > 0).all()
        assert set(curve[3]) <= set(range(len(data.bands)))
    text = make_light_curves.__doc__
    assert all(f"``{name}``" in text for name in data.latents)
    assert all(f'``"{name}"``' in text for name in data.labels)
    assert f"(n_samples, {data.latents.shape[1]})" in text


def test_seeds():
    first, again, other = (make_light_curves(60, random_state=seed) for seed in (0, 0, 1))
    assert same(first.curves, again.curves) and first.latents.equals(again.latents)
    assert (first.labels == again.labels).all()
    assert not same(first.curves, other.curves)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert not same(make_light_curves(5).curves, make_light_curves(5).curves)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("survey", ["ztf", "tess"])
def test_more_objects_do_not_change_the_first(survey):
    few, many = (
        make_light_curves(n, survey=survey, outlier_fraction=0.1, random_state=0)
        for n in (50, 300)
    )
    for one, other in zip(few.curves, many.curves):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    assert few.latents.equals(many.latents.iloc[:50])


def test_noise_scatters_around_the_same_curves(data):
    clean = make_light_curves(400, noise=0, random_state=0)
    twice = make_light_curves(400, noise=2, random_state=0)
    _, (at, true, no_error, band) = joined(clean)
    _, (_, _, error, _) = joined(data)
    _, twice_as_noisy = joined(twice)
    assert (twice_as_noisy[0] == at).all() and (twice_as_noisy[3] == band).all()
    assert (no_error == 0).all()
    np.testing.assert_allclose(twice_as_noisy[2], 2 * error)
    assert clean.latents.equals(data.latents)
    pull = (twice_as_noisy[1] - true) / twice_as_noisy[2]
    assert pull.mean() == pytest.approx(0, abs=0.02) and pull.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("survey", ["ztf", "lsst", "tess"])
def test_errors_are_honest(survey):
    """Constants scatter around their mean in each band as their errors say: chi-square."""
    data = make_light_curves(40, classes="constant", survey=survey, random_state=0)
    squares = freedom = 0
    for _, magnitude, error, band in data.curves:
        for one in np.unique(band):
            y, weight = magnitude[band == one], error[band == one] ** -2
            squares += (weight * (y - np.average(y, weights=weight)) ** 2).sum()
            freedom += len(y) - 1
    assert freedom > 5000
    assert squares / freedom == pytest.approx(1, abs=0.05)


def test_errors_grow_towards_the_faint(data):
    _, (_, magnitude, error, _) = joined(data)
    bright, faint = magnitude < 15.5, magnitude > 19.5
    assert np.median(error[bright]) < 0.015 and np.median(error[faint]) > 0.05
    assert error.max() < 0.35  # what is fainter than the depth is not there


def test_bands_are_offset_by_temperature_and_dust():
    data = make_light_curves(300, classes=["constant"], survey="lsst", random_state=0)
    assert data.bands == tuple("ugrizy")
    row, (_, magnitude, _, band) = joined(data)
    mean = np.array(
        [[np.median(magnitude[(row == k) & (band == b)]) for b in (1, 2)] for k in range(300)]
    )
    truth = data.latents
    in_r = truth["magnitude"] + EXTINCTION["r"] * truth["reddening"]
    np.testing.assert_allclose(mean[:, 1], in_r, atol=0.03)
    blue_less_red = mean[:, 0] - mean[:, 1]
    intrinsic = blue_less_red - (EXTINCTION["g"] - EXTINCTION["r"]) * truth["reddening"]
    ranks = np.column_stack([intrinsic, truth["temperature"]]).argsort(axis=0).argsort(axis=0)
    assert np.corrcoef(ranks.T)[0, 1] < -0.95
    assert 0.2 < np.median(blue_less_red) < 1.2


def test_bands_are_chosen():
    data = make_light_curves(30, bands=["r", "g"], random_state=0)
    _, (_, magnitude, _, band) = joined(data)
    assert data.bands == ("r", "g") and set(band) == {0, 1}
    assert magnitude[band == 1].mean() > magnitude[band == 0].mean()
    alone = make_light_curves(30, bands="g", classes="constant", random_state=0)
    assert alone.bands == ("g",)
    assert min(curve.shape[1] for curve in alone.curves) > 100  # it takes all visits


def test_baseline():
    data = make_light_curves(60, baseline=100, random_state=0)
    at = joined(data)[1][0]
    assert at.min() > 60000 and at.max() < 60101
    short = make_light_curves(300, baseline=1, random_state=0)
    assert min(curve.shape[1] for curve in short.curves) == 1


def test_who_is_too_faint_is_seen_once():
    """Miras at minimum are beyond the depth in g; their curves are short, not absent."""
    data = make_light_curves(100, classes="mira", bands="g", baseline=30, random_state=0)
    lengths = np.array([curve.shape[1] for curve in data.curves])
    assert len(lengths) == 100 and lengths.min() == 1 and (lengths > 5).sum() > 20
    faint = np.array([curve[1].max() for curve in data.curves])
    assert faint[lengths == 1].max() > 20.8


def test_classes_and_their_frequencies():
    data = make_light_curves(1000, classes={"quasar": 9, "transit": 1}, random_state=0)
    assert set(data.labels) == {"quasar", "transit"}
    assert (data.labels == "quasar").mean() == pytest.approx(0.9, abs=0.03)
    assert set(make_light_curves(20, classes="mira", random_state=0).labels) == {"mira"}


def test_outliers():
    plain, wrong = (
        make_light_curves(100, outlier_fraction=fraction, random_state=0) for fraction in (0, 0.05)
    )
    _, before = joined(plain)
    _, after = joined(wrong)
    moved = before[1] != after[1]
    assert (before[[0, 2, 3]] == after[[0, 2, 3]]).all()
    assert moved.mean() == pytest.approx(0.05, abs=0.01)
    by = (after[1] - before[1])[moved]
    assert np.abs(by).min() >= 0.2 and (by > 0).mean() == pytest.approx(0.5, abs=0.1)


def periodogram(curve, frequencies):
    """Return the share of variance that one sine explains, bands at their own means.

    Zechmeister and Kuerster (2009), equation 5, with weights by the errors.
    """
    at, y, error, band = curve
    w = error**-2 / (error**-2).sum()
    y = y.copy()
    for one in np.unique(band):
        y[band == one] -= np.average(y[band == one], weights=w[band == one])
    turn = np.exp(2j * np.pi * np.outer(frequencies, at - at[0]))
    c, s = turn.real, turn.imag
    yc, ys, mean_c, mean_s = c @ (w * y), s @ (w * y), c @ w, s @ w
    cc, ss, cs = c**2 @ w - mean_c**2, s**2 @ w - mean_s**2, (c * s) @ w - mean_c * mean_s
    determinant = cc * ss - cs**2
    return (ss * yc**2 + cc * ys**2 - 2 * cs * yc * ys) / (determinant * (w * y**2).sum())


@pytest.mark.parametrize(
    ("name", "cycles", "least", "most"),
    [
        ("rr_lyrae_ab", 1, 0.8, 4),
        ("rr_lyrae_c", 1, 1.5, 5),
        ("cepheid", 1, 0.02, 0.8),
        ("contact_binary", 2, 2, 9),
        ("mira", 1, 0.001, 0.02),
    ],
)
def test_periods_are_found(name, cycles, least, most):
    """By Lomb and Scargle; of contact binaries half the period, which has one minimum."""
    baseline = 1096 if name == "mira" else 250
    data = make_light_curves(12, classes=[name], baseline=baseline, random_state=0)
    frequencies = np.arange(least, most, 0.15 / baseline)
    found = [frequencies[periodogram(curve, frequencies).argmax()] for curve in data.curves]
    expected = cycles / data.latents["period"]
    assert (np.abs(found - expected) < 1 / baseline).mean() > 0.8


def test_constants_have_no_period():
    frequencies = np.arange(0.01, 5, 0.15 / 250)
    for curve in make_light_curves(5, classes="constant", baseline=250, random_state=0).curves:
        assert periodogram(curve, frequencies).max() < 0.6


@pytest.mark.parametrize("name", ["transit", "detached_binary"])
def test_eclipses_are_seen_at_their_epochs(name):
    data = make_light_curves(60, classes=[name], survey="tess", noise=0, random_state=0)
    for k, (at, magnitude, _, _) in enumerate(data.curves):
        truth = data.latents.loc[k]
        phase = (at - truth["epoch"] + truth["period"] / 2) % truth["period"]
        distance = np.abs(phase - truth["period"] / 2)
        if distance.min() > 0.01:  # days; a long period with its eclipse in a gap
            continue
        depth = magnitude[distance.argmin()] - np.median(magnitude)
        assert depth == pytest.approx(truth["amplitude"], rel=0.25)


def test_structure_function_of_quasars():
    data = make_light_curves(300, classes=["quasar"], bands=["r"], noise=0, random_state=0)
    lags, ratios = [], []
    for k, (at, magnitude, _, _) in enumerate(data.curves):
        truth = data.latents.loc[k]
        lags.append((at[1:] - at[0]) / truth["timescale"])
        ratios.append(((magnitude[1:] - magnitude[0]) / truth["amplitude"]) ** 2)
    lags, ratios = np.concatenate(lags), np.concatenate(ratios)
    for least, most in ((0.02, 0.05), (0.1, 0.2), (0.5, 0.7)):
        at = (lags > least) & (lags < most)
        expected = 1 - np.exp(-lags[at].mean())
        assert ratios[at].mean() == pytest.approx(expected, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("survey", ["ztf", "lsst", "tess"])
def test_ten_thousand_curves_take_less_than_20_s(survey):
    before = time.process_time()
    make_light_curves(10_000, survey=survey, random_state=0)
    assert time.process_time() - before < 20


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 0}, "n_samples == 0, must be >= 1"),
        ({"noise": -1}, "noise == -1, must be >= 0"),
        ({"outlier_fraction": 1.5}, "outlier_fraction == 1.5, must be <= 1"),
        ({"baseline": 0.5}, "baseline == 0.5, must be >= 1"),
        ({"survey": "sdss"}, "survey must be one of ztf, lsst, tess. Got 'sdss' instead"),
        ({"classes": ["nova"]}, r"classes must be some of cepheid, .* Got \['nova'\] instead"),
        ({"classes": []}, r"classes must be some of .* Got none instead"),
        ({"classes": {"mira": -1}}, r"classes\['mira'\] == -1, must be >= 0"),
        ({"classes": {"mira": 0}}, "must have a positive sum. Got {'mira': 0}"),
        ({"bands": ["u"]}, r"bands must be some of g, r, i, .* Got \('u',\) instead"),
        ({"bands": ["g", "g"]}, "each once"),
        ({"bands": []}, "bands must be some of"),
        ({"baseline": np.inf}, "baseline == inf, must be <= 36525"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_light_curves(**parameters)


def test_a_parameter_of_another_type():
    with pytest.raises(TypeError, match="n_samples must be an instance of int"):
        make_light_curves(10.5)
    with pytest.raises(TypeError, match="must be an instance of float"):
        make_light_curves(classes={"mira": "often"})
