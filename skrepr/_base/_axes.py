"""The axes of an embedding after its training, and whether it uses them."""

import copy
import warnings

from .._readout import Moments, Readout
from ..metrics import describe_collapse, rows_for_collapse


class RepresentationCollapseWarning(UserWarning):
    """The embedding uses far fewer directions than the data have.

    Given at the end of `fit`, with the figure measured and one sentence of advice.

    Examples
    --------
    >>> import warnings
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from skrepr import AutoencoderEmbedding, RepresentationCollapseWarning
    >>> constant = torch.nn.Linear(4, 2)
    >>> _ = torch.nn.init.zeros_(constant.weight)
    >>> embedding = AutoencoderEmbedding(2, architecture=constant, trainable=False, max_epochs=1)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", RepresentationCollapseWarning)
    ...     try:
    ...         embedding.fit(load_iris().data)
    ...     except RepresentationCollapseWarning:
    ...         print("collapsed")
    collapsed
    """


class AxesMixin:
    """How the features of a trained network become an embedding."""

    def _fit_readout(self, rows, call):
        """Fit the readout to the features of the training rows."""
        width = self.module_.width
        if call.is_new or not call.stream:
            self.readout_ = self._make_readout(self.module_).to(self.device_)
        else:
            self.readout_ = copy.deepcopy(self.readout_)
        for name in ("explained_variance_", "components_", "mean_"):
            vars(self).pop(name, None)  # of an earlier fit
        if self.readout_.is_square and (call.stream or self._keeps_axes()):
            return
        moments = self.readout_.moments if call.stream else None
        for batch in rows.blocks():
            block = self._decides_axes(batch)
            moments = moments or Moments(width, block.shape[1] - width)
            moments.add(block)
        axes = self.readout_.fit(moments, whiten=getattr(self, "whiten", False))
        if call.stream:
            self.readout_.moments = moments
            return
        self.explained_variance_ = axes.variance
        if axes.components is not None:
            self.components_ = axes.components.reshape(-1, *self.layout_)
            self.mean_ = axes.mean.reshape(self.layout_)

    def _make_readout(self, module):
        """Make the map from the features of ``module`` to the embedding, yet to be fitted."""
        return Readout(module.width, self.n_components)

    def _decides_axes(self, batch):
        """Return what decides on the axes: features, and what is rebuilt from them, if any."""
        return self.module_.encode(batch)

    def _keeps_axes(self):
        """Whether single features have a meaning of their own, and are not to be mixed."""
        return False

    def _warn_of_collapse(self, rows):
        with self._evaluation(len(rows)):
            trouble = self._find_collapse(rows, rows_for_collapse(len(rows)))
        if trouble:
            warnings.warn(
                f"The representation has collapsed: {trouble}", RepresentationCollapseWarning
            )

    def _find_collapse(self, rows, n_rows):
        """Judge the embedding by ``n_rows`` of the rows."""
        sample = rows.sample(n_rows)
        return self._collapse(self._embed(sample).cpu().numpy(), sample)

    def _collapse(self, Z, sample):
        """Say what is wrong with the embedding of a sample of the rows, if anything."""
        return describe_collapse(Z, sample.flatten(1).cpu().numpy())
