"""The model of a browser that watches."""

import pytest

from tests.netem.picture import VIDEO_RATE, Picture, frozen
from tests.netem.receiver import VP8_TYPE, Receiver
from tests.netem.sound import RED_TYPE, Sound
from tests.netem.world import World
from tests.rtp_packets import write_rtp
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rtcp import SenderReport, write_sender_report
from whipbird.rtp.rtcp_requests import (
    Estimate,
    KeyFrameRequest,
    Nack,
    Reported,
    parse_requests,
)

VIDEO, RTX, AUDIO = 7, 8, 9
OPUS = 111
KEY, DELTA, MORE = b"\x10\x10key", b"\x10\x11delta", b"\x00more"


class Viewer:
    """A receiver, and what it has sent."""

    def __init__(self) -> None:
        self.world = World()
        self.requests: list[object] = []
        self.receiver = Receiver(
            self.world, self._take, video=VIDEO, rtx_ssrc=RTX, audio=AUDIO
        )

    def _take(self, data: bytes) -> None:
        self.requests += parse_requests(data)

    @property
    def picture(self) -> Picture:
        return self.receiver.picture

    def asked(self) -> list[int]:
        """The packets that it has asked for since this was called last."""
        found = [n for r in self.requests if isinstance(r, Nack) for n in r.sequences]
        self.requests.clear()
        return found

    def send(self, sequence: int, frame: int, payload: bytes, marker: bool) -> None:
        """Send a packet of a frame; there are 30 of these in a second."""
        timestamp = frame * VIDEO_RATE // 30
        data = write_rtp(
            sequence, timestamp, VIDEO, payload, payload_type=VP8_TYPE, marker=marker
        )
        self.receiver.receive(data, self.world.now)

    def retransmit(self, sequence: int, frame: int, payload: bytes) -> None:
        timestamp = frame * VIDEO_RATE // 30
        body = sequence.to_bytes(2) + payload
        data = write_rtp(1, timestamp, RTX, body, payload_type=97, marker=True)
        self.receiver.receive(data, self.world.now)


def test_frames_are_shown_when_they_are_whole() -> None:
    viewer = Viewer()
    viewer.send(1, 0, KEY, False)
    assert viewer.picture.shown == []
    viewer.world.run_for(0.01)
    viewer.send(2, 0, MORE, True)
    assert viewer.picture.shown == [0.01]
    assert viewer.picture.buffered == [0.01]


def test_a_frame_waits_for_what_is_missing_before_it() -> None:
    viewer = Viewer()
    viewer.send(1, 0, KEY, True)
    viewer.send(3, 2, DELTA, True)
    assert len(viewer.picture.shown) == 1
    assert viewer.asked() == [2]
    viewer.retransmit(2, 1, DELTA)
    assert len(viewer.picture.shown) == 3
    viewer.world.run_for(0.5)
    assert viewer.asked() == []


def test_it_goes_on_with_a_whole_key_frame() -> None:
    viewer = Viewer()
    viewer.send(1, 0, KEY, True)
    viewer.send(3, 2, DELTA, True)
    viewer.send(4, 3, KEY, False)
    viewer.send(6, 3, MORE, True)
    viewer.asked()
    viewer.send(5, 3, MORE, False)
    viewer.send(7, 4, DELTA, True)
    assert len(viewer.picture.shown) == 3
    viewer.world.run_for(0.5)
    assert viewer.asked() == []


def test_without_a_frame_it_asks_for_a_key_frame() -> None:
    viewer = Viewer()
    viewer.send(1, 0, DELTA, True)
    viewer.world.run_for(2.9)
    assert KeyFrameRequest(VIDEO) not in viewer.requests
    viewer.world.run_for(0.2)
    assert KeyFrameRequest(VIDEO) in viewer.requests


def test_a_frame_is_shown_no_sooner_than_a_usual_one() -> None:
    viewer = Viewer()
    for frame in range(10):
        viewer.world.run_for(frame / 30 + 0.1 - viewer.world.now)
        viewer.send(frame, frame, KEY if frame == 0 else DELTA, True)
    viewer.send(10, 10, DELTA, True)
    assert viewer.picture.shown[-1] == pytest.approx(10 / 30 + 0.1)


def test_it_reports_what_was_lost_on_the_way_once() -> None:
    viewer = Viewer()
    viewer.send(1, 0, KEY, True)
    for number in range(2, 9):
        viewer.send(number + 1, number, DELTA, True)
    viewer.retransmit(2, 1, DELTA)
    viewer.world.run_for(1.0)
    # With the request, and a second later.
    first, second = (r for r in viewer.requests if isinstance(r, Reported))
    assert (first.ssrc, first.packets_lost, second.packets_lost) == (VIDEO, 1, 1)
    assert first.fraction_lost == pytest.approx(1 / 3, abs=1 / 256)
    assert second.fraction_lost == 0


def test_its_estimate_grows_slowly_and_falls_when_packets_wait() -> None:
    viewer = Viewer()

    def estimate(delay: float) -> int | None:
        data = write_rtp(1, 0, AUDIO, bytes(988), payload_type=OPUS)
        viewer.requests.clear()
        for _ in range(5):
            for _ in range(25):
                viewer.receiver.receive(data, viewer.world.now - delay)
            viewer.world.run_for(0.2)
        found = [r.bitrate for r in viewer.requests if isinstance(r, Estimate)]
        return found[-1] if found else None

    assert [estimate(0.01) for _ in range(4)] == [None] * 4
    assert estimate(0.01) == pytest.approx(1_000_000, rel=0.01)
    assert estimate(0.01) == pytest.approx(1_080_000, rel=0.02)
    assert [estimate(0.01) for _ in range(20)][-1] == pytest.approx(1_500_000, rel=0.01)
    assert estimate(0.1) == pytest.approx(850_000, rel=0.01)
    assert estimate(0.01) == pytest.approx(918_000, rel=0.02)


def test_freezes_are_those_of_webrtc_stats() -> None:
    def moments(gap: float) -> list[float]:
        return [n / 30 for n in range(60)] + [59 / 30 + gap + n / 30 for n in range(60)]

    assert frozen(moments(1 / 30), 0, 3.9) == 0
    assert frozen(moments(0.18), 0, 3.9) == 0
    assert frozen(moments(0.19), 0, 3.9) == pytest.approx(0.19)
    # Only what is between the two moments; and what has not ended.
    assert frozen(moments(1.0), 59 / 30 + 0.5, 4) == pytest.approx(0.5)
    assert frozen([0.0], 0, 3) == 3


def test_sound_that_comes_too_late_is_concealed() -> None:
    world, late = World(), {5, 20}
    sound = Sound(world)

    def send(number: int, payload_type: int, payload: bytes = b"opus") -> None:
        data = write_rtp(
            number, 960 * number, payload=payload, payload_type=payload_type
        )
        packet = RtpPacket.parse(data)
        assert packet is not None
        sound.receive(packet)

    for number in range(100):
        wait = 0.07 if number in late else 0.05 if number == 30 else 0.0
        if number not in (40, 41, 50):
            world.call_at(number / 50 + wait, send, number, OPUS)
    # With the one before it, and with the two before it.
    red = b"\xef\x0f\x00\x04\x6fopusopus"
    world.call_at(42 / 50, send, 42, RED_TYPE, red)
    red = b"\xef\x1e\x00\x04\xef\x0f\x00\x04\x6f" + b"opus" * 3
    world.call_at(52 / 50, send, 52, RED_TYPE, red)
    world.run_for(3)
    # 5, 20, 40 are missing of a hundred.
    assert sound.concealed(0, 2, 960) == pytest.approx(3 / 100, abs=0.001)


def test_sound_waits_for_what_comes_again_late() -> None:
    world = World()
    sound = Sound(world)

    def send(number: int) -> None:
        packet = RtpPacket.parse(write_rtp(number, 960 * number, payload_type=OPUS))
        assert packet is not None
        sound.receive(packet)

    for number in range(500):
        world.call_at(number / 50 + (0.1 if number % 10 == 0 else 0.0), send, number)
    world.run_for(20)
    assert sound.delay == pytest.approx(0.12)
    assert sound.concealed(4, 10, 960) == 0


def test_it_returns_the_times_of_sender_reports() -> None:
    """LSR and DLSR (RFC 3550 section 6.4.1): so the server measures the round trip."""
    viewer = Viewer()

    def reported() -> Reported:
        *_, report = (r for r in viewer.requests if isinstance(r, Reported))
        viewer.requests.clear()
        return report

    viewer.send(1, 0, KEY, True)
    viewer.world.run_for(1.05)
    assert reported().last_report == 0
    viewer.world.run_for(0.25)
    ntp = 0x1234_5678_9ABC_DEF0
    viewer.receiver.receive(
        write_sender_report(SenderReport(VIDEO, ntp, 0, 1, 1)), viewer.world.now
    )
    viewer.send(2, 1, DELTA, True)
    viewer.world.run_for(0.8)
    report = reported()
    assert report.last_report == 0x5678_9ABC
    assert report.delay / 65536 == pytest.approx(0.75, abs=0.1)
    # That of the last one, as long as there is no other.
    viewer.send(3, 2, DELTA, True)
    viewer.world.run_for(1.0)
    assert reported().delay / 65536 == pytest.approx(1.75, abs=0.1)
