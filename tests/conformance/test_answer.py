"""The answer that a POST gets (sections 4.2 and 4.4)."""

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.conformance.exchange import Client, open_session, post
from whipbird.app import create_app
from whipbird.config import Settings
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.parser import MediaSection, SessionDescription, parse_description
from whipbird.sdp.transport import fingerprints, ice_credentials

# The payload types that are taken of each offer, section by section.
TAKEN = {
    "chromium-data": ["webrtc-datachannel"],
    "chromium-media": [
        "111 63 9 0 8",
        "96 97 103 104 107 108 109 114 39 40 45 46 98 99",
    ],
    "firefox-data": ["webrtc-datachannel"],
    "firefox-media": ["109 9 0 8", "120 124 126 127"],
    "obs": ["111", "96"],
    "ffmpeg": ["111", "106 105"],
    "gstreamer": ["96", "97"],
    "whipclientsink": ["96 100", "97"],
    "everything": ["0", "100", "webrtc-datachannel"],
}

every_offer = pytest.mark.parametrize("name", offers.ALL)


async def exchange(
    client: Client, name: str
) -> tuple[SessionDescription, SessionDescription]:
    """Post one of the offers; return it, and its answer."""
    offer = offers.ALL[name]
    session = await open_session(client, offer)
    return parse_description(offer), session.answer


def value_of(section: MediaSection, name: str) -> str:
    attribute = section.first(name)
    assert attribute is not None, f"no a={name}"
    return attribute.value


def tagged_section(description: SessionDescription) -> MediaSection:
    group = description.first("group")
    if group is None:
        return description.media[0]
    mid = group.value.split()[1]
    return next(m for m in description.media if value_of(m, "mid") == mid)


@every_offer
async def test_has_the_sections_of_the_offer(client: Client, name: str) -> None:
    """An answer has a section for each of the offer (RFC 3264 section 6), and none of
    them is refused (section 4.4.3).
    """
    offer, answer = await exchange(client, name)
    assert [m.kind for m in answer.media] == [m.kind for m in offer.media]
    assert [m.protocol for m in answer.media] == [m.protocol for m in offer.media]
    assert [value_of(m, "mid") for m in answer.media] == [
        value_of(m, "mid") for m in offer.media
    ]
    assert all(media.port != 0 for media in answer.media)


@every_offer
async def test_takes_what_it_can_in_the_order_of_the_offer(
    client: Client, name: str
) -> None:
    """The numbers of the formats, and their order, are the offerer's (RFC 9429 section
    5.3.1).
    """
    _, answer = await exchange(client, name)
    assert [" ".join(m.formats) for m in answer.media] == TAKEN[name]


@every_offer
async def test_describes_every_payload_type(client: Client, name: str) -> None:
    """A payload type means the same in offer and answer (RFC 3264 section 6.1)."""
    offer, answer = await exchange(client, name)
    for offered, answered in zip(offer.media, answer.media, strict=True):
        if answered.kind == "application":
            continue
        rtpmaps = {a.value.split()[0]: a.value for a in answered.all("rtpmap")}
        assert list(rtpmaps) == list(answered.formats)
        for attribute in offered.all("rtpmap"):
            payload_type = attribute.value.split()[0]
            if payload_type in rtpmaps:
                assert rtpmaps[payload_type] == attribute.value


@every_offer
async def test_only_receives(client: Client, name: str) -> None:
    """Section 4.2: "The WHIP endpoint MUST use "recvonly" attribute in the SDP answer",
    which says nothing of tracks then.
    """
    _, answer = await exchange(client, name)
    for media in answer.media:
        directions = [
            a.name
            for a in media.attributes
            if a.name in ("sendrecv", "sendonly", "recvonly", "inactive")
        ]
        assert directions == ([] if media.kind == "application" else ["recvonly"])
        # A section that sends nothing has no msid.
        assert not media.has("msid")
        assert not media.has("ssrc")


@every_offer
async def test_multiplexes_rtcp(client: Client, name: str) -> None:
    """Section 4.4.1: "the WHIP client and media server SHALL use RTP/RTCP multiplexing
    for all bundled media", "MUST include the "rtcp-mux-only" attribute in each bundled
    "m=" sections".
    """
    _, answer = await exchange(client, name)
    for media in answer.media:
        is_rtp = media.kind != "application"
        assert media.has("rtcp-mux") is is_rtp
        assert media.has("rtcp-mux-only") is is_rtp


@every_offer
async def test_bundles_everything(client: Client, name: str) -> None:
    """Section 4.4.1: "The WHIP client and the media server MUST support multiplexed
    media associated with the BUNDLE group".
    """
    offer, answer = await exchange(client, name)
    groups = [a.value.split() for a in answer.all("group")]
    assert groups == [["BUNDLE", *(value_of(m, "mid") for m in offer.media)]]
    assert not any(media.has("bundle-only") for media in answer.media)


async def test_answers_without_a_bundle_what_had_none(client: Client) -> None:
    """An answer's groups are among the offer's (RFC 5888 section 9.2)."""
    session = await open_session(client, offers.MINIMAL)
    assert not session.answer.has("group")
    assert not session.answer.media[0].has("mid")


async def test_keeps_the_order_of_the_bundle(client: Client) -> None:
    """The first mid of the group is the tagged one (RFC 9143 section 7.3.1)."""
    offer = offers.replaced(offers.OBS, "BUNDLE 0 1", "BUNDLE 1 0")
    session = await open_session(client, offer)
    group = session.answer.first("group")
    assert group is not None
    assert group.value == "BUNDLE 1 0"
    audio, video = session.answer.media
    assert not audio.has("candidate")
    assert video.has("candidate")


@every_offer
async def test_has_all_its_candidates(client: Client, name: str) -> None:
    """Section 4.3.2: "the SDP answer SHALL contain the full list of ICE candidates of
    the media server".
    """
    _, answer = await exchange(client, name)
    tagged = tagged_section(answer)
    candidates = [Candidate.parse(a.value) for a in tagged.all("candidate")]
    assert candidates
    assert all(candidate.is_usable for candidate in candidates)
    assert len({(c.address, c.port) for c in candidates}) == len(candidates)
    assert len({c.priority for c in candidates}) == len(candidates)
    for media in answer.media:
        assert media.has("end-of-candidates") is (media is tagged)
        # "the default destination" is one of them (RFC 8839 section 4.2.1.2).
        assert media.port in {c.port for c in candidates}


@every_offer
async def test_has_ice_credentials_and_a_fingerprint(client: Client, name: str) -> None:
    """The transport is described wherever a client may look for it, and always alike
    (RFC 8839 section 5.4, RFC 8122 section 5).
    """
    _, answer = await exchange(client, name)
    assert len({ice_credentials(media) for media in answer.media}) == 1
    assert len({fingerprints(media) for media in answer.media}) == 1
    for media in answer.media:
        assert ice_credentials(media) is not None
        assert [f.algorithm for f in fingerprints(media)] == ["sha-256"]


async def test_has_new_ice_credentials_for_each_session(client: Client) -> None:
    """They are unpredictable, and new for each session (RFC 8445 section 5.3)."""
    sessions = [await open_session(client) for _ in range(5)]
    assert len({ice_credentials(s.answer.media[0]) for s in sessions}) == 5


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active")],
)
async def test_role(client: Client, offered: str, answered: str) -> None:
    """Section 4.4.4: "if the WHIP client only implements the DTLS client role, it MAY
    use an SDP "setup" attribute with an "active" attribute value"; the answer is the
    other role (RFC 8842 section 5.3).
    """
    offer = offers.OBS.replace("a=setup:actpass", f"a=setup:{offered}")
    session = await open_session(client, offer)
    for media in session.answer.media:
        assert value_of(media, "setup") == answered


async def test_role_that_is_not_offered(client: Client) -> None:
    """An offer without a=setup is of the active side (RFC 4145 section 4)."""
    session = await open_session(client, offers.without(offers.OBS, "a=setup"))
    assert value_of(session.answer.media[0], "setup") == "passive"


async def test_ice_options(client: Client) -> None:
    """Section 4.4.5: "The media server SHOULD support full ICE"; and it trickles."""
    session = await open_session(client)
    options = session.answer.first("ice-options")
    assert options is not None
    assert "trickle" in options.value.split()
    assert not session.answer.has("ice-lite")


async def test_ice_lite(aiohttp_client: AiohttpClient) -> None:
    """A lite agent says so at session level, and only there (RFC 8839 section 5.3)."""
    client = await aiohttp_client(create_app(Settings(ice_lite=True)))
    session = await open_session(client)
    assert session.answer.has("ice-lite")
    assert not any(media.has("ice-lite") for media in session.answer.media)


async def test_data_channel(client: Client) -> None:
    """SCTP port and largest message are said (RFC 8841 sections 5 and 6)."""
    session = await open_session(client)
    [media] = session.answer.media
    assert int(value_of(media, "sctp-port")) == 5000
    assert int(value_of(media, "max-message-size")) >= 65536


async def test_header_extensions_keep_their_ids(client: Client) -> None:
    """An extension has the id that it was offered with (RFC 8285 section 6)."""
    offer, answer = await exchange(client, "chromium-media")
    for offered, answered in zip(offer.media, answer.media, strict=True):
        known = [a.value for a in offered.all("extmap") if "toffset" not in a.value]
        assert [a.value for a in answered.all("extmap")] == known


@pytest.mark.parametrize("is_offered", [True, False])
async def test_extmap_allow_mixed_is_answered_as_offered(
    client: Client, is_offered: bool
) -> None:
    """Only what was offered is answered (RFC 8285 section 6)."""
    offer = offers.CHROMIUM_DATA
    if not is_offered:
        offer = offers.without(offer, "a=extmap-allow-mixed")
    session = await open_session(client, offer)
    assert session.answer.has("extmap-allow-mixed") is is_offered


@every_offer
async def test_is_written_in_due_form(client: Client, name: str) -> None:
    """Lines end in CRLF, and come in their order (RFC 8866 section 5)."""
    response = await post(client, offers.ALL[name])
    text = await response.text()
    lines = text.split("\r\n")
    assert lines.pop() == ""
    assert not any("\n" in line or "\r" in line for line in lines)
    assert [line[:2] for line in lines[:4]] == ["v=", "o=", "s=", "t="]
    text.encode("ascii")


async def test_lines_may_end_in_lf(client: Client) -> None:
    """Readers should be tolerant of lines that end in LF alone (RFC 8866 section 5)."""
    await open_session(client, offers.OBS.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    "profile_level_id", ["42e000", "42e0ff", "420009", "42e01f", "42000a", "42E01F"]
)
async def test_levels_of_h264(client: Client, profile_level_id: str) -> None:
    """Any level_idc is well formed (RFC 6184 section 8.1); none is decoded here."""
    offer = offers.replaced(offers.OBS, "42e01f", profile_level_id)
    session = await open_session(client, offer)
    assert profile_level_id in value_of(session.answer.media[1], "fmtp")


async def test_payload_types_are_unique_in_the_bundle(client: Client) -> None:
    """In a bundle one payload type is one codec (RFC 9143 section 9.1); of two that
    share it, one would be lost.
    """
    head, video = offers.OBS.split("m=video")
    offer = f"{head}m=video{video.replace('96', '111')}"
    response = await post(client, offer)
    assert response.status in (400, 422)
