"""Word2VecEmbedding: what it learns, and the contract of an estimator of text."""

import copy
import os
import pickle
import signal
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback, LRScheduler

from skrepr import RepresentationCollapseWarning, Word2VecEmbedding, WordVectors, load, save
from skrepr._corpus import _blocks
from skrepr._training import _devices
from skrepr.datasets import load_python_docs

ALGORITHMS = ["skipgram", "cbow"]
SMALL = {"n_components": 4, "max_epochs": 2, "min_count": 1}
N_TOPICS, N_OF_TOPIC = 4, 8


def make(**parameters):
    return Word2VecEmbedding(**SMALL | {"random_state": 0} | parameters)


def make_topics(n=200, n_words=12, seed=0):
    """Documents of words of one topic each, and their topics."""
    generator = np.random.default_rng(seed)
    topics = generator.integers(0, N_TOPICS, n)
    words = generator.integers(0, N_OF_TOPIC, (n, n_words))
    return [" ".join(f"t{t}w{w}" for w in row) for t, row in zip(topics, words)], topics


@pytest.fixture(scope="module")
def docs():
    return make_topics()[0]


@pytest.fixture(scope="module")
def fitted(docs):
    return make().fit(docs)


def same_words(a, b):
    return a.vocabulary_ == b.vocabulary_ and np.array_equal(
        a.word_vectors_.vectors, b.word_vectors_.vectors
    )


# -------------------------------------------------------------------------- what it learns


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_words_of_a_topic_are_neighbors(algorithm, n_jobs):
    texts, topics = make_topics(1000)
    embedding = make(n_components=16, max_epochs=10, algorithm=algorithm, n_jobs=n_jobs).fit(texts)
    assert isinstance(embedding.word_vectors_, WordVectors)
    for word in embedding.vocabulary_[::5]:
        near = embedding.word_vectors_.most_similar(word, topn=N_OF_TOPIC - 1)
        assert {other[:2] for other, _ in near} == {word[:2]}
    scores = cross_val_score(LogisticRegression(), embedding.transform(texts), topics)
    assert scores.mean() > 0.99


def make_grid(n=6000, n_things=6, n_kinds=3, seed=0):
    """Documents about words of two properties, each with words of its own around it."""
    generator = np.random.default_rng(seed)
    for thing, kind in zip(generator.integers(0, n_things, n), generator.integers(0, n_kinds, n)):
        around = [f"thing{thing}_{i}" for i in generator.integers(0, 3, 3)]
        around += [f"kind{kind}_{i}" for i in generator.integers(0, 3, 3)]
        generator.shuffle(around)
        yield [*around[:3], f"x{thing}{kind}", *around[3:]]


def test_differences_of_words_mean_something():
    embedding = make(n_components=16, max_epochs=20).fit(list(make_grid()))
    vectors, right = embedding.word_vectors_, []
    for a, b in ((0, 1), (2, 3), (4, 5), (1, 4)):
        for kind, other in ((0, 1), (1, 2), (2, 0)):
            found = vectors.most_similar([f"x{a}{other}", f"x{b}{kind}"], [f"x{a}{kind}"], topn=1)
            right.append(found[0][0] == f"x{b}{other}")
    assert np.mean(right) > 0.8


def test_loss_of_an_epoch_is_true_and_falls():
    texts, _ = make_topics(1000)
    embedding = make(max_epochs=6, early_stopping=True).fit(texts)
    history = embedding.history_
    assert list(history.columns) == ["epoch", "train_loss", "valid_loss", "seconds"]
    # vectors that say nothing: six coins for each pair
    assert history.train_loss[0] < 6 * np.log(2)
    assert (history.valid_loss.diff()[1:] < 0).all()
    np.testing.assert_allclose(history.train_loss.iloc[-1], history.valid_loss.iloc[-1], rtol=0.1)


def test_score_of_vectors_that_say_nothing(docs):
    embedding = make(learning_rate=1e-12).fit(docs)
    assert embedding.score(docs) == pytest.approx(6 * np.log(0.5), rel=1e-4)
    assert embedding.mean_log_likelihood_ == pytest.approx(6 * np.log(0.5), rel=1e-4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_score_grows_with_training_and_falls_for_other_texts(docs, algorithm):
    short, long = (make(algorithm=algorithm, max_epochs=n).fit(docs) for n in (1, 20))
    unseen = make_topics(seed=1)[0]
    assert long.score(unseen) > short.score(unseen) + 0.01
    mixed = [" ".join(words) for words in zip(*(text.split() for text in unseen[:12]))]
    assert long.score(mixed) < long.score(unseen)
    samples = long.score_samples(unseen)
    assert samples.dtype == np.float32
    # documents of equal length have equally many pairs
    assert samples.mean() == pytest.approx(long.score(unseen), rel=1e-5)


def test_documents_without_pairs_get_the_mean(fitted):
    scores = fitted.score_samples(["t0w0", "", "unknown words", "t0w0 t0w1"])
    assert (scores[:3] == np.float32(fitted.mean_log_likelihood_)).all()
    assert scores[3] != scores[0]
    assert fitted.score(["t0w0", ""]) == fitted.mean_log_likelihood_


def test_search_over_parameters(docs):
    search = GridSearchCV(make(), {"max_epochs": [1, 20]}, cv=2, error_score="raise").fit(docs)
    assert search.best_params_ == {"max_epochs": 20}


def test_table_of_categories():
    generator = np.random.default_rng(0)
    group = generator.integers(0, 3, 600)
    frame = pd.DataFrame(
        {name: 10 * group + generator.integers(0, 3, 600) for name in ("a", "b", "c")}
    )
    embedding = make(n_components=8, max_epochs=60).fit(frame)
    assert embedding.window_ == 2
    assert embedding.n_features_in_ == 3
    assert list(embedding.feature_names_in_) == ["a", "b", "c"]
    near = embedding.word_vectors_.most_similar("a=11", topn=3)
    assert {word[2] for word, _ in near} == {"1"}
    scores = cross_val_score(LogisticRegression(), embedding.transform(frame), group)
    assert scores.mean() > 0.99
    order = embedding.transform(frame[["a", "b", "c"]].astype("category"))
    np.testing.assert_array_equal(order, embedding.transform(frame))


def test_bins_of_a_table_are_those_of_fit(tmp_path):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(100, 3)), columns=list("abc"))
    embedding = make(n_bins=4).fit(frame)
    assert {j: len(edges) for j, edges in embedding.bin_edges_.items()} == {0: 3, 1: 3, 2: 3}
    few = frame[:5]
    np.testing.assert_allclose(
        embedding.transform(few), embedding.transform(frame)[:5], rtol=1e-5, atol=1e-7
    )
    save(embedding, tmp_path / "w")
    np.testing.assert_array_equal(load(tmp_path / "w").transform(few), embedding.transform(few))


# ------------------------------------------------------------------------------- poolings


def test_pooling_is_that_of_the_words(docs, fitted):
    words = docs[0].split()
    vectors = fitted.word_vectors_[words]
    np.testing.assert_allclose(fitted.transform(docs[:1])[0], vectors.mean(0), rtol=1e-5)
    largest = make(pooling="max").fit(docs)
    np.testing.assert_array_equal(
        largest.transform(docs[:1])[0], largest.word_vectors_[words].max(0)
    )


def test_idf_weighs_by_document_frequency():
    texts = ["a b"] * 6 + ["a c"] * 2
    embedding = make(pooling="idf", token_pattern=r"\w").fit(texts)
    assert embedding.vocabulary_ == ["a", "b", "c"]
    a, c = (np.log(9 / (1 + n)) + 1 for n in (8, 2))
    vectors = embedding.word_vectors_
    expected = (a * vectors["a"] + c * vectors["c"]) / (a + c)
    np.testing.assert_allclose(embedding.transform(["a c"])[0], expected, rtol=1e-5)


def test_sif_takes_out_what_documents_share(docs):
    plain, sif = (make(pooling=pooling, max_epochs=10) for pooling in ("mean", "sif"))
    Z = sif.fit(docs).transform(docs).astype(np.float64)
    matrix = sif.readout_.matrix.double().numpy()
    np.testing.assert_allclose(matrix @ matrix, matrix, atol=1e-6)
    assert np.trace(matrix) == pytest.approx(3, abs=1e-5)
    # the direction is the first singular vector of what the documents are before it
    counts = sif.module_.counts.numpy()
    weights = 1e-3 / (1e-3 + counts / counts.sum())
    of = sif.word_vectors_.key_to_index
    vectors = sif.word_vectors_.vectors
    raw = np.array(
        [np.mean([weights[of[w]] * vectors[of[w]] for w in text.split()], axis=0) for text in docs]
    )
    u = np.linalg.svd(raw)[2][0]
    np.testing.assert_allclose(Z, raw - np.outer(raw @ u, u), atol=1e-5 * np.abs(raw).max())
    assert not np.allclose(plain.fit(docs).transform(docs), Z)


def test_empty_documents_are_zero_and_told_once(fitted):
    with pytest.warns(UserWarning, match="2 of 4 documents have no word") as told:
        Z = fitted.transform(["t0w0", "", "unknown", "t0w0 unknown"])
    assert len(told) == 1
    assert not Z[1:3].any()
    np.testing.assert_array_equal(Z[0], Z[3])


# ------------------------------------------------------------------------- parts of words


@pytest.fixture(scope="module")
def with_parts():
    generator = np.random.default_rng(0)
    ends = ["ing", "er", "ed", "s"]
    roots = ["walk", "paint", "cook", "climb"]
    texts = [
        [f"{roots[i]}{end}" for end in generator.choice(ends, 6)]
        for i in generator.integers(0, 4, 300)
    ]
    return make(n_components=8, max_epochs=20, subword=(3, 6), sample=0).fit(texts)


def test_words_never_seen_are_near_those_of_their_root(with_parts):
    vectors = with_parts.word_vectors_
    assert "cookery" not in vectors
    for word, root in (("cookery", "cook"), ("repaint", "paint"), ("walkable", "walk")):
        near = vectors.most_similar([vectors[word]], topn=3)
        assert all(other.startswith(root) for other, _ in near)
        np.testing.assert_allclose(with_parts.transform([[word]])[0], vectors[word], rtol=1e-5)
    both = with_parts.transform([["cooking", "cookery", "x"]])[0]
    np.testing.assert_allclose(both, (vectors["cooking"] + vectors["cookery"]) / 2, rtol=1e-5)
    with pytest.raises(KeyError, match=r"'x' has no vector"):
        vectors["x"]
    with pytest.raises(KeyError, match=r"'Walke' has no vector. Did you mean 'walker'"):
        make(subword=(7, 7), sample=0).fit([["walked", "walker"]] * 9).word_vectors_["Walke"]
    with pytest.warns(UserWarning, match="1 of 2 documents"):
        assert not with_parts.transform([["x"], ["cookery"]])[0].any()


def test_parts_of_words_are_written_and_go_on(with_parts, tmp_path):
    save(with_parts, tmp_path / "w", resume=True)
    loaded, twin = load(tmp_path / "w"), copy.deepcopy(with_parts)
    for other in (loaded, twin):
        assert same_words(other, with_parts)
        np.testing.assert_array_equal(
            other.transform([["cookery"]]), with_parts.transform([["cookery"]])
        )
    more = [["swim", "swimming", "walking"]] * 3
    assert same_words(loaded.partial_fit(more), twin.partial_fit(more))
    assert loaded.vocabulary_[-2:] == ["swim", "swimming"]
    assert loaded.n_buckets_ == with_parts.n_buckets_
    pickled = pickle.loads(pickle.dumps(with_parts.word_vectors_))
    np.testing.assert_array_equal(pickled["cookery"], with_parts.word_vectors_["cookery"])


def test_scores_ask_whole_words_alone(with_parts):
    known, unknown = [["cooking", "walking"]], [["cooking", "cookery", "walking"]]
    assert with_parts.score(known) == with_parts.score(unknown)


@pytest.mark.parametrize("subword", [(3,), (0, 3), (4, 3), (3, 4.5), (1, 2, 3)])
def test_bounds_of_parts_are_validated(docs, subword):
    with pytest.raises(ValueError, match="'subword' parameter must be None or a pair of integers"):
        make(subword=subword).fit(docs)


def test_training_does_not_go_on_as_another_network(docs):
    with pytest.raises(ValueError, match="describes another network"):
        make(warm_start=True).fit(docs).set_params(subword=(3, 4)).fit(docs)


# --------------------------------------------------------------------- what is out of line


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_three_words(algorithm):
    embedding = make(algorithm=algorithm, window=5).fit([["a", "b"], ["b", "c"]])
    assert sorted(embedding.vocabulary_) == ["a", "b", "c"]
    assert np.isfinite(embedding.transform([["a"], ["b", "c"]])).all()


SMALL_WORLDS = {
    "baskets": [["bread", "butter", "jam"], ["beer", "crisps", "nuts"]] * 50,
    "two words": [["a", "b"]] * 600,
    "twenty letters": np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), (60, 300)),
    "a table of yes and no": np.random.default_rng(0).integers(0, 2, (1000, 10)),
}


# two documents of the same words are one point
@pytest.mark.filterwarnings("ignore::skrepr.RepresentationCollapseWarning")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", SMALL_WORLDS)
def test_a_few_words_do_not_explode(algorithm, name):
    X = SMALL_WORLDS[name]
    if name == "twenty letters":
        X = X.tolist()
    epochs = 20 if name in ("baskets", "two words") else 8  # where there are few words to read
    settings = {"algorithm": algorithm, "sample": 0, "max_epochs": epochs, "random_state": 0}
    embedding = Word2VecEmbedding(4, **settings).fit(X)
    assert np.abs(embedding.word_vectors_.vectors).max() < 50
    assert (embedding.history_.train_loss < 6 * np.log(2) + 0.01).all()


@pytest.mark.parametrize("window", [3, 1000, 10**6])
def test_a_window_may_be_wider_than_all_documents(window):
    generator = np.random.default_rng(0)
    baskets = [list(generator.permutation(list("abcd" if i % 2 else "wxyz"))) for i in range(80)]
    settings = {"n_components": 8, "max_epochs": 100, "sample": 0}
    words = make(window=window, **settings).fit(baskets).word_vectors_
    assert {word for word, _ in words.most_similar("a", topn=3)} == {"b", "c", "d"}


def test_an_iterator_is_not_read_twice():
    texts = (text for text in ["a b", "b c"])
    with pytest.raises(ValueError, match="iterator"):
        make().fit_transform(texts)
    assert next(texts) == "a b"  # nothing was read


def test_the_kind_of_a_column_is_that_of_fit():
    mixed = np.array([["a", 1.5], ["b", 2.5], [np.nan, 3.5]] * 10, dtype=object)
    embedding = make(n_bins=2).fit(mixed)
    whole = embedding.transform(mixed)
    for i in range(3):
        np.testing.assert_allclose(embedding.transform(mixed[i : i + 1]), whole[i : i + 1])
    with pytest.raises(ValueError, match="'1' held numbers in fit"):
        embedding.transform(np.array([["a", "x"]], dtype=object))
    whole_numbers = make().fit(pd.DataFrame({"a": [1, 2, 3] * 9, "b": list("xyz") * 9}))
    with_gap = pd.DataFrame({"a": [1, np.nan], "b": ["x", "y"]})
    first = whole_numbers.transform(pd.DataFrame({"a": [1], "b": ["x"]}))
    np.testing.assert_allclose(whole_numbers.transform(with_gap)[:1], first)


def test_bins_close_together_keep_their_names():
    days = pd.DataFrame({"jd": 2459000.5 + np.arange(300) / 10, "b": list("xy") * 150})
    words = make(n_bins=8).fit(days).vocabulary_
    assert sum(word.startswith("jd=") for word in words) == 8


def test_documents_of_one_word_teach_nothing_and_break_nothing():
    embedding = make().fit([["a", "b"], ["c"]])
    embedding.partial_fit([["a"], ["b"], ["c"], ["a"]] * 5)
    assert embedding.history_.train_loss.iloc[-1] == 0
    assert np.isfinite(embedding.transform([["a"], ["c"]])).all()
    assert embedding.score([["a"]]) == embedding.mean_log_likelihood_ == 0


def test_words_are_left_out_by_count_and_number(docs):
    counts = pd.Series(" ".join(docs).split()).value_counts()
    embedding = make(min_count=int(counts.iloc[9])).fit(docs)
    assert set(embedding.vocabulary_) == set(counts.index[counts >= counts.iloc[9]])
    assert embedding.word_vectors_.counts.tolist() == counts[embedding.vocabulary_].tolist()
    assert make(max_vocabulary=5).fit(docs).input_shape_ == (5,)
    with pytest.raises(ValueError, match=r"min_count=10000 times: of 32 words.*Lower min_count"):
        make(min_count=10_000).fit(docs)


def test_unicode_and_odd_tokens():
    texts = ["Ærø straße 東京 東京", "naïve ÆRØ"]
    assert make().fit(texts).vocabulary_ == ["ærø", "東京", "straße", "naïve"]
    assert make(lowercase=False).fit(texts).vocabulary_[0] == "東京"
    odd = [[("a", 1), 7, "x"], [("a", 1), None]]
    embedding = make().fit(odd)
    assert embedding.vocabulary_ == [("a", 1), 7, "x", None]
    assert embedding.transform([[7, ("a", 1)]]).any()


@pytest.mark.slow
def test_vocabulary_of_a_million():
    tokens = np.arange(10**6).reshape(-1, 100).tolist()
    embedding = make(n_components=2, max_epochs=1, early_stopping=False).fit(tokens)
    assert embedding.input_shape_ == (10**6,)
    assert embedding.transform(tokens[:2]).any(axis=1).all()


def test_None_and_other_documents_are_refused_before_training(docs, fitted):
    for call in (make().fit, fitted.transform, fitted.score, copy.copy(fitted).partial_fit):
        with pytest.raises(ValueError, match=r"strings or lists of tokens. Got None"):
            call([*docs[:3], None])
        with pytest.raises(ValueError, match="there is no such file"):
            call("a document")
    assert same_words(fitted, make().fit(docs))


def test_text_and_tables_do_not_mix(docs, fitted):
    table = np.ones((5, 3), dtype=int)
    with pytest.raises(ValueError, match=r"Expected text or lists of tokens.*got a table"):
        fitted.transform(table)
    with pytest.raises(ValueError, match=r"Expected a table of categories.*got text"):
        make().fit(table).transform(docs)
    with pytest.raises(ValueError, match="X has 2 features, but Word2VecEmbedding is expecting 3"):
        make().fit(table).transform(table[:, :2])


def test_weights_that_explode_are_told_with_what_helps_words(docs):
    told = r"NaN or infinite in epoch .*learning_rate=1e\+30.*learning_rate=\"auto\".*batch_size"
    with pytest.raises(ValueError, match=told) as error:
        make(learning_rate=1e30).fit(docs)
    assert "Scaler" not in str(error.value) and "Clipping" not in str(error.value)


@pytest.mark.parametrize("ns_exponent", [-10, 10])
def test_words_may_be_drawn_by_any_power_of_their_counts(ns_exponent):
    texts = [["a", "b"]] * 300 + [["b", "c"]]
    assert make(ns_exponent=ns_exponent).fit(texts).transform(texts[-1:]).any()


def test_collapse_is_told():
    texts = [["a", "b"]] * 200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(make_topics()[0])
    with pytest.warns(RepresentationCollapseWarning, match="constant"):
        make().fit(texts)


# -------------------------------------------------------------------------- how it trains


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_same_random_state_same_numbers_at_any_number_of_threads(docs, algorithm):
    expected = make(algorithm=algorithm).fit(docs)
    before = torch.get_num_threads()
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            assert same_words(make(algorithm=algorithm, n_jobs=1).fit(docs), expected)
    finally:
        torch.set_num_threads(before)
    assert not same_words(make(algorithm=algorithm, random_state=1).fit(docs), expected)


def test_batches_are_prepared_on_one_thread_of_torch(docs, monkeypatch):
    """More would keep the cores busy while they wait for each other, next to the training."""
    found = []
    prepare = _blocks.Pass.blocks

    def look(self, *arguments):
        found.append((threading.current_thread(), torch.get_num_threads()))
        return prepare(self, *arguments)

    monkeypatch.setattr(_blocks.Pass, "blocks", look)
    make(max_epochs=1).fit(docs)
    (thread, n_threads) = found[0]
    assert thread is not threading.current_thread()
    assert n_threads == 1


def test_what_auto_becomes(docs):
    embedding = make(max_epochs="auto").fit(docs[:100])
    assert embedding.max_epochs_ == 100
    assert embedding.batch_size_ == 128
    assert embedding.early_stopping_ is False
    assert embedding.learning_rate_ == 0.025
    assert embedding.precision_ == "float32"
    assert make(algorithm="cbow").fit(docs).learning_rate_ == 0.07
    assert make(n_jobs=2).fit(docs).batch_size_ == 2400
    n_words = (10**3, 10**4, 10**5, 2 * 10**6, 10**8)
    assert [make()._auto_max_epochs(n, 1) for n in n_words] == [100, 40, 20, 10, 5]
    assert [make()._auto_batch_size(n) for n in (10**7, 64_000, 10)] == [8192, 1000, 128]
    assert make(n_jobs=2)._auto_batch_size(10**7) == 2**16


@pytest.fixture(scope="module")
def long_texts():
    words = " ".join(load_python_docs()).lower().split()[:20_000]
    return [words[start : start + 500] for start in range(0, len(words), 500)]


@pytest.mark.parametrize("window", [50, 100])
def test_wide_windows_have_shorter_steps_and_do_not_diverge(long_texts, window):
    wide = make(window=window, n_components=50, max_epochs=4, n_jobs=1).fit(long_texts)
    assert (wide.history_.train_loss < 6 * np.log(2)).all()
    n_near = window * (2 * window - window + 1) / window
    assert wide.learning_rate_ == pytest.approx(0.025 * 16 / n_near)
    assert wide.batch_size_ == max(128, int(312 * 16 / n_near))
    asked = make(window=window, batch_size=500, learning_rate=1e-3, max_epochs=1)
    asked.fit(long_texts[:9])
    assert (asked.batch_size_, asked.learning_rate_) == (500, 1e-3)


def test_windows_of_one_pair_and_of_rows_keep_their_steps(long_texts):
    of_cbow = make(window=50, algorithm="cbow", max_epochs=1).fit(long_texts)
    assert (of_cbow.batch_size_, of_cbow.learning_rate_) == (312, 0.07)
    table = np.arange(120).reshape(4, 30) % 7
    assert make(max_epochs=1).fit(table).learning_rate_ == 0.025
    # a window is no wider than the documents
    assert make(window=50, max_epochs=1).fit([["a", "b", "c"]] * 9).learning_rate_ == 0.025


@pytest.mark.parametrize("bf16_pays", [True, False])
def test_precision_auto_tries_what_is_faster(docs, monkeypatch, bf16_pays):
    monkeypatch.setattr(_devices, "_small_products_pay", lambda: bf16_pays)
    embedding = make(precision="auto").fit(docs)
    assert embedding.precision_ == ("bf16" if bf16_pays else "float32")
    assert same_words(embedding, make(precision=embedding.precision_).fit(docs))
    rough = make(precision="bf16").fit(docs)
    assert not same_words(rough, make().fit(docs))
    np.testing.assert_allclose(
        rough.word_vectors_.vectors, make().fit(docs).word_vectors_.vectors, atol=0.02
    )


def test_early_stopping_keeps_the_best_epoch():
    texts, _ = make_topics(30, n_words=4)
    noise = np.random.default_rng(0).integers(0, 200, (60, 6)).astype(str).tolist()
    embedding = make(
        n_components=50, max_epochs=200, learning_rate=0.3, early_stopping=True, patience=3
    ).fit(noise)
    assert embedding.best_epoch_ == embedding.history_.valid_loss.argmin() + 1
    assert embedding.n_epochs_ == embedding.best_epoch_ + 3 < 200
    assert not make().fit(texts).early_stopping_
    with pytest.raises(ValueError, match=r"Found X with 2 document\(s\).*minimum of 3"):
        make(early_stopping=True).fit(texts[:2])


class Watching(Callback):
    """Looks at single batches, which skorch's own loop shows."""

    def on_batch_end(self, net, **kwargs):
        self.n_batches = getattr(self, "n_batches", 0) + 1


def test_callbacks_that_watch_batches_change_nothing(docs):
    watched = make(callbacks=[Watching()]).fit(docs)
    plain = make().fit(docs)
    assert same_words(watched, plain)
    assert watched.history_.train_loss.tolist() == plain.history_.train_loss.tolist()


def test_schedulers_of_skorch_act(docs):
    def schedule(factor):
        return LRScheduler("LambdaLR", lr_lambda=lambda epoch: factor**epoch)

    constant, stopped = (make(callbacks=[schedule(factor)]).fit(docs) for factor in (1.0, 0.0))
    assert not same_words(constant, make().fit(docs))  # whose steps get shorter
    assert constant.history_.event_lr.tolist() == [0.025, 0.025]
    assert stopped.history_.event_lr.tolist() == [0.025, 0.0]
    assert same_words(stopped, make(max_epochs=1, callbacks=[schedule(1.0)]).fit(docs))


@pytest.mark.parametrize(
    ("policy", "rates"), [("OneCycleLR", {"total_steps": 9}), ("CyclicLR", {"base_lr": 0.01})]
)
def test_schedulers_that_change_a_momentum_act_too(policy, rates, docs):
    policy = getattr(torch.optim.lr_scheduler, policy)
    schedule = LRScheduler(policy, max_lr=0.1, step_every="batch", **rates)
    constant = LRScheduler("LambdaLR", lr_lambda=lambda epoch: 1.0)
    with_schedule, without = (
        make(max_epochs=1, batch_size=2**9, callbacks=[each]).fit(docs)
        for each in (schedule, constant)
    )
    assert not same_words(with_schedule, without)


class Pressing(Callback):
    """Presses Ctrl-C at the beginning of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("no_earlier_interruption")
def test_ctrl_c_keeps_what_was_learned_so_far(docs):
    with pytest.warns(UserWarning, match="Interrupted in epoch 3"):
        embedding = make(max_epochs=9, callbacks=[Pressing(3)]).fit(docs)
    assert embedding.n_epochs_ == embedding.best_epoch_ == 2
    assert embedding.transform(docs[:3]).any()


@pytest.mark.usefixtures("no_earlier_interruption")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_before_the_first_epoch_leaves_all_as_it_was(docs, method):
    embedding = make().fit(docs)
    before = dict(vars(embedding))
    embedding.callbacks = [Pressing(3 if method == "partial_fit" else 1)]
    with pytest.raises(KeyboardInterrupt):
        getattr(embedding, method)(docs)
    embedding.callbacks = None
    assert vars(embedding) == before


class Interrupting(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


def test_callbacks_may_end_it(docs):
    assert make(max_epochs=9, callbacks=[Interrupting()]).fit(docs).n_epochs_ == 3


def test_a_failing_fit_leaves_nothing_behind(docs, fitted):
    embedding = copy.deepcopy(fitted)
    before = dict(vars(embedding))
    for call in (embedding.fit, embedding.partial_fit):
        with pytest.raises(ValueError, match="strings or lists"):
            call([*docs, 3])
    with pytest.raises(ValueError, match="min_count"):
        embedding.set_params(min_count=10_000).fit(docs)
    embedding.set_params(min_count=1)
    assert vars(embedding) == before
    assert same_words(embedding, fitted)


def test_warm_start_goes_on(docs):
    whole = make(warm_start=True).fit(docs)
    first = whole.word_vectors_.vectors.copy()
    whole.fit(docs)
    assert whole.n_epochs_ == 4
    assert not np.array_equal(whole.word_vectors_.vectors, first)
    assert whole.word_vectors_.counts.sum() == 2 * make().fit(docs).word_vectors_.counts.sum()
    with pytest.raises(ValueError, match=r"describes another network.*n_components"):
        whole.set_params(n_components=7).fit(docs)


def test_partial_fit_adds_words(docs):
    embedding = make(min_count=2).partial_fit(docs)
    known = list(embedding.vocabulary_)
    before = embedding.word_vectors_
    embedding.partial_fit(["new t0w0 new t0w1 rare"])
    assert embedding.vocabulary_ == [*known, "new"]
    assert embedding.input_shape_ == (len(known) + 1,)
    assert embedding.word_vectors_.counts[-1] == 2
    assert embedding.word_vectors_.counts[0] >= before.counts[0]
    assert len(before) == len(known)  # what was handed out does not change
    assert embedding.n_epochs_ == 2
    still = [w for w in known if w[:2] != "t0"]
    moved = np.abs(embedding.word_vectors_[still] - before[still]).max()
    assert moved == 0


def test_partial_fit_is_the_same_for_the_same_chunks(docs):
    def streamed():
        embedding = make()
        for start in range(0, 200, 50):
            embedding.partial_fit(docs[start : start + 50])
        return embedding

    assert same_words(streamed(), streamed())


# ---------------------------------------------------------------- the contract, for text


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


def through_file(estimator, folder):
    save(estimator, folder / "estimator.safetensors", resume=True)
    return load(folder / "estimator.safetensors")


@pytest.mark.parametrize("pooling", ["mean", "idf", "sif"])
@pytest.mark.parametrize(
    "copied",
    [
        lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
        lambda estimator, folder: copy.deepcopy(estimator),
        through_joblib,
        through_file,
    ],
    ids=["pickle", "deepcopy", "joblib", "file"],
)
def test_copies_answer_and_go_on_alike(docs, tmp_path, copied, pooling):
    estimator = make(pooling=pooling).partial_fit(docs[:100])
    twin = copied(estimator, tmp_path)
    assert same_words(twin, estimator)
    np.testing.assert_array_equal(twin.transform(docs), estimator.transform(docs))
    np.testing.assert_array_equal(twin.score_samples(docs), estimator.score_samples(docs))
    before = estimator.transform(docs)
    twin.partial_fit(docs[100:])
    np.testing.assert_array_equal(estimator.transform(docs), before)
    estimator.partial_fit(docs[100:])
    np.testing.assert_array_equal(twin.transform(docs), estimator.transform(docs))


def test_a_function_that_splits_must_be_given_to_load(docs, tmp_path):
    embedding = make(analyzer=str.split).fit(docs)
    save(embedding, tmp_path / "w")
    with pytest.raises(KeyError, match="analyzer was"):
        load(tmp_path / "w")
    loaded = load(tmp_path / "w", {"analyzer": str.split})
    np.testing.assert_array_equal(loaded.transform(docs), embedding.transform(docs))


def test_a_file_whose_words_do_not_fit_is_told(fitted, tmp_path):
    damaged = copy.deepcopy(fitted)
    damaged.vocabulary_ = damaged.vocabulary_[1:]
    save(damaged, tmp_path / "w")
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        load(tmp_path / "w")


def test_clone_keeps_parameters_and_forgets_the_fit(docs, fitted):
    cloned = clone(fitted)
    assert repr(cloned) == repr(fitted)
    assert not [name for name in vars(cloned) if name.endswith("_")]
    assert same_words(cloned.fit(docs), fitted)


def test_fitting_again_gives_the_same(docs):
    embedding = make().fit(docs[:50])
    assert same_words(embedding.fit(docs), make().fit(docs))
    np.testing.assert_array_equal(embedding.fit_transform(docs), embedding.transform(docs))


@pytest.mark.parametrize("pooling", ["mean", "idf", "sif", "max"])
@pytest.mark.parametrize("method", ["transform", "score_samples"])
def test_each_document_depends_on_itself_alone(docs, monkeypatch, pooling, method):
    answer = getattr(make(pooling=pooling).fit(docs), method)
    expected = answer(docs)
    order = np.random.default_rng(0).permutation(len(docs))
    settings = {"rtol": 1e-5, "atol": 1e-6 * np.abs(expected).max()}
    np.testing.assert_allclose(answer([docs[i] for i in order]), expected[order], **settings)
    np.testing.assert_allclose(answer(docs[::7]), expected[::7], **settings)
    alone = np.concatenate([answer([text]) for text in docs[:10]])
    np.testing.assert_allclose(alone, expected[:10], **settings)
    monkeypatch.setattr("skrepr._corpus._sentences._BAG_WORDS", 50)
    np.testing.assert_allclose(answer(docs), expected, **settings)


def test_answers_change_nothing(docs, fitted):
    before = dict(vars(fitted))
    state = copy.deepcopy(fitted.module_.state_dict())
    generators = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    for method in ("transform", "score_samples", "score"):
        first = getattr(fitted, method)(docs)
        np.testing.assert_array_equal(getattr(fitted, method)(docs), first)
    make(random_state=None).fit(docs)
    assert vars(fitted) == before
    assert all(state[key].equal(value) for key, value in fitted.module_.state_dict().items())
    assert generators[0].equal(torch.get_rng_state())
    assert generators[1] == str(np.random.get_state())  # noqa: NPY002


def test_parameters_set_after_the_fit_change_no_answer(docs, fitted):
    changed = copy.deepcopy(fitted).set_params(pooling="max", lowercase=False, analyzer=str.split)
    upper = [text.upper() for text in docs]
    np.testing.assert_array_equal(changed.transform(upper), fitted.transform(docs))


def test_not_fitted_is_told(docs):
    for method in ("transform", "score", "score_samples", "get_feature_names_out"):
        arguments = () if method == "get_feature_names_out" else (docs,)
        with pytest.raises(NotFittedError, match="Word2VecEmbedding"):
            getattr(make(), method)(*arguments)


def test_feature_names_and_output(docs, fitted):
    names = [f"word2vecembedding{k}" for k in range(4)]
    assert list(fitted.get_feature_names_out()) == names
    series = pd.Series(docs, index=np.arange(len(docs))[::-1])
    as_pandas = copy.copy(fitted).set_output(transform="pandas").transform(series)
    assert list(as_pandas.columns) == names
    assert (as_pandas.dtypes == np.float32).all()
    as_polars = copy.copy(fitted).set_output(transform="polars").transform(docs)
    assert isinstance(as_polars, pl.DataFrame)
    np.testing.assert_array_equal(as_polars.to_numpy(), fitted.transform(docs))
    np.testing.assert_array_equal(as_pandas.to_numpy(), fitted.transform(docs))


def test_pipeline_and_column_transformer():
    texts, topics = make_topics()
    pipeline = make_pipeline(make(max_epochs=20), LogisticRegression()).fit(texts, topics)
    assert pipeline.score(texts, topics) > 0.9
    frame = pd.DataFrame({"text": texts, "number": np.arange(200.0)})
    both = ColumnTransformer([("w", make(), "text"), ("n", StandardScaler(), ["number"])])
    Z = both.fit_transform(frame)
    np.testing.assert_array_equal(Z[:, :4], make().fit_transform(texts))
    assert next(iter(both.get_feature_names_out())) == "w__word2vecembedding0"
    with pytest.raises(ValueError, match=r'not \["text"\]'):
        ColumnTransformer([("w", make(), ["text"])]).fit(frame)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algorithm", "glove"),
        ("window", 0),
        ("min_count", 0),
        ("negative", 0),
        ("ns_exponent", "a"),
        ("ns_exponent", 500),
        ("sample", -1),
        ("sample", 2.0),
        ("max_vocabulary", 0),
        ("analyzer", "char"),
        ("lowercase", "yes"),
        ("token_pattern", None),
        ("n_bins", 1),
        ("pooling", "sum"),
        ("n_jobs", 1.5),
        ("learning_rate", 0),
    ],
)
def test_parameters_are_validated(docs, name, value):
    with pytest.raises(ValueError, match=f"The {name!r} parameter of Word2VecEmbedding must be"):
        make(**{name: value}).fit(docs)


def test_tags_say_text():
    tags = get_tags(make()).input_tags
    assert tags.string and tags.one_d_array and tags.categorical
    assert not (tags.two_d_array or tags.three_d_array or tags.sparse)


class OfTables(Word2VecEmbedding):
    """Tells scikit-learn's checks that it takes tables, which are binned."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        return tags


@parametrize_with_checks([OfTables(3, n_bins=4, min_count=1, max_epochs=2)])
def test_check_estimator_on_tables(estimator, check):
    check(estimator)
