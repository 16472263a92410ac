"""Whether the client of a request is still there to get the response."""

import select
import socket
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from ..sessions import EndReason, Session

# The first octet of the kernel's TCP_INFO is the state; 1 is "established".
_TCP_INFO = getattr(socket, "TCP_INFO", None)
_ESTABLISHED = 1


def is_gone(request: web.BaseRequest) -> bool:
    """Whether the client has closed the connection.

    aiohttp goes on with the handler then, and the event loop learns of it only when it
    looks at the socket again: so the kernel is asked.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        return True
    connection = transport.get_extra_info("socket")
    if connection is None or _TCP_INFO is None:
        return False
    try:
        info: bytes = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)
    except OSError:
        return _has_hung_up(connection.fileno())  # that of another worker
    return info[0] != _ESTABLISHED


def _has_hung_up(descriptor: int) -> bool:
    """Whether the other end of a local socket has closed it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLHUP)
    return bool(poll.poll(0))


class SessionResponse(web.Response):
    """The response to the POST that has opened a session.

    When it cannot be delivered, the session ends: nobody knows its URL.
    """

    def __init__(self, session: Session, **options: Any) -> None:
        super().__init__(status=201, **options)
        self._session = session

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        try:
            if is_gone(request):
                raise ConnectionResetError("The client has gone")
            return await super().prepare(request)
        except BaseException:
            self._session.end_soon(EndReason.NOT_DELIVERED)
            raise

    async def write_eof(self, data: bytes = b"") -> None:
        try:
            await super().write_eof(data)
        except BaseException:
            self._session.end_soon(EndReason.NOT_DELIVERED)
            raise
        # aiohttp keeps the response until the connection has another request.
        self.body = None
