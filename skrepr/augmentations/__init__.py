"""Random changes to a batch that leave its meaning: noise, masks, crops, turns.

An augmentation is a scikit-learn ``BaseEstimator`` that only stores its parameters and can
be called: ``augmentation(x, generator)`` returns ``x`` changed, never in place, a tensor of shape
``(n, *sample_shape)`` on any device, and draws all its random numbers from ``generator``, a
``torch.Generator`` on the same device (None: torch's global one). It sees what the network
sees: data centered and divided by one number, the root mean square of the columns' standard
deviations, so that 0 is the mean of a column, and 1 a typical deviation from it. Of series and
images the center is one number for each channel.

In training, each row is changed by a draw of its own. Outside training, where what is said of
a row must not depend on the rows next to it, ``augmentation(x, generator, donors=rows)``
changes all rows alike, by one draw, and takes from ``donors``, rows kept from training, what it
would take from other rows of the batch; they are kept for classes with ``borrows = True`` only,
for others there are none in ``donors``. A callable that has no `donors` is then called row by
row.

Any class with this method is as good as the ones in this package. Several are applied in
the order of a list. Those that move the image plane also have ``make_matrices``: neighbors of
this kind in a list are composed, and the image is interpolated once.

For estimators: `make_view` applies a list of them, `choose_augmentation` makes one for a shape.

Each docstring says what an augmentation destroys. Choose those that leave what you look for.
"""

from ._blur import Blur
from ._choice import choose_augmentation  # noqa: F401, for estimators
from ._color_jitter import ColorJitter
from ._cut_out import CutOut
from ._feature_dropout import FeatureDropout
from ._feature_swap import FeatureSwap
from ._gaussian_noise import GaussianNoise
from ._jitter import Jitter
from ._random_crop import RandomCrop
from ._random_flip import RandomFlip
from ._random_rotation import RandomRotation
from ._salt_and_pepper import SaltAndPepper
from ._scaling import Scaling
from ._time_crop import TimeCrop
from ._time_mask import TimeMask
from ._time_warp import TimeWarp
from ._view import make_view  # noqa: F401, for estimators

__all__ = [
    "Blur",
    "ColorJitter",
    "CutOut",
    "FeatureDropout",
    "FeatureSwap",
    "GaussianNoise",
    "Jitter",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "SaltAndPepper",
    "Scaling",
    "TimeCrop",
    "TimeMask",
    "TimeWarp",
]
