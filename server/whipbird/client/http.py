"""The HTTP requests of a WHIP client: token, redirections, timeouts, errors."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

import aiohttp
from yarl import URL

from .errors import WhipError

# Octets of a response that are read; an SDP answer has about 2,000.
_MAX_ANSWER = 256 * 1024

# Digits of a time in seconds that can be meant: that is 30 years.
_MAX_DIGITS = 9

PROBLEM = "application/problem+json"

# The redirections that keep the method and the body (RFC 9110 section 15.4), and the
# number of them that is followed.
_REDIRECTS = (307, 308)
_MAX_REDIRECTS = 5


class WhipHttp:
    """Sends the requests of one WHIP session.

    Args:
        token: a Bearer token for all requests; None for none.
        timeout: seconds to wait for each response, redirections included.
        fingerprint: the SHA-256 digest of the server's certificate, which is then the
            only one that is accepted, whoever has signed it; None to have it verified
            as browsers do.
        headers: further header fields of all requests.
    """

    def __init__(
        self,
        token: str | None,
        timeout: float,
        fingerprint: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._timeout = timeout
        self._tls = aiohttp.Fingerprint(fingerprint) if fingerprint else True
        self._headers = dict(headers)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        url: URL,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        reconnect: bool = False,
        takes: Collection[int] = (),
    ) -> tuple[aiohttp.ClientResponse, str]:
        """Send a request, and follow redirections.

        Args:
            timeout: a shorter timeout for this request, in seconds.
            takes: statuses that are not errors here, beside those of success.
            reconnect: leave the connections that there are, which a change of network
                may have broken. Requests that wait on them are not touched.

        Returns:
            The response and its body.

        Raises:
            WhipError: when there is no response, or its status is not a success.
        """
        seconds = min(self._timeout, timeout or self._timeout)
        try:
            async with asyncio.timeout(seconds):
                if reconnect:
                    async with self._new_session() as session:
                        response, body = await self._follow(
                            session, method, url, data, headers
                        )
                else:
                    if self._session is None:
                        self._session = self._new_session()
                    response, body = await self._follow(
                        self._session, method, url, data, headers
                    )
        except TimeoutError:
            raise WhipError(
                "No response", f"{url} sent none within {seconds:g} seconds"
            ) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise WhipError(
                "Cannot reach the server", why_unreachable(error, url)
            ) from error
        if response.status >= 300 and response.status not in takes:
            raise refusal(response, body)
        return response, body

    @asynccontextmanager
    async def streaming(self, url: URL) -> AsyncIterator[aiohttp.StreamReader]:
        """GET a response without an end, and read its body as it comes.

        Raises:
            WhipError: when there is none, or its status is not a success; while it is
                read, too.
        """
        forever = aiohttp.ClientTimeout(total=None, connect=self._timeout)
        try:
            async with (
                self._new_session() as session,
                session.get(url, timeout=forever) as response,
            ):
                if response.status >= 300:
                    raise refusal(response, await _read(response))
                yield response.content
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise WhipError(
                "Cannot reach the server", why_unreachable(error, url)
            ) from error

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers=self._headers, connector=aiohttp.TCPConnector(ssl=self._tls)
        )

    async def _follow(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        data: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[aiohttp.ClientResponse, str]:
        """Send a request, and follow redirections (RFC 9725 section 4.5).

        The token is sent to the new URL too, since the server that it is for has named
        it; but never from HTTPS to HTTP, where others could read it.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            async with session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                body = await _read(response)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response, body
            target = url.join(URL(location))
            if url.scheme == "https" and target.scheme != "https":
                raise WhipError(
                    "Unsafe redirection", f"from HTTPS to {target}", response.status
                )
            url = target
        raise WhipError(
            "Too many redirections", f"more than {_MAX_REDIRECTS}", response.status
        )


def why_unreachable(error: Exception, url: URL) -> str:
    """A description of why a server cannot be reached, with its host and port."""
    host, port = url.host, url.port
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"there is no host named {host}"
        case aiohttp.ClientConnectorCertificateError():
            return (
                f"the certificate of {host} port {port} is not trusted: "
                f"{_why_untrusted(error.certificate_error)}; if it is the right one, "
                "give its SHA-256 digest with --tls-fingerprint"
            )
        case aiohttp.ServerFingerprintMismatch():
            return (
                f"{host} port {port} has another certificate than expected: "
                f"its SHA-256 digest is {error.got.hex(':').upper()}"
            )
        case aiohttp.ClientSSLError():
            return f"{host} port {port} does not speak TLS as it should ({error})"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return f"{host} port {port}: {os.strerror(number) if number else error}"
        case _:
            return str(error) or type(error).__name__


def _why_untrusted(error: Exception) -> str:
    return getattr(error, "verify_message", "") or str(error)


async def _read(response: aiohttp.ClientResponse) -> str:
    """Read a body, at most ``_MAX_ANSWER`` octets of it."""
    octets = bytearray()
    async for piece in response.content.iter_any():
        octets += piece
        if len(octets) > _MAX_ANSWER:
            break
    return octets.decode(errors="replace")


def refusal(response: aiohttp.ClientResponse, body: str) -> WhipError:
    """The error for a response: its problem details (RFC 9457), or else its status."""
    title, detail = response.reason or "Refused", ""
    if response.status in (301, 302, 303):
        detail = (
            "the endpoint redirects in a way that turns a POST into a GET; "
            "WHIP wants 307 (RFC 9725 section 4.5)"
        )
    elif response.content_type == PROBLEM:
        try:
            problem = json.loads(body)
            title = str(problem.get("title") or title)
            detail = str(problem.get("detail") or "")
        except (ValueError, AttributeError, RecursionError):
            pass
    else:
        detail = "is this the URL of a WHIP endpoint?"
    return WhipError(title, detail, response.status, retry_after=_retry_after(response))


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """The seconds in Retry-After; None without it, or if it is anything else."""
    value = response.headers.get("Retry-After", "")
    is_short = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
    return float(value) if is_short else None
