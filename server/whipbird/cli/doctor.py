"""``whipbird doctor``: says why nothing connects to a server."""

import json
import os
import sys

import click
from yarl import URL

from ..doctor import Finding, Options, examine
from ..doctor.report import as_json, as_line, has_failed
from .loop import run, until_interrupted
from .parameters import FiniteRange, HttpUrl, tls_fingerprint_option, token_options


@click.command("doctor")
@click.argument("url", type=HttpUrl())
@token_options
@tls_fingerprint_option
@click.option(
    "-W",
    "--timeout",
    type=FiniteRange(min=0, min_open=True, max=60),
    default=5.0,
    show_default=True,
    help="Seconds to wait for each answer.",
)
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
def doctor_command(
    url: str,
    token: str | None,
    tls_fingerprint: bytes | None,
    timeout: float,
    as_object: bool,
) -> None:
    """Say why nothing connects to the server at URL, and what to do.

    URL is the server's root, one of its pages, or a WHIP endpoint of any server. Each
    check has a line: names, TCP, TLS, HTTP, CORS, WHIP, the addresses in the answer,
    UDP, ICE over TCP, TURN, NAT, the connection, and the echo.

    Exits with 0 if nothing has failed, 1 if something has, 2 for wrong arguments.
    """
    options = Options(token, tls_fingerprint, timeout)
    sys.exit(run(_examine(url, options, as_object)))


async def _examine(url: str, options: Options, as_object: bool) -> int:
    findings: list[Finding] = []
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    async def examine_all() -> None:
        async for finding in examine(URL(url), options):
            findings.append(finding)
            if not as_object:
                # Click removes colours when writing to a pipe, but ignores NO_COLOR.
                click.echo(as_line(finding, colour=colour), color=colour)

    await until_interrupted(examine_all())
    if as_object:
        click.echo(json.dumps(as_json(url, findings), indent=2))
    return 1 if has_failed(findings) else 0
