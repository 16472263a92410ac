"""What a source writes, and which time its reports tell."""

from whipbird.rtc.encoding import EncodedFrame
from whipbird.rtc.outgoing import OutgoingSource, SendParameters
from whipbird.sdp.codecs import Codec

_VIDEO = SendParameters(codec=Codec(96, "VP8/90000"), cname="name")


def video() -> OutgoingSource:
    return OutgoingSource("video", _VIDEO, ssrc=1, repair_ssrc=2)


def send(source: OutgoingSource, seconds: float, now: float, due: float) -> int:
    """Send a frame; return the timestamp of its packet."""
    frame = EncodedFrame([b"picture"], round(seconds * 90000), None)
    [packet] = source.write(frame, now, due)
    return int.from_bytes(packet[4:8])


def test_a_delay_of_one_frame_moves_no_report() -> None:
    """RFC 3550 section 6.4.1: both timestamps are of the same instant."""
    source = video()
    first = send(source, 0, now=100.0, due=100.0)
    in_time = source.timestamp_at(103.0)
    # Its process stood still for half a second, and then caught up.
    send(source, 1, now=101.5, due=101.0)
    assert source.timestamp_at(103.0) == in_time
    send(source, 1.25, now=101.5, due=101.25)
    assert source.timestamp_at(103.0) == in_time
    assert in_time == (first + 3 * 90000) & 0xFFFFFFFF


def test_another_track_goes_on_from_when_it_was_due() -> None:
    source = video()
    first = send(source, 7, now=100.0, due=100.0)
    source.switch()
    second = send(source, 0, now=102.5, due=102.0)
    assert (second - first) & 0xFFFFFFFF == 2 * 90000
