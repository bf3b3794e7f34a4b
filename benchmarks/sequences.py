"""What SequenceTransformerEmbedding is worth: on even series, light curves and few labels.

    python benchmarks/sequences.py --data DIR [--quick] [--part NAME] [--seeds N]

Embeddings are fitted to training rows without labels and frozen; a classifier is the better of
an RBF support vector machine and a logistic regression by cross-validation on training rows.

``archive``
    20 univariate sets of the UCR archive and BasicMotions, given split: the default embedding,
    its kernels alone through PCA of the same width, and its network alone. Next to them what
    others report of the same splits: TS2Vec (the authors' code, 200 iterations) and MiniRocket
    with a ridge classifier.
``networks``
    CBF, ECG200, FacesUCR, OSULeaf and SwedishLeaf: attention, convolutions and a recurrent
    network, each alone and next to the kernels.
``labels``
    5 and 20 % of the training labels of TwoPatterns, SwedishLeaf, FacesUCR and Bonn's EEG (half of
    it for training): the classifier on embeddings fitted to all training rows, on raw values,
    and the network of the embedding trained from scratch on these labels alone.
``light_curves``
    RR Lyrae (ab against c, five bands), classes of CRTS with 20 objects or more, and supernovae
    (SPCC, 1,000 objects, four bands) by type, in 5 folds: the classifier on the embedding, and
    a random forest on features made by hand: moments, amplitudes, colors and the Lomb-Scargle
    period.
``anomaly``
    AUROC of `score_samples`, of IsolationForest on the embedding, and on raw values: ECG200
    (the rarer class), and Bonn's EEG (seizures against the rest). For information.
``speed``
    Seconds of an epoch, as a ratio to those of a loop by hand with the same network and loss.
``busy``
    Seconds of a fit at defaults next to two programs that keep cores busy, over those on a quiet
    machine; of the clock, in fresh processes with torch's default number of threads.

Every row is appended to a file in ``benchmarks/results``; the tables are printed from that
file, so that the parts of a long run add up, and a run that is repeated measures only what is
missing. `--quick` takes fewer sets, rows and one seed, and has a file of its own. Seconds are
those of the processor on one thread, of the fit and of embedding training and test rows.
"""

from results_file import run_parts
from sequences_parts import PARTS, PUBLISHED

INDEX = ("set", "method", "labels", "neighbors")


def show_archive(table):
    """Print accuracies of each set, their means, and how far methods are apart."""
    by_set = table.pivot_table("accuracy", "set", "method", sort=False)
    published = {
        name: dict(zip(("TS2Vec", "MiniRocket"), pair)) for name, pair in PUBLISHED.items()
    }
    by_set = by_set.join(table.__class__.from_dict(published, orient="index"))
    print(by_set.round(3).to_string())
    univariate = by_set.drop(index="BasicMotions", errors="ignore")
    print("\nmeans over univariate sets")
    print(univariate.mean().round(4).to_string())
    default = univariate["default"]
    for other in univariate.columns.drop("default"):
        lead = 100 * (default - univariate[other]).dropna()
        wins, losses = (lead > 0.05).sum(), (lead < -0.05).sum()
        error = lead.std() / len(lead) ** 0.5
        print(f"default above {other}: {lead.mean():+.2f} points ({error:.2f}), {wins}-{losses}")
    print("\nseconds of a set")
    print(table.groupby("method", sort=False)["seconds"].agg(["mean", "max"]).round(1).to_string())


if __name__ == "__main__":
    run_parts("sequences", __doc__, PARTS, index=INDEX, show={"archive": show_archive})
