"""One received track: redundant sound (RFC 2198) becomes plain packets."""

import pytest

from tests import offers
from tests.unit.rtc.media import Rig, rig, rtp
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.red import write_red
from whipbird.sdp.offer import parse_offer

# Payload types of the audio section of this offer.
OPUS, RED, PCMU = 111, 63, 0
TICKS = 960


def frame(number: int) -> bytes:
    """A frame of Opus of 20 ms."""
    return b"\xf8" + number.to_bytes(4)


def red(number: int, levels: int = 2) -> bytes:
    """A packet of a frame, and of as many before it."""
    before = [(n * TICKS, frame(number - n)) for n in range(levels, 0, -1)]
    payload = write_red(OPUS, frame(number), before)
    return rtp(RED, number, number * TICKS, payload=payload)


def plain(number: int) -> bytes:
    return rtp(OPUS, number, number * TICKS, payload=frame(number))


class Publisher:
    """A publisher of sound, and what comes out of its track.

    Args:
        first: its first packet.
    """

    def __init__(self, first: bytes, offer: str = offers.CHROMIUM_MEDIA) -> None:
        self.rig: Rig = rig(parse_offer(offer))
        self.track = self.rig.tracks[0]
        self.packets: list[RtpPacket] = []
        self.track.on_encodings_changed.append(self._subscribe)
        self.rig.push(first)

    def _subscribe(self) -> None:
        self.track.encodings[0].subscribe(self.packets.append)

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.rig.push(packet)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the frames, which are whole and plain."""
        for packet in self.packets:
            assert packet.payload_type == OPUS
            assert packet.payload == frame(packet.timestamp // TICKS)
        return [packet.sequence for packet in self.packets]


async def test_redundant_packets_become_plain_ones() -> None:
    publisher = Publisher(red(10))
    publisher.send(red(11), plain(12), red(13, levels=0))
    assert publisher.numbers == [10, 11, 12, 13]
    reception = publisher.track.encodings[0].reception
    assert (reception.packets, reception.lost, reception.duplicates) == (4, 0, 0)


async def test_lost_packets_are_restored_at_once() -> None:
    """Nothing is waited for, and nothing is asked for."""
    publisher = Publisher(red(10))
    publisher.send(red(13), red(15), red(16))
    assert publisher.numbers == [10, 11, 12, 13, 14, 15, 16]
    reception = publisher.track.encodings[0].reception
    assert (reception.packets, reception.recovered, reception.lost) == (4, 3, 3)
    assert not reception.missing
    assert reception.duplicates == 0


async def test_what_is_not_in_any_packet_stays_missing() -> None:
    publisher = Publisher(red(10))
    publisher.send(red(14), red(15))
    reception = publisher.track.encodings[0].reception
    assert (reception.recovered, reception.duplicates) == (2, 0)
    assert reception.missing


async def test_after_a_pause() -> None:
    """Discontinuous transmission: it cannot be told what was sent in it."""
    publisher = Publisher(red(10))
    payload = write_red(OPUS, frame(40), [(TICKS, frame(39))])
    publisher.send(rtp(RED, 13, 40 * TICKS, payload=payload))
    assert publisher.track.encodings[0].reception.recovered == 0


async def test_a_restored_packet_that_comes_late() -> None:
    publisher = Publisher(red(10))
    publisher.send(red(12), red(11), red(13))
    assert publisher.numbers == [10, 11, 12, 13]


async def test_a_source_that_restarts_its_numbers() -> None:
    publisher = Publisher(red(1000))
    before = [(n * TICKS, frame(1001 - n)) for n in (2, 1)]
    for number in range(3):
        ticks = (1001 + number) * TICKS
        payload = write_red(OPUS, frame(1001 + number), before if number == 0 else [])
        publisher.send(rtp(RED, 30_000 + number, ticks, payload=payload))
    assert publisher.numbers == [1000, 1001, 1002, 1003]


async def test_another_codec_before() -> None:
    """Frames of Opus are not restored among those of another codec."""
    publisher = Publisher(rtp(PCMU, 10, payload=b"pcm"))
    publisher.send(red(12))
    assert [p.payload_type for p in publisher.packets][:1] == [PCMU]
    assert publisher.track.encodings[0].reception.recovered == 0


async def test_padding_stays_padding() -> None:
    """Browsers probe the path with it, between one frame and the next."""
    publisher = Publisher(red(10))
    probes = [rtp(RED, number, 10 * TICKS, payload=b"") for number in (11, 12, 13)]
    # The last probe is lost; what is in the next packet is there already.
    publisher.send(*probes[:2])
    payload = write_red(OPUS, frame(11), [(TICKS, frame(10))])
    publisher.send(rtp(RED, 14, 11 * TICKS, payload=payload))
    reception = publisher.track.encodings[0].reception
    assert (publisher.track.malformed, reception.recovered) == (0, 0)
    assert [p.payload for p in publisher.packets] == [frame(10), b"", b""]
    publisher.send(probes[2])
    assert publisher.packets[-1].payload == frame(11)
    assert [p.sequence for p in publisher.packets] == [10, 11, 12, 13, 14]


async def test_a_frame_that_is_there_is_not_restored_again() -> None:
    """Padding was lost, and has the number that is counted for this frame."""
    publisher = Publisher(plain(10))
    publisher.send(red(12, levels=0))
    payload = write_red(OPUS, frame(13), [(TICKS, frame(12))])
    publisher.send(rtp(RED, 14, 13 * TICKS, payload=payload))
    publisher.send(plain(11), rtp(RED, 13, 12 * TICKS, payload=b""))
    payloads = [p.payload for p in publisher.packets]
    assert payloads == [frame(10), frame(11), frame(12), b"", frame(13)]


@pytest.mark.parametrize("payload", [b"\x80", write_red(PCMU, b"pcm")])
async def test_what_is_malformed_is_dropped_and_counted(payload: bytes) -> None:
    publisher = Publisher(red(10))
    publisher.send(rtp(RED, 11, 11 * TICKS, payload=payload), red(12))
    assert publisher.track.malformed == 1
    assert publisher.numbers == [10, 11, 12]


async def test_over_rtx() -> None:
    """RFC 4588; some negotiate RTX for RED."""
    offer = offers.CHROMIUM_MEDIA.replace("SAVPF 111 63", "SAVPF 111 63 62").replace(
        "a=fmtp:63 111/111",
        "a=fmtp:63 111/111\na=rtpmap:62 rtx/48000\na=fmtp:62 apt=63",
    )
    publisher = Publisher(plain(10), offer)
    publisher.send(plain(12))
    payload = (11).to_bytes(2) + write_red(OPUS, frame(11), [(TICKS, frame(10))])
    publisher.send(rtp(62, 1, 11 * TICKS, ssrc=2, payload=payload))
    assert publisher.numbers == [10, 11, 12]
    publisher.send(rtp(62, 2, 12 * TICKS, ssrc=2, payload=b"\0\x0c\x80"))
    assert publisher.track.malformed == 1
