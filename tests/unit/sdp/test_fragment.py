"""SDP fragments: the bodies of PATCH."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipbird.sdp.candidate import Candidate
from whipbird.sdp.errors import MalformedSdp
from whipbird.sdp.fragment import Fragment, parse_fragment, write_fragment
from whipbird.sdp.transport import IceCredentials

ICE = IceCredentials("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
CANDIDATE = Candidate("1387637174", 1, "udp", 2122260223, "192.0.2.1", 61764, "host")

MEDIA_LINE = "audio 9 UDP/TLS/RTP/SAVPF 111"
CREDENTIALS = f"a=ice-ufrag:{ICE.ufrag}\r\na=ice-pwd:{ICE.pwd}\r\n"


def refused(text: str) -> MalformedSdp:
    with pytest.raises(MalformedSdp) as caught:
        parse_fragment(text)
    return caught.value


def test_the_example_of_the_specification() -> None:
    """RFC 9725 section 4.3.2."""
    fragment = parse_fragment(
        f"a=group:BUNDLE 0 1\r\nm={MEDIA_LINE}\r\na=mid:0\r\n{CREDENTIALS}"
        "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host "
        "generation 0 ufrag EsAw network-id 1\r\n"
        "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active "
        "generation 0 ufrag EsAw network-id 1\r\n"
        "a=end-of-candidates\r\n"
    )
    assert fragment.ice == ICE
    assert [c.transport for c in fragment.candidates] == ["udp", "tcp"]
    assert {c.ufrag for c in fragment.candidates} == {"EsAw"}
    assert fragment.end_of_candidates


def test_credentials_at_session_level() -> None:
    fragment = parse_fragment(f"{CREDENTIALS}m={MEDIA_LINE}\r\na=mid:0\r\n")
    assert fragment == Fragment(ICE)


def test_credentials_in_both_places() -> None:
    text = f"{CREDENTIALS}m={MEDIA_LINE}\r\na=mid:0\r\n{CREDENTIALS}"
    assert parse_fragment(text).ice == ICE


def test_no_credentials() -> None:
    assert parse_fragment("a=end-of-candidates") == Fragment(None, (), True)


def test_candidates_of_all_sections() -> None:
    section = f"m={MEDIA_LINE}\r\na=mid:%s\r\na=candidate:{CANDIDATE}\r\n"
    fragment = parse_fragment(section % 0 + section % 1)
    assert fragment.candidates == (CANDIDATE, CANDIDATE)


@pytest.mark.parametrize("text", ["", "\r\n", " \n", f"m={MEDIA_LINE}\r\n"])
def test_empty(text: str) -> None:
    error = refused(text)
    assert (error.title, error.line) == ("Empty SDP fragment", None)
    assert error.section == "RFC 8840 section 9"


def test_contradictory_credentials() -> None:
    other = CREDENTIALS.replace("EsAw", "ysXw")
    error = refused(f"{CREDENTIALS}m={MEDIA_LINE}\r\na=mid:0\r\n{other}")
    assert error.section == "RFC 8840 section 4.4"


@pytest.mark.parametrize("name", ["ice-ufrag", "ice-pwd"])
def test_half_of_the_credentials(name: str) -> None:
    line = next(line for line in CREDENTIALS.splitlines() if name in line)
    error = refused(f"m={MEDIA_LINE}\r\na=mid:0\r\n{line}\r\n")
    assert (error.line, error.section) == (3, "RFC 8839 section 5.4")


def test_candidates_of_no_section() -> None:
    error = refused(f"{CREDENTIALS}m={MEDIA_LINE}\r\na=candidate:{CANDIDATE}\r\n")
    assert (error.line, error.section) == (3, "RFC 8840 section 9.2")


def test_malformed_candidate() -> None:
    error = refused(
        f"m={MEDIA_LINE}\r\na=mid:0\r\na=candidate:{CANDIDATE} \r\na=candidate:x"
    )
    assert (error.line, error.section) == (4, "RFC 8839 section 5.1")


@pytest.mark.parametrize("text", ["hello", "m=audio\r\n", "a=\r\n", "a=x\0\r\n"])
def test_malformed(text: str) -> None:
    assert refused(text).line == 1


def test_write() -> None:
    text = write_fragment(MEDIA_LINE, "0", ICE, (CANDIDATE,), bundle=("0", "1"))
    assert text.split("\r\n") == [
        "a=group:BUNDLE 0 1",
        f"m={MEDIA_LINE}",
        "a=mid:0",
        "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host",
        "a=end-of-candidates",
        "",
    ]


ice_chars = st.sampled_from("ABCxyz0189+/")
candidates = st.builds(
    Candidate,
    foundation=st.text(ice_chars, min_size=1, max_size=32),
    component=st.integers(1, 256),
    transport=st.sampled_from(["udp", "tcp"]),
    priority=st.integers(0, 2**32 - 1),
    address=st.ip_addresses().map(str) | st.just("c0ffee.local"),
    port=st.integers(0, 65535),
    type=st.sampled_from(["host", "srflx", "prflx", "relay"]),
)


@settings(deadline=5000, derandomize=True)
@given(
    mid=st.text("abc019._-", min_size=1, max_size=16),
    ice=st.builds(
        IceCredentials,
        ufrag=st.text(ice_chars, min_size=4, max_size=256),
        pwd=st.text(ice_chars, min_size=22, max_size=256),
    ),
    new=st.lists(candidates, max_size=5).map(tuple),
    is_last=st.booleans(),
    is_bundled=st.booleans(),
)
def test_what_is_written_is_read(
    mid: str,
    ice: IceCredentials,
    new: tuple[Candidate, ...],
    is_last: bool,
    is_bundled: bool,
) -> None:
    text = write_fragment(
        MEDIA_LINE,
        mid,
        ice,
        new,
        bundle=(mid,) if is_bundled else (),
        end_of_candidates=is_last,
    )
    assert parse_fragment(text) == Fragment(ice, new, is_last)
