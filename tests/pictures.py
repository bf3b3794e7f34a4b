"""Where things stand on a picture, for the tests of the displays."""


def overlaps(boxes):
    """Count pairs of boxes (left, bottom, right, top) that share area."""
    return sum(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    )


def extents(artists, figure):
    """Boxes on the canvas, as :func:`overlaps` takes them."""
    figure.canvas.draw()
    return [artist.get_window_extent().extents for artist in artists]
