"""A TCP port that several workers listen on."""

import contextlib
import errno
import socket
from typing import Any

import pytest

from tests.ports import LOOPBACK
from whipbird.net.shard import Sharing
from whipbird.net.tcp_listener import TcpListener


@pytest.fixture
def refused() -> TcpListener:
    """One that accepts nothing in these tests."""
    return TcpListener(lambda sock: sock.close())


async def test_nobody_can_connect_before_the_port_is_kept(
    refused: TcpListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker looks whether the port is free: whoever connects to what it
    closes again would be cut off."""
    connected = []
    close = TcpListener._close_sockets

    def connect_and_close(listener: TcpListener) -> None:
        for address in listener.addresses:
            with contextlib.suppress(ConnectionRefusedError):
                connected.append(socket.create_connection(address, timeout=10.0))
        close(listener)

    with monkeypatch.context() as patch:
        patch.setattr(TcpListener, "_close_sockets", connect_and_close)
        await refused.open(LOOPBACK, 0, Sharing.FIRST)
    assert not connected
    with socket.create_connection(refused.addresses[0], timeout=10.0):
        pass
    refused.close()


async def test_the_port_is_shared_with_those_that_come(refused: TcpListener) -> None:
    await refused.open(LOOPBACK, 0, Sharing.FIRST)
    other = TcpListener(lambda sock: sock.close())
    port = refused.addresses[0][1]
    await other.open(LOOPBACK, port, Sharing.WITH_OTHERS)
    assert other.addresses == refused.addresses
    other.close()
    refused.close()


@pytest.mark.parametrize("options", [{}, {"reuse_port": True}], ids=["alone", "shared"])
async def test_a_stranger_that_listens_is_seen(
    refused: TcpListener, options: dict[str, Any]
) -> None:
    with (
        socket.create_server((LOOPBACK, 0), **options) as stranger,
        pytest.raises(OSError, match="in use") as caught,
    ):
        await refused.open(LOOPBACK, stranger.getsockname()[1], Sharing.FIRST)
    assert caught.value.errno == errno.EADDRINUSE
    assert not refused.addresses
