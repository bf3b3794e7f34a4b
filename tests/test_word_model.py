"""Models of words: steps along the gradient, and what is made of documents."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from word_models import (
    N_WORDS,
    WIDTH,
    WINDOW,
    draw_sides,
    log_sigmoid,
    make_blocks,
    make_model,
)

from skrepr._corpus import Bags, Sampling, Subwords
from skrepr._training import SideBySide
from skrepr._word_algorithms import ALGORITHMS
from skrepr._word_model import WordModel

SUBWORDS = [None, Subwords(3, 4, 20)]


def sampling_of(counts, **settings):
    default = {
        "window": WINDOW,
        "shrinks": True,
        "sample": 0,
        "ns_exponent": 0.75,
        "block": (32, 24),
        "longest": 1000,
    }
    return Sampling(counts, **default | settings)


def prepare(model, *, batch_size=1, waits=True, counts=None, n_threads=1):
    counts = np.arange(N_WORDS, 0, -1) if counts is None else counts
    model.prepare(
        sampling_of(counts), counts, batch_size, n_threads=n_threads, waits=waits, is_new=True
    )
    return model


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("subwords", SUBWORDS, ids=["words", "subwords"])
def test_a_step_goes_against_the_gradient(algorithm, subwords):
    model = prepare(make_model(algorithm, subwords=subwords))
    blocks = make_blocks(10)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    loss, asked = model(blocks), model(blocks.first(4))
    loss.backward()
    n_pairs = model.algorithm.n_pairs(blocks.n_near).sum()
    with SideBySide(1) as side_by_side:
        told = model.take_step(blocks, 1e-3, "float32", side_by_side)
    assert told == asked
    for name, parameter in model.named_parameters():
        expected = before[name] - 1e-3 * n_pairs * parameter.grad
        np.testing.assert_allclose(parameter.detach(), expected, rtol=1e-4, atol=1e-5)
    assert model(blocks) < loss


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_threads_that_wait_change_nothing(algorithm):
    blocks = make_blocks(200)
    tables = []
    for n_threads in (1, 2, 3):
        model = prepare(make_model(algorithm))
        with SideBySide(n_threads) as side_by_side:
            loss = model.take_step(blocks, 1e-3, "float32", side_by_side)
        tables.append((loss, model.words.all(), model.contexts.all()))
    for other in tables[1:]:
        assert all(a.equal(b) for a, b in zip(tables[0], other))


def test_threads_that_do_not_wait_take_a_step_for_each_part():
    blocks = make_blocks(200)
    together, one_by_one, parts = (prepare(make_model(), waits=w) for w in (True, False, False))
    with SideBySide(1) as side_by_side:
        together.take_step(blocks, 1e-3, "float32", side_by_side)
        one_by_one.take_step(blocks, 1e-3, "float32", side_by_side)
        for part in reversed(blocks.split(32)):
            parts._go(partial(parts.steps, part, parts.rates(part, 1e-3)))
    assert one_by_one.words.all().equal(parts.words.all())
    assert not one_by_one.words.all().equal(together.words.all())


def test_what_is_asked_is_moved_last_where_threads_do_not_wait():
    blocks, model = make_blocks(60, sides=draw_sides(60, 1), n_negatives=1), make_model()
    before = prepare(model, waits=False).words.all().clone()

    def call_the_last(functions):
        functions[-1]()
        return [None] * len(functions)

    model.take_step(blocks, 1e-3, "float32", call_the_last)
    moved = (model.words.all() != before).any(1).nonzero().squeeze(1)
    first = blocks.split(32)[0]
    assert moved.equal(first.centers[first.n_near[..., 0] > 0].unique())
    assert 0 < len(moved) < N_WORDS


def test_only_frequent_words_are_slowed_down():
    counts = np.array([100_000, *[10] * (N_WORDS - 1)])
    model = prepare(make_model(), batch_size=1000, counts=counts)
    # with a window of 3: 4 pairs a center, and 5 products each; one word is nearly all there is
    share = counts / counts.sum()
    assert model.words._rates[0] == pytest.approx(100 / (1000 * share[0] * 4 * 5), rel=1e-3)
    noise = counts**0.75 / (counts**0.75).sum()
    expected = 100 / (1000 * 4 * (share[0] + 4 * noise[0]))
    assert model.contexts._rates[0] == pytest.approx(expected, rel=1e-3)
    assert (model.words._rates[1:] == 1).all()
    cbow = prepare(make_model("cbow"), batch_size=1000, counts=counts)
    assert cbow.contexts._rates[0] == pytest.approx(expected * 4 / 2, rel=1e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("table", ["words", "contexts"])
def test_rates_scale_the_steps_of_their_rows(algorithm, table):
    blocks = make_blocks(10)
    with SideBySide(1) as side_by_side:
        moved = []
        for rate in (1.0, 0.5):
            model = prepare(make_model(algorithm))
            changed = getattr(model, table)
            before = changed.all().clone()
            changed._rates[3] = rate
            model.take_step(blocks, 1e-3, "float32", side_by_side)
            moved.append(changed.all() - before)
    np.testing.assert_allclose(moved[1][3], moved[0][3] / 2, rtol=1e-3, atol=1e-7)
    assert moved[0][4].equal(moved[1][4])


def test_learning_rate_falls_along_a_line():
    factors = [WordModel.learning_rate_factor(f) for f in (None, 0.0, 0.25, 0.999, 1.0)]
    assert factors == [1.0, 1.0, 0.75, 0.004, 0.004]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_batch_of_nothing_changes_nothing(algorithm):
    model = prepare(make_model(algorithm))
    before = model.words.all().clone()
    empty = make_blocks(sides=torch.zeros(3, 32, 2, dtype=torch.int64))
    with SideBySide(2) as side_by_side:
        for blocks in (empty, empty.first(0)):
            assert model.take_step(blocks, 1.0, "float32", side_by_side) == 0
            assert model(blocks) == 0
    assert model.words.all().equal(before)


# ------------------------------------------------------------------------------ documents

DOCUMENTS = [[1, 2, 2, 7], [], [5], [9, 3, 1, 8, 8, 30, 2]]


def bags_of(documents):
    lengths = np.array([len(words) for words in documents])
    return Bags.of(np.array([w for words in documents for w in words], dtype=np.int32), lengths)


@pytest.mark.parametrize("pooling", ["mean", "idf", "sif", "max"])
def test_poolings(pooling):
    model = prepare(make_model(pooling=pooling))
    model.weigh_words(lambda: [bags_of(DOCUMENTS)], True)
    words = model.words.all().double().numpy()
    counts = np.arange(N_WORDS, 0, -1)
    expected = np.zeros((4, WIDTH))
    for i, document in enumerate(DOCUMENTS):
        if not document:
            continue
        vectors = words[document]
        if pooling == "max":
            expected[i] = vectors.max(axis=0)
            continue
        n_holding = np.array([sum(w in other for other in DOCUMENTS) for w in document])
        weights = {
            "mean": np.ones(len(document)),
            "idf": np.log((1 + 4) / (1 + n_holding)) + 1,
            "sif": 1e-3 / (1e-3 + counts[document] / counts.sum()),
        }[pooling]
        divisor = weights.sum() if pooling == "idf" else len(document)
        expected[i] = weights @ vectors / divisor
    with torch.no_grad():
        received = model.encode(bags_of(DOCUMENTS))
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("pooling", ["mean", "idf", "sif", "max"])
def test_words_known_by_their_parts_alone_are_pooled_as_the_rarest(pooling):
    model = prepare(make_model(pooling=pooling))
    model.weigh_words(lambda: [bags_of(DOCUMENTS)], True)
    bags = bags_of([[1, N_WORDS, N_WORDS + 1], [N_WORDS + 1]])
    unknown = torch.arange(2.0 * WIDTH).view(2, WIDTH)
    received = model.encode(replace(bags, unknown=unknown))
    vectors = torch.stack([model.words.all()[1], *unknown])
    weights = {"idf": torch.tensor([np.log(5 / 3) + 1, *[np.log(5) + 1] * 2])}
    weights |= {"sif": torch.tensor([float(model.weights[1]), 1, 1])}
    w = weights.get(pooling, torch.ones(3)).float()[:, None]
    expected = (vectors * w).sum(0) / (w.sum() if pooling == "idf" else 3)
    expected = vectors.amax(0) if pooling == "max" else expected
    np.testing.assert_allclose(received[0], expected, rtol=1e-5)
    np.testing.assert_allclose(received[1], unknown[1], rtol=1e-5)


def test_document_frequencies_of_a_stream_add_up():
    whole, parts = (prepare(make_model(pooling="idf")) for _ in range(2))
    whole.weigh_words(lambda: [bags_of(DOCUMENTS)], True)
    parts.weigh_words(lambda: [bags_of(DOCUMENTS[:2])], True)
    parts.weigh_words(lambda: [bags_of(DOCUMENTS[2:])], False)
    assert parts.weights.equal(whole.weights)
    parts.weigh_words(lambda: [bags_of(DOCUMENTS)], True)
    assert parts.weights.equal(whole.weights)


def test_common_direction_is_the_first_singular_vector():
    model = make_model(pooling="mean")
    with torch.no_grad():
        documents = model.encode(bags_of(DOCUMENTS)).numpy()
    expected = np.linalg.svd(documents)[2][0]
    with torch.no_grad():
        received = model.common_direction(lambda: [bags_of(DOCUMENTS)]).numpy()
    assert abs(received @ expected) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_log_likelihood_is_the_sum_over_pairs(algorithm):
    model = prepare(make_model(algorithm))
    words, contexts = (t.all().double().numpy() for t in (model.words, model.contexts))
    negatives = contexts[model.negatives.numpy()]
    expected = np.zeros((4, 2))
    for i, document in enumerate(DOCUMENTS):
        for j, center in enumerate(document):
            near = [w for k, w in enumerate(document) if k != j and abs(k - j) <= WINDOW]
            if not near:
                continue
            if algorithm == "skipgram":
                pairs = [(words[center], contexts[other]) for other in near]
            else:
                pairs = [(words[near].mean(axis=0), contexts[center])]
            for h, u in pairs:
                expected[i] += log_sigmoid(h @ u) + 4 * log_sigmoid(-negatives @ h).mean(), 1
    with torch.no_grad():
        received = model.log_likelihood(bags_of(DOCUMENTS))
        alone = torch.cat([model.log_likelihood(bags_of([words])) for words in DOCUMENTS])
        one_word = model.log_likelihood(bags_of([[3], []]))
    np.testing.assert_allclose(received, expected, rtol=1e-5)
    np.testing.assert_allclose(alone, expected, rtol=1e-5)
    assert not one_word.any()


def test_negatives_for_scores_are_drawn_once():
    first, second = prepare(make_model()), prepare(make_model(), batch_size=7)
    assert first.negatives.equal(second.negatives)
    assert not first.negatives.equal(prepare(make_model(seed=1)).negatives)
    kept = first.negatives.clone()
    counts = np.arange(N_WORDS, 0, -1)
    first.prepare(sampling_of(counts), counts, 1, n_threads=1, waits=True, is_new=False)
    assert first.negatives.equal(kept)
