"""A WHIP client (RFC 9725)."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import ClassVar, Self

import aiohttp
from aiortc import RTCSessionDescription
from yarl import URL

from ..net import UdpPort
from ..rtc import Certificate, DataChannel, LocalIce, Peer, PeerOptions
from ..sdp.answer import DISCARD_PORT
from ..sdp.errors import SdpError
from ..sdp.fragment import Fragment, parse_fragment, write_fragment
from ..sdp.link import IceServer, Link, ice_servers, parse_links
from ..sdp.parser import parse_description
from .errors import WhipError
from .http import WhipHttp
from .relays import Relays
from .setup import Setup

# Seconds to wait for an HTTP response, and for the connection.
TIMEOUT = 15.0
# ... and for the response to a DELETE, on which nothing depends.
DELETE_TIMEOUT = 2.0

# Addresses of the server that an error names.
_MAX_NAMED = 8

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"

# Asks for a Location that stays right behind a proxy which changes paths (RFC 7240).
RELATIVE = "relative-location"


class WhipClient:
    """A WHIP session of a client.

    Add channels or tracks to ``peer``, then call ``connect``. As a context manager it
    closes itself::

        async with WhipClient("http://127.0.0.1:8080/whip/test") as client:
            channel = client.peer.createDataChannel("ping")
            await client.connect()

    Args:
        url: the WHIP endpoint.
        token: a Bearer token for all requests; None for none.
        timeout: seconds to wait for each response, and for a connection.
        options: by default the peer shares nothing, and has a UDP port of its own.
            On a port that several share, the server lets one connect after the
            other: a DTLS handshake does not say which of them it is for.
        tls_fingerprint: the SHA-256 digest of the only certificate that is accepted of
            an HTTPS server; None to have it verified as browsers do.
        headers: further header fields of all requests.

    Attributes:
        protocol: what the server speaks, for errors.
        peer: our end of the connection.
        http: sends the requests.
        timeout: seconds to wait for a connection.
        location: the URL of the session; None while there is none.
        etag: the entity tag of its ICE session; None if the server sent none.
        offer, answer: the exchanged SDP.
        ice_servers: the STUN and TURN servers that the server has named.
        links: the targets of its Link fields, by relation type.
        response_headers: the header fields of the response to the offer.
        setup: when the steps of the setup were done.
    """

    protocol: ClassVar[str] = "WHIP"

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = TIMEOUT,
        options: PeerOptions | None = None,
        tls_fingerprint: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.url = URL(url)
        self.timeout = timeout
        self.http = WhipHttp(token, timeout, tls_fingerprint, headers)
        self._restarts = 0
        self._port: UdpPort | None = None
        if options is None:
            self._port = UdpPort()
            options = PeerOptions(Certificate.generate(), self._port)
        self._options = options
        self.peer = Peer(options)
        port = options.port if isinstance(options.port, UdpPort) else None
        self._relays = Relays(self.peer, port, timeout)
        self.location: URL | None = None
        self.etag: str | None = None
        self.offer = ""
        self.answer = ""
        self.ice_servers: tuple[IceServer, ...] = ()
        self.links: dict[str, URL] = {}
        self.response_headers: Mapping[str, str] = {}
        self.setup = Setup()
        self._now = time.perf_counter
        self.peer.on("iceconnectionstatechange", self._ice_changed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open a session, and wait until it is connected.

        It may be called again after the server has refused; the offer stays the same.

        Raises:
            WhipError: when the server refuses, or the connection fails or times out.
        """
        await self.post()
        await self.connected()

    async def post(self) -> None:
        """Send the offer, with all candidates, and apply the answer.

        Raises:
            WhipError: when the server refuses, or cannot be reached.
        """
        response, text = await self._send_offer()
        self.location = self._location_of(response)
        self.etag = response.headers.get("ETag")
        await self._accept(response, text)

    async def _send_offer(
        self, takes: Collection[int] = ()
    ) -> tuple[aiohttp.ClientResponse, str]:
        """POST the offer.

        Args:
            takes: statuses that are no errors, beside 201.

        Returns:
            The response and its body.

        Raises:
            WhipError: when the server refuses, or cannot be reached.
        """
        self.setup = Setup(begun=self._now())
        await self._open_port()
        if not self.offer:
            try:
                await self.peer.setLocalDescription(await self.peer.createOffer())
            except OSError as error:
                raise WhipError("No network", str(error)) from error
            self.offer = self.peer.localDescription.sdp
        self.setup.posted = self._now()
        response, text = await self.http.request(
            "POST",
            self.url,
            data=self.offer.encode(),
            headers={"Content-Type": SDP, "Prefer": RELATIVE},
            takes=takes,
        )
        self.setup.answered = self._now()
        self.response_headers = response.headers
        if response.status != 201 and response.status not in takes:
            raise WhipError(
                f"Not a {self.protocol} server",
                f"it answered the offer with {response.status}, not with 201",
                response.status,
            )
        return response, text

    async def _open_port(self) -> None:
        if self._port is not None and not self._port.is_open:
            try:
                await self._port.open()
            except OSError as error:
                raise WhipError("No network", str(error)) from error

    def _location_of(self, response: aiohttp.ClientResponse) -> URL:
        """The URL of the session that a response has opened.

        Raises:
            WhipError: when it has none.
        """
        title, status = f"Not a {self.protocol} server", response.status
        location = response.headers.get("Location")
        if not location:
            raise WhipError(title, "the answer has no Location", status)
        try:
            return response.url.join(URL(location))
        except ValueError as error:
            raise WhipError(title, f"Location: {error}", status) from error

    async def _accept(self, response: aiohttp.ClientResponse, text: str) -> None:
        """Apply the answer in a response.

        Raises:
            WhipError: when it is none, or cannot be used.
        """
        links = parse_links(response.headers.getall("Link", ()))
        self.ice_servers = ice_servers(links)
        self.links = dict(_targets(response.url, links))
        self._require_sdp(response)
        self.answer = text
        try:
            await self.peer.setRemoteDescription(RTCSessionDescription(text, "answer"))
        except SdpError as error:
            raise WhipError("Unusable answer", error.detail, 201) from error

    def _require_sdp(self, response: aiohttp.ClientResponse) -> None:
        if response.content_type != SDP:
            raise WhipError(
                f"Not a {self.protocol} server",
                f"the answer is {response.content_type}",
                response.status,
            )

    async def connected(self) -> None:
        """Wait until the peer is connected.

        Raises:
            WhipError: when the connection fails or times out.
        """
        changed = asyncio.Event()
        self.peer.on("connectionstatechange", changed.set)
        try:
            async with (
                asyncio.timeout(self.timeout),
                self._relays.helping(self.ice_servers),
            ):
                while (state := self.peer.connectionState) != "connected":
                    if state in ("failed", "closed"):
                        raise WhipError("No connection", f"the connection is {state}")
                    changed.clear()
                    await changed.wait()
                self.setup.secured = self._now()
        except TimeoutError:
            raise WhipError("No connection", self._why_not_connected()) from None
        finally:
            if self.peer.connectionState != "closed":
                self.peer.remove_listener("connectionstatechange", changed.set)

    def _ice_changed(self) -> None:
        if self.peer.iceConnectionState == "completed" and self.setup.path is None:
            self.setup.path = self._now()

    def _why_not_connected(self) -> str:
        offered = [
            f"{candidate.address} port {candidate.port}"
            for candidate in self.peer.remote_candidates[:_MAX_NAMED]
        ]
        said = "".join(f"; {problem}" for problem in self._relays.problems)
        return (
            f"it was not established within {self.timeout:g} seconds; "
            f"the server offered {', '.join(offered) or 'no address to send to'}{said}"
        )

    async def opened(self, channel: DataChannel) -> None:
        """Wait until a data channel is open.

        Raises:
            WhipError: when it is closed, or does not open in time.
        """
        changed = asyncio.Event()
        channel.on("open", changed.set)
        channel.on("close", changed.set)
        try:
            async with asyncio.timeout(self.timeout):
                while channel.readyState == "connecting":
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            raise WhipError(
                "No data channel", f"it did not open within {self.timeout:g} seconds"
            ) from None
        if channel.readyState != "open":
            raise WhipError("No data channel", "the server closed it")
        self.setup.opened = self._now()

    async def restart(self) -> None:
        """Restart ICE, and wait until the connection uses the new ICE session.

        Channels and tracks continue meanwhile. A restart supersedes an unfinished one
        (RFC 9725 section 4.3.3).

        Raises:
            WhipError: when there is no session, the server refuses, or the new ICE
                session does not connect in time. The old one is kept.
        """
        if self.location is None:
            raise WhipError("No session", "it has ended or was never opened")
        try:
            local = await self.peer.restart_ice()
        except ConnectionError as error:
            raise WhipError("No connection", str(error)) from error
        self._restarts += 1
        number = self._restarts
        body = _fragment(self.offer, local)
        try:
            remote, etag = await self._patch_restart(self.location, body)
            if number != self._restarts:
                raise WhipError("Superseded", "another ICE restart has begun")
            self.etag = etag
            assert remote.ice is not None
            self.peer.accept_restart(remote.ice, remote.candidates)
            async with (
                asyncio.timeout(self.timeout),
                self._relays.helping(self.ice_servers),
            ):
                await self.peer.restarted()
        except TimeoutError:
            raise WhipError(
                "No new path", f"none worked within {self.timeout:g} seconds"
            ) from None
        except ConnectionError as error:
            raise WhipError("No new path", str(error)) from error
        finally:
            if number == self._restarts:
                # This has no effect on a restart that has succeeded.
                self.peer.abandon_restart()

    async def _patch_restart(
        self, location: URL, body: str
    ) -> tuple[Fragment, str | None]:
        """Exchange the new ICE credentials.

        Returns:
            The server's fragment, and the entity tag of the new ICE session.

        Raises:
            WhipError: when the server refuses, or the response is not a fragment.
        """
        response, text = await self.http.request(
            "PATCH",
            location,
            data=body.encode(),
            headers={"Content-Type": SDP_FRAGMENT, "If-Match": "*"},
            # The usual reason for a restart is that the network has changed.
            reconnect=True,
        )
        if response.status != 200 or response.content_type != SDP_FRAGMENT:
            raise WhipError(
                "No ICE restart",
                f"the server answered with {response.status} {response.content_type}",
                response.status,
            )
        try:
            fragment = parse_fragment(text)
        except SdpError as error:
            raise WhipError("Unusable answer", str(error), 200) from error
        if fragment.ice is None:
            raise WhipError("Unusable answer", "it has no ICE credentials", 200)
        return fragment, response.headers.get("ETag")

    async def close(self) -> None:
        """End the session with DELETE, then close the peer. Errors are ignored."""
        try:
            if self.location is not None:
                await self.http.request("DELETE", self.location, timeout=DELETE_TIMEOUT)
        except WhipError:
            # The session has ended already, or the server cannot be reached.
            pass
        finally:
            self.location = None
            await self.peer.close()
            self._relays.close()
            if self._port is not None:
                self._port.close()
            await self.http.close()


def _targets(base: URL, links: Collection[Link]) -> Iterator[tuple[str, URL]]:
    """The relation types of links, and what each leads to."""
    for link in links:
        for relation in link.relations:
            try:
                yield relation, base.join(URL(link.target))
            except ValueError:
                continue


def _fragment(offer: str, local: LocalIce) -> str:
    """The body of a PATCH that restarts ICE: our side, with the offer's m-line."""
    description = parse_description(offer)
    group = description.first("group")
    bundle = tuple(group.value.split()[1:]) if group else ()
    tagged = description.media[0]
    for media in description.media:
        if bundle and (mid := media.first("mid")) and mid.value == bundle[0]:
            tagged = media
    mid = tagged.first("mid")
    attributes = [
        f"{found.name}:{found.value}" if found.value else found.name
        for name in ("ice-lite", "ice-options", "ice-pacing")
        if (found := tagged.first(name) or description.first(name))
    ]
    formats = " ".join(tagged.formats)
    return write_fragment(
        f"{tagged.kind} {DISCARD_PORT} {tagged.protocol} {formats}",
        mid.value if mid else None,
        local.ice,
        local.candidates,
        bundle=bundle,
        ice_attributes=attributes,
    )
