"""ICE restarts by PATCH (RFC 9725 section 4.3.3): what is answered, and what stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientResponse, hdrs
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.conformance.exchange import (
    SDP_FRAGMENT,
    Client,
    OpenSession,
    fragment,
    open_session,
    patch,
    problem_of,
)
from tests.waiting import until
from whipbird.app import create_app
from whipbird.client import WhipClient
from whipbird.config import Settings
from whipbird.rtc import DataChannel
from whipbird.sdp.fragment import parse_fragment
from whipbird.sdp.parser import parse_sections
from whipbird.sdp.transport import IceCredentials, ice_credentials

CANDIDATE = "1 1 udp 2130706431 198.51.100.7 50000 typ host"
NEW = IceCredentials("ysXw", "vw5LmwG4y/e6dPP/zAP9Gp5k")
NEWER = IceCredentials("zzXw", "zz5LmwG4y/e6dPP/zAP9Gp5k")


async def restart(
    client: Client,
    session: OpenSession,
    ice: IceCredentials = NEW,
    *candidates: str,
    if_match: str = "*",
) -> ClientResponse:
    """Send new credentials."""
    body = fragment(*candidates, ufrag=ice.ufrag, pwd=ice.pwd)
    return await patch(client, session, body, if_match)


@pytest.mark.parametrize("if_match", ["*", '"*"'])
async def test_answer(client: Client, if_match: str) -> None:
    """Section 4.3.3: "a "200 OK" with an "application/trickle-ice-sdpfrag" body
    containing the new ICE username fragment and password and a new set of ICE
    candidates"; "MUST contain the new entity-tag". The example of the RFC has the
    asterisk in quotes.
    """
    session = await open_session(client)
    response = await restart(client, session, NEW, CANDIDATE, if_match=if_match)
    text = await response.text()
    assert response.status == 200, text
    assert response.headers[hdrs.CONTENT_TYPE] == SDP_FRAGMENT
    etag = response.headers[hdrs.ETAG]
    assert etag.startswith('"')
    assert etag.endswith('"')
    assert etag != session.etag
    answer = parse_fragment(text)
    before = ice_credentials(*session.answer.media, session.answer)
    assert answer.ice is not None
    assert before is not None
    assert answer.ice.ufrag != before.ufrag
    assert answer.ice.pwd != before.pwd
    assert answer.candidates
    assert answer.end_of_candidates


@pytest.mark.parametrize("ice_lite", [False, True], ids=["full", "lite"])
@pytest.mark.parametrize(
    "offer", [offers.CHROMIUM_DATA, offers.CHROMIUM_MEDIA], ids=["data", "media"]
)
async def test_answer_repeats_what_is_not_new(
    aiohttp_client: AiohttpClient, offer: str, ice_lite: bool
) -> None:
    """Section 4.3.3: "MUST ensure that the HTTP PATCH requests and response bodies
    include the same 'ice-options,' 'ice-pacing,' and 'ice-lite' attributes as those
    used in the SDP offer or answer"; "only the offerer-tagged m-line of the bundle
    group".
    """
    client = await aiohttp_client(create_app(Settings(ice_lite=ice_lite)))
    session = await open_session(client, offer)
    assert session.answer.has("ice-lite") == ice_lite
    response = await restart(client, session)
    part = parse_sections(await response.text())
    for name in ("ice-options", "ice-lite", "ice-pacing", "group"):
        assert [a.value for a in part.all(name)] == [
            a.value for a in session.answer.all(name)
        ], name
    [media] = part.media
    tagged = session.answer.media[0]
    assert (media.kind, media.protocol) == (tagged.kind, tagged.protocol)
    assert media.formats == tagged.formats
    mids = [section.first("mid") for section in (media, tagged)]
    assert mids[0] is not None
    assert mids[1] is not None
    assert mids[0].value == mids[1].value


async def test_the_old_entity_tag_is_outdated(client: Client) -> None:
    """Section 4.3.1: "a "412 Precondition Failed" response for a non-matching entity
    tag".
    """
    session = await open_session(client)
    etag = (await restart(client, session)).headers[hdrs.ETAG]
    body = fragment(CANDIDATE, ufrag=NEW.ufrag, pwd=NEW.pwd)
    await problem_of(await patch(client, session, body), 412, "RFC 9725 section 4.3.1")
    response = await patch(client, session, body, etag)
    assert response.status == 204
    assert hdrs.ETAG not in response.headers


async def test_every_restart_has_its_own_tag_and_credentials(client: Client) -> None:
    """Section 4.3.1: "a unique strong entity-tag identifying the ICE session"."""
    session = await open_session(client)
    tags, ufrags = {session.etag}, set()
    for n in range(5):
        response = await restart(
            client, session, IceCredentials(f"new{n}", f"{n}" * 22)
        )
        tags.add(response.headers[hdrs.ETAG])
        ice = parse_fragment(await response.text()).ice
        assert ice is not None
        ufrags.add(ice.ufrag)
    assert len(tags) == 6
    assert len(ufrags) == 5


async def test_a_restart_without_a_precondition(client: Client) -> None:
    """Section 4.3.1: "a "428 Precondition Required" response for a missing entity
    tag".
    """
    session = await open_session(client)
    body = fragment(ufrag=NEW.ufrag, pwd=NEW.pwd)
    await problem_of(await patch(client, session, body, None), 428, "RFC 9725")
    # Nothing has changed.
    assert (await patch(client, session, fragment(CANDIDATE))).status == 204


async def test_a_restart_with_an_outdated_precondition(client: Client) -> None:
    session = await open_session(client)
    await restart(client, session)
    await problem_of(
        await restart(client, session, NEWER, if_match=session.etag), 412, "RFC 9725"
    )


async def test_a_late_request_of_an_earlier_ice_session(client: Client) -> None:
    """Section 4.3.3: requests "might be received out of order": one of an ICE session
    that is over must not bring it back, whatever it says in If-Match.
    """
    session = await open_session(client)
    etag = (await restart(client, session)).headers[hdrs.ETAG]
    await problem_of(await patch(client, session, fragment(CANDIDATE), "*"), 412)
    await restart(client, session, NEWER)
    await problem_of(await restart(client, session, NEW), 412, "RFC 9725 section 4.3.3")
    body = fragment(CANDIDATE, ufrag=NEW.ufrag, pwd=NEW.pwd)
    assert (await patch(client, session, body, etag)).status == 412


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(fragment(ufrag="kT3y"), id="ufrag alone"),
        pytest.param(fragment(pwd="vw5LmwG4y/e6dPP/zAP9Gp5k"), id="pwd alone"),
    ],
)
async def test_half_a_restart(client: Client, body: str) -> None:
    """RFC 8839 section 4.4.1.1.1: both values change in a restart."""
    session = await open_session(client)
    await problem_of(await patch(client, session, body, "*"), 422, "RFC 8839")
    # The session and its entity tag are as before.
    assert (await client.get(session.location)).status == 204
    assert (await patch(client, session, fragment(CANDIDATE))).status == 204


async def test_overlapping_requests(client: Client) -> None:
    """Section 4.3.1: "The WHIP client MAY send overlapping HTTP PATCH requests"."""
    session = await open_session(client)
    responses = await asyncio.gather(
        *(
            restart(client, session, IceCredentials(f"new{n}", f"{n}" * 22), CANDIDATE)
            for n in range(8)
        ),
        *(patch(client, session, fragment(CANDIDATE)) for _ in range(8)),
    )
    restarts, trickles = responses[:8], responses[8:]
    assert {r.status for r in restarts} == {200}
    assert len({r.headers[hdrs.ETAG] for r in restarts}) == 8
    assert {r.status for r in trickles} <= {204, 412}
    # Whichever came last is the one that counts.
    current = [
        (await patch(client, session, "a=end-of-candidates\r\n", r.headers[hdrs.ETAG]))
        for r in restarts
    ]
    assert sorted(r.status for r in current) == [204] + [412] * 7


@dataclass
class Echoes:
    """A channel, and what came back on it."""

    channel: DataChannel
    received: list[str] = field(default_factory=list)

    async def of(self, text: str) -> None:
        """Send a message, and wait for its echo."""
        self.channel.send(text)
        await until(lambda: text in self.received)


@asynccontextmanager
async def connected(client: Client) -> AsyncIterator[tuple[WhipClient, Echoes]]:
    async with WhipClient(str(client.make_url("/whip/live"))) as whip:
        channel = whip.peer.createDataChannel("test")
        echoes = Echoes(channel)
        channel.on("message", echoes.received.append)
        await whip.connect()
        await whip.opened(channel)
        yield whip, echoes


async def test_a_channel_loses_nothing(client: Client) -> None:
    """Section 4.3.3: "the previously negotiated non-ICE related SDP information still
    apply after the ICE restart".
    """
    async with connected(client) as (whip, echoes):
        for n in range(10):
            await echoes.of(f"before {n}")
            echoes.channel.send(f"during {n}")
            await whip.restart()
        await echoes.of("after")
        expected = [f"{when} {n}" for n in range(10) for when in ("before", "during")]
        assert echoes.received == [*expected, "after"]


async def test_a_failed_restart_leaves_the_connection(client: Client) -> None:
    """Section 4.3.3: "MUST NOT terminate the session immediately and keep the existing
    ICE session". This restart is answered, and then nobody is there.
    """
    async with connected(client) as (whip, echoes):
        assert whip.location is not None
        response = await client.patch(
            whip.location.path,
            data=fragment(ufrag=NEW.ufrag, pwd=NEW.pwd).encode(),
            headers={hdrs.CONTENT_TYPE: SDP_FRAGMENT, hdrs.IF_MATCH: "*"},
        )
        assert response.status == 200
        await echoes.of("still here")
        # Section 4.3.3: "The WHIP client MAY retry performing a new ICE restart".
        await whip.restart()
        await echoes.of("and here")


async def test_a_session_that_has_ended_is_not_restarted(client: Client) -> None:
    session = await open_session(client)
    await client.delete(session.location)
    await problem_of(await restart(client, session), 404)
