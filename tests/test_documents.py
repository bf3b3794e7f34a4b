"""How an embedding of words reads documents: what the estimator sees of the corpus.

Kinds of input are tested with the corpus, and answers with the estimator.
"""

import numpy as np
import pandas as pd
import pytest

from skrepr import Word2VecEmbedding


def make(**parameters):
    default = {"n_components": 2, "max_epochs": 1, "min_count": 1, "random_state": 0}
    return Word2VecEmbedding(**default | parameters)


def test_text_is_sampled_in_windows_that_shrink():
    read = make(window=3, sample=1e-2, ns_exponent=0.5)
    read.device_ = "cpu"
    sampling = read._read(["aa bb aa", "cc"], None, 1).sampling
    assert (sampling.window, sampling.shrinks, read.window_) == (3, True, 3)
    assert sampling.keep.min() < 1
    np.testing.assert_allclose(sampling.noise, np.sqrt([2, 1, 1]) / (2 + np.sqrt(2)))
    assert read.vocabulary_ == ["aa", "bb", "cc"]


def test_rows_of_a_table_are_one_window_of_which_nothing_is_left_out():
    read = make(window=3, sample=1e-2)
    read.device_ = "cpu"
    frame = pd.DataFrame([[1] * 6, [2] * 6], columns=list("abcdef"))
    sampling = read._read(frame, None, 1).sampling
    assert (sampling.window, sampling.shrinks, read.window_) == (5, False, 5)
    assert (sampling.keep == 1).all()
    assert read.n_features_in_ == 6


@pytest.mark.parametrize(("algorithm", "block"), [("skipgram", (32, 26)), ("cbow", (16, 16))])
def test_blocks_are_those_of_the_algorithm(algorithm, block):
    read = make(algorithm=algorithm)
    read.device_ = "cpu"
    rows = read._read(["aa bb"], None, 1)
    (batch,) = rows.batches(10)
    assert (batch.centers.shape[1], batch.negatives.shape[1]) == block


def test_columns_are_those_of_fit():
    frame = pd.DataFrame({"a": [1, 2] * 3, "b": [3, 4] * 3})
    embedding = make().fit(frame)
    with pytest.raises(ValueError, match=r"feature names should match"):
        embedding.transform(frame[["b", "a"]])
    assert embedding.transform(frame).shape == (6, 2)


def test_words_of_parts_are_numbered_in_order_for_all_chunks(monkeypatch):
    monkeypatch.setattr("skrepr._corpus._sentences._BAG_WORDS", 2)
    embedding = make(subword=(3, 3)).fit([["cooking", "walking"]] * 3)
    documents = [["walked", "cooking"], ["cooked"], ["walked", "cooked"]]
    new = {}
    n, bags = embedding._read_chunks(documents, new)
    assert (n, len(bags), new) == (3, 3, {"walked": 2, "cooked": 3})
    vectors = embedding.word_vectors_
    expected = [vectors[words].mean(0) for words in documents]
    np.testing.assert_allclose(embedding.transform(documents), expected, rtol=1e-5)
    assert embedding._read_chunks(documents)[1][1].words.tolist() == []


def test_times_are_found_again():
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[ns]")
    embedding = make().fit([list(days[[i % 3, (i + 1) % 3]]) for i in range(9)])
    expected = embedding.word_vectors_[list(map(pd.Timestamp, days))].mean(0)
    for same in (
        [*days],
        days,
        days.astype("datetime64[D]"),
        list(map(pd.Timestamp, days)),
        list(map(pd.Timestamp.to_pydatetime, map(pd.Timestamp, days))),
    ):
        np.testing.assert_allclose(embedding.transform([same])[0], expected, rtol=1e-5)
    assert embedding.partial_fit([list(days)]).input_shape_ == (3,)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([["a"], ["b"]] * 3, r"No document has two words.*min_count=1 times.*Got 6 rows.* 2 such"),
        (["bread", "butter"], r"a single document is a list of one: \[document\]"),
        (pd.DataFrame({"a": list("xy"), "b": [None, None]}), "No row of the table has two words"),
    ],
)
def test_a_corpus_without_pairs_is_told(X, message):
    for method in ("fit", "partial_fit"):
        embedding = make()
        with pytest.raises(ValueError, match=message):
            getattr(embedding, method)(X)
        assert not hasattr(embedding, "vocabulary_")


def test_a_later_chunk_may_be_without_pairs():
    embedding = make().partial_fit([["a", "b"]])
    assert embedding.partial_fit([["c"]]).vocabulary_ == ["a", "b", "c"]
