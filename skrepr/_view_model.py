"""An encoder that views of each row pass through, and what it says of rows."""

import torch
from torch import nn
from torch.nn import functional as F

from ._training import chance_of, rise_and_fall
from .augmentations import make_view
from .objectives import blocks_of, disagreement, pointwise_agreement

# Views of each row in `score_samples`, and training rows that it is compared with.
_N_VIEWS, _N_KEPT = 4, 256
# What is read of the sample itself, as a share of what is read of the encoder: of tables, which
# have no better neighbors than their columns, and of series and images.
_SHARE_OF_TABLE, _SHARE_OF_SAMPLE = 1.0, 0.45
# Of the mean variance of a map's units, what is added to that of each before it is divided by its
# root: units that hardly ever answer would drown the others.
_DAMPING = 0.1
# Rows from which spreads are estimated.
_ROWS_MEASURED = 4096


class ViewModel(nn.Module):
    """An encoder that views of each row pass through, and what is asked of the result.

    Parameters
    ----------
    backbone : Backbone
    units : Units
    objective : torch.nn.Module
    augmentation : list of augmentations
    thumbnail : torch.nn.Module or None
        Makes of a sample what of it is read next to the backbone.
    """

    generator = None

    def __init__(self, backbone, units, objective, augmentation, thumbnail):
        super().__init__()
        self.backbone = backbone
        self.units = units
        self.objective = objective
        self.augmentation = augmentation
        self.thumbnail = thumbnail
        shape = units.center.shape
        n_inputs = 0 if thumbnail is None else thumbnail(units.center[None]).numel()
        self.of_table = units.center.ndim == 1
        # Series are also read where the objective's head begins. On images that helped after
        # short trainings only.
        self.reads_head = bool(
            n_inputs
            and units.center.ndim == 2
            and hasattr(backbone, "read_and_output")
            and getattr(getattr(objective, "head", None), "hidden_width", 0)
        )
        self.widths = list(backbone.read_widths)
        self.widths += [objective.head.hidden_width] if self.reads_head else []
        self.widths += [n_inputs] if n_inputs else []
        self.width = sum(self.widths)
        # what each value that is read is divided by
        self.register_buffer("scales", torch.ones(self.width))
        self.register_buffer("seed", torch.randint(2**31, ()))
        borrows = any(getattr(part, "borrows", False) for part in augmentation)
        self.register_buffer("donors", torch.zeros(_N_KEPT if borrows else 0, *shape))
        self.register_buffer("references", torch.zeros(_N_KEPT, backbone.width))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, batch):
        x, labels = batch if isinstance(batch, tuple) else (batch, None)
        inputs, generator = self.units(x), chance_of(self, x.device)  # (B, *input_shape)
        views = tuple(make_view(inputs, self.augmentation, generator) for _ in range(2))
        both = self.units.as_read_by(self.backbone, torch.cat(views))
        first, second = self.backbone(both).chunk(2)  # (B, width) each
        return self.objective(first, second, views=both.chunk(2), labels=labels)

    def encode(self, x):
        inputs = self.units(x)
        x = self.units.as_read_by(self.backbone, inputs)
        if self.reads_head:
            parts, output = self.backbone.read_and_output(x)
            parts = [*parts, self.objective.head.hidden(output)]
        else:
            parts = self.backbone.read(x)
        if self.thumbnail is not None:
            parts = [*parts, self.thumbnail(inputs).flatten(1)]
        return torch.cat(parts, 1) / self.scales

    def start(self, rows):
        """Find the units, and keep the rows that augmentations may borrow from."""
        self.units.fit(rows)
        self.donors.copy_(_cycled(self.units(rows.sample(_N_KEPT)), len(self.donors)))

    @torch.no_grad()
    def settle(self, rows):
        """Find what features are divided by, which a readout of a stream relies on."""
        self.scales.fill_(1)
        if len(self.widths) == 1:
            return
        sample = rows.sample(_ROWS_MEASURED)
        features = torch.cat([self.encode(x) for x in sample.split(_N_KEPT)])
        variances = list(features.var(0, correction=0).split(self.widths))
        of_sample = [] if self.thumbnail is None else [variances.pop()]
        share = _SHARE_OF_TABLE if self.of_table else _SHARE_OF_SAMPLE
        scales = [_scales(variance, balances=not self.of_table) for variance in variances]
        scales += [_scales(variance) / share for variance in of_sample]
        self.scales.copy_(torch.cat(scales))

    @torch.no_grad()
    def refer_to(self, rows, is_new):
        """Keep embeddings of training rows; of a stream, those of the last rows."""
        embedded = self.embed(rows.sample(_N_KEPT), 0)
        kept = torch.cat([embedded, self.references])[:_N_KEPT]
        self.references.copy_(_cycled(embedded, _N_KEPT) if is_new else kept)

    def embed(self, x, number):
        """Embed one view, the same change for all rows, as a direction: (B, width)."""
        generator = torch.Generator(x.device).manual_seed(int(self.seed) + number)
        return self._direction(make_view(self.units(x), self.augmentation, generator, self.donors))

    def compare(self, x):
        """Compare how close views of a row are with how close other rows come: (B,)."""
        views = torch.stack([self.embed(x, number) for number in range(_N_VIEWS)])
        return pointwise_agreement(views, self.references, float(self.temperature))

    def pairs(self, chunks):
        """Yield directions of two views of rows in blocks of 256: (B, width) each.

        Each row is changed by draws of its own, as in training: one change that all rows share
        hardly moves them against each other, and any network tells them apart. The same rows
        in the same order are changed alike.
        """
        generator = torch.Generator(self.seed.device).manual_seed(int(self.seed))
        for (x,) in blocks_of((chunk,) for chunk in chunks):
            inputs = self.units(x)
            views = [make_view(inputs, self.augmentation, generator) for _ in range(2)]
            yield tuple(map(self._direction, views))

    def _direction(self, view):
        return F.normalize(self.backbone(self.units.as_read_by(self.backbone, view)), dim=1)

    @property
    def watched(self):
        """Minus the agreement of held-out rows, where the loss itself is lowest at collapse."""
        if not getattr(self.objective, "lowest_at_collapse", False):
            raise AttributeError("The loss is watched.")
        return self._disagreement

    def _disagreement(self, rows):
        return disagreement(self.pairs(rows.blocks()))

    @property
    def smallest_batch(self):
        return getattr(self.objective, "smallest_batch", 2)

    def set_progress(self, fraction):
        if hasattr(self.objective, "set_progress"):
            self.objective.set_progress(fraction)

    def after_step(self):
        if hasattr(self.objective, "after_step"):
            self.objective.after_step(self.backbone)

    @staticmethod
    def learning_rate_factor(fraction):
        return rise_and_fall(fraction, 0.05)


def _scales(variance, balances=False):
    """Return what makes the variances of some units add up to 1: (n_units,).

    Parameters
    ----------
    variance : torch.Tensor of shape (n_units,)
    balances : bool, default=False
        Whether units that vary less are raised.
    """
    if not variance.sum() > 0:
        return torch.ones_like(variance)
    scales = torch.ones_like(variance)
    if balances:
        scales = (variance + _DAMPING * variance.mean()).sqrt()
    return scales * (variance / scales**2).sum().sqrt()


def _cycled(rows, n):
    """Return ``n`` rows, beginning anew where there are fewer."""
    return rows[torch.arange(n, device=rows.device) % len(rows)]
