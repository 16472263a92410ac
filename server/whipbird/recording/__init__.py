"""Records published streams to media files, without transcoding."""

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
