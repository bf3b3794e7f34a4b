"""What is done with an embedding, the same for all: reading X, fitting safely, transforming.

An estimator adds the science. It defines

``_make_module(input_shape)``
    The network, from parameters and shapes alone (`fit` and `load` both call it): a torch
    module with ``width``, the number of features, ``forward(batch)``, the loss, and
    ``encode(x)``, the features, (B, width). Where there is a decoder, ``decode(features)``.
    Optional: ``start(rows)``, a start in closed form, before which ``open_ended`` is set: are
    these rows but the first of a stream? ``start_is_solution`` says whether training may come
    back to it, ``fewest_rows`` how many it needs in a stream, ``lowest_loss`` where there is
    nothing left to train; a module that draws has ``generator = None`` when made. And what the
    loop asks for (``_training``).

and, where it differs from others,

``_choose_parts(input_shape)``
    Fills in the parts left at None, as fitted attributes.
``_check_parameters()``
    Checks of parameters against each other.
``_read(X, y, n_least)``, ``_read_chunks(X)``, ``_example(n)``
    How data are read: for training, for everything else, and samples of nothing.
``_check_values(rows)``
    Checks of the data that only this method needs.
``_plan(rows, call)``
    What "auto" becomes.
``_keeps_axes()``
    Whether single features have a meaning, so that the readout leaves them alone.
``_make_readout(module)``, ``_fit_readout(rows, call)``
    The map from features to the embedding; `_decides_axes` says what decides on its axes.
``_describe(rows, call)``
    Fitted attributes that describe the result, from held-out rows if there are any.
``_find_collapse(rows, n_rows)``, ``_collapse(Z, sample)``
    What is wrong with the embedding of some rows, of a sample in one batch, if anything.

Its parameters are those of the groups of constraints that have something to act on, and its
own; ``whiten`` among them is read by the readout. Think twice before adding anything here: all
embeddings get it.

``_constraints.py``
    What parameters may be; the only file that imports private names of scikit-learn.
``_fitting.py``
    A fit, step by step.
``_network.py``
    The network, and the net that trains it.
``_axes.py``
    From features to the embedding, and whether that has collapsed.
``_state.py``
    What is written of a fitted embedding, and how it is made again.
``_embedding.py``
    What is done with a fitted embedding.
"""

from ._axes import RepresentationCollapseWarning
from ._constraints import (
    ARRAY_CONSTRAINTS,
    CODER_CONSTRAINTS,
    OPTIMIZER_CONSTRAINTS,
    SHARED_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
    HasMethods,
    Number,
    StrOptions,
)
from ._embedding import BaseEmbedding
from ._state import known_names

__all__ = [
    "ARRAY_CONSTRAINTS",
    "CODER_CONSTRAINTS",
    "OPTIMIZER_CONSTRAINTS",
    "SHARED_CONSTRAINTS",
    "TRAINING_CONSTRAINTS",
    "BaseEmbedding",
    "HasMethods",
    "Number",
    "RepresentationCollapseWarning",
    "StrOptions",
    "known_names",
]
