"""A server in the process of the test, as aiohttp runs it."""

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


class Server(TestServer):
    """A server that cancels the handlers of clients that have gone, or not."""

    cancels = False

    async def _make_runner(self, **options: Any) -> web.BaseRunner:
        options["handler_cancellation"] = self.cancels
        return await super()._make_runner(**options)
