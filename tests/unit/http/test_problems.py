"""Problem details (RFC 9457)."""

import json
import logging

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import make_mocked_request
from aiohttp.typedefs import Handler

from whipbird.http.problems import CONTENT_TYPE, Problem, problem_middleware
from whipbird.sdp.errors import MalformedSdp, UnacceptableSdp


def members(response: web.StreamResponse) -> dict[str, object]:
    assert isinstance(response, web.Response)
    assert response.content_type == CONTENT_TYPE
    assert isinstance(response.body, bytes)
    decoded: dict[str, object] = json.loads(response.body)
    return decoded


def raising(error: Exception) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        raise error

    return handler


async def answered(error: Exception, method: str = "GET") -> web.StreamResponse:
    """The response when a handler raises."""
    request = make_mocked_request(method, "/whip/live")
    return await problem_middleware(request, raising(error))


def test_all_members() -> None:
    problem = Problem(
        422,
        "Title",
        "Line 3: detail",
        section="RFC 9725 section 4.2",
        headers={"Retry-After": "5"},
        line=3,
    )
    response = problem.response()
    assert response.status == 422
    assert response.headers["Retry-After"] == "5"
    assert members(response) == {
        "type": "about:blank",
        "title": "Title",
        "status": 422,
        "detail": "Line 3: detail",
        "section": "RFC 9725 section 4.2",
        "line": 3,
    }


def test_members_that_are_not_known_are_not_sent() -> None:
    assert members(Problem(404, "Title", "detail").response()) == {
        "type": "about:blank",
        "title": "Title",
        "status": 404,
        "detail": "detail",
    }


def test_the_type_has_no_parameters() -> None:
    response = Problem(404, "Title", "detail \N{BIRD}").response()
    assert response.headers[hdrs.CONTENT_TYPE] == CONTENT_TYPE
    assert members(response)["detail"] == "detail \N{BIRD}"


@pytest.mark.parametrize(
    ("kind", "status"), [(MalformedSdp, 400), (UnacceptableSdp, 422)]
)
def test_of_sdp(kind: type[MalformedSdp | UnacceptableSdp], status: int) -> None:
    problem = Problem.of_sdp(kind("Title", "wrong", section="RFC 1 section 2", line=7))
    assert problem.status == status
    assert (problem.title, problem.detail) == ("Title", "Line 7: wrong")
    assert (problem.section, problem.line) == ("RFC 1 section 2", 7)


async def test_a_problem_is_sent_as_it_is() -> None:
    response = await answered(Problem(409, "Title", "detail"))
    assert (response.status, members(response)["detail"]) == (409, "detail")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (web.HTTPNotFound(), 404),
        (web.HTTPForbidden(text="no"), 403),
        (web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2), 413),
        (web.HTTPBadRequest(), 400),
        (web.HTTPMethodNotAllowed("PUT", ["POST", "GET"]), 405),
    ],
)
async def test_of_aiohttp(error: web.HTTPException, status: int) -> None:
    response = await answered(error)
    assert response.status == status
    told = members(response)
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]


async def test_methods_that_are_allowed() -> None:
    response = await answered(web.HTTPMethodNotAllowed("PUT", ["POST", "GET"]), "PUT")
    assert response.headers[hdrs.ALLOW] == "GET, POST"
    assert "PUT" in str(members(response)["detail"])


async def test_no_errors_are_left_alone() -> None:
    with pytest.raises(web.HTTPFound):
        await answered(web.HTTPFound("/elsewhere"))

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    request = make_mocked_request("GET", "/")
    assert (await problem_middleware(request, handler)).status == 204


@pytest.mark.expects_fault
async def test_a_fault_of_ours_is_logged_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await answered(RuntimeError("the secret is xyzzy"))
    assert response.status == 500
    assert "xyzzy" not in json.dumps(members(response))
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert "GET" in record.message


@pytest.mark.expects_fault
async def test_the_log_has_one_line_for_one_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A path with a line end cannot add lines to the log."""
    request = make_mocked_request("GET", "/whip/a%0AERROR%20forged")
    await problem_middleware(request, raising(RuntimeError()))
    [record] = caplog.records
    assert "\n" not in record.getMessage()
