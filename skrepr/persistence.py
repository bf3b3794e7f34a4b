"""One file for one fitted embedding: tensors as safetensors, everything else as JSON.

Loading runs no code from the file and imports no name found in it. A class is looked up
among those of skrepr and ``torch.optim``, and beyond them only in what the caller hands
over. A checksum over all content tells a damaged file.
"""

import hashlib
import json
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import sklearn
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

import skrepr

from . import architectures

_FORMAT = 1
_KEY = "skrepr"
# Rebuilt on loading, or written as tensors of their own.
_NOT_AS_JSON = {"net_", "readout_"}


def save(estimator, path, *, resume=False):
    """Write a fitted embedding to a file.

    The file appears at once and whole, or not at all.

    Parameters
    ----------
    estimator : embedding
        A fitted estimator of skrepr. For whole pipelines use :mod:`joblib`, and open such
        files only when you trust them: loading them can run code.
    path : str or os.PathLike
        Where to write. An existing file is replaced.
    resume : bool, default=False
        Whether to add what training needs to go on as if it had never stopped: the state of
        the optimizer and of the random generator. Triples the size of the file.

    Raises
    ------
    TypeError
        If the estimator, or the value of one of its parameters, cannot be written. Nothing
        has been written then.

    See Also
    --------
    load : Read it back.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from skrepr import AutoencoderEmbedding, load, save
    >>> X = load_iris().data
    >>> embedding = AutoencoderEmbedding(2, max_epochs=5, random_state=0).fit(X)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.safetensors")
    >>> save(embedding, path)
    >>> bool((load(path).transform(X) == embedding.transform(X)).all())
    True
    """
    if _name_of(type(estimator)) not in _estimators():
        raise TypeError(
            "save writes fitted estimators of skrepr. Got "
            f"{type(estimator).__name__}. Use joblib.dump for pipelines and other estimators."
        )
    check_is_fitted(estimator)
    writer = _Writer()
    parameters = estimator.get_params(deep=False)
    if parameters.pop("callbacks", None):
        warnings.warn(
            "callbacks are not written: give them again with set_params(callbacks=...) after "
            "loading, if training shall go on with them."
        )
    document = {
        "format": _FORMAT,
        "versions": {
            "skrepr": skrepr.__version__,
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
        "class": type(estimator).__name__,
        "parameters": {
            name: writer.encode(value, f"parameter {name!r}") for name, value in parameters.items()
        },
        "fitted": {
            name: writer.encode(value, f"attribute {name!r}")
            for name, value in vars(estimator).items()
            if name.endswith("_") and not name.startswith("_") and name not in _NOT_AS_JSON
        },
        "history": writer.encode(_plain(estimator.net_.history), "attribute 'history_'"),
        "resume": None,
    }
    writer.add_state("module", estimator.module_.state_dict())
    writer.add_state("readout", estimator.readout_.state_dict())
    if resume:
        state = estimator.net_.optimizer_.state_dict()
        generator = estimator.module_.generator.get_state()
        document["resume"] = {
            "optimizer": writer.encode(state, "the state of the optimizer"),
            "generator": writer.encode(generator, "the state of the generator"),
        }
    document["checksum"] = _checksum(document, writer.tensors)
    _write_atomically(
        Path(path),
        safetensors.torch.save(writer.tensors, metadata={_KEY: json.dumps(document)}),
    )


def load(path, objects=None):
    """Read an embedding that `save` has written.

    It is placed on the device that its parameter `device` asks for, or on the CPU where that
    is not there.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    objects : dict, default=None
        What the file names but skrepr does not know, by its full name: the user's own
        recipes and optimizers as classes, functions as functions, a torch module that was
        given as a part as an instance of the same structure; as in
        ``{"mine.Encoder": Encoder()}``. A missing one is named in the error.

    Returns
    -------
    estimator : embedding
        Fitted, as it was saved.

    Raises
    ------
    ValueError
        If the file is damaged, or is none of ours.
    KeyError
        If it needs something that is not in `objects`.

    See Also
    --------
    save : Write one.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from skrepr import AutoencoderEmbedding, load, save
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.safetensors")
    >>> save(AutoencoderEmbedding(2, max_epochs=5).fit(load_iris().data), path)
    >>> load(path)
    AutoencoderEmbedding(max_epochs=5, n_components=2)
    """
    document, tensors = _read(Path(path))
    reader = _Reader(tensors, objects or {})
    cls = _estimators().get(f"skrepr.{document['class']}")
    if cls is None:
        raise ValueError(
            f"{path} holds an estimator of the class {document['class']!r}, which this version "
            f"of skrepr ({skrepr.__version__}) does not have; it was written by version "
            f"{document['versions']['skrepr']}."
        )
    estimator = cls(
        **{name: reader.decode(value) for name, value in document["parameters"].items()}
    )
    for name, value in document["fitted"].items():
        setattr(estimator, name, reader.decode(value))
    resume = document["resume"]
    estimator._rebuild(
        reader.state("module"),
        reader.state("readout"),
        reader.decode(document["history"]),
        **({name: reader.decode(value) for name, value in resume.items()} if resume else {}),
    )
    return estimator


class _Writer:
    """Turns values into JSON, and puts arrays among the tensors."""

    def __init__(self):
        self.tensors = {}

    def add_state(self, prefix, state):
        for name, tensor in state.items():
            # safetensors refuses tensors that share memory, as tied weights do
            self.tensors[f"{prefix}.{name}"] = tensor.detach().cpu().contiguous().clone()

    def encode(self, value, where):
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic) and not isinstance(value, np.void):
            return value.item()
        if isinstance(value, (tuple, list)):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {"kind": kind, "items": [self.encode(item, where) for item in value]}
        if isinstance(value, dict):
            pairs = [
                [self.encode(key, where), self.encode(item, where)] for key, item in value.items()
            ]
            return {"kind": "dict", "items": pairs}
        if isinstance(value, np.ndarray) and value.dtype == object:
            return {"kind": "names", "items": self.encode(value.tolist(), where)}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            tensor = torch.from_numpy(np.ascontiguousarray(value))
            return {"kind": "array", "tensor": self._add(tensor)}
        if isinstance(value, torch.Tensor):
            return {"kind": "tensor", "tensor": self._add(value)}
        if isinstance(value, torch.device):
            return {"kind": "device", "name": str(value)}
        if isinstance(value, torch.nn.Module):
            return {"kind": "object", "name": _name_of(type(value))}
        if isinstance(value, BaseEstimator):
            parameters = value.get_params(deep=False)
            return {
                "kind": "part",
                "name": _name_of(type(value)),
                "parameters": {
                    name: self.encode(item, f"{where}, {name!r}")
                    for name, item in parameters.items()
                },
            }
        if isinstance(value, type) or callable(value):
            name = _name_of(value)
            if "<" not in name:
                return {"kind": "object", "name": name}
        raise TypeError(
            f"{where} cannot be written: {value!r} is neither a number, a string, a container "
            "of them, an array, a recipe, nor a class or function with a name of its own."
        )

    def _add(self, tensor):
        name = f"value.{len(self.tensors)}"
        self.tensors[name] = tensor.detach().cpu().contiguous().clone()
        return name


class _Reader:
    """Turns JSON back into values, from the tensors and from what the caller knows."""

    def __init__(self, tensors, objects):
        self.tensors = tensors
        self.objects = objects

    def state(self, prefix):
        prefix += "."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }

    def decode(self, value):
        if not isinstance(value, dict):
            return value
        kind = value["kind"]
        if kind == "tuple":
            return tuple(map(self.decode, value["items"]))
        if kind == "list":
            return list(map(self.decode, value["items"]))
        if kind == "dict":
            return {self.decode(key): self.decode(item) for key, item in value["items"]}
        if kind == "names":
            return np.array(self.decode(value["items"]), dtype=object)
        if kind == "array":
            return self.tensors[value["tensor"]].numpy()
        if kind == "tensor":
            return self.tensors[value["tensor"]]
        if kind == "device":
            return torch.device(value["name"])
        if kind == "part":
            parameters = {name: self.decode(v) for name, v in value["parameters"].items()}
            return self._known(value["name"])(**parameters)
        if kind == "object":
            return self._known(value["name"])
        raise ValueError(f"The file holds a value of the unknown kind {kind!r}.")

    def _known(self, name):
        known = {**_parts(), **_optimizers(), **self.objects}
        if name not in known:
            raise KeyError(
                f"The file needs {name!r}, which skrepr does not know. Hand it over: "
                f"load(path, objects={{{name!r}: ...}})."
            )
        return known[name]


def _estimators():
    values = (getattr(skrepr, name) for name in skrepr.__all__)
    return {
        _name_of(value): value
        for value in values
        if isinstance(value, type) and issubclass(value, BaseEstimator)
    }


def _parts():
    return {
        _name_of(getattr(package, name)): getattr(package, name)
        for package in (architectures,)
        for name in package.__all__
    }


def _optimizers():
    classes = (getattr(torch.optim, name) for name in torch.optim.__all__)
    return {_name_of(cls): cls for cls in classes if isinstance(cls, type)}


def _name_of(obj):
    """Full name of a class or function; for our own, without the private file."""
    module, name = getattr(obj, "__module__", "?"), getattr(obj, "__qualname__", "<unnamed>")
    public = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*(public if module.startswith("skrepr.") else [module]), name])


def _plain(history):
    return [{name: value for name, value in row.items() if name != "batches"} for row in history]


def _checksum(document, tensors):
    """Digest of all that the file says: the JSON without this digest, and every tensor."""
    digest = hashlib.sha256()
    content = {name: value for name, value in document.items() if name != "checksum"}
    digest.update(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read(path):
    damaged = f"{path} is damaged, or was not written by skrepr.save"
    with path.open("rb"):
        pass  # a missing or unreadable file is told as such
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            document = json.loads(file.metadata()[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            written = document["checksum"]
            found = _checksum(document, tensors)
            version = document["format"]
    except (safetensors.SafetensorError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{damaged}: {error}") from error
    if found != written:
        raise ValueError(f"{damaged}: its content does not match its checksum.")
    if version > _FORMAT:
        raise ValueError(
            f"{path} was written by a newer version of skrepr "
            f"({document['versions']['skrepr']}). Upgrade to read it."
        )
    return document, tensors


def _write_atomically(path, content):
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
