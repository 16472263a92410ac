"""Pictures upright: phones write them as the sensor lies, and say how to turn them."""

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from .media import MediaError

# FFmpeg's filters, by the degrees counterclockwise.
_FILTERS = {
    90: (("transpose", "cclock"),),
    180: (("hflip", None), ("vflip", None)),
    270: (("transpose", "clock"),),
}


def rotation(frame: VideoFrame) -> int:
    """Degrees counterclockwise by which a player turns it: 0, 90, 180 or 270."""
    return round(frame.rotation / 90) % 4 * 90


class Rotator:
    """Turns pictures as they say that they want to be turned."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._input: tuple[int, int, int, str] | None = None

    def turn(self, frame: VideoFrame) -> VideoFrame:
        """Turn a picture.

        Raises:
            MediaError: when this FFmpeg lacks a filter.
        """
        degrees = rotation(frame)
        if not degrees:
            return frame
        given = (degrees, frame.width, frame.height, frame.format.name)
        try:
            if self._graph is None or given != self._input:
                self._graph, self._input = _open(frame, degrees), given
            self._graph.push(frame)
            turned = self._graph.pull()
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"FFmpeg's filter to turn pictures: {error}") from error
        assert isinstance(turned, VideoFrame)
        return turned


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
