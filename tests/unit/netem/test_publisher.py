"""The model of a browser that publishes."""

from tests.netem.publisher import PICTURES, Publisher
from tests.netem.world import World
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rtcp import write_nack, write_pli

AUDIO, VIDEO, RTX = 1839206457, 2750163948, 911470326


class Sent:
    """A publisher, and the packets that it sends."""

    def __init__(self) -> None:
        self.world = World()
        self.packets: list[RtpPacket] = []
        self.publisher = Publisher(self.world, self._take, round_trip=0.05)

    def _take(self, data: bytes) -> None:
        packet = RtpPacket.parse(data)
        assert packet is not None
        self.packets.append(packet)

    def of(self, ssrc: int) -> list[RtpPacket]:
        return [packet for packet in self.packets if packet.ssrc == ssrc]

    def ask(self, ssrc: int, *sequences: int) -> None:
        self.publisher.receive(write_nack(1, ssrc, sequences), 0.0)


def test_frames_and_sound_come_at_their_pace() -> None:
    sent = Sent()
    sent.world.run_for(0.999)
    assert sent.publisher.frames == PICTURES.rate
    assert sum(packet.marker for packet in sent.of(VIDEO)) == PICTURES.rate
    assert len(sent.of(AUDIO)) == 50
    numbers = [packet.data[packet.payload_offset - 3 :][:2] for packet in sent.packets]
    assert numbers == [n.to_bytes(2) for n in range(len(numbers))]


def test_lost_video_comes_again_over_rtx_once_in_a_round_trip() -> None:
    sent = Sent()
    lost = sent.of(VIDEO)[1]
    sent.ask(VIDEO, lost.sequence, 999)
    sent.ask(VIDEO, lost.sequence)
    (again,) = sent.of(RTX)
    assert again.payload == lost.sequence.to_bytes(2) + lost.payload
    assert (again.timestamp, again.payload_type) == (lost.timestamp, 97)
    sent.world.run_for(0.06)
    sent.ask(VIDEO, lost.sequence)
    assert [packet.sequence for packet in sent.of(RTX)] == [1, 2]


def test_lost_sound_comes_again_as_it_was() -> None:
    sent = Sent()
    first = sent.of(AUDIO)[0]
    sent.ask(AUDIO, first.sequence)
    again = sent.of(AUDIO)[-1]
    assert (again.sequence, again.payload) == (first.sequence, first.payload)


def test_a_key_frame_comes_when_it_is_asked_for() -> None:
    sent = Sent()
    assert sent.publisher.key_frames == 1
    sent.world.run_for(1)
    assert sent.publisher.key_frames == 1
    sent.publisher.receive(write_pli(1, VIDEO), 0.0)
    sent.world.run_for(1)
    assert sent.publisher.key_frames == 2
