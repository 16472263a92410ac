"""What in a stream will hurt its viewers, and what its broadcaster can change."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from ..media.stats import EncodingStats, TrackStats

# Seconds for which a stream must be there before it is judged.
MIN_AGE = 5.0

# Seconds between key frames that are too many.
RARE_KEY_FRAMES = 4.0
# Parts of the packets.
MUCH_LOST = 0.005
MUCH_MISSING = 0.02
# Seconds.
MUCH_JITTER = 0.03
FAR_APART = 0.5
LONG_SILENCE = 2.0
LONG_QUIET = 10.0
# Part of the time between two frames; and frames per second below which it does not
# count, as with slides.
UNEVEN = 0.5
FEW_FRAMES = 10.0


class Severity(enum.StrEnum):
    """How much a finding matters.

    Attributes:
        PROBLEM: some viewers see or hear nothing, or what is broken.
        WARNING: viewers notice it.
        NOTE: it matters with other servers, or later.
    """

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a stream that will hurt viewers.

    Attributes:
        code: a name that does not change, such as ``b-frames``.
        kind: ``video`` or ``audio``: what it was found in.
        rid: the encoding; None if it is the only one, or for a whole track.
        text: what is wrong, and what viewers notice.
        advice: what to change; by the program, ``OBS`` and ``FFmpeg``, if it has a
            setting for that, otherwise under ``all``.
    """

    code: str
    severity: Severity
    kind: str
    rid: str | None
    text: str
    advice: dict[str, str]


def findings(tracks: tuple[TrackStats, ...], age: float) -> tuple[Finding, ...]:
    """Judge the tracks of a stream.

    Args:
        age: seconds since it was published.

    Returns:
        What was found, the most important first; nothing while it is young.
    """
    if age < MIN_AGE:
        return ()
    found = [finding for track in tracks for finding in _of_track(track)]
    found.extend(_of_distance(tracks))
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _of_track(track: TrackStats) -> Iterator[Finding]:
    if not track.encodings:
        return
    if min(x.habits.silence for x in track.encodings) >= LONG_SILENCE:
        yield _silent(track)
        return
    for encoding in track.encodings:
        # A simulcast encoder may leave encodings out for as long as it likes.
        if encoding.habits.silence < LONG_SILENCE:
            yield from _of_packets(track.kind, encoding)
            if encoding.is_video:
                yield from _of_video(encoding)
            elif encoding.habits.quiet >= LONG_QUIET:
                yield _quiet(encoding)


def _of_video(encoding: EncodingStats) -> Iterator[Finding]:
    yield from _of_format(encoding)
    habits = encoding.habits
    if habits.reordered:
        yield _b_frames(encoding)
    elif (
        habits.unevenness is not None
        and habits.unevenness > UNEVEN
        and encoding.frame_rate >= FEW_FRAMES
    ):
        yield _uneven(encoding)
    interval = _key_frame_interval(encoding)
    if interval > RARE_KEY_FRAMES:
        yield _rare_key_frames(encoding, interval)
    if habits.completed and habits.completed >= encoding.key_frames - 1:
        yield _sets_once(encoding)


def _of_format(encoding: EncodingStats) -> Iterator[Finding]:
    """What not every browser decodes."""
    codec = encoding.codec.registered_name
    parameters = encoding.parameters
    if parameters is not None and (
        (parameters.chroma or "4:2:0") not in ("4:2:0", "4:0:0")
        or (parameters.bit_depth or 8) > 8
    ):
        words = [parameters.profile, parameters.chroma]
        if parameters.bit_depth is not None:
            words.append(f"{parameters.bit_depth} bit")
        described = ", ".join(word for word in words if word)
        yield Finding(
            "format",
            Severity.PROBLEM,
            "video",
            encoding.rid,
            f"{codec} ({described}) is decoded by few browsers or none: most viewers "
            "see no picture. All of them decode 4:2:0 with 8 bits.",
            {
                "OBS": "Settings > Advanced > Color Format: NV12. "
                "Settings > Output > Profile: baseline, main or high.",
                "FFmpeg": "-pix_fmt yuv420p -profile:v main",
            },
        )
    elif codec == "H265":
        yield Finding(
            "codec",
            Severity.WARNING,
            "video",
            encoding.rid,
            "H.265 is decoded by some browsers only, depending on the device: the "
            "others show no picture. All of them decode H.264.",
            {
                "OBS": "Settings > Output > Video Encoder: one for H.264.",
                "FFmpeg": "-c:v libx264",
            },
        )


def _b_frames(encoding: EncodingStats) -> Finding:
    share = encoding.habits.reordered
    return Finding(
        "b-frames",
        Severity.PROBLEM,
        "video",
        encoding.rid,
        f"It has B-frames ({share:.0%} of the pictures): WebRTC players show pictures "
        "in the order of their arrival, so movement jerks back and forth.",
        {
            "OBS": "Settings > Output: Max B-frames 0, or Tune: zerolatency.",
            "FFmpeg": "-bf 0 or -tune zerolatency",
        },
    )


def _key_frame_interval(encoding: EncodingStats) -> float:
    """Seconds that viewers may wait for a key frame; 0 if one comes on request."""
    habits = encoding.habits
    interval = encoding.key_frame_interval or 0.0
    if habits.answers is None and "nack pli" in encoding.codec.feedback:
        # Browsers have few by themselves, but send them on request.
        return 0.0
    return 0.0 if habits.answers else max(interval, habits.key_frame_age or 0.0)


def _rare_key_frames(encoding: EncodingStats, interval: float) -> Finding:
    rate = round(encoding.frame_rate) or 30
    return Finding(
        "key-frames",
        Severity.WARNING,
        "video",
        encoding.rid,
        f"Key frames are {interval:.0f} s apart, and none has come on request: after a "
        "loss, viewers wait as long for the next picture.",
        {
            "OBS": "Settings > Output > Keyframe Interval: 2 s.",
            "FFmpeg": f"-g {2 * rate} (two seconds of pictures)",
        },
    )


def _sets_once(encoding: EncodingStats) -> Finding:
    return Finding(
        "parameter-sets",
        Severity.NOTE,
        "video",
        encoding.rid,
        "Parameter sets (SPS and PPS) are not sent with key frames. This server adds "
        "them; with others, viewers that come later see nothing.",
        {"FFmpeg": "-bsf:v dump_extra", "all": "Repeat headers with key frames."},
    )


def _uneven(encoding: EncodingStats) -> Finding:
    assert encoding.habits.unevenness is not None
    return Finding(
        "frame-rate",
        Severity.WARNING,
        "video",
        encoding.rid,
        "Pictures are taken at uneven times: from one to the next it is "
        f"{encoding.habits.unevenness:.0%} more or less than the mean. Movement is "
        "not smooth.",
        {
            "OBS": "View > Stats shows whether rendering or encoding lags: choose a "
            "faster preset, a smaller size, or the hardware's encoder.",
            "FFmpeg": "-vf fps=30 before the encoder, and -re for files",
        },
    )


def _of_packets(kind: str, encoding: EncodingStats) -> Iterator[Finding]:
    """What the network does on the way here."""
    habits = encoding.habits
    way = {
        "all": "Use a cable instead of Wi-Fi, or a nearer server.",
        "OBS": "Settings > Output > Bitrate: less, at most two thirds of the upload.",
        "FFmpeg": "-b:v and -maxrate: less",
    }
    if habits.lost > MUCH_LOST:
        yield Finding(
            "loss",
            Severity.PROBLEM,
            kind,
            encoding.rid,
            f"{habits.lost:.1%} of the packets do not arrive here, retransmissions "
            "included: pictures freeze, sound breaks off.",
            way,
        )
    elif habits.missing > MUCH_MISSING:
        yield Finding(
            "repaired-loss",
            Severity.WARNING,
            kind,
            encoding.rid,
            f"{habits.missing:.1%} of the packets were lost on the way here, and "
            "arrived when they were sent again: it holds, with little to spare.",
            way,
        )
    # The timestamps of B-frames go back and forth, which looks like jitter.
    if encoding.jitter > MUCH_JITTER and not habits.reordered:
        yield Finding(
            "jitter",
            Severity.WARNING,
            kind,
            encoding.rid,
            f"Packets arrive unevenly (by {1000 * encoding.jitter:.0f} ms): players "
            "buffer more, which adds delay.",
            way,
        )


def _silent(track: TrackStats) -> Finding:
    silence = min(encoding.habits.silence for encoding in track.encodings)
    what = "picture" if track.kind == "video" else "sound"
    return Finding(
        f"no-{what}",
        Severity.PROBLEM,
        track.kind,
        None,
        f"No {what} has come for {silence:.0f} s, although the connection stands.",
        {"all": "See whether the source is still on, and not paused or muted."},
    )


def _quiet(encoding: EncodingStats) -> Finding:
    return Finding(
        "quiet",
        Severity.WARNING,
        "audio",
        encoding.rid,
        f"The sound has been silence for {encoding.habits.quiet:.0f} s.",
        {
            "OBS": "Audio Mixer: see whether the source is muted, and which device it "
            "is.",
            "all": "See whether the microphone is muted, or another one is meant.",
        },
    )


def _of_distance(tracks: tuple[TrackStats, ...]) -> Iterator[Finding]:
    """Sound and picture that are captured together and do not come together."""
    delays = {
        track.kind: delay
        for track in tracks
        for encoding in track.encodings
        if (delay := encoding.habits.delay) is not None
        and encoding.habits.silence < LONG_SILENCE
    }
    if len(delays) < 2:
        return
    apart = delays["audio"] - delays["video"]
    if abs(apart) <= FAR_APART:
        return
    late, early = ("sound", "picture") if apart > 0 else ("picture", "sound")
    yield Finding(
        "apart",
        Severity.WARNING,
        "audio" if apart > 0 else "video",
        None,
        f"The {late} comes {abs(apart):.1f} s later than the {early} that belongs to "
        "it: players delay the stream as long, or show both apart.",
        {
            "OBS": "Edit > Advanced Audio Properties: Sync Offset 0. "
            "Settings > Output: no look-ahead, and a faster preset.",
            "FFmpeg": "-tune zerolatency, and no filter that delays one of them",
        },
    )
