"""Several objectives at once, each with a weight."""

import numbers

from sklearn.base import BaseEstimator
from torch import nn

from ._causal import is_causal

# What the history calls an epoch's loss and the size of its batches.
_TAKEN = ("loss", "batch_size")


class WeightedSum(BaseEstimator):
    r"""Train for several objectives at once.

    .. math:: \sum_k w_k \, L_k

    Each weighted term is told in the `history_` of the estimator, by its name. Parameters of a
    part are reached by its name, as in a grid: ``objective__mask__mask_ratio``. Where a part
    predicts values, so does the sum.

    Parameters
    ----------
    parts : list of (str, objective, float)
        Name, objective and weight of each part; weights are above 0.

    Examples
    --------
    >>> from skrepr.objectives import HierarchicalContrast, MaskedReconstruction, WeightedSum
    >>> objective = WeightedSum(
    ...     [("mask", MaskedReconstruction(), 1.0), ("contrast", HierarchicalContrast(), 0.5)]
    ... )
    >>> objective.set_params(mask__mask_ratio=0.5).parts[0][1]
    MaskedReconstruction(mask_ratio=0.5)
    """

    def __init__(self, parts):
        self.parts = parts

    def get_params(self, deep=True):
        """Get the parameters, those of parts included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parts.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=False)
        for name, part, _ in _triples(self.parts) if deep else ():
            params[name] = part
            if hasattr(part, "get_params"):
                params.update({f"{name}__{k}": v for k, v in part.get_params().items()})
        return params

    def set_params(self, **params):
        """Set parameters: `parts`, a part by its name, or one of its parameters.

        Parameters
        ----------
        **params : dict
            New values.

        Returns
        -------
        self : WeightedSum
        """
        if "parts" in params:
            self.parts = params.pop("parts")
        for key in sorted(params):  # a part before its parameters
            name, _, inner = key.partition("__")
            names = [part_name for part_name, _, _ in _triples(self.parts)]
            if name not in names:
                raise ValueError(
                    f"Invalid parameter {name!r} for WeightedSum. Valid ones are: "
                    f"{['parts', *names]}."
                )
            place = names.index(name)
            if inner:
                self.parts[place][1].set_params(**{inner: params[key]})
            else:
                self.parts = [
                    (part_name, params[key] if i == place else part, weight)
                    for i, (part_name, part, weight) in enumerate(self.parts)
                ]
        return self

    @property
    def uses_labels(self):
        """Whether a part needs labels."""
        return any(getattr(part, "uses_labels", False) for _, part, _ in _triples(self.parts))

    @property
    def is_causal(self):
        """Whether a part is about the future, of which the encoder must not know."""
        return any(is_causal(part) for _, part, _ in _triples(self.parts))

    def make_sum(self, make):
        """Make the module that adds the terms.

        Parameters
        ----------
        make : callable
            Makes the loss of one part.

        Returns
        -------
        loss : torch.nn.Module
            Is called as the losses of its parts are, and returns a dict of terms.
        """
        names, parts, weights = self._check_parts()
        return _WeightedSum(names, [make(part) for part in parts], weights)

    def make_loss(self, encoder, width):
        """Make the module that computes the loss of two views.

        Parameters
        ----------
        encoder : torch.nn.Module
            The encoder, which is not kept.
        width : int
            Number of features that it returns.

        Returns
        -------
        loss : torch.nn.Module
        """
        for name, part, _ in _triples(self.parts):
            if not hasattr(part, "make_loss"):
                raise ValueError(
                    f"The part {name!r} of WeightedSum must compare two views, as SimCLR() does. "
                    f"Got {part!r} instead."
                )
        return self.make_sum(lambda part: part.make_loss(encoder, width))

    def _check_parts(self):
        triples = _triples(self.parts)
        names = [name for name, _, _ in triples]
        bad = [
            name
            for name in names
            if not name.isidentifier() or "__" in name or name in ("parts", *_TAKEN)
        ]
        if not triples or bad or len(set(names)) < len(names):
            raise ValueError(
                "The 'parts' parameter of WeightedSum must be a list of triples of a name, an "
                "objective and a weight, with names that are identifiers without '__', differ, "
                f"and are none of {['parts', *_TAKEN]}. Got {self.parts!r} instead."
            )
        for name, part, weight in triples:
            is_part = hasattr(part, "get_params") and not isinstance(part, (type, WeightedSum))
            if not is_part:
                raise ValueError(
                    f"The part {name!r} of WeightedSum must be an objective, such as SimCLR(), "
                    f"and no other sum. Got {part!r} instead."
                )
            is_number = isinstance(weight, numbers.Real) and not isinstance(weight, bool)
            if not (is_number and 0 < weight < float("inf")):
                raise ValueError(
                    f"The weight of the part {name!r} of WeightedSum must be a number above 0. "
                    f"Got {weight!r} instead."
                )
        return names, [part for _, part, _ in triples], [float(w) for _, _, w in triples]


class _WeightedSum(nn.Module):
    def __init__(self, names, losses, weights):
        super().__init__()
        self.names = names
        self.losses = nn.ModuleList(losses)
        self.weights = weights
        # what is not there is not asked for
        if any(getattr(loss, "lowest_at_collapse", False) for loss in losses):
            self.lowest_at_collapse = True
        self.smallest_batch = max(getattr(loss, "smallest_batch", 2) for loss in losses)

    def forward(self, *inputs, **options):
        terms = zip(self.names, self.losses, self.weights, strict=True)
        return {name: weight * loss(*inputs, **options) for name, loss, weight in terms}

    def set_progress(self, fraction):
        for loss in self.losses:
            if hasattr(loss, "set_progress"):
                loss.set_progress(fraction)

    def after_step(self, encoder):
        for loss in self.losses:
            if hasattr(loss, "after_step"):
                loss.after_step(encoder)


def _triples(parts):
    """Return ``parts`` if it is a list of triples that begin with a name, else nothing."""
    good = isinstance(parts, (list, tuple)) and all(
        isinstance(entry, (list, tuple)) and len(entry) == 3 and isinstance(entry[0], str)
        for entry in parts
    )
    return parts if good else []
