"""Which objectives are about the future."""


def is_causal(objective):
    """Whether an objective, or None, is about the future, of which the encoder must not know."""
    return getattr(objective, "is_causal", False)
