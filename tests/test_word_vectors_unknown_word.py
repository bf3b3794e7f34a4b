"""The error for unknown words names the nearest spelling, and costs nothing unread."""

import pickle
import time

import pytest

from skrepr._word_vectors._unknown_word import SEARCHED, UnknownWordError

KNOWN = ["the", "python", "Guido", "snake", "snakes", "SNAKE", ("a", 1), 7]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("pyhton", "'pyhton' has no vector. Did you mean 'python'?"),
        ("PYTHON", "'PYTHON' has no vector. Did you mean 'python'?"),
        ("guido", "'guido' has no vector. Did you mean 'Guido'?"),
        ("Snake", "'Snake' has no vector. Did you mean 'snake'?"),
        ("xxxxxxxx", "'xxxxxxxx' has no vector."),
        ("", "'' has no vector."),
        (("a", 2), "('a', 2) has no vector."),
        (8, "8 has no vector."),
    ],
)
def test_the_nearest_spelling_is_named(word, message):
    error = UnknownWordError(word, KNOWN)
    assert isinstance(error, KeyError)
    assert str(error) == message
    assert str(pickle.loads(pickle.dumps(error))) == message


def test_the_most_frequent_words_are_searched():
    words = [f"w{number:07}" for number in range(SEARCHED)]
    assert "Did you mean" not in str(UnknownWordError("zebar", [*words, "zebra"]))
    assert "'zebra'" in str(UnknownWordError("zebar", ["zebra", *words]))


def test_an_error_that_is_caught_costs_no_search():
    words = [f"word{number}" for number in range(200_000)]
    start = time.process_time()
    for _ in range(1000):
        with pytest.raises(KeyError):
            raise UnknownWordError("wrod", words)
    assert time.process_time() - start < 1
