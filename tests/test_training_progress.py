"""The bar that shows how far a fit is."""

import re

import pytest
from trainings import SMALL, table

from skrepr import AutoencoderEmbedding


@pytest.mark.parametrize("verbose", [0, 1])
def test_progress_of_cross_validation(verbose, capsys, monkeypatch):
    """One line is shown, first of the folds, then of the training."""
    monkeypatch.setattr("skrepr._training._how_far._MOST_WORK", 2e7)  # fewer epochs
    AutoencoderEmbedding(2, architecture=SMALL, random_state=0, verbose=verbose).fit(table(60))
    out, told = capsys.readouterr()
    assert out == ""
    assert bool(re.search(r"cross-validation: .* \d+/\d+ ", told)) == bool(verbose)
    assert told.count("\n") == verbose
    assert "cross-validation" not in told.split("\r")[-1]
