"""A fit, step by step: check, read, module, plan, hold out, start, train, finish."""

import copy
import math
from functools import partial
from typing import NamedTuple

import torch

from .. import _training
from .._rows import read_rows
from .._training import carry_generator, fixed_draws, own_surroundings

# A start without loss is a minimum: there, gradients are rounding, which training would follow.
_NO_LOSS = 1e-9


class Call(NamedTuple):
    """What one call of `fit` or `partial_fit` is."""

    earlier: object  # the net of the training that goes on, or None
    stream: bool  # a chunk of a stream without a planned end
    watch: object  # Interruption

    @property
    def is_new(self):
        """Whether a network has to be made."""
        return self.earlier is None


class FittingMixin:
    """How an embedding is fitted."""

    # Parameters that cannot change while training goes on, and that no shape of a weight tells.
    _fixed_by_fit = ("n_components",)

    def _fit(self, X, y=None, *, stream=False):
        """Fit on a copy of this estimator, and become that copy once all is done."""
        goes_on = hasattr(self, "net_") and (stream or self.warm_start)
        draft = self._draft(goes_on)
        with _training.Interruption() as watch, own_surroundings(), _training.ONE_BLAS_THREAD:
            draft._train(X, y, Call(self.net_ if goes_on else None, stream, watch))
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

    @_training.with_callbacks
    def _train(self, X, y, call):
        """Check, read, module, plan, hold out, start, train, finish."""
        self._validate_params()
        self._check_parameters()
        if not call.is_new:
            self._check_fixed()
        self.device_ = _training.resolve_device(self.device)
        rows = self._read(X, y, self._fewest_rows(call))
        call.watch.check()
        self._set_input_shape(rows)
        self._check_values(rows)
        self._choose_parts(self.input_shape_)
        module = self._module_to_train(call)
        self._plan(rows, call)
        _training.allow_threads(
            _training.FORWARD_AND_BACKWARD * self.batch_size_ * module.work.multiplications
        )
        task = self._task(X, y, call)
        learned_from, held_out = self._hold_out(rows, module)
        self._check_batches(module, learned_from)
        starts = call.is_new and hasattr(module, "start")
        may_return = self._start(module, learned_from, call)
        net = self._net_to_train(module, call)
        self._choose_how_far(net, rows, learned_from, may_return, call)
        randomness = _training.Randomness(module, self.device_)
        finish = partial(
            type(self)._finish,
            rows=rows,
            learned_from=learned_from,
            held_out=held_out,
            call=call,
        )
        if task is not None:
            task.so_far = partial(self._as_if_ended, net, randomness, finish)
        run = _training.Run(
            learned_from,
            held_out,
            epochs=self.max_epochs_,
            randomness=randomness,
            watch=call.watch,
            open_ended=call.stream,
            may_return=may_return,
            share=self.weight_share_,
            # where nothing is learned, from all rows
            start_anew=(lambda trained: trained.start(rows)) if starts else None,
            task=task,
        )
        best_epoch = _training.train(net, run)
        finish(self, net, best_epoch)
        if not call.stream:
            self._warn_of_collapse(rows)
        if task is not None:
            task.end()

    def _finish(self, net, best_epoch, *, rows, learned_from, held_out, call):
        """Set what depends on the trained weights."""
        self.net_, self.best_epoch_ = net, best_epoch
        self._parameters_at_fit = self._parameters_of_fit()
        if best_epoch == 0:  # a start of all rows, and so are its axes
            learned_from = rows
        with self._evaluation(len(rows)):
            self._fit_readout(learned_from, call)
            self._describe(learned_from if held_out is None else held_out, call)

    # ------------------------------------------------------------- the steps of a fit

    def _fewest_rows(self, call):
        if call.stream and not call.is_new:
            return 1
        return 3 if self.early_stopping is True else 2

    def _check_parameters(self):
        """Check parameters against each other; constraints see them one by one."""
        if self.early_stopping is True and self.validation_fraction is None:
            raise ValueError(
                "early_stopping=True needs rows to be held out, but validation_fraction is "
                "None. Set validation_fraction=0.1, or early_stopping=False."
            )

    def _check_fixed(self):
        """Check that nothing is asked for which training cannot go on with."""
        for name in self._fixed_by_fit:
            now, then = getattr(self, name), self._parameters_at_fit[name]
            if now != then:
                raise ValueError(
                    f"Training cannot go on: {name}={now!r} describes another network than the "
                    f"fitted one, which has {name}={then!r}. Restore it, or fit anew with "
                    "warm_start=False."
                )

    def _read(self, X, y, n_least):
        """Read X for training; labels are for estimators that use them."""
        rows, self.layout_ = read_rows(
            self,
            X,
            self.device_,
            input_shape=self.input_shape,
            missing=self.missing,
            n_least=n_least,
            layout=getattr(self, "layout_", None),
        )
        return rows

    def _set_input_shape(self, rows):
        if getattr(self, "input_shape_", rows.sample_shape) != rows.sample_shape:
            raise ValueError(
                f"Training cannot go on: input_shape={self.input_shape} gives samples of shape "
                f"{rows.sample_shape}, and the fitted network has seen {self.input_shape_}. "
                "Restore it, or fit anew with warm_start=False."
            )
        self.input_shape_ = rows.sample_shape

    def _check_values(self, rows):
        """Check what only this method asks of the data."""

    def _choose_parts(self, input_shape):
        """Set the parts that are left at None."""

    def _module_to_train(self, call):
        if call.is_new:
            return self._new_module(self._draw_seeds())
        return self._same_module(call.earlier.module_)

    def _plan(self, rows, call):
        """Turn "auto" into numbers that fit the rows."""
        goes_on = call.stream and not call.is_new
        plan = _training.make_plan(
            self,
            len(rows),
            stream=call.stream,
            batch_size=self.batch_size_ if goes_on else None,
            n_in_batches=getattr(rows, "n_words", None),
        )
        for name, value in plan._asdict().items():
            setattr(self, f"{name}_", value)

    def _auto_batch_size(self, n):
        return _training.auto_batch_size(n)

    def _auto_max_epochs(self, n, batch_size):
        return _training.auto_max_epochs(n, batch_size)

    def _check_batches(self, module, rows):
        has_norms = any(
            isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in module.modules()
        )
        least = max(_training.smallest_batch(module, 1), 2 if has_norms else 1)
        if min(self.batch_size_, len(rows)) < least:
            cause, cure = type(self).__name__, "Use more rows, or a larger batch_size"
            if has_norms and least == 2:
                cause, cure = "Batch normalization", f'{cure}, or normalization="layer"'
            raise ValueError(
                f"{cause} needs batches of at least {'two' if least == 2 else least} rows. Got "
                f"batch_size={self.batch_size_} and {len(rows)} rows to train on. {cure}."
            )

    def _task(self, X, y, call):
        """Return what tells scikit-learn's callbacks of this fit, if there are any."""
        if not _training.has_callbacks(self):
            return None
        name = "partial-fit" if call.stream else "fit"
        return _training.FitTask(self, X, y, name=name, n_epochs=self.max_epochs_)

    def _hold_out(self, rows, module):
        """Split the rows into those to train on and, for early stopping, those to judge by."""
        if not self.early_stopping_:
            return rows, None
        least = _training.smallest_batch(module, 1)
        n_held_out = max(least, round(self.validation_fraction * len(rows)))
        n_held_out = max(1, min(n_held_out, len(rows) - max(2, least)))
        if n_held_out < least:
            raise ValueError(
                f"{type(self).__name__} needs at least {least} rows to train on, and as many that "
                f"early stopping holds out. Got {len(rows)} rows. Use more, or "
                "early_stopping=False."
            )
        return rows.split(n_held_out, module.generator)

    def _start(self, module, rows, call):
        """Start a new module in closed form; return whether training may come back there."""
        if not call.is_new:
            return True
        if hasattr(module, "start"):
            module.open_ended = call.stream
            with fixed_draws(module, self.device_):
                module.start(rows)
            call.watch.check()
        is_solution = getattr(module, "start_is_solution", False)
        n_least = getattr(module, "fewest_rows", 1)
        if is_solution and call.stream and len(rows) < n_least:
            raise ValueError(
                f"n_components={self.n_components} needs at least {n_least} rows in the first "
                f"call of partial_fit, which finds where training starts. Got {len(rows)}. Use "
                "a larger first chunk, or fewer components."
            )
        return is_solution

    def _net_to_train(self, module, call):
        return self._make_net(
            module,
            patience=self.patience_ if self.early_stopping_ else None,
            callbacks=self.callbacks,
            verbose=bool(self.verbose),
            optimizer_state=None if call.is_new else call.earlier.optimizer_.state_dict(),
            history=() if call.is_new else call.earlier.history,
        )

    def _choose_how_far(self, net, rows, learned_from, may_return, call):
        """Set the number of epochs, and the share of the way from the start that is kept."""
        self.weight_share_ = 1.0
        module = net.module_
        if call.stream or not (may_return and getattr(module, "start_is_solution", False)):
            return
        automatic = call.is_new and self.max_epochs == "auto"
        lowest = getattr(module, "lowest_loss", -math.inf)
        if automatic and net.mean_loss(learned_from) - lowest < _NO_LOSS:
            self.max_epochs_ = 0
        elif _training.cross_validates(self, len(rows)):
            self.max_epochs_ = _training.affordable_epochs(
                self.max_epochs_, self.batch_size_, len(rows), net.module_.work
            )
            self.max_epochs_, self.weight_share_ = self._cross_validate(rows, net, call)

    def _cross_validate(self, rows, net, call):
        """Find the number of epochs and the share of the way that are best on held-out rows.

        Training begins where that of ``net`` will: at the start, in each fold that of its own
        rows, or where an earlier training has ended.
        """
        optimizer_state = None if call.is_new else net.optimizer_.state_dict()
        generator = copy.deepcopy(net.module_.generator)
        fewest = _training.smallest_batch(net.module_, 1)
        folds = []
        for learned_from, groups in _training.split_into_folds(rows, generator, fewest):
            module = self._same_module(net.module_)
            self._start(module, learned_from, call)
            folds.append(
                _training.Fold(
                    self._make_net(module, optimizer_state=optimizer_state, keeps_best=False),
                    learned_from,
                    groups,
                    randomness=_training.Randomness(module, self.device_),
                    watch=call.watch,
                    epochs=self.max_epochs_,
                )
            )
        return _training.choose_stop(folds, self.max_epochs_, verbose=bool(self.verbose))

    def _as_if_ended(self, net, randomness, finish):
        """Return the attributes that the fit would leave if it ended now."""
        module, history, best_epoch = _training.as_if_ended(net)
        carry_generator(module, copy.deepcopy(randomness.generator))
        so_far = self._draft(goes_on=True)
        optimizer_state = net.optimizer_.state_dict()
        net = so_far._make_net(module, optimizer_state=optimizer_state, history=history)
        finish(so_far, net, best_epoch)
        return vars(so_far)

    def _describe(self, rows, call):
        """Set the fitted attributes that tell how well it went."""
