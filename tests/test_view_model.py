"""The encoder that views pass through."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skrepr._rows import Rows
from skrepr._start import ChannelUnits
from skrepr._training import carry_generator
from skrepr._view_model import ViewModel
from skrepr.architectures import MLP, ConvNet, make_thumbnail
from skrepr.augmentations import FeatureSwap, GaussianNoise
from skrepr.objectives import BYOL, DINO, SimCLR

DIGITS = torch.from_numpy(load_digits().data.astype(np.float32))


def make(shape=(64,), *, parts=(), objective=None, n=300):
    recipe = MLP((16,)) if len(shape) == 1 else ConvNet((8, 8), activation="relu")
    backbone = recipe.make_backbone(shape)
    torch.manual_seed(0)
    loss = (objective or SimCLR(projection_sizes=(8, 4))).make_loss(backbone, backbone.width)
    module = ViewModel(backbone, ChannelUnits(shape), loss, list(parts), make_thumbnail(shape))
    carry_generator(module, torch.Generator().manual_seed(0))
    rows = Rows(DIGITS[:n], shape, torch.device("cpu"))
    module.start(rows)
    module.eval().settle(rows)
    return module, rows


@pytest.mark.parametrize("shape", [(64,), (1, 64), (1, 8, 8)])
def test_features_join_the_encoder_and_some_of_the_sample(shape):
    module, rows = make(shape)
    with torch.inference_mode():
        features = module.encode(next(iter(rows.blocks()))).numpy()
    is_table = len(shape) == 1
    of_head = [8] if len(shape) == 2 else []  # of series alone
    widths = [*module.backbone.read_widths, *of_head, 64]
    assert features.shape == (300, module.width) == (300, sum(widths))
    # hidden layer, row; two maps, the head's, row; two maps, row
    assert len(widths) == {1: 2, 2: 4, 3: 3}[len(shape)]
    parts = np.split(features, np.cumsum(widths)[:-1], axis=1)
    spreads = [np.sqrt(part.var(0).sum()) for part in parts]
    share = 1.0 if is_table else 0.45
    np.testing.assert_allclose(spreads, [*[1] * (len(widths) - 1), share], rtol=1e-4)
    np.testing.assert_allclose(np.corrcoef(parts[-1][:, 2], DIGITS[:300, 2])[0, 1], 1)


@pytest.mark.parametrize("shape", [(64,), (1, 8, 8)])
def test_units_that_vary_less_are_raised_in_images(shape):
    module, rows = make(shape)
    x = next(iter(rows.blocks()))
    with torch.inference_mode():
        inputs = module.units.as_read_by(module.backbone, module.units(x))
        width = module.backbone.read_widths[0]
        read = module.backbone.read(inputs)[0].numpy()
        features = module.encode(x).numpy()[:, :width]
    before, after = read.std(0), features.std(0)
    if len(shape) == 1:
        wanted = before
    else:  # about the same for all, and those that hardly vary are not
        wanted = before / np.sqrt(before**2 + 0.1 * np.mean(before**2))
    np.testing.assert_allclose(after, wanted / np.sqrt((wanted**2).sum()), rtol=1e-3, atol=1e-6)


def test_of_series_the_head_is_read_where_it_has_a_hidden_layer():
    module, rows = make((1, 64))
    plain = make((1, 64), objective=SimCLR(projection_sizes=(4,)))[0]
    assert module.width - plain.width == 8
    x = next(iter(rows.blocks()))
    with torch.inference_mode():
        read = module.encode(x)[:, -72:-64] * module.scales[-72:-64]
        output = module.backbone(module.units.as_read_by(module.backbone, module.units(x)))
        linear, normalization, relu, _ = module.objective.head
        torch.testing.assert_close(read, relu(normalization(linear(output))))
        assert plain.encode(x).shape == (300, plain.width)


def test_views_outside_training_are_one_change_for_all_rows():
    module, rows = make(parts=[GaussianNoise(1.0)])
    x = next(iter(rows.blocks()))
    with torch.inference_mode():
        both = module.embed(x[[5, 5]], 0)
        assert torch.equal(both[0], both[1])
        assert torch.equal(module.embed(x, 0), module.embed(x, 0))
        assert not torch.allclose(module.embed(x, 0), module.embed(x, 1), atol=1e-3)


def test_what_is_borrowed_outside_training_is_of_rows_that_were_kept():
    module, rows = make(parts=[FeatureSwap(1.0)], n=100)
    assert module.donors.shape == (256, 64)
    torch.testing.assert_close(module.donors[100:200], module.donors[:100])
    with torch.inference_mode():
        first, second = (module.embed(rows.sample(100)[i : i + 1], 0) for i in (3, 7))
    torch.testing.assert_close(first, second)  # all of a row was replaced, by the same values
    assert make(parts=[GaussianNoise()])[0].donors.shape == (0, 64)


def test_each_row_has_a_draw_of_its_own_in_training():
    module, _ = make(parts=[GaussianNoise(1.0)])
    module.train()
    x, seen = DIGITS[[5, 5, 5, 5]], []
    module.backbone.register_forward_pre_hook(lambda part, inputs: seen.append(inputs[0]))
    module(x)
    assert len(seen[0].unique(dim=0)) == 8


@pytest.mark.parametrize("part", [GaussianNoise(1.0), FeatureSwap(0.5)])
def test_pairs_are_drawn_for_each_row_and_alike_each_time(part):
    module, _ = make(parts=[part])
    x = DIGITS[:600].clone()
    x[1] = x[0]
    with torch.inference_mode():
        pairs = list(module.pairs([x]))
        again = list(module.pairs(x.split(100)))
    assert [len(first) for first, _ in pairs] == [256, 256]
    assert len(torch.cat([view[:2] for view in pairs[0]]).unique(dim=0)) == 4
    for views, same in zip(pairs, again, strict=True):
        torch.testing.assert_close(views, same)


def test_held_out_rows_change_nothing():
    for objective in (BYOL(projection_sizes=(8, 4)), DINO()):
        module, rows = make(objective=objective, parts=[GaussianNoise(0.5)])
        before = {name: value.clone() for name, value in module.state_dict().items()}
        with torch.inference_mode():
            losses = [float(module(rows.sample(50))) for _ in range(2)]
            module.watched(rows)
        assert losses[0] == losses[1]
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_the_loss_is_watched_unless_it_is_lowest_at_collapse():
    assert not hasattr(make()[0], "watched")
    module, rows = make(objective=BYOL(projection_sizes=(8, 4)), parts=[GaussianNoise(0.1)])
    with torch.inference_mode():
        assert -8 < module.watched(rows) < 0
