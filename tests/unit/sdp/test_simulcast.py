"""Simulcast: what is offered is taken, what is not described is not there."""

import pytest

from whipbird.sdp.parser import parse_sections
from whipbird.sdp.simulcast import MAX_ENCODINGS, Rid, Simulcast, offered_simulcast


def offered(*attributes: str) -> Simulcast | None:
    lines = ["m=video 9 UDP/TLS/RTP/SAVPF 96", *(f"a={a}" for a in attributes)]
    return offered_simulcast(parse_sections("\n".join(lines)).media[0])


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
