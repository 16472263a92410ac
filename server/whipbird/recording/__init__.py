"""Records published streams to media files, without transcoding."""

from .files import FileIsOpen, RecordingFolder, is_name, stream_of
from .recorder import ListedFile, NoFolder, NotPublished, Recorder
from .recording import RecordingState
from .retention import Retention
from .segments import SegmentLimits

__all__ = [
    "FileIsOpen",
    "ListedFile",
    "NoFolder",
    "NotPublished",
    "Recorder",
    "RecordingFolder",
    "RecordingState",
    "Retention",
    "SegmentLimits",
    "is_name",
    "stream_of",
]
