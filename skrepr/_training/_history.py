"""What skorch's history tells, in our words."""

import pandas as pd

# Entries of an epoch that only the loop and its callbacks need.
_OF_THE_LOOP = ("batches", "dur")


def as_frame(history):
    """Bring a history to a data frame: one row an epoch, with losses, terms and seconds."""
    rows = [
        {
            name: value
            for name, value in row.items()
            if not name.endswith(("_best", "_batch_count")) and name not in _OF_THE_LOOP
        }
        | {"seconds": row["dur"]}
        for row in history
    ]
    return pd.DataFrame(rows or {"epoch": [], "train_loss": [], "seconds": []})


def without_batches(rows):
    """Forget what a history tells of single batches, for each of some of its epochs."""
    return [row | {"batches": []} for row in rows]
