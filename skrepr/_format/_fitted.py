"""A fitted embedding as a document, and back.

The document holds the parameters as they are now, those of the fit where they are others
(`set_params` may have come between), what the fit has found, and its history. What is read
is the estimator that was written: the same parameters, the same answers, and the same way on.
"""

import torch
from sklearn.base import BaseEstimator

from ._checks import (
    check_attributes,
    check_finite,
    check_history,
    check_output,
    fitted_attributes,
    is_fitted,
)
from ._container import pack
from ._values import Writer, name_of

# The entries of a state that hold the bytes, and what only its pickle can carry.
_WRITTEN, _BESIDE = "_written", "_beside"
# Made again from the rest, or written as tensors of their own.
_NOT_AS_JSON = {"net_", "readout_", "word_vectors_"}


def known_parts(*packages):
    """List what every reader knows by full name: parts of skrepr and torch's optimizers."""
    parts = [getattr(package, name) for package in packages for name in package.__all__]
    values = [part for part in parts if isinstance(part, type) and issubclass(part, BaseEstimator)]
    optimizers = [getattr(torch.optim, name) for name in torch.optim.__all__]
    values += [value for value in optimizers if isinstance(value, type)]
    return {name_of(value): value for value in values}


def document_of(estimator, writer, *, resume):
    """Describe a fitted embedding.

    Parameters
    ----------
    estimator : embedding
    writer : Writer
        Is given the tensors.
    resume : bool
        Whether to add the state of the optimizer and of the random generator.

    Returns
    -------
    document : dict

    Raises
    ------
    TypeError
        If a value cannot be written.
    ValueError
        If something that the fit had found was changed to what no reader would accept.
    """
    parameters = estimator.get_params(deep=False)
    if writer.beside is None:
        parameters.pop("callbacks", None)
    written = {name: writer.encode(value, name) for name, value in parameters.items()}
    output = getattr(estimator, "_sklearn_output_config", {})
    check_attributes(estimator)
    check_output(output)
    check_finite(estimator.module_)
    check_finite(estimator.readout_, bounds=False)
    document = {
        "class": type(estimator).__name__,
        "parameters": written,
        "at_fit": _changed(estimator, written, writer),
        "fitted": {
            name: writer.encode(value, name)
            for name, value in fitted_attributes(estimator).items()
            if name not in _NOT_AS_JSON
        },
        "output": output,
        "history": writer.encode(_plain_history(estimator.net_.history), "history_"),
        "resume": None,
    }
    writer.add_state("module", estimator.module_.state_dict())
    writer.add_state("readout", estimator.readout_.state_dict())
    if resume:
        optimizer = estimator.net_.optimizer_.state_dict()
        document["resume"] = {
            "optimizer": writer.encode(optimizer, "optimizer"),
            "generator": writer.encode(estimator.module_.generator.get_state(), "random_state"),
        }
    return document


def parameters_in(document, reader):
    """Return the parameters that a document names, by name."""
    return {name: reader.decode(value, name) for name, value in document["parameters"].items()}


def restore(estimator, document, reader):
    """Turn an estimator that has its parameters into the fitted one that was written.

    Raises
    ------
    NotKnown
        If something is named that is not there.
    Exception
        Of any kind, if the document is none that `document_of` has written.
    """
    for name, value in document["fitted"].items():
        if not is_fitted(name) or isinstance(getattr(type(estimator), name, None), property):
            raise ValueError(f"{name!r} is no fitted attribute.")
        setattr(estimator, name, reader.decode(value, name))
    check_attributes(estimator)
    check_output(document["output"])
    estimator.set_output(**document["output"])
    history = reader.decode(document["history"], "history_")
    check_history(history)
    resume = document["resume"] or {"optimizer": None, "generator": None}
    estimator._rebuild(
        at_fit={name: reader.decode(value, name) for name, value in document["at_fit"].items()},
        module_state=reader.state("module"),
        readout_state=reader.state("readout"),
        history=[row | {"batches": []} for row in history],
        **{name: reader.decode(value, name) for name, value in resume.items()},
    )


def state_of(estimator, state, known):
    """Turn the plain state of a fitted embedding into one that holds the bytes of the format.

    Next to them stays what they do not hold: private attributes, and what a reader would have
    to be given, such as callbacks and parts of the user's own.
    """
    writer = Writer(known, beside={})
    document = document_of(estimator, writer, resume=True)
    held = document["parameters"].keys() | {"_parameters_at_fit"}
    rest = {
        name: value for name, value in state.items() if name not in held and not is_fitted(name)
    }
    return rest | {_WRITTEN: pack(document, writer.tensors), _BESIDE: writer.beside}


def split_state(state):
    """Return the bytes in a state (None: none), what stands next to them, and the rest."""
    rest = {name: value for name, value in state.items() if name not in (_WRITTEN, _BESIDE)}
    return state.get(_WRITTEN), state.get(_BESIDE), rest


def _plain_history(history):
    """Return a history of skorch without what it keeps for single batches."""
    return [{name: value for name, value in row.items() if name != "batches"} for row in history]


def _changed(estimator, written, writer):
    """Encode the parameters that were others at the fit."""
    changed = {}
    for name, then in estimator._parameters_at_fit.items():
        now = getattr(estimator, name)
        if then is not now:
            encoded = writer.encode(then, name)
            if encoded != (written[name] if name in written else writer.encode(now, name)):
                changed[name] = encoded
    return changed
