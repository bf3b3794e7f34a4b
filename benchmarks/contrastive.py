"""What ContrastiveEmbedding is worth: on images, tables and spectra, and which objective.

    python benchmarks/contrastive.py --data DIR [--quick] [--part NAME] [--seeds N]

An embedding of 64 components is judged by a linear probe (standardized, logistic regression)
and by 5 nearest neighbors (standardized), in percent of test rows. Except for ``choosing`` and
``tables``, which are in float32, ContrastiveEmbedding and what is trained by hand are in the
precision that `precision="auto"` takes on the processor: bfloat16 where it pays. Each row tells
it.

``images``
    Fashion-MNIST (60,000 rows) and USPS, without labels: ContrastiveEmbedding at its defaults
    (in float32 too, where bfloat16 pays); PCA; AutoencoderEmbedding; and SimCLR written out, with
    the same layers, batches, augmentation and epochs, read at its last layer of 64 units. Judged
    with 20,000 labels and with all.
``objectives``
    Every objective at its defaults for 30 seconds each on 10,000 rows of Fashion-MNIST and all of
    USPS, with ContrastiveEmbedding's own convolutional network. Failures are rows too.
``choosing``
    Rank correlation of `score`, and of the effective rank, with the linear probe, over
    configurations on two sets each of images, series and tables.
``labels``
    star_galaxy, 1, 10 and 100 % of its labels: logistic regression on the embedding against the
    same convolutional network trained from scratch on these labels.
``tables``
    ContrastiveEmbedding at its defaults, PCA, and the standardized table itself; at most 5,000
    training rows.
``spectra``
    Types of supernovae, split by object: the spectrum itself, PCA, AutoencoderEmbedding.
``speed``
    Seconds of an epoch as a ratio to those of a loop written by hand, on images; and the memory
    of SimCLR with batches of 4,096 on a table of 64 columns.

Every row is appended to a file in ``benchmarks/results``; the tables are printed from that
file, so that the parts of a long run add up, and a run that is repeated measures only what is
missing. `--quick` takes fewer rows, sets and seconds and one seed, and has a file of its own.
Seconds are those of the processor, on one thread, of the training alone.
"""

from contrastive_parts import PARTS, show_choosing, show_tables
from results_file import run_parts

INDEX = ("set", "labels", "method", "objective", "batch", "precision")

if __name__ == "__main__":
    show = {"choosing": show_choosing, "tables": show_tables}
    run_parts("contrastive", __doc__, PARTS, index=INDEX, show=show)
