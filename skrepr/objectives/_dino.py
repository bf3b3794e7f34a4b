"""DINO: each view predicts how a slow teacher, centered and sharpened, sorts the other."""

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._momentum import MomentumTeacher
from ._precision import in_full_precision
from ._projection_head import make_projection_head
from ._prototypes import Prototypes


class DINO(BaseEstimator):
    r"""Predict from each view the prototypes that a momentum teacher sees in the other [1]_.

    .. math:: -\frac{1}{2B} \sum_{i=1}^{B} \sum_k t'_{ik} \log p_{ik} + t_{ik} \log p'_{ik}
              \quad\text{with}\quad p_{ik} \propto e^{g_{ik} / \tau}, \;
              t_{ik} \propto e^{(h_{ik} - c_k) / \tau_t} ,

    equation 3 of [1]_ for two views, with :math:`g` and :math:`h` the cosines of the projections
    with the prototypes, of student and teacher. The center :math:`c` is a moving average of
    :math:`h` over batches (equation 4 of [1]_): it keeps one prototype from taking all rows, the
    low :math:`\tau_t` keeps all from being alike. Symmetric in the two views.

    Parameters
    ----------
    temperature : float, default=0.1
        The :math:`\tau` of the student.
    teacher_temperature : float, default=0.04
        The :math:`\tau_t` of the teacher.
    momentum : float, default=0.99
        Of the teacher, per step; rises to 1 by half a cosine over the planned steps.
    center_momentum : float, default=0.9
        Of the center.
    n_prototypes : int, default=256
        Number of prototypes.
    projection_sizes : tuple of int, default=(512, 128)
        Widths of the layers of the projection head.

    See Also
    --------
    SwAV : With even shares instead of a teacher.

    References
    ----------
    .. [1] Caron, M. et al. (2021). Emerging properties in self-supervised vision transformers.
       ICCV.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import DINO
    >>> encoder = torch.nn.Linear(6, 4)
    >>> loss = DINO(n_prototypes=8).make_loss(encoder, 4)
    >>> views = torch.randn(5, 6), torch.randn(5, 6)
    >>> loss(*map(encoder, views), views=views).shape
    torch.Size([])
    """

    def __init__(
        self,
        temperature=0.1,
        teacher_temperature=0.04,
        momentum=0.99,
        center_momentum=0.9,
        n_prototypes=256,
        projection_sizes=(512, 128),
    ):
        self.temperature = temperature
        self.teacher_temperature = teacher_temperature
        self.momentum = momentum
        self.center_momentum = center_momentum
        self.n_prototypes = n_prototypes
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
        for name in ("temperature", "teacher_temperature"):
            check_number(self, name, 0, open_low=True)
        for name in ("momentum", "center_momentum"):
            check_number(self, name, 0, 1)
        check_number(self, "n_prototypes", 1, whole=True)
        projection = make_projection_head(self, width)
        head = nn.Sequential(projection, Prototypes(projection.width, self.n_prototypes))
        teacher = MomentumTeacher(
            nn.Sequential(encoder, head), self.n_prototypes, self.momentum, queue_size=0
        )
        temperatures = (float(self.temperature), float(self.teacher_temperature))
        return _DINO(head, teacher, temperatures, self.center_momentum, self.n_prototypes)


class _DINO(nn.Module):
    lowest_at_collapse = True

    def __init__(self, head, teacher, temperatures, center_momentum, n_prototypes):
        super().__init__()
        self.head = head
        self.teacher = teacher
        self.temperatures = temperatures
        self.center_momentum = center_momentum
        self.register_buffer("center", torch.zeros(n_prototypes))
        self.fresh_center = None

    def forward(self, first, second, *, views=None, labels=None):
        seen = self.teacher.read(views)  # 2 times (B, K)
        if self.training:
            self.fresh_center = torch.cat(seen).mean(0)  # (K,)
        loss = 0.0
        for x, other in zip((first, second), reversed(seen)):
            loss = loss + cross_entropy(
                self.head(x), other, self.center, temperatures=self.temperatures
            )
        return loss / 2  # ()

    def set_progress(self, fraction):
        self.teacher.set_progress(fraction)

    @torch.no_grad()
    def after_step(self, encoder):
        self.teacher.follow(nn.Sequential(encoder, self.head))
        if self.fresh_center is not None:
            self.center.lerp_(self.fresh_center.to(self.center.dtype), 1 - self.center_momentum)
            self.fresh_center = None


@in_full_precision
def cross_entropy(student, teacher, center, *, temperatures):
    """Compute the cross-entropy of the teacher's shares and the student's.

    Parameters
    ----------
    student, teacher : torch.Tensor of shape (B, K)
        Cosines with the prototypes.
    center : torch.Tensor of shape (K,)
        What is subtracted from the teacher's.
    temperatures : tuple of float
        What the student's are divided by, and the teacher's.

    Returns
    -------
    loss : torch.Tensor of shape ()
    """
    shares = ((teacher - center) / temperatures[1]).softmax(1)  # (B, K)
    return -(shares * (student / temperatures[0]).log_softmax(1)).sum(1).mean()
