"""Numbers about the server as data: what the snapshots of all rooms are made of."""

from .counts import Counts
from .histogram import Histogram, HistogramStats

__all__ = ["Counts", "Histogram", "HistogramStats"]
