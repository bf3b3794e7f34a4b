"""Series read at other times."""


def resampled(x, times):
    """Interpolate series linearly.

    Parameters
    ----------
    x : torch.Tensor of shape (n, n_channels, length)
    times : torch.Tensor of shape (n or 1, length)
        Where they are read: 0 is the first step, 1 the last one.

    Returns
    -------
    x : torch.Tensor of shape (n, n_channels, length)
    """
    last = x.shape[2] - 1
    place = (times * last).clamp(0, last)[:, None].expand(x.shape)  # (n, C, L)
    before = place.long()
    after = (before + 1).clamp(max=last)
    return x.gather(2, before).lerp(x.gather(2, after), place - before)
