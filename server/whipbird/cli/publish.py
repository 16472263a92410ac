"""``whipbird publish``: a file or a test pattern over WHIP."""

import asyncio
import json
import sys
from typing import Any

import click

from ..client import WhipClient, WhipError
from ..client.media import DEFAULT_BITRATE, MediaError, MediaSource, VideoCodec
from ..client.media_file import MediaFile
from ..client.pattern import Pattern
from ..client.publish import Publication, Report
from .loop import run, until_interrupted
from .parameters import (
    Bitrate,
    FiniteRange,
    HttpUrl,
    PictureSize,
    tls_fingerprint_option,
    token_options,
)

TEST_PATTERN = "testsrc"
DEFAULT_SIZE = (1280, 720)
DEFAULT_RATE = 30

# Seconds between lines of statistics.
INTERVAL = 1.0

_CODECS: dict[str, VideoCodec] = {"h264": "H264", "vp8": "VP8"}


@click.command("publish")
@click.argument("source", metavar="FILE|testsrc")
@click.argument("url", type=HttpUrl())
@click.option("--loop", is_flag=True, help="Repeat the file without end.")
@click.option(
    "--duration",
    type=FiniteRange(min=0, min_open=True),
    help="Stop after this many seconds.",
)
@click.option(
    "--video-codec",
    type=click.Choice(list(_CODECS)),
    help="Encode video with this codec.  [default: that of the file, else h264]",
)
@click.option(
    "--bitrate",
    type=Bitrate(),
    default=DEFAULT_BITRATE,
    help="Bits per second of encoded video.  [default: 2.5M]",
)
@click.option(
    "--size",
    type=PictureSize(),
    help="Size of the test pattern.  [default: 1280x720]",
)
@click.option(
    "--rate",
    type=click.IntRange(1, 120),
    help="Pictures per second of the test pattern.  [default: 30]",
)
@token_options
@tls_fingerprint_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object at the end."
)
def publish_command(
    source: str,
    url: str,
    loop: bool,
    duration: float | None,
    video_codec: str | None,
    bitrate: int,
    size: tuple[int, int] | None,
    rate: int | None,
    token: str | None,
    tls_fingerprint: bytes | None,
    as_json: bool,
) -> None:
    """Send FILE, or a test pattern (testsrc), to the WHIP endpoint URL.

    H.264, VP8, Opus, PCMU and PCMA are sent as they are in the file; anything else is
    transcoded. The exit code is 0 when it was sent to the end or until you stopped it,
    1 when something went wrong, 2 for wrong arguments.
    """
    codec = _CODECS[video_codec] if video_codec else None
    is_pattern = source == TEST_PATTERN
    if is_pattern and loop:
        raise click.UsageError("--loop is for files; the test pattern has no end")
    if not is_pattern and (size or rate):
        raise click.UsageError(f"--size and --rate are for {TEST_PATTERN}")
    try:
        if is_pattern:
            media: MediaSource = Pattern(
                size or DEFAULT_SIZE, rate or DEFAULT_RATE, codec or "H264", bitrate
            )
        else:
            media = MediaFile(source, codec, bitrate, repeat=loop)
    except MediaError as error:
        _finish(url, source, None, error, as_json)
        sys.exit(1)
    sys.exit(run(_publish(media, url, token, tls_fingerprint, duration, as_json)))


async def _publish(
    media: MediaSource,
    url: str,
    token: str | None,
    tls_fingerprint: bytes | None,
    duration: float | None,
    as_json: bool,
) -> int:
    report: Report | None = None
    error: WhipError | MediaError | None = None

    async def publish_all() -> None:
        nonlocal report
        async with WhipClient(
            url, token=token, tls_fingerprint=tls_fingerprint
        ) as client:
            publication = Publication(media, client, duration)
            await publication.connect(None if as_json else _print_wait)
            if not as_json:
                _print_heading(media, url, client)
            showing = asyncio.create_task(_show(publication))
            try:
                await publication.run()
            finally:
                showing.cancel()
                await asyncio.wait([showing])
                report = await publication.report()

    try:
        await until_interrupted(publish_all())
    except (WhipError, MediaError) as problem:
        error = problem
    _finish(url, media.name, report, error, as_json)
    return 0 if report is not None and report.packets and error is None else 1


async def _show(publication: Publication) -> None:
    """Show a line of statistics on a terminal, and update it."""
    if not sys.stderr.isatty():
        return
    before = await publication.report()
    try:
        while True:
            await asyncio.sleep(INTERVAL)
            report = await publication.report()
            click.echo(f"\r{_line(before, report)}\x1b[K", err=True, nl=False)
            before = report
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)


def _line(before: Report, report: Report) -> str:
    seconds = max(report.seconds - before.seconds, 1e-3)
    bitrate = (report.octets - before.octets) * 8 / seconds
    parts = [f"{report.seconds:.0f} s", f"{bitrate / 1e6:.2f} Mbit/s"]
    for old, new in zip(before.streams, report.streams, strict=True):
        if new.info.kind == "video":
            parts.append(f"{(new.frames - old.frames) / seconds:.1f} frames/s")
    if report.rtt is not None:
        parts.append(f"rtt {report.rtt * 1e3:.1f} ms")
    if report.lost is not None:
        parts.append(f"{report.lost} lost")
    if report.skipped:
        parts.append(f"{report.skipped} skipped")
    return "  ".join(parts)


def _print_wait(refusal: WhipError, seconds: float) -> None:
    click.echo(f"whipbird publish: {refusal}", err=True)
    click.echo(f"whipbird publish: Trying again in {seconds:g} s", err=True)


def _print_heading(media: MediaSource, url: str, client: WhipClient) -> None:
    host, port = client.peer.peer_address or ("?", 0)
    click.echo(f"PUBLISH {media.name} to {url} ({host} port {port})")
    for info in media.streams:
        how = f"encoded as {info.codec}" if info.is_encoded else "sent as it is"
        because = f": {info.reason}" if info.reason else ""
        click.echo(f"  {info.kind}: {info.description}, {how}{because}")


def _finish(
    url: str,
    source: str,
    report: Report | None,
    error: WhipError | MediaError | None,
    as_json: bool,
) -> None:
    """Print the result."""
    if as_json:
        click.echo(json.dumps(_as_json(url, source, report, error), indent=2))
        return
    if error is not None:
        click.echo(f"whipbird publish: {error}", err=True)
    if report is not None:
        click.echo(_summary(url, report))


def _summary(url: str, report: Report) -> str:
    lines = ["", f"--- {url} publish statistics ---"]
    for stream in report.streams:
        lines.append(
            f"{stream.info.kind}: {stream.frames} frames, {stream.packets} packets, "
            f"{stream.octets} octets of {stream.info.codec}"
        )
    total = f"{report.packets} packets, {report.octets} octets"
    total += f" in {report.seconds:.1f} seconds"
    if report.lost is not None:
        total += f", {report.lost} lost"
    if report.retransmitted:
        total += f", {report.retransmitted} retransmitted"
    if report.rtt is not None:
        total += f", rtt {report.rtt * 1e3:.3f} ms"
    lines.append(total)
    if report.skipped:
        lines.append(
            f"{report.skipped} pictures were not encoded: the machine was too slow"
        )
    if report.damaged:
        lines.append(f"{report.damaged} packets of the file are damaged")
    return "\n".join(lines)


def _as_json(
    url: str,
    source: str,
    report: Report | None,
    error: WhipError | MediaError | None,
) -> dict[str, Any]:
    def milliseconds(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds * 1e3, 3)

    return {
        "url": url,
        "source": source,
        "streams": [
            {
                "kind": stream.info.kind,
                "codec": stream.info.codec,
                "source": stream.info.description,
                "encoded": stream.info.is_encoded,
                "reason": stream.info.reason or None,
                "frames": stream.frames,
                "packets": stream.packets,
                "octets": stream.octets,
                "retransmitted": stream.retransmitted,
                "lost": stream.lost,
                "rtt_ms": milliseconds(stream.rtt),
            }
            for stream in (report.streams if report else ())
        ],
        "seconds": round(report.seconds, 3) if report else 0,
        "packets": report.packets if report else 0,
        "octets": report.octets if report else 0,
        "retransmitted": report.retransmitted if report else 0,
        "lost": report.lost if report else None,
        "rtt_ms": milliseconds(report.rtt) if report else None,
        "skipped": report.skipped if report else 0,
        "damaged": report.damaged if report else 0,
        "error": str(error) if error else None,
    }
