"""What is done with an embedding, the same for all: reading X, fitting safely, transforming.

An estimator adds the science. It defines

``_make_module(input_shape)``
    The network, from parameters and shapes alone (`fit` and `load` both call it): a torch
    module with ``width``, the number of features, ``forward(batch)``, the loss, and
    ``encode(x)``, the features, (B, width). Where there is a decoder, ``decode(features)``.
    Optional: ``start(rows)``, a start in closed form.
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
import math
import warnings
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from . import _format, architectures, augmentations
from ._callbacks import CallbackSupportMixin, FitTask, has_callbacks, with_callbacks
from ._devices import resolve_device, resolve_precision
from ._interruption import Interruption
from ._named_parts import NamedPartsMixin
from ._randomness import Randomness, borrowed_generator, carry_generator, fixed_draws
from ._readout import Moments, Readout
from ._rows import as_result, chunk_rows, read_chunks, read_rows, result_device
from ._stopping import N_FOLDS, affordable_epochs, choose_stop, split_into_folds
from ._surroundings import (
    FORWARD,
    FORWARD_AND_BACKWARD,
    ONE_BLAS_THREAD,
    allow_threads,
    count_work,
    own_surroundings,
)
from .metrics import describe_collapse, rows_for_collapse

# From here on early_stopping="auto" holds rows out: with fewer, a tenth judges too noisily.
_ROWS_FOR_EARLY_STOPPING = 500
# Below, folds find how far to train; with fewer rows than this nothing can.
_FEWEST_ROWS_FOR_FOLDS = 3
# Epochs of few rows are short: patience is at least this share of the epochs of "auto".
_LEAST_PATIENCE = 0.1
# A start without loss is a minimum: there, gradients are rounding, which training would follow.
_NO_LOSS = 1e-9


class RepresentationCollapseWarning(UserWarning):
    """The embedding uses far fewer directions than the data have."""


class Number(Interval):
    """An interval of numbers; True and False are none."""

    def is_satisfied_by(self, val):
        """Whether the value is a number in the interval."""
        return not isinstance(val, (bool, np.bool_)) and super().is_satisfied_by(val)


SHARED_CONSTRAINTS = {
    "n_components": [Number(Integral, 1, None, closed="left")],
    "max_epochs": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "batch_size": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "early_stopping": ["boolean", StrOptions({"auto"})],
    "validation_fraction": [Number(Real, 0, 1, closed="neither"), None],
    "patience": [Number(Integral, 1, None, closed="left")],
    "learning_rate": [Number(Real, 0, None, closed="neither")],
    "weight_decay": [Number(Real, 0, None, closed="left")],
    "optimizer": [callable, None],
    "optimizer_params": [dict, None],
    "callbacks": [list, tuple, None],
    "device": [str, torch.device],
    "precision": [StrOptions({"float32", "bf16", "auto"})],
    "input_shape": [tuple, list, None],
    "missing": [StrOptions({"error", "mask"})],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": [Number(Integral, 0, None, closed="left"), "boolean"],
}
# Nothing of the fitted state depends on these.
_APART_FROM_FIT = {"callbacks": None, "random_state": None, "verbose": 0}
ENCODER_RECIPE = HasMethods(["make_encoder"])
DECODER_RECIPE = HasMethods(["make_decoder"])


class BaseEmbedding(
    NamedPartsMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Base of the embeddings of numeric arrays."""

    # ------------------------------------------------------------------- fitting

    def _fit(self, X, y=None, *, stream=False):
        """Fit on a copy of this estimator, and become that copy once all is done.

        ``y`` is for callbacks that score. ``stream``: X is one chunk of a stream without a
        planned end (`partial_fit`).
        """
        goes_on = hasattr(self, "net_") and (stream or self.warm_start)
        draft = self._draft(goes_on)
        with Interruption() as watch, own_surroundings(), ONE_BLAS_THREAD:
            draft._train(X, y, goes_on, stream, watch)
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

    @with_callbacks
    def _train(self, X, y, goes_on, stream, watch):
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
        allow_threads(FORWARD_AND_BACKWARD * self.batch_size_ * module.work.multiplications)
        task = None
        if has_callbacks(self):
            name = "partial-fit" if stream else "fit"
            task = FitTask(self, X, y, name=name, n_epochs=self.max_epochs_)
        learned_from, held_out = self._hold_out(rows, module.generator)
        starts = hasattr(module, "start") and not goes_on
        if starts:
            with fixed_draws(module, self.device_):
                module.start(learned_from)
            watch.check()
        # what training may come back to, and be judged against
        may_return = goes_on or getattr(module, "start_is_solution", False)
        if stream and starts and may_return:
            self._check_first_chunk(len(rows))
        optimizer_state = earlier.optimizer_.state_dict() if goes_on else None
        net = self._make_net(
            module,
            patience=self.patience_ if self.early_stopping_ else None,
            callbacks=self.callbacks,
            verbose=bool(self.verbose),
            optimizer_state=optimizer_state,
            history=earlier.history if goes_on else (),
        )
        self.weight_share_ = 1.0
        planned = self.max_epochs == "auto" and not stream
        if planned and starts and may_return and net.mean_loss(learned_from) < _NO_LOSS:
            self.max_epochs_ = 0
        elif may_return and self._cross_validates(len(rows), stream):
            self.max_epochs_ = affordable_epochs(
                self.max_epochs_, self.batch_size_, len(rows), module.work
            )
            self.max_epochs_, self.weight_share_ = self._cross_validate(
                rows, module, starts, optimizer_state, watch
            )
        randomness = Randomness(module, self.device_)
        finish = partial(
            type(self)._finish,
            rows=rows,
            learned_from=learned_from,
            held_out=held_out,
            goes_on=goes_on,
            stream=stream,
        )
        if task is not None:
            task.so_far = partial(self._as_if_ended, net, randomness, finish)
        best_epoch = _training.train(
            net,
            learned_from,
            held_out,
            epochs=self.max_epochs_,
            randomness=randomness,
            watch=watch,
            open_ended=stream,
            may_return=may_return,
            share=self.weight_share_,
            # where nothing is learned, from all rows
            start_anew=(lambda module: module.start(rows)) if starts else None,
            task=task,
        )
        finish(self, net, best_epoch)
        if not stream:
            with self._evaluation(len(rows)):
                self._warn_of_collapse(rows)
        if task is not None:
            task.end()

    def _finish(self, net, best_epoch, *, rows, learned_from, held_out, goes_on, stream):
        """Set what depends on the trained weights."""
        self.net_, self.best_epoch_ = net, best_epoch
        self._parameters_at_fit = self._parameters_of_fit()
        with self._evaluation(len(rows)):
            self._fit_readout(learned_from, goes_on, stream)
            self._describe(learned_from if held_out is None else held_out, stream)

    def _as_if_ended(self, net, randomness, finish):
        """Return the attributes that the fit would leave if it ended now."""
        from . import _training

        module, history, best_epoch = _training.as_if_ended(net)
        carry_generator(module, copy.deepcopy(randomness.generator))
        so_far = self._draft(goes_on=True)
        optimizer_state = net.optimizer_.state_dict()
        net = so_far._make_net(module, optimizer_state=optimizer_state, history=history)
        finish(so_far, net, best_epoch)
        return vars(so_far)

    def _hold_out(self, rows, generator):
        """Split the rows into those to train on and, for early stopping, those to judge by."""
        if not self.early_stopping_:
            return rows, None
        n_held_out = max(1, round(self.validation_fraction * len(rows)))
        return rows.split(min(n_held_out, len(rows) - 2), generator)

    def _check_first_chunk(self, n):
        """Check that a start in closed form can find all components in the first chunk."""
        n_least = min(self.n_components, math.prod(self.input_shape_)) + 1
        if n < n_least:
            raise ValueError(
                f"n_components={self.n_components} needs at least {n_least} rows in the first "
                f"call of partial_fit, which finds where training starts. Got {n}. Use a larger "
                "first chunk, or fewer components."
            )

    def _parameters_of_fit(self):
        """Copy the parameters on which the fitted state depends; parts may change in place."""
        # a subclass of the user's own may name fewer in its constructor, or more
        names = self._parameter_constraints | self.get_params(deep=False)
        values = {name: getattr(self, name) for name in names if name not in _APART_FROM_FIT}
        return {
            name: value if isinstance(value, torch.nn.Module) else clone(value, safe=False)
            for name, value in values.items()
        }

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
        folds = []
        for learned_from, groups in split_into_folds(order, min(N_FOLDS, len(rows))):
            in_fold = self._same_module(module)
            learned_from = rows.subset(torch.from_numpy(learned_from))
            if starts:
                with fixed_draws(in_fold, self.device_):
                    in_fold.start(learned_from)
            watch.check()
            folds.append(
                _training.Fold(
                    self._make_net(in_fold, optimizer_state=optimizer_state, keeps_best=False),
                    learned_from,
                    [rows.subset(torch.from_numpy(group)) for group in groups],
                    randomness=Randomness(in_fold, self.device_),
                    watch=watch,
                    epochs=self.max_epochs_,
                )
            )
        return choose_stop(folds, self.max_epochs_)

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
            module.work = count_work(module.eval(), example)
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

    def _make_net(self, module, **settings):
        """Make the net that trains ``module``; ``settings`` are further ones of `make_net`."""
        from . import _training

        return _training.make_net(
            module,
            optimizer=self.optimizer,
            optimizer_params=self.optimizer_params,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size_,
            max_epochs=self.max_epochs_,
            device=self.device_,
            precision=resolve_precision(self.precision, module, self.batch_size_, self.device_),
            **settings,
        )

    @own_surroundings()
    def _rebuild(self, *, at_fit, module_state, readout_state, history, optimizer, generator):
        """Make network, net and readout again from what was written of them.

        ``at_fit`` are the parameters that were others at the fit.
        """
        if not at_fit.keys() <= self._parameters_of_fit().keys():
            raise ValueError(f"{sorted(at_fit)} are no parameters of {type(self).__name__}.")
        try:
            self.device_ = resolve_device(self.device)
        except (TypeError, ValueError):
            self.device_ = torch.device("cpu")  # trained elsewhere, on a device not there
        now = {name: getattr(self, name) for name in at_fit.keys() | _APART_FROM_FIT.keys()}
        vars(self).update(at_fit | _APART_FROM_FIT)
        self._validate_params()
        self._check_parameters()
        with _format.within(module_state):
            module = self._new_module((0, 0))
        _format.check_forms(module, module_state)
        module.load_state_dict(module_state)
        _format.check_finite(module)
        with _format.within(readout_state):
            readout = Readout.from_state(readout_state)
        _format.check_forms(readout, readout_state)
        _format.check_finite(readout, bounds=False)
        if readout.matrix.shape != (self.n_components, module.width):
            raise ValueError(f"the readout has the shape {tuple(readout.matrix.shape)}.")
        if generator is not None:
            module.generator.set_state(generator)
        self.net_ = self._make_net(module.eval(), optimizer_state=optimizer, history=history)
        if optimizer is not None:
            _format.check_optimizer_state(self.net_.optimizer_, optimizer)
        self.readout_ = readout.to(self.device_)
        self._parameters_at_fit = self._parameters_of_fit()
        vars(self).update(now)

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

    def _fit_readout(self, rows, goes_on, stream):
        """Fit the readout to the features of the training rows."""
        width = self.module_.width
        if not (goes_on and stream):
            self.readout_ = Readout(width, self.n_components).to(self.device_)
        else:
            self.readout_ = copy.deepcopy(self.readout_)
        for name in ("explained_variance_", "components_", "mean_"):
            vars(self).pop(name, None)  # of an earlier fit
        if self.readout_.is_square and (stream or self._keeps_axes()):
            return
        moments = self.readout_.moments if stream else None
        for batch in rows.blocks():
            block = self._followed(batch)
            moments = moments or Moments(width, block.shape[1] - width)
            moments.add(block)
        axes = self.readout_.fit(moments, whiten=getattr(self, "whiten", False))
        if stream:
            self.readout_.moments = moments
            return
        self.explained_variance_ = axes.variance
        if axes.components is not None:
            self.components_ = axes.components.reshape(-1, *self.layout_)
            self.mean_ = axes.mean.reshape(self.layout_)

    def _followed(self, batch):
        """Return what decides on the axes: features, and what is rebuilt from them, if any."""
        return self.module_.encode(batch)

    def _warn_of_collapse(self, rows):
        sample = rows.sample(rows_for_collapse(len(rows)))
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

    def _apply(self, X, function, shape, *, exact=False):
        """Apply ``function`` to X chunk by chunk, into one array of rows of ``shape``.

        ``exact``: in float64 and of numpy, whatever X is, for arithmetic that follows.
        """
        missing = self._parameters_at_fit["missing"]
        n, chunks = read_chunks(self, X, self.input_shape_, missing)
        if exact:
            return self._gather(chunks, function, n, shape, dtype=torch.float64)
        return self._gather(chunks, function, n, shape, like=X)

    def _gather(self, chunks, function, n, shape, *, dtype=torch.float32, like=None):
        """Gather ``n`` rows of results, as an array of the library of ``like``."""
        result = torch.empty((n, *shape), dtype=dtype, device=result_device(like))
        start = 0
        with Interruption() as watch, self._evaluation(n):
            for chunk in chunks:
                watch.check()
                stop = start + len(chunk)
                result[start:stop] = function(chunk.to(self.device_)).reshape(-1, *shape)
                start = stop
        return as_result(result, like)

    @contextmanager
    def _evaluation(self, n):
        """Run the module on chunks of ``n`` rows, without gradients, drawing nothing new."""
        module = self.module_.eval()
        work = FORWARD * min(n, chunk_rows(self.input_shape_)) * module.work.multiplications
        with (
            own_surroundings(work),
            torch.inference_mode(),
            fixed_draws(module, self.device_),
        ):
            yield

    def __copy__(self):
        return self._draft(goes_on=True)  # not by way of the bytes below

    def __getstate__(self):
        state = super().__getstate__()
        return _format.state_of(self, state, known()) if "net_" in state else state

    def __setstate__(self, state):
        content, beside, rest = _format.split_state(state)
        if content is None:
            super().__setstate__(rest)
            return
        source = f"The state of {type(self).__name__}"
        document, tensors = _format.unpack(content, source)
        reader = _format.Reader(tensors, known(), beside)
        with _format.rebuilding(source, document):
            self.__init__(**_format.parameters_in(document, reader))
            super().__setstate__(rest)
            _format.restore(self, document, reader)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.transformer_tags.preserves_dtype = ["float32"]
        # array_api_support stays false: it also promises fitted attributes of the library of X,
        # and that arrays of any other are refused
        return tags


def known():
    """List what every reader of a written embedding knows by name."""
    return _format.known_parts(architectures, augmentations)


def auto_batch_size(n):
    """Choose the batch size for ``n`` rows: few need the steps, many fill wider batches."""
    return 64 if n < _ROWS_FOR_EARLY_STOPPING else 128 if n < 50_000 else 256


def auto_max_epochs(n, batch_size):
    """Plan epochs for ``n`` rows: a budget of steps, of which early stopping saves some."""
    steps_per_epoch = n / batch_size
    steps = 200 if n < _ROWS_FOR_EARLY_STOPPING else np.clip(40 * steps_per_epoch, 4000, 6000)
    return max(1, round(steps / steps_per_epoch))
