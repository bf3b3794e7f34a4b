"""Tables of the vectors of words, alone and with those of their n-grams."""

import numpy as np
import pytest
import torch

from skrepr._word_tables import SubwordTable, WordTable

VALUES = torch.arange(12.0).view(4, 3)
GRAMS = 10 * torch.arange(15.0).view(5, 3)
# of the words 0 to 3: two n-grams, none, one twice, one
BUCKETS, STARTS = torch.tensor([4, 0, 2, 2, 1]), torch.tensor([0, 2, 2, 4, 5])


def make_table(kind):
    values = VALUES.clone()
    if kind is WordTable:
        return WordTable(values)
    return SubwordTable(values, GRAMS.clone(), BUCKETS, STARTS)


def expected_vectors(table):
    own = table.own.detach().numpy()
    if not isinstance(table, SubwordTable):
        return own
    grams = table.grams.detach().numpy()
    parts = np.split(BUCKETS.numpy(), STARTS.numpy()[1:-1])
    return np.array([np.mean([row, *grams[part]], axis=0) for row, part in zip(own, parts)])


@pytest.mark.parametrize("kind", [WordTable, SubwordTable])
def test_vectors_are_means_of_their_parts(kind):
    table = make_table(kind)
    expected = expected_vectors(table)
    words = torch.tensor([[3, 0], [1, 1], [2, 3]])
    for found in (table(words), table.find(words), table.all()[words]):
        np.testing.assert_allclose(found.detach(), expected[words.numpy()], rtol=1e-6)
    assert table(words).requires_grad and not table.find(words).requires_grad
    assert table.find(words[:0]).shape == (0, 2, 3)


def move(table, words, gradient, rate):
    table.move(words, gradient * table.rates(words, rate))


@pytest.mark.parametrize("kind", [WordTable, SubwordTable])
def test_changes_add_up_and_reach_all_parts(kind):
    table = make_table(kind)
    before = table.all().clone()
    move(table, torch.tensor([0, 2, 0]), torch.ones(3, 3), 0.5)
    expected = VALUES - torch.tensor([1.0, 0, 0.5, 0])[:, None]
    assert table.own.equal(expected)
    if kind is SubwordTable:
        assert table.grams.equal(GRAMS - torch.tensor([1.0, 0, 1.0, 0, 1.0])[:, None])
    np.testing.assert_allclose(table.all(), expected_vectors(table), rtol=1e-6)
    assert table.all()[1].equal(before[1]) and not table.all()[0].equal(before[0])


def test_rows_with_more_gradients_than_200_are_slowed_down():
    table = make_table(WordTable)
    table.expect(torch.tensor([0.0, 100, 200, 400]), 200, 200)
    move(table, torch.arange(4), torch.ones(4, 3), 1.0)
    moved = (VALUES - table.own.detach())[:, 0]
    np.testing.assert_allclose(moved, [1, 1, 1, 0.5])


def test_of_few_words_fewer_gradients_are_added_up():
    table = make_table(WordTable)
    for n_gradients, most in (([1000.0] * 4, 50), ([1000.0] * 150, 150), ([1000.0] * 900, 200)):
        table.expect(torch.tensor(n_gradients), 50, 200)
        np.testing.assert_allclose(table._rates, most / 1000, rtol=1e-5)


def test_n_grams_have_the_gradients_of_all_their_words():
    table = make_table(SubwordTable)
    table.expect(torch.tensor([100.0, 1, 300, 800]), 200, 200)
    np.testing.assert_allclose(table._rates_of_grams[:, 0], [1, 0.25, 200 / 600, 1, 1])


def test_what_is_derived_is_not_in_the_state():
    assert set(make_table(SubwordTable).state_dict()) == {"own", "grams"}
    assert set(make_table(WordTable).state_dict()) == {"own"}
