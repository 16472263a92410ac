"""HTTP: what is at the URL, and where its WHIP endpoint is."""

import aiohttp
from yarl import URL

from ..client.http import why_unreachable
from .finding import Finding, failed, ok, warning
from .subject import Subject

CHECK = "HTTP"

MAX_REDIRECTIONS = 5

# Those that make a GET of a POST (RFC 9110 section 15.4).
_LOSE_METHOD = (301, 302, 303)
_GATEWAY = (502, 504)

# What begins the path of a page, below the prefix of the server.
_PAGES = frozenset({"watch", "embed", "publish", "index.html"})

# The endpoint that is examined where the URL names none: data channels take no name.
_STREAM = "whip/test"


async def get(subject: Subject) -> list[Finding]:
    """Get the URL, and find the endpoint."""
    url = subject.url
    named = "whip" in url.parts
    findings: list[Finding] = []
    for _ in range(MAX_REDIRECTIONS + 1):
        try:
            async with (
                subject.http() as http,
                http.get(url, allow_redirects=False) as response,
            ):
                location = response.headers.get("Location", "")
                target = url.join(URL(location)) if location else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            subject.stopped = "HTTP does not work"
            return [*findings, judge_failure(error, url)]
        if not 300 <= response.status < 400 or target is None:
            break
        if named and response.status in _LOSE_METHOD:
            findings.append(judge_redirection(response.status, url, target))
        url = target
    else:
        subject.stopped = "HTTP does not work"
        return [
            *findings,
            failed(
                CHECK,
                f"more than {MAX_REDIRECTIONS} redirections",
                "They may go round in a circle: a proxy and the server both redirect.",
            ),
        ]
    subject.url = url
    subject.is_whipbird = response.headers.get("Server", "").startswith("Whipbird")
    is_page = response.content_type == "text/html" and response.status < 400
    subject.endpoint = url if named or not is_page else endpoint_of_page(url)
    findings.append(
        judge_status(response.status, subject.is_whipbird, subject.endpoint)
    )
    if response.status in _GATEWAY:
        subject.stopped = "the proxy does not reach the server"
    return findings


def endpoint_of_page(url: URL) -> URL:
    """A WHIP endpoint of the server that has a page, below the same prefix."""
    parts = [part for part in url.parts if part.strip("/")]
    for index, part in enumerate(parts):
        if part in _PAGES:
            parts = parts[:index]
            break
    return url.with_path("/" + "/".join([*parts, _STREAM]))


def judge_failure(error: Exception, url: URL) -> Finding:
    """Say why there was no response."""
    if isinstance(error, TimeoutError):
        return failed(
            CHECK,
            "the connection is taken, but no response comes",
            "The server is busy or stopped, or another program has this port.",
        )
    other = "https" if url.scheme == "http" else "http"
    return failed(
        CHECK,
        why_unreachable(error, url),
        f"Does it speak {other.upper()} there? Try {other}://.",
    )


def judge_redirection(status: int, url: URL, target: URL) -> Finding:
    """Judge a redirection of an endpoint that loses the method."""
    advice = f"Use {target}, or let it redirect with 308 (RFC 9725 section 4.5)."
    text = f"{url} redirects with {status}, which turns a POST into a GET"
    return failed(CHECK, text, advice)


def judge_status(status: int, is_whipbird: bool, endpoint: URL) -> Finding:
    """Judge the response to a GET."""
    if status in _GATEWAY:
        return failed(
            CHECK,
            f"a proxy answers with {status}: it does not reach the server",
            "Does the server run, and is its address right in the proxy's settings?",
        )
    if status >= 500:
        return warning(
            CHECK, f"GET is answered with {status}", "See the log of the server."
        )
    if status == 421:
        return failed(
            CHECK,
            f"the server does not know the name {endpoint.host}",
            "Add it to its setting allowed_hosts.",
        )
    who = "Whipbird" if is_whipbird else "a server"
    return ok(CHECK, f"{who} answers; the endpoint is {endpoint}")
