"""What is asked of a fitted embedding of series, besides its embedding."""

from functools import partial
from numbers import Integral

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._rows import series_of
from .objectives import is_causal


def _may_forecast(self):
    return is_causal(getattr(self, "objective_", self.objective))


def _may_show_attention(self):
    # before the fit it is not known; then the method says that there was none
    return not hasattr(self, "net_") or hasattr(self.module_.encoder, "attention")


class SeriesAnswersMixin:
    """Codes of steps, scores, filled gaps, forecasts and maps of attention."""

    def transform_steps(self, X):
        """Embed each step of the series.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            Data of the layout given to `fit`.

        Returns
        -------
        codes : ndarray of shape (n_samples, length, n_units), float32, or list of ndarray of \
                shape (length_i, n_units)
            What the network makes of each step in view of all others, with a causal objective of
            those up to the end of its patch; steps of one patch share it. NaN before the first
            observed step of a series and behind the last.
        """
        return self._each(X, self.module_.steps)

    def score(self, X, y=None):
        """Compute which share of the variance of hidden values is predicted.

        With a causal objective: of values to come, from the patches before.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            Data of the layout given to `fit`.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        score : float
            One minus the sum of squared errors over that of squares around the mean of the
            training rows (with ``scaling="per_sample"``: of what is seen of the series), in the
            units of `scaling`, with the weights of the loss. Each observed value is hidden once;
            with a causal objective each is predicted once, but for those of the first patch. 1 at
            best; 0 for that mean.
        """
        check_is_fitted(self)
        error, around, _ = self._apply(X, self.module_.judge, (3,), exact=True).sum(0)
        return float(1 - error / around) if around > 0 else 0.0

    def score_samples(self, X):
        """Compute how well hidden values of each series are predicted.

        With a causal objective: values to come, from the patches before.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            Data of the layout given to `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float32
            Minus the mean squared error of values while they are hidden, in the units of
            `scaling`, with the weights of the loss. Higher is more normal; 0 for a series without
            a value.
        """
        check_is_fitted(self)
        return self._apply(X, self.module_.normality, ())

    def impute(self, X):
        """Fill missing values between observed ones.

        From all that is observed of a series: steps on both sides, and other channels of the same
        step. With a causal objective from the past alone, as if a gap were the future; then what
        is missing in the first patch is filled with the mean of the channel in the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            Data of the layout given to `fit`.

        Returns
        -------
        filled : ndarray of the shape of X, float64, or list of ndarray
            X with what the network expects in the place of NaN, in the units of X. Steps before
            the first observed one of a series and behind the last, and channels of times, errors
            and bands, are left as they are.
        """
        predicted = self._each(X, self.module_.impute)
        filled = series_of(X, self.input_shape_, self._is_ragged())
        values = self.module_.units.value_channels
        for series, expected in zip(filled, predicted, strict=True):
            known = series[values]
            series[values] = np.where(np.isnan(known), expected.T, known)
        if not self._is_ragged():
            return filled.reshape(-1, *self.layout_)
        filled = [whole.reshape(np.shape(given)) for whole, given in zip(filled, X, strict=True)]
        return self._as_given(filled, X)

    @available_if(_may_forecast)
    def forecast(self, X, horizon):
        """Predict what comes behind the last observed step of each series.

        Only where the objective is a causal one, and steps are even: with `time_channel` or
        `band_channel` it would have to be told when, and in which band, steps to come are.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            Data of the layout given to `fit`.
        horizon : int
            Number of steps. Beyond those that the objective predicts at once, predictions are
            read as if they had been observed.

        Returns
        -------
        future : ndarray of shape (n_samples, n_values, horizon), float32
            In the units of X; of all channels but that of errors. Of shape (n_samples, horizon) if
            rows of X are single series of one channel. NaN for series without a value.
        """
        check_is_fitted(self)
        if not (isinstance(horizon, Integral) and horizon >= 1):
            raise ValueError(f"horizon must be an int in the range [1, inf). Got {horizon!r}.")
        at_fit = self._parameters_at_fit
        for name in ("time_channel", "band_channel"):
            if at_fit[name] is not None:
                raise ValueError(
                    f"Forecasts are for even steps of one kind. With {name}={at_fit[name]} it is "
                    "not known what steps to come will be."
                )
        n_values = len(self.module_.units.value_channels)
        is_flat = len(self.layout_) == 1 and self.input_shape_[0] == 1
        shape = (horizon,) if is_flat else (n_values, horizon)
        return self._apply(X, partial(self.module_.forecast, horizon=int(horizon)), shape)

    @available_if(_may_show_attention)
    def attention(self, X):
        """Compute how much patches of a series look at each other.

        Parameters
        ----------
        X : array-like of shape (n_samples, length) or (n_samples, n_channels, length), or list \
                of arrays of shape (n_channels, length_i)
            Data of the layout given to `fit`.

        Returns
        -------
        maps : ndarray of shape (n_samples, n_patches, n_patches), float32, or list of ndarray
            Weights of the attention, averaged over layers and heads. Each row sums to 1: what the
            patch of that number looks at. With ``pooling="cls"``, first row and first column are
            of the learned token.
        """
        return self._each(X, self.module_.attention, is_map=True)

    def _each(self, X, function, *, is_map=False):
        """Apply a function whose results are as long as the series, or maps of their patches."""
        check_is_fitted(self)
        n, chunks = self._read_chunks(X)
        results = []
        with self._evaluation(n):
            for chunk in chunks:
                results.extend(function(chunk.to(self.device_)).cpu().numpy())
        if not self._is_ragged():
            return np.stack(results)
        for i, length in enumerate(np.shape(series)[-1] for series in X):
            n = self.module_.reader.n_tokens(length) if is_map else length
            results[i] = results[i][:n, :n] if is_map else results[i][:n]
        return self._as_given(results, X)

    def _as_given(self, results, X):
        """Return a list, or one array where X is one."""
        return np.stack(results) if getattr(X, "ndim", 0) == 3 else results
