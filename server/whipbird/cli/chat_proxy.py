"""``whipbird chat-proxy``: language models behind an API like OpenAI's, and a log."""

import asyncio
import sys
from pathlib import Path

import click

from ..chat_proxy import create_chat_proxy
from ..config import read_token
from ..config.network_values import is_loopback
from ..http.listener import Listener
from ..llms import ChatError
from ..llms.loading import NoChat, make_engine
from .logs import set_up_logging
from .loop import interruptions, run
from .parameters import FiniteRange, HttpUrl, token_options

# Connections of clients, at most.
MAX_CONNECTIONS = 256


@click.command("chat-proxy")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=11435,
    show_default=True,
    help="TCP port; 0 for any.",
)
@click.option(
    "--api-base",
    type=HttpUrl(),
    help="URL of the models' server, as http://127.0.0.1:8080/v1 for llama.cpp's, "
    "http://127.0.0.1:11434/v1 for Ollama.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    help="A model that is offered; the first is the default. Without any, all of the "
    "server at --api-base are. Without that server, they are models that llm knows.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="File with the key for the server at --api-base.",
)
@click.option(
    "--timeout",
    type=FiniteRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds without a token after which a model is given up.",
)
@click.option(
    "--replies",
    type=click.IntRange(1, 1_000),
    default=8,
    show_default=True,
    help="Replies that are made at a time; more are refused.",
)
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="SQLite file to log to.  [default: that of llm]",
)
@click.option(
    "--open", "is_open", is_flag=True, help="Let other machines in without a token."
)
@token_options
def chat_proxy_command(
    host: str,
    port: int,
    api_base: str | None,
    models: tuple[str, ...],
    key_file: Path | None,
    timeout: float,
    replies: int,
    log: Path | None,
    is_open: bool,
    token: str | None,
) -> None:
    """Offer language models through an API like OpenAI's, and log what is said.

    Each conversation is rebuilt in llm from the messages of a request and logged in its
    SQLite file: "llm logs" shows it. With --token or --token-file, clients need that as
    their API key.
    """
    if token is None and not is_open and not is_loopback(host):
        raise click.UsageError(
            f"whoever reaches {host} could use the models: set --token-file, or --open "
            "if that is meant"
        )
    if api_base is None and not models:
        raise click.UsageError(
            "which models? Set --api-base to the URL of their server, or --model to "
            "one that llm knows"
        )
    key = None
    if key_file is not None:
        try:
            key = read_token(key_file)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--key-file") from None
    set_up_logging("info", "text", sys.stderr)
    try:
        engine = make_engine(
            api_base=api_base,
            models=models,
            key=key,
            log=log,
            patience=timeout,
            at_once=replies,
        )
    except NoChat as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)

    async def serve() -> int:
        stop = asyncio.Event()
        listener = Listener(create_chat_proxy(engine, token=token), MAX_CONNECTIONS)
        with interruptions(stop.set):
            try:
                await engine.start()
                await listener.start_app()
                await listener.open(host, port)
            except (ChatError, OSError) as error:
                click.echo(f"Error: {_reason(error, host, port)}", err=True)
                return 1
            else:
                shown = f"[{host}]" if ":" in host else host
                click.echo(f"Listening at http://{shown}:{listener.port}/v1")
                await stop.wait()
                return 0
            finally:
                await listener.close()
                await engine.close()

    sys.exit(run(serve()))


def _reason(error: ChatError | OSError, host: str, port: int) -> str:
    if isinstance(error, ChatError):
        return error.message
    return f"cannot listen on {host} port {port}: {error.strerror or error}"
