"""The loss of objectives that predict values of series."""

import torch


def mean_error(judged, series):
    """Return the mean squared error of predicted values, by their weights.

    Parameters
    ----------
    judged : iterable of tuple of torch.Tensor
        Predictions, what they are compared with, and which of them count (bool): (B, V, L) each.
    series : Series

    Returns
    -------
    loss : torch.Tensor of shape ()
        0 where nothing is predicted.
    """
    error = weight = 0.0
    for predicted, wanted, counts in judged:
        weights = series.weights * counts
        error = error + (weights * (predicted - wanted).square()).sum()
        weight = weight + weights.sum()
    return error / weight.clamp(min=torch.finfo(weight.dtype).tiny)
