"""A session that connects: data channels, and what comes back on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiohttp import ClientSession, hdrs
from aiortc import RTCSessionDescription
from pytest_aiohttp.plugin import AiohttpServer
from yarl import URL

from tests import offers
from tests.conformance.exchange import SDP, SDP_FRAGMENT
from whipbird.app import create_app
from whipbird.client import WhipClient
from whipbird.config import Settings
from whipbird.rtc import DataChannel
from whipbird.sdp.parser import parse_description
from whipbird.transport.sctp import MAX_MESSAGE_SIZE

LIMIT = 15.0


class Echoes:
    """The echoes on a channel."""

    def __init__(self, channel: DataChannel) -> None:
        self.channel = channel
        self._queue: asyncio.Queue[str | bytes] = asyncio.Queue()
        channel.on("message", self._queue.put_nowait)

    async def next(self) -> str | bytes:
        async with asyncio.timeout(LIMIT):
            return await self._queue.get()

    async def of(self, message: str | bytes) -> str | bytes:
        """Send a message, and wait for what comes back."""
        self.channel.send(message)
        return await self.next()


@pytest_asyncio.fixture
async def url(aiohttp_server: AiohttpServer) -> str:
    """The endpoint of a server in this process."""
    server = await aiohttp_server(create_app(Settings()))
    return str(server.make_url("/whip/live"))


Connect = Callable[..., Awaitable[Echoes]]


@pytest_asyncio.fixture
async def connect(url: str) -> AsyncIterator[Connect]:
    """Connect with one channel, of the given properties."""
    clients = []

    async def go(label: str = "test", **properties: object) -> Echoes:
        client = WhipClient(url, timeout=LIMIT)
        clients.append(client)
        channel = client.peer.createDataChannel(
            label,
            **properties,  # type: ignore[arg-type]
        )
        echoes = Echoes(channel)
        await client.connect()
        await client.opened(channel)
        return echoes

    yield go
    for client in clients:
        await client.close()


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("hello", id="text"),
        pytest.param("\N{BIRD} zwitschert\0\r\n", id="not ASCII"),
        pytest.param("", id="empty text"),
        pytest.param(b"\x00\xff", id="binary"),
        pytest.param(b"", id="empty binary"),
        pytest.param(b"\0", id="one octet"),
        pytest.param("\0", id="one character"),
    ],
)
async def test_echo(connect: Connect, message: str | bytes) -> None:
    """Text comes back as text, binary as binary (RFC 8831 section 6.6)."""
    echo = await (await connect()).of(message)
    assert type(echo) is type(message)
    assert echo == message


async def test_echo_of_every_size(connect: Connect) -> None:
    """Up to the answer's max-message-size (RFC 8841 section 6), whole again."""
    echoes = await connect()
    sizes = [1, 2, 3, 1023, 1024, 1025, 1199, 1200, 1201, 16_383, 16_384, 65_535]
    for size in [*sizes, MAX_MESSAGE_SIZE]:
        message = bytes(n * 7 & 0xFF for n in range(size))
        assert await echoes.of(message) == message


async def test_echo_of_the_largest_text(connect: Connect) -> None:
    """max-message-size counts octets, not characters (RFC 8841 section 6)."""
    echoes = await connect()
    message = "\N{BIRD}" * (MAX_MESSAGE_SIZE // 4)
    assert await echoes.of(message) == message


async def test_the_answer_says_the_largest_message(url: str) -> None:
    """The echo accepts messages up to a=max-message-size (RFC 8841 section 6)."""
    async with WhipClient(url) as client:
        client.peer.createDataChannel("test")
        await client.post()
        [media] = parse_description(client.answer).media
        largest = media.first("max-message-size")
        assert largest is not None
        assert int(largest.value) == MAX_MESSAGE_SIZE


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param({"ordered": False}, id="unordered"),
        pytest.param({"maxRetransmits": 0}, id="no retransmission"),
        pytest.param({"maxRetransmits": 3, "ordered": False}, id="some"),
        pytest.param({"maxPacketLifeTime": 500}, id="lifetime"),
        pytest.param({"protocol": "whip-echo"}, id="protocol"),
        pytest.param({"label": ""}, id="no label"),
        pytest.param({"label": "k\xf6nig \N{BIRD}", "protocol": "\u9ce5"}, id="names"),
        pytest.param({"label": "x" * 1000}, id="long label"),
        pytest.param({"negotiated": True, "id": 7}, id="negotiated"),
        pytest.param({"negotiated": True, "id": 0}, id="negotiated as 0"),
        pytest.param({"negotiated": True, "id": 9, "ordered": False}, id="both"),
    ],
)
async def test_channels_of_every_kind(
    connect: Connect, properties: dict[str, object]
) -> None:
    """A channel's label, protocol and reliability are the client's (RFC 8832)."""
    echoes = await connect(**properties)
    for message in ("one", b"two", "", b"3" * 5000):
        assert await echoes.of(message) == message


async def test_several_channels(url: str) -> None:
    """Each message comes back on its own channel (RFC 8831 section 6.4)."""
    async with WhipClient(url) as client:
        all_echoes = [
            Echoes(client.peer.createDataChannel(f"channel {n}")) for n in range(10)
        ]
        await client.connect()
        for echoes in all_echoes:
            await client.opened(echoes.channel)
        # And one that is opened later.
        late = Echoes(client.peer.createDataChannel("late"))
        await client.opened(late.channel)
        all_echoes.append(late)
        for n, echoes in enumerate(all_echoes):
            for part in range(20):
                echoes.channel.send(f"{n}.{part}")
        for n, echoes in enumerate(all_echoes):
            assert [await echoes.next() for _ in range(20)] == [
                f"{n}.{part}" for part in range(20)
            ]


async def test_a_closed_channel_leaves_the_others(url: str) -> None:
    """Closing one resets its stream, no more (RFC 8831 section 6.7)."""
    async with WhipClient(url) as client:
        one = Echoes(client.peer.createDataChannel("one"))
        other = Echoes(client.peer.createDataChannel("other"))
        await client.connect()
        await client.opened(one.channel)
        await client.opened(other.channel)
        closed = asyncio.Event()
        one.channel.on("close", closed.set)
        one.channel.close()
        async with asyncio.timeout(LIMIT):
            await closed.wait()
        assert await other.of("still here") == "still here"


async def test_order(connect: Connect) -> None:
    """On an ordered channel messages come in order (RFC 8831 section 6.4)."""
    echoes = await connect()
    messages = [f"{n} {'x' * (n * 37 % 1500)}" for n in range(2000)]
    for message in messages:
        echoes.channel.send(message)
    assert [await echoes.next() for _ in messages] == messages


async def test_a_client_that_sends_before_it_reads_loses_nothing(
    aiohttp_server: AiohttpServer,
) -> None:
    """Beyond the echo buffer the client has to wait; nothing is dropped."""
    server = await aiohttp_server(create_app(Settings(echo_buffer=512 * 1024)))
    async with WhipClient(str(server.make_url("/whip/live"))) as client:
        echoes = Echoes(client.peer.createDataChannel("flood"))
        await client.connect()
        await client.opened(echoes.channel)
        count, message = 80, bytes(32 * 1024)
        for n in range(count):
            echoes.channel.send(n.to_bytes(4, "big") + message)
        for n in range(count):
            assert await echoes.next() == n.to_bytes(4, "big") + message


@asynccontextmanager
async def posted(
    url: str, change: Callable[[str], str]
) -> AsyncIterator[tuple[WhipClient, Echoes, URL, str]]:
    """Post an offer that is changed on its way, and take the answer.

    Yields the client, the echoes of its channel, and the session's URL and entity tag.
    """
    async with WhipClient(url, timeout=LIMIT) as client, ClientSession() as http:
        echoes = Echoes(client.peer.createDataChannel("test"))
        await client.peer.setLocalDescription(await client.peer.createOffer())
        offer = change(client.peer.localDescription.sdp)
        response = await http.post(
            url, data=offer.encode(), headers={hdrs.CONTENT_TYPE: SDP}
        )
        answer = await response.text()
        assert response.status == 201, answer
        location = response.url.join(URL(response.headers[hdrs.LOCATION]))
        await client.peer.setRemoteDescription(
            RTCSessionDescription(sdp=answer, type="answer")
        )
        yield client, echoes, location, response.headers[hdrs.ETAG]
        await http.delete(location)


def without_candidates(offer: str) -> str:
    return offers.without(offer, "a=candidate:", "a=end-of-candidates")


def like_obs(offer: str) -> str:
    """No candidates, a group that is none of ours, options with a comma."""
    offer = offers.added(without_candidates(offer), "a=group:LS 0", after="a=group")
    return offers.added(offer, "a=ice-options:ice2,trickle", after="a=group")


@pytest.mark.parametrize("change", [without_candidates, like_obs])
async def test_an_offer_without_candidates(
    url: str, change: Callable[[str], str]
) -> None:
    """Section 4.3.2: "the initial offer by the WHIP client MAY ... only contain local
    candidates (or even an empty list of candidates)", and no PATCH need follow.
    """
    async with posted(url, change) as (client, echoes, _, _):
        await client.connected()
        await client.opened(echoes.channel)
        assert await echoes.of("found you") == "found you"


async def test_candidates_that_come_later(url: str) -> None:
    """Section 4.3.2: "the WHIP client SHOULD send a single aggregated HTTP PATCH
    request with all the buffered ICE candidates once the response is received".
    """
    async with posted(url, without_candidates) as (client, echoes, location, etag):
        local = parse_description(client.peer.localDescription.sdp).media[0]
        kept = ("mid", "ice-ufrag", "ice-pwd", "candidate", "end-of-candidates")
        lines = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel"]
        lines += [
            f"a={a.name}:{a.value}" if a.value else f"a={a.name}"
            for a in local.attributes
            if a.name in kept
        ]
        async with ClientSession() as http:
            response = await http.patch(
                location,
                data="\r\n".join([*lines, ""]).encode(),
                headers={hdrs.CONTENT_TYPE: SDP_FRAGMENT, hdrs.IF_MATCH: etag},
            )
            assert response.status == 204, await response.text()
        await client.connected()
        await client.opened(echoes.channel)
        assert await echoes.of("hello") == "hello"


@pytest.mark.parametrize(
    ("line", "largest"),
    [("a=max-message-size:1000", 1000), ("", 65536), ("a=max-message-size:0", 262144)],
)
async def test_no_echo_is_larger_than_the_client_takes(
    url: str, line: str, largest: int
) -> None:
    """The client's own a=max-message-size counts for what it is sent, 65,536 octets if
    it gives none, and any size if it gives 0 (RFC 8841 section 6).
    """

    def change(offer: str) -> str:
        offer = offers.without(offer, "a=max-message-size")
        return offers.added(offer, line, after="a=sctp-port") if line else offer

    async with posted(url, change) as (client, echoes, _, _):
        await client.connected()
        await client.opened(echoes.channel)
        assert await echoes.of(bytes(largest)) == bytes(largest)
        if largest < MAX_MESSAGE_SIZE:
            echoes.channel.send(bytes(largest + 1))
        # Channels are ordered: what comes back next was sent next.
        assert await echoes.of("small") == "small"


@pytest.mark.parametrize("role", ["actpass", "active"])
async def test_roles_of_the_client(url: str, role: str) -> None:
    """Section 4.4.4: "it MAY use an SDP "setup" attribute with an "active" attribute
    value".
    """

    def change(offer: str) -> str:
        return offers.replaced(offer, "a=setup:actpass", f"a=setup:{role}")

    async with posted(url, change) as (client, echoes, _, _):
        await client.connected()
        await client.opened(echoes.channel)
        assert await echoes.of(role) == role


async def test_a_delete_ends_the_connection(url: str) -> None:
    """Section 4.2: "the WHIP session will be removed and the resources freed on the
    media server, terminating the ICE and DTLS sessions".
    """
    async with posted(url, str) as (client, echoes, location, _):
        await client.connected()
        await client.opened(echoes.channel)
        closed = asyncio.Event()
        echoes.channel.on("close", closed.set)
        async with ClientSession() as http:
            assert (await http.delete(location)).status == 200
        async with asyncio.timeout(LIMIT):
            await closed.wait()


async def test_a_client_that_goes_takes_its_session_along(url: str) -> None:
    """Section 4.2: "DTLS teardown for session termination by either side"."""
    async with posted(url, str) as (client, echoes, location, _):
        await client.connected()
        await client.opened(echoes.channel)
        await client.peer.close()
        async with ClientSession() as http, asyncio.timeout(LIMIT):
            while (await http.get(location)).status != 404:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_status_counts(url: str) -> None:
    """The log of a session."""
    async with WhipClient(url) as client, ClientSession() as http:
        echoes = Echoes(client.peer.createDataChannel("test"))
        await client.connect()
        await client.opened(echoes.channel)
        for n in range(5):
            await echoes.of(str(n))
        status_url = URL(url).with_path("/api/status")
        status = await (await http.get(status_url)).json()
        assert status["sessions"]["connected"] == status["sessions"]["open"] == 1
        assert status["messages_echoed"] == 5
        assert client.location is not None
        assert client.location.name not in str(status)
        await http.delete(client.location)
        status = await (await http.get(status_url)).json()
        assert status["sessions"]["open"] == 0
        # They are not forgotten with their session.
        assert status["messages_echoed"] == 5
