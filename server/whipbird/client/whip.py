"""The client's side of WHIP (RFC 9725)."""

import asyncio
import json
import os
from types import TracebackType
from typing import Self

import aiohttp
from aiortc import RTCSessionDescription
from yarl import URL

from ..rtc import Certificate, DataChannel, Peer, PeerOptions
from ..sdp.parser import parse_description
from .errors import WhipError

# Seconds to wait for an HTTP response, and for the connection that follows.
TIMEOUT = 15.0
# ... and for the response to a DELETE: nothing depends on it.
DELETE_TIMEOUT = 2.0

# An answer has about 2,000 octets; an error is not read further than this.
_MAX_ANSWER = 256 * 1024


class WhipClient:
    """A WHIP session, from the client's side.

    Add channels or tracks to ``peer``, then ``connect``. As a context manager it
    closes itself::

        async with WhipClient("http://127.0.0.1:8080/whip/test") as client:
            channel = client.peer.createDataChannel("ping")
            await client.connect()

    Args:
        url: the WHIP endpoint.
        token: sent as ``Authorization: Bearer`` with every request, when given.
        timeout: seconds to wait for each response, and for the connection.
        options: what the peer shares with others; by default it shares nothing.

    Attributes:
        peer: this side's end of the connection.
        location: the URL of the session, once there is one.
        etag: the entity tag of its ICE session; None when the server gave none.
        offer, answer: the SDP that was exchanged.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = TIMEOUT,
        options: PeerOptions | None = None,
    ) -> None:
        self.url = URL(url)
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http: aiohttp.ClientSession | None = None
        self.peer = Peer(options or PeerOptions(Certificate.generateCertificate()))
        self.location: URL | None = None
        self.etag: str | None = None
        self.offer = ""
        self.answer = ""

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

        Raises:
            WhipError: when the server refuses, or no connection is made in time.
        """
        await self.post()
        await self.connected()

    async def post(self) -> None:
        """Send the offer, with all candidates, and take the answer.

        Raises:
            WhipError: when the server refuses, or cannot be reached.
        """
        await self.peer.setLocalDescription(await self.peer.createOffer())
        self.offer = self.peer.localDescription.sdp
        response, self.answer = await self._request(
            "POST",
            self.url,
            data=self.offer.encode(),
            headers={"Content-Type": "application/sdp"},
        )
        if response.status != 201:
            raise WhipError(
                "Not a WHIP server",
                f"it answered the offer with {response.status}, not with 201",
                response.status,
            )
        location = response.headers.get("Location")
        if not location:
            raise WhipError("Not a WHIP server", "the answer has no Location", 201)
        try:
            self.location = response.url.join(URL(location))
        except ValueError as error:
            raise WhipError("Not a WHIP server", f"Location: {error}", 201) from error
        self.etag = response.headers.get("ETag")
        if response.content_type != "application/sdp":
            raise WhipError(
                "Not a WHIP server", f"the answer is {response.content_type}", 201
            )
        try:
            parse_description(self.answer)
            await self.peer.setRemoteDescription(
                RTCSessionDescription(sdp=self.answer, type="answer")
            )
        except Exception as error:
            # aiortc raises whatever its parser stumbles over.
            detail = str(error) or "the SDP cannot be read"
            raise WhipError("Unusable answer", detail, 201) from error

    async def connected(self) -> None:
        """Wait until the connection is made.

        Raises:
            WhipError: when it fails, or is not made in time.
        """
        changed = asyncio.Event()
        self.peer.on("connectionstatechange", changed.set)
        try:
            async with asyncio.timeout(self._timeout):
                while (state := self.peer.connectionState) != "connected":
                    if state in ("failed", "closed"):
                        raise WhipError("No connection", f"the connection is {state}")
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            raise WhipError(
                "No connection", f"none was made within {self._timeout:g} seconds"
            ) from None
        finally:
            if self.peer.connectionState != "closed":
                self.peer.remove_listener("connectionstatechange", changed.set)

    async def opened(self, channel: DataChannel) -> None:
        """Wait until a data channel is open.

        Raises:
            WhipError: when it is closed, or not opened in time.
        """
        changed = asyncio.Event()
        channel.on("open", changed.set)
        channel.on("close", changed.set)
        try:
            async with asyncio.timeout(self._timeout):
                while channel.readyState == "connecting":
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            raise WhipError(
                "No data channel", f"none was opened within {self._timeout:g} seconds"
            ) from None
        if channel.readyState != "open":
            raise WhipError("No data channel", "the server closed it")

    async def close(self) -> None:
        """End the session: DELETE, then the connection. Never raises for the server."""
        try:
            if self.location is not None:
                await self._request("DELETE", self.location, timeout=DELETE_TIMEOUT)
        except WhipError:
            # It is gone already, or cannot be reached; both end it.
            pass
        finally:
            self.location = None
            await self.peer.close()
            if self._http is not None:
                await self._http.close()
                self._http = None

    async def _request(
        self,
        method: str,
        url: URL,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> tuple[aiohttp.ClientResponse, str]:
        """Send a request.

        Returns:
            The response, its body already read, and that body.

        Raises:
            WhipError: for a status that is no success, or no response at all.
        """
        if self._http is None:
            self._http = aiohttp.ClientSession(headers=self._headers)
        seconds = min(self._timeout, timeout or self._timeout)
        try:
            async with self._http.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as response:
                body = await _read(response)
        except TimeoutError:
            raise WhipError(
                "No response", f"{url} sent none within {seconds:g} seconds"
            ) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise WhipError("Cannot reach the server", _reason(error, url)) from error
        if response.status >= 300:
            raise _refusal(response, body)
        return response, body


def _reason(error: Exception, url: URL) -> str:
    """Why the server cannot be reached, in words that name the host and the port."""
    host, port = url.host, url.port
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"there is no host named {host}"
        case aiohttp.ClientSSLError():
            return f"{host} port {port} does not speak TLS as it should ({error})"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return f"{host} port {port}: {os.strerror(number) if number else error}"
        case _:
            return str(error) or type(error).__name__


async def _read(response: aiohttp.ClientResponse) -> str:
    """Read a body, to its end or as far as a body may go."""
    octets = bytearray()
    async for piece in response.content.iter_any():
        octets += piece
        if len(octets) > _MAX_ANSWER:
            break
    return octets.decode(errors="replace")


def _refusal(response: aiohttp.ClientResponse, body: str) -> WhipError:
    """What the server says of its refusal (RFC 9457), or else its status."""
    title, detail = response.reason or "Refused", ""
    if response.content_type == "application/problem+json":
        try:
            problem = json.loads(body)
            title = str(problem.get("title") or title)
            detail = str(problem.get("detail") or "")
        except (ValueError, AttributeError):
            pass
    else:
        detail = "is this the URL of a WHIP endpoint?"
    return WhipError(title, detail, response.status)
