"""Random changes to a batch that leave its meaning: noise, masks, swaps.

An augmentation is a scikit-learn ``BaseEstimator`` that only stores its parameters and can
be called: ``augmentation(x, generator)`` returns ``x`` changed, never in place, a tensor of shape
``(n, *sample_shape)`` on any device, and draws all its random numbers from ``generator``, a
``torch.Generator`` on the same device (None: torch's global one). It sees what the network
sees: data centered and divided by one number, the root mean square of the columns' standard
deviations, so that 0 is the mean of a column, and 1 a typical deviation from it.

Any class with this method is as good as the ones in this package. Several are applied in
the order of a list.
"""

from ._feature_dropout import FeatureDropout
from ._feature_swap import FeatureSwap
from ._gaussian_noise import GaussianNoise
from ._salt_and_pepper import SaltAndPepper

__all__ = ["FeatureDropout", "FeatureSwap", "GaussianNoise", "SaltAndPepper"]
