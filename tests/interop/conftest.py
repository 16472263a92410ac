"""Fixtures: the clients that have to be installed."""

import subprocess
from pathlib import Path

import pytest

# The interpreter that Debian's bindings of GStreamer are for.
PYTHON = "/usr/bin/python3"

ELEMENTS = (
    "webrtcbin nicesink dtlsenc srtpenc vp8enc vp9enc x264enc x265enc "
    "opusenc mulawenc alawenc"
)
PROBE = f"""
import gi
for name in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(name, "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC
Gst.init(None)
missing = [e for e in {ELEMENTS!r}.split() if not Gst.ElementFactory.find(e)]
raise SystemExit(f"no {{' '.join(missing)}}" if missing else 0)
"""


@pytest.fixture(scope="session")
def gstreamer() -> tuple[str, str]:
    """The command that publishes with GStreamer.

    It skips where GStreamer, its bindings or an element is not installed.
    """
    try:
        # Its first use looks at all plugins.
        probe = subprocess.run(
            (PYTHON, "-c", PROBE), capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        pytest.skip(f"there is no {PYTHON}")
    if probe.returncode:
        pytest.skip(f"GStreamer: {probe.stderr.strip().splitlines()[-1]}")
    return PYTHON, str(Path(__file__).with_name("gstreamer_client.py"))
