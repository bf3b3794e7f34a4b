"""Formulas of objectives against independent transcriptions, in float64, and their laws."""

import copy
import math
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from torch import nn

from skrepr import objectives
from skrepr._series_units import Series
from skrepr.objectives import (
    BYOL,
    DINO,
    BarlowTwins,
    HierarchicalContrast,
    LeJEPA,
    MaskedReconstruction,
    MoCo,
    MomentumTeacher,
    NextStepPrediction,
    SimCLR,
    SimSiam,
    SupCon,
    SwAV,
    VICReg,
    VISReg,
    WeightedSum,
    _nt_xent,
    info_nce,
)
from skrepr.objectives._hierarchical_contrast import hierarchical_contrast
from skrepr.objectives._random_directions import project
from skrepr.objectives._swav import sinkhorn


def transcription(queries, keys, temperature, others=()):
    """Equation 1 of He et al. (2020), row by row."""
    loss = 0.0
    for i, query in enumerate(queries):
        exponentials = []
        for key in [*keys, *others]:
            cosine = query @ key / np.sqrt((query @ query) * (key @ key))
            exponentials.append(np.exp(cosine / temperature))
        loss -= np.log(exponentials[i] / sum(exponentials))
    return loss / len(queries)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("n_others", [0, 4])
def test_info_nce(temperature, n_others):
    rng = np.random.default_rng(0)
    queries, keys, others = (rng.normal(size=(n, 3)) for n in (6, 6, n_others))
    given = torch.from_numpy(others) if n_others else None
    received = info_nce(
        torch.from_numpy(queries), torch.from_numpy(keys), temperature, others=given
    )
    assert_allclose(received, transcription(queries, keys, temperature, others), rtol=1e-6)


def test_info_nce_is_lower_for_partners_and_has_no_scale():
    torch.manual_seed(0)
    a = torch.randn(20, 4, dtype=torch.float64)
    b = a + 0.1 * torch.randn_like(a)
    assert info_nce(a, b) < 0.5 * info_nce(a, b.roll(1, 0))
    assert_allclose(info_nce(a * 7, b / 3), info_nce(a, b))
    same = torch.ones(20, 4)
    assert_allclose(info_nce(same, same), np.log(20), rtol=1e-6)


def test_the_teacher_is_a_moving_average():
    torch.manual_seed(0)
    student = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    teacher = MomentumTeacher(student, 2, momentum=0.75, queue_size=5)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    first = [parameter.detach().clone() for parameter in student.parameters()]
    with torch.no_grad():
        student[0].weight += 4.0
    student[1].running_mean.fill_(3.0)
    teacher.follow(student)
    assert_allclose(teacher.network[0].weight.detach(), first[0] + 1.0, rtol=1e-6)
    assert (teacher.network[1].running_mean == 3).all()
    teacher.start(student)
    assert teacher.network[0].weight.equal(student[0].weight)


def test_the_queue_holds_the_newest_rows_first():
    teacher = MomentumTeacher(torch.nn.Linear(3, 2), 2, queue_size=5)
    student = torch.nn.Linear(3, 2)
    for value in (1.0, 2.0, 3.0):
        keys = torch.full((2, 2), value, requires_grad=True)
        teacher.remember(keys)
        teacher.follow(student)
    assert teacher.queue[:, 0].tolist() == [3, 3, 2, 2, 1]
    teacher.follow(student)  # a step that remembered nothing
    assert teacher.queue[:, 0].tolist() == [3, 3, 2, 2, 1]
    assert not teacher.queue.requires_grad


# ------------------------------------------------------------- what holds for all of them

EVERY = [
    cls
    for cls in (getattr(objectives, name) for name in objectives.__all__)
    if hasattr(cls, "make_loss") and cls is not WeightedSum  # which has tests of its own
]
every = pytest.mark.parametrize("cls", EVERY)
with_teacher = pytest.mark.parametrize("cls", [BYOL, DINO, MoCo])
SMALL = {"projection_sizes": (6, 5), "n_prototypes": 7, "queue_size": 20, "predictor_size": 4}
LABELS = torch.tensor([0, 1, 0, -1, 2, -1, 1, 0, 2, 3])


def small(cls, **parameters):
    known = cls().get_params()
    return cls(**{name: value for name, value in SMALL.items() if name in known}, **parameters)


def made(cls, seed=0, **parameters):
    """Make an encoder, a loss of it and views, in float64."""
    torch.manual_seed(seed)
    encoder = nn.Linear(3, 4).double()
    loss = small(cls, **parameters).make_loss(encoder, 4).double()
    x = torch.randn(10, 3).double()
    return encoder, loss, (x, x + 0.1 * torch.randn_like(x))


def value(loss, encoder, views):
    return loss(*map(encoder, views), views=views, labels=LABELS)


def step(loss, encoder, views, optimizer):
    optimizer.zero_grad()
    value(loss, encoder, views).backward()
    optimizer.step()
    if hasattr(loss, "after_step"):
        loss.after_step(encoder)


def optimizer_of(*modules, kind=torch.optim.SGD, lr=0.1):
    parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
    return kind(parameters, lr=lr)


@every
def test_a_loss_is_one_finite_number_with_gradients(cls):
    encoder, loss, views = made(cls)
    total = value(loss, encoder, views)
    assert total.shape == () and total.isfinite()
    total.backward()
    parameters = [p for m in (encoder, loss) for p in m.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters)
    assert encoder.weight.grad.abs().max() > 0


@every
def test_recipes_only_store(cls):
    recipe = small(cls)
    before = recipe.get_params()
    made(cls)
    recipe.make_loss(nn.Linear(3, 4), 4)
    assert clone(recipe).get_params() == recipe.get_params() == before
    assert set(vars(recipe)) == set(before)


@every
def test_symmetric_in_the_two_views(cls):
    encoder, loss, views = made(cls)
    loss.eval()
    assert_allclose(
        value(loss, encoder, views).item(), value(loss, encoder, views[::-1]).item(), rtol=1e-10
    )


@every
def test_the_loss_falls(cls):
    """While teacher, queue and center stay as they are at the start."""
    encoder, loss, views = made(cls)
    optimizer = optimizer_of(encoder, loss, kind=torch.optim.Adam, lr=0.01)
    losses = []
    for _ in range(40):
        torch.manual_seed(0)  # the same directions at every step
        optimizer.zero_grad()
        total = value(loss, encoder, views)
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < losses[0] - 0.02 * abs(losses[0])


@every
def test_lower_on_matched_than_on_shuffled_views(cls):
    encoder, loss, (x, y) = made(cls)
    optimizer = optimizer_of(encoder, loss, kind=torch.optim.Adam, lr=0.01)
    for _ in range(60):
        step(loss, encoder, (x, y), optimizer)
    loss.eval()
    received = []
    for second in (y, y.roll(1, 0)):
        features = encoder(x), encoder(second)
        received.append(loss(*features, views=(x, second), labels=torch.arange(10)).item())
    assert received[0] < received[1]


@every
def test_held_out_batches_change_nothing(cls):
    encoder, loss, views = made(cls)
    step(loss, encoder, views, optimizer_of(encoder, loss))
    loss.eval()
    state = copy.deepcopy(loss.state_dict())
    first = value(loss, encoder, views)
    assert first == value(loss, encoder, views)
    value(loss, encoder, [x + 1 for x in views])
    for name, kept in loss.state_dict().items():
        assert kept.equal(state[name]), name
    remembered = getattr(getattr(loss, "teacher", None), "fresh", None)
    assert remembered is None and getattr(loss, "fresh_center", None) is None


@every
def test_state_is_in_parameters_and_buffers(cls):
    encoder, loss, views = made(cls)
    for _ in range(3):
        step(loss, encoder, views, optimizer_of(encoder, loss))
    _, other, _ = made(cls, seed=1)
    other.load_state_dict(loss.state_dict())
    copied = copy.deepcopy(loss)
    loss.eval(), other.eval(), copied.eval()
    expected = value(loss, encoder, views)
    assert value(other, encoder, views) == expected == value(copied, encoder, views)


@every
def test_the_encoder_is_not_kept(cls):
    encoder, loss, _ = made(cls)
    own = {id(parameter) for parameter in loss.parameters()}
    assert not own & {id(parameter) for parameter in encoder.parameters()}


@every
def test_bfloat16_is_left_for_the_formula(cls):
    encoder, loss, views = made(cls)
    encoder, loss, views = encoder.float(), loss.float().eval(), [x.float() for x in views]
    exact = value(loss, encoder, views)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = value(loss, encoder, views)
    assert total.dtype == torch.float32
    assert_allclose(total.item(), exact.item(), rtol=0.1, atol=0.1)


BAD = [(cls, name) for cls in EVERY for name in cls().get_params()]


@pytest.mark.parametrize(("cls", "name"), BAD)
@pytest.mark.parametrize("bad", [-1, "a", True, math.nan, None])
def test_bad_parameters_are_named(cls, name, bad):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {cls.__name__} must be"):
        cls(**{name: bad}).make_loss(nn.Linear(3, 4), 4)


@with_teacher
def test_two_modalities_have_no_teacher(cls):
    encoder, loss, (x, y) = made(cls)
    with pytest.raises(ValueError, match="Use an objective without a teacher"):
        loss(encoder(x), encoder(y))


# ---------------------------------------------------------------------------- formulas


def pair(n=6, width=4, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n, width))
    return first, first + 0.5 * rng.normal(size=(n, width))


def bare(cls, **parameters):
    """Make a loss that compares the features themselves."""
    torch.manual_seed(0)
    return cls(projection_sizes=(), **parameters).make_loss(nn.Identity(), 4).double()


def call(loss, first, second, labels=None):
    first, second = torch.from_numpy(first), torch.from_numpy(second)
    labels = None if labels is None else torch.as_tensor(labels)
    return loss(first, second, views=(first, second), labels=labels).item()


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def sup_con(first, second, temperature, labels):
    """Equation 2 of Khosla et al. (2020), anchor by anchor."""
    z, n = [*first, *second], len(first)
    total = 0.0
    for i in range(2 * n):
        others = [a for a in range(2 * n) if a != i]
        below = sum(np.exp(cosine(z[i], z[a]) / temperature) for a in others)
        same = [p for p in others if p % n == i % n or labels[p % n] == labels[i % n] != -1]
        logs = [np.log(np.exp(cosine(z[i], z[p]) / temperature) / below) for p in same]
        total -= sum(logs) / len(same)
    return total / (2 * n)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4, 5], [0, 0, 1, -1, -1, 1], [-1] * 6])
def test_sup_con(labels):
    first, second = pair()
    received = call(bare(SupCon, temperature=0.3), first, second, labels)
    assert_allclose(received, sup_con(first, second, 0.3, labels), rtol=1e-6)


def test_sup_con_of_views_compared_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(_nt_xent, "_ROWS_AT_ONCE", 5)
    labels, (first, second) = [0, 0, 1, -1, -1, 1], pair()
    received = call(bare(SupCon, temperature=0.3), first, second, labels)
    assert_allclose(received, sup_con(first, second, 0.3, labels), rtol=1e-6)


def test_sup_con_with_all_labels_different_is_sim_clr():
    first, second = pair()
    received = call(bare(SimCLR, temperature=0.3), first, second)
    assert_allclose(received, sup_con(first, second, 0.3, range(6)), rtol=1e-6)
    assert_allclose(received, call(bare(SupCon, temperature=0.3), first, second, range(6)))
    assert_allclose(received, call(bare(SupCon, temperature=0.3), first, second, [-1] * 6))


def test_sup_con_needs_labels():
    with pytest.raises(ValueError, match="expected a label for each row"):
        call(bare(SupCon), *pair())


def test_moco():
    first, second = pair()
    loss = bare(MoCo, temperature=0.3, queue_size=5)
    expected = 0.0
    for queries, keys in ((first, second), (second, first)):
        for q, k in zip(queries, keys):
            own = np.exp(cosine(q, k) / 0.3)
            below = own + sum(np.exp(cosine(q, o) / 0.3) for o in loss.teacher.queue.numpy())
            expected -= np.log(own / below) / 12
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


def test_vicreg():
    first, second = pair()
    d = first.shape[1]
    expected = 3.0 * ((first - second) ** 2).mean()
    for z in (first, second):
        covariances = np.cov(z.T)
        deviations = np.sqrt(np.diag(covariances) + 1e-4)
        expected += 5.0 * np.maximum(0, 1 - deviations).mean() / 2
        expected += (
            0.7 * sum(covariances[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d
        )
    loss = bare(VICReg, invariance=3.0, variance=5.0, covariance=0.7)
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


def white(n=32, width=4, scale=1.0):
    """Columns that are uncorrelated and have one standard deviation."""
    z = np.random.default_rng(0).normal(size=(n, width))
    q, _ = np.linalg.qr(z - z.mean(0))
    return scale * q * np.sqrt(n - 1)


def test_terms_of_vicreg_and_barlow_twins_vanish_where_they_should():
    z, other = white(scale=1.1), white(scale=1.1)[::-1].copy()
    weights = {"invariance": 0.0, "variance": 0.0, "covariance": 0.0}
    invariance, variance, covariance = (bare(VICReg, **{**weights, name: 1.0}) for name in weights)
    assert call(invariance, z, z) == 0 < call(invariance, z, other)
    assert call(variance, z, other) == 0 < call(variance, 0.1 * z, other)
    assert_allclose(call(covariance, z, other), 0, atol=1e-20)
    assert call(covariance, z + z[:, :1], z) > 0.1
    agreement, both = bare(BarlowTwins, redundancy=0.0), bare(BarlowTwins, redundancy=1.0)
    assert_allclose(call(both, z, 3 * z + 2), 0, atol=1e-12)
    doubled = z + z[:, :1]
    assert_allclose(call(agreement, doubled, doubled), 0, atol=1e-12)
    assert call(both, doubled, doubled) > 0.1 and call(agreement, z, other) > 0.1


def test_barlow_twins():
    first, second = pair()
    correlations = np.corrcoef(first.T, second.T)[:4, 4:]
    on = (1 - np.diag(correlations)) ** 2
    off = correlations**2 - np.diag(np.diag(correlations) ** 2)
    received = call(bare(BarlowTwins, redundancy=0.3), first, second)
    assert_allclose(received, on.sum() + 0.3 * off.sum(), rtol=1e-6)


def predicted(loss, features):
    with torch.no_grad():
        z = loss.head(torch.from_numpy(features))
        return z.numpy(), loss.predictor(z).numpy()


def test_byol():
    first, second = pair()
    loss = bare(BYOL, predictor_size=5).eval()
    expected = 0.0
    for x, other in ((first, second), (second, first)):
        for p, z in zip(predicted(loss, x)[1], other):
            expected += ((p / np.linalg.norm(p) - z / np.linalg.norm(z)) ** 2).sum() / 6
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


def sim_siam(predictions, targets):
    return -sum(cosine(p, z) for p, z in zip(predictions, targets)) / len(targets) / 2


def test_sim_siam():
    first, second = pair()
    loss = bare(SimSiam, predictor_size=5).eval()
    expected = sim_siam(predicted(loss, first)[1], second) + sim_siam(
        predicted(loss, second)[1], first
    )
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(1, keepdims=True)


def scores_of(prototypes, rows):
    c = prototypes.weight.detach().numpy()
    return np.array([[cosine(z, k) for k in c] for z in rows])


def shares(scores, n_iterations):
    """Algorithm 1 of Caron et al. (2020)."""
    q = np.exp(scores).T
    q /= q.sum()
    for _ in range(n_iterations):
        q /= q.sum(1, keepdims=True) * len(q)
        q /= q.sum(0, keepdims=True) * q.shape[1]
    return (q * q.shape[1]).T


def swav(first, second, codes, temperature):
    """Equation 2 of Caron et al. (2020)."""
    cross = codes[1] * np.log(softmax(first / temperature))
    cross += codes[0] * np.log(softmax(second / temperature))
    return -cross.sum() / len(first)


def test_swav():
    first, second = pair()
    loss = bare(SwAV, temperature=0.2, epsilon=0.1, n_prototypes=3)
    a, b = (scores_of(loss.prototypes, z) for z in (first, second))
    expected = swav(a, b, (shares(a / 0.1, 3), shares(b / 0.1, 3)), 0.2)
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


def test_marginals_of_sinkhorn():
    torch.manual_seed(0)
    for scale in (1.0, 2000.0):  # where exponentials would overflow, too
        few, many = (sinkhorn(scale * torch.randn(12, 4).double(), n) for n in (1, 300))
        assert_allclose(few.sum(1), 1)
        assert_allclose(many.sum(1), 1)
        assert not np.allclose(few.sum(0), 3, rtol=0.01)
        if scale == 1:
            assert_allclose(many.sum(0), 3, rtol=1e-6)


def test_dino():
    first, second = pair()
    loss = bare(DINO, temperature=0.3, teacher_temperature=0.1, n_prototypes=3)
    loss.center += torch.tensor([0.1, -0.2, 0.3])
    a, b = (scores_of(loss.head[1], z) for z in (first, second))
    expected = 0.0
    for student, teacher in ((a, b), (b, a)):
        target = softmax((teacher - loss.center.numpy()) / 0.1)
        expected -= (target * np.log(softmax(student / 0.3))).sum() / 6 / 2
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


def held_out_directions(n):
    return project(torch.eye(4, dtype=torch.float64), n, None, training=False).numpy()


def test_le_jepa():
    first, second = pair()
    directions = held_out_directions(9)
    center = (first + second) / 2
    invariance = (((first - center) ** 2).mean() + ((second - center) ** 2).mean()) / 2
    normality = 0.0
    for z in (first, second):
        for a in directions.T:
            t = np.linspace(-3, 3, 33)
            phi = np.array([np.exp(1j * u * (z @ a)).mean() for u in t])
            error = np.abs(phi - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)
            normality += 6 * np.trapezoid(error, t) / 9 / 2
    loss = bare(LeJEPA, regularization=0.3, n_directions=9).eval()
    expected = 0.7 * invariance + 0.3 * normality
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


def visreg(first, second, directions):
    quantiles = np.array([NormalDist().inv_cdf(i / 7) for i in range(1, 7)])
    total = ((first - second) ** 2).mean()
    for z in (first, second):
        total += 0.4 / 2 * ((z.mean(0) ** 2).mean() + ((1 - z.std(0)) ** 2).mean())
        y = np.sort((z - z.mean(0)) / z.std(0) @ directions, axis=0)
        total += 0.4 / 2 * ((y - quantiles[:, None]) ** 2).mean()
    return total


def test_visreg():
    first, second = pair()
    loss = bare(VISReg, regularization=0.4, n_directions=9).eval()
    expected = visreg(first, second, held_out_directions(9))
    assert_allclose(call(loss, first, second), expected, rtol=1e-6)


@pytest.mark.parametrize("cls", [LeJEPA, VISReg])
def test_normal_rows_are_best_and_collapsed_ones_worse_the_more_they_are(cls):
    z = np.random.default_rng(0).normal(size=(2000, 4))
    line = z[:, :1] * np.ones(4)
    loss = bare(cls)
    losses = [call(loss, x, x) for x in (z, line, 0.3 * z, 0 * z)]
    assert losses[0] < 0.02 * losses[-1]
    assert losses[1] > 5 * losses[0] and losses[2] > 5 * losses[0] and losses[3] > losses[2]


@pytest.mark.parametrize("cls", [LeJEPA, VISReg])
def test_directions_come_from_the_generator(cls):
    first, second = pair()
    loss = bare(cls, n_directions=3)
    loss.generator = torch.Generator()
    state = torch.get_rng_state()
    received = []
    for seed in (0, 0, 1):
        loss.generator.manual_seed(seed)
        received.append(call(loss, first, second))
    assert received[0] == received[1] != received[2]
    assert torch.get_rng_state().equal(state)


# --------------------------------------------------------------------------- gradients


def frozen(cls, loss, first, second):
    """Return the loss as a function of the views, with what is stopped held fixed."""
    if cls is SimSiam:
        return lambda a, b: (
            sim_siam(predicted(loss, a)[1], second) + sim_siam(predicted(loss, b)[1], first)
        )
    if cls is SwAV:
        codes = [shares(scores_of(loss.prototypes, z) / 0.05, 3) for z in (first, second)]
        return lambda a, b: swav(*(scores_of(loss.prototypes, z) for z in (a, b)), codes, 0.1)
    views = torch.from_numpy(first), torch.from_numpy(second)  # what a teacher reads is fixed
    return lambda a, b: loss(
        torch.from_numpy(a), torch.from_numpy(b), views=views, labels=LABELS[:6]
    ).item()


GRADIENTS = {VISReg: {"regularization": 0.4, "n_directions": 9}, SwAV: {"n_prototypes": 3}}


@every
def test_gradients_by_finite_differences(cls):
    first, second = pair()
    loss = bare(cls, **GRADIENTS.get(cls, {})).eval()
    a, b = (torch.from_numpy(z.copy()).requires_grad_() for z in (first, second))
    views = torch.from_numpy(first), torch.from_numpy(second)
    loss(a, b, views=views, labels=LABELS[:6]).backward()
    function = frozen(cls, loss, first, second)
    for place, gradient in ((0, a.grad), (1, b.grad)):
        numeric = np.zeros_like(first)
        for index in np.ndindex(first.shape):
            moved = []
            for sign in (1, -1):
                both = [first.copy(), second.copy()]
                both[place][index] += sign * 1e-6
                moved.append(function(*both))
            numeric[index] = (moved[0] - moved[1]) / 2e-6
        assert np.abs(numeric).max() > 1e-4
        assert_allclose(gradient.numpy(), numeric, rtol=1e-4, atol=1e-7)


# ---------------------------------------------------------- teachers, queues, centers, bounds


def test_three_steps_of_teacher_and_queue_by_hand():
    """Weights 1, 3, 5, 7 of the student, momentum 1/2: 1, 2, 3.5, 5.25 of the teacher."""
    encoder = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(encoder.weight)
    recipe = MoCo(momentum=0.5, queue_size=5, projection_sizes=())
    loss = recipe.make_loss(encoder, 1).double()
    x, y = torch.tensor([[1.0]]).double(), torch.tensor([[10.0]]).double()
    teacher = []
    for weight in (3.0, 5.0, 7.0):
        loss(encoder(x), encoder(y), views=(x, y))
        nn.init.constant_(encoder.weight, weight)
        loss.after_step(encoder)
        teacher.append(loss.teacher.network[0].weight.item())
    assert teacher == [2.0, 3.5, 5.25]
    assert loss.teacher.queue.flatten().tolist() == [3.5, 35.0, 2.0, 20.0, 1.0]


def test_three_steps_of_the_center_by_hand():
    recipe = DINO(n_prototypes=2, projection_sizes=(), center_momentum=0.5)
    loss = recipe.make_loss(nn.Identity(), 2).double()
    nn.init.eye_(loss.head[1].weight)
    nn.init.eye_(loss.teacher.network[1][1].weight)
    centers = []
    for row in ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8]):
        x = torch.tensor([row, row]).double()
        loss(x, x, views=(x, x))
        loss.after_step(nn.Identity())
        centers.append(loss.center.tolist())
    assert_allclose(centers, [[0.5, 0.0], [0.25, 0.5], [0.425, 0.65]])


@pytest.mark.parametrize("cls", [BYOL, DINO])
def test_the_momentum_rises_to_one_by_half_a_cosine(cls):
    loss = made(cls, momentum=0.8)[1]
    expected = {0.0: 0.8, 0.25: 0.9 - 0.1 * math.sqrt(0.5), 0.5: 0.9, 1.0: 1.0, None: 0.8}
    for fraction, momentum in expected.items():
        loss.set_progress(fraction)
        assert_allclose(loss.teacher.momentum, momentum)


@with_teacher
def test_no_gradient_reaches_a_teacher(cls):
    encoder, loss, views = made(cls)
    before = copy.deepcopy(loss.teacher.state_dict())
    optimizer = optimizer_of(encoder, loss)
    value(loss, encoder, views).backward()
    optimizer.step()
    for name, parameter in loss.teacher.named_parameters():
        assert parameter.grad is None and parameter.equal(before[name])


def test_info_nce_bounds_mutual_information_the_tighter_the_more_rows():
    """Two Gaussians with correlation 0.9 in each of two dimensions, and the best critic."""
    rho = 0.9
    truth = -np.log(1 - rho**2)
    rng = np.random.default_rng(0)
    bounds = []
    for n in (4, 32, 256):
        received = []
        for _ in range(2000 // n + 20):
            x = rng.normal(size=(n, 2))
            y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(n, 2))
            # directions whose scaled cosine is log p(y | x) up to terms in x alone
            scale = 1 - rho**2
            a = np.column_stack([rho * x / scale, -0.5 / scale * np.ones(n), np.zeros((n, 2))])
            b = np.column_stack([y, (y**2).sum(1), np.zeros((n, 2))])
            size = max(np.linalg.norm(a, axis=1).max(), np.linalg.norm(b, axis=1).max())
            a[:, 3] = np.sqrt(np.maximum(0, size**2 - (a**2).sum(1)))
            b[:, 4] = np.sqrt(np.maximum(0, size**2 - (b**2).sum(1)))
            loss = info_nce(torch.from_numpy(a), torch.from_numpy(b), 1 / size**2)
            received.append(np.log(n) - loss.item())
        bounds.append(np.mean(received))
    assert bounds[0] < bounds[1] < bounds[2] < truth
    assert bounds[2] > 0.9 * truth


# ------------------------------------------------------------------- objectives of series


STEPS = SimpleNamespace(width=4, patch_size=1)  # an encoder of them


def masked(ratio=0.3, span=3, length=40, n_values=1):
    recipe = MaskedReconstruction(ratio, mask_length=span)
    loss = recipe.make_series_loss(STEPS, n_values, length)
    loss.generator = torch.Generator().manual_seed(0)
    return loss


@pytest.mark.parametrize("n_values", [1, 3])
@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("span", [1, 3, 10])
def test_so_many_steps_are_hidden_in_spans(ratio, span, n_values):
    length = 120
    loss = masked(ratio, span, length, n_values)
    inside = torch.ones(400, length, dtype=torch.bool)
    inside[:, 100:] = False
    every = loss.hide(inside)
    assert every.shape == (400, n_values, length)
    assert not torch.equal(loss.hide(inside), every)
    for hidden in every.unbind(1):
        assert not hidden[:, 100:].any()
        assert hidden[:, :100].float().mean().item() == pytest.approx(ratio, abs=0.06)
        # wherever a series is cut, every step is hidden as often
        assert (hidden.float().mean(0)[:100] - ratio).abs().max() < 0.15
        changes = hidden[:, :100].int().diff(dim=1).abs().sum(1).float().mean()
        expected = 2 * ratio * (1 - ratio) * 100 / span  # of spans chosen one by one
        assert changes.item() == pytest.approx(expected, rel=0.25)


def test_half_of_the_rows_have_spans_of_each_channel_on_its_own():
    inside = torch.ones(400, 40, dtype=torch.bool)
    hidden = masked(n_values=3).hide(inside)
    together = hidden.eq(hidden[:, :1]).all(2).all(1)
    assert together.float().mean().item() == pytest.approx(0.5, abs=0.08)
    apart = hidden[~together].float()
    both = (apart[:, 0] * apart[:, 1]).mean().item()
    assert both == pytest.approx(apart.mean().item() ** 2, abs=0.03)  # as if independent


@pytest.mark.parametrize("n_values", [1, 3])
@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5, 0.8])
def test_rounds_hide_every_value_once(ratio, n_values):
    inside = torch.ones(3, 41, dtype=torch.bool)
    inside[1, :7] = False
    inside[2, 20:] = False
    rounds = list(masked(ratio, n_values=n_values).rounds(inside))
    assert len(rounds) == max(2, round(1 / ratio))
    once = sum(hidden.int() for hidden in rounds)
    assert torch.equal(once, inside[:, None].int().expand(-1, n_values, -1))
    # counted from the first step of each series on
    assert torch.equal(rounds[0][1, :, 7:], rounds[0][0, :, :34])


def test_rounds_hide_spans_of_all_channels_and_of_some():
    rounds = list(masked(0.5, span=2, length=16, n_values=2).rounds(torch.ones(1, 16) > 0))
    assert rounds[0][0].int().tolist() == [
        [1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_spans_of_short_series_are_short(length):
    loss = MaskedReconstruction(mask_length=20).make_series_loss(STEPS, 1, length)
    assert loss.span == max(1, min(20, length // 2))
    assert MaskedReconstruction().make_series_loss(STEPS, 1, 160).span == 10


def test_of_a_short_series_beside_a_long_one_at_most_half_is_hidden_at_once():
    loss = masked(span=100, length=2000)
    inside = torch.ones(50, 2000, dtype=torch.bool)
    lengths = torch.arange(2, 52)
    inside[1:, :] = torch.arange(2000) < lengths[:49, None]
    for hidden in [loss.hide(inside), *loss.rounds(inside)]:
        assert not (hidden[:, 0] & ~inside).any()
    for n_hidden in (hidden[:, 0].sum(1)[1:] for hidden in loss.rounds(inside)):
        assert (n_hidden <= (lengths[:49] + 1) // 2).all()
    assert (loss.hide(inside)[:, 0].sum(1) > 0).all()


def test_few_rounds_are_enough_for_few_spans():
    inside = torch.ones(2, 40, dtype=torch.bool)
    rounds = list(masked(1e-6, span=10).rounds(inside))
    assert len(rounds) == 4
    assert torch.equal(sum(hidden.int() for hidden in rounds), inside[:, None].int())


def test_a_batch_with_nothing_to_predict_has_no_loss():
    loss = masked()
    values = torch.ones(2, 1, 40)
    inside = torch.zeros(2, 40, dtype=torch.bool)
    batch = SimpleNamespace(values=values, weights=0 * values, inside=inside)
    for mode in (True, False):
        model = SimpleNamespace(predict=lambda *_: (0 * values, values))
        assert loss.train(mode)(model, batch) == 0


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"mask_ratio": 0}, "mask_ratio"),
        ({"mask_ratio": 1}, "mask_ratio"),
        ({"mask_ratio": "0.3"}, "mask_ratio"),
        ({"mask_length": 0}, "mask_length"),
        ({"mask_length": 2.0}, "mask_length"),
        ({"mask_length": True}, "mask_length"),
    ],
)
def test_bad_parameters_of_series_are_named(parameters, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of MaskedReconstruction"):
        MaskedReconstruction(**parameters).make_series_loss(STEPS, 1, 40)


# -------------------------------------------------------------------- hierarchical contrast


def ts2vec(first, second, weight=0.5):
    """Equations 1 and 2 of Yue et al. (2022) in both directions, and their algorithm 1."""

    def over_time(a, b, i, t):
        others = [np.exp(a[i, t] @ b[i, s]) for s in range(a.shape[1])]
        others += [np.exp(a[i, t] @ a[i, s]) for s in range(a.shape[1]) if s != t]
        return -np.log(np.exp(a[i, t] @ b[i, t]) / sum(others))

    def over_series(a, b, i, t):
        others = [np.exp(a[i, t] @ b[j, t]) for j in range(len(a))]
        others += [np.exp(a[i, t] @ a[j, t]) for j in range(len(a)) if j != i]
        return -np.log(np.exp(a[i, t] @ b[i, t]) / sum(others))

    total, n_scales = 0.0, 0
    while True:
        places = [(i, t) for i in range(first.shape[0]) for t in range(first.shape[1])]
        for a, b in ((first, second), (second, first)):
            for i, t in places:
                terms = weight * over_series(a, b, i, t) + (1 - weight) * over_time(a, b, i, t)
                total += terms / len(places) / 2
        n_scales += 1
        n = first.shape[1] // 2
        if n == 0:
            return total / n_scales
        first, second = (
            np.maximum(z[:, 0 : 2 * n : 2], z[:, 1 : 2 * n : 2]) for z in (first, second)
        )


def codes(n=3, length=7, width=4, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n, length, width))
    second = first + 0.3 * rng.normal(size=first.shape)
    return torch.from_numpy(first), torch.from_numpy(second)


def everywhere(z):
    return torch.ones(z.shape[:2], dtype=torch.bool)


@pytest.mark.parametrize("length", [1, 2, 7, 8])
@pytest.mark.parametrize("n", [1, 3])
def test_hierarchical_contrast_is_that_of_the_paper(length, n):
    first, second = codes(n, length)
    for weight in (0.0, 0.3, 1.0):
        received = hierarchical_contrast(
            first, second, there=everywhere(first), instance_weight=weight
        )
        expected = ts2vec(first.numpy(), second.numpy(), weight)
        assert_allclose(received, expected, rtol=1e-6, atol=1e-12)


def test_hierarchical_contrast_is_symmetric_and_lower_on_matched_views():
    first, second = codes()
    there = everywhere(first)
    matched = hierarchical_contrast(first, second, there=there)
    assert_allclose(hierarchical_contrast(second, first, there=there), matched, rtol=1e-12)
    for shuffled in (second.roll(1, 0), second.roll(1, 1)):
        assert matched < 0.7 * hierarchical_contrast(first, shuffled, there=there)


def test_steps_that_are_not_there_have_no_part_in_a_contrast():
    first, second = (z.requires_grad_() for z in codes(2, 8))
    there = everywhere(first)
    there[1, 5:] = False
    loss = hierarchical_contrast(first, second, there=there)
    loss.backward()
    assert first.grad[there].any() and first.grad.isfinite().all()
    assert not first.grad[~there].any()
    # over time alone, each series stands for itself
    alone = [(slice(0, 1), slice(0, 8)), (slice(1, 2), slice(0, 5))]
    first, second = first.detach(), second.detach()
    scales = 0.0
    for row, steps in alone:
        a, b = first[row, steps], second[row, steps]
        scales += np.array([*_over_time_by_scale(a, b), (0.0, 0)])[:4]
    expected = (scales[:, 0] / scales[:, 1].clip(min=1)).sum() / 4
    received = hierarchical_contrast(first, second, there=there, instance_weight=0.0)
    assert_allclose(received, expected, rtol=1e-6)


def _over_time_by_scale(first, second):
    """Return sum and number of terms of one series at each scale."""
    found = []
    while first.shape[1]:
        n = first.shape[1]
        whole = ts2vec_of_one_scale(first.numpy(), second.numpy())
        found.append((whole * n, n))
        if n == 1:
            break
        first, second = (
            torch.maximum(z[:, 0 : n // 2 * 2 : 2], z[:, 1 : n // 2 * 2 : 2])
            for z in (first, second)
        )
    return found


def ts2vec_of_one_scale(first, second):
    both = np.concatenate([first[0], second[0]])
    n, total = len(first[0]), 0.0
    for k, z in enumerate(both):
        others = sum(np.exp(z @ other) for i, other in enumerate(both) if i != k)
        total -= np.log(np.exp(z @ both[(k + n) % (2 * n)]) / others) / (2 * n)
    return total


@pytest.mark.parametrize("patch_size", [1, 3])
def test_crops_overlap(patch_size):
    encoder = SimpleNamespace(width=4, patch_size=patch_size)
    loss = HierarchicalContrast().make_series_loss(encoder, 1, 30)
    inside = torch.zeros(500, 30, dtype=torch.bool)
    inside[:, :24] = True
    inside[:3] = False  # nothing to crop
    inside[3, 1:] = False  # one step
    places = loss.crops(inside, torch.Generator().manual_seed(0))
    begin, end, far_begin, far_end = (place // patch_size for place in places)
    assert all((place % patch_size == 0).all() for place in places)
    for place in (begin, end, far_begin, far_end):
        assert not place[:3].any()
    assert (begin[3], end[3], far_begin[3], far_end[3]) == (0, 1, 0, 1)
    begin, end, far_begin, far_end = (p[4:] for p in (begin, end, far_begin, far_end))
    n = 24 // patch_size
    assert far_begin.min() == 0 and far_end.max() == n
    assert (far_begin <= begin).all() and (end <= far_end).all()
    shared = end - begin
    assert shared.min() == 2 and shared.max() == n
    assert set(shared.tolist()) == set(range(2, n + 1))
    assert {0, n - 2} < set(begin.tolist())


@pytest.mark.parametrize("bad", [-1, "a", True, math.nan, None])
@pytest.mark.parametrize("name", ["hidden_share", "instance_weight"])
def test_bad_parameters_of_a_contrast_are_named(name, bad):
    encoder = SimpleNamespace(width=4, patch_size=1)
    with pytest.raises(ValueError, match=f"'{name}' parameter of HierarchicalContrast must be"):
        HierarchicalContrast(**{name: bad}).make_series_loss(encoder, 1, 30)


# ------------------------------------------------------------------------------- sums


def summed(**second):
    parts = [("near", small(SimCLR), 2.0), ("vary", small(VICReg, **second), 0.5)]
    return WeightedSum(parts)


def test_a_sum_is_that_of_its_weighted_parts():
    torch.manual_seed(0)
    encoder = nn.Linear(3, 4)
    views = torch.randn(10, 3), torch.randn(10, 3)
    loss = summed().make_loss(encoder, 4).eval()
    terms = value(loss, encoder, views)
    assert list(terms) == ["near", "vary"]
    assert_allclose(terms["near"].item(), 2 * value(loss.losses[0], encoder, views).item())
    assert_allclose(terms["vary"].item(), 0.5 * value(loss.losses[1], encoder, views).item())


def test_a_sum_is_reached_by_the_names_of_its_parts():
    objective = summed()
    assert objective.get_params()["near__temperature"] == 0.2
    assert objective.get_params(deep=False) == {"parts": objective.parts}
    copied = clone(objective).set_params(near__temperature=0.7, vary=small(SimCLR))
    assert copied.parts[0][1].temperature == 0.7 and copied.parts[0][2] == 2.0
    assert type(copied.parts[1][1]) is SimCLR and copied.parts[1][2] == 0.5
    assert objective.parts[0][1].temperature == 0.2
    assert copied.set_params(parts=objective.parts).parts is objective.parts
    with pytest.raises(ValueError, match=r"'far' for WeightedSum.*'near', 'vary'"):
        objective.set_params(far__temperature=1)


def test_a_sum_asks_for_what_its_parts_ask_for():
    torch.manual_seed(0)
    encoder = nn.Linear(3, 4)
    parts = [("a", small(BYOL, momentum=0.5), 1.0), ("b", small(SupCon), 1.0)]
    assert WeightedSum(parts).uses_labels and not summed().uses_labels
    loss = WeightedSum(parts).make_loss(encoder, 4)
    assert loss.lowest_at_collapse
    assert not hasattr(summed().make_loss(encoder, 4), "lowest_at_collapse")
    teacher = loss.losses[0].teacher
    loss.set_progress(1.0)
    assert teacher.momentum == 1
    loss.set_progress(None)
    nn.init.zeros_(encoder.weight)
    before = teacher.network[0].weight.clone()
    loss.after_step(encoder)
    assert_allclose(teacher.network[0].weight, before / 2)
    own = {id(parameter) for parameter in loss.parameters()}
    assert not own & {id(parameter) for parameter in encoder.parameters()}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "'parts' parameter of WeightedSum must be a list of triples"),
        (None, "'parts' parameter"),
        ([("a", SimCLR())], "'parts' parameter"),
        ([("a", SimCLR(), 1.0), ("a", VICReg(), 1.0)], "differ"),
        ([("loss", SimCLR(), 1.0)], "none of"),
        ([("a__b", SimCLR(), 1.0)], "without '__'"),
        ([("a b", SimCLR(), 1.0)], "identifiers"),
        ([("a", SimCLR, 1.0)], r"part 'a' of WeightedSum must"),
        ([("a", SimCLR(), 0)], "weight of the part 'a'"),
        ([("a", SimCLR(), True)], "weight of the part 'a'"),
        ([("a", SimCLR(), math.nan)], "weight of the part 'a'"),
        ([("a", MaskedReconstruction(), 1.0)], "part 'a' of WeightedSum must compare two views"),
        ([("a", summed(), 1.0)], "part 'a' of WeightedSum must"),
    ],
)
def test_bad_sums_are_told(parts, message):
    with pytest.raises(ValueError, match=message):
        WeightedSum(parts).make_loss(nn.Linear(3, 4), 4)


def causal_steps(length, n_values=2, size=3, horizon=5, common=None):
    """Make a loss, a series, and a model whose tokens are the sums of all steps so far."""
    loss = NextStepPrediction(horizon).make_series_loss(
        SimpleNamespace(width=n_values, patch_size=size), n_values, common or length
    )
    loss.generator = torch.Generator().manual_seed(0)
    for parameter in loss.head.parameters():
        torch.nn.init.normal_(parameter, generator=loss.generator)
    values = torch.randn(4, n_values, length, generator=loss.generator)
    inside = torch.ones(4, length, dtype=torch.bool)
    inside[1, length - 4 :] = False
    observed = torch.rand(values.shape, generator=loss.generator) < 0.8
    observed = observed & inside[:, None]
    none = values.new_zeros(4, 0, length)
    times = torch.arange(float(length)).expand(4, -1)
    weights = observed * torch.rand(values.shape, generator=loss.generator)
    start = torch.zeros(4, dtype=torch.int64)
    series = Series(values * observed, observed, inside, times, none, none, weights, start, 1.0)

    class Model:
        mean = torch.full((n_values, 1), 7.0)

        def read(self, series):
            patches = torch.nn.functional.pad(series.values, (0, -series.values.shape[2] % size))
            return SimpleNamespace(tokens=patches.unflatten(2, (-1, size)).sum(3).cumsum(2).mT)

    return loss.eval(), series, Model()


@pytest.mark.parametrize("length", [12, 14])
def test_next_steps_against_loops(length):
    loss, series, model = causal_steps(length)
    tokens, error, weight = model.read(series).tokens, 0.0, 0.0
    predicted = loss.head(tokens).reshape(4, -1, 2, 2, 3)  # patches ahead, values, steps
    for row, s, ahead, channel, step in np.ndindex(4, tokens.shape[1], 2, 2, 3):
        t = 3 * (s + 1 + ahead) + step
        if t < length:
            off = predicted[row, s, ahead, channel, step] - series.values[row, channel, t]
            error = error + series.weights[row, channel, t] * off**2
            weight = weight + series.weights[row, channel, t]
    assert_allclose(loss(model, series).item(), (error / weight).item(), rtol=1e-5)
    ((nearest, wanted, counts),) = loss.judged(model, series)
    assert torch.equal(wanted, series.values)
    assert not counts[..., :3].any() and counts[..., 3:].all()
    for t in range(3, length):
        assert torch.equal(nearest[..., t], predicted[:, t // 3 - 1, 0, :, t % 3])


def test_patches_begin_anywhere_in_training_alone():
    loss, series, model = causal_steps(14)
    assert loss(model, series) == loss(model, series)
    losses = {loss.train()(model, series).item() for _ in range(20)}
    assert len(losses) > 10
    single = causal_steps(14, size=1)
    assert single[0].train()(*single[:0:-1]) == single[0](*single[:0:-1])


def test_what_comes_next_is_told_from_what_was_told_before():
    loss, series, model = causal_steps(14)
    future = loss.ahead(model, series, 16)
    assert future.shape == (4, 2, 16)
    for row, last in enumerate((14, 10, 14, 14)):
        so_far = series.values[row, :, :last]
        so_far = torch.nn.functional.pad(so_far, (-last % 3, 0))
        for _ in range(3):  # two patches each
            token = so_far.sum(1)
            blocks = loss.head(token).reshape(2, 2, 3)
            so_far = torch.cat([so_far, *blocks], 1)
        torch.testing.assert_close(future[row], so_far[:, -18:][:, :16], rtol=1e-4, atol=1e-4)


def test_gaps_are_told_from_what_is_before_them():
    loss, series, model = causal_steps(14)
    filled = loss.expected(model, series)
    expected = series.values.clone()
    for row, channel, t in (~series.observed & series.inside[:, None]).nonzero().tolist():
        if t < 3:
            expected[row, channel, t] = 7.0
    for s in range(1, 5):
        for row, channel, t in np.ndindex(4, 2, 14):
            if t // 3 == s and series.inside[row, t] and not series.observed[row, channel, t]:
                token = expected[row, :, : 3 * s].sum(1)
                block = loss.head(token).reshape(2, 2, 3)[0]
                expected[row, channel, t] = block[channel, t % 3]
    torch.testing.assert_close(filled, expected, rtol=1e-4, atol=1e-4)


def test_a_series_of_one_patch_has_no_loss():
    loss, series, model = causal_steps(3, common=12)
    assert loss(model, series) == 0
    with pytest.raises(ValueError, match="which are one patch of patch_size=3"):
        causal_steps(3)


@pytest.mark.parametrize("horizon", [0, 1.5, True, "2"])
def test_a_bad_horizon_is_named(horizon):
    with pytest.raises(ValueError, match="'horizon' parameter of NextStepPrediction"):
        NextStepPrediction(horizon).make_series_loss(STEPS, 1, 40)


@pytest.mark.parametrize(("length", "n_ahead"), [(5, 1), (9, 2), (40, 9), (400, 25)])
def test_no_more_is_predicted_at_once_than_a_common_series_can_teach(length, n_ahead):
    encoder = SimpleNamespace(width=8, patch_size=4)
    assert NextStepPrediction(100).make_series_loss(encoder, 1, length).shape[0] == n_ahead
