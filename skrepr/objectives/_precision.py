"""Formulas of objectives are computed in float32 at least."""

import functools

import torch


def in_full_precision(formula):
    """Let a formula of tensors work in float32 where the networks work in less.

    A cosine divided by a small temperature, or a covariance, is too coarse in bfloat16.

    Parameters
    ----------
    formula : callable
        Its positional arguments are tensors.

    Returns
    -------
    formula : callable
    """

    @functools.wraps(formula)
    def computed(*tensors, **options):
        with torch.autocast(tensors[0].device.type, enabled=False):
            # float64 stays as it is
            wide = [x.float() if x.dtype.itemsize < 4 else x for x in tensors]
            return formula(*wide, **options)

    return computed
