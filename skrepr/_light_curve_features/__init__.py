"""What is known of a light curve without training.

"Light curve" stands for any series of values at uneven times, with errors and bands or without.

``_curves.py``
    Observations in one order, with weights, relative to the means of their bands.
``_periodogram.py``
    The generalized Lomb-Scargle periodogram and its best period.
``_folding.py``
    The curve as a function of its phase.
``_moments.py``
    What needs no period.
``_features.py``
    The module that puts them side by side.
"""

from ._features import LightCurveFeatures

__all__ = ["LightCurveFeatures"]
