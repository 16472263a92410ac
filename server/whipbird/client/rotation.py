"""Rotates pictures to be upright: phones store them as the camera is held."""

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from .media import MediaError

# FFmpeg's filters, by degrees counterclockwise.
_FILTERS = {
    90: (("transpose", "cclock"),),
    180: (("hflip", None), ("vflip", None)),
    270: (("transpose", "clock"),),
}


def rotation(frame: VideoFrame) -> int:
    """Degrees counterclockwise by which to rotate a frame: 0, 90, 180 or 270."""
    return round(frame.rotation / 90) % 4 * 90


class Rotator:
    """Rotates pictures by quarter turns."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._input: tuple[int, int, int, str] | None = None

    def rotate(self, frame: VideoFrame, degrees: int) -> VideoFrame:
        """Rotate a picture.

        Args:
            degrees: counterclockwise: 0, 90, 180 or 270.

        Raises:
            MediaError: when this FFmpeg lacks a filter.
        """
        if not degrees:
            return frame
        given = (degrees, frame.width, frame.height, frame.format.name)
        try:
            if self._graph is None or given != self._input:
                self._graph, self._input = _open(frame, degrees), given
            self._graph.push(frame)
            rotated = self._graph.pull()
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"FFmpeg's filter to rotate pictures: {error}") from error
        assert isinstance(rotated, VideoFrame)
        return rotated


def _open(frame: VideoFrame, degrees: int) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    filters = [graph.add(name, arguments) for name, arguments in _FILTERS[degrees]]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph
