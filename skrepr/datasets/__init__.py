"""Simulated data whose truth is known."""

from ._manifold import make_manifold
from ._sky_objects import make_sky_objects

__all__ = ["make_manifold", "make_sky_objects"]
