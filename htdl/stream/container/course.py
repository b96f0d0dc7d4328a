"""How playing time and bytes of a file go together: b(t), how far it must be read to have played until t.

From the container's own index where there is one, else by an even spread over the duration.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from htdl.stream.container.container import Container
from htdl.stream.container.found import Points


def course(container: Container, size: int) -> Points:
    """(seconds, bytes), both growing; empty where neither an index nor the duration is known."""
    if container.points:
        return container.points
    return ((0.0, 0), (container.duration, size)) if container.duration else ()


def seconds_at(points: Points, offset: int) -> float:
    """How long it plays with the bytes before `offset`, from its beginning."""
    at = bisect_right(points, offset, key=lambda point: point[1])
    if at == 0:
        return 0.0
    if at == len(points):
        return points[-1][0]
    (earlier, low), (later, high) = points[at - 1], points[at]
    return earlier + (later - earlier) * (offset - low) / (high - low)


def offset_at(points: Points, seconds: float) -> int:
    """Which bytes from the beginning on must be here to have played so long."""
    at = bisect_left(points, seconds, key=lambda point: point[0])
    if at == 0:
        return points[0][1]
    if at == len(points):
        return points[-1][1]
    (earlier, low), (later, high) = points[at - 1], points[at]
    return low + round((high - low) * (seconds - earlier) / (later - earlier))
