"""How documents are read, numbered, and cut into blocks."""

import datetime
import gzip
import itertools
import tracemalloc
from contextlib import nullcontext

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from scipy.stats import chisquare

from skrepr import Word2VecEmbedding
from skrepr._corpus import (
    Bags,
    Sampling,
    Subwords,
    Vocabulary,
    as_known_kind,
    as_word,
    is_table,
    make_analyzer,
    open_documents,
    read_bags,
    read_sentences,
    read_table,
)
from skrepr._corpus import _blocks as blocks_file
from skrepr._corpus import _sentences as sentences_file

CPU = torch.device("cpu")
as_it_is = make_analyzer("word", True, r"\w+")


def sampling_of(counts, **settings):
    default = {"window": 5, "shrinks": True, "sample": 0, "ns_exponent": 0.75, "block": (32, 24)}
    default |= {"longest": 1000}
    return Sampling(counts, **default | settings)


def sentences_of(X, *, known=None, min_count=1, max_words=None, **settings):
    return read_sentences(
        open_documents(X),
        as_it_is,
        CPU,
        known=known,
        min_count=min_count,
        max_words=max_words,
        make_sampling=lambda counts, longest: sampling_of(counts, longest=longest, **settings),
        surroundings=nullcontext,
    )


def test_the_default_pattern_finds_the_same_words_fast():
    """It is replaced by one that is faster; a group makes the slow one another pattern."""
    letters = np.array(list("aB9_ ,.-'\n\u00e9\u4e2d\u0301"))
    texts = ["".join(row) for row in np.random.default_rng(0).choice(letters, (500, 12))]
    pattern = Word2VecEmbedding().token_pattern
    fast, slow = (make_analyzer("word", True, each) for each in (pattern, f"({pattern[4:]})"))
    assert [fast(text) for text in texts] == [slow(text) for text in texts]
    assert any(len(fast(text)) > 1 for text in texts)


def documents_in(rows):
    """Return the words of the documents of some rows."""
    words = rows.vocabulary.words
    return [
        [words[i] for i in part]
        for bags in rows.blocks()
        for part in torch.tensor_split(bags.words, bags.starts[1:])
    ]


# ------------------------------------------------------------------------------ documents


def test_strings_are_split_as_count_vectorizer_does():
    from sklearn.feature_extraction.text import CountVectorizer

    pattern = r"(?u)\b\w\w+\b"
    texts = ["A cat, a DOG!", "", "naïve Straße, 東京 x2", "under_score it's"]
    for lowercase in (True, False):
        expected = CountVectorizer(lowercase=lowercase).build_analyzer()
        analyze = make_analyzer("word", lowercase, pattern)
        assert [analyze(text) for text in texts] == [expected(text) for text in texts]


def test_lists_are_taken_as_they_are_and_functions_split_what_they_want():
    tokens = ["A", 3, ("x", 1)]
    assert make_analyzer("word", True, r"\w+")(tokens) is tokens
    assert make_analyzer(str.split, True, "")("A b") == ["A", "b"]


@pytest.mark.parametrize("document", [None, np.nan, 3, b"bytes", {"a": 1}, pd.NA])
def test_what_is_no_document_is_told(document):
    with pytest.raises(ValueError, match=r"Documents must be strings or lists.*fillna"):
        sentences_of(["a b", document])


@pytest.mark.parametrize("document", [{"a"}, frozenset("a")])
def test_sets_have_no_order_that_lasts(document):
    with pytest.raises(ValueError, match=r"Got .*'a'.*order differs.*Pass sorted\(document\)"):
        sentences_of([["a", "b"], document])


def test_patterns_are_those_of_regular_expressions_with_one_group_at_most():
    assert make_analyzer("word", True, r"(\w)\w")("ab cd") == ["a", "c"]
    assert make_analyzer("word", True, r"(?:\w)(?:\w)")("ab cd") == ["ab", "cd"]
    with pytest.raises(
        ValueError, match=r"must be a regular expression. Got '\(' instead: missing"
    ):
        make_analyzer("word", True, "(")
    with pytest.raises(ValueError, match=r"one capturing group at most.*Got 2 in '\(a\)\(b\)'"):
        make_analyzer("word", True, "(a)(b)")


def test_unhashable_tokens_are_told():
    with pytest.raises(TypeError, match=r"hashable tokens.*unhashable type: 'list'"):
        sentences_of([["a", ["b"]]])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a b c", r"there is no such file.*\[document\]"),
        (3, "Got int"),
        ({"a": 1}, "Got dict"),
        (b"a b", "Got bytes"),
        (np.array("a b"), "Got a single value"),
        (np.zeros((2, 2, 2)), r"two axes.*\(2, 2, 2\)"),
    ],
)
def test_what_holds_no_documents_is_told(X, message):
    with pytest.raises(ValueError, match=message):
        open_documents(X)


def test_kinds_of_input_are_the_same_corpus(tmp_path):
    texts = ["the cat sat", "", "the dog sat down"]
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(texts) + "\n")
    assert list(open_documents(path).each) == texts  # without ends of lines
    expected = sentences_of(texts)
    assert documents_in(expected) == [text.split() for text in texts]
    for X in (
        tuple(texts),
        np.array(texts),
        np.array(texts, dtype=object),
        pd.Series(texts, index=[5, 6, 7]),
        pd.Series(texts, dtype="string"),
        pl.Series(texts),
        [text.split() for text in texts],
        iter(texts),
        (text.split() for text in texts),
        path,
        str(path),
    ):
        rows = sentences_of(X)
        assert documents_in(rows) == documents_in(expected)
        assert rows.vocabulary.words == expected.vocabulary.words
        np.testing.assert_array_equal(rows.vocabulary.counts, expected.vocabulary.counts)


@pytest.mark.parametrize("n", [3, 2])
def test_a_list_of_arrays_holds_documents_of_any_length(n):
    rows = sentences_of([np.array([3, 4, 3]), np.array([4, 3, 5][:n])])
    assert documents_in(rows) == [[3, 4, 3], [4, 3, 5][:n]]


def test_files_may_be_compressed(tmp_path):
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress("naïve cat\n\nthe dog\n".encode()))
    for X in (path, str(path)):
        assert list(open_documents(X).each) == ["naïve cat", "", "the dog"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_files_in_other_encodings_are_told(tmp_path, encoding, suffix):
    path = tmp_path / f"corpus{suffix}"
    content = "naïve cat\n".encode(encoding)
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    with pytest.raises(ValueError, match=r"corpus.txt.* in the encoding UTF-8.*encoding=\"...\""):
        sentences_of(path)


# --------------------------------------------------------------------------------- tables


def words_in(X, n_bins=None, edges=None):
    documents, edges = read_table(X, n_bins, edges)
    return list(documents.each), edges


def test_rows_of_a_table_are_words_of_column_and_value():
    frame = pd.DataFrame({"a": ["x", None, "y"], "b": pd.Categorical([1, 2, 1])})
    expected = [("a=x", "b=1"), ("b=2",), ("a=y", "b=1")]
    assert words_in(frame)[0] == expected
    assert words_in(pl.DataFrame({"a": ["x", None, "y"], "b": [1, 2, 1]}))[0] == expected
    values = np.array([[1, 5], [2, 5]])
    for X in (values, values.astype(str), torch.tensor(values), values.astype(object)):
        assert words_in(X)[0] == [("0=1", "1=5"), ("0=2", "1=5")]


def test_numbers_are_binned_only_if_asked():
    frame = pd.DataFrame({"a": ["x"] * 8, "b": np.arange(8.0), "c": np.arange(8)})
    frame.loc[7, "b"] = np.nan
    with pytest.raises(ValueError, match=r"'b' holds real numbers.*n_bins"):
        read_table(frame, None)
    assert words_in(frame[["a", "c"]])[0][1] == ("a=x", "c=1")
    words, edges = words_in(frame, 2)
    assert words[0] == ("a=x", "b=..3", "c=..3.5")
    assert words[3] == ("a=x", "b=3..", "c=..3.5")
    assert words[7] == ("a=x", "c=3.5..")
    assert {k: v.tolist() for k, v in edges.items()} == {1: [3.0], 2: [3.5]}
    far = pd.DataFrame({"a": ["x"], "b": [100.0], "c": [-5]})
    assert words_in(far, 2, edges)[0] == [("a=x", "b=3..", "c=..3.5")]


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_bins_are_those_of_finite_numbers(missing):
    frame = pd.DataFrame({"a": [missing] * 8, "b": [*np.arange(7.0), missing]})
    words, edges = words_in(frame, 2)
    assert {j: found.tolist() for j, found in edges.items()} == {0: [], 1: [3.0]}
    assert words[0] == (("b=..3",) if np.isnan(missing) else ("a=..", "b=..3"))
    assert words[7] == (() if np.isnan(missing) else ("a=..", "b=3.."))
    assert words_in(pd.DataFrame({"a": [1.0], "b": [2.0]}), 2, edges)[0] == [("a=..", "b=..3")]


def test_times_have_no_unit_in_a_table():
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[s]")
    expected = [("a=2020-01-01 00:00:00", "b=x"), ("a=2020-01-02 00:00:00", "b=x")]
    columns = [
        days.astype("datetime64[ns]"),
        days,
        list(map(pd.Timestamp, days)),
        pd.Categorical(days),
        np.array([*days], dtype=object),
    ]
    for column in columns:
        assert words_in(pd.DataFrame({"a": column, "b": "x"}))[0] == expected
    # among other things a time of numpy stays one
    mixed = np.empty((3, 2), dtype=object)
    mixed[:, 0], mixed[:, 1] = ["p", *days.astype("datetime64[ns]")], "x"
    words, edges = words_in(mixed)
    assert words_in(mixed[1:], edges=edges)[0] == words[1:]
    table = pl.DataFrame({"a": list(days.tolist()), "b": ["x", "x"]})
    assert words_in(table)[0] == expected


def test_tables_that_are_none_are_told():
    with pytest.raises(ValueError, match=r'1 feature\(s\).*not \["text"\]'):
        read_table(pd.DataFrame({"text": ["a b"]}), None)
    with pytest.raises(ValueError, match="Complex data not supported"):
        read_table(np.ones((3, 2), dtype=complex), None)
    with pytest.raises(TypeError, match="Sparse data were passed"):
        read_table(scipy.sparse.eye_array(3), None)
    with pytest.raises(TypeError, match=r"Got a LazyFrame: pass X.collect\(\)"):
        as_known_kind(pl.LazyFrame({"a": ["x"], "b": ["y"]}))
    assert not is_table(["a"])
    assert not is_table(pd.Series(["a"]))
    assert is_table(pd.DataFrame({"a": ["b"]})) and is_table(np.eye(2))


# ----------------------------------------------------------------------------- vocabulary


def test_words_are_sorted_by_count_and_then_by_place():
    rows = sentences_of([list("cabbac"), list("db")])
    assert rows.vocabulary.words == ["b", "c", "a", "d"]
    assert rows.vocabulary.counts.tolist() == [3, 2, 2, 1]
    assert sentences_of([list("cabbac"), list("db")], min_count=2).vocabulary.words == list("bca")
    assert sentences_of([list("cabbac")], max_words=1).vocabulary.words == ["c"]


def test_what_is_no_word_leaves_no_gap():
    rows = sentences_of([list("axbya"), list("bxa")], min_count=2, shrinks=False, window=1)
    assert documents_in(rows) == [list("axba"), list("bxa")]
    rows = sentences_of([list("a1b"), list("a2b")], min_count=2)
    assert documents_in(rows) == [list("ab")] * 2


def test_numbers_of_numpy_become_plain_words():
    rows = sentences_of([np.array([3, 4, 3])])
    assert rows.vocabulary.words == [3, 4]
    assert all(type(word) is int for word in rows.vocabulary.words)


def test_times_of_numpy_become_those_of_pandas():
    day, hour = np.datetime64("2020-01-01"), np.timedelta64(1, "h")
    units = ("D", "s", "ns")
    rows = sentences_of([[day.astype(f"datetime64[{unit}]"), hour] for unit in units])
    assert rows.vocabulary.words == [pd.Timestamp("2020-01-01"), pd.Timedelta("1h")]
    assert rows.vocabulary.counts.tolist() == [3, 3]
    assert documents_in(rows) == [rows.vocabulary.words] * 3
    assert as_word(day) == datetime.datetime(2020, 1, 1)
    assert hash(as_word(day)) == hash(datetime.datetime(2020, 1, 1))
    month = np.timedelta64(1, "M")
    assert as_word(month) is month
    assert as_word(np.datetime64("NaT")) is pd.NaT


def test_known_words_stay_where_they_are():
    known = Vocabulary(["b", "a"], np.array([10, 4]))
    rows = sentences_of([list("ccca"), list("d")], known=known, min_count=2)
    assert rows.vocabulary.words == ["b", "a", "c"]
    assert rows.vocabulary.counts.tolist() == [10, 5, 3]
    few = sentences_of([list("ccca")], known=known, max_words=2)
    assert few.vocabulary.words == ["b", "a"]


def test_a_corpus_without_words_is_told():
    with pytest.raises(ValueError, match=r"No word occurs min_count=5.*of 2 words.*'a', occurs 2"):
        sentences_of([list("aab")], min_count=5)
    with pytest.raises(ValueError, match="X holds no tokens"):
        sentences_of(["", ""])
    with pytest.raises(ValueError, match="0 documents"):
        sentences_of([])
    with pytest.raises(ValueError, match="0 documents"):
        read_bags(open_documents([]), as_it_is, len)


def test_unknown_words_of_a_fitted_model_are_skipped():
    def number_of(token):
        return {"a": 0, "b": 1}.get(token, -1)

    n, bags = read_bags(open_documents(["b x a", "", "x", "a"]), as_it_is, number_of)
    assert n == 4
    assert bags[0].words.tolist() == [1, 0, 0]
    assert bags[0].starts.tolist() == [0, 2, 2, 2]
    assert bags[0].lengths.tolist() == [2, 0, 0, 1]


def test_n_grams_are_those_of_the_paper():
    subwords = Subwords(3, 6, 10)
    # Bojanowski et al. (2017), section 3.2
    three = {"<wh", "whe", "her", "ere", "re>"}
    assert {gram for gram in subwords._grams("where") if len(gram) == 3} == three
    assert {len(gram) for gram in subwords._grams("where")} == {3, 4, 5, 6}
    assert "<where>" not in subwords._grams("where")
    assert len(subwords.buckets_of("\ud800b")) == 2  # half of a character has no UTF-8
    assert list(subwords._grams("a")) == list(subwords._grams(("a", 1))) == []
    buckets, starts = subwords.buckets_of_all(["where", "a", "there"])
    assert buckets[: starts[1]].tolist() == subwords.buckets_of("where")
    assert starts.tolist() == [0, 14, 14, 28]
    assert set(buckets.tolist()) <= set(range(10))


def test_rows_of_n_grams_are_as_many_as_there_are_n_grams():
    assert Subwords.of(3, 6, ["where"]).n_buckets == 2**8
    words = [f"{i:05d}" for i in range(3000)]
    n = len({gram for word in words for gram in Subwords(3, 6, 1)._grams(word)})
    assert n <= Subwords.of(3, 6, words).n_buckets < 2 * (n + 1)


# ------------------------------------------------------------------------------ sentences


def test_subsets_and_samples_hold_their_documents(monkeypatch):
    texts = [[f"w{i}"] * (1 + i % 3) for i in range(50)]
    rows = sentences_of(texts)
    for n_words in (2**16, 7):
        monkeypatch.setattr(sentences_file, "_BAG_WORDS", n_words)
        train, held_out = rows.split(10, torch.Generator().manual_seed(0))
        assert (len(train), len(held_out)) == (40, 10)
        both = sorted(documents_in(train) + documents_in(held_out))
        assert both == sorted(texts)
        assert documents_in(train.subset(torch.tensor([0, 5]))) == [
            documents_in(train)[i] for i in (0, 5)
        ]
        bags = train.sample(7)
        found = torch.tensor_split(bags.words, bags.starts[1:])
        words = [[rows.vocabulary.words[i] for i in part] for part in found]
        assert len(words) == 7
        assert all(document in documents_in(train) for document in words)


def test_long_documents_are_cut_into_pieces(monkeypatch):
    monkeypatch.setattr(sentences_file, "_LONGEST", 4)
    rows = sentences_of(["a b c d e f g h i", "x y", ""])
    assert documents_in(rows) == [list("abcd"), list("efgh"), ["i"], list("xy"), []]


def test_files_and_iterators_are_read_in_constant_memory(tmp_path, monkeypatch):
    for name in ("_CHUNK_WORDS", "_COUNTED"):
        monkeypatch.setattr(sentences_file, name, 2**14)

    def peak(n_lines):
        path = tmp_path / f"{n_lines}.txt"
        with path.open("w") as file:
            for i in range(n_lines):
                file.write(" ".join(f"w{(i * j) % 97}" for j in range(100)) + "\n")
        tracemalloc.start()
        rows = sentences_of(path)
        for batch in rows.batches(4096, torch.Generator().manual_seed(0)):
            assert len(batch.centers)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    few, many = peak(500), peak(2500)
    # 200,000 words more; a document has a length of 8 bytes
    assert many - few < 2000 * 100


def test_only_what_is_asked_for_is_read_of_a_file(monkeypatch):
    rows, n_read = sentences_of(iter([f"w{i} x y z" for i in range(500)])), []
    read = sentences_file._InFile.__getitem__
    monkeypatch.setattr(
        sentences_file._InFile,
        "__getitem__",
        lambda file, bounds: n_read.append(bounds.stop - bounds.start) or read(file, bounds),
    )
    assert len(rows.sample(5)) == 5
    assert sum(n_read) == 20
    n_read.clear()
    assert len(list(rows.blocks())) == len(n_read) == 1


def test_tokens_are_counted_in_parts(monkeypatch):
    expected = sentences_of([list("abcab"), list("a")]).vocabulary.counts
    monkeypatch.setattr(sentences_file, "_COUNTED", 4)
    np.testing.assert_array_equal(
        sentences_of([list("abcab"), list("a")]).vocabulary.counts, expected
    )
    assert expected.tolist() == [3, 2, 1]


def test_an_abandoned_corpus_leaves_no_open_file(tmp_path):
    rows = sentences_of(iter(["a b"]))
    file = rows.tokens._file
    del rows
    assert file.closed


def test_pairs_are_of_words_that_are_left():
    assert sentences_of([list("a"), list("ab")]).has_pairs
    assert not sentences_of([list("a"), list("b"), []]).has_pairs
    assert not sentences_of([list("ab"), list("a")], min_count=2).has_pairs


# --------------------------------------------------------------------------------- blocks


def pairs_in(rows, batch_size=10**9, seed=0):
    """List all (center, other) of one pass."""
    found = []
    for batch in rows.batches(batch_size, torch.Generator().manual_seed(seed)):
        block, center, place = batch.near(torch.float32).nonzero().T
        found += zip(
            batch.centers[block, center].tolist(),
            batch.around[block, place].tolist(),
        )
    return found


def pairs_of(documents, window):
    return sorted(
        (a, b)
        for words in documents
        for (i, a), (j, b) in itertools.permutations(enumerate(words), 2)
        if abs(i - j) <= window
    )


@pytest.mark.parametrize("window", [1, 3, 40])
def test_windows_of_full_width_hold_all_pairs_and_none_across_documents(window):
    generator = np.random.default_rng(0)
    texts = [generator.integers(0, 50, n).tolist() for n in generator.integers(0, 90, 30)]
    rows = sentences_of(texts, window=window, shrinks=False)
    numbers = {word: i for i, word in enumerate(rows.vocabulary.words)}
    expected = pairs_of([[numbers[word] for word in words] for words in texts], window)
    assert sorted(pairs_in(rows)) == expected
    assert sorted(pairs_in(rows, batch_size=130)) == expected
    # no more than documents of their own
    own = sentences_of([[(i, word) for word in words] for i, words in enumerate(texts)])
    words = own.vocabulary.words
    assert all(words[a][0] == words[b][0] for a, b in pairs_in(own))


@pytest.mark.parametrize("window", [1, 5, 8, 9, 12])
def test_n_near_counts_what_is_near(window):
    rows = sentences_of([list("abcdefg") * 30], sample=0, window=window)
    for batch in rows.batches(100, torch.Generator().manual_seed(0)):
        near = batch.near(torch.float64)
        assert set(near.unique().tolist()) == {0.0, 1.0}
        assert near.sum(-1, keepdim=True).equal(batch.n_near.double())
        assert batch.around[:, window:-window].equal(batch.centers)
        both = batch.near_and_negative(6, torch.float64)
        assert both[..., : near.shape[2]].equal(-near)
        of_negatives = both[..., near.shape[2] :].sum(-1, keepdim=True)
        assert torch.allclose(of_negatives, 6 * batch.n_near.double())


def test_widths_of_windows_are_uniform():
    rows = sentences_of([["a"] * 9000], window=5)
    (batch,) = rows.batches(10**9, torch.Generator().manual_seed(0))
    after = batch.near(torch.int64).triu(6).sum(-1)  # a center stands 5 places further on
    widths = after.flatten()[batch.n_near.flatten() > 1]
    assert chisquare(torch.bincount(widths, minlength=6)[1:]).pvalue > 1e-3


def test_sub_sampling_keeps_each_word_with_the_papers_probability():
    counts = np.array([40_000, 10_000, 2000, 50])
    texts = [np.random.default_rng(0).permutation(np.repeat(np.arange(4), counts)).tolist()]
    rows = sentences_of(texts, sample=1e-2, window=1, shrinks=False)
    kept = np.zeros(4)
    for seed in range(3):
        for batch in rows.batches(10**9, torch.Generator().manual_seed(seed)):
            kept += torch.bincount(batch.centers[batch.n_near[..., 0] > 0], minlength=4).numpy()
    share = counts / counts.sum()
    probability = np.minimum(1, np.sqrt(1e-2 / share) + 1e-2 / share)
    expected = 3 * counts * probability
    # rare words are all kept; of the others a binomial number is
    deviation = (kept - expected) / np.sqrt(np.maximum(1, expected * (1 - probability)))
    assert (np.abs(deviation) < 4).all()
    assert probability[0] < 0.15


def test_sub_sampling_widens_windows():
    rows = sentences_of([["a", *"b" * 20, "c"]] * 500, sample=0.0175, window=1, shrinks=False)
    assert (rows.sampling.keep[1:] == 1).all() and rows.sampling.keep[0] < 0.2
    pairs = pairs_in(rows)
    # all words between them are left out in 3 documents of 100
    assert 2 <= pairs.count((1, 2)) == pairs.count((2, 1)) <= 50


def test_negatives_have_the_distribution_of_the_paper():
    counts = np.array([1000, 300, 100, 20, 5])
    texts = [np.random.default_rng(0).permutation(np.repeat(np.arange(5), counts)).tolist()] * 40
    rows = sentences_of(texts)
    drawn = torch.cat(
        [b.negatives.flatten() for b in rows.batches(4000, torch.Generator().manual_seed(0))]
    )
    found = torch.bincount(drawn, minlength=5).numpy()
    noise = counts**0.75
    assert chisquare(found, noise / noise.sum() * found.sum()).pvalue > 1e-3
    # all that is left to chance is where a run begins
    np.testing.assert_allclose(
        torch.bincount(rows.sampling.table, minlength=5) / len(rows.sampling.table),
        noise / noise.sum(),
        atol=1e-4,
    )


def test_passes_differ_by_the_generator_alone():
    rows = sentences_of([list("abcdefgh") * 40] * 5, sample=1e-2)

    def drawn(generator):
        batches = rows.batches(300, generator)
        return [part for b in batches for part in (b.targets, b.windows)]

    def same(a, b):
        return all(x.shape == y.shape and x.equal(y) for x, y in zip(a, b))

    seeds = [torch.Generator().manual_seed(seed) for seed in (0, 0, 1)]
    first, again, other = map(drawn, seeds)
    assert same(first, again)
    assert not same(first, other)
    assert not same(first, drawn(seeds[0]))
    assert same(drawn(None), drawn(None))


def test_sizes_are_those_of_the_words():
    rows = sentences_of([list("abcdefgh") * 10] * 50)
    batches = rows.batches(500)
    assert len(batches) == len(batches.sizes) == len(list(batches)) == 8
    assert rows.n_words == 4000
    assert sum(batches.sizes) == 4000


def test_a_pass_without_a_word_gives_empty_windows(monkeypatch):
    rows = sentences_of([["a"] * 200], sample=1e-12)
    batches = list(rows.batches(50, torch.Generator().manual_seed(0)))
    assert len(batches) == 4
    assert sum(int(batch.n_near.sum()) for batch in batches) == 0


def test_table_of_negatives_reaches_every_word_of_a_large_vocabulary():
    sampling = sampling_of(np.ones(300_000, dtype=np.int64))
    assert len(sampling.table.unique()) == 300_000
    assert blocks_file.keep_probability(np.array([1e-9]), 1e-3) == 1


def test_bags_on_a_device_are_the_same():
    bags = Bags.of(np.array([1, -1, 2], dtype=np.int32), np.array([2, 1]))
    assert bags.to(CPU).lengths.tolist() == [1, 1]
    assert len(bags) == 2
