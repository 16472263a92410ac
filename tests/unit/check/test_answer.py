"""Answers: parsed, and as given to our own peer."""

import pytest

from whipbird.check.answer import Answer, plain_answer

# The shape of RFC 9725's own example, with the session part holding the transport.
EXAMPLE = "".join(
    f"{line}\r\n"
    for line in [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=ice-lite",
        "a=ice-options:ice2 trickle",
        "a=fingerprint:sha-256 " + ":".join(["0A"] * 32),
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=ice-ufrag:38sdf4fdsf54",
        "a=ice-pwd:2e13dde17c1cb009202f627fab90cbec",
        "a=candidate:1 1 UDP 2130706431 198.51.100.1 39132 typ host",
        "a=candidate:2 1 tcp 2130706430 198.51.100.1 9 typ host tcptype passive",
        "a=setup:passive",
        "a=mid:0",
        "a=recvonly",
        "a=rtpmap:111 opus/48000/2",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
        "a=bundle-only",
        "a=recvonly",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack",
    ]
)


def test_an_answer() -> None:
    answer = Answer.parse(EXAMPLE)
    assert answer.bundle == ("0", "1")
    assert answer.ice is not None
    assert answer.ice.ufrag == "38sdf4fdsf54"
    assert answer.is_ice_lite
    assert answer.setup == "passive"
    assert len(answer.candidates) == 2
    assert [c.port for c in answer.usable_candidates] == [39132]
    assert [answer.direction(media) for media in answer.media] == ["recvonly"] * 2
    assert answer.transport_attributes() == {
        "ice-options": "ice2 trickle",
        "ice-lite": "",
    }


def test_port_0_is_a_rejection_unless_it_is_bundled() -> None:
    assert Answer.parse(EXAMPLE).rejected == []
    alone = EXAMPLE.replace("a=bundle-only\r\n", "")
    assert Answer.parse(alone).rejected == ["video"]
    outside = EXAMPLE.replace("BUNDLE 0 1", "BUNDLE 0")
    assert Answer.parse(outside).rejected == ["video"]


def test_the_default_direction() -> None:
    answer = Answer.parse(EXAMPLE.replace("a=recvonly\r\n", ""))
    assert answer.direction(answer.media[0]) == "sendrecv"


def test_the_plain_form_has_all_that_is_needed() -> None:
    plain = Answer.parse(plain_answer(Answer.parse(EXAMPLE)))
    assert plain.is_ice_lite
    assert plain.rejected == []
    assert plain.ice == Answer.parse(EXAMPLE).ice
    assert plain.candidates == ()
    for media in plain.media:
        assert media.has("rtcp-mux")
        assert media.has("ice-ufrag")
        assert media.has("fingerprint")


@pytest.mark.parametrize(
    "missing", ["a=ice-ufrag:38sdf4fdsf54\r\na=ice-pwd", "a=fingerprint", "a=setup"]
)
def test_an_answer_that_cannot_connect(missing: str) -> None:
    broken = Answer.parse(EXAMPLE.replace(missing, "a=x-other"))
    with pytest.raises(ValueError, match="the answer has"):
        plain_answer(broken)
