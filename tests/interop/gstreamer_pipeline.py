#!/usr/bin/python3
"""Run a pipeline of GStreamer, and count the buffers that leave its named elements.

It needs what ``gstreamer_client.py`` needs, and ends with Ctrl+C. Each line that it
writes is a JSON object: the names of elements, and how many buffers each has given out.
"""

import argparse
import signal
import sys
from collections import Counter
from queue import SimpleQueue
from typing import Any

from gstreamer_client import Gst, tell  # type: ignore[import-not-found]

# Buffers from one report to the next.
REPORT_INTERVAL = 10


class Pipeline:
    """A pipeline and its counts.

    Args:
        description: as ``gst-launch-1.0`` takes it.
        counted: names of elements, each with a pad that is called ``src``.
    """

    def __init__(self, description: str, counted: list[str]) -> None:
        self._pipeline = Gst.parse_launch(description)
        self._counts = Counter(dict.fromkeys(counted, 0))
        # Messages and counts, from GStreamer's threads and the user for the main one.
        self._events: SimpleQueue[Any] = SimpleQueue()
        for name in counted:
            pad = self._pipeline.get_by_name(name).get_static_pad("src")
            pad.add_probe(Gst.PadProbeType.BUFFER, self._count, name)
        self._pipeline.get_bus().set_sync_handler(self._take)

    def _count(self, _pad: Any, _info: Any, name: str) -> Any:
        self._counts[name] += 1
        if self._counts[name] % REPORT_INTERVAL == 0:
            self._events.put(dict(self._counts))
        return Gst.PadProbeReturn.OK

    def _take(self, _bus: Any, message: Any) -> Any:
        if message.type == Gst.MessageType.ERROR:
            self._events.put(str(message.parse_error()))
        elif message.type == Gst.MessageType.EOS:
            self._events.put(dict(self._counts) | {"ended": True})
        return Gst.BusSyncReply.DROP

    def stop(self) -> None:
        """Have ``run`` end. It may be called from a signal handler."""
        self._events.put(None)

    def run(self) -> None:
        """Play until it is stopped.

        Raises:
            ConnectionError: when an element has an error.
        """
        self._pipeline.set_state(Gst.State.PLAYING)
        try:
            while (event := self._events.get()) is not None:
                if isinstance(event, str):
                    raise ConnectionError(event)
                tell(**event)
        finally:
            self._pipeline.set_state(Gst.State.NULL)


def main() -> int:
    """Play until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("description", help="of the pipeline")
    parser.add_argument("--count", nargs="*", default=[], help="names of elements")
    arguments = parser.parse_args()
    Gst.init(None)
    pipeline = Pipeline(arguments.description, arguments.count)
    signal.signal(signal.SIGINT, lambda _number, _frame: pipeline.stop())
    pipeline.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
