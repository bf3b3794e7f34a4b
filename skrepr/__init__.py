"""Deep representation learning that behaves like PCA.

Every public name is imported when it is first used, so that ``import skrepr`` costs
milliseconds and pulls in neither torch nor skorch.

Importing skrepr sets the environment variable ``OMP_WAIT_POLICY`` to ``PASSIVE``, unless it
or one of its kind is set already: threads of torch that wait for each other then sleep
instead of keeping cores busy, which other programs may be using. torch reads it once, when
it is imported. It matters only to networks large enough for several threads, and only if
other programs keep the cores busy; then import skrepr before torch, or set the variable
where Python is started.
"""

import os
from importlib import import_module

__version__ = "0.1.0"

if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & os.environ.keys():
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

_HOMES = {
    "AutoencoderEmbedding": "_autoencoder",
    "ContrastiveEmbedding": "_contrastive",
    "RepresentationCollapseWarning": "_base",
    "SequenceTransformerEmbedding": "_sequence_transformer",
    "VAEEmbedding": "_vae",
    "Word2VecEmbedding": "_word2vec",
    "WordVectors": "_word_vectors",
    "load": "persistence",
    "save": "persistence",
}
_SUBMODULES = ("architectures", "augmentations", "datasets", "displays", "metrics", "objectives")

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    elif name in _SUBMODULES:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__, *_SUBMODULES})
