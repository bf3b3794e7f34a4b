"""What is written of a fitted embedding, and how it is made again."""

import torch
from sklearn.base import clone

from .. import _format, _training, architectures, augmentations, objectives

# Nothing of the fitted state depends on these.
_APART_FROM_FIT = {"callbacks": None, "random_state": None, "verbose": 0}


class StateMixin:
    """How an embedding is pickled, copied, and made again from what was written."""

    def _parameters_of_fit(self):
        """Copy the parameters on which the fitted state depends; parts may change in place."""
        # a subclass of the user's own may name fewer in its constructor, or more
        names = self._parameter_constraints | self.get_params(deep=False)
        values = {name: getattr(self, name) for name in names if name not in _APART_FROM_FIT}
        return {
            name: value if isinstance(value, torch.nn.Module) else clone(value, safe=False)
            for name, value in values.items()
        }

    @_training.own_surroundings()
    def _rebuild(self, *, at_fit, module_state, readout_state, history, optimizer, generator):
        """Make network, net and readout again from what was written of them.

        ``at_fit`` are the parameters that were others at the fit.
        """
        if not at_fit.keys() <= self._parameters_of_fit().keys():
            raise ValueError(f"{sorted(at_fit)} are no parameters of {type(self).__name__}.")
        try:
            self.device_ = _training.resolve_device(self.device)
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
        readout = self._make_readout(module)
        with _format.within(readout_state):
            readout.make_room(readout_state)
        _format.check_forms(readout, readout_state)
        readout.load_state_dict(readout_state)
        _format.check_finite(readout, bounds=False)
        if generator is not None:
            module.generator.set_state(generator)
        self.net_ = self._make_net(module.eval(), optimizer_state=optimizer, history=history)
        if optimizer is not None:
            _format.check_optimizer_state(self.net_.optimizer_, optimizer)
            _training.stay_in_schedule(self.net_.optimizer_, optimizer)
        self.readout_ = readout.to(self.device_)
        self._parameters_at_fit = self._parameters_of_fit()
        vars(self).update(now)

    def __copy__(self):
        return self._draft(goes_on=True)  # not by way of the bytes below

    def __getstate__(self):
        state = super().__getstate__()
        return _format.state_of(self, state, known_names()) if "net_" in state else state

    def __setstate__(self, state):
        content, beside, rest = _format.split_state(state)
        if content is None:
            super().__setstate__(rest)
            return
        source = f"The state of {type(self).__name__}"
        document, tensors = _format.unpack(content, source)
        reader = _format.Reader(tensors, known_names(), beside)
        with _format.rebuilding(source, document):
            self.__init__(**_format.parameters_in(document, reader))
            super().__setstate__(rest)
            _format.restore(self, document, reader)


def known_names():
    """List what every reader of a written embedding knows by name."""
    return _format.known_parts(architectures, augmentations, objectives)
