"""Header extensions of an offer: at both levels, with and without identifiers."""

import pytest

from whipbird.rtp.extensions import (
    AUDIO_LEVEL,
    MID,
    RID,
    TRANSPORT_CC,
    VIDEO_ORIENTATION,
)
from whipbird.sdp.extmap import ExtensionMap
from whipbird.sdp.parser import parse_sections
from whipbird.sdp.role import PUBLISHER, VIEWER, Role

KNOWN = frozenset({MID, RID, TRANSPORT_CC, VIDEO_ORIENTATION})

Extensions = tuple[tuple[int, str], ...]


def accepted(
    *session: str, video: tuple[str, ...] = (), audio: tuple[str, ...] = ()
) -> tuple[Extensions, Extensions]:
    """What is accepted of audio, of video."""
    lines = [
        *(f"a={line}" for line in session),
        "m=audio 9 x 0",
        *(f"a={line}" for line in audio),
        "m=video 9 x 96",
        *(f"a={line}" for line in video),
    ]
    description = parse_sections("\n".join(lines))
    extension_map = ExtensionMap(description, KNOWN)
    one, other = (
        extension_map.accepted(m, KNOWN, PUBLISHER).extensions
        for m in description.media
    )
    return one, other


def test_at_session_level() -> None:
    """RFC 8285 section 5: then they are those of all sections."""
    both = ((3, MID), (4, RID))
    assert accepted(f"extmap:3 {MID}", f"extmap:4 {RID}") == (both, both)


def test_at_both_levels() -> None:
    """The one of the section comes first, and its identifier is taken."""
    session = f"extmap:3 {MID}", f"extmap:4 {RID}", f"extmap:5 {VIDEO_ORIENTATION}"
    video = f"extmap:5 {RID}", f"extmap:6 {TRANSPORT_CC}"
    audio, of_video = accepted(*session, video=video)
    assert audio == ((3, MID), (4, RID), (5, VIDEO_ORIENTATION))
    assert of_video == ((5, RID), (6, TRANSPORT_CC), (3, MID))


@pytest.mark.parametrize("number", [4096, 4097, 4351])
def test_without_identifiers(number: int) -> None:
    """RFC 8285 section 7: the answerer gives each a free one of the valid range."""
    taken = f"extmap:1 {AUDIO_LEVEL}", f"extmap:2 {TRANSPORT_CC}"
    assert accepted(audio=taken, video=(f"extmap:{number} {RID}",)) == (
        ((2, TRANSPORT_CC),),
        ((3, RID),),
    )


def test_one_identifier_for_all_sections() -> None:
    """Bundled sections share them (RFC 9143 section 9.2)."""
    assert accepted(
        audio=(f"extmap:4100 {MID}", f"extmap:4101 {TRANSPORT_CC}"),
        video=(f"extmap:4200 {TRANSPORT_CC}", f"extmap:7 {MID}"),
    ) == (((7, MID), (1, TRANSPORT_CC)), ((1, TRANSPORT_CC), (7, MID)))


def test_alternatives() -> None:
    """RFC 8285 section 7: of those with one identifier, one is accepted."""
    video = (
        "extmap:4096 urn:unknown",
        f"extmap:4096 {MID}",
        f"extmap:4096 {RID}",
        f"extmap:4097 {TRANSPORT_CC}",
    )
    _, of_video = accepted(video=video)
    assert of_video == ((1, MID), (3, TRANSPORT_CC))


def test_no_identifier_is_left() -> None:
    """Without two-byte headers there are 14 (RFC 8285 section 4.2)."""
    others = [f"extmap:{number} urn:x:{number}" for number in range(1, 15)]
    assert accepted(video=(*others, f"extmap:4096 {MID}")) == ((), ())
    mixed = accepted("extmap-allow-mixed", video=(*others, f"extmap:4096 {MID}"))
    assert mixed == ((), ((15, MID),))
    full = [f"extmap:{number} urn:x:{number}" for number in range(1, 256)]
    assert accepted("extmap-allow-mixed", video=(*full, f"extmap:4096 {MID}")) == (
        (),
        (),
    )


@pytest.mark.parametrize("number", [256, 4095])
def test_identifiers_that_are_reserved(number: int) -> None:
    assert accepted(video=(f"extmap:{number} {MID}",)) == ((), ())


def test_each_stands_there_once() -> None:
    video = f"extmap:3 {MID}", f"extmap:4 {MID}", f"extmap:3 {RID}"
    assert accepted(video=video) == ((), ((3, MID),))


@pytest.mark.parametrize(
    ("role", "direction", "is_accepted", "is_one_way"),
    [
        (PUBLISHER, "", True, False),
        (PUBLISHER, "/sendrecv", True, False),
        (PUBLISHER, "/sendonly", True, True),
        (PUBLISHER, "/recvonly", False, False),
        (PUBLISHER, "/inactive", False, False),
        (VIEWER, "", True, False),
        (VIEWER, "/sendrecv", True, False),
        (VIEWER, "/recvonly", True, True),
        (VIEWER, "/sendonly", False, False),
        (VIEWER, "/inactive", False, False),
    ],
)
@pytest.mark.parametrize(("number", "identifier"), [(5, 5), (4096, 1)])
def test_directions(
    role: Role,
    direction: str,
    *,
    is_accepted: bool,
    is_one_way: bool,
    number: int,
    identifier: int,
) -> None:
    """Those that could be in no packet are left out (RFC 8285 section 7)."""
    text = f"m=video 9 x 96\na=extmap:{number}{direction} {MID}"
    description = parse_sections(text)
    [media] = description.media
    found = ExtensionMap(description, KNOWN).accepted(media, KNOWN, role)
    assert found.extensions == (((identifier, MID),) if is_accepted else ())
    assert found.one_way == ({identifier} if is_one_way else set())


def test_the_one_with_a_direction_that_fits() -> None:
    """The same extension may be there once for each direction."""
    video = f"extmap:3/recvonly {MID}", f"extmap:4/sendonly {MID}"
    assert accepted(video=video) == ((), ((4, MID),))
