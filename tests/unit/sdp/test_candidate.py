"""ICE candidates."""

import pytest

from whipbird.sdp.candidate import Candidate

HOST = "1387637174 1 udp 2122260223 192.0.2.1 61764 typ host"


def test_parse() -> None:
    assert Candidate.parse(HOST) == Candidate(
        foundation="1387637174",
        component=1,
        transport="udp",
        priority=2122260223,
        address="192.0.2.1",
        port=61764,
        type="host",
    )


def test_extensions() -> None:
    candidate = Candidate.parse(
        "842163049 1 UDP 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.1 "
        "rport 46154 generation 0 ufrag EsAw network-id 1 network-cost 10"
    )
    assert candidate.ufrag == "EsAw"
    assert candidate.transport == "udp"
    assert candidate.type == "srflx"


def test_an_extension_may_lack_its_value() -> None:
    assert Candidate.parse(f"{HOST} generation").ufrag is None
    assert Candidate.parse(f"{HOST} ufrag").ufrag is None


@pytest.mark.parametrize(
    "value",
    [
        HOST,
        "0 1 udp 2122252543 2001:db8::1 43318 typ host",
        "1 1 tcp 1518280447 192.0.2.1 9 typ host",
        # RFC 8839 section 5.1: a relayed candidate has the related address.
        "abc/+ 2 udp 0 name.local 0 typ relay raddr 0.0.0.0 rport 9",
        "1 1 udp 4294967295 192.0.2.1 65535 typ prflx",
    ],
)
def test_round_trip(value: str) -> None:
    assert str(Candidate.parse(value)) == value
    assert Candidate.parse(str(Candidate.parse(value))) == Candidate.parse(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        HOST.replace(" typ host", ""),
        HOST.replace("typ", "type"),
        HOST.replace(" ", "  ", 1),
        f" {HOST}",
        HOST.replace("61764", "65536"),
        HOST.replace("61764", "-1"),
        HOST.replace("61764", "\u0661"),
        HOST.replace("2122260223", "4294967296"),
        HOST.replace("2122260223", "9" * 30),
        HOST.replace("1387637174", "x" * 33),
        HOST.replace("1387637174", "a_b"),
        HOST.replace(" 1 ", " one "),
    ],
)
def test_malformed(value: str) -> None:
    with pytest.raises(ValueError, match="candidate"):
        Candidate.parse(value)


@pytest.mark.parametrize(
    "value",
    [
        HOST,
        "1 1 UDP 1 2001:db8::1 5000 typ host",
        "1 1 udp 1 127.0.0.1 5000 typ host",
        "1 1 udp 1 203.0.113.7 1 typ srflx raddr 0.0.0.0 rport 0",
        "1 1 udp 1 203.0.113.7 65535 typ relay",
        "1 1 udp 1 203.0.113.7 5000 typ prflx",
    ],
)
def test_usable(value: str) -> None:
    assert Candidate.parse(value).is_usable


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("1 1 tcp 1 192.0.2.1 9 typ host tcptype active", id="TCP"),
        pytest.param("1 2 udp 1 192.0.2.1 9000 typ host", id="RTCP"),
        pytest.param("1 1 udp 1 192.0.2.1 0 typ host", id="port 0"),
        pytest.param("1 1 udp 1 192.0.2.1 9000 typ other", id="type"),
        pytest.param("1 1 udp 1 c0ffee.local 9000 typ host", id="mDNS"),
        pytest.param("1 1 udp 1 host.example 9000 typ host", id="name"),
        pytest.param("1 1 udp 1 300.0.0.1 9000 typ host", id="no address"),
        pytest.param("1 1 udp 1 0.0.0.0 9000 typ host", id="unspecified"),
        pytest.param("1 1 udp 1 :: 9000 typ host", id="unspecified IPv6"),
        pytest.param("1 1 udp 1 224.0.0.251 9000 typ host", id="multicast"),
        pytest.param("1 1 udp 1 ff02::1 9000 typ host", id="multicast IPv6"),
        pytest.param("1 1 udp 1 255.255.255.255 9000 typ host", id="broadcast"),
        pytest.param("1 1 udp 1 2001:db8::1%eth0 9000 typ host", id="zone"),
    ],
)
def test_not_usable(value: str) -> None:
    assert not Candidate.parse(value).is_usable
