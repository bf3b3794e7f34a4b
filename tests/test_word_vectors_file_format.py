"""The format of word2vec: gensim's bytes, read and written."""

import gzip
import os
import stat

import numpy as np
import pytest

from skrepr import WordVectors

WORDS = ["the", "Köln", "日本"]
VECTORS = np.array([[0.1, -2.5, 1e-5], [3, 1 / 3, -0.0], [1e10, -7.25e-8, 0.5]], dtype=np.float32)
COUNTS = [7, 9, 9]

# written by gensim 4.4 for the words, vectors and counts above
TEXT = """\
3 3
Köln 3.0 0.33333334 -0.0
日本 1e+10 -7.25e-08 0.5
the 0.1 -2.5 1e-05
""".encode()
BINARY = (
    b"3 3\n"
    b"K\xc3\xb6ln \x00\x00@@\xab\xaa\xaa>\x00\x00\x00\x80"
    b"\xe6\x97\xa5\xe6\x9c\xac \xf9\x02\x15PL\xb1\x9b\xb3\x00\x00\x00?"
    b"the \xcd\xcc\xcc=\x00\x00 \xc0\xac\xc5'7"
)
VOCABULARY = "Köln 9\n日本 9\nthe 7\n".encode()


@pytest.fixture
def wv():
    return WordVectors(WORDS, VECTORS, counts=COUNTS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors"


def is_same(first, second):
    return first.index_to_key == second.index_to_key and (first.vectors == second.vectors).all()


@pytest.mark.parametrize(("binary", "expected"), [(False, TEXT), (True, BINARY)])
def test_bytes_are_those_of_gensim(wv, path, binary, expected):
    counts = path.with_suffix(".vocabulary")
    wv.save_word2vec_format(path, counts, binary=binary)
    assert path.read_bytes() == expected
    assert counts.read_bytes() == VOCABULARY
    read = WordVectors.load_word2vec_format(path, counts, binary=binary)
    assert read.index_to_key == ["Köln", "日本", "the"]  # the most frequent one first
    assert (read.vectors == VECTORS[[1, 2, 0]]).all() and read.vectors.dtype == np.float32
    assert read.counts.tolist() == [9, 9, 7]


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_what_is_written_and_writes_what_is_read(wv, path, binary):
    keyed_vectors = pytest.importorskip("gensim.models").KeyedVectors
    counts = str(path.with_suffix(".vocabulary"))
    wv.save_word2vec_format(path, counts, binary=binary)
    theirs = keyed_vectors.load_word2vec_format(str(path), counts, binary=binary)
    assert theirs.index_to_key == ["Köln", "日本", "the"]
    assert (theirs.vectors == VECTORS[[1, 2, 0]]).all()
    assert theirs.get_vecattr("the", "count") == 7
    expected = path.read_bytes()
    theirs.save_word2vec_format(str(path), binary=binary)
    assert path.read_bytes() == expected


@pytest.mark.parametrize("binary", [False, True])
def test_every_float32_is_read_as_it_was(path, binary):
    bits = np.random.default_rng(0).integers(2**32, size=(300, 50), dtype=np.uint32)
    vectors = np.nan_to_num(bits.view(np.float32))
    wv = WordVectors([f"word{i}" for i in range(300)], vectors)
    wv.save_word2vec_format(path, binary=binary)
    assert is_same(WordVectors.load_word2vec_format(path, binary=binary), wv)


@pytest.mark.parametrize("binary", [False, True])
def test_files_may_be_longer_than_what_is_read_at_a_time(path, binary, monkeypatch):
    monkeypatch.setattr("skrepr._word_vectors._file_format.CHUNK", 5)
    words = [f"word{i}" for i in range(30)]
    wv = WordVectors(words, np.random.default_rng(0).normal(size=(30, 4)))
    wv.save_word2vec_format(path, binary=binary)
    assert is_same(WordVectors.load_word2vec_format(path, binary=binary), wv)


def test_equally_frequent_words_stay_in_order(path):
    words = [f"word{i}" for i in range(100)]
    WordVectors(words, np.ones((100, 1)), counts=[1] * 50 + [2] * 50).save_word2vec_format(path)
    written = [line.split()[0] for line in path.read_text().splitlines()[1:]]
    assert written == words[50:] + words[:50]


def test_without_counts_words_stay_in_order(path):
    WordVectors(WORDS, VECTORS).save_word2vec_format(path)
    assert [line.split()[0] for line in path.read_text("utf8").splitlines()] == ["3", *WORDS]


@pytest.mark.parametrize("binary", [False, True])
def test_compressed_files(wv, tmp_path, binary):
    path = tmp_path / "vectors.gz"
    wv.save_word2vec_format(path, binary=binary)
    assert gzip.decompress(path.read_bytes()) == (BINARY if binary else TEXT)
    assert WordVectors.load_word2vec_format(path, binary=binary)["the"] == pytest.approx(
        VECTORS[0]
    )


def test_files_of_glove_have_no_header_and_words_with_spaces(wv, path):
    wv.save_word2vec_format(path, write_header=False)
    assert path.read_bytes() == TEXT.partition(b"\n")[2]
    with path.open("ab") as file:
        file.write(b"\n. . . 1 2 3\n\n")
    read = WordVectors.load_word2vec_format(path, no_header=True)
    assert read.index_to_key == ["Köln", "日本", "the", ". . ."]
    assert read[". . ."].tolist() == [1, 2, 3]


def test_files_of_the_original_end_each_word_with_a_break(path):
    path.write_bytes(
        b"2 1\na " + np.float32(1).tobytes() + b"\nb " + np.float32(2).tobytes() + b"\n"
    )
    read = WordVectors.load_word2vec_format(path, binary=True)
    assert read.index_to_key == ["a", "b"] and read.vectors.tolist() == [[1], [2]]
    path.write_bytes(b"2 1\na 1.000000 \nb 2.000000 \n")  # the text ends with a space, too
    assert is_same(WordVectors.load_word2vec_format(path), read)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_limit(wv, path, binary, limit):
    wv.save_word2vec_format(path, binary=binary)
    read = WordVectors.load_word2vec_format(path, binary=binary, limit=limit)
    assert read.index_to_key == ["Köln", "日本", "the"][:limit]


def test_encodings(path):
    path.write_bytes(b"2 1\nK\xf6ln 1\nthe 2\n")
    with pytest.raises(ValueError, match="encoding='utf8'"):
        WordVectors.load_word2vec_format(path)
    assert "Köln" in WordVectors.load_word2vec_format(path, encoding="latin-1")
    assert "Kln" in WordVectors.load_word2vec_format(path, unicode_errors="ignore")


def test_of_a_word_that_stands_twice_the_first_is_kept(path):
    path.write_bytes(b"3 1\na 1\nb 2\na 3\n")
    with pytest.warns(UserWarning, match="1 words stand twice in '.*vectors'"):
        read = WordVectors.load_word2vec_format(path)
    assert read.index_to_key == ["a", "b"] and read.vectors.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("content", "parameters", "message"),
    [
        (TEXT[: TEXT.index(b"the")], {}, "it ends after 2 words of 3"),
        (BINARY[:-1], {"binary": True}, "it ends after 2 words of 3"),
        (TEXT.replace(b"0.33333334 ", b""), {}, "'Köln' has 2 numbers of 3"),
        (TEXT.replace(b"0.1", b"0,1"), {}, "could not convert"),
        (TEXT, {"binary": True}, "it goes on after 3 words"),
        (BINARY, {}, "binary=False"),
        (b"the 1 2\nof 3 4\n", {}, "no_header=False"),
        (b"", {}, "not enough values"),
    ],
)
def test_damaged_files_and_other_formats_are_told(path, content, parameters, message):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"'.*vectors' is damaged, or not of the .*{message}"):
        WordVectors.load_word2vec_format(path, **parameters)


@pytest.mark.parametrize("word", ["New York", "a\nb", 7, ("a", "b")])
def test_words_that_the_format_cannot_hold_are_told_before_anything_is_written(path, word):
    with pytest.raises(ValueError, match="words must be strings without spaces"):
        WordVectors(["fine", word], [[1], [2]]).save_word2vec_format(path)
    assert not path.exists()


def test_counts_that_are_not_there_are_told(path):
    with pytest.raises(ValueError, match="fvocab must be None without counts"):
        WordVectors(WORDS, VECTORS).save_word2vec_format(path, path.with_suffix(".vocabulary"))
    assert not path.exists()
    path.write_bytes(TEXT)
    counts = path.with_suffix(".vocabulary")
    counts.write_bytes(b"the 7\n")
    with pytest.raises(ValueError, match=r"must hold the count of each word. Got none of 'Köln'"):
        WordVectors.load_word2vec_format(path, counts)


ODD = ["", "\r", "a\r", "a\tb", "\u3000", "a\x85b", "\x1c", "5 words"]


@pytest.mark.parametrize("word", ODD)
def test_counts_of_odd_words_are_read_as_they_were(path, word):
    path.write_bytes(b"2 1\n" + word.encode() + b" 1\nother 2\n")
    counts = path.with_suffix(".vocabulary")
    counts.write_bytes(word.encode() + b" 12\nother 3\n\n")
    read = WordVectors.load_word2vec_format(path, counts)
    assert read.index_to_key == [word, "other"]
    assert read.counts.tolist() == [12, 3]
    if " " not in word:
        read.save_word2vec_format(path, counts, binary=True)
        again = WordVectors.load_word2vec_format(path, counts, binary=True)
        assert is_same(again, read) and again.counts.tolist() == [12, 3]


def test_lines_that_are_no_counts_are_told(path):
    path.write_bytes(b"1 1\na 1\n")
    counts = path.with_suffix(".vocabulary")
    counts.write_bytes(b"a many\n")
    with pytest.raises(ValueError, match=r"vectors.vocabulary' must have lines of a word.*a many"):
        WordVectors.load_word2vec_format(path, counts)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("header", [b"9000000000 9", b"2 900000000000", b"90000000000 9000000000"])
def test_headers_that_no_file_could_hold_take_no_memory(tmp_path, suffix, binary, header):
    path = tmp_path / f"vectors{suffix}"
    content = header + b"\na 1 2 3 4 5 6 7 8 9\n"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(ValueError, match="is damaged, or not of the format asked for"):
        WordVectors.load_word2vec_format(path, binary=binary)


@pytest.mark.parametrize("name", ["vectors", "vectors.gz"])
def test_a_file_is_replaced_as_a_whole_or_not_at_all(wv, tmp_path, monkeypatch, name):
    path = tmp_path / name
    wv.save_word2vec_format(path)
    path.chmod(0o640)
    link = tmp_path / f"link_to_{name}"
    link.symlink_to(path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("skrepr._word_vectors._file_format._as_text", lambda vector: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            wv.save_word2vec_format(path)
    assert path.read_bytes() == before
    wv.save_word2vec_format(link, binary=True)
    assert link.is_symlink()
    assert WordVectors.load_word2vec_format(path, binary=True).index_to_key[0] == "Köln"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == sorted([name, link.name])


def test_a_device_is_written_to_and_not_replaced(wv):
    wv.save_word2vec_format(os.devnull)
    assert not os.path.isfile(os.devnull)


def test_halves_of_surrogate_pairs_are_told(path):
    with pytest.raises(ValueError, match=r"halves of surrogate pairs.*Got 'a\\ud800'"):
        WordVectors(["a\ud800"], [[1.0]]).save_word2vec_format(path)
    assert not path.exists()
