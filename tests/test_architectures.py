"""Laws of every architecture: shapes, starts, randomness, parameters."""

import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skrepr import architectures
from skrepr.architectures import MLP, ConvNet, Linear, Recurrent, Transformer, as_recipe
from skrepr.architectures._layers import Dropout, InputLinear
from skrepr.architectures._linear_path import LinearPath

# Small ones, so that the suite is fast; what is not here is tried as it is by default.
SMALL = {
    "MLP": MLP((8,)),
    "ConvNet": ConvNet((4, 8)),
    "Recurrent": Recurrent(n_units=8),
    "Transformer": Transformer(n_layers=1, n_heads=2, n_units=8),
}
RECIPES = [SMALL.get(name, getattr(architectures, name)()) for name in architectures.__all__]
TABLES = [(1,), (2,), (10,), (100,)]
SERIES = [
    *((1, length) for length in range(1, 41)),
    *((3, length) for length in (255, 256, 257, 1000, 10_000)),
]
IMAGES = [
    *((1, side, side) for side in (1, 2, 3, 5, 8, 28, 31, 63, 64, 65, 129)),
    *((2, 1, 7), (3, 7, 1), (1, 27, 13), (1, 64, 65), (1, 300, 5), (3, 256, 256)),
]
with_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
OF_STEPS = {
    "Transformer": Transformer(n_layers=2, n_heads=2, n_units=8, patch_size=2),
    "GRU": Recurrent(n_units=8, patch_size=2),
    "LSTM": Recurrent("lstm", n_units=8, n_layers=2, patch_size=2),
    "ConvNet": ConvNet((8, 6)),
    "ConvNet, by layer": ConvNet((8, 8, 8), kernel_size=5, normalization="layer"),
}
of_steps = pytest.mark.parametrize("recipe", OF_STEPS.values(), ids=OF_STEPS)
with_paths = pytest.mark.parametrize(
    "recipe",
    [r for r in RECIPES if "linear_path" in r.get_params()],
    ids=lambda recipe: type(recipe).__name__,
)


def reads(recipe, shape):
    axes = {ConvNet: (2, 3), Recurrent: (2,), Transformer: (2,)}
    return len(shape) in axes.get(type(recipe), (1, 2, 3))


def natural_shape(recipe, size=12):
    return (size,) if reads(recipe, (size,)) else (1, size)


def make(recipe, shape, n_components=3, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = recipe.make_encoder(shape, n_components)
        return encoder, recipe.make_decoder(n_components, shape)


def batch(shape, n=2, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def start(part, weight, bias, low=-math.inf, high=math.inf):
    """Tell a linear path where to start, with the same range for every input."""
    n_inputs = weight.shape[1]
    part.start_linear_path(
        weight, bias, torch.full((n_inputs,), low), torch.full((n_inputs,), high)
    )


# ------------------------------------------------------------------------- shapes


@with_recipe
@pytest.mark.parametrize("shapes", [TABLES, SERIES, IMAGES], ids=["tables", "series", "images"])
def test_decoder_returns_what_the_encoder_reads(recipe, shapes):
    for shape in shapes:
        if not reads(recipe, shape):
            continue
        encoder, decoder = make(recipe, shape)
        x = batch(shape)
        z = encoder(x)
        assert z.shape == (2, 3), shape
        assert decoder(z).shape == x.shape, shape
        assert z.dtype == torch.float32


@with_recipe
@pytest.mark.parametrize("n_components", [1, 40])
def test_any_width(recipe, n_components):
    shape = natural_shape(recipe)
    encoder, decoder = make(recipe, shape, n_components)
    z = encoder(batch(shape))
    assert z.shape == (2, n_components)
    assert decoder(z).shape == (2, *shape)


@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("shape", [(2, 1), (2, 9), (2, 300), (1, 6, 11), (1, 70, 3)])
def test_any_kernel_size(kernel_size, shape):
    encoder, decoder = make(ConvNet((4, 8, 8, 8), kernel_size=kernel_size), shape)
    assert decoder(encoder(batch(shape))).shape == (2, *shape)


@pytest.mark.parametrize("shape", [(8,), (), (1, 2, 3, 4)])
def test_conv_net_names_the_shapes_it_reads(shape):
    for call in (ConvNet().make_encoder, lambda s, k: ConvNet().make_decoder(k, s)):
        with pytest.raises(ValueError, match=r"\(n_channels, length\).*got samples of shape"):
            call(shape, 2)


@pytest.mark.parametrize(
    ("shape", "first_stride"),
    [
        ((1, 64, 64), 2),
        ((1, 1, 64), 2),
        ((1, 256), 2),
        ((1, 65, 65), 2),
        ((1, 129, 20), 4),
        ((1, 256, 256), 4),
        ((1, 257), 2),
        ((1, 10_000), 64),
    ],
)
def test_only_large_samples_pass_a_stem(shape, first_stride):
    recipe = ConvNet((4, 8), linear_path=None)
    encoder, _ = make(recipe, shape)
    layers = [m for m in encoder.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d))]
    longest = {2: 256, 3: 64}[len(shape)]
    has_stem = max(shape[1:]) > longest
    assert len(layers) == 2 + has_stem
    assert layers[0].stride[0] == first_stride
    assert all(layer.stride[0] == 2 for layer in layers[1:])
    if has_stem:
        assert longest / 2 < max(layers[0](batch(shape)).shape[2:]) <= longest
        # every value is read by the stem
        assert layers[0].kernel_size[0] >= layers[0].stride[0]


def test_widths_are_those_asked_for():
    encoder, decoder = make(MLP((7, 5), linear_path=None), (12,))
    widths = [layer.out_features for layer in encoder.modules() if isinstance(layer, nn.Linear)]
    assert widths == [7, 5, 3]
    widths = [layer.out_features for layer in decoder.modules() if isinstance(layer, nn.Linear)]
    assert widths == [5, 7, 12]
    encoder, decoder = make(ConvNet((7, 5), linear_path=None), (2, 12))
    assert [m.out_channels for m in encoder.modules() if isinstance(m, nn.Conv1d)] == [7, 5]
    transposed = [m.out_channels for m in decoder.modules() if isinstance(m, nn.ConvTranspose1d)]
    assert transposed == [7, 2]


@pytest.mark.parametrize("sizes", [8, np.int64(8), [8], (8,)])
def test_one_width_may_be_a_number(sizes):
    encoder, _ = make(MLP(sizes), (4,))
    expected, _ = make(MLP((8,)), (4,))
    assert str(encoder) == str(expected)


def test_no_hidden_layers_leave_the_linear_map_alone():
    for part, linear in zip(make(MLP(()), (2, 3)), make(Linear(), (2, 3)), strict=True):
        assert str(part) == str(linear)
    encoder, decoder = make(MLP((), linear_path=None), (2, 3))
    assert decoder(encoder(batch((2, 3)))).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("recipe", "n_spatial"),
    [(MLP((4,)), 0), (MLP((4,)), 2), (ConvNet((4,)), 1), (ConvNet((4,)), 2)],
)
@pytest.mark.parametrize("normalization", ["batch", "layer", None])
def test_normalization_sits_before_the_activation(recipe, n_spatial, normalization):
    shape = (6,) * (n_spatial + 1)
    recipe = clone(recipe).set_params(normalization=normalization, activation="tanh")
    for part in make(recipe, shape):
        kinds = [type(module) for module in part.modules()]
        normalizing = [i for i, kind in enumerate(kinds) if "Norm" in kind.__name__]
        assert len(normalizing) == (0 if normalization is None else kinds.count(nn.Tanh))
        assert all(kinds[i + 1] is nn.Tanh for i in normalizing)
        if normalization:
            assert ("Batch" in kinds[normalizing[0]].__name__) == (normalization == "batch")


# ---------------------------------------------------------- the transformer, on series


def steps_of(length, n_inputs=2, seed=0, **parameters):
    """Make an encoder of steps, and inputs, times and steps inside of three series."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        small = {"n_layers": 2, "n_heads": 2, "n_units": 8}
        encoder = Transformer(**small | parameters).make_step_encoder(n_inputs, length)
    times = torch.rand(3, length, generator=torch.Generator().manual_seed(1)).cumsum(1)
    return encoder, batch((n_inputs, length), 3), times, torch.ones(3, length, dtype=torch.bool)


def test_attention_is_that_of_the_paper():
    """One layer, head by head and token by token, in float64."""
    encoder, x, times, inside = steps_of(7, n_layers=1, patch_size=1)
    layer, width = encoder.layers[0], 4
    tokens, _ = encoder(x, times, inside)
    inputs = torch.cat([x.mT, torch.zeros(3, 7, 6)], 2)
    embedded = encoder.embed(inputs)
    heads = layer.to_heads(layer.norm(embedded)).detach().double().numpy()
    speeds = 1000.0 ** -np.linspace(0, 1, width // 2)
    seen = np.zeros((3, 7, 8))
    for row in range(3):
        for head in range(2):
            columns = slice(head * width, (head + 1) * width)
            query, key, value = (heads[row, :, k * 8 : (k + 1) * 8][:, columns] for k in range(3))

            def turned(values, row=row):
                angles = times[row].double().numpy()[:, None] * speeds
                as_complex = values[:, :2] + 1j * values[:, 2:]
                return as_complex * np.exp(1j * angles)

            for i, q in enumerate(turned(query)):
                scores = np.array([(q * k.conj()).sum().real for k in turned(key)]) / 2.0
                weights = np.exp(scores) / np.exp(scores).sum()
                seen[row, i, columns] = weights @ value
    after = embedded + layer.from_heads(torch.from_numpy(seen).float())
    after = encoder.norm(after + layer.beside(after))
    torch.testing.assert_close(tokens, after, rtol=1e-5, atol=1e-5)


def test_maps_of_attention_are_what_values_are_weighted_by():
    encoder, x, times, inside = steps_of(9, n_layers=1, patch_size=2)
    inside[1, 5:] = False
    maps = encoder.attention(x, times, inside)
    assert maps.shape == (3, 5, 5)
    torch.testing.assert_close(maps.sum(2), torch.ones(3, 5))
    assert not maps[1, :3, 3:].any()
    assert maps[0].min() > 0


@pytest.mark.parametrize("patch_size", [1, 3, None])
def test_padding_is_never_looked_at(patch_size):
    encoder, x, times, inside = steps_of(10, patch_size=patch_size)
    inside[:, 7:] = False
    x, times = x * inside[:, None], times * inside
    padded, there = encoder(x, times, inside)
    alone, _ = encoder(x[..., :7], times[:, :7], inside[:, :7])
    torch.testing.assert_close(padded[:, : alone.shape[1]], alone)
    assert there.sum(1).tolist() == [alone.shape[1]] * 3
    assert padded.isfinite().all()


def test_only_differences_of_times_matter():
    encoder, x, times, inside = steps_of(10, patch_size=2)
    torch.testing.assert_close(
        encoder(x, times + 3, inside)[0], encoder(x, times, inside)[0], rtol=1e-4, atol=1e-5
    )
    assert not torch.allclose(encoder(x, 2 * times, inside)[0], encoder(x, times, inside)[0])


def test_a_long_series_has_32_patches_at_most():
    for length, patch_size in ((1, 1), (32, 1), (33, 2), (10_000, 313)):
        encoder, *_ = steps_of(length)
        assert encoder.patch_size == patch_size
        assert encoder.n_patches(length) <= 32


# --------------------------------------------------------------- encoders of steps, all


def step_inputs(length=24, n_inputs=2, n=3):
    """Return inputs, times and steps inside of some series."""
    times = torch.rand(n, length, generator=torch.Generator().manual_seed(1)).cumsum(1)
    return batch((n_inputs, length), n), times, torch.ones(n, length, dtype=torch.bool)


def step_encoder(recipe, length=24, n_inputs=2, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return recipe.make_step_encoder(n_inputs, length, **options)


@of_steps
def test_a_token_for_each_patch(recipe):
    encoder = step_encoder(recipe)
    for length in (24, 7, 60):
        tokens, there = encoder(*step_inputs(length))
        assert tokens.shape == (3, encoder.n_patches(length), encoder.width)
        assert there.shape == tokens.shape[:2] and there.all()
        assert encoder.n_patches(length) == -(-length // encoder.patch_size)


@of_steps
def test_padding_before_and_behind_changes_nothing(recipe):
    """In evaluation of what is trained, and in training, where statistics leave it out."""
    encoder = step_encoder(recipe)
    x, times, inside = step_inputs()
    inside[:, 18:] = inside[:, :4] = False
    x, times = x * inside[:, None], times * inside
    for mode in (True, False):
        encoder.train(mode)
        padded, there = encoder(x, times, inside)
        alone, _ = encoder(x[..., 4:18], times[:, 4:18], inside[:, 4:18])
        n = 4 // encoder.patch_size
        torch.testing.assert_close(padded[:, n : n + alone.shape[1]], alone, rtol=1e-4, atol=1e-5)
        assert there.sum(1).tolist() == [alone.shape[1]] * 3
        assert padded.isfinite().all()
    one_by_one = [encoder(x[i : i + 1], times[i : i + 1], inside[i : i + 1])[0] for i in range(3)]
    torch.testing.assert_close(torch.cat(one_by_one), padded, rtol=1e-4, atol=1e-5)


@of_steps
def test_a_series_with_nothing_inside_gets_finite_tokens(recipe):
    encoder = step_encoder(recipe).train()
    x, times, inside = step_inputs()
    for where in (slice(0, 1), slice(None)):
        inside[where] = False
        tokens, there = encoder(x * inside[:, None], times * inside, inside)
        assert tokens.isfinite().all() and not there[where].any()


@of_steps
def test_steps_see_the_whole_series(recipe):
    """Or what is before them, where the future must not be seen."""
    x, times, inside = step_inputs()
    for causal in (False, True):
        encoder = step_encoder(recipe, causal=causal).eval()
        x.requires_grad_().grad = None
        tokens, _ = encoder(x, times, inside)
        middle = tokens.shape[1] // 2
        tokens[:, middle].square().sum().backward()
        seen = x.grad.abs().sum((0, 1)) > 0
        last = (middle + 1) * encoder.patch_size
        assert seen[:last].all()
        assert seen[last:].any() != causal
        if not isinstance(recipe, ConvNet) and not causal:
            assert seen.all()
    ends = step_encoder(recipe).eval()(x, times, inside)[0][:, [0, -1]]
    x.grad = None
    ends.square().sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).all()


@of_steps
def test_steps_are_told_how_far_apart_they_are(recipe):
    encoder = step_encoder(recipe).eval()
    x, times, inside = step_inputs()
    expected = encoder(x, times, inside)[0]
    torch.testing.assert_close(encoder(x, times + 3, inside)[0], expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(encoder(x, 2 * times, inside)[0], expected)


def test_convolutions_of_steps_are_bounded_in_length_and_number():
    for length, patch_size, n_layers in ((1, 1, 2), (24, 1, 4), (256, 1, 8), (10_000, 40, 7)):
        encoder = step_encoder(ConvNet((4, 8)), length)
        assert encoder.patch_size == patch_size
        assert len(encoder.layers) == n_layers
        channels = [layer.convolution.out_channels for layer in encoder.layers]
        assert channels == sorted(channels) and set(channels) == {4, 8}
    assert step_encoder(ConvNet((4, 8)), 24, longest=1024).patch_size == 1
    assert step_encoder(ConvNet((4, 8)), 24, longest=10_000).patch_size == 10
    assert len(step_encoder(ConvNet((4, 8), kernel_size=1)).layers) == 2


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_steps_are_those_of_torch(cell):
    """Of one series without padding, both directions, one layer upon the other."""
    encoder = step_encoder(Recurrent(cell, n_units=8, n_layers=2, patch_size=2))
    x, times, inside = step_inputs()
    kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
    expected = kind(8, 4, 2, batch_first=True, bidirectional=True)
    for k, layer in enumerate(encoder.layers.layers):
        for part, suffix in zip(layer, ("", "_reverse"), strict=True):
            for name, weight in part.named_parameters():
                name = name.replace("l0", f"l{k}") + suffix
                getattr(expected, name).data.copy_(weight)
    tokens = encoder.read_patches(x, times, inside)[0]
    torch.testing.assert_close(encoder(x, times, inside)[0], encoder.norm(expected(tokens)[0]))


def test_the_longest_series_has_512_patches_at_most():
    for longest, patch_size in ((40, 2), (1024, 2), (1025, 3), (10_000, 20)):
        encoder = Transformer().make_step_encoder(1, 40, longest=longest)
        assert encoder.patch_size == patch_size
        assert encoder.n_patches(longest) <= 512


@pytest.mark.parametrize("patch_size", [1, 3])
def test_a_causal_encoder_sees_nothing_of_what_is_behind(patch_size):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        recipe = Transformer(2, n_heads=2, n_units=8, patch_size=patch_size)
        encoder = recipe.make_step_encoder(2, 12, causal=True)
    _, x, times, inside = steps_of(12)
    tokens, _ = encoder(x, times, inside)
    maps = encoder.attention(x, times, inside)
    torch.testing.assert_close(maps.sum(2), torch.ones(maps.shape[:2]))
    assert not maps.triu(1).any()
    later = slice(6, None), 6 // patch_size
    for i, change in enumerate((x, times, inside)):
        others = [x.clone(), times.clone(), inside.clone()]
        others[i][..., later[0]] = 0 if change is inside else 5.0
        after, _ = encoder(*others)
        torch.testing.assert_close(after[:, : later[1]], tokens[:, : later[1]])
        assert not torch.allclose(after[:, later[1] :], tokens[:, later[1] :])


def test_no_array_of_all_pairs_of_patches_is_made(monkeypatch):
    """A mask of 10,000 x 10,000 would be."""
    encoder, x, times, inside = steps_of(50, patch_size=1)
    largest = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def noted(*arguments, attn_mask=None, **keywords):
        largest.append(attn_mask.numel())
        return attend(*arguments, attn_mask=attn_mask, **keywords)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", noted)
    encoder(x, times, inside)
    assert max(largest) == 3 * 50


# -------------------------------------------------------------------------- starts


@with_paths
@pytest.mark.parametrize("size", [12, 100])  # fewer and more than an input layer scales down
def test_starts_as_the_given_linear_map(recipe, size):
    shape = natural_shape(recipe, size)
    encoder, decoder = make(clone(recipe).set_params(linear_path="pca"), shape)
    x, z = batch(shape, 5), batch((3,), 5)
    to_code, from_code = batch((size,), 3), batch((3,), size)
    start(encoder, to_code, torch.arange(3.0))
    start(decoder, from_code, torch.arange(float(size)))
    expected = x.flatten(1) @ to_code.T + torch.arange(3.0)
    torch.testing.assert_close(encoder(x), expected)
    expected = z @ from_code.T + torch.arange(float(size))
    torch.testing.assert_close(decoder(z).flatten(1), expected)


@with_paths
def test_the_branch_begins_at_zero_and_can_be_trained(recipe):
    shape = natural_shape(recipe)
    encoder, _ = make(clone(recipe).set_params(linear_path="pca"), shape)
    if encoder.branch is None:
        return
    assert not encoder.branch(batch(shape)).any()
    encoder(batch(shape)).square().sum().backward()
    assert any(weight.grad.any() for weight in encoder.branch.parameters())


@with_paths
def test_fewer_directions_than_units(recipe):
    """Spare inputs begin without effect, spare outputs as drawn."""
    shape = natural_shape(recipe)
    size = math.prod(shape)
    encoder, decoder = make(recipe, shape)
    drawn = encoder(batch(shape))
    to_code, from_code = batch((size,), 2), batch((2,), size)
    start(encoder, to_code, torch.zeros(2))
    start(decoder, from_code, torch.zeros(size))
    z = encoder(batch(shape))
    torch.testing.assert_close(z[:, :2], batch(shape).flatten(1) @ to_code.T)
    assert torch.equal(z[:, 2], drawn[:, 2])
    moved = z + torch.tensor([0.0, 0.0, 5.0])
    torch.testing.assert_close(decoder(moved), decoder(z))


@with_paths
def test_beyond_the_range_it_has_seen_the_branch_is_constant(recipe):
    shape = natural_shape(recipe)
    encoder, _ = make(clone(recipe).set_params(linear_path="pca"), shape)
    encoder.eval()
    to_code = batch((math.prod(shape),), 3)
    start(encoder, to_code, torch.zeros(3), low=-1.0, high=2.0)
    if encoder.branch is not None:
        for weight in encoder.branch.parameters():
            nn.init.uniform_(weight, -0.5, 0.5, generator=torch.Generator().manual_seed(0))
        assert not torch.equal(encoder.branch(-batch(shape)), encoder.branch(batch(shape)))
    border, beyond = torch.full((1, *shape), 2.0), torch.full((1, *shape), 7.0)
    rise = encoder(beyond) - encoder(border)
    torch.testing.assert_close(rise, 5.0 * to_code.sum(1)[None], rtol=1e-4, atol=1e-4)


@with_paths
def test_a_random_start_does_not_listen(recipe):
    shape = natural_shape(recipe)
    encoder, _ = make(clone(recipe).set_params(linear_path="random"), shape)
    before = encoder(batch(shape))
    start(encoder, torch.ones(3, math.prod(shape)), torch.ones(3))
    assert torch.equal(encoder(batch(shape)), before)
    assert encoder.branch is None or encoder.branch(batch(shape)).any()


@pytest.mark.parametrize("recipe", [MLP((8,), linear_path=None), ConvNet((4,), linear_path=None)])
def test_no_linear_path_is_a_plain_network(recipe):
    for part in make(recipe, natural_shape(recipe)):
        assert not any(isinstance(module, LinearPath) for module in part.modules())
        assert not hasattr(part, "start_linear_path")


@with_recipe
def test_all_weights_take_part(recipe):
    shape = natural_shape(recipe)
    if "linear_path" in recipe.get_params():
        recipe = clone(recipe).set_params(linear_path="random")
    encoder, decoder = make(recipe, shape)
    decoder(encoder(batch(shape, 8))).square().sum().backward()
    for part in (encoder, decoder):
        for name, weight in part.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            # a constant before batch normalization is taken out again
            assert weight.grad.any() or name.endswith("bias"), name


def test_input_layer_begins_as_torch_draws_it_with_smaller_steps():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = InputLinear(6400, 3)
        torch.manual_seed(0)
        plain = nn.Linear(6400, 3)
    x = batch((6400,))
    torch.testing.assert_close(layer(x), plain(x))
    for one in (layer, plain):
        optimizer = torch.optim.Adam(one.parameters(), lr=1e-3)
        one(torch.ones(1, 6400)).sum().backward()
        before = one(torch.ones(1, 6400))
        optimizer.step()
        one.moved = (one(torch.ones(1, 6400)) - before).abs().max().item()
    # of weights alone 6.4 and 0.064, of the bias 0.001
    assert plain.moved == pytest.approx(6.401, rel=1e-2)
    assert layer.moved == pytest.approx(0.065, rel=1e-2)
    assert InputLinear(64, 3).shrink == 1


# ---------------------------------------------------------------------- randomness


@pytest.mark.parametrize(
    "recipe",
    [
        MLP((64,), dropout=0.5),
        ConvNet((8,), dropout=0.5),
        Transformer(1, n_units=8, dropout=0.5),
        Recurrent(n_units=8, dropout=0.5),
    ],
)
def test_dropout_draws_from_the_generator_it_carries(recipe):
    shape = natural_shape(recipe)
    encoder, _ = make(clone(recipe).set_params(linear_path="random"), shape)
    layers = [module for module in encoder.modules() if hasattr(module, "generator")]
    assert len(layers) == 1
    assert layers[0].generator is None

    def run(seed):
        layers[0].generator = torch.Generator().manual_seed(seed)
        return encoder(batch(shape))

    state = torch.get_rng_state()
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(torch.get_rng_state(), state)
    encoder.eval()
    assert torch.equal(run(1), run(2))


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_dropout_keeps_the_mean(rate):
    layer = Dropout(rate)
    layer.generator = torch.Generator().manual_seed(0)
    y = layer(torch.ones(100_000))
    assert (y == 0).float().mean().item() == pytest.approx(rate, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(layer.eval()(torch.ones(5)), torch.ones(5))


@with_recipe
def test_no_generator_without_dropout(recipe):
    for part in make(recipe, natural_shape(recipe)):
        assert not any(hasattr(module, "generator") for module in part.modules())


# ---------------------------------------------------------------------- parameters


@with_recipe
def test_a_recipe_only_stores(recipe):
    assert clone(recipe).get_params() == recipe.get_params()
    again = eval(repr(recipe), vars(architectures).copy())
    assert again.get_params() == recipe.get_params()
    before = repr(recipe.get_params())
    make(recipe, natural_shape(recipe))
    assert repr(recipe.get_params()) == before
    assert vars(recipe).keys() == recipe.get_params().keys()


@pytest.mark.parametrize(
    ("recipe", "name", "value"),
    [
        (MLP, "hidden_layer_sizes", (8, 0)),
        (MLP, "hidden_layer_sizes", (8, 2.5)),
        (MLP, "hidden_layer_sizes", (True,)),
        (MLP, "hidden_layer_sizes", "8"),
        (MLP, "hidden_layer_sizes", None),
        (MLP, "hidden_layer_sizes", -1),
        (MLP, "activation", "ReLU"),
        (MLP, "activation", nn.ReLU),
        (MLP, "activation", None),
        (MLP, "normalization", "instance"),
        (MLP, "normalization", True),
        (MLP, "dropout", 1.0),
        (MLP, "dropout", -0.1),
        (MLP, "dropout", math.nan),
        (MLP, "dropout", "0.5"),
        (MLP, "dropout", True),
        (MLP, "linear_path", "PCA"),
        (MLP, "linear_path", True),
        (ConvNet, "channels", ()),
        (ConvNet, "channels", (8, -2)),
        (ConvNet, "channels", 1.5),
        (ConvNet, "kernel_size", 4),
        (ConvNet, "kernel_size", 0),
        (ConvNet, "kernel_size", 3.0),
        (ConvNet, "kernel_size", (3, 3)),
        (ConvNet, "kernel_size", True),
        (ConvNet, "activation", "softmax"),
        (ConvNet, "normalization", "group"),
        (ConvNet, "dropout", 2),
        (ConvNet, "linear_path", "none"),
        (Transformer, "n_layers", 0),
        (Transformer, "n_heads", 2.0),
        (Transformer, "n_heads", True),
        (Transformer, "n_units", 12),
        (Transformer, "n_units", "64"),
        (Transformer, "patch_size", 0),
        (Transformer, "patch_size", 1.5),
        (Transformer, "dropout", 1),
        (Transformer, "linear_path", "zero"),
        (Recurrent, "cell", "rnn"),
        (Recurrent, "cell", None),
        (Recurrent, "n_units", 7),
        (Recurrent, "n_units", "64"),
        (Recurrent, "n_layers", 0),
        (Recurrent, "patch_size", 0),
        (Recurrent, "dropout", 1),
        (Recurrent, "linear_path", "zero"),
        (Linear, "linear_path", None),
        (Linear, "linear_path", "zero"),
    ],
)
def test_bad_parameters_are_named_with_their_value(recipe, name, value):
    shape = natural_shape(recipe())
    bad = recipe(**{name: value})
    for call in (lambda: bad.make_encoder(shape, 2), lambda: bad.make_decoder(2, shape)):
        with pytest.raises(ValueError, match=f"'{name}' parameter of {recipe.__name__}") as raised:
            call()
        assert repr(value) in str(raised.value)


# ------------------------------------------------------- a user's own torch modules


def test_a_module_is_copied_and_followed_by_a_linear_layer():
    module = nn.Sequential(nn.Unflatten(1, (1, 12)), nn.Conv1d(1, 2, 3))
    encoder = as_recipe(module).make_encoder((12,), 3)
    assert encoder(batch((12,))).shape == (2, 3)
    encoder.module[1].weight.data.zero_()
    assert module[1].weight.any()


def test_a_frozen_module_stays_as_it_is():
    module = nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
    encoder = as_recipe(module, trainable=False).make_encoder((12,), 3).train()
    assert {name for name, w in encoder.named_parameters() if w.requires_grad} == {
        "linear.weight",
        "linear.bias",
    }
    assert torch.equal(encoder(batch((12,), 8)), encoder(batch((12,), 8)))
    assert torch.equal(encoder.module[1].running_mean, torch.zeros(8))
    assert all(weight.requires_grad for weight in module.parameters())


def test_nothing_to_freeze():
    with pytest.raises(ValueError, match=r"trainable=False.*no parameters to freeze"):
        as_recipe(nn.Flatten(), trainable=False).make_encoder((12,), 3)


def test_modules_of_the_wrong_shape_are_told():
    with pytest.raises(ValueError, match=r"architecture cannot read samples of shape \(5,\)"):
        as_recipe(nn.Linear(12, 8)).make_encoder((5,), 3)
    with pytest.raises(ValueError, match=r"architecture must map"):
        as_recipe(nn.Flatten(0)).make_encoder((5,), 3)
    with pytest.raises(ValueError, match=r"shape \(4,\). Got \(5,\)"):
        as_recipe(nn.Linear(3, 5)).make_decoder(3, (4,))
    decoder = nn.Linear(3, 4)
    assert as_recipe(decoder).make_decoder(3, (4,)) is not decoder
