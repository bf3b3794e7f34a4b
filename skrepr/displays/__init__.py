"""Pictures of an embedding, of its training, of what it rebuilds and what it decodes.

Displays in the manner of scikit-learn: ``from_estimator`` computes and draws, ``plot`` draws
again, and what was drawn is kept in attributes that end in an underscore. They ask an
estimator for its public methods only, so that :class:`~sklearn.decomposition.PCA`, UMAP or a
Pipeline that ends in one of them are shown as well as the embeddings of this package.
Arrays may be torch tensors, of any type and on any device. matplotlib is imported when a
picture is asked for.
"""

from ._embedding import EmbeddingDisplay
from ._latent_traversal import LatentTraversalDisplay
from ._loss_curve import LossCurveDisplay
from ._reconstruction import ReconstructionDisplay
from ._views import plot_views

__all__ = [
    "EmbeddingDisplay",
    "LatentTraversalDisplay",
    "LossCurveDisplay",
    "ReconstructionDisplay",
    "plot_views",
]
