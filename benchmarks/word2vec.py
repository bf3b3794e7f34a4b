"""What Word2VecEmbedding is worth: next to gensim, on documents, and on tables of categories.

    python benchmarks/word2vec.py --data DIR [--quick] [--part NAME] [--seeds N]

``speed``
    Skip-gram and CBOW on 5 million words of Wikipedia, against gensim with two workers that
    read a file, its fastest way: 100 components, window 5, 5 negatives, 5 epochs, sub-sampling
    at 1e-3. Words a second of the training, and seconds of the whole call: raw strings to
    vectors for skrepr, a file of words that are cut already for gensim. The methods of a seed
    follow each other, so that ratios are of neighbors in time.
``quality``
    Of the same fits: Spearman's correlation with what people say of pairs of words (WordSim-353,
    MEN, SimLex-999, MTurk-771), and analogies (Google's, 30,000 words).
``memory``
    Peak of the memory of a process beyond what it had before, for a file, and for one ten times
    as long with the same words (on Linux).
``documents``
    Accuracy of logistic regression on documents embedded by what was fitted to the training
    texts: every pooling, gensim's vectors averaged (as many epochs), TF-IDF + TruncatedSVD and
    skrub's StringEncoder of the same width. AG News, SMS, a sample of IMDB.
``entities``
    Accuracy on the categorical columns of adult, at a tenth of the width of one-hot encoding,
    next to it, and next to its TruncatedSVD.
``busy``
    Seconds of a fit next to two programs that keep cores busy, over those on a quiet machine.

Every row is appended to a file in ``benchmarks/results``; the tables are printed from that
file, so that the parts of a long run add up, and a run that is repeated measures only what is
missing. `--quick` takes less text, fewer sets and one seed, and has a file of its own. Peers that
are not installed are left out. Seconds are of the clock, since threads are the point: use a quiet
machine. Words a second are those of the text, those that are left out included.
"""

from results_file import run_parts, show_means
from word2vec_documents import documents, entities
from word2vec_fits import FIGURES, busy, fits, memory

PARTS = {
    "speed": (fits, 3),
    "quality": (fits, 3),
    "memory": (memory, 3),
    "documents": (documents, 3),
    "entities": (entities, 3),
    "busy": (busy, 3),
}
INDEX = ("algorithm", "set", "method", "times", "neighbors")


def show_speed(table):
    """Print words a second, and ratios to gensim's of the same seed."""
    table = table.drop(columns=[*FIGURES])
    show_means(table, INDEX)
    _show_beside_gensim(table, "words_per_second", lambda ours, theirs: ours / theirs)
    _show_beside_gensim(table, "whole_seconds", lambda ours, theirs: theirs / ours)


def show_quality(table):
    """Print figures of the words, and how far they are from gensim's."""
    show_means(table[["algorithm", "method", "seed", *FIGURES]], INDEX)
    for figure in FIGURES:
        _show_beside_gensim(table, figure, lambda ours, theirs: ours - theirs)


def _show_beside_gensim(table, figure, compare):
    wide = table.pivot_table(figure, ["algorithm", "seed"], "method", sort=False)
    if "gensim" not in wide:
        return
    compared = wide.drop(columns="gensim").apply(lambda ours: compare(ours, wide["gensim"]))
    means = compared.groupby("algorithm").mean().T
    errors = compared.groupby("algorithm").sem().T.add_prefix("error of ")
    print(f"\n{figure}, compared with gensim")
    print(means.join(errors).round(3).to_string())


def show_busy(table):
    """Print how many times longer a fit takes next to two busy programs."""
    wide = table.pivot_table("seconds", ["method", "seed"], "neighbors", sort=False)
    print((wide[2] / wide[0]).groupby("method").agg(["median", "max"]).round(2).to_string())


if __name__ == "__main__":
    run_parts(
        "word2vec",
        __doc__,
        PARTS,
        index=INDEX,
        show={"speed": show_speed, "quality": show_quality, "busy": show_busy},
        rows_of={"speed": "fits", "quality": "fits"},
        one_thread=False,
        ignored=(Warning,),  # of documents without a known word, for one
    )
