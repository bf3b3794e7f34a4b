"""The way back from an embedding to data, for embeddings whose module has a decoder."""

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from ._interruption import Interruption
from ._rows import chunk_rows
from ._surroundings import own_surroundings


class DecoderMixin:
    """The way back, for embeddings whose module has a decoder.

    Stands before `BaseEmbedding` among the bases of an estimator: it fills in `_describe`,
    and uses how the base reads X and evaluates the module.
    """

    # Z is no metadata to be routed
    __metadata_request__inverse_transform = {"Z": UNUSED}

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
        with np.errstate(over="ignore"):  # it is told as infinite values
            Z = check_array(Z, dtype=np.float32, input_name="Z", estimator=self)
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {Z.shape[1]} components, but {type(self).__name__} is expecting "
                f"{self._n_features_out} components as input."
            )
        X = np.empty((len(Z), *self.layout_), dtype=np.float32)
        size = chunk_rows(self.input_shape_)
        with Interruption() as watch, self._evaluation(len(Z)):
            for start in range(0, len(Z), size):
                watch.check()
                z = torch.tensor(Z[start : start + size], device=self.device_)
                x = self.module_.decode(self.readout_.undo(z))
                X[start : start + size] = x.reshape(-1, *self.layout_).cpu().numpy()
        return X

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

    def _squared_errors(self, batch):
        """Sum squared errors and count observed values of each row: (B, 2), float64."""
        errors = (batch - self._reconstruct(batch)).flatten(1).cpu().double().square()
        return torch.stack([errors.nansum(1), (~errors.isnan()).sum(1)], 1)

    def _describe(self, rows, stream):
        x = rows.sample(4096)
        parts = x.split(chunk_rows(self.input_shape_))
        error, n_seen = sum(self._squared_errors(part).sum(0) for part in parts).tolist()
        self.reconstruction_error_ = error / max(1.0, n_seen)
        vars(self).pop("explained_variance_ratio_", None)
        if not stream:
            self.explained_variance_ratio_ = self._shares_of_variance(x)

    def _shares_of_variance(self, x):
        """Share of the variance of ``x`` that each component adds to the reconstruction."""
        x = x[: max(32, 2**23 // (x[0].numel() * self._n_features_out))][:2048]
        total = (x - x.nanmean(0)).double().square().nansum()
        errors = torch.stack([total, *self._errors_of_first_components(x)])
        return (-errors.diff() / (total if total > 0 else 1.0)).cpu().numpy()

    def _errors_of_first_components(self, x, n_draws=4):
        """Yield, for k = 1, 2, ..., the squared error left when k components are known.

        The best guess is then the mean of the reconstruction over the other components,
        which are taken from other rows. The product of the errors of two such draws has the
        squared error of that mean as its expectation, without the variance of the draws;
        averaged over all pairs of `n_draws` draws.
        """
        z = self._embed(x)
        n, n_components = z.shape
        shifts = [max(1, n * (draw + 1) // (n_draws + 1)) for draw in range(n_draws)]
        for k in range(1, n_components + 1):
            errors = []
            for shift in shifts:
                mixed = torch.cat([z[:, :k], z.roll(shift, 0)[:, k:]], 1)
                rebuilt = self.module_.decode(self.readout_.undo(mixed))
                errors.append((x - rebuilt).double().nan_to_num())
            own = sum(error.square().sum() for error in errors)
            yield (sum(errors).square().sum() - own) / (n_draws * (n_draws - 1))
