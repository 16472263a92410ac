"""The grammar of SDP."""

import pytest

from tests import offers
from whipbird.sdp.errors import MalformedSdp, SdpError, UnacceptableSdp
from whipbird.sdp.parser import (
    MAX_LINE_LENGTH,
    MAX_LINES,
    Attribute,
    parse_description,
    parse_sections,
)

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def refused(text: str) -> MalformedSdp:
    """The error that a description is refused with."""
    with pytest.raises(MalformedSdp) as caught:
        parse_description(text)
    return caught.value


def test_sections_and_attributes() -> None:
    description = parse_description(
        f"{HEAD}a=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"
        "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\na=empty:\r\n"
    )
    assert description.attributes == [Attribute("group", "BUNDLE 0", 5)]
    [media] = description.media
    assert (media.kind, media.port, media.protocol) == ("audio", 9, "UDP/TLS/RTP/SAVPF")
    assert media.formats == ("111", "0")
    assert media.line == 6
    assert media.attributes == [
        Attribute("mid", "0", 8),
        Attribute("rtcp-mux", "", 9),
        Attribute("empty", "", 10),
    ]


def test_attributes_by_name() -> None:
    [media] = parse_sections("m=a 1 b c\na=x:1\na=y:2\na=x:3\n").media
    assert [attribute.value for attribute in media.all("x")] == ["1", "3"]
    first = media.first("x")
    assert first is not None
    assert first.value == "1"
    assert media.has("y")
    assert not media.has("X")
    assert media.first("z") is None


def test_an_attribute_is_of_the_section_above_it() -> None:
    description = parse_description(offers.OBS)
    assert description.has("ice-ufrag")
    audio, video = description.media
    assert not audio.has("ice-ufrag")
    assert [a.value for a in video.all("rtpmap")] == ["96 H264/90000"]


@pytest.mark.parametrize("name", offers.ALL)
def test_reads_what_clients_send(name: str) -> None:
    assert parse_description(offers.ALL[name]).media


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_line_ends(end: str) -> None:
    text = offers.OBS.replace("\r\n", end)
    assert parse_description(text) == parse_description(offers.OBS)
    assert parse_description(text.rstrip()) == parse_description(offers.OBS)


def test_empty_lines_count_but_say_nothing() -> None:
    description = parse_description("\n \r\n" + HEAD + "\na=x\n\n")
    assert description.attributes == [Attribute("x", "", 8)]


def test_values_keep_their_colons_and_spaces() -> None:
    description = parse_sections("a=x: a:b  c  \n")
    assert description.attributes == [Attribute("x", " a:b  c", 1)]


def test_ports_may_have_a_count() -> None:
    [media] = parse_sections("m=audio 49170/2 RTP/AVP 0\n").media
    assert media.port == 49170


def test_unknown_lines_are_passed_over() -> None:
    text = f"{HEAD}b=AS:100\r\nk=clear:x\r\nz=0 0\r\ni=info\r\n"
    assert parse_description(text).attributes == []


@pytest.mark.parametrize("text", ["", "\r\n", " \n\n"])
def test_nothing(text: str) -> None:
    assert refused(text).title == "Empty SDP"


@pytest.mark.parametrize("text", ["v=1\r\n", "o=-\r\n", "a=x\r\nv=0\r\n", "v= 0\n"])
def test_does_not_begin_like_sdp(text: str) -> None:
    error = refused(text)
    assert (error.line, error.section) == (1, "RFC 8866 section 5.1")


@pytest.mark.parametrize("kind", ["o", "s", "t"])
def test_incomplete(kind: str) -> None:
    error = refused(offers.without(offers.OBS, f"{kind}="))
    assert error.title == "Incomplete SDP"
    assert f'"{kind}="' in error.detail
    assert error.line is None


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "x",
        "=",
        "a",
        "a =x",
        "aa=x",
        " a=x",
        "1=x",
        "{}",
        "\xe9=x",
        "\N{BIRD}=x",
    ],
)
def test_malformed_line(line: str) -> None:
    error = refused(f"{HEAD}{line}\r\n")
    assert error.title == "Malformed SDP line"
    assert error.line == 5
    assert str(error).startswith("Line 5: ")


@pytest.mark.parametrize(
    "character",
    ["\0", "\x07", "\x0b", "\x1c", "\r", "\x7f", "\x85", "\u2028", "\u2029"],
)
def test_what_other_readers_take_for_the_end_of_a_line(character: str) -> None:
    error = refused(f"{HEAD}a=x:1{character}a=y:2\r\n")
    assert (error.line, error.section) == (5, "RFC 8866 section 9")


def test_tabs_are_taken() -> None:
    assert parse_sections("a=x:1\t2\n").attributes == [Attribute("x", "1\t2", 1)]


@pytest.mark.parametrize("name", ["", "two words", "\xe9", "a@b", "a(b)"])
def test_malformed_attribute(name: str) -> None:
    error = refused(f"{HEAD}a={name}:x\r\n")
    assert error.title == "Malformed SDP attribute"
    assert (error.line, error.section) == (5, "RFC 8866 section 5.13")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "audio",
        "audio 9",
        "audio 9 RTP/AVP",
        "audio RTP/AVP 0",
        "audio -1 RTP/AVP 0",
        "audio 65536 RTP/AVP 0",
        "audio 999999 RTP/AVP 0",
        "audio  9 RTP/AVP 0",
        "audio 9 RTP/AVP  0",
        "audio 9/ RTP/AVP 0",
        "audio \u0669 RTP/AVP 0",
    ],
)
def test_malformed_media_line(value: str) -> None:
    error = refused(f"{HEAD}m={value}\r\n")
    assert error.title == "Malformed media line"
    assert (error.line, error.section) == (5, "RFC 8866 section 5.14")


def test_too_many_lines() -> None:
    assert parse_sections("a=x\n" * (MAX_LINES - 1))
    with pytest.raises(MalformedSdp, match="at most"):
        parse_sections("a=x\n" * MAX_LINES)


def test_too_long_a_line() -> None:
    longest = "a=" + "x" * (MAX_LINE_LENGTH - 2)
    assert parse_sections(longest + "\r\n").attributes
    with pytest.raises(MalformedSdp) as caught:
        parse_sections(f"a=y\n{longest}x\n")
    assert caught.value.line == 2
    assert MAX_LINE_LENGTH == 64 * 1024
    assert "65537 characters; at most 65536" in caught.value.detail


def test_errors_are_short_and_printable() -> None:
    error = refused(f"{HEAD}\u202e\u0600{'x' * 1000}\r\n")
    assert error.detail.isprintable()
    assert len(error.detail) < 200


def test_errors_are_values() -> None:
    error = UnacceptableSdp("Title", "detail", section="RFC 1 section 2", line=3)
    assert isinstance(error, SdpError)
    assert isinstance(error, ValueError)
    assert str(error) == error.detail == "Line 3: detail"
    assert (error.title, error.section, error.line) == ("Title", "RFC 1 section 2", 3)
    assert SdpError("Title", "detail", section="x").detail == "detail"
