"""What is done with an embedding, the same for all: reading X, fitting safely, transforming.

An estimator adds the science. It defines

``_make_module(input_shape)``
    The network, from parameters and shapes alone (`fit` and `load` both call it): a torch
    module with ``width``, the number of features, ``forward(batch)``, the loss, and
    ``encode(x)``, the features, (B, width). Where there is a decoder, ``decode(features)``.
    Optional: ``start(rows)``, a start in closed form, and ``geometry(x)``, how the readout
    shall measure distances.
``_choose_parts(input_shape)``, optional
    Fills in the parts left at None, as fitted attributes.
``_check_parameters()``, optional
    Checks of parameters against each other.
``_check_values(rows)``, optional
    Checks of the data that only this method needs.
``_keeps_axes()``, optional
    Whether single features have a meaning, so that the readout leaves them alone.
``_describe(rows, stream)``, optional
    Fitted attributes that describe the result, from held-out rows if there are any.

Its parameters are those of `SHARED_CONSTRAINTS` and its own; ``whiten`` among them is read
by the readout. This is the only file that imports private names of scikit-learn.
"""

import copy
import warnings
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._closed_form import Moments, Readout
from ._devices import resolve_device, resolve_precision
from ._interruption import Interruption
from ._named_parts import NamedPartsMixin
from ._randomness import Randomness, borrowed_generator, carry_generator, fixed_draws
from ._rows import chunk_rows, read_chunks, read_rows
from ._stopping import SHARES, choose_stop, epochs_to_try, split_into_folds
from ._surroundings import (
    FORWARD,
    FORWARD_AND_BACKWARD,
    ONE_BLAS_THREAD,
    allow_threads,
    count_multiplications,
    own_surroundings,
)
from .metrics._rank import (
    FEWEST_ROWS_FOR_COLLAPSE,
    MOST_ROWS_FOR_COLLAPSE,
    describe_collapse,
)

# From here on early_stopping="auto" holds rows out: with fewer, a tenth judges too noisily.
_ROWS_FOR_EARLY_STOPPING = 500
# Below, folds find how far to train; with fewer rows than this nothing can.
_FOLDS, _FEWEST_ROWS_FOR_FOLDS = 5, 3
# Epochs of few rows are short: patience is at least this share of the epochs of "auto".
_LEAST_PATIENCE = 0.1


class RepresentationCollapseWarning(UserWarning):
    """The embedding uses far fewer directions than the data have."""


SHARED_CONSTRAINTS = {
    "n_components": [Interval(Integral, 1, None, closed="left")],
    "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "early_stopping": ["boolean", StrOptions({"auto"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
    "patience": [Interval(Integral, 1, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "optimizer": [callable, None],
    "optimizer_params": [dict, None],
    "callbacks": [list, tuple, None],
    "device": [str, torch.device],
    "precision": [StrOptions({"float32", "bf16", "auto"})],
    "input_shape": [tuple, list, None],
    "missing": [StrOptions({"error", "mask"})],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": [Interval(Integral, 0, None, closed="left"), "boolean"],
}
_OF_TRAINING = SHARED_CONSTRAINTS.keys() - {"n_components", "input_shape", "missing"}
ENCODER_RECIPE = HasMethods(["make_encoder"])
DECODER_RECIPE = HasMethods(["make_decoder"])


class BaseEmbedding(
    NamedPartsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base of the embeddings of numeric arrays."""

    # ------------------------------------------------------------------- fitting

    def _fit(self, X, *, stream=False):
        """Fit on a copy of this estimator, and become that copy once all is done.

        ``stream``: X is one chunk of a stream without a planned end (`partial_fit`).
        """
        goes_on = hasattr(self, "net_") and (stream or self.warm_start)
        draft = self._draft(goes_on)
        with Interruption() as watch, own_surroundings(), ONE_BLAS_THREAD:
            draft._train(X, goes_on, stream, watch)
            watch.check()
            watch.finishing = True
            self.__dict__ = draft.__dict__
        return self

    def _draft(self, goes_on):
        draft = object.__new__(type(self))
        draft.__dict__ = {
            name: value
            for name, value in vars(self).items()
            if goes_on or not name.endswith("_") or name.startswith("_")
        }
        return draft

    def _train(self, X, goes_on, stream, watch):
        from . import _training

        self._validate_params()
        self._check_parameters()
        self.device_ = resolve_device(self.device)
        n_least = 1 if goes_on and stream else 3 if self.early_stopping is True else 2
        rows = self._read(X, n_least)
        watch.check()
        earlier = self.net_ if goes_on else None
        self._choose_parts(self.input_shape_)
        if goes_on:
            module = self._same_module(earlier.module_)
        else:
            module = self._new_module(self._draw_seeds())
        self._resolve_schedule(len(rows), goes_on, stream)
        self._check_batches(module, len(rows))
        allow_threads(FORWARD_AND_BACKWARD * self.batch_size_ * module.multiplications)
        can_start = hasattr(module, "start")
        starts = can_start and not goes_on
        optimizer_state = earlier.optimizer_.state_dict() if goes_on else None
        self.weight_share_ = 1.0
        if can_start and self._cross_validates(len(rows), stream):
            self.max_epochs_, self.weight_share_ = self._cross_validate(
                rows, module, starts, optimizer_state, watch
            )
        learned_from, held_out = rows, None
        if self.early_stopping_:
            n_held_out = max(1, round(self.validation_fraction * len(rows)))
            n_held_out = min(n_held_out, len(rows) - 2)
            learned_from, held_out = rows.split(n_held_out, module.generator)
        if starts:
            with fixed_draws(module, self.device_):
                module.start(learned_from)
            watch.check()
        net = self._make_net(
            module,
            patience=self.patience_ if self.early_stopping_ else None,
            callbacks=self.callbacks,
            verbose=self.verbose,
            optimizer_state=optimizer_state,
            history=earlier.history if goes_on else (),
        )
        self.best_epoch_ = _training.train(
            net,
            learned_from,
            held_out,
            epochs=self.max_epochs_,
            randomness=Randomness(module, self.device_),
            watch=watch,
            open_ended=stream,
            restart=partial(module.start, rows) if starts and held_out is not None else None,
            share=self.weight_share_,
        )
        self.net_ = net
        self._parameters_at_fit = self._network_parameters()
        with self._evaluation(len(rows)):
            self._settle(learned_from, goes_on, stream)
            self._describe(learned_from if held_out is None else held_out, stream)
            if not stream:
                self._warn_of_collapse(rows)

    def _network_parameters(self):
        """Return the parameters on which the network depends, not its training."""
        parameters = self.get_params(deep=False)
        return {name: parameters[name] for name in parameters if name not in _OF_TRAINING}

    def _changed_since_fit(self):
        """List the parameters that no longer describe the fitted network."""
        now, at_fit = self._network_parameters(), self._parameters_at_fit
        return [name for name in now if repr(now[name]) != repr(at_fit[name])]

    def _cross_validates(self, n, stream):
        """Whether cross-validation chooses how far to train.

        That is what stands in for early stopping where rows are few.
        """
        return (
            not stream
            and not self.early_stopping_
            and self.early_stopping == self.max_epochs == "auto"
            and self.validation_fraction is not None
            and n >= _FEWEST_ROWS_FOR_FOLDS
        )

    def _cross_validate(self, rows, module, starts, optimizer_state, watch):
        """Find the number of epochs and the share of the way that are best on held-out rows.

        Training begins where that of ``module`` will: at the start, in each fold that of its
        own rows, or where an earlier training has ended.
        """
        from . import _training

        order = torch.randperm(len(rows), generator=copy.deepcopy(module.generator)).numpy()
        tried, losses = epochs_to_try(self.max_epochs_), []
        for learned_from, groups in split_into_folds(order, min(_FOLDS, len(rows))):
            in_fold = self._same_module(module)
            learned_from = rows.subset(torch.from_numpy(learned_from))
            if starts:
                with fixed_draws(in_fold, self.device_):
                    in_fold.start(learned_from)
            losses.append(
                _training.losses_on_the_way(
                    self._make_net(in_fold, verbose=self.verbose, optimizer_state=optimizer_state),
                    learned_from,
                    [rows.subset(torch.from_numpy(group)) for group in groups],
                    epochs=self.max_epochs_,
                    tried=tried,
                    shares=SHARES,
                    randomness=Randomness(in_fold, self.device_),
                    watch=watch,
                )
            )
        return choose_stop(np.concatenate(losses, axis=-1), tried)

    def _read(self, X, n_least):
        rows, self.layout_ = read_rows(
            self,
            X,
            self.device_,
            input_shape=self.input_shape,
            missing=self.missing,
            n_least=n_least,
        )
        if getattr(self, "input_shape_", rows.sample_shape) != rows.sample_shape:
            raise ValueError(
                f"Training cannot go on: input_shape={self.input_shape} gives samples of shape "
                f"{rows.sample_shape}, and the fitted network has seen {self.input_shape_}. "
                "Restore it, or fit anew with warm_start=False."
            )
        self.input_shape_ = rows.sample_shape
        self._check_values(rows)
        return rows

    def _draw_seeds(self):
        """Draw the seeds of the starting weights and of the module's generator."""
        if self.random_state is None:
            # not numpy's global generator, which is left as it is
            return np.random.default_rng().integers(2**31, size=2).tolist()
        return check_random_state(self.random_state).randint(2**31 - 1, size=2).tolist()

    def _new_module(self, seeds):
        with borrowed_generator(seeds[0]):
            module = self._make_module(self.input_shape_)
            example = torch.zeros(2, *self.input_shape_)
            module.multiplications = count_multiplications(module.eval(), example)
        carry_generator(module, torch.Generator().manual_seed(seeds[1]))
        return module.to(self.device_)

    def _same_module(self, earlier):
        """Make the module that the parameters ask for, with the weights of an earlier one."""
        module = self._new_module((0, 0))
        try:
            module.load_state_dict(earlier.state_dict())
        except RuntimeError as error:
            raise ValueError(
                f"Training cannot go on: n_components={self.n_components}, input_shape="
                f"{self.input_shape} and the parts of {self!r} describe another network than "
                "the fitted one. Restore them, or fit anew with warm_start=False."
            ) from error
        carry_generator(module, copy.deepcopy(earlier.generator))
        return module

    def _make_net(
        self,
        module,
        *,
        patience=None,
        callbacks=None,
        verbose=False,
        optimizer_state=None,
        history=(),
    ):
        from . import _training

        return _training.make_net(
            module,
            optimizer=self.optimizer,
            optimizer_params=self.optimizer_params,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size_,
            max_epochs=self.max_epochs_,
            patience=patience,
            device=self.device_,
            precision=resolve_precision(self.precision, module, self.batch_size_, self.device_),
            callbacks=callbacks,
            verbose=bool(verbose),
            optimizer_state=optimizer_state,
            history=history,
        )

    @own_surroundings()
    def _rebuild(self, module_state, readout_state, history, optimizer=None, generator=None):
        """Make network, net and readout again from what `save` has written of them."""
        try:
            self.device_ = resolve_device(self.device)
        except ValueError:
            self.device_ = torch.device("cpu")  # trained elsewhere, on a device not there
        module = self._new_module((0, 0))
        module.load_state_dict(module_state)
        if generator is not None:
            module.generator.set_state(generator)
        self.net_ = self._make_net(module.eval(), optimizer_state=optimizer, history=history)
        self.readout_ = Readout.from_state(readout_state).to(self.device_)
        self._parameters_at_fit = self._network_parameters()

    def _resolve_schedule(self, n, goes_on, stream):
        """Turn "auto" into numbers that fit ``n`` rows."""
        if self.early_stopping == "auto":
            wanted = n >= _ROWS_FOR_EARLY_STOPPING and self.validation_fraction is not None
        else:
            wanted = bool(self.early_stopping)
        # a stream has no end to plan for, and its first chunk sets the size of the batches
        self.early_stopping_ = wanted and not stream
        if not (stream and goes_on):
            batch_size = auto_batch_size(n) if self.batch_size == "auto" else self.batch_size
            self.batch_size_ = int(batch_size if stream else min(batch_size, n))
        if stream:
            self.max_epochs_ = 1
        elif self.max_epochs == "auto":
            self.max_epochs_ = auto_max_epochs(n, self.batch_size_)
        else:
            self.max_epochs_ = int(self.max_epochs)
        planned = self.early_stopping_ and self.max_epochs == "auto"
        least = round(_LEAST_PATIENCE * self.max_epochs_) if planned else 0
        self.patience_ = max(self.patience, least)

    def _check_parameters(self):
        """Check parameters against each other; constraints see them one by one."""
        if self.early_stopping is True and self.validation_fraction is None:
            raise ValueError(
                "early_stopping=True needs rows to be held out, but validation_fraction is "
                "None. Set validation_fraction=0.1, or early_stopping=False."
            )
        shape = self.input_shape
        if shape is not None and (
            len(shape) == 0
            or sum(side == -1 for side in shape) > 1
            or not all(isinstance(side, Integral) and (side >= 1 or side == -1) for side in shape)
        ):
            raise ValueError(
                "The 'input_shape' parameter must be a tuple of integers >= 1, of which one "
                f"may be -1. Got {shape!r} instead."
            )

    def _check_batches(self, module, n):
        if min(self.batch_size_, n) == 1 and any(
            isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in module.modules()
        ):
            raise ValueError(
                "Batch normalisation needs batches of at least two rows. Got "
                f"batch_size={self.batch_size_} and {n} rows. Use a larger batch_size, or "
                'normalization="layer" in the architecture.'
            )

    def _settle(self, rows, goes_on, stream):
        """Fit the readout to the features of the training rows."""
        module = self.module_
        if not (goes_on and stream):
            self.readout_ = Readout(module.width, self.n_components).to(self.device_)
        else:
            self.readout_ = copy.deepcopy(self.readout_)
        if self.readout_.is_square and (stream or self._keeps_axes()):
            return
        moments = self.readout_.moments if stream else None
        moments = moments or Moments(module.width)
        for batch in rows.batches(chunk_rows(self.input_shape_)):
            moments.add(module.encode(batch))
        geometry = module.geometry(rows.sample(512)) if hasattr(module, "geometry") else {}
        self.readout_.fit(moments, whiten=getattr(self, "whiten", False), **geometry)
        if stream:
            self.readout_.moments = moments

    def _warn_of_collapse(self, rows):
        sample = rows.sample(MOST_ROWS_FOR_COLLAPSE)
        if len(sample) < FEWEST_ROWS_FOR_COLLAPSE:
            return
        Z = self.readout_(self.module_.encode(sample)).cpu().numpy()
        trouble = describe_collapse(Z, sample.flatten(1).cpu().numpy())
        if trouble:
            warnings.warn(
                f"The representation has collapsed: {trouble}",
                RepresentationCollapseWarning,
            )

    def _choose_parts(self, input_shape):
        """Set the parts that are left at None."""

    def _keeps_axes(self):
        """Whether single features have a meaning of their own, and are not to be mixed."""
        return False

    def _check_values(self, rows):
        """Check what only this method asks of the data."""

    def _describe(self, rows, stream):
        """Set the fitted attributes that tell how well it went."""

    # -------------------------------------------------------- the fitted embedding

    @property
    def module_(self):
        """The torch module, in evaluation mode."""
        check_is_fitted(self, "net_")
        return self.net_.module_

    @property
    def n_epochs_(self):
        """Number of epochs that were run."""
        check_is_fitted(self, "net_")
        return len(self.net_.history)

    @property
    def history_(self):
        """One row an epoch: epoch, losses and their terms, seconds."""
        check_is_fitted(self, "net_")
        rows = [
            {
                name: value
                for name, value in row.items()
                if not name.endswith(("_best", "_batch_count")) and name not in ("batches", "dur")
            }
            | {"seconds": row["dur"]}
            for row in self.net_.history
        ]
        return pd.DataFrame(rows or {"epoch": [], "train_loss": [], "seconds": []})

    @property
    def _n_features_out(self):
        return self.readout_.matrix.shape[0]

    def transform(self, X):
        """Embed X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data of the layout given to `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), float32
            The embedding. Each row depends on that row of X alone.
        """
        check_is_fitted(self)
        return self._apply(X, self._embed, (self._n_features_out,))

    def _embed(self, batch):
        return self.readout_(self.module_.encode(batch))

    @own_surroundings()
    def _apply(self, X, function, shape, dtype=np.float32):
        """Apply ``function`` to X chunk by chunk, into one array of rows of ``shape``."""
        missing = self._parameters_at_fit["missing"]
        n, chunks = read_chunks(self, X, self.input_shape_, missing)
        result = np.empty((n, *shape), dtype=dtype)
        start = 0
        with Interruption() as watch, self._evaluation(n):
            for chunk in chunks:
                watch.check()
                stop = start + len(chunk)
                value = function(chunk.to(self.device_))
                result[start:stop] = value.reshape(-1, *shape).cpu().numpy()
                start = stop
        return result

    @contextmanager
    def _evaluation(self, n):
        """Run the module on chunks of ``n`` rows, without gradients, drawing nothing new."""
        module = self.module_.eval()
        work = FORWARD * min(n, chunk_rows(self.input_shape_)) * module.multiplications
        with (
            own_surroundings(work),
            torch.inference_mode(),
            fixed_draws(module, self.device_),
        ):
            yield

    def __getstate__(self):
        # skorch moves its net to a device that is there when it is unpickled; what stands
        # beside the net travels by way of the CPU
        state = dict(super().__getstate__())
        if "readout_" in state and self.device_.type != "cpu":
            state["readout_"] = copy.deepcopy(self.readout_).cpu()
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "net_" in state:
            self.device_ = torch.device(self.net_.device)
            self.readout_.to(self.device_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def auto_batch_size(n):
    """Choose the batch size for ``n`` rows: few need the steps, many fill wider batches."""
    return 64 if n < _ROWS_FOR_EARLY_STOPPING else 128 if n < 50_000 else 256


def auto_max_epochs(n, batch_size):
    """Plan epochs for ``n`` rows: a budget of steps, of which early stopping saves some."""
    steps_per_epoch = n / batch_size
    steps = 200 if n < _ROWS_FOR_EARLY_STOPPING else np.clip(40 * steps_per_epoch, 4000, 6000)
    return max(1, round(steps / steps_per_epoch))
