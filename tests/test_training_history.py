"""What the history keeps."""

from trainings import embedding, table


def test_batch_rows_are_dropped_from_the_history():
    estimator = embedding().fit(table())
    assert [row["batches"] for row in estimator.net_.history] == [[], [], []]
    assert estimator.history_["train_loss"].notna().all()
