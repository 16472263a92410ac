"""Records published streams to media files, without transcoding."""

from .files import FileIsOpen, RecordingFolder, is_name, stream_of
from .recorder import ListedFile, NoFolder, NotPublished, Recorder
from .recording import RecordingState
from .retention import Retention
from .segments import SegmentLimits
from .stats import RecorderStats, RecordingCounts

__all__ = [
    "FileIsOpen",
    "ListedFile",
    "NoFolder",
    "NotPublished",
    "Recorder",
    "RecorderStats",
    "RecordingCounts",
    "RecordingFolder",
    "RecordingState",
    "Retention",
    "SegmentLimits",
    "is_name",
    "stream_of",
]
