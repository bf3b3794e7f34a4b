"""One file for one fitted embedding.

The format, and how it is read without trust in the file, is in ``_format/``; pickles hold
the same bytes.
"""

import os
import warnings

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

import skrepr

from . import _format
from ._base import BaseEmbedding, known_names
from ._training import has_callbacks
from ._whole_file import check_regular, whole_file


def save(estimator, path, *, resume=False):
    """Write a fitted embedding to a file.

    The file appears at once and whole, or not at all. What is written is the estimator as it
    is: parameters that `set_params` has changed after `fit` are in the file, next to those of
    the fit, and so `load` returns an estimator with the same parameters, which gives the same
    answers and is trained further in the same way.

    Parameters
    ----------
    estimator : embedding
        A fitted estimator of skrepr. Pipelines, searches and estimators of the user's own are
        written by :mod:`joblib`, :mod:`pickle` or ``skops.io``: these hold an embedding in the
        same format, with ``resume=True``. Open files of joblib and pickle only if you trust
        them, since what is around the embedding can run code; files of skops need no such trust.
    path : str or os.PathLike
        Where to write. An existing file is replaced, and its permissions are kept; a symbolic
        link is followed. A save that was killed leaves a hidden file ``.*.skrepr-part`` in the
        same folder, which the next one to the same path removes.
    resume : bool, default=False
        Whether to add what training needs to go on as if it had never stopped: the state of
        the optimizer and of the random generator. Triples the size of the file.

    Raises
    ------
    TypeError
        If the estimator, or the value of one of its parameters, cannot be written. Nothing
        has been written then.
    ValueError
        If the fitted state was damaged by hand, as by weights that are not finite.
    OSError
        If `path` cannot be written, or is no regular file.

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
    if _format.name_of(type(estimator)) not in _estimators():
        raise TypeError(
            "save writes fitted estimators of skrepr. Got "
            f"{type(estimator).__name__}. Use joblib.dump for pipelines and other estimators."
        )
    check_is_fitted(estimator)
    if estimator.callbacks:
        warnings.warn(
            "callbacks are not written: give them again with set_params(callbacks=...) after "
            "loading, if training shall go on with them."
        )
    if has_callbacks(estimator):
        warnings.warn(
            "What set_callbacks has set is not written: set it again after loading, if it shall "
            "be told of further fits."
        )
    writer = _format.Writer(known_names())
    document = _format.document_of(estimator, writer, resume=resume)
    content = _format.pack(document, writer.tensors)
    with whole_file(path) as file:
        file.write(content)


def load(path, objects=None) -> BaseEmbedding:
    """Read an embedding that `save` has written.

    It is placed on the device that its parameter `device` asks for, or on the CPU where that
    is not there.

    The file need not be trusted: no code runs that it brings along, no name found in it is
    imported, and what it can make `load` do is bounded by its size.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    objects : dict, default=None
        What the file names but skrepr does not know, by its full name: the user's own
        recipes and optimizers as classes, functions as functions, a torch module that was
        given as a part as an instance of the same structure; as in
        ``{"mine.Encoder": Encoder()}``. The name of a parameter will do, too, and tells two
        modules of one class apart: ``{"architecture": Encoder()}``; so does that of a fitted
        attribute where the parameter was changed after `fit`. A missing one is named in the
        error.

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
    document, tensors = _format.unpack(_read(path), str(path))
    reader = _format.Reader(tensors, known_names(), objects or {})
    with _format.rebuilding(str(path), document):
        cls = _estimators().get(f"skrepr.{document['class']}")
        if cls is None:
            raise ValueError(f"there is no estimator of the class {document['class']!r}.")
        estimator = cls(**_format.parameters_in(document, reader))
        _format.restore(estimator, document, reader)
    return estimator


def _estimators():
    values = (getattr(skrepr, name) for name in skrepr.__all__)
    return {
        _format.name_of(value): value
        for value in values
        if isinstance(value, type) and issubclass(value, BaseEstimator)
    }


def _read(path):
    """Return the bytes of a file, or the first ones where the rest is none of ours."""
    status = os.stat(path)
    check_regular(status, path)
    with open(path, "rb") as file:
        head = file.read(9)
        length, begin = int.from_bytes(head[:8], "little"), head[8:]
        if not 0 < length < status.st_size or begin != b"{":
            return head  # no header of this length is in the file, which may be a large one
        file.seek(0)
        return file.read()
