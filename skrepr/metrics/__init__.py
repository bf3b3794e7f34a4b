"""Figures that judge an embedding: arrays in, numbers out.

They see an embedding as an array, whoever made it: one of this package, PCA, UMAP. Those that
compare rows with rows do so in blocks, under a memory that does not grow with the square of
the rows, and from 20,000 rows on with a seeded sample of them, whose standard error
``return_error=True`` adds. None of them touches a global random generator.

Which figure for which question:

- Are neighbors in the embedding neighbors in the data? `trustworthiness`. And the other
  way round? `neighborhood_preservation`.
- Is what labels mean within easy reach? `knn_agreement`, `linear_probe_score`.
- Are all directions in use? `effective_rank`, `active_units`, `uniformity`.
- Do two views, or two modalities, agree? `alignment`, `recall_at_k`, `median_rank`,
  `mutual_information`.
- Would another seed find the same? `consistency_score`, `linear_cka`.
- Does each component stand for one known factor? `mig`, `dci`.
- All that applies, compared with PCA: `embedding_report`.
"""

from ._disentanglement import dci, mig
from ._hypersphere import alignment, uniformity
from ._information import active_units, mutual_information
from ._neighbors import knn_agreement, neighborhood_preservation, trustworthiness
from ._probe import linear_probe_score
from ._rank import describe_collapse as describe_collapse
from ._rank import effective_rank
from ._rank import rows_for_collapse as rows_for_collapse
from ._report import embedding_report
from ._retrieval import median_rank, recall_at_k
from ._similarity import consistency_score, linear_cka

__all__ = [
    "active_units",
    "alignment",
    "consistency_score",
    "dci",
    "effective_rank",
    "embedding_report",
    "knn_agreement",
    "linear_cka",
    "linear_probe_score",
    "median_rank",
    "mig",
    "mutual_information",
    "neighborhood_preservation",
    "recall_at_k",
    "trustworthiness",
    "uniformity",
]
