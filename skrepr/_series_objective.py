"""What a network of series is trained for: views of them, and values where these predict none."""

import torch
from torch import nn
from torch.nn import functional as F

from ._named_parts import own_parts
from ._training import chance_of
from .architectures import cut
from .augmentations import Jitter, TimeMask, choose_augmentation, make_view
from .objectives import MaskedReconstruction, blocks_of, is_causal

# Of the mean square of the codes: keeps a readout of few rows finite.
_RIDGE = 1e-2
# Rows whose tokens are computed together outside of the training.
_ROWS_AT_ONCE = 256


def check_objective(objective, augmentation, scaling):
    """Check that an objective, or None, can be used, and with other parameters."""
    if getattr(objective, "uses_labels", False):
        raise ValueError(f"objective={objective!r} uses labels, and none are read here.")
    for part in [] if objective is None else _single(objective):
        if not (hasattr(part, "make_series_loss") or hasattr(part, "make_loss")):
            raise ValueError(
                f"objective={objective!r} must be made of objectives of series, such as "
                f"MaskedReconstruction(), or of two views, such as SimCLR(). Got {part!r} in it."
            )
    if augmentation is not None and not (objective and compares_views(objective)):
        raise ValueError(
            f"augmentation makes views of series, but objective={objective!r} compares none. Set "
            "augmentation=None, or an objective such as SimCLR()."
        )
    if scaling == "per_sample" and is_causal(objective):
        raise ValueError(
            "scaling='per_sample' takes units from a whole series, of whose future a causal "
            'objective must not know. Use scaling="per_channel".'
        )


def compares_views(objective):
    """Whether an objective, or a part of it, compares two views of each series."""
    return not all(hasattr(part, "make_series_loss") for part in _single(objective))


def _single(objective):
    """List the parts of a sum, which checks them; or the objective itself."""
    if not hasattr(objective, "make_sum"):
        return [objective]
    parts = []

    def make(part):
        parts.append(part)
        return nn.Identity()

    objective.make_sum(make)
    return parts


def choose_series_augmentation(objective, given, input_shape, is_even):
    """List the parts that make views for an objective; none if it compares no views.

    Where the user leaves it open, those of uneven series leave values at their times.
    """
    if not compares_views(objective):
        return []
    if given is None:
        given = choose_augmentation(input_shape) if is_even else [TimeMask(), Jitter()]
    return own_parts(given)


def make_series_objective(objective, reader, n_values, length, augmentation):
    """Make the loss of series by an objective of any kind.

    Parameters
    ----------
    objective : objective
        Of series, of two views, or a sum of both kinds.
    reader : PooledSteps
    n_values : int
        Number of values of a step.
    length : int
        Number of steps of a common series.
    augmentation : list of augmentations
        Makes the views of values.

    Returns
    -------
    loss : torch.nn.Module
        Called as ``loss(model, series)``.
    fitted : FittedPrediction or None
        Predicts values where the loss does not.
    """

    def make(part):
        if hasattr(part, "make_series_loss"):
            return part.make_series_loss(reader.encoder, n_values, length)
        return TwoViews(part.make_loss(reader, reader.width), own_parts(augmentation))

    is_sum = hasattr(objective, "make_sum")
    loss = objective.make_sum(make) if is_sum else make(objective)
    predicts = any(hasattr(part, "judged") for part in loss.modules())
    return loss, None if predicts else FittedPrediction(reader.encoder, n_values, length)


class TwoViews(nn.Module):
    """An objective of two views, of which each is a changed copy of a series.

    Parameters
    ----------
    loss : torch.nn.Module
        Of the features of two views.
    augmentation : list of augmentations
    """

    generator = None

    def __init__(self, loss, augmentation):
        super().__init__()
        self.loss = loss
        self.augmentation = augmentation
        if getattr(loss, "lowest_at_collapse", False):
            self.lowest_at_collapse = True
        self.smallest_batch = getattr(loss, "smallest_batch", 2)

    def forward(self, model, series):
        inputs = self._inputs(model, series, chance_of(self, series.values.device))
        first, second = model.reader(inputs).chunk(2)  # (B, width) each
        views = tuple(zip(*(part.chunk(2) for part in inputs), strict=True))
        return self.loss(first, second, views=views, labels=None)

    def directions(self, model, chunks):
        """Yield features of two views of series, of length 1, in blocks: (B, width) each."""
        parts = (part for chunk in chunks for part in chunk.split(_ROWS_AT_ONCE))
        return blocks_of(self._directions(model, part) for part in parts)

    def _directions(self, model, x):
        inputs = self._inputs(model, model.units(x), chance_of(self, x.device))
        return F.normalize(model.reader(inputs), dim=1).chunk(2)

    def _inputs(self, model, series, generator):
        """Return what the encoder reads of both views, one behind the other."""
        views = (view_of(series, self.augmentation, generator, model.units) for _ in range(2))
        inputs = [model.inputs(view, None)[0] for view in views]
        return tuple(map(torch.cat, zip(*inputs, strict=True)))

    def set_progress(self, fraction):
        if hasattr(self.loss, "set_progress"):
            self.loss.set_progress(fraction)

    def after_step(self, encoder):
        if hasattr(self.loss, "after_step"):
            self.loss.after_step(encoder)


def view_of(series, augmentation, generator, units):
    """Change the values of series at random.

    Times, errors and bands stay, and so does what is missing. Augmentations see each series
    without its padding, in units of its channels, with straight lines across gaps.

    Parameters
    ----------
    series : Series
    augmentation : list of augmentations
    generator : torch.Generator
    units : SeriesUnits

    Returns
    -------
    series : Series
    """
    values = bridged(series.values, series.observed)
    if not units.scaled:
        values = units.standardized(values)
    changed = values.clone()
    lengths = series.inside.sum(1)
    for length in lengths.unique().tolist():
        if length:
            same = lengths == length
            part = make_view(values[same, :, :length], augmentation, generator)
            changed[same, :, :length] = part
    if not units.scaled:
        changed = units.restored(changed)
    return series._replace(values=changed * series.observed)


def bridged(values, observed):
    """Draw straight lines across what is not observed, and go on with the last value at the ends.

    Parameters
    ----------
    values : torch.Tensor of shape (B, V, L)
    observed : torch.Tensor of shape (B, V, L), bool
    """
    length = values.shape[2]
    steps = torch.arange(length, device=values.device).expand_as(observed)
    before = steps.where(observed, -1).cummax(2).values
    after = steps.where(observed, length).flip(2).cummin(2).values.flip(2)
    before, after = before.where(before >= 0, after), after.where(after < length, before)
    nothing = ~observed.any(2, keepdim=True)
    before, after = before.masked_fill(nothing, 0), after.masked_fill(nothing, 0)
    share = (steps - before) / (after - before).clamp(min=1)
    return values.gather(2, before).lerp(values.gather(2, after), share)


class FittedPrediction(nn.Module):
    """Hidden values as a linear function of the codes of their patches, by ridge regression.

    Parameters
    ----------
    encoder : torch.nn.Module
        Of steps.
    n_values : int
        Number of values of a step.
    length : int
        Number of steps of a common series.
    """

    def __init__(self, encoder, n_values, length):
        super().__init__()
        masked = MaskedReconstruction().make_series_loss(encoder, n_values, length)
        self.masked = masked.requires_grad_(False)

    def judged(self, model, series):
        """Yield predictions, what they are compared with, and which of them count."""
        return self.masked.judged(model, series)

    def expected(self, model, series):
        """Predict all values, in the units of ``series.values``, from the observed ones."""
        return self.masked.expected(model, series)

    def fit(self, model, batches):
        """Find the map from what is hidden of the training rows, each value once.

        Parameters
        ----------
        model : SeriesModel
        batches : iterable of torch.Tensor of shape (B, n_channels, L)
        """
        head = self.masked.head
        n_outputs, width = head.weight.shape
        squares = torch.zeros(n_outputs, width + 1, width + 1, dtype=torch.float64)
        products = torch.zeros(n_outputs, width + 1, dtype=torch.float64)
        for x in batches:
            series = model.units(x)
            for hidden in self.masked.rounds(series.inside):
                reading = model.read(series, hidden)
                # on the CPU, since not every accelerator has float64
                codes = F.pad(reading.tokens, (0, 1), value=1.0).flatten(0, 1).cpu().double()
                wanted = model.in_units_of(reading, series.values)
                parts = (_by_patch(part, model) for part in (wanted, series.weights * hidden))
                # one system for each value of a patch: others are hidden, or missing
                for k, (of_value, weight) in enumerate(zip(*parts, strict=True)):
                    weighted = (codes * weight[:, None]).T  # (W + 1, B * S)
                    squares[k] += weighted @ codes
                    products[k] += weighted @ of_value
        size = squares.diagonal(dim1=1, dim2=2)[:, :width].mean(1)  # (V * p,)
        penalty = torch.ones(width + 1, dtype=squares.dtype)
        penalty[width] = 0  # the constant is free
        ridge = _RIDGE * size[:, None] * penalty + (size == 0)[:, None]
        solved = torch.linalg.solve(squares + ridge.diag_embed(), products)
        head.weight.copy_(solved[:, :width])
        head.bias.copy_(solved[:, width])


def _by_patch(values, model):
    """Cut (B, V, L) into (V * p, B * S), in the order in which `Unpatch` puts them together."""
    return cut(values, model.encoder.patch_size).flatten(2).flatten(0, 1).T.cpu().double()
