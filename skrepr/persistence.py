"""One file for one fitted embedding: tensors as safetensors, everything else as JSON.

Loading runs no code from the file and imports no name found in it. A class is looked up
among those of skrepr and ``torch.optim``, and beyond them only in what the caller hands
over. A checksum over all content tells a damaged file.
"""

import hashlib
import json
import os
import secrets
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

from . import architectures, augmentations

_FORMAT = 1
_KEY = "skrepr"
# Kinds of array, without their byte order, that torch can hold.
_ARRAYS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
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
    ValueError
        If parameters were changed after `fit`, so that they describe another network.

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
    state = estimator.module_.state_dict()
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
        "parameters": {name: writer.encode(value, name) for name, value in parameters.items()},
        "fitted": {
            name: writer.encode(value, name)
            for name, value in vars(estimator).items()
            if name.endswith("_") and not name.startswith("_") and name not in _NOT_AS_JSON
        },
        # what set_output has chosen
        "output": getattr(estimator, "_sklearn_output_config", {}),
        "history": writer.encode(_plain(estimator.net_.history), "history_"),
        "resume": None,
    }
    writer.add_state("module", state)
    writer.add_state("readout", estimator.readout_.state_dict())
    if resume:
        optimizer = estimator.net_.optimizer_.state_dict()
        document["resume"] = {
            "optimizer": writer.encode(optimizer, "optimizer"),
            "generator": writer.encode(estimator.module_.generator.get_state(), "random_state"),
        }
    changed = estimator._changed_since_fit()
    if changed:
        raise ValueError(
            f"The parameters {', '.join(changed)} were changed after fit, and no longer "
            "describe the fitted network. Restore them, or fit again."
        )
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
        ``{"mine.Encoder": Encoder()}``. The name of a parameter will do, too, and tells two
        modules of one class apart: ``{"architecture": Encoder()}``. A missing one is named
        in the error.

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
    try:
        return _rebuild(document, _Reader(tensors, objects or {}))
    except _NotKnown:
        raise
    except Exception as error:  # from anywhere in what the content makes us call
        raise ValueError(
            f"{path} cannot be rebuilt by skrepr {skrepr.__version__}, it was written by "
            f"{document['versions']}: {error}"
        ) from error


class _NotKnown(KeyError):
    """The file needs what neither skrepr nor the caller has."""

    __str__ = Exception.__str__  # KeyError would show the repr of the message


def _rebuild(document, reader):
    cls = _estimators().get(f"skrepr.{document['class']}")
    if cls is None:
        raise ValueError(f"there is no estimator of the class {document['class']!r}.")
    parameters = {name: reader.decode(v, name) for name, v in document["parameters"].items()}
    estimator = cls(**parameters)
    estimator._validate_params()
    for name, value in document["fitted"].items():
        if not name.endswith("_") or name.startswith("_") or hasattr(cls, name):
            raise ValueError(f"{name!r} is no fitted attribute.")
        setattr(estimator, name, reader.decode(value, name))
    estimator.set_output(**document["output"])
    state, resume = reader.state("module"), document["resume"] or {}
    _check_shapes(estimator, state)
    estimator._rebuild(
        state,
        reader.state("readout"),
        reader.decode(document["history"], "history_"),
        **{name: reader.decode(value, name) for name, value in resume.items()},
    )
    return estimator


def _check_shapes(estimator, state):
    """Check that the parameters describe the network of ``state``, without any memory.

    A file could ask for a network that does not fit into memory.
    """
    try:
        with torch.device("meta"):
            module = estimator._make_module(estimator.input_shape_)
    except Exception:
        return  # a module of the user's own may need real tensors, and is as large as it is
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    if wanted != {name: tuple(tensor.shape) for name, tensor in state.items()}:
        raise ValueError(f"The parameters of {estimator!r} do not describe the network it has.")


class _Writer:
    """Turns values into JSON, and puts arrays among the tensors."""

    def __init__(self):
        self.tensors = {}

    def add_state(self, prefix, state):
        for name, tensor in state.items():
            # safetensors refuses tensors that share memory, as tied weights do
            self.tensors[f"{prefix}.{name}"] = tensor.detach().cpu().contiguous().clone()

    def encode(self, value, name):
        """Turn the value of the parameter or attribute ``name`` into JSON."""
        if isinstance(value, (np.bool_, np.integer, np.floating)):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (tuple, list)):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {"kind": kind, "items": [self.encode(item, name) for item in value]}
        if isinstance(value, dict):
            pairs = [[self.encode(k, name), self.encode(v, name)] for k, v in value.items()]
            return {"kind": "dict", "items": pairs}
        if isinstance(value, np.ndarray) and value.dtype == object:
            return {"kind": "names", "items": self.encode(value.tolist(), name)}
        if isinstance(value, np.ndarray) and value.dtype.str[1:] in _ARRAYS:
            # a copy in the machine's own byte order, which torch may write to
            value = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
            return {"kind": "array", "tensor": self._add(torch.from_numpy(value))}
        if isinstance(value, torch.Tensor):
            return {"kind": "tensor", "tensor": self._add(value)}
        if isinstance(value, torch.device):
            return {"kind": "device", "name": str(value)}
        if isinstance(value, torch.nn.Module):
            return {"kind": "object", "name": _name_of(type(value))}
        if isinstance(value, BaseEstimator) and not isinstance(value, type):
            parameters = value.get_params(deep=False).items()
            return {
                "kind": "part",
                "name": _name_of(type(value)),
                "parameters": {key: self.encode(v, f"{name}__{key}") for key, v in parameters},
            }
        if callable(value) and "<" not in _name_of(value):
            return {"kind": "object", "name": _name_of(value)}
        raise TypeError(
            f"{name}={value!r} cannot be written: it is neither a number, a string, a container "
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

    def decode(self, value, name):
        """Turn JSON back into the value of the parameter or attribute ``name``."""
        if not isinstance(value, dict):
            return value
        kind = value["kind"]
        if kind in ("tuple", "list"):
            items = [self.decode(item, name) for item in value["items"]]
            return tuple(items) if kind == "tuple" else items
        if kind == "names":
            return np.array(self.decode(value["items"], name), dtype=object)
        if kind == "dict":
            return {self.decode(k, name): self.decode(v, name) for k, v in value["items"]}
        if kind == "array":
            return self.tensors[value["tensor"]].numpy()
        if kind == "tensor":
            return self.tensors[value["tensor"]]
        if kind == "device":
            return torch.device(value["name"])
        if kind == "object":
            return self._known(value["name"], name.rstrip("_"))
        if kind == "part":
            cls = self._known(value["name"], name.rstrip("_"))
            # called with what the file says, so nothing but a recipe, which only stores
            if not (isinstance(cls, type) and issubclass(cls, BaseEstimator)):
                raise TypeError(f"{value['name']!r} must be a recipe, a class of BaseEstimator.")
            parameters = value["parameters"].items()
            return cls(**{key: self.decode(v, f"{name}__{key}") for key, v in parameters})
        raise ValueError(f"{name} is of the unknown kind {kind!r}.")

    def _known(self, name, parameter):
        known = {**_parts(), **_optimizers(), **self.objects}
        found = self.objects.get(parameter, known.get(name))
        if found is None:
            raise _NotKnown(
                f"{parameter} was {name!r}, which skrepr does not know. Hand it over: "
                f"load(path, objects={{{name!r}: ...}})."
            )
        return found


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
        for package in (architectures, augmentations)
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
    with path.open("rb"):
        pass  # a missing or unreadable file is told as such
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            document = json.loads(file.metadata()[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        intact = _checksum(document, tensors) == document["checksum"]
        newer = document["format"] > _FORMAT
    except Exception as error:  # of safetensors, JSON, torch, or of what is missing
        raise ValueError(
            f"{path} is damaged, or was not written by skrepr.save: {error}"
        ) from error
    if not intact:
        raise ValueError(f"{path} is damaged: its content does not match its checksum.")
    if newer:
        raise ValueError(
            f"{path} was written by a newer version of skrepr ({document['versions']}). "
            "Upgrade to read it."
        )
    return document, tensors


def _write_atomically(path, content):
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
