"""One generator an estimator, and torch's global ones left as they were.

Every draw of a fit (shuffling, dropout, noise) comes from one CPU generator that the
module carries in its attribute ``generator``; each submodule whose attribute of that name
is None, or a generator, is given it. Two things can only use torch's global generator: the
starting weights that torch's layers draw, and what is not ours: modules, hooks on modules,
augmentations. These run between a save and a restore of its state, one Python thread at a
time. A thread that draws from it outside a fit is not held back, and changes what they draw.
"""

import threading
from contextlib import contextmanager, nullcontext

import torch
from torch import nn

_ONE_AT_A_TIME = threading.RLock()
_ALWAYS_DRAW = (nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


@contextmanager
def borrowed_generator(seed, device="cpu"):
    """Seed torch's global generators for the time of the block.

    Parameters
    ----------
    seed : int
    device : torch.device or str, default="cpu"
        The device whose generator is borrowed besides the CPU's.
    """
    with _ONE_AT_A_TIME:
        generators = _global_generators(torch.device(device))
        kept = [generator.get_state() for generator in generators]
        try:
            reseed_global(seed, device)
            yield
        finally:
            for generator, state in zip(generators, kept, strict=True):
                generator.set_state(state)


def fixed_draws(module, device):
    """Return a context in which ``module`` draws the same each time, whatever it draws from."""
    return borrowed_generator(0, device) if draws_globally(module) else nullcontext()


def reseed_global(seed, device):
    """Seed the global generators of the CPU and of ``device``."""
    for generator in _global_generators(torch.device(device)):
        generator.manual_seed(seed)


def _global_generators(device):
    """List torch's global generators of the CPU and of ``device``."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        torch.cuda.init()
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    elif device.type == "mps":
        generators.append(torch.mps._get_default_mps_generator())
    return generators


def carry_generator(module, generator):
    """Let ``module``, and all in it that draws, use ``generator``."""
    module.generator = generator
    for part in module.modules():
        if _wants_generator(part):
            part.generator = generator


def chance_of(module, device):
    """Return what a module draws from; for held-out rows the same each time it is asked."""
    return module.generator if module.training else torch.Generator(device).manual_seed(0)


def _wants_generator(part):
    """Whether the attribute ``generator`` of a module, if it has one, is a place for ours.

    A user's module may mean something else by that name.
    """
    if isinstance(getattr(type(part), "generator", None), property):
        return False
    if any("generator" in held for held in (part._modules, part._parameters, part._buffers)):
        return False
    held = getattr(part, "generator", "nothing")
    return held is None or isinstance(held, torch.Generator)


def draw_seed(generator):
    """Draw the seed of another generator."""
    return int(torch.randint(2**31, (), generator=generator))


def draws_globally(module):
    """Whether some part of ``module`` may use torch's global generator."""
    return any(_may_draw(part) for part in module.modules())


def _may_draw(part):
    if part._forward_hooks or part._forward_pre_hooks:
        return True
    home = type(part).__module__
    if home.startswith("skrepr."):
        held = (v if isinstance(v, (list, tuple)) else [v] for v in vars(part).values())
        return any(callable(value) and not _is_known(value) for values in held for value in values)
    if not home.startswith("torch.nn."):
        return True
    if isinstance(part, nn.modules.dropout._DropoutNd):
        return part.p > 0
    rate = getattr(part, "dropout", 0)  # a number in recurrent layers and attention
    return isinstance(part, _ALWAYS_DRAW) or (isinstance(rate, (int, float)) and rate > 0)


def _is_known(value):
    """Whether a callable is of skrepr, which draws from the generator it is given, or torch."""
    home = getattr(value if hasattr(value, "__qualname__") else type(value), "__module__", None)
    return str(home).split(".")[0] in ("skrepr", "torch")


class Randomness:
    """What a module may draw from while it trains.

    Used as a context around training. Submodules on an accelerator draw from a generator
    there, and modules that know only the global generator from that one; both are seeded
    at the start of every epoch from the module's own generator, so that its state alone
    decides how training goes on.

    Parameters
    ----------
    module : torch.nn.Module
        Carries a CPU generator in its attribute ``generator``.
    device : torch.device
    """

    def __init__(self, module, device):
        self.module = module
        self.device = device
        self.generator = module.generator
        self.there = None if device.type == "cpu" else torch.Generator(device)
        self.foreign = draws_globally(module)

    def __enter__(self):
        self._borrowed = borrowed_generator(0, self.device) if self.foreign else nullcontext()
        self._borrowed.__enter__()
        if self.there is not None:
            carry_generator(self.module, self.there)
        return self

    def new_epoch(self):
        """Seed what is not the module's own generator."""
        if self.there is not None:
            self.there.manual_seed(draw_seed(self.generator))
        if self.foreign:
            reseed_global(draw_seed(self.generator), self.device)

    def __exit__(self, *error):
        carry_generator(self.module, self.generator)
        return self._borrowed.__exit__(*error)
