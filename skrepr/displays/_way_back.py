"""From an embedding back to data, where an estimator knows a way."""

from sklearn.exceptions import NotFittedError

from ._samples import fitted_steps


def check_inverse(estimator, in_its_place):
    """Refuse an estimator, or a step of a Pipeline, without a way back that ends.

    Parameters
    ----------
    estimator : estimator
    in_its_place : str
        How to draw what a user has decoded, for the message.
    """
    for step in fitted_steps(estimator):
        way_back = getattr(step, "inverse_transform", None)
        if way_back is None:
            raise TypeError(
                f"{type(step).__name__} has no inverse_transform, so there is nothing decoded "
                "to draw."
            )
        if (getattr(way_back, "__module__", None) or "").startswith("umap.umap_"):
            raise TypeError(
                f"The way back of {type(step).__name__} solves a problem for each row, in time "
                "exponential in the components. Call its inverse_transform yourself on a few "
                "rows, of an embedding of few components, and draw what it returns by "
                f"{in_its_place}."
            )


def decode(estimator, Z):
    """Map an embedding back to data by the public method of any embedding."""
    try:
        return estimator.inverse_transform(Z)
    except (NotFittedError, NotImplementedError) as error:  # as of some parameters only
        raise TypeError(
            f"The inverse_transform of {type(estimator).__name__} does not work with its "
            f"parameters, so there is nothing decoded to draw: {error}"
        ) from error


def check_way_back(estimator):
    """Refuse an estimator that cannot rebuild rows."""
    if not hasattr(estimator, "reconstruct"):
        check_inverse(estimator, "ReconstructionDisplay(samples, reconstructions).plot()")


def rebuild(estimator, X):
    """Encode and decode X by the public methods of any embedding."""
    if hasattr(estimator, "reconstruct"):
        return estimator.reconstruct(X)
    return decode(estimator, estimator.transform(X))
