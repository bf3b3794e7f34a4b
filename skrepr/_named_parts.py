"""Several parts in one parameter: a list of them, or of pairs of a name and a part."""

from sklearn.base import clone


class NamedPartsMixin:
    """Lets ``get_params`` and ``set_params`` reach into lists of named parts."""

    def get_params(self, deep=True):
        """Get the parameters, those of named parts in a list included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parts.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=deep)
        if deep:
            for key, value in list(params.items()):
                for name, part in _named(value):
                    params[f"{key}__{name}"] = part
                    for inner, setting in part.get_params().items():
                        params[f"{key}__{name}__{inner}"] = setting
        return params

    def set_params(self, **params):
        """Set parameters, those of parts by ``part__parameter``, in a list ``list__name__...``.

        Parameters
        ----------
        **params : dict
            New values.

        Returns
        -------
        self : estimator
        """
        super().set_params(**{key: params[key] for key in params if "__" not in key})
        deep = [key for key in params if "__" in key]
        inside = {key for key in deep if _named(getattr(self, key.partition("__")[0], None))}
        super().set_params(**{key: params[key] for key in deep if key not in inside})
        for key in sorted(inside):
            name, _, rest = key.partition("__")
            part_name, _, setting = rest.partition("__")
            parts = dict(getattr(self, name))
            if part_name not in parts:
                raise ValueError(
                    f"Invalid parameter {part_name!r} in {name}. Valid ones are: {list(parts)}."
                )
            if setting:
                parts[part_name].set_params(**{setting: params[key]})
            else:
                setattr(self, name, list((parts | {part_name: params[key]}).items()))
        return self


def parts_of(value):
    """List the parts in a parameter that takes one, several, named ones or None."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        return [value]
    named = _named(value)
    return [part for _, part in named] if named else list(value)


def own_parts(value):
    """List copies of the parts in a parameter."""
    return [clone(part, safe=False) for part in parts_of(value)]


def check_augmentations(estimator, name):
    """Check that a parameter holds what can be applied to a batch."""
    check_instances(estimator, **{name: "GaussianNoise()"})
    for part in parts_of(getattr(estimator, name)):
        if not callable(part):
            raise TypeError(
                f"The {name!r} parameter must be an augmentation, a list of them, or a "
                f"list of pairs of a name and one. Got {part!r} in it."
            )


def check_instances(estimator, **parameters):
    """Check that parameters hold parts, and not their classes.

    Parameters
    ----------
    estimator : estimator
    **parameters : dict
        By the name of a parameter, an example of a part.
    """
    for name, example in parameters.items():
        for part in parts_of(getattr(estimator, name)):
            if isinstance(part, type):
                raise TypeError(
                    f"The {name!r} parameter must be an instance, such as {example}. Got the "
                    f"class {part.__name__} instead."
                )


def _named(value):
    """Return ``value`` if it is a list of pairs of a name and a part, else an empty list."""
    pairs = isinstance(value, (list, tuple)) and all(
        isinstance(entry, tuple)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and hasattr(entry[1], "get_params")
        and not isinstance(entry[1], type)
        for entry in value
    )
    return value if pairs else []
