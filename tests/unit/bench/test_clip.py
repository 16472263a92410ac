"""The media that the benchmarks send."""

import random

import pytest

from bench.clip import packetize_h264

PREFIX = b"\0\0\0\1"


def assembled(payloads: list[bytes]) -> list[bytes]:
    """The NAL units of payloads in mode 1 of RFC 6184, fragments put together."""
    units: list[bytes] = []
    for payload in payloads:
        if payload[0] & 0x1F != 28:
            units.append(payload)
            continue
        indicator, header = payload[0], payload[1]
        if header & 0x80:
            units.append(bytes((indicator & 0xE0 | header & 0x1F,)))
        units[-1] += payload[2:]
    return units


@pytest.mark.parametrize("size", [1, 1180, 1181, 2000, 2357, 2358, 50_000])
def test_nal_units_are_fragmented_and_come_back(size: int) -> None:
    # Without zeros there are no start codes in it.
    body = bytes(random.Random(size).choices(range(1, 256), k=size))
    units = [b"\x67sps", b"\x68pps", b"\x65" + body]
    frame = b"".join(PREFIX + unit for unit in units[:2]) + b"\0\0\1" + units[2]
    payloads = packetize_h264(frame)
    assert assembled(payloads) == units
    assert max(map(len, payloads)) <= 1180
    flags = [payload[1] & 0xC0 for payload in payloads if payload[0] & 0x1F == 28]
    assert flags == [0x80, *[0] * (len(flags) - 2), 0x40][: len(flags)]
