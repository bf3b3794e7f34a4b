"""Embeddings whose module has a decoder: how both halves are made, and the way back to data."""

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from ._named_parts import check_instances
from ._rows import as_array, as_result, as_tensor, float32_of
from ._training import own_surroundings
from .architectures import as_recipe, check_trainable, choose_recipes


class DecoderMixin:
    """Encoder and decoder, and the way back, for embeddings whose module has both.

    Stands before `BaseEmbedding` among the bases of an estimator: it fills in `_check_parameters`,
    `_choose_parts` and `_describe`, and uses how the base reads X and evaluates the module. Asks
    for the parameters of `CODER_CONSTRAINTS`.
    """

    # Z is no metadata to be routed
    __metadata_request__inverse_transform = {"Z": UNUSED}

    def _check_parameters(self):
        super()._check_parameters()
        check_trainable(self.architecture, self.trainable)
        check_instances(self, architecture="MLP()", decoder="MLP()")

    def _choose_parts(self, input_shape):
        self.architecture_, self.decoder_ = choose_recipes(
            self.architecture, self.decoder, input_shape
        )

    def _make_coders(self, input_shape, n_outputs):
        """Make an encoder of so many outputs, and the decoder of codes."""
        encoder, decoder = as_recipe(self.architecture_, self.trainable), as_recipe(self.decoder_)
        return (
            encoder.make_encoder(input_shape, n_outputs),
            decoder.make_decoder(self.n_components, input_shape),
        )

    @own_surroundings()
    def inverse_transform(self, Z):
        """Map an embedding back to data.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            An embedding.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features) or (n_samples, *input_shape_), float32
            In the layout given to `fit`.
        """
        check_is_fitted(self)
        values = as_array(Z)
        with np.errstate(over="ignore", invalid="ignore"):  # it is told as infinite values
            values = check_array(values, dtype=float32_of(values), input_name="Z", estimator=self)
        if values.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {values.shape[1]} components, but {type(self).__name__} is expecting "
                f"{self._n_features_out} components as input."
            )
        chunks = as_tensor(values).split(self._rows_at_once())
        return self._gather(chunks, self._undo, len(values), self.layout_, like=Z)

    def _undo(self, z):
        return self.module_.decode(self.readout_.undo(z))

    def reconstruct(self, X):
        """Encode X and decode it again: ``inverse_transform(transform(X))``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        X_reconstructed : ndarray, float32
            Same shape as X.
        """
        check_is_fitted(self)
        return self._apply(X, self._reconstruct, self.layout_)

    def _reconstruct(self, batch):
        return self.module_.decode(self.module_.encode(batch))

    def _decides_axes(self, batch):
        features = super()._decides_axes(batch)
        return torch.cat([features, self.module_.decode(features).flatten(1)], 1)

    def _squared_errors(self, batch):
        """Sum squared errors and count observed values of each row: (B, 2), float64."""
        # in float32, squares in units of 1e-26 vanish; a row far out may be rebuilt as NaN
        x, rebuilt = (a.flatten(1).cpu().double() for a in (batch, self._reconstruct(batch)))
        seen = ~x.isnan()
        errors = (x - rebuilt).square().nan_to_num(nan=torch.inf, posinf=torch.inf)
        return torch.stack([errors.where(seen, 0.0).sum(1), seen.sum(1)], 1)

    def _mean_error(self, X):
        """Compute the mean squared error per observed value."""
        error, n_seen = self._apply(X, self._squared_errors, (2,), exact=True).sum(axis=0)
        return float(error / max(1.0, n_seen))

    def _scores_of_rows(self, X):
        """Compute minus the mean squared error of each row, as float32.

        It is in units of the variance of the training rows where float32 hardly holds its square.
        """
        error, n_seen = self._apply(X, self._squared_errors, (2,), exact=True).T
        errors = np.where(n_seen > 0, error / np.maximum(1.0, n_seen), self.reconstruction_error_)
        variance = float(self.module_.units.scale) ** 2
        scores = -errors / (1.0 if 1e-30 < variance < 1e30 else variance)
        scores = np.maximum(scores, np.finfo(np.float32).min).astype(np.float32)
        return as_result(torch.from_numpy(scores), X)

    def _describe(self, rows, call):
        x = rows.sample(4096)
        parts = x.split(self._rows_at_once())
        error, n_seen = sum(self._squared_errors(part).sum(0) for part in parts).tolist()
        self.reconstruction_error_ = error / max(1.0, n_seen)
        vars(self).pop("explained_variance_ratio_", None)
        if hasattr(self, "components_"):
            self.explained_variance_ratio_ = self._shares_of_variance(x, error)

    def _shares_of_variance(self, x, error):
        """Divide the share of the variance of ``x`` that is rebuilt among the components.

        They act together in a non-linear decoder: what each adds depends on which are known
        before it. The shares are in proportion to what each explains by itself, linearly.
        """
        center = torch.from_numpy(self.mean_).reshape(x.shape[1:])
        total = float((x.cpu().double() - center).square().nansum())
        rebuilt = max(0.0, 1 - error / total) if total > 0 else 0.0
        return rebuilt * self.explained_variance_ / max(self.explained_variance_.sum(), 1e-300)
