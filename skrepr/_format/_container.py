"""A document and its tensors as bytes: safetensors, with a checksum over all that is said."""

import hashlib
import json
from contextlib import contextmanager

import safetensors.torch
import sklearn
import torch

from .. import __version__
from ._values import NotKnown

_FORMAT = 1
_KEY = "skrepr"


def pack(document, tensors):
    """Turn a document and its tensors into bytes."""
    document = {
        "format": _FORMAT,
        "versions": {
            "skrepr": __version__,
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
    } | document
    document["checksum"] = checksum(document, tensors)
    return safetensors.torch.save(tensors, metadata={_KEY: json.dumps(document)})


def unpack(content, source):
    """Turn bytes back into a document and its tensors.

    Parameters
    ----------
    content : bytes
    source : str
        What they were found in, for messages.

    Raises
    ------
    ValueError
        If they are damaged, or none of ours.
    """
    try:
        tensors = safetensors.torch.load(content)
        header = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + header])["__metadata__"]
        document = json.loads(metadata[_KEY])
        intact = checksum(document, tensors) == document["checksum"]
        newer = document["format"] > _FORMAT
        versions = dict(document["versions"])
    except Exception as error:  # of safetensors, JSON, torch, or of what is missing
        raise ValueError(
            f"{source} is damaged, or was not written by skrepr.save: {error}"
        ) from error
    if not intact:
        raise ValueError(f"{source} is damaged: its content does not match its checksum.")
    if newer:
        raise ValueError(
            f"{source} was written by a newer version of skrepr ({versions}). Upgrade to read it."
        )
    return document, tensors


@contextmanager
def rebuilding(source, document):
    """Tell whatever goes wrong while a document is followed as a fault of the document."""
    try:
        yield
    except NotKnown:
        raise
    except Exception as error:  # from anywhere in what the content makes us call
        raise ValueError(
            f"{source} cannot be rebuilt by skrepr {__version__}, it was written by "
            f"{document['versions']}: {error}"
        ) from error


def checksum(document, tensors):
    """Digest of all that is said: the JSON without this digest, and every tensor."""
    digest = hashlib.sha256()
    content = {name: value for name, value in document.items() if name != "checksum"}
    digest.update(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
