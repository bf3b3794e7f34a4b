"""Simulated data whose truth is known."""

from ._light_curves import make_light_curves
from ._manifold import make_manifold
from ._sky_objects import make_sky_objects

__all__ = ["make_light_curves", "make_manifold", "make_sky_objects"]
