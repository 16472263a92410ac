"""No input makes the server fail: whatever comes, it answers, and not with 5xx."""

import string

from aiohttp import hdrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from tests import offers
from tests.conformance.exchange import (
    SDP,
    SDP_FRAGMENT,
    Client,
    fragment,
    open_session,
    patch,
    problem_of,
)
from tests.mutations import mutated
from tests.waiting import until
from whipbird.app import STORE

bounded = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

field_values = st.text(string.printable.strip() + " ", max_size=40)


def sessions_of(client: Client) -> int:
    """How many sessions the server has."""
    assert client.app is not None
    return client.app[STORE].count().total()


async def check(client: Client, method: str, path: str, **request: object) -> int:
    """Send a request, check that it is answered in due form, and end its session."""
    response = await client.request(
        method,
        URL(path, encoded=True),
        **request,  # type: ignore[arg-type]
    )
    status = response.status
    assert status < 500, await response.text()
    if status >= 400 and method != "HEAD":
        await problem_of(response, status)
    if status == 201:
        await client.delete(response.headers["Location"])
    return status


@bounded
@given(offer=mutated(*offers.ALL.values()))
async def test_offers_with_flaws(client: Client, offer: bytes) -> None:
    """Section 4.2: "or the SDP is malformed, the WHIP endpoint MUST reject the HTTP
    POST request with an appropriate 4XX error response". The verdict on an offer is
    always the same, and no session is left behind.
    """
    headers = {"Content-Type": SDP}
    verdicts = {
        await check(client, "POST", "/whip/live", data=offer, headers=headers)
        for _ in range(2)
    }
    assert len(verdicts) == 1
    await until(lambda: sessions_of(client) == 0)


@bounded
@given(body=st.binary(max_size=300))
async def test_bodies_of_any_kind(client: Client, body: bytes) -> None:
    """Section 4.2: "or the SDP is malformed, the WHIP endpoint MUST reject the HTTP
    POST request with an appropriate 4XX error response".
    """
    headers = {"Content-Type": SDP}
    status = await check(client, "POST", "/whip/live", data=body, headers=headers)
    assert 400 <= status < 500


@bounded
@given(
    body=mutated(
        fragment("1 1 udp 2122260223 192.0.2.1 61764 typ host"),
        fragment(ufrag="ysXw", pwd="vw5LmwG4y/e6dPP/zAP9Gp5k"),
    ),
    if_match=st.sampled_from(["", "*"]),
)
async def test_fragments_with_flaws(client: Client, body: bytes, if_match: str) -> None:
    """Section 4.3.1: "or the SDP fragment is malformed, the WHIP session MUST reject
    the HTTP PATCH with an appropriate 4XX error response". Whatever was refused has
    changed nothing, and whatever was taken is a restart or a trickle.
    """
    session = await open_session(client)
    response = await patch(client, session, body, if_match)
    assert response.status in (200, 204, 400, 422), await response.text()
    assert (hdrs.ETAG in response.headers) is (response.status == 200)
    again = await patch(client, session, "a=end-of-candidates\r\n")
    assert again.status == (412 if response.status == 200 else 204)
    assert (await client.delete(session.location)).status == 200
    await until(lambda: sessions_of(client) == 0)


@bounded
@given(
    method=st.sampled_from(
        ["GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "PUT"]
    ),
    path=st.sampled_from(["/whip", "/whip/live", "/whip/live/x", "/", "/api/status"]),
    names=st.lists(
        st.sampled_from(
            [
                "Accept",
                "Access-Control-Request-Headers",
                "Access-Control-Request-Method",
                "Authorization",
                "Content-Type",
                "Cookie",
                "If-Match",
                "If-Modified-Since",
                "If-None-Match",
                "Origin",
                "Range",
                "X-Forwarded-For",
            ]
        ),
        unique=True,
        max_size=5,
    ),
    data=st.data(),
)
async def test_headers_of_any_kind(
    client: Client, method: str, path: str, names: list[str], data: st.DataObject
) -> None:
    """Whatever a header field says, the request is answered."""
    headers = {name: data.draw(field_values, label=name) for name in names}
    await check(client, method, path, headers=headers)


@bounded
@given(if_match=field_values)
async def test_conditions_of_any_kind(client: Client, if_match: str) -> None:
    """Section 4.3.1: "Missing or outdated ETags in the PATCH requests" get a 428 or
    412, and nonsense does as well.
    """
    session = await open_session(client)
    response = await patch(client, session, fragment(), if_match=if_match or " ")
    expected = (204,) if if_match.strip() in ("*", '"*"') else (400, 412, 428)
    assert response.status in expected
    await client.delete(session.location)


@bounded
@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"]),
    parts=st.lists(
        st.text(
            string.ascii_letters + string.digits + "%._~-!$&'()*+,;=:@", max_size=30
        )
        | st.sampled_from(["whip", "..", ".", "", "%2e%2e", "%00", "%ff", "%2F"]),
        max_size=4,
        # A client would take "//name" for a host.
    ).filter(lambda parts: len(parts) < 2 or parts[0] != ""),
)
async def test_paths_of_any_kind(client: Client, method: str, parts: list[str]) -> None:
    """Wherever a request goes, it is answered."""
    headers = {"Content-Type": SDP_FRAGMENT if method == "PATCH" else SDP}
    await check(client, method, "/" + "/".join(parts), headers=headers)
