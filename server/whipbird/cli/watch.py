"""``whipbird watch``: a stream over WHEP, in figures, and recorded to a file."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from ..client import WhipError
from ..client.watch import NOT_PUBLISHED, End, TrackFigures, Watch, WatchOptions
from ..client.whep import WhepClient
from ..recording.named import NamedFile
from .loop import run, until_interrupted
from .parameters import (
    FiniteRange,
    HttpUrl,
    better_url,
    tls_fingerprint_option,
    token_options,
)


@click.command("watch")
@click.argument("url", type=HttpUrl())
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Record to this file (.mkv, .mp4 or .webm), without transcoding.",
)
@click.option(
    "--frames", type=click.IntRange(min=1), help="Stop after so many whole pictures."
)
@click.option(
    "--seconds",
    type=FiniteRange(min=0, min_open=True),
    help="Stop after so many seconds.",
)
@click.option(
    "--wait", is_flag=True, help="Wait for a publisher, and for the next one."
)
@click.option("-q", "--quiet", is_flag=True, help="Print the summary only.")
@token_options
@tls_fingerprint_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON object a line: one each second, then the summary.",
)
def watch_command(
    url: str,
    output: Path | None,
    frames: int | None,
    seconds: float | None,
    wait: bool,
    quiet: bool,
    token: str | None,
    tls_fingerprint: bytes | None,
    as_json: bool,
) -> None:
    """Watch a stream of the WHEP endpoint URL, in figures.

    Every second it prints what came: frames, bitrate, losses, jitter, codec and size.
    Nothing is decoded. It ends with the stream, which has ended when nothing has come
    for 10 seconds, or when you press Ctrl+C.

    Exits with 0 if media came and, with --frames, as many frames as that; otherwise
    with 1, and with 2 for wrong arguments.
    """
    file = None
    if output is not None:
        try:
            file = NamedFile(output)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--output") from None
        if output.exists():
            raise click.BadParameter(f"{output} exists", param_hint="--output")
    options = WatchOptions(frames, seconds, wait, file)
    printer = _Printer(url, as_json=as_json, quiet=quiet)
    client = {"token": token, "tls_fingerprint": tls_fingerprint}
    sys.exit(run(_watch(url, client, options, printer)))


async def _watch(
    url: str, client: dict[str, Any], options: WatchOptions, printer: "_Printer"
) -> int:
    end: End | None = None
    error: WhipError | None = None
    watch: Watch | None = None

    async def watch_all() -> None:
        nonlocal end, watch
        async with WhepClient(url, **client) as whep:
            watch = Watch(whep, options, lambda second: printer.second(watch, second))
            try:
                await watch.connect(printer.wait)
                printer.connected(whep)
                end = await watch.run()
            finally:
                printer.keep(watch)
                await asyncio.shield(watch.close())

    try:
        await until_interrupted(watch_all())
    except WhipError as problem:
        error = problem
    printer.end(watch, options.file, end, error)
    problem_of_file = watch and watch.recording and watch.recording.problem
    if error is not None or watch is None or problem_of_file:
        return 1
    return 0 if printer.frames >= (options.frames or 1) else 1


class _Printer:
    """Prints lines of text or of JSON.

    Attributes:
        frames: the frames that had come when it ended.
    """

    def __init__(self, url: str, *, as_json: bool, quiet: bool) -> None:
        self.frames = 0
        self._url = url
        self._as_json = as_json
        self._quiet = quiet
        self._seconds = 0.0
        self._figures: list[TrackFigures] = []

    def wait(self, refusal: WhipError) -> None:
        click.echo(f"whipbird watch: {refusal}; waiting for a publisher", err=True)

    def connected(self, client: WhepClient) -> None:
        host, port = client.peer.peer_address or ("?", 0)
        if self._as_json:
            steps = {name: round(s * 1e3, 3) for name, s in client.setup.steps}
            self._line(
                {"event": "connected", "address": [host, port], "setup_ms": steps}
            )
            return
        click.echo(f"WATCH {self._url} ({host} port {port})")

    def second(self, watch: Watch | None, seconds: int) -> None:
        """Print the figures of a second."""
        if self._quiet or watch is None:
            return
        if self._as_json:
            tracks = [_as_json(figures) for figures in watch.figures]
            self._line({"event": "second", "seconds": seconds, "tracks": tracks})
            return
        for figures in watch.figures:
            click.echo(f"{seconds} s  {_figures_line(figures)}")

    def keep(self, watch: Watch) -> None:
        """Keep the last figures: the tracks end with the connection."""
        self._seconds, self._figures = watch.seconds, watch.figures
        self.frames = watch.frames

    def end(
        self,
        watch: Watch | None,
        file: NamedFile | None,
        end: End | None,
        error: WhipError | None,
    ) -> None:
        """Print why it has ended, and the summary."""
        recording = watch.recording if watch else None
        problem = recording.problem if recording else None
        files = [str(path) for path in file.written if path.exists()] if file else []
        if self._as_json:
            self._line(
                {
                    "event": "summary",
                    "url": self._url,
                    "seconds": round(self._seconds, 3),
                    "frames": self.frames,
                    "tracks": [_as_json(figures) for figures in self._figures],
                    "files": files,
                    "end": end.name.lower() if end else None,
                    "error": str(error or problem) if error or problem else None,
                }
            )
            return
        if error is not None:
            click.echo(f"whipbird watch: {error}{self._advice(error)}", err=True)
            return
        click.echo(f"\n--- {self._url} watch statistics ---")
        for figures in self._figures:
            click.echo(_summary_line(figures))
        why = f": {end}" if end else ""
        click.echo(f"{self._seconds:.1f} seconds{why}")
        for name in files:
            click.echo(f"recorded to {name}")
        if problem is not None:
            click.echo(f"whipbird watch: not recorded: {problem}", err=True)

    def _advice(self, error: WhipError) -> str:
        """What to do, if nobody publishes or the URL is that of something else."""
        better = better_url(self._url, "whep")
        if better is not None and error.status in (404, 405):
            return f"\nOf a Whipbird, try: whipbird watch {better}"
        if error.status in NOT_PUBLISHED:
            return "\nStart a publisher first, or wait for one with --wait"
        return ""

    def _line(self, found: dict[str, Any]) -> None:
        click.echo(json.dumps(found))


def _figures_line(figures: TrackFigures) -> str:
    if figures.codec is None:
        return f"{figures.kind}: nothing yet"
    size = " {}x{}".format(*figures.size) if figures.size else ""
    return (
        f"{figures.kind} {figures.codec}{size}: {figures.frame_rate:.1f} frames/s, "
        f"{figures.bitrate / 1e6:.2f} Mbit/s, {figures.lost} lost, "
        f"jitter {figures.jitter * 1e3:.1f} ms"
    )


def _summary_line(figures: TrackFigures) -> str:
    size = " {}x{}".format(*figures.size) if figures.size else ""
    line = (
        f"{figures.kind} {figures.codec or 'none'}{size}: {figures.frames} frames, "
        f"{figures.packets} packets, {figures.octets} octets, {figures.lost} lost, "
        f"{figures.recovered} recovered"
    )
    if figures.left_out:
        line += f", {figures.left_out} frames incomplete"
    if figures.key_frame_requests:
        line += f", {figures.key_frame_requests} key frames requested"
    return line


def _as_json(figures: TrackFigures) -> dict[str, Any]:
    width, height = figures.size or (None, None)
    return {
        "kind": figures.kind,
        "codec": figures.codec,
        "width": width,
        "height": height,
        "frames": figures.frames,
        "left_out": figures.left_out,
        "key_frames": figures.key_frames,
        "frame_rate": round(figures.frame_rate, 2),
        "bitrate": round(figures.bitrate),
        "packets": figures.packets,
        "octets": figures.octets,
        "lost": figures.lost,
        "recovered": figures.recovered,
        "jitter_ms": round(figures.jitter * 1e3, 3),
        "nacked": figures.nacked,
        "key_frame_requests": figures.key_frame_requests,
    }
