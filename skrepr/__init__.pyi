# What `__init__.py` imports when it is first used, for editors and type checkers, which read
# a lazy module as an empty one. tests/test_import.py holds the two equal.
from . import architectures as architectures
from . import augmentations as augmentations
from . import datasets as datasets
from . import displays as displays
from . import metrics as metrics
from . import objectives as objectives
from ._autoencoder import AutoencoderEmbedding as AutoencoderEmbedding
from ._base import RepresentationCollapseWarning as RepresentationCollapseWarning
from ._contrastive import ContrastiveEmbedding as ContrastiveEmbedding
from ._sequence_transformer import SequenceTransformerEmbedding as SequenceTransformerEmbedding
from ._vae import VAEEmbedding as VAEEmbedding
from ._word2vec import Word2VecEmbedding as Word2VecEmbedding
from ._word_vectors import WordVectors as WordVectors
from .persistence import load as load
from .persistence import save as save

__version__: str
__all__ = [
    "AutoencoderEmbedding",
    "ContrastiveEmbedding",
    "RepresentationCollapseWarning",
    "SequenceTransformerEmbedding",
    "VAEEmbedding",
    "Word2VecEmbedding",
    "WordVectors",
    "load",
    "save",
]
