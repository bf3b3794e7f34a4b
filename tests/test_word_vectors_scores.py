"""Scores of all words: 3CosAdd and 3CosMul, a word and a question at a time."""

import numpy as np
import pytest

from skrepr._word_vectors._scores import METHODS, largest, lengths, on_sphere, scores_of_all

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(40, 6))
POSITIVE, NEGATIVE = RNG.normal(size=(5, 3, 6)), RNG.normal(size=(5, 2, 6))


def cosine(x, y):
    return sum(a * b for a, b in zip(x, y)) / np.sqrt(sum(x**2) * sum(y**2))


def cos_add(word, positive, negative):
    """Levy & Goldberg (2014), equation 3, for any number of words."""
    return cosine(word, sum(positive) - sum(negative))


def cos_mul(word, positive, negative):
    """Levy & Goldberg (2014), equation 4, with cosines moved to [0, 1] and gensim's epsilon."""
    score = 1.0
    for other in positive:
        score *= (1 + cosine(word, other)) / 2
    divisor = 1.0
    for other in negative:
        divisor *= (1 + cosine(word, other)) / 2
    return score / (divisor + 0.000001)


@pytest.mark.parametrize(("method", "formula"), [*zip(METHODS, (cos_add, cos_mul))])
def test_scores_are_those_of_the_paper(method, formula):
    scores = scores_of_all(method, VECTORS, lengths(VECTORS), POSITIVE, NEGATIVE)
    expected = [
        [formula(word, positive, negative) for word in VECTORS]
        for positive, negative in zip(POSITIVE, NEGATIVE)
    ]
    assert np.allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_one_question_scores_as_among_others(method):
    norms = lengths(VECTORS)
    scores = scores_of_all(method, VECTORS, norms, POSITIVE, NEGATIVE)
    alone = scores_of_all(method, VECTORS, norms, POSITIVE[2], NEGATIVE[2])
    assert alone.shape == (40,)
    assert np.allclose(scores[2], alone)


def test_without_what_is_subtracted_both_order_words_alike():
    none = np.zeros((0, 6))
    add, mul = (
        scores_of_all(method, VECTORS, lengths(VECTORS), POSITIVE[0, :1], none)
        for method in METHODS
    )
    assert (np.argsort(add) == np.argsort(mul)).all()


@pytest.mark.parametrize("method", METHODS)
def test_float32_stays_float32(method):
    vectors, positive, negative = (x.astype(np.float32) for x in (VECTORS, POSITIVE, NEGATIVE))
    scores = scores_of_all(method, vectors, lengths(vectors), positive, negative)
    assert scores.dtype == np.float32


def test_vectors_of_zeros_stay_zeros():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert on_sphere(vectors).tolist() == [[0.6, 0.8], [0.0, 0.0]]
    assert lengths(vectors).tolist() == [5.0, 1.0]
    scores = scores_of_all("3CosAdd", vectors, lengths(vectors), vectors[:1], np.zeros((0, 2)))
    assert scores.tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("n", [0, 1, 3, 8, 100])
def test_the_largest_come_in_order_and_equals_as_they_stand(n):
    scores = np.array([1.0, 5.0, 3.0, 5.0, -np.inf, 3.0, 2.0, 0.0])
    assert largest(scores, n).tolist() == [1, 3, 2, 5, 6, 0, 7, 4][:n]
    many = np.arange(100) // 50
    assert largest(many, 100).tolist() == [*range(50, 100), *range(50)]
