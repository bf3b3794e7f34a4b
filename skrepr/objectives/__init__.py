"""What embeddings are trained for, apart from the reconstruction of data."""

from ._info_nce import info_nce
from ._momentum import MomentumTeacher

__all__ = ["MomentumTeacher", "info_nce"]
