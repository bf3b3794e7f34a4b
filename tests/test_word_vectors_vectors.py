"""Words with their vectors: gensim's names and answers."""

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest

from skrepr import WordVectors

RNG = np.random.default_rng(0)
WORDS = [f"w{i}" for i in range(60)]
VECTORS = RNG.normal(size=(60, 8)).astype(np.float32)
COUNTS = np.arange(60)[::-1] + 5


class OfLetters:
    """Gives a vector to every string."""

    def vector_of(self, word):
        return np.full(8, len(word), dtype=np.float32)


@pytest.fixture
def wv():
    return WordVectors(WORDS, VECTORS, counts=COUNTS)


def unit(vector):
    return vector / np.sqrt((vector.astype(np.float64) ** 2).sum())


def by_hand(positive, negative, vectors=VECTORS):
    """Gensim's most_similar: a mean of unit vectors, and cosines of all words to it."""
    mean = sum(unit(vectors[i]) for i in positive) - sum(unit(vectors[i]) for i in negative)
    cosines = np.array([unit(vector) @ unit(mean) for vector in vectors])
    asked = {*positive, *negative}
    order = [row for row in np.argsort(-cosines) if row not in asked]
    return [f"w{row}" for row in order], cosines[order], cosines


def test_what_is_in_it(wv):
    assert wv.index_to_key == WORDS and wv.key_to_index == {w: i for i, w in enumerate(WORDS)}
    assert (wv.vectors == VECTORS).all() and wv.vectors.dtype == np.float32
    assert wv.counts.tolist() == COUNTS.tolist() and wv.counts.dtype == np.int64
    assert (wv["w7"] == VECTORS[7]).all()
    assert (wv[["w7", "w3"]] == VECTORS[[7, 3]]).all()
    assert wv[[]].shape == (0, 8)
    for several in (np.array(["w7", "w3"]), pd.Series(["w7", "w3"]), pd.Index(["w7", "w3"])):
        assert (wv[several] == VECTORS[[7, 3]]).all()
    assert "w7" in wv and "w60" not in wv and 7 not in wv
    assert len(wv) == 60 and list(wv) == WORDS
    assert repr(wv) == "WordVectors(n_words=60, n_components=8)"


def test_vectors_are_shared_and_cannot_be_written_to(wv):
    vectors = VECTORS.copy()
    assert np.shares_memory(WordVectors(WORDS, vectors).vectors, vectors)
    vectors[0] = 1  # its owner still can
    for array in (wv.vectors, wv["w7"], pickle.loads(pickle.dumps(wv)).vectors):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert WordVectors(WORDS, VECTORS.astype(np.float64)).vectors.dtype == np.float32
    assert WordVectors(WORDS, np.asfortranarray(VECTORS)).vectors.flags.c_contiguous


def test_similarity(wv):
    a, b = VECTORS[3].astype(np.float64), VECTORS[4].astype(np.float64)
    assert wv.similarity("w3", "w4") == pytest.approx(unit(a) @ unit(b))
    assert wv.similarity("w3", "w4", "dot") == pytest.approx(sum(a * b))
    assert wv.similarity("w3", "w4", metric="euclidean") == pytest.approx(
        -np.sqrt(sum((a - b) ** 2))
    )
    assert wv.similarity("w3", VECTORS[4]) == pytest.approx(unit(a) @ unit(b))
    for metric in ("cosine", "dot", "euclidean"):
        assert type(wv.similarity("w3", "w4", metric)) is float


def test_metrics_order_pairs_alike_where_lengths_are_equal():
    wv = WordVectors(WORDS, np.array([unit(vector) for vector in VECTORS]))
    orders = [
        np.argsort([wv.similarity("w0", word, metric) for word in WORDS])
        for metric in ("cosine", "dot", "euclidean")
    ]
    assert (orders[0] == orders[1]).all() and (orders[0] == orders[2]).all()


@pytest.mark.parametrize(
    ("positive", "negative"), [([3], []), ([3, 4], [5]), ([1, 2, 3], [4, 5]), ([], [6])]
)
def test_most_similar(wv, positive, negative):
    words, cosines, every = by_hand(positive, negative)
    asked = [f"w{i}" for i in positive], [f"w{i}" for i in negative]
    found = wv.most_similar(*asked, topn=7)
    assert [word for word, _ in found] == words[:7]
    assert [cosine for _, cosine in found] == pytest.approx(cosines[:7], abs=1e-6)
    assert [word for word, _ in wv.most_similar(*asked)] == words[:10]
    assert [word for word, _ in wv.most_similar(*asked, 1000)] == words
    assert np.allclose(wv.most_similar(*asked, topn=None), every, atol=1e-6)
    assert wv.most_similar(*asked, topn=0) == []


def test_most_similar_among_the_first(wv):
    words, _, every = by_hand([3], [40])
    few = [word for word in words if int(word[1:]) < 20]
    assert [w for w, _ in wv.most_similar("w3", "w40", 5, restrict_vocab=20)] == few[:5]
    assert np.allclose(
        wv.most_similar("w3", "w40", None, restrict_vocab=20), every[:20], atol=1e-6
    )


def test_vectors_do_as_words(wv):
    assert wv.most_similar("w3") == wv.most_similar(["w3"])
    found = wv.most_similar(VECTORS[3], topn=11)  # the word itself was not asked with
    assert found[0][0] == "w3" and found[1:] == wv.most_similar("w3")
    assert wv.most_similar(VECTORS[[3, 4]]) == wv.most_similar([VECTORS[3], VECTORS[4]])
    assert wv.most_similar(np.array(["w3", "w4"])) == wv.most_similar(["w3", "w4"])
    # an array adds as much as it is long
    long = wv.most_similar(["w3", 1e6 * VECTORS[4]], topn=11)
    assert [w for w, _ in long if w != "w4"] == [
        w for w, _ in wv.most_similar("w4", topn=11) if w != "w3"
    ][:10]


def test_most_similar_by_a_product(wv):
    def shifted(i):
        return np.array([(1 + unit(vector) @ unit(VECTORS[i])) / 2 for vector in VECTORS])

    scores = shifted(3) * shifted(4) / (shifted(5) + 0.000001)
    order = [row for row in np.argsort(-scores) if row not in (3, 4, 5)]
    found = wv.most_similar_cosmul(["w3", "w4"], ["w5"])
    assert [word for word, _ in found] == [f"w{row}" for row in order[:10]]
    assert [score for _, score in found] == pytest.approx(scores[order[:10]], rel=1e-5)
    assert np.allclose(wv.most_similar_cosmul(["w3", "w4"], "w5", topn=None), scores, rtol=1e-4)


def test_analogies(wv):
    assert wv.analogy("w5", "w3", "w4") == wv.most_similar(["w3", "w4"], ["w5"])
    assert wv.analogy("w5", "w3", "w4", topn=2, restrict_vocab=30) == wv.most_similar(
        ["w3", "w4"], ["w5"], 2, restrict_vocab=30
    )
    by_product = wv.analogy("w5", "w3", "w4", method="3CosMul", topn=3)
    assert by_product == wv.most_similar_cosmul(["w3", "w4"], ["w5"], 3)


def test_what_does_not_match(wv):
    words = ["w3", "w9", "w27", "w50"]
    units = np.array([unit(VECTORS[int(word[1:])]) for word in words])
    cosines = units @ unit(units.mean(axis=0))
    assert wv.doesnt_match(words) == words[np.argmin(cosines)]
    assert wv.doesnt_match(word for word in words[:1]) == "w3"


# gensim's own most_similar_cosmul calls what gensim has deprecated
@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning")
def test_gensim_gives_the_same(wv):
    pytest.importorskip("gensim.models")
    theirs = wv.to_keyed_vectors()
    assert theirs.index_to_key == WORDS and (theirs.vectors == VECTORS).all()
    assert [theirs.get_vecattr(word, "count") for word in WORDS] == COUNTS.tolist()
    for asked in [
        (["w3", "w4"], ["w5"]),
        ("w3",),
        (None, "w3"),
        ([VECTORS[3] * 2, "w4"], [VECTORS[5]]),
    ]:
        for topn in (5, 60, 0):
            ours, expected = (
                dict(which.most_similar(*asked, topn=topn)) for which in (wv, theirs)
            )
            assert list(ours) == list(expected)
            assert ours == pytest.approx(expected, abs=1e-6)
        assert np.allclose(
            wv.most_similar(*asked, topn=None), theirs.most_similar(*asked, topn=None), atol=1e-6
        )
        few = wv.most_similar(*asked, restrict_vocab=20)
        assert [w for w, _ in few] == [
            w for w, _ in theirs.most_similar(*asked, restrict_vocab=20)
        ]
    ours = dict(wv.most_similar_cosmul(["w3", "w4"], ["w5"]))
    expected = dict(theirs.most_similar_cosmul(["w3", "w4"], ["w5"]))
    assert list(ours) == list(expected) and ours == pytest.approx(expected, rel=1e-5)
    assert wv.similarity("w3", "w4") == pytest.approx(theirs.similarity("w3", "w4"), abs=1e-6)
    for start in range(0, 60, 4):
        words = WORDS[start : start + 4]
        assert wv.doesnt_match(words) == theirs.doesnt_match(words)
    assert WordVectors(WORDS, VECTORS).to_keyed_vectors().index_to_key == WORDS


def test_without_gensim_is_told(wv, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(ImportError, match="pip install gensim"):
        wv.to_keyed_vectors()


def test_a_vector_of_zeros_is_similar_to_nothing():
    wv = WordVectors(["a", "b", "zero"], [[1, 0], [1, 1], [0, 0]])
    assert wv.similarity("a", "zero") == 0
    assert wv.most_similar("zero") == [("a", 0.0), ("b", 0.0)]
    assert wv.most_similar("a")[-1] == ("zero", 0.0)


def test_any_hashable_is_a_word():
    words = [("color", "red"), 7, None, "text", True]
    wv = WordVectors(words, np.eye(5))
    assert (wv[("color", "red")] == [1, 0, 0, 0, 0]).all()
    assert (wv[7] == [0, 1, 0, 0, 0]).all() and 0 not in wv
    assert {word for word, _ in wv.most_similar(("color", "red"))} == {*words[1:]}
    assert wv.doesnt_match([7, None]) in (7, None)
    assert wv.to_frame().index.tolist() == words
    assert WordVectors([("a", 1), ("b", 2)], np.eye(2)).to_frame().index.nlevels == 1


def test_unknown_words_are_told_with_the_nearest_spelling(wv):
    for ask in (
        lambda word: wv[word],
        lambda word: wv[["w3", word]],
        lambda word: wv.similarity("w3", word),
        lambda word: wv.most_similar(["w3", word]),
        lambda word: wv.most_similar_cosmul("w3", word),
        lambda word: wv.analogy("w3", "w4", word),
        lambda word: wv.doesnt_match(["w3", word]),
    ):
        with pytest.raises(KeyError, match=r"'W59' has no vector. Did you mean 'w59'?"):
            ask("W59")


def test_subwords_give_vectors_to_unknown_words():
    wv = WordVectors(WORDS, VECTORS, subword=OfLetters())
    assert (wv["w3"] == VECTORS[3]).all()
    assert (wv["unknown"] == 7).all() and "unknown" not in wv
    found = wv.most_similar(["unknown", "w3"])
    expected = wv.most_similar([unit(np.full(8, 7.0)), unit(VECTORS[3])], topn=11)
    assert [w for w, _ in found] == [w for w, _ in expected if w != "w3"][:10]
    assert wv.similarity("one", "three") == pytest.approx(1)


def test_a_word_without_parts_is_unknown():
    class OfNothing:
        def vector_of(self, word):
            raise KeyError(word)

    wv = WordVectors(WORDS, VECTORS, subword=OfNothing())
    with pytest.raises(KeyError, match=r"'W59' has no vector. Did you mean 'w59'?"):
        wv["W59"]


def test_table(wv):
    frame = wv.to_frame()
    assert isinstance(frame, pd.DataFrame) and frame.index.name == "word"
    assert (frame.loc["w7"] == VECTORS[7]).all() and frame.shape == (60, 8)
    frame.iloc[0] = 0
    assert (wv["w0"] == VECTORS[0]).all()


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda wv: pickle.loads(pickle.dumps(wv))]
)
def test_copies_answer_alike(wv, copied):
    wv.most_similar("w3")
    wv.subword = OfLetters()
    other = copied(wv)
    assert other.most_similar(["w3", "four"]) == wv.most_similar(["w3", "four"])
    assert other.counts.tolist() == wv.counts.tolist()
    assert repr(other) == repr(wv)


def test_joblib(wv, tmp_path):
    joblib.dump(wv, tmp_path / "wv")
    for mode in (None, "r"):
        other = joblib.load(tmp_path / "wv", mmap_mode=mode)
        assert other.most_similar("w3") == wv.most_similar("w3")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((WORDS[:-1], VECTORS), r"vectors must have the shape .* Got \(60, 8\) and 59 words"),
        ((WORDS, VECTORS[0]), r"vectors must have the shape .* Got \(8,\) and 60 words"),
        (([], np.zeros((0, 8))), "at least .1, 1."),
        ((WORDS, np.zeros((60, 0))), "at least .1, 1."),
        ((["a", "b"], [[1.0], [np.nan]]), "vectors must be finite. Got NaN or infinity"),
        ((["a", "b", "a"], np.eye(3)), "index_to_key must name each word once. Got 'a' twice"),
        ((WORDS, VECTORS, [1, 2]), r"counts must have the shape \(60,\).* Got \(2,\)"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        WordVectors(*parameters)


def test_bad_questions(wv):
    for ask, message in (
        (lambda: wv.similarity("w3", "w4", "manhattan"), "metric must be one of .* 'manhattan'"),
        (lambda: wv.analogy("w3", "w4", "w5", method="add"), "method must be one of .* 'add'"),
        (lambda: wv.most_similar(), "positive must hold at least one word"),
        (lambda: wv.most_similar_cosmul(negative="w3"), "positive must hold at least one word"),
        (lambda: wv.most_similar("w3", topn=-1), "topn must be None or an int >= 0. Got -1"),
        (lambda: wv.most_similar("w3", topn=2.5), "topn must be None or an int >= 0. Got 2.5"),
        (lambda: wv.most_similar("w3", restrict_vocab=-3), "restrict_vocab must be None or"),
        (lambda: wv.most_similar(np.ones(7)), r"must have the shape \(8,\). Got \(7,\)"),
        (lambda: wv.most_similar(np.full(8, np.nan)), "A vector must be finite in float32"),
        (lambda: wv.most_similar("w3", np.full(8, np.inf)), "A vector must be finite in float32"),
        (lambda: wv.similarity("w3", np.full(8, 1e300)), "A vector must be finite in float32"),
        (lambda: wv.doesnt_match([]), "words must hold at least one word"),
    ):
        with pytest.raises(ValueError, match=message):
            ask()


def test_neither_torch_nor_gensim_nor_pandas_is_loaded():
    code = (
        "import sys; from skrepr import WordVectors\n"
        "wv = WordVectors(['a', 'b'], [[1, 0], [1, 1]])\n"
        "wv.most_similar('a'); wv.similarity('a', 'b')\n"
        "print({'torch', 'skorch', 'sklearn', 'scipy', 'pandas', 'gensim'} & sys.modules.keys())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "set()"
