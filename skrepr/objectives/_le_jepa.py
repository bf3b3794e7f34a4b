"""LeJEPA: views alike, in a cloud that is normal along every direction."""

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._checks import check_number
from ._precision import in_full_precision
from ._projection_head import make_projection_head
from ._random_directions import project


class LeJEPA(BaseEstimator):
    r"""Make views alike, in a cloud that is standard normal along random directions [1]_.

    .. math:: (1 - \lambda) \, \frac{1}{2BD} \sum_{v=1}^{2} \sum_{i=1}^{B}
              \|z_{vi} - \bar z_i\|^2 + \frac{\lambda}{2} \sum_{v=1}^{2} T(Z_v) ,
              \qquad T(Z) = \frac{1}{M} \sum_{a} B \int
              |\hat\varphi_a(t) - e^{-t^2 / 2}|^2 e^{-t^2 / 2} \, dt ,

    with :math:`z` the projections of the views, :math:`\bar z` their mean,
    :math:`\hat\varphi_a(t)` the mean of :math:`e^{i t a \cdot z}` over the batch and
    :math:`a` one of M random directions: the test of Epps and Pulley, SIGReg in [1]_. The
    integral is the trapezoidal rule with 17 knots from 0 to 3, doubled, as in the authors' short
    code. Symmetric in the two views; neither teacher, queue nor negatives.

    Parameters
    ----------
    regularization : float, default=0.05
        The :math:`\lambda`.
    n_directions : int, default=256
        The M. Drawn anew at every step.
    projection_sizes : tuple of int, default=(512, 64)
        Widths of the layers of the projection head.

    See Also
    --------
    VISReg : The same aim by sorted projections.

    References
    ----------
    .. [1] Balestriero, R. & LeCun, Y. (2025). LeJEPA: Provable and scalable self-supervised
       learning without the heuristics. arXiv:2511.08544.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import LeJEPA
    >>> loss = LeJEPA(projection_sizes=()).make_loss(torch.nn.Identity(), 4)
    >>> normal = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
    >>> bool(loss(normal, normal) < 0.01 * loss(0 * normal, 0 * normal))
    True
    """

    def __init__(self, regularization=0.05, n_directions=256, projection_sizes=(512, 64)):
        self.regularization = regularization
        self.n_directions = n_directions
        self.projection_sizes = projection_sizes

    def make_loss(self, encoder, width):
        """Make the module that computes the loss.

        Parameters
        ----------
        encoder : torch.nn.Module
            The encoder, which is not kept.
        width : int
            Number of features that it returns.

        Returns
        -------
        loss : torch.nn.Module
        """
        check_number(self, "regularization", 0, 1)
        check_number(self, "n_directions", 1, whole=True)
        head = make_projection_head(self, width)
        return _LeJEPA(head, float(self.regularization), self.n_directions)


class _LeJEPA(nn.Module):
    def __init__(self, head, regularization, n_directions):
        super().__init__()
        self.head = head
        self.regularization = regularization
        self.n_directions = n_directions
        self.generator = None

    def forward(self, first, second, *, views=None, labels=None):
        first, second = self.head(first), self.head(second)  # (B, D)
        invariance, normality = lejepa_terms(
            first,
            second,
            n_directions=self.n_directions,
            generator=self.generator,
            training=self.training,
        )  # 2 times ()
        return (1 - self.regularization) * invariance + self.regularization * normality  # ()


@in_full_precision
def lejepa_terms(first, second, *, n_directions, generator, training):
    """Compute how different the views are, and how far from normal.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, D)
        The two views of each row.
    n_directions, generator, training
        As of `project`.

    Returns
    -------
    invariance, normality : torch.Tensor of shape ()
    """
    # each view is half their difference away from the mean of both
    invariance = (first - second).square().mean() / 4
    both = project(torch.cat([first, second]), n_directions, generator, training)  # (2B, M)
    return invariance, sum(map(epps_pulley, both.chunk(2))) / 2


def epps_pulley(x):
    """Compute how far columns are from standard normal, by characteristic functions.

    Parameters
    ----------
    x : torch.Tensor of shape (B, M)
        The columns.

    Returns
    -------
    statistic : torch.Tensor of shape ()
        Their mean statistic.
    """
    t = torch.linspace(0, 3, 17, dtype=x.dtype, device=x.device)  # (T,)
    normal = torch.exp(-t.square() / 2)  # (T,)
    angles = x[..., None] * t  # (B, M, T)
    squares = (angles.cos().mean(0) - normal).square() + angles.sin().mean(0).square()  # (M, T)
    return 2 * len(x) * torch.trapezoid(squares * normal, t).mean()
