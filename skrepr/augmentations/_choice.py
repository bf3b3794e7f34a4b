"""Which augmentations are used where the user leaves them open."""

from ._color_jitter import ColorJitter
from ._feature_swap import FeatureSwap
from ._jitter import Jitter
from ._random_crop import RandomCrop
from ._random_rotation import RandomRotation
from ._time_crop import TimeCrop
from ._time_mask import TimeMask


def choose_augmentation(input_shape):
    """Choose what hardly ever destroys what a sample of a shape is.

    Nothing is mirrored or turned upside down: digits, letters and spectra would become others.

    Parameters
    ----------
    input_shape : tuple of int

    Returns
    -------
    augmentation : list
    """
    if len(input_shape) == 1:
        return [FeatureSwap(0.3)]
    if len(input_shape) == 2:
        return [TimeCrop(), TimeMask(), Jitter()]
    return [RandomCrop(area=(0.4, 1.0)), RandomRotation(8), ColorJitter(brightness=0.4)]
