"""CORS: whether pages of other sites may publish here."""

from collections.abc import Mapping

import aiohttp

from .finding import Finding, ok, warning
from .subject import Subject

CHECK = "CORS"

# As if from a page of another site.
ORIGIN = "https://studio.example"


async def ask(subject: Subject) -> list[Finding]:
    """Send the preflight of a POST with an offer (Fetch section 4.8)."""
    wanted = ["content-type"]
    if subject.options.token is not None:
        wanted.append("authorization")
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(wanted),
    }
    try:
        async with (
            subject.http() as http,
            http.options(
                subject.endpoint, headers=headers, allow_redirects=False
            ) as response,
        ):
            return [judge(response.status, response.headers, wanted)]
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or "no response comes"
        return [_refused(f"OPTIONS fails: {reason}")]


def judge(status: int, headers: Mapping[str, str], wanted: list[str]) -> Finding:
    """Judge the response to a preflight.

    Args:
        headers: its header fields.
        wanted: the header fields that a page has to send, in lower case.
    """
    if 300 <= status < 400:
        return _refused("OPTIONS is redirected, which browsers do not follow")
    if not 200 <= status < 300:
        return _refused(f"OPTIONS is answered with {status}")
    origin = headers.get("Access-Control-Allow-Origin")
    if origin not in ("*", ORIGIN):
        only = f"only {origin} may" if origin else "no Access-Control-Allow-Origin"
        return _refused(f"pages of other sites may not use the endpoint: {only}")
    names = headers.get("Access-Control-Allow-Headers", "").lower().split(",")
    allowed = {name.strip() for name in names}
    # The asterisk does not include Authorization (Fetch section 4.9).
    missing = [
        name
        for name in wanted
        if name not in allowed and ("*" not in allowed or name == "authorization")
    ]
    if missing:
        return _refused(f"pages may not send {' and '.join(missing)}")
    return ok(CHECK, "pages of other sites may use the endpoint")


def _refused(text: str) -> Finding:
    return warning(
        CHECK,
        text,
        "The server's own page works all the same. For others see the setting "
        "allowed_origins; a proxy must not answer OPTIONS itself.",
    )
