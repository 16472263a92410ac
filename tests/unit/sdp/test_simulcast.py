"""Simulcast: what is offered is taken, what is not described is not there."""

import pytest

from whipbird.sdp.parser import parse_sections
from whipbird.sdp.simulcast import MAX_ENCODINGS, Rid, Simulcast, offered_simulcast


def offered(*attributes: str, has_rid: bool = True) -> Simulcast | None:
    lines = ["m=video 9 UDP/TLS/RTP/SAVPF 96", *(f"a={a}" for a in attributes)]
    section = parse_sections("\n".join(lines)).media[0]
    return offered_simulcast(section, has_rid=has_rid)


def test_a_browsers() -> None:
    assert offered(
        "rid:q send", "rid:h send", "rid:f send", "simulcast:send q;h;f"
    ) == Simulcast((Rid("q"), Rid("h"), Rid("f")), "q;h;f")


def test_restrictions_and_alternatives() -> None:
    assert offered(
        "rid:a send pt=96,97;max-width=640",
        "rid:b send",
        "simulcast:recv x;y send a,~b",
    ) == Simulcast((Rid("a", "pt=96,97;max-width=640"), Rid("b")), "a,~b")


@pytest.mark.parametrize(
    "attributes",
    [
        (),
        ("rid:a send",),
        ("simulcast:send a;b",),
        ("rid:a recv", "simulcast:send a"),
        ("rid:a send", "simulcast:recv a"),
        ("rid:a send", "simulcast:"),
        ("rid:a send", "simulcast:send"),
        ("rid:a send", "simulcast:send ;,;~"),
        ("rid:!! send", "simulcast:send !!"),
        ("rid:" + "a" * 17 + " send", "simulcast:send " + "a" * 17),
    ],
)
def test_no_simulcast(attributes: tuple[str, ...]) -> None:
    assert offered(*attributes) is None


def test_what_is_not_described_is_left_out() -> None:
    assert offered("rid:a send", "simulcast:send a,c;b") == Simulcast((Rid("a"),), "a")


def test_there_are_only_so_many() -> None:
    names = [f"r{n}" for n in range(MAX_ENCODINGS + 3)]
    simulcast = offered(
        *(f"rid:{name} send" for name in names), f"simulcast:send {';'.join(names)}"
    )
    assert simulcast is not None
    assert [rid.identifier for rid in simulcast.rids] == names[:MAX_ENCODINGS]
    assert simulcast.streams == ";".join(names[:MAX_ENCODINGS])


# Without the header extension for the rid

THREE = ("rid:q send", "rid:h send", "rid:f send", "simulcast:send q;h;f")
SSRCS = tuple(f"ssrc:{ssrc} cname:x" for ssrc in (11, 12, 13))
BY_NUMBER = Simulcast(
    (Rid("0"), Rid("1"), Rid("2")), "", ((11, "0"), (12, "1"), (13, "2"))
)


def test_nothing_tells_the_encodings() -> None:
    """Then one is asked for, by an answer without simulcast."""
    assert offered(*THREE, has_rid=False) is None
    assert offered(*THREE, "ssrc:11 cname:x", has_rid=False) is None


@pytest.mark.parametrize(
    "more",
    [
        ("ssrc-group:SIM 11 12 13",),
        SSRCS,
        (*SSRCS, "ssrc-group:SIM 11 12 13"),
        # Each with its retransmissions (RFC 4588) and its repair stream (RFC 5956).
        (
            "ssrc-group:FID 11 21",
            "ssrc-group:FID 12 22",
            "ssrc-group:FEC-FR 13 23",
            *(f"ssrc:{ssrc} cname:x" for ssrc in (11, 21, 12, 22, 13, 23)),
        ),
    ],
)
def test_sources_tell_the_encodings(more: tuple[str, ...]) -> None:
    simulcast = offered(*THREE, *more, has_rid=False)
    assert simulcast == Simulcast(
        (Rid("q"), Rid("h"), Rid("f")), "q;h;f", ((11, "q"), (12, "h"), (13, "f"))
    )


def test_sources_of_alternatives() -> None:
    """One of each list is sent (RFC 8853 section 5.1)."""
    simulcast = offered(
        *("rid:a send", "rid:b send", "rid:c send", "simulcast:send ~a,b;c"),
        *("ssrc:11 cname:x", "ssrc:12 cname:x"),
        has_rid=False,
    )
    assert simulcast is not None
    assert simulcast.sources == ((11, "a"), (12, "c"))


@pytest.mark.parametrize("has_rid", [True, False])
@pytest.mark.parametrize(
    "attributes",
    [
        ("ssrc-group:SIM 11 12 13",),
        ("ssrc-group:FID 11 21", "ssrc-group:SIM 11 12 13", *SSRCS),
        ("ssrc-group:SIM 11 12 13", "ssrc-group:SIM 14 15"),
    ],
)
def test_a_group_of_sources(attributes: tuple[str, ...], has_rid: bool) -> None:
    """The older way, of which the answer says nothing."""
    assert offered(*attributes, has_rid=has_rid) == BY_NUMBER


def test_a_group_that_does_not_fit_the_list() -> None:
    both = ("ssrc-group:SIM 11 12 13", "rid:a send", "rid:b send", "simulcast:send a;b")
    assert offered(*both, has_rid=False) == BY_NUMBER
    told = offered(*both, has_rid=True)
    assert told == Simulcast((Rid("a"), Rid("b")), "a;b")


@pytest.mark.parametrize(
    "group",
    ["SIM", "SIM 11", "SIM 11 11", "SIM x y", "FID 11 12", "", "SIM 11 " + "9" * 99],
)
def test_a_group_that_is_none(group: str) -> None:
    assert offered(f"ssrc-group:{group}", *SSRCS) is None


def test_a_group_of_too_many() -> None:
    ssrcs = " ".join(str(ssrc) for ssrc in range(100, 130))
    simulcast = offered(f"ssrc-group:SIM {ssrcs}")
    assert simulcast is not None
    assert len(simulcast.rids) == len(simulcast.sources) == MAX_ENCODINGS


# The form of draft-ietf-mmusic-sdp-simulcast-03


@pytest.mark.parametrize(
    "value",
    [
        "send rid=h;l",
        " send rid=h;l",
        " recv rid=x send rid=h;l",
        " send rid=h;l paused=l",
        " send rid=h;l recv pt=97",
    ],
)
def test_the_form_of_the_draft(value: str) -> None:
    simulcast = offered("rid:h send", "rid:l send", f"simulcast:{value}")
    assert simulcast is not None
    assert simulcast.rids == (Rid("h"), Rid("l"))
    assert simulcast.recv == " recv rid=h;l"


def test_the_form_of_the_answer() -> None:
    simulcast = offered("rid:h send", "rid:l send", "simulcast:send h;l")
    assert simulcast is not None
    assert simulcast.recv == "recv h;l"


def test_encodings_by_payload_type_are_none() -> None:
    assert offered("simulcast: send pt=97;98") is None


def test_an_encoding_stands_in_the_list_once() -> None:
    simulcast = offered("rid:a send", "rid:b send", "simulcast:send " + "a;b,b;" * 99)
    assert simulcast is not None
    assert simulcast.streams == "a;b"
