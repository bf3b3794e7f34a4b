"""A teacher that follows its student slowly, and a queue of what it said."""

import copy
import math

import torch
from torch import nn


class MomentumTeacher(nn.Module):
    r"""A copy of an encoder that follows it, and what it made of earlier batches [1]_.

    After each step its weights are :math:`m` times what they were plus :math:`1 - m` times
    those of the student (equation 2 of [1]_).

    Parameters
    ----------
    student : torch.nn.Module
        The encoder.
    width : int
        Number of units of what is queued.
    momentum : float, default=0.99
        The :math:`m`.
    queue_size : int, default=4096
        Number of rows that are kept of earlier batches.

    References
    ----------
    .. [1] He, K., Fan, H., Wu, Y., Xie, S. & Girshick, R. (2020). Momentum contrast for
       unsupervised visual representation learning. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import MomentumTeacher
    >>> student = torch.nn.Linear(3, 2)
    >>> teacher = MomentumTeacher(student, 2, queue_size=8)
    >>> teacher.remember(torch.ones(5, 2))
    >>> teacher.follow(student)
    >>> int((teacher.queue == 1).all(1).sum())
    5
    """

    def __init__(self, student, width, momentum=0.99, queue_size=4096):
        super().__init__()
        self.network = copy.deepcopy(student).requires_grad_(False)
        self.momentum = self.base_momentum = momentum
        self.register_buffer("queue", torch.randn(queue_size, width))
        self.fresh = None

    def set_progress(self, fraction):
        """Let the momentum rise to 1 by half a cosine.

        Parameters
        ----------
        fraction : float or None
            Share of the planned steps that is done; None: the momentum is that given at first.
        """
        left = 1.0 if fraction is None else (1 + math.cos(math.pi * fraction)) / 2
        self.momentum = 1 - (1 - self.base_momentum) * left

    @torch.no_grad()
    def read(self, views):
        """Apply the teacher to the views of a batch.

        Parameters
        ----------
        views : tuple of torch.Tensor of shape (B, *sample_shape)
            The views.

        Returns
        -------
        outputs : list of torch.Tensor of shape (B, width)

        Raises
        ------
        ValueError
            If there are none.
        """
        if views is None:
            raise ValueError(
                "A momentum teacher reads both views with one encoder, but got no views: two "
                "modalities have an encoder each. Use an objective without a teacher, such as "
                "SimCLR or VICReg."
            )
        return [self.network(view) for view in views]

    def remember(self, keys):
        """Keep what was made of a batch until the step is done.

        Parameters
        ----------
        keys : torch.Tensor of shape (B, width)
            What the teacher made of it.
        """
        self.fresh = keys.detach()

    @torch.no_grad()
    def start(self, student):
        """Take over the weights of the student.

        Parameters
        ----------
        student : torch.nn.Module
            The encoder.
        """
        self.network.load_state_dict(student.state_dict())

    @torch.no_grad()
    def follow(self, student):
        """Move towards the student, and put what is remembered into the queue.

        Parameters
        ----------
        student : torch.nn.Module
            The encoder.
        """
        own, new = list(self.network.parameters()), list(student.parameters())
        torch._foreach_lerp_(own, new, 1 - self.momentum)
        for buffer, now in zip(self.network.buffers(), student.buffers()):
            buffer.copy_(now)
        if self.fresh is not None:
            self.queue.copy_(torch.cat([self.fresh, self.queue])[: len(self.queue)])
            self.fresh = None
