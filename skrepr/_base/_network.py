"""The network of an embedding, and the net that trains it: made for a fit, and made again."""

import copy

import numpy as np
import torch
from sklearn.utils import check_random_state

from .. import _training
from .._training import borrowed_generator, carry_generator

# What is given to an optimizer by estimators without parameters for it.
_OF_THE_OPTIMIZER = {"optimizer": None, "optimizer_params": None, "weight_decay": 0.0}


class NetworkMixin:
    """How a network is made from parameters, shapes and seeds, and what trains it."""

    # What a training that diverges is told, where it is not features.
    _advice = None

    def _draw_seeds(self):
        """Draw the seeds of the starting weights and of the module's generator."""
        if self.random_state is None:
            # not numpy's global generator, which is left as it is
            return np.random.default_rng().integers(2**31, size=2).tolist()
        return check_random_state(self.random_state).randint(2**31 - 1, size=2).tolist()

    def _new_module(self, seeds):
        """Make the network; it begins with the first seed, and draws by the second."""
        with borrowed_generator(seeds[0]):
            module = self._make_module(self.input_shape_)
            if not hasattr(module, "work"):
                example = self._example(_training.smallest_batch(module))
                module.work = _training.count_work(module.eval(), example)
        carry_generator(module, torch.Generator().manual_seed(seeds[1]))
        return module.to(self.device_)

    def _example(self, n):
        """Make samples of nothing, from the shapes alone."""
        return torch.zeros(n, *self.input_shape_)

    def _same_module(self, earlier):
        """Make the module that the parameters ask for, with the weights of an earlier one."""
        module = self._new_module((0, 0))
        try:
            module.load_state_dict(self._state_that_goes_on(earlier, module))
        except RuntimeError as error:
            raise ValueError(
                f"Training cannot go on: {self!r} describes another network than the fitted one, "
                "by n_components, input_shape or a part. Restore them, or fit anew with "
                "warm_start=False."
            ) from error
        carry_generator(module, copy.deepcopy(earlier.generator))
        return module

    def _state_that_goes_on(self, earlier, module):
        """Return the state of an earlier module, from which the training of ``module`` goes on."""
        return earlier.state_dict()

    def _make_net(self, module, **settings):
        """Make the net that trains ``module``; ``settings`` are further ones of `make_net`."""
        return _training.make_net(
            module,
            **{name: getattr(self, name, default) for name, default in _OF_THE_OPTIMIZER.items()},
            learning_rate=self._resolve_learning_rate(),
            batch_size=self.batch_size_,
            max_epochs=self.max_epochs_,
            device=self.device_,
            precision=self._resolve_precision(module),
            advice=self._advice,
            **settings,
        )

    def _resolve_precision(self, module):
        return _training.resolve_precision(self.precision, module, self.batch_size_, self.device_)

    def _resolve_learning_rate(self):
        return self.learning_rate
