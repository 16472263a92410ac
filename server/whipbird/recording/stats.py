"""Snapshots of all recordings of a server."""

from dataclasses import dataclass

from ..stats import Counts
from .recording import Recording, RecordingState


@dataclass(frozen=True, slots=True)
class RecordingCounts(Counts):
    """What was recorded. The counts never fall.

    Attributes:
        files: files started.
        octets: octets written to them.
        frames: frames written to them.
        left_out: frames that were not written (see ``Recording``).
        failed: recordings that have failed.
    """

    files: int = 0
    octets: int = 0
    frames: int = 0
    left_out: int = 0
    failed: int = 0

    @classmethod
    def of(cls, recording: Recording) -> "RecordingCounts":
        """The counts of one recording."""
        writer = recording.writer
        return cls(
            files=writer.files,
            octets=writer.octets,
            frames=sum(writer.frames.values()),
            left_out=recording.left_out,
            failed=int(recording.state is RecordingState.FAILED),
        )


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """All recordings of a server at a moment.

    Attributes:
        active: recordings that write, or wait for what they can begin with.
        counts: of all recordings, those that have ended included.
    """

    active: int
    counts: RecordingCounts
