import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.encoders import encode_opus
from whipbird.rtp.codecs.opus import OpusPacket, read_packet


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2)])
@pytest.mark.parametrize(
    ("options", "samples"),
    [
        ({"frame_duration": "2.5", "application": "lowdelay"}, 120),
        ({"frame_duration": "10", "application": "audio"}, 480),
        ({"frame_duration": "20", "application": "voip", "b": "40000"}, 960),
        ({"frame_duration": "40", "application": "voip", "b": "40000"}, 1920),
        ({"frame_duration": "60", "application": "audio"}, 2880),
    ],
)
def test_libopus(
    layout: str, channels: int, options: dict[str, str], samples: int
) -> None:
    packets = encode_opus(layout, options=(*options.items(),))
    found = [read_packet(packet) for packet in packets]
    assert len(found) >= 8
    for packet in found:
        assert packet is not None
        assert (packet.channels, packet.samples) == (channels, samples)
        assert packet.milliseconds == float(options["frame_duration"])
        assert samples % packet.frame_samples == 0
        assert not packet.is_dtx


def test_silence_that_is_sent_is_not_dtx() -> None:
    packets = encode_opus("stereo", silent=True)
    assert {len(packet) for packet in packets} == {3}
    found = [read_packet(packet) for packet in packets]
    assert set(found) == {OpusPacket(2, 960, 960, is_dtx=False)}


@pytest.mark.parametrize(
    ("packet", "samples", "frame_samples"),
    [
        # Silence encoded by libopus with DTX, in frames of 10 to 120 ms.
        ("70", 480, 480),
        ("78", 960, 960),
        ("79", 1920, 960),
        ("7b03", 2880, 960),
        ("7b06", 5760, 960),
    ],
)
def test_dtx(packet: str, samples: int, frame_samples: int) -> None:
    found = read_packet(bytes.fromhex(packet))
    assert found == OpusPacket(1, samples, frame_samples, is_dtx=True)


# RFC 6716 table 2: the configurations, and milliseconds of a frame.
CONFIGURATIONS = {
    range(12): (10, 20, 40, 60),
    range(12, 16): (10, 20),
    range(16, 32): (2.5, 5, 10, 20),
}


def test_frame_durations() -> None:
    for numbers, durations in CONFIGURATIONS.items():
        for index, number in enumerate(numbers):
            found = read_packet(bytes([number << 3]) + bytes(20))
            assert found is not None
            assert found.milliseconds == durations[index % len(durations)]


@pytest.mark.parametrize(
    ("start", "frames"),
    [("f8", 1), ("f9", 2), ("fa", 2), ("fb01", 1), ("fb43", 3), ("fb86", 6)],
)
def test_frame_counts(start: str, frames: int) -> None:
    found = read_packet(bytes.fromhex(start) + bytes(40))
    assert found == OpusPacket(1, 960 * frames, 960, is_dtx=False)


@pytest.mark.parametrize(
    "packet",
    # Nothing; no count; no frames; more than 120 ms.
    ["", "fb", "fb00", "fb07ffff", "1b03ffff"],
)
def test_what_no_packet_can_say(packet: str) -> None:
    assert read_packet(bytes.fromhex(packet)) is None


@given(st.binary(max_size=8))
def test_any_octets_have_a_verdict(payload: bytes) -> None:
    found = read_packet(payload)
    if found is not None:
        assert 0 < found.samples <= 5760
        assert found.samples % found.frame_samples == 0
