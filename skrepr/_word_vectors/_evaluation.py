"""Files of questions about words, whose answers people have given."""

from os import fspath

import numpy as np

from ._scores import on_sphere, scores_of_all

HELD = 2**22  # scores that are held at a time


def judge_pairs(keys, vectors, path, *, delimiter, encoding, case_insensitive, dummy4unknown):
    """Correlate the cosines of pairs with how similar people found them."""
    from scipy.stats import pearsonr, spearmanr

    rows = _rows_by_spelling(keys, case_insensitive)
    found, pairs, n_unknown = [], [], 0
    for line in _lines(path, encoding):
        *words, value = line.split(delimiter)
        try:
            a, b = (_spelling(word, case_insensitive) for word in words)
            value = float(value)
        except ValueError:  # a heading, an empty line
            continue
        known = a in rows and b in rows
        n_unknown += not known
        if known or dummy4unknown:
            found.append(value)
            pairs.append((rows[a][0], rows[b][0]) if known else None)
    if len(found) < 2:
        raise ValueError(
            "pairs must hold at least 2 lines of two known words and a number, separated by "
            f"{delimiter!r}. Got {len(found)} in {fspath(path)!r}, and {n_unknown} with an "
            "unknown word."
        )
    known = [number for number, pair in enumerate(pairs) if pair]
    a, b = (on_sphere(vectors[[pairs[number][i] for number in known]]) for i in (0, 1))
    cosines = np.zeros(len(pairs))
    cosines[known] = (a * b).sum(axis=1)
    n_pairs = len(pairs) if dummy4unknown else len(pairs) + n_unknown
    return pearsonr(found, cosines), spearmanr(found, cosines), 100 * n_unknown / n_pairs


def judge_analogies(keys, vectors, norms, path, *, case_insensitive, dummy4unknown, method):
    """Answer analogies, and sort them by section and by whether the answer was right."""
    rows = _rows_by_spelling(keys, case_insensitive)
    sections, questions = [], []
    for line in _lines(path, "utf8"):
        words = tuple(_spelling(word, case_insensitive) for word in line.split())
        if line.startswith(": "):
            sections.append({"section": line[2:].strip(), "correct": [], "incorrect": []})
        elif not sections:
            raise ValueError(
                "analogies must begin with a line ': name of a section'. Got "
                f"{line!r} in {fspath(path)!r}."
            )
        elif len(words) == 4 and (dummy4unknown or rows.keys() >= {*words}):
            questions.append((sections[-1], words))
    if not questions:
        raise ValueError(
            f"analogies must hold a line of four known words. Got none in {fspath(path)!r}."
        )
    asked = [words[:3] for _, words in questions if rows.keys() >= {*words}]
    answers = dict(zip(asked, _answers(asked, rows, vectors, norms, method)))
    for section, words in questions:
        # a spelling of what was asked with is no answer, even where there is no other word
        right = words[3] not in words[:3] and answers.get(words[:3]) in rows.get(words[3], ())
        section["correct" if right else "incorrect"].append(words)
    total = {"section": "Total accuracy"}
    for kind in ("correct", "incorrect"):
        total[kind] = [words for section in sections for words in section[kind]]
    return len(total["correct"]) / len(questions), [*sections, total]


def _answers(asked, rows, vectors, norms, method):
    """Yield the row of the best answer to each question a, b, c, found a block at a time."""
    block = max(1, HELD // (3 * len(vectors)))
    for start in range(0, len(asked), block):
        questions = asked[start : start + block]
        a, b, c = ([rows[words[i]][0] for words in questions] for i in range(3))
        units = [on_sphere(vectors[words]) for words in (a, b, c)]
        positive, negative = np.stack(units[1:], axis=1), units[0][:, None]
        scores = scores_of_all(method, vectors, norms, positive, negative)
        for question, score in zip(questions, scores):
            score[[row for word in question for row in rows[word]]] = -np.inf
            yield int(score.argmax())


def _lines(path, encoding):
    with open(path, encoding=encoding) as file:
        yield from (line for line in file if not line.startswith("#"))


def _spelling(key, case_insensitive):
    return key.upper() if case_insensitive and isinstance(key, str) else key


def _rows_by_spelling(keys, case_insensitive):
    """Return the rows of the words that are spelled alike, the most frequent one first."""
    rows = {}
    for row, key in enumerate(keys):
        rows.setdefault(_spelling(key, case_insensitive), []).append(row)
    return rows
