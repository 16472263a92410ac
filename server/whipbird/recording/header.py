"""What the header of a file says, and which pictures players show properly with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..media.frames import RtpFrame
from ..rtp.codecs import VideoParameters, payload_format
from ..sdp.codecs import Codec
from .reordering import reorder_depth
from .templates import parameter_sets


@dataclass(slots=True)
class FileHeader:
    """The tracks of a file.

    Attributes:
        tracks: kind -> codec of the tracks that were received when it was started.
        codecs: those of them that are in the file.
        rotation: degrees clockwise by which players rotate its pictures.
        parameters: of its pictures; None if they are unknown.
        sets: the parameter sets in the header, while no others have come; else None.
        depth: how far the order of its pictures may change (see ``PictureOrder``).
    """

    tracks: Mapping[str, Codec] = field(default_factory=dict)
    codecs: Mapping[str, Codec] = field(default_factory=dict)
    rotation: int = 0
    parameters: VideoParameters | None = None
    sets: frozenset[bytes] | None = None
    depth: int = 0

    def describe(self, frame: RtpFrame, described: bytes) -> None:
        """Set what it says of pictures.

        Args:
            frame: the first key frame.
            described: the key frame, as returned by ``join``, that had the parameters.
        """
        self.rotation = frame.rotation
        self.parameters = read_parameters(frame)
        self.sets = parameter_sets(frame.codec, described)
        self.depth = reorder_depth(frame.codec.name, described) or 0

    def has_other_sets(self, frame: RtpFrame, data: bytes) -> bool:
        """Whether a frame has parameter sets that are not in the header.

        From then on, the header does not count.
        """
        sets = parameter_sets(frame.codec, data)
        if sets:
            depth = reorder_depth(frame.codec.name, data)
            self.depth = self.depth if depth is None else depth
        if self.sets is None or sets <= self.sets:
            return False
        self.sets = None
        return True

    def has_changed(self, frame: RtpFrame, data: bytes, *, is_fixed: bool) -> bool:
        """Whether players would not show a picture properly.

        They show pictures of another size.

        Args:
            data: the frame, as returned by ``join``.
            is_fixed: whether players take parameter sets from the header only.
        """
        if payload_format(frame.codec.name) is None:
            return False
        if frame.rotation != self.rotation:
            return True
        new, old = read_parameters(frame) if frame.is_key else None, self.parameters
        if new is None or old is None:
            return False
        if _format(new) != _format(old):
            return True
        # If the size changes, one file is worth more than players that want it fixed.
        return (
            is_fixed
            and self.sets is not None
            and (new.width, new.height) == (old.width, old.height)
            and not parameter_sets(frame.codec, data) <= self.sets
        )


def read_parameters(frame: RtpFrame) -> VideoParameters | None:
    """The parameters in a key frame; None for audio."""
    video = payload_format(frame.codec.name)
    if video is None:
        return None
    found = map(video.read_parameters, frame.payloads)
    return next((parameters for parameters in found if parameters is not None), None)


def _format(parameters: VideoParameters) -> tuple[object, ...]:
    return parameters.profile, parameters.bit_depth, parameters.chroma
