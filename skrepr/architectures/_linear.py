"""The linear architecture."""

from sklearn.base import BaseEstimator

from ._layers import check_option
from ._linear_path import LinearPath


class Linear(BaseEstimator):
    """One linear layer: an autoencoder with it learns what PCA finds in closed form.

    Parameters
    ----------
    linear_path : {"pca", "random"}, default="pca"
        "pca": start at the solution that PCA gives. "random": start anywhere; with the
        squared loss, training then finds the subspace of PCA (Baldi & Hornik 1989).

    See Also
    --------
    MLP : The same with non-linear layers next to it.

    References
    ----------
    .. [1] Baldi, P. & Hornik, K. (1989). Neural networks and principal component
       analysis: learning from examples without local minima. Neural Networks 2, 53-58.

    Examples
    --------
    >>> from skrepr.architectures import Linear
    >>> Linear().make_encoder((10,), 2).linear
    InputLinear(in_features=10, out_features=2, bias=True)
    """

    def __init__(self, linear_path="pca"):
        self.linear_path = linear_path

    def make_encoder(self, input_shape, n_components):
        """Make the encoder.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.
        n_components : int
            Width of the embedding.

        Returns
        -------
        encoder : torch.nn.Module
        """
        return self._make(input_shape, (n_components,))

    def make_decoder(self, n_components, output_shape):
        """Make the decoder.

        Parameters
        ----------
        n_components : int
            Width of the embedding.
        output_shape : tuple of int
            Shape of one sample.

        Returns
        -------
        decoder : torch.nn.Module
        """
        return self._make((n_components,), output_shape)

    def _make(self, input_shape, output_shape):
        check_option(self, "linear_path", self.linear_path, ("pca", "random"))
        return LinearPath(None, input_shape, output_shape, self.linear_path)
