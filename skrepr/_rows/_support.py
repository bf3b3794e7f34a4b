"""What only some methods ask of the values."""


def check_unit_interval(rows, setting):
    """Check that all values lie in [0, 1], as ``setting`` of an estimator needs them."""
    low, high = rows.range()
    if low < 0 or high > 1:
        raise ValueError(
            f"{setting} needs values in [0, 1]. Got values from {low:g} to {high:g}. Use a "
            "MinMaxScaler(clip=True) in front, or another one."
        )


def check_counts(rows, setting):
    """Check that all values are counts, as ``setting`` of an estimator needs them."""
    for block in rows.blocks():
        seen = block.nan_to_num()
        wrong = seen[(seen < 0) | (seen != seen.round())]
        if len(wrong):
            raise ValueError(
                f"{setting} needs counts: integers from 0 on. Got {wrong[0].item():g} among the "
                "values. Use the raw counts, neither scaled nor log-transformed, or another one."
            )
