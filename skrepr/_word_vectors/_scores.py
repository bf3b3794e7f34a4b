"""How well each word of a vocabulary goes with some and not with others."""

import numpy as np

METHODS = ("3CosAdd", "3CosMul")


def lengths(vectors):
    """Return the lengths of vectors, 1 for a vector of zeros, whose cosines are then 0."""
    norms = np.linalg.norm(vectors, axis=-1)
    return np.where(norms > 0, norms, 1).astype(vectors.dtype)


def on_sphere(vectors):
    """Return vectors of length 1, but for those of zeros."""
    return vectors / lengths(vectors)[..., None]


def scores_of_all(method, vectors, norms, positive, negative):
    """Score all words for questions of as many words each.

    Parameters
    ----------
    method : str
        One of METHODS.
    vectors : ndarray of shape (n_words, n_components)
        The vectors of the vocabulary.
    norms : ndarray of shape (n_words,)
        Their lengths.
    positive, negative : ndarray of shape (..., number of words, n_components)
        The vectors of the words of the questions.

    Returns
    -------
    scores : ndarray of shape (..., n_words)
        The higher, the better.
    """
    if method == "3CosAdd":
        direction = positive.sum(axis=-2) - negative.sum(axis=-2)
        return on_sphere(direction) @ vectors.T / norms
    near, far = ((1 + on_sphere(x) @ vectors.T / norms) / 2 for x in (positive, negative))
    return near.prod(axis=-2) / (far.prod(axis=-2) + np.float32(1e-6))


def largest(scores, n):
    """Return where the n largest scores stand, from the largest one on, the first of equals."""
    n = min(n, len(scores))
    found = np.sort(np.argpartition(-scores, n - 1)[:n]) if n else np.arange(0)
    return found[np.argsort(-scores[found], kind="stable")]
