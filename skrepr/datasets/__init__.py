"""Simulated data whose truth is known, and text that every installation has."""

from ._light_curves import make_light_curves
from ._manifold import make_manifold
from ._python_docs import load_python_docs
from ._sky_objects import make_sky_objects

__all__ = ["load_python_docs", "make_light_curves", "make_manifold", "make_sky_objects"]
