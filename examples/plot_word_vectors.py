"""
Words and categories on a map
=============================

:class:`~skrepr.Word2VecEmbedding` reads Python's own documentation, which comes with every
installation (:func:`~skrepr.datasets.load_python_docs`). Words whose neighbors in the text are
alike come to lie near each other. Nobody tells it what a word means, yet ``list``, ``tuple`` and
``dict`` end up side by side, and analogies are completed. 180,000 words are few: others read
thousands of times as many.

The same estimator reads tables of categories. Each row becomes a document of words
``column=value``; values that occur together point the same way. The table here is one of 178
wines of three cultivars, its columns cut into thirds.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from skrepr import Word2VecEmbedding
from skrepr.datasets import load_python_docs

GROUPS = {
    "#332288": "list tuple dict dictionary set sequence mapping iterable",
    "#CC6677": "integer int float complex decimal",
    "#117733": "string bytes str characters encoding",
    "#AA4499": "file directory path filename archive folder",
    "#999933": "exception error raised traceback valueerror",
    "#3388AA": "client server connection request response http",
    "#555555": "class method attribute instance subclass",
}
CULTIVARS = dict(zip("ABC", GROUPS, strict=False))  # names and colors
NAMED = ["cultivar", "alcohol", "malic acid", "flavanoids", "color intensity", "proline"]
ANALOGIES = [
    ("string", "str", "integer"),
    ("function", "functions", "class"),
    ("returns", "return", "raises"),
    ("client", "server", "request"),
]


def learn_words(**parameters):
    """Learn vectors of words from Python's documentation; print what they know."""
    # narrow windows bring words of one kind together, wide ones those of one subject
    embedding = Word2VecEmbedding(window=2, random_state=0, **parameters)
    words = embedding.fit(load_python_docs()).word_vectors_
    for word in ("dict", "exception", "client"):
        near = words.most_similar(word, topn=4)
        print(f"near {word}:", ", ".join(f"{other} {cosine:.2f}" for other, cosine in near))
    for a, b, c in ANALOGIES:
        ((answer, cosine),) = words.analogy(a, b, c, topn=1)
        print(f"{a} is to {b} as {c} is to {answer} ({cosine:.2f})")
    return words


def learn_values(**parameters):
    """Learn vectors of the values of a table; return them and the table."""
    wines = load_wine(as_frame=True)
    columns = wines.data.rename(columns=lambda name: name.partition("_of_")[0].replace("_", " "))
    table = columns.apply(lambda column: pd.qcut(column, 3, labels=["low", "middle", "high"]))
    table["cultivar"] = wines.target.map(dict(enumerate(CULTIVARS)))
    embedding = Word2VecEmbedding(
        3, min_count=1, early_stopping=False, random_state=0, **parameters
    )
    return embedding.fit(table).word_vectors_, table


def draw_words(ax, words):
    """Draw words by t-SNE, which keeps near what is near."""
    names = [name for group in GROUPS.values() for name in group.split() if name in words]
    map_of = TSNE(perplexity=6, metric="cosine", random_state=0)
    places = dict(zip(names, map_of.fit_transform(words[names]), strict=True))
    for color, group in GROUPS.items():
        for name in places.keys() & {*group.split()}:
            ax.text(*places[name], name, color=color, ha="center", va="center")
    ax.update_datalim([*places.values()])
    ax.margins(0.1)
    ax.autoscale()
    ax.set(xticks=[], yticks=[], title="Words of Python's documentation, by t-SNE")


def draw_values(ax, values, table):
    """Draw values by PCA, in the color of the cultivar that most rows with them are of."""
    pca = PCA(2).fit(values.vectors)
    for value, place in zip(values, pca.transform(values.vectors), strict=True):
        column, _, category = value.partition("=")
        color = CULTIVARS[table["cultivar"][table[column] == category].mode()[0]]
        if column == "cultivar":
            ax.plot(*place, "*", color=color, markersize=14)
        else:
            ax.plot(*place, ".", color=color)
        if column in NAMED and category != "middle":
            text = f"{column} {category}"
            ax.annotate(text, place, (5, 3), textcoords="offset points", color=color)
    share = pca.explained_variance_ratio_.sum()
    ax.margins(x=0.2)
    ax.set(xticks=[], yticks=[], title=f"Values of a table of wines, by PCA ({share:.0%})")


def main(path, **parameters):
    """Learn, print what words are near, draw; return the vectors of words and of values."""
    words = learn_words(**parameters)
    values, table = learn_values(**parameters)
    figure, axes = plt.subplots(1, 2, figsize=(13, 6.5), layout="constrained")
    draw_words(axes[0], words)
    draw_values(axes[1], values, table)
    figure.savefig(path, dpi=80)
    return words, values


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
