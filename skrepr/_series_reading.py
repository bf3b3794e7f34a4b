"""How an embedding of series reads X."""

from ._rows import Channels, common_length, read_series, read_series_chunks, resolve_kind

CHANNELS = "time_channel", "error_channel", "band_channel"


class SeriesReadingMixin:
    """Reads series for training, and for everything else chunk by chunk."""

    def _read(self, X, y, n_least):
        self.kind_ = resolve_kind(X, self.kind)
        rows, self.layout_, bands = read_series(
            self,
            X,
            self.device_,
            input_shape=self.input_shape,
            channels=Channels(*(getattr(self, name) for name in CHANNELS)),
            n_least=n_least,
            bands=getattr(self, "bands_", None),
            layout=getattr(self, "layout_", None),
            ragged=self._is_ragged(),
        )
        if bands is not None:
            self.bands_ = bands
        return rows

    def _read_chunks(self, X):
        at_fit = self._parameters_at_fit
        resolve_kind(X, at_fit["kind"])
        return read_series_chunks(
            self,
            X,
            sample_shape=self.input_shape_,
            channels=Channels(*(at_fit[name] for name in CHANNELS)),
            bands=getattr(self, "bands_", None),
            layout=self.layout_,
            ragged=self._is_ragged(),
        )

    def _is_ragged(self):
        """Whether series of any length are read: a fit to an array has counted its features."""
        return not hasattr(self, "n_features_in_")

    def _check_values(self, rows):
        channels = Channels(*(getattr(self, name) for name in CHANNELS))
        length = common_length(rows, channels)
        if not hasattr(self, "common_length_"):
            self.common_length_ = length
