"""Any text is parsed, or refused with an SdpError."""

from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import offers
from tests.mutations import mutated
from whipbird.sdp.answer import LocalTransport, write_answer
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.errors import SdpError
from whipbird.sdp.fragment import parse_fragment, write_fragment
from whipbird.sdp.media import OfferedMedia
from whipbird.sdp.offer import Offer, parse_offer
from whipbird.sdp.parser import MediaSection, parse_description
from whipbird.sdp.role import PUBLISHER, VIEWER, Role
from whipbird.sdp.simulcast import offered_simulcast
from whipbird.sdp.transport import Fingerprint, IceCredentials

# A generous bound of the time for one example, in milliseconds.
thorough = settings(max_examples=400, deadline=5000, derandomize=True)

LOCAL = LocalTransport(
    ice=IceCredentials("oKhL", "FiaUME20D8SeBfDjQphUfagM"),
    fingerprints=(Fingerprint("sha-256", offers.FINGERPRINT),),
    candidates=(Candidate("aaa", 1, "udp", 1, "192.0.2.9", 40000, "host"),),
    sctp_port=5000,
    max_message_size=65536,
)

SIMULCAST = offers.added(
    offers.OBS,
    "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "a=rid:0 send",
    "a=rid:1 send max-width=640;max-height=360",
    "a=rid:2 send",
    "a=simulcast:send 0;1,~2",
    after="a=mid:1",
)

# Three layers that are told by their SSRCs alone.
SSRC_SIMULCAST = offers.added(
    offers.CHROMIUM_MEDIA,
    "a=ssrc-group:SIM 1 2 3",
    "a=extmap:4097 urn:3gpp:video-orientation",
    after="a=mid:1",
)

FRAGMENT = (
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host ufrag EsAw\r\n"
    "a=candidate:2 1 tcp 1518280447 c0ffee.local 9 typ host tcptype active\r\n"
    "a=end-of-candidates\r\n"
)


def text_of(octets: bytes) -> str:
    return octets.decode(errors="replace")


def check_offer(text: str) -> None:
    """An offer is refused, or can be answered; to a viewer a part of it, too."""
    for role in (PUBLISHER, VIEWER):
        check_offer_of(text, role)


def check_offer_of(text: str, role: Role) -> None:
    try:
        offer = parse_offer(text, role)
    except SdpError as error:
        check_error(error, text)
        return
    check_answer(offer)
    try:
        for media in offer.media:
            check_answer(offer.rejecting(media))
    except SdpError as error:
        check_error(error, text)


def check_error(error: SdpError, text: str) -> None:
    assert error.title
    assert error.detail.isprintable()
    assert len(error.detail) < 500
    assert error.section.startswith(("RFC ", "draft-ietf-wish-whep-03 "))
    if error.line is not None:
        assert 1 <= error.line <= text.count("\n") + 1


def check_answer(offer: Offer) -> None:
    """The answer has a section for each of the offer, and nothing spills over."""
    answer = parse_description(write_answer(offer, LOCAL, 1))
    assert [m.kind for m in answer.media] == [m.kind for m in offer.sections]
    assert [m.protocol for m in answer.media] == [m.protocol for m in offer.sections]
    for theirs, ours in zip(answer.media, offer.sections, strict=True):
        mid = theirs.first("mid")
        assert (mid and mid.value) == ours.mid
        if not isinstance(ours, OfferedMedia):
            assert (theirs.port, theirs.formats) == (0, ours.formats)
            continue
        assert theirs.port
        if ours.codecs:
            assert theirs.formats == tuple(str(c.payload_type) for c in ours.codecs)
        assert len(list(theirs.all("rtpmap"))) == len(ours.codecs)
        assert all(1 <= identifier <= 255 for identifier, _ in ours.extensions)
        again = offered_simulcast(turned_round(theirs), has_rid=True)
        told = ours.simulcast
        described = told.rids if told is not None and told.streams else ()
        assert (again.rids if again else ()) == described
    assert sum(m.has("candidate") for m in answer.media) == 1


def turned_round(section: MediaSection) -> MediaSection:
    """An answer's section as the other side would offer it."""
    for index, attribute in enumerate(section.attributes):
        if attribute.name in ("rid", "simulcast"):
            value = attribute.value.replace("recv", "send", 1)
            section.attributes[index] = attribute._replace(value=value)
    return section


@thorough
@given(mutated(*offers.ALL.values(), SIMULCAST, SSRC_SIMULCAST, offers.CHROMIUM_VIEWER))
@example(offers.replaced(offers.OBS, "42e01f", "42e0ff").encode())
@example(offers.replaced(offers.OBS, "42e01f", "42 e0 1f").encode())
@example(offers.replaced(offers.OBS, "H264/90000", "H264/90000/1").encode())
@example(offers.replaced(offers.OBS, "BUNDLE 0 1", "BUNDLE 1 0").encode())
def test_offers_with_flaws(octets: bytes) -> None:
    check_offer(text_of(octets))


@thorough
@given(st.text(max_size=400) | st.binary(max_size=400).map(text_of))
def test_any_text_as_an_offer(text: str) -> None:
    check_offer(text)


@thorough
@given(
    st.lists(
        st.sampled_from(
            [line for text in offers.ALL.values() for line in text.split("\r\n")]
        ),
        max_size=60,
    )
)
def test_lines_of_offers_in_any_order(lines: list[str]) -> None:
    check_offer("\r\n".join(["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *lines]))


@thorough
@given(
    mutated(FRAGMENT).map(text_of)
    | st.text(max_size=200)
    | st.binary(max_size=200).map(text_of)
)
def test_fragments_with_flaws(text: str) -> None:
    try:
        fragment = parse_fragment(text)
    except SdpError as error:
        check_error(error, text)
        return
    # A parsed fragment can be written, and is then parsed as the same.
    if fragment.ice is not None:
        written = write_fragment(
            "audio 9 UDP/TLS/RTP/SAVPF 111",
            "0",
            fragment.ice,
            fragment.candidates,
            end_of_candidates=fragment.end_of_candidates,
        )
        again = parse_fragment(written)
        assert again.ice == fragment.ice
        assert [str(c) for c in again.candidates] == [
            str(c) for c in fragment.candidates
        ]
        assert again.end_of_candidates == fragment.end_of_candidates


@thorough
@given(st.text(max_size=120))
def test_candidates_of_any_form(value: str) -> None:
    with suppress(ValueError):
        candidate = Candidate.parse(value)
        assert str(candidate).isprintable()
        assert Candidate.parse(str(candidate)).port == candidate.port
