"""Servers that are measured beside Whipbird."""

import math
import os

import pytest

from bench.peers import PeerError, running_already
from bench.servers import WHIPBIRD, Endpoint, Feature, Server, running


async def test_one_that_runs_already() -> None:
    text = (
        "mtx=http://127.0.0.1:8889/{stream}/whip,http://127.0.0.1:8889/{stream}/whep,"
        f"{os.getpid()},key-{{stream}}"
    )
    program = running_already(text)
    assert program.name == "mtx"
    assert program.features == frozenset(Feature) - {Feature.API}
    async with running(program, None) as server:
        assert server.pid == os.getpid()
        assert server.cpu() > 0.0
        assert server.memory() > 0
        assert server.publish() == Endpoint(
            "http://127.0.0.1:8889/bench/whip", "key-bench"
        )
        assert server.watch(0) == Endpoint(
            "http://127.0.0.1:8889/bench-0/whep", "key-bench-0"
        )


async def test_one_url_is_one_stream_and_a_process_that_is_not_known() -> None:
    program = running_already("box=https://box.example/api/whip")
    assert program.features == {Feature.ECHO, Feature.MEDIA}
    async with running(program, None) as server:
        assert server.publish(1) == Endpoint("https://box.example/api/whip")
        assert math.isnan(server.cpu())
        assert math.isnan(server.memory())


def test_the_token_may_name_the_stream() -> None:
    program = running_already(
        "box=http://h/api/whip,http://h/api/whep,{stream}",
    )
    assert program.pid is None
    assert program.token == "{stream}"
    assert Feature.STREAMS in program.features


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http://h/whip", "expected NAME="),
        ("=http://h/whip", "expected NAME="),
        ("x=ftp://h/whip", "expected NAME="),
        ("x=http://h/whip,token,more", 'unexpected "more"'),
        ("x=http://h/whip,4294967295", "there is no process 4294967295"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    with pytest.raises(PeerError, match=problem):
        running_already(text)


def test_ours_has_everything() -> None:
    server = Server(8080, None, WHIPBIRD, None)
    assert WHIPBIRD.features == frozenset(Feature)
    assert server.url == "http://127.0.0.1:8080/whip/bench"
    assert server.watch(1).url == "http://127.0.0.1:8080/whep/bench-1"
