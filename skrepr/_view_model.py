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
_SHARE_OF_TABLE, _SHARE_OF_SAMPLE = 1.0, 0.3
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
        Makes of a sample what of it is read beside the backbone.
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
        self.widths = [*backbone.read_widths, *([n_inputs] if n_inputs else [])]
        self.width = sum(self.widths)
        # in the training rows, of what is read of backbone and sample
        self.register_buffer("spreads", torch.ones(len(self.widths)))
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
        parts = self.backbone.read(self.units.as_read_by(self.backbone, inputs))
        if self.thumbnail is not None:
            parts = [*parts, self.thumbnail(inputs).flatten(1)]
        return torch.cat([part / spread for part, spread in zip(parts, self.spreads)], 1)

    def start(self, rows):
        """Find the units, and keep the rows that augmentations may borrow from."""
        self.units.fit(rows)
        self.donors.copy_(_cycled(self.units(rows.sample(_N_KEPT)), len(self.donors)))

    @torch.no_grad()
    def settle(self, rows):
        """Find what features are divided by, which a readout of a stream relies on."""
        self.spreads.fill_(1)
        if len(self.widths) == 1:
            return
        sample = rows.sample(_ROWS_MEASURED)
        features = torch.cat([self.encode(x) for x in sample.split(_N_KEPT)])
        variances = features.var(0, correction=0).split(self.widths)
        spreads = [variance.sum().sqrt() for variance in variances]
        self.spreads.copy_(torch.stack([s if s > 0 else torch.ones_like(s) for s in spreads]))
        if self.thumbnail is not None:
            is_table = self.units.center.ndim == 1
            self.spreads[-1] /= _SHARE_OF_TABLE if is_table else _SHARE_OF_SAMPLE

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


def _cycled(rows, n):
    """Return ``n`` rows, beginning anew where there are fewer."""
    return rows[torch.arange(n, device=rows.device) % len(rows)]
