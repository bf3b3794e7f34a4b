"""The base of the embeddings: what is done with a fitted one."""

from contextlib import contextmanager

import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .. import _training
from .._named_parts import NamedPartsMixin
from .._rows import as_result, chunk_rows, read_chunks, result_device
from ._axes import AxesMixin
from ._fitting import FittingMixin
from ._network import NetworkMixin
from ._state import StateMixin


class BaseEmbedding(
    FittingMixin,
    NetworkMixin,
    AxesMixin,
    StateMixin,
    NamedPartsMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _training.CallbackSupportMixin,
    BaseEstimator,
):
    """Base of the embeddings."""

    # Where scikit-learn's HTML repr finds the page of an estimator: below the address of the
    # documentation in pyproject.toml, which a wheel does not have as it stands there.
    _doc_link_module = "skrepr"
    _doc_link_template = (
        "https://skrepr.readthedocs.io/api/generated/{estimator_module}.{estimator_name}.html"
    )

    @property
    def module_(self):
        """The torch module, in evaluation mode."""
        check_is_fitted(self, "net_")
        return self.net_.module_

    @property
    def n_epochs_(self):
        """Number of epochs that were run."""
        check_is_fitted(self, "net_")
        return len(self.net_.history)

    @property
    def history_(self):
        """One row an epoch: epoch, losses and their terms, seconds."""
        check_is_fitted(self, "net_")
        return _training.as_frame(self.net_.history)

    @property
    def _n_features_out(self):
        return self._parameters_at_fit["n_components"]

    def transform(self, X):
        """Embed X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), float32
            The embedding. Each row depends on that row of X alone.
        """
        check_is_fitted(self)
        return self._apply(X, self._embed, (self._n_features_out,))

    def _embed(self, batch):
        return self.readout_(self.module_.encode(batch))

    @_training.own_surroundings()
    def _apply(self, X, function, shape, *, exact=False):
        """Apply ``function`` to X chunk by chunk, into one array of rows of ``shape``.

        ``exact``: in float64 and of numpy, whatever X is, for arithmetic that follows.
        """
        n, chunks = self._read_chunks(X)
        if exact:
            return self._gather(chunks, function, n, shape, dtype=torch.float64)
        return self._gather(chunks, function, n, shape, like=X)

    def _gather(self, chunks, function, n, shape, *, dtype=torch.float32, like=None):
        """Gather ``n`` rows of results, as an array of the library of ``like``."""
        result = torch.empty((n, *shape), dtype=dtype, device=result_device(like))
        start = 0
        with _training.Interruption() as watch, self._evaluation(n):
            for chunk in chunks:
                watch.check()
                stop = start + len(chunk)
                result[start:stop] = function(chunk.to(self.device_)).reshape(-1, *shape)
                start = stop
        return as_result(result, like)

    def _read_chunks(self, X):
        """Validate X and hand it out in chunks: their number of rows in all, and they."""
        return read_chunks(
            self,
            X,
            sample_shape=self.input_shape_,
            missing=self._parameters_at_fit["missing"],
            layout=self.layout_,
        )

    def _rows_at_once(self):
        """Choose the number of rows of one chunk."""
        return chunk_rows(self.input_shape_)

    @contextmanager
    def _evaluation(self, n):
        """Run the module on chunks of ``n`` rows, without gradients, drawing nothing new."""
        module = self.module_.eval()
        n = min(n, self._rows_at_once())
        work = _training.FORWARD * n * module.work.multiplications
        with (
            _training.own_surroundings(work),
            torch.inference_mode(),
            _training.fixed_draws(module, self.device_),
        ):
            yield

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = getattr(self, "missing", None) == "mask"
        tags.transformer_tags.preserves_dtype = ["float32"]
        # array_api_support stays false: it also promises fitted attributes of the library of X,
        # and that arrays of any other are refused
        return tags
