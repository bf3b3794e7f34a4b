"""What embeddings are trained for, apart from the reconstruction of data.

An objective compares two views of each row: two augmented copies of it, or two modalities. It is
a scikit-learn ``BaseEstimator`` that only stores its parameters and has one method, called while
an estimator is being fitted:

``make_loss(encoder, width)``
    A ``torch.nn.Module`` that owns all that the objective needs: projection head, predictor,
    prototypes, queue, teacher. ``encoder`` is the torch module from views ``(B, *sample_shape)``
    to features ``(B, width)``; the loss may copy it, never keep it. Parameters are checked here.

The loss is called as ``loss(first, second, views=None, labels=None)`` and returns a tensor of
shape ``()`` that is minimized:

``first``, ``second``
    Features ``(B, width)`` of the two views of each row, with gradients.
``views``
    The pair of views themselves, ``(B, *sample_shape)``, for a teacher to read; None where
    there is no single encoder (two modalities).
``labels``
    Integers ``(B,)``, -1 where a row has none; or None.

An objective that needs labels has the class attribute ``uses_labels = True``. The loss may have
more, and what it does not have is not asked for:

``after_step(encoder)``
    Called once after each step of the optimizer: a teacher follows the encoder, a queue takes
    what was remembered in ``forward``. Held-out batches (``training`` is False) must change
    none of it.
``set_progress(fraction)``
    Called before each step with the share of the planned steps that is done; None where no end
    is planned: schedules then stand at their base value.
``generator``
    None when made, if random numbers are drawn in ``forward``: the estimator puts its
    ``torch.Generator`` there.
``smallest_batch``
    Least number of rows of a batch; where it is not there, 2, for objectives of series 1.
``lowest_at_collapse``
    True if the loss is lowest where all rows have the same features: early stopping then
    watches another figure.
``head``
    A module with ``hidden(features)``, a tensor ``(B, head.hidden_width)``: of series it is
    read after the training, where that width is not 0.

An objective of series has another method in the place of ``make_loss``:

``make_series_loss(encoder, n_values, length)``
    A ``torch.nn.Module`` that is called as ``loss(model, series)`` and returns what is minimized.
    ``encoder`` makes tokens of ``encoder.width`` units of each ``encoder.patch_size`` steps;
    ``n_values`` is the number of values of a step, ``length`` that of steps of a common series.

``series`` has ``values`` ``(B, V, L)``, which of them are ``observed``, their ``weights``, 0 where
none is, and the steps ``inside`` ``(B, L)``. Of ``model`` the loss may ask, and keeps nothing:

``model.read(series, hidden=None)``
    Tokens ``(B, S, width)`` and which of them are ``there`` ``(B, S)``, read without the values
    that are ``hidden`` ``(B, V, L)``. In ``series._replace(...)`` values may be others;
    ``series.part(begin, end)`` is a crop of each.
``model.pooled(reading)``
    One vector of each series.
``model.predict(series, head, hidden)``
    Values that ``head``, from tokens to the values of a patch ``(B, S, V * patch_size)``, makes of
    all steps, and those that they are compared with: ``(B, V, L)`` each, in the same units.
``model.expect(series, head)``
    The same with nothing hidden, in the units of ``series.values``.

If the recipe has the class attribute ``is_causal = True``, the encoder is made causal: no token
depends on what is behind its patch. Its loss then may have a method
``ahead(model, series, horizon)`` that returns values behind the last step ``(B, V, horizon)``,
for forecasts. ``series.moved(by, length)`` makes room for them.

An objective that predicts values has two methods more: ``judged(model, series)`` yields, for
scores, predictions, what they are compared with, and which of them count, ``(B, V, L)`` each, so
that every value counts at most once; ``expected(model, series)`` returns what missing values are,
in the units of ``series.values``. Where no part has them, values are read from tokens by a linear
map that is fitted after the training. An objective of two views is given those of series, too.

An objective of several parts has ``make_sum(make)`` and ``make_loss``: it returns a module that
is called as the losses of its parts are, each made by ``make(part)``, and returns a dict of terms.

All that is learned or remembered stands in parameters and buffers, so that it is saved, loaded
and resumed. Any class with this method is as good as the ones in this package; how to write one:
the page "Add an objective" of the documentation.

For estimators: `bits_of_agreement` and `pointwise_agreement` are what scores are made of;
`is_causal` asks an objective whether it has that attribute.
"""

from ._agreement import (  # noqa: F401, for estimators
    bits_of_agreement,
    blocks_of,
    disagreement,
    fit_temperature,
    pointwise_agreement,
)
from ._barlow_twins import BarlowTwins
from ._byol import BYOL
from ._causal import is_causal  # noqa: F401, for estimators
from ._dino import DINO
from ._hierarchical_contrast import HierarchicalContrast
from ._info_nce import info_nce
from ._le_jepa import LeJEPA
from ._masked_reconstruction import MaskedReconstruction
from ._moco import MoCo
from ._momentum import MomentumTeacher
from ._next_step_prediction import NextStepPrediction
from ._sim_clr import SimCLR
from ._sim_siam import SimSiam
from ._sup_con import SupCon
from ._swav import SwAV
from ._vicreg import VICReg
from ._visreg import VISReg
from ._weighted_sum import WeightedSum

__all__ = [
    "BYOL",
    "DINO",
    "BarlowTwins",
    "HierarchicalContrast",
    "LeJEPA",
    "MaskedReconstruction",
    "MoCo",
    "MomentumTeacher",
    "NextStepPrediction",
    "SimCLR",
    "SimSiam",
    "SupCon",
    "SwAV",
    "VICReg",
    "VISReg",
    "WeightedSum",
    "info_nce",
]
