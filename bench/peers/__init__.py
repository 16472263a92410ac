"""Servers on other libraries, which are measured beside Whipbird.

Those of this folder are built and started by the bench. Others run already, and are
named on the command line.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.interop import npm

from ..servers import Feature, Program

_FOLDER = Path(__file__).parent
_LIBDATACHANNEL, _WERIFT = "node-datachannel@0.33.4", "werift@0.25.2"

# Seconds: what it is built of is fetched the first time.
_BUILD_TIMEOUT = 900.0

_VIEWERS = (50, 100, 150, 200, 300, 400, 500, 600)
_MEDIA = frozenset({Feature.ECHO, Feature.MEDIA, Feature.STREAMS, Feature.VIEWERS})


class PeerError(Exception):
    """A server cannot be built here, or is told of wrongly. The message says why."""


def _pion() -> Program:
    folder = npm.TestsCache().mkdir("bench-pion")
    go = _find("go")
    program = folder / "pion"
    built = subprocess.run(
        [go, "build", "-o", program, "."],
        cwd=_FOLDER / "pion",
        capture_output=True,
        text=True,
        timeout=_BUILD_TIMEOUT,
    )
    if built.returncode:
        raise PeerError(f"go build fails: {built.stderr.strip()}")
    return Program(
        "pion",
        command=(str(program),),
        viewers=_VIEWERS,
        features=_MEDIA | {Feature.CROWDS},
    )


def _libdatachannel() -> Program:
    return Program(
        "libdatachannel",
        command=_node("libdatachannel.mjs", _LIBDATACHANNEL),
        features=frozenset({Feature.ECHO}),
    )


def _werift() -> Program:
    return Program(
        "werift",
        command=_node("werift.mjs", _WERIFT),
        viewers=(1, 5, 10, 20, 50),
        features=_MEDIA,
    )


def _node(script: str, package: str) -> tuple[str, ...]:
    node = _find("node")
    _find("npm")
    try:
        library = npm.install(npm.TestsCache(), package)
    except subprocess.SubprocessError as error:
        raise PeerError(f"npm cannot install {package}: {error}") from None
    return (node, str(_FOLDER / script), "--library", str(library))


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise PeerError(f"{program} is not installed")
    return found


#: Builds a server, or raises `PeerError`.
BUILT: Mapping[str, Callable[[], Program]] = {
    "pion": _pion,
    "libdatachannel": _libdatachannel,
    "werift": _werift,
}


def running_already(text: str) -> Program:
    """A server that runs already.

    Args:
        text: ``NAME=WHIP_URL[,WHEP_URL][,PID][,TOKEN]``. In the URLs and in the token,
            ``{stream}`` stands for the name of the stream.

    Raises:
        PeerError: when it is something else.
    """
    name, equals, rest = text.partition("=")
    whip, *others = rest.split(",")
    if not name or not equals or not _is_url(whip):
        raise PeerError("expected NAME=WHIP_URL[,WHEP_URL][,PID][,TOKEN]")
    whep = others.pop(0) if others and _is_url(others[0]) else None
    pid = int(others.pop(0)) if others and others[0].isdecimal() else None
    token = others.pop(0) if others else None
    if others:
        raise PeerError(f'unexpected "{others[0]}"')
    if pid is not None and not Path(f"/proc/{pid}").exists():
        raise PeerError(f"there is no process {pid}")
    features = {Feature.ECHO, Feature.MEDIA}
    if "{stream}" in whip + (token or ""):
        features.add(Feature.STREAMS)
    if whep is not None:
        features |= {Feature.VIEWERS, Feature.CROWDS}
    return Program(
        name,
        viewers=_VIEWERS,
        whip=whip,
        whep=whep,
        token=token,
        is_running=True,
        pid=pid,
        features=frozenset(features),
    )


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))
