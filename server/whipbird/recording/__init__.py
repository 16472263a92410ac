"""Keeping what is published: files of the packets as they came, nothing is encoded."""

from .recorder import NoFolder, NotPublished, Recorder
from .recording import RecordingState
from .writer import SegmentLimits

__all__ = ["NoFolder", "NotPublished", "Recorder", "RecordingState", "SegmentLimits"]
