"""The bank of dilated kernels, against a transcription, and what must not change its features."""

from itertools import combinations

import numpy as np
import pytest
import torch

from skrepr import _kernel_bank
from skrepr._kernel_bank import KernelBank

NAN = float("nan")


@pytest.fixture
def series():
    noise = torch.randn(30, 2, 40, generator=torch.Generator().manual_seed(0))
    return noise.cumsum(2) + 5


def transcribed(bank, x, kernels):
    """Proportions above the biases, and mean places, step by step, of one channel of a series."""
    x = np.asarray(x, dtype=float) - bank.center.item()
    features, places = [], []
    blocks = [(view, d) for view in (x, np.diff(x)) for d in bank.dilations]
    for (view, dilation), biases in zip(blocks, bank.bias[:, :, 0].double(), strict=True):
        seen = np.flatnonzero(~np.isnan(view))
        first, last = seen[0], seen[-1]
        for bias in biases.numpy():
            for kernel, b in zip(kernels, bias, strict=True):
                above, counts = [], []
                for t in range(first, last + 1):
                    at = t + dilation * np.arange(-4, 5)
                    inside = (at >= first) & (at <= last)
                    response = view[at[inside]] @ kernel[inside]
                    if not np.isnan(response):
                        above.append(response > b)
                        counts.append(t)
                features.append(np.mean(above))
                places.append(np.mean(np.array(counts)[above]) if any(above) else np.nan)
                places[-1] = (places[-1] - counts[0]) / (counts[-1] - counts[0])
    features, places = (np.array(part)[bank.used.numpy()] for part in (features, places))
    return np.concatenate([features, np.nan_to_num(places[9::10], nan=0.5)])


@pytest.mark.parametrize("gap", [[], [12], [0, 1, 20, 21, 39]])
def test_features_are_those_of_the_formula(series, gap):
    kernels = -np.ones((84, 9))
    for kernel, places in zip(kernels, combinations(range(9), 3), strict=True):
        kernel[list(places)] = 2
    x = series[:, :1].clone()
    x[:, :, gap] = NAN
    bank = KernelBank(1, 40, 770).fit(series[:, :1])
    assert bank.dilations == [1, 2, 3, 4]
    features = bank(x[:1]).numpy()[0]
    np.testing.assert_allclose(features, transcribed(bank, x[0, 0], kernels), atol=1e-6)


def test_places_tell_which_comes_first():
    """Of the same two shapes in either order, far from each other and from the ends."""
    x = torch.zeros(2, 1, 120)
    up, down = torch.ones(10), -torch.ones(10)
    for row, (first, second) in zip(x, [(up, down), (down, up)], strict=True):
        row[0, 30:40], row[0, 80:90] = first, second
    bank = KernelBank(1, 20, 1100).fit(x)  # kernels that never see both
    first, second = bank(x)
    torch.testing.assert_close(first[:1000], second[:1000], atol=0.01, rtol=0)
    assert (first[1000:] - second[1000:]).abs().max() > 0.1


@pytest.mark.parametrize("n_channels", [1, 2, 7, 90])
@pytest.mark.parametrize("n_features", [1, 50, 777, 5000])
@pytest.mark.parametrize("length", [2, 9, 200])
def test_there_are_as_many_features_as_asked_for(n_channels, n_features, length):
    x = torch.randn(3, n_channels, length, generator=torch.Generator().manual_seed(0))
    features = KernelBank(n_channels, length, n_features).fit(x)(x)
    assert features.shape == (3, n_features)
    assert features.dtype == torch.float32
    assert features.isfinite().all()


def test_every_channel_and_every_kernel_has_its_part(series):
    bank = KernelBank(7, 40, 2000)
    assert len(bank.kernels.flatten(0, 1).unique(dim=0)) > 60
    x = series[:, :1].expand(-1, 7, -1)
    bank.fit(x)
    for channel in range(7):
        other = x.clone()
        other[:, channel] = -other[:, channel]
        assert (bank(other) != bank(x)).any(0).float().mean() > 0.05


def test_biases_are_quantiles_of_the_training_rows(series):
    bank = KernelBank(2, 40, 3000).fit(series)
    level = bank.level.flatten()[bank.used]
    assert level.min() < 0.03 and level.max() > 0.97
    proportions = bank(series)[:, : len(level)]
    torch.testing.assert_close(proportions.mean(0), 1 - level, atol=0.02, rtol=0)


def test_long_series_give_quantiles_of_some_of_their_steps():
    x = torch.randn(64, 1, 2000, generator=torch.Generator().manual_seed(0)).cumsum(2)
    bank = KernelBank(1, 2000, 200).fit(x)
    level = bank.level.flatten()[bank.used]
    assert (bank(x)[:, : len(level)].mean(0) - 1 + level).abs().mean() < 0.02


def test_padding_changes_nothing(series):
    bank = KernelBank(2, 40, 1000).fit(series)
    for length in (2, 7, 25):
        alone = bank(series[:4, :, :length])
        padded = torch.full((4, 2, 60), NAN)
        padded[..., 5 : 5 + length] = series[:4, :, :length]
        torch.testing.assert_close(bank(padded), alone)
        mask = ~padded[:, 0].isnan()
        torch.testing.assert_close(bank(padded.nan_to_num(123.0), mask), alone)
        torch.testing.assert_close(bank(padded.nan_to_num(-7.0), ~padded.isnan()), alone)


def test_rows_do_not_depend_on_each_other(series, monkeypatch):
    series[1::2, :, 30:] = NAN
    series[::3, 1, 17] = NAN
    bank = KernelBank(2, 40, 1000).fit(series)
    together, bias = bank(series), bank.bias.clone()
    monkeypatch.setattr(_kernel_bank, "_CHUNK_VALUES", 1)
    assert torch.equal(bank(series), together)
    assert torch.equal(bank(series.flip(0)).flip(0), together)
    assert torch.equal(bank.fit(series).bias, bias)


def test_units_do_not_matter(series):
    """Also on flat ground, where rounding alone would tell what is above a bias."""
    steps = series.round()
    features = KernelBank(2, 40, 1000).fit(steps)(steps)
    other = 0.3 * steps + 0.7
    torch.testing.assert_close(KernelBank(2, 40, 1000).fit(other)(other), features)


def test_steps_near_a_missing_value_do_not_count(series):
    """The rest is counted as if the series were the steps that the kernels still see."""
    bank = KernelBank(2, 40, 1000).fit(series)
    mask = torch.ones(30, 40, dtype=torch.bool)
    mask[:, 15] = False
    features = bank(series, mask)
    other = series.clone()
    other[:, :, 15] = 1e3
    assert torch.equal(bank(other, mask), features)
    assert 0.01 < (features - bank(series)).abs().mean() < 0.1


def test_where_nothing_counts_the_feature_says_nothing(series):
    bank = KernelBank(2, 40, 1000).fit(series)
    level = bank.level.flatten()[bank.used]
    average = torch.cat([1 - level, torch.full((1000 - len(level),), 0.5)]).expand(2, -1)
    torch.testing.assert_close(bank(torch.full((2, 2, 40), NAN)), average)
    torch.testing.assert_close(bank(torch.zeros(2, 2, 0)), average)
    assert bank(torch.zeros(2, 2, 1)).isfinite().all()
    assert bank(series[:0]).shape == (0, 1000)


def test_rows_without_any_value_can_be_fitted():
    x = torch.full((5, 2, 20), NAN)
    x[:, 0] = 1.0
    assert KernelBank(2, 20, 500).fit(x)(x).isfinite().all()


def test_buffers_hold_what_is_fitted(series):
    bank = KernelBank(2, 40, 1000).fit(series)
    other = KernelBank(2, 40, 1000)
    other.load_state_dict(bank.state_dict())
    assert torch.equal(other(series), bank(series))
    assert set(bank.state_dict()) == {"bias", "center"}


def test_autocast_is_kept_out(series):
    bank = KernelBank(2, 40, 1000).fit(series)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = bank(series)
    assert torch.equal(under_autocast, bank(series))


@pytest.mark.parametrize("sizes", [(0, 10, 100), (1, 1, 100), (1, 10, 0)])
def test_sizes_are_checked(sizes):
    with pytest.raises(ValueError, match="must be at least"):
        KernelBank(*sizes)


@pytest.mark.parametrize("shape", [(3, 40), (3, 1, 40), (3, 3, 40)])
def test_the_shape_is_checked(series, shape):
    bank = KernelBank(2, 40, 100).fit(series)
    for method in (bank, bank.fit):
        with pytest.raises(ValueError, match=r"shape \(n_samples, 2, length\). Got \(3, "):
            method(torch.zeros(shape))
