"""Keeping what is published: files of the packets as they came, nothing is encoded."""

from .recorder import ListedFile, NoFolder, NotPublished, Recorder
from .recording import RecordingState
from .segments import SegmentLimits

__all__ = [
    "ListedFile",
    "NoFolder",
    "NotPublished",
    "Recorder",
    "RecordingState",
    "SegmentLimits",
]
