"""Questions that the query engine is measured by, each said once for everybody: ours as a query of the contract, the
peers' as SQL.

Our answers come in order of window and group, so all order theirs.
"""

from bench.shapes import events, points, tsbs
from bench.shapes.shape import Asked, Shape

__all__ = ["SHAPES", "Asked", "Shape"]

SHAPES = {shape.name: shape for shape in (*tsbs.SHAPES, *events.SHAPES, *points.SHAPES)}
