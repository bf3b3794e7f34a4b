"""The map of an embedding: what it takes and what it refuses."""

import numpy as np
import pytest

from skrepr.displays import EmbeddingDisplay

pytestmark = pytest.mark.usefixtures("figures")


def test_one_row_is_drawn_where_nothing_is_to_be_reduced():
    display = EmbeddingDisplay.from_embedding([[1.0, 2.0]], ["a"])
    np.testing.assert_array_equal(display.scatters_["a"].get_offsets(), [[1, 2]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduction": "isomap"}, "'reduction' parameter of EmbeddingDisplay must be a str among"),
        ({"marker": "cross"}, "'marker' parameter of EmbeddingDisplay must be a str among"),
        (
            {"y": np.arange(10), "color_by": "hue"},
            "'color_by' parameter .* must be a str",
        ),
        ({"n_thumbnails": 3}, "need samples"),
        ({"n_thumbnails": -1}, r"must be an int in the range \[0, inf\)"),
        ({"n_thumbnails": 3, "samples": np.ones((10, 8, 8, 3))}, "channels first"),
        ({"n_thumbnails": 3, "samples": np.ones(10)}, "A sample is a table"),
        ({"y": np.ones((10, 2))}, "y should be a 1d array"),
        ({"y": ["a", "b"] * 5, "color_by": "value"}, "color_by='value' needs numbers"),
        ({"y": np.arange(9)}, "inconsistent numbers of samples"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_embedding(np.random.default_rng(0).normal(size=(10, 2)), **arguments)
