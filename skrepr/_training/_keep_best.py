"""The weights that a training keeps: those of its best epoch, or of its start."""

import numpy as np
import torch
from scipy.stats import rankdata
from skorch.callbacks import Callback

from ._plan import smallest_batch


class KeepBest(Callback):
    """Keeps the weights that are best on held-out rows and ends the training without progress.

    Weights are those of the whole module, buffers included, so that student, teacher and
    queue stay together. Without held-out rows the weights of the last complete epoch are
    kept, for the case of an interruption.

    Parameters
    ----------
    patience : int or None, default=None
        Number of epochs without a new best after which training ends.

    Attributes
    ----------
    epoch_ : int
        The epoch whose weights are kept.
    """

    def __init__(self, patience=None):
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        self.tensors_ = state_tensors(net)
        self.kept_ = [tensor.detach().clone() for tensor in self.tensors_]
        self.epoch_ = len(net.history)
        self.loss_ = net.run_.start.loss

    def on_epoch_end(self, net, **kwargs):
        epoch, held_out = len(net.history), net.run_.held_out
        if held_out is None:
            loss = -epoch
        elif hasattr(net.module_, "watched"):
            loss = net.watched(held_out)
            net.history.record("valid_watched", loss)
        else:
            loss = net.history[-1, "valid_loss"]
        if loss < self.loss_:
            self.loss_, self.epoch_ = loss, epoch
            with torch.no_grad():
                torch._foreach_copy_(self.kept_, self.tensors_)
        elif self.patience is not None and epoch - self.epoch_ >= self.patience:
            net.run_.out_of_patience = True
        net.run_.n_complete = epoch

    def restore(self):
        """Put the kept weights back."""
        with torch.no_grad():
            torch._foreach_copy_(self.tensors_, self.kept_)

    def on_train_end(self, net, **kwargs):
        del self.tensors_, self.kept_


def state_tensors(net):
    """List the tensors of the module, as they stand: its weights and buffers."""
    return list(net.module_.state_dict(keep_vars=True).values())


class Start:
    """The weights where a training begins, and what they make of held-out rows.

    Parameters
    ----------
    net : Net
    held_out : Rows or None
    """

    # Groups of held-out rows whose losses are compared where single rows have none, and by how
    # many standard errors the sum of signed ranks must be above that of chance.
    _N_GROUPS, _SURE = 10, 1.5

    def __init__(self, net, held_out):
        self.net = net
        self.tensors = state_tensors(net)
        self.weights = [tensor.detach().clone() for tensor in self.tensors]
        self.loss = np.inf
        if held_out is not None:
            loss = net.watched(held_out)
            self.loss = loss if np.isfinite(loss) else np.inf
            least = smallest_batch(net.module_, 1)
            size = max(least, min(net.batch_size, len(held_out) // self._N_GROUPS))
            sizes = held_out.batches(size, smallest=max(2, least)).sizes
            groups = torch.arange(len(held_out)).split(sizes)
            self._held_out = held_out
            self._groups = [held_out.subset(group) for group in groups]
            self._losses = self._losses_of_groups()

    @torch.no_grad()
    def move_to(self, share):
        """Set the module to what lies at ``share`` of the way from here to its weights."""
        for tensor, first in zip(self.tensors, self.weights):
            if share == 0:
                tensor.copy_(first)
            elif share < 1 and tensor.is_floating_point():
                # infinite bounds, which training does not move, have no way between them
                between = torch.lerp(first, tensor, share)
                tensor.copy_(torch.where(first == tensor, tensor, between))

    def is_surely_beaten(self):
        """Whether the weights of the module have a lower loss, by more than chance.

        Judged by the signed ranks of the gains (Wilcoxon 1945) of rows, or of groups of rows
        where single ones have no loss: an outlier counts as any other, whatever the unit and
        sign of the loss.
        """
        if not np.isfinite(self._losses).all():
            return True
        gains = np.nan_to_num(self._losses - self._losses_of_groups(), nan=-np.inf)
        n = len(gains)
        ranks = rankdata(np.abs(gains))[gains > 0].sum()
        chance, error = n * (n + 1) / 4, np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return bool((gains > 0).all() or ranks > chance + self._SURE * error)

    def _losses_of_groups(self):
        if hasattr(self.net.module_, "row_losses"):  # each row is a group
            return self.net.row_losses(self._held_out)
        return np.array([self.net.watched(group) for group in self._groups])

    def check_last_step(self, rows):
        """Raise if the weights, or the loss that they now give, are not finite.

        Losses are those before each step, so nothing has told how the last one ended.
        """
        finite = all(
            # what was not finite at the start is so by intention, as are open bounds
            (now.isfinite() | (now == start) | (now.isnan() & start.isnan())).all()
            for now, start in zip(self.tensors, self.weights)
        )
        few = next(iter(self.net.batches_of(rows)))
        if not finite or not np.isfinite(self.net.losses_of([few])).all():
            raise ValueError(not_finite("The weights", self.net))


def not_finite(what, net):
    return (
        f"{what} became NaN or infinite in epoch {len(net.history)}. Likely causes: "
        f"a learning rate that is too large (learning_rate={net.lr:g}), {net.advice}."
    )
