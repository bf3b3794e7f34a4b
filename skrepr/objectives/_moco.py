"""MoCo: each view has to find what a slow teacher makes of the other, among a queue."""

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from ._checks import check_number
from ._momentum import MomentumTeacher
from ._precision import in_full_precision
from ._projection_head import make_projection_head


class MoCo(BaseEstimator):
    r"""Tell the teacher's view of a row from a queue of what it made of earlier batches [1]_.

    .. math:: -\frac{1}{B} \sum_{i=1}^{B} \log \frac{e^{s(q_i, k_i) / \tau}}
              {e^{s(q_i, k_i) / \tau} + \sum_{m=1}^{M} e^{s(q_i, o_m) / \tau}} ,

    equation 1 of [1]_, with :math:`q` the projections of one view, :math:`k` those that the
    momentum teacher makes of the other, :math:`o` the queue, and :math:`s` the cosine. Both
    views are queries in turn and the loss is their mean, which makes it symmetric; [1]_ has one
    direction.

    Parameters
    ----------
    temperature : float, default=0.2
        The :math:`\tau`.
    momentum : float, default=0.99
        Of the teacher, per step (equation 2 of [1]_).
    queue_size : int, default=1024
        The :math:`M`. A large share of the number of rows: the queue holds the row itself.
    projection_sizes : tuple of int, default=(512, 128)
        Widths of the layers of the projection head.

    See Also
    --------
    SimCLR : With the other rows of the batch, without a teacher.

    References
    ----------
    .. [1] He, K., Fan, H., Wu, Y., Xie, S. & Girshick, R. (2020). Momentum contrast for
       unsupervised visual representation learning. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import MoCo
    >>> encoder = torch.nn.Linear(6, 4)
    >>> loss = MoCo(queue_size=8).make_loss(encoder, 4)
    >>> views = torch.randn(5, 6), torch.randn(5, 6)
    >>> loss(*map(encoder, views), views=views).shape
    torch.Size([])
    """

    def __init__(
        self, temperature=0.2, momentum=0.99, queue_size=1024, projection_sizes=(512, 128)
    ):
        self.temperature = temperature
        self.momentum = momentum
        self.queue_size = queue_size
        self.projection_sizes = projection_sizes

    def make_loss(self, encoder, width):
        """Make the module that computes the loss.

        Parameters
        ----------
        encoder : torch.nn.Module
            The encoder, which the teacher is a copy of.
        width : int
            Number of features that it returns.

        Returns
        -------
        loss : torch.nn.Module
        """
        check_number(self, "temperature", 0, open_low=True)
        check_number(self, "momentum", 0, 1)
        check_number(self, "queue_size", 1, whole=True)
        head = make_projection_head(self, width)
        teacher = MomentumTeacher(
            nn.Sequential(encoder, head), head.width, self.momentum, self.queue_size
        )
        return _MoCo(head, teacher, float(self.temperature))


class _MoCo(nn.Module):
    def __init__(self, head, teacher, temperature):
        super().__init__()
        self.head = head
        self.teacher = teacher
        self.temperature = temperature

    def forward(self, first, second, *, views=None, labels=None):
        keys = self.teacher.read(views)  # 2 times (B, D)
        if self.training:
            self.teacher.remember(torch.cat(keys))
        losses = [
            momentum_contrast(self.head(x), key, self.teacher.queue, temperature=self.temperature)
            for x, key in zip((first, second), reversed(keys))
        ]
        return sum(losses) / 2  # ()

    def after_step(self, encoder):
        self.teacher.follow(nn.Sequential(encoder, self.head))


@in_full_precision
def momentum_contrast(queries, keys, queue, *, temperature):
    """Compute how badly each query finds its key among the rows of a queue.

    Parameters
    ----------
    queries, keys : torch.Tensor of shape (B, D)
        Row i of one is the partner of row i of the other.
    queue : torch.Tensor of shape (M, D)
        Partners of none.
    temperature : float
        What cosines are divided by.

    Returns
    -------
    loss : torch.Tensor of shape ()
    """
    queries, keys, queue = (F.normalize(x, dim=1) for x in (queries, keys, queue))
    own = (queries * keys).sum(1, keepdim=True)  # (B, 1)
    cosines = torch.cat([own, queries @ queue.T], 1)  # (B, 1 + M)
    return F.cross_entropy(cosines / temperature, cosines.new_zeros(len(own), dtype=torch.long))
