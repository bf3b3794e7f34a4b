"""Python values as JSON and tensors, and back."""

import numpy as np
import torch
from sklearn.base import BaseEstimator

# Kinds of array, without their byte order, that torch can hold.
_ARRAYS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}


class NotKnown(KeyError):
    """Something is named that neither skrepr nor the caller has."""

    __str__ = Exception.__str__  # KeyError would show the repr of the message


def name_of(obj):
    """Full name of a class or function; for our own, without the private file."""
    module, name = getattr(obj, "__module__", "?"), getattr(obj, "__qualname__", "<unnamed>")
    public = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*(public if module.startswith("skrepr.") else [module]), name])


def is_names(value):
    """Whether a value is an array of names of columns, as scikit-learn keeps them."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == object
        and value.ndim == 1
        and all(isinstance(name, str) for name in value)
    )


class Writer:
    """Turns values into JSON, and puts arrays among the tensors.

    Parameters
    ----------
    known : dict
        What every reader knows, by full name.
    beside : dict or None, default=None
        Takes what a reader would have to be given, to be carried next to the document. None:
        such things are written as their names.
    """

    def __init__(self, known, beside=None):
        self.known = known
        self.beside = beside
        self.tensors = {}
        self._in_use = set()

    def add_state(self, prefix, state):
        """Put the tensors of a ``state_dict`` among the others."""
        for name, tensor in state.items():
            self._add(f"{prefix}.{name}", tensor)

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
        if is_names(value):
            return {"kind": "names", "items": self.encode(value.tolist(), name)}
        if isinstance(value, np.ndarray) and value.dtype.str[1:] in _ARRAYS:
            # a copy in the machine's own byte order, which torch may write to
            value = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
            return {"kind": "array", "tensor": self._add_value(torch.from_numpy(value))}
        if type(value) in (torch.Tensor, torch.nn.Parameter):
            return {"kind": "tensor", "tensor": self._add_value(value)}
        if isinstance(value, torch.device):
            return {"kind": "device", "name": str(value)}
        if self._is_known(value):
            return {"kind": "object", "name": name_of(value)}
        is_recipe = isinstance(value, BaseEstimator) and not isinstance(value, type)
        if self.beside is not None and not (is_recipe and self._is_known(type(value))):
            key = f"<{name} {len(self.beside)}>"
            self.beside[key] = value
            return {"kind": "object", "name": key}
        if isinstance(value, torch.nn.Module):
            return {"kind": "object", "name": name_of(type(value))}
        if is_recipe:
            parameters = value.get_params(deep=False).items()
            return {
                "kind": "part",
                "name": name_of(type(value)),
                "parameters": {key: self.encode(v, f"{name}__{key}") for key, v in parameters},
            }
        if callable(value) and "<" not in name_of(value):
            return {"kind": "object", "name": name_of(value)}
        raise TypeError(
            f"{name}={value!r} cannot be written: it is neither a number, a string, a container "
            "of them, an array, a recipe, nor a class or function with a name of its own."
        )

    def _is_known(self, value):
        return self.known.get(name_of(value)) is value

    def _add_value(self, tensor):
        name = f"value.{len(self.tensors)}"
        self._add(name, tensor)
        return name

    def _add(self, name, tensor):
        tensor = tensor.detach().cpu().contiguous()
        # safetensors refuses tensors that share memory, as tied weights do
        memory = tensor.untyped_storage().data_ptr()
        self.tensors[name] = tensor.clone() if memory in self._in_use else tensor
        self._in_use.add(memory)


class Reader:
    """Turns JSON back into values, from the tensors and from what is known.

    Parameters
    ----------
    tensors : dict of torch.Tensor
    known : dict
        What skrepr knows, by full name.
    objects : dict
        What the caller adds, by full name or by the name of a parameter.
    """

    def __init__(self, tensors, known, objects):
        self.tensors = tensors
        self.known = known
        self.objects = objects

    def state(self, prefix):
        """Return the tensors that `Writer.add_state` has put under ``prefix``."""
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
            return self._find(value["name"], name)
        if kind == "part":
            cls = self._find(value["name"], name)
            # called with what the file says, so nothing but a recipe, which only stores
            if not (isinstance(cls, type) and issubclass(cls, BaseEstimator)):
                raise TypeError(f"{value['name']!r} must be a recipe, a class of BaseEstimator.")
            parameters = value["parameters"].items()
            return cls(**{key: self.decode(v, f"{name}__{key}") for key, v in parameters})
        raise ValueError(f"{name} is of the unknown kind {kind!r}.")

    def _find(self, full_name, name):
        for objects, key in (
            (self.objects, name),
            (self.objects, name.rstrip("_")),
            (self.objects, full_name),
            (self.known, full_name),
        ):
            if objects.get(key) is not None:
                return objects[key]
        raise NotKnown(
            f"{name.rstrip('_')} was {full_name!r}, which skrepr does not know. Hand it over: "
            f"load(path, objects={{{full_name!r}: ...}})."
        )
