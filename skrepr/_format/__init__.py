"""The format in which a fitted embedding is written: the one that is read by audited code.

Tensors as safetensors, everything else as a JSON document among their metadata. `save` puts
these bytes into a file, ``__getstate__`` into a pickle, and one reader opens both. Reading
runs no code that the bytes bring along and imports no name found in them: a class is looked
up among those that the caller knows. What is asked for is bounded by the size of what is
there, and whatever can be written can be read.

``_values.py``
    Python values as JSON and tensors, and back.
``_container.py``
    A document and its tensors as bytes, with a checksum.
``_fitted.py``
    A fitted embedding as a document, and back.
``_checks.py``
    What must hold before anything is believed.
"""

from ._checks import check_finite, check_forms, check_optimizer_state, within
from ._container import checksum, pack, rebuilding, unpack
from ._fitted import (
    document_of,
    known_parts,
    parameters_in,
    restore,
    split_state,
    state_of,
)
from ._values import NotKnown, Reader, Writer, name_of

__all__ = [
    "NotKnown",
    "Reader",
    "Writer",
    "check_finite",
    "check_forms",
    "check_optimizer_state",
    "checksum",
    "document_of",
    "known_parts",
    "name_of",
    "pack",
    "parameters_in",
    "rebuilding",
    "restore",
    "split_state",
    "state_of",
    "unpack",
    "within",
]
