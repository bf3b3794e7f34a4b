"""Files of questions: gensim's answers, from a transcription of its loops, and from gensim."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from skrepr import WordVectors

WORDS = ["paris", "France", "rome", "italy", "Paris", "berlin", "germany", "london", "king", "she"]
RNG = np.random.default_rng(3)
WV = WordVectors(WORDS, RNG.normal(size=(10, 4)))

PAIRS = """\
# a comment\tof\t1.0
word1\tword2\tscore
PARIS\tfrance\t9.5
rome\titaly\t8
berlin\tking\t1.5
she\tlondon\t0.5
she\tunicorn\t3
paris\tParis\t10

a line of something else
"""
# by the lines of (a, b, c, expected) some are right with these vectors, some are wrong
ANALOGIES = ": capitals\nparis France rome italy\nrome italy berlin germany\nparis France\n" + (
    ": all\n"
    + "".join(f"{a} {b} {c} {d}\n" for a, b, c, d in RNG.choice(WORDS, size=(200, 4)))
    + "paris France unicorn horn\n"
)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "questions.txt"
        path.write_text(text, encoding="utf8")
        return path

    return write


def known_words(restrict_vocab, case_insensitive):
    fold = str.upper if case_insensitive else str
    return fold, {fold(word): word for word in reversed(WORDS[:restrict_vocab])}


def pairs_by_hand(restrict_vocab, case_insensitive, dummy4unknown):
    fold, known = known_words(restrict_vocab, case_insensitive)
    human, ours, unknown = [], [], 0
    for line in PAIRS.splitlines()[2:8]:
        a, b, said = line.split("\t")
        if fold(a) in known and fold(b) in known:
            human.append(float(said))
            ours.append(WV.similarity(known[fold(a)], known[fold(b)]))
        else:
            unknown += 1
            if dummy4unknown:
                human.append(float(said))
                ours.append(0)
    return pearsonr(human, ours), spearmanr(human, ours), 100 * unknown / 6


def analogies_by_hand(restrict_vocab, case_insensitive, dummy4unknown):
    fold, known = known_words(restrict_vocab, case_insensitive)
    right, wrong = [], []
    for words in (line.split() for line in ANALOGIES.splitlines() if line[0] != ":"):
        if len(words) != 4:
            continue
        a, b, c, expected = words = tuple(map(fold, words))
        if not {*words} <= known.keys():
            wrong += [words] * dummy4unknown
            continue
        found = WV.most_similar([known[b], known[c]], [known[a]], None)[:restrict_vocab]
        ranked = [fold(WORDS[row]) for row in np.argsort(-found)]
        (right if next(w for w in ranked if w not in {a, b, c}) == expected else wrong).append(
            words
        )
    return len(right) / (len(right) + len(wrong)), right, wrong


OPTIONS = [(300_000, True, False), (300_000, False, True), (8, True, True), (9, False, False)]


@pytest.mark.parametrize("options", OPTIONS)
def test_pairs(file, options):
    found = WV.evaluate_word_pairs(file(PAIRS), "\t", "utf8", *options)
    assert np.allclose(np.hstack(found), np.hstack(pairs_by_hand(*options)))


@pytest.mark.parametrize("options", OPTIONS)
def test_analogies(file, options):
    score, sections = WV.evaluate_word_analogies(file(ANALOGIES), *options)
    expected, right, wrong = analogies_by_hand(*options)
    assert score == expected
    assert [section["section"] for section in sections] == ["capitals", "all", "Total accuracy"]
    assert sections[-1] == {"section": "Total accuracy", "correct": right, "incorrect": wrong}
    assert 0 < len(right) < len(wrong)
    for kind in ("correct", "incorrect"):
        assert sections[0][kind] + sections[1][kind] == sections[2][kind]


@pytest.mark.parametrize("options", OPTIONS)
def test_gensim_gives_the_same(file, options):
    pytest.importorskip("gensim.models")
    theirs = WV.to_keyed_vectors()
    ours = WV.evaluate_word_pairs(file(PAIRS), "\t", "utf8", *options)
    expected = theirs.evaluate_word_pairs(str(file(PAIRS)), "\t", "utf8", *options)
    assert np.allclose(np.hstack(ours), np.hstack(expected))
    ours = WV.evaluate_word_analogies(file(ANALOGIES), *options)
    assert ours == theirs.evaluate_word_analogies(str(file(ANALOGIES)), *options)


def test_analogies_by_a_product(file):
    score, sections = WV.evaluate_word_analogies(file(ANALOGIES), method="3CosMul")
    for kind in ("correct", "incorrect"):
        for words in sections[0][kind]:
            a, b, c, expected = known = [WORDS[[w.upper() for w in WORDS].index(w)] for w in words]
            best = WV.analogy(a, b, c, method="3CosMul")
            best = next(w for w, _ in best if w.upper() not in words[:3])
            assert (best == expected) == (kind == "correct"), known
    assert score != WV.evaluate_word_analogies(file(ANALOGIES))[0]


def test_questions_in_blocks_are_answered_alike(file, monkeypatch):
    expected = WV.evaluate_word_analogies(file(ANALOGIES))
    monkeypatch.setattr("skrepr._word_vectors._evaluation.HELD", 1)
    assert WV.evaluate_word_analogies(file(ANALOGIES)) == expected


def test_planted_analogies_are_completed(file):
    """Capital minus country is one direction."""
    countries = RNG.normal(size=(20, 100))
    words = [f"country{i}" for i in range(20)] + [f"capital{i}" for i in range(20)]
    wv = WordVectors(words, np.vstack([countries, countries + 2 * RNG.normal(size=100)]))
    lines = [f"country{i} capital{i} country{j} capital{j}" for i in range(20) for j in range(i)]
    path = file(": capitals\n" + "\n".join(lines))
    for method in ("3CosAdd", "3CosMul"):
        assert wv.evaluate_word_analogies(path, method=method)[0] == 1


def test_what_was_asked_with_is_no_answer(file):
    wv = WordVectors(["a", "b", "c"], np.eye(3))
    assert wv.evaluate_word_analogies(file(": one\na b c a\n"))[0] == 0


def test_tokens_that_are_no_strings_do_not_matter(file):
    wv = WordVectors([*WORDS, 7, ("a", 1)], np.vstack([WV.vectors, RNG.normal(size=(2, 4))]))
    assert np.allclose(
        np.hstack(wv.evaluate_word_pairs(file(PAIRS))),
        np.hstack(WV.evaluate_word_pairs(file(PAIRS))),
    )


def test_nothing_to_judge_is_told(file):
    with pytest.raises(
        ValueError, match=r"Got 1 in '.*questions.txt', and 1 with an unknown word"
    ):
        WV.evaluate_word_pairs(file("paris\tking\t1\nking\tunicorn\t2\n"))
    with pytest.raises(ValueError, match="Got 0 in"):
        WV.evaluate_word_pairs(file("paris king 1\n"))
    with pytest.raises(ValueError, match="must begin with a line ': name of a section'"):
        WV.evaluate_word_analogies(file("paris France rome italy\n"))
    with pytest.raises(ValueError, match="must hold a line of four known words"):
        WV.evaluate_word_analogies(file(": one\nparis France rome unicorn\n"))
    with pytest.raises(ValueError, match="method must be one of"):
        WV.evaluate_word_analogies(file(ANALOGIES), method="3cosadd")
