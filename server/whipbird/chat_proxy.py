"""The API of language models on a server of its own: ``whipbird chat-proxy``."""

from collections.abc import Sequence

from aiohttp import web

from .http.auth import authorize
from .http.completions import PREFIX, CompletionsResource
from .http.host import AllowedHosts, check_host, check_origin
from .http.needs import to_prompt
from .http.openai_errors import openai_errors
from .llms import ChatEngine
from .rights import Rights


def create_chat_proxy(
    engine: ChatEngine, *, token: str | None = None, hosts: Sequence[str] = ()
) -> web.Application:
    """Build an application that has nothing but the API. It does not start the engine.

    Args:
        engine: answers requests.
        token: clients must send it; None if they need none.
        hosts: names that it answers for, beside addresses and local names.
    """
    app = web.Application(
        middlewares=[
            openai_errors,
            check_host(AllowedHosts(hosts)),
            check_origin(lambda _origin: False),
            authorize(Rights(token), to_prompt),
        ]
    )
    api = web.Application()
    CompletionsResource(engine).add_to(api)
    app.add_subapp(PREFIX, api)
    return app
