"""What VAEEmbedding is worth: as a density, an imputer, an embedding, and against collapse.

    python benchmarks/vae.py --data DIR [--quick] [--part NAME] [--seeds N]

``tables``
    Held-out log p(x) in nats a row, by 200 importance samples on at most 1,000 test rows,
    as the gain over probabilistic PCA in closed form (scikit-learn's PCA), for VAEEmbedding,
    a plain start, FactorAnalysis and pythae's VAE; accuracy of 5 nearest neighbors next to
    PCA, AutoencoderEmbedding and pythae. 16 tables, at most 5,000 training rows, widths 2
    and min(16, n_features // 2). Gains are of rows, without the 2 % at both ends, or their
    median: single rows rule their mean. pythae trains with a noise of 1, and is given the
    one under which the training rows are most probable.
``images``
    Test negative log-likelihood of images binarized once, by 200 importance samples on 1,000
    rows: layers of 400, 20 components, 20 epochs of 10,000 rows of Fashion-MNIST and 40 of 6,291
    of USPS, for VAEEmbedding and pythae's VAE, BetaVAE (beta 4), IWAE (10 samples) and VAMP
    (50 components), all at a learning rate of 1e-3, with the same epochs and batches. In
    float32 products of matrices alone take more than half of the time of peers, so that
    VAEEmbedding is timed in bfloat16 too, on processors that are faster in it.
``collapse``
    Fashion-MNIST, 10,000 rows in [0, 1], Bernoulli likelihood, 20 components, 25 epochs: beta
    by contrastive weight, from the start and from a plain one.
``imputation``
    Root mean square error in standard deviations, of the values that are missing in test
    rows: a tenth of all, at random. At most 4,000 training rows.
``counts``
    Adjusted Rand index of KMeans, mean of 10 starts, on 10 components of single cells.
``anomaly``
    AUROC of minus log p(x) on the anomaly sets next to pyod's VAE, at its defaults; at most
    5,000 training rows. For information.
``speed``
    Seconds of an epoch, as a ratio to those of a loop written by hand.

Every row is appended to a file in ``benchmarks/results``; the tables are printed from that
file, so that the parts of a long run add up, and a run that is repeated measures only what is
missing. `--quick` takes fewer sets, rows, epochs and one seed, and has a file of its own.
Peers that are not installed are left out. Seconds are those of the processor, on one thread.
"""

import numpy as np
import pandas as pd
from results_file import run_parts
from vae_on_images import collapse, images, speed
from vae_on_tables import anomaly, counts, imputation, tables

PARTS = {
    "tables": (tables, 2),
    "images": (images, 3),
    "collapse": (collapse, 3),
    "imputation": (imputation, 3),
    "counts": (counts, 3),
    "anomaly": (anomaly, 3),
    "speed": (speed, 3),
}
INDEX = ("set", "beta", "contrastive_weight", "start", "method", "batch")


def show_tables(table):
    """Print gains over probabilistic PCA, and 5-NN."""
    pair = ["set", "width"]
    table["kind"] = np.where(table["width"] > 2, "wide", "width 2")
    by_set = table.pivot_table("gain", pair, "method", sort=False)
    print(by_set.round(2).to_string())
    figures = {
        "median over sets": lambda t: t.groupby("set")["gain"].mean().median(),
        "of median rows": lambda t: t.groupby("set")["median_gain"].mean().median(),
        "mean over sets": lambda t: t.groupby("set")["gain"].mean().mean(),
        # a start that is kept differs by rounding
        "runs not below pPCA": lambda t: (t["gain"] > -0.01).mean(),
        "runs": len,
        "units in use": lambda t: (t["active_units"] / t["width"]).mean(),
        "seconds": lambda t: t["seconds"].mean(),
    }
    print("\nnats a row over probabilistic PCA, mean of rows without the 2 % at both ends")
    print(_over_sets(table.dropna(subset="gain"), figures))
    for other in ("plain start", "FactorAnalysis", "pythae VAE"):
        for kind, part in table.groupby("kind"):
            both = part.pivot_table("gain", "set", "method")
            if {"skrepr", other} <= set(both):
                lead = (both["skrepr"] - both[other]).dropna()
                print(
                    f"skrepr above {other}, {kind}: {lead.median():+.2f} nats in the median, on "
                    f"{(lead > 0).sum()} of {len(lead)} sets"
                )
    for other in ("PCA", "AutoencoderEmbedding", "pythae VAE"):
        for kind, part in table.groupby("kind"):
            both = part.pivot_table("knn", "set", "method")
            if {"skrepr", other} <= set(both):
                lead = 100 * (both["skrepr"] - both[other]).dropna()
                error = lead.std() / len(lead) ** 0.5
                print(f"5-NN above {other}, {kind}: {lead.mean():+.2f} points ({error:.2f})")


def _over_sets(table, figures):
    groups = table.groupby(["kind", "method"], sort=False)
    rows = {key: {name: f(group) for name, f in figures.items()} for key, group in groups}
    return pd.DataFrame(rows).T.round(2).to_string()


if __name__ == "__main__":
    run_parts("vae", __doc__, PARTS, index=INDEX, show={"tables": show_tables})
