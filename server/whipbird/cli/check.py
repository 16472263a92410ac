"""``whipbird check``: tests a server against the sentences of WHIP and of WHEP."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click
from yarl import URL

from ..check import (
    WHEP,
    WHIP,
    NoResponse,
    NotWhip,
    Options,
    Protocol,
    Result,
    Rule,
    check,
    select,
)
from ..check.report import as_json, as_markdown, as_text, rule_as_json
from .loop import interruptions, run
from .parameters import (
    FiniteRange,
    HttpUrl,
    tls_fingerprint_option,
    token_options,
)

INTERRUPTED = 130

_PROTOCOLS = {"WHIP": WHIP, "WHEP": WHEP}


@click.command("check")
@click.argument("url", type=HttpUrl(), required=False)
@click.option(
    "--protocol",
    type=click.Choice(["auto", *(name.lower() for name in _PROTOCOLS)]),
    default="auto",
    show_default=True,
    help="What the endpoint speaks; by default WHEP if its path has whep in it.",
)
@token_options
@tls_fingerprint_option
@click.option(
    "--only",
    multiple=True,
    metavar="NAMES",
    help="Rules or sections to try, separated by commas; may be repeated.",
)
@click.option(
    "--flood",
    is_flag=True,
    help="Try the rate limits too, with up to 5000 requests of each kind that open "
    "nothing. Only do this to a server of your own.",
)
@click.option(
    "-W",
    "--timeout",
    type=FiniteRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds to wait for each response and each connection.",
)
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
@click.option(
    "--report",
    type=click.File("w", encoding="utf-8", lazy=False),
    help="Write a report in Markdown, too.",
)
@click.option(
    "-q", "--quiet", is_flag=True, help="Print no progress on standard error."
)
@click.option("--list", "list_rules", is_flag=True, help="Print the rules, try none.")
def check_command(
    url: str | None,
    protocol: str,
    token: str | None,
    tls_fingerprint: bytes | None,
    only: tuple[str, ...],
    flood: bool,
    timeout: float,
    as_object: bool,
    report: TextIO | None,
    quiet: bool,
    list_rules: bool,
) -> None:
    """Check the endpoint URL against RFC 9725 (WHIP) or the draft of WHEP.

    It takes about two minutes, most of them waiting until a server must have noticed
    that a client has vanished. All sessions that it opens are ended. Ctrl+C ends it
    with a report of what was tried.

    The exit code is 0 when every MUST and SHOULD that was tried is kept, 1 when one is
    broken or the endpoint cannot be tested, 2 for wrong arguments, and 130 when it was
    interrupted.
    """
    names = [name.strip() for item in only for name in item.split(",") if name.strip()]
    try:
        rules = select(names, _protocol_of(url, protocol))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from None
    if list_rules:
        _print_rules(rules, as_object)
        return
    if url is None:
        raise click.UsageError("Missing argument 'URL'.")
    options = Options(
        token=token, timeout=timeout, flood=flood, fingerprint=tls_fingerprint
    )
    writer = _Writer(url, as_object, report)
    sys.exit(run(_check(url, rules, options, writer, _Progress(quiet=quiet))))


async def _check(
    url: str,
    rules: Sequence[Rule],
    options: Options,
    writer: "_Writer",
    progress: "_Progress",
) -> int:
    checking = asyncio.create_task(check(URL(url), rules, options, progress))
    try:
        # A second signal does not wait for the sessions to be ended.
        with interruptions(checking.cancel):
            results = await checking
    except asyncio.CancelledError:
        progress.clear()
        click.echo("whipbird check: interrupted", err=True)
        if progress.results:
            tried = {result.rule.id: result for result in progress.results}
            writer.write([tried[rule.id] for rule in rules if rule.id in tried])
            left = len(rules) - len(tried)
            click.echo(f"whipbird check: rules not tried: {left}", err=True)
        return INTERRUPTED
    except (NoResponse, NotWhip) as error:
        progress.clear()
        click.echo(f"whipbird check: {error}", err=True)
        writer.fail(str(error))
        return 1
    progress.clear()
    writer.write(results)
    return 1 if any(result.is_breach for result in results) else 0


class _Writer:
    """Writes the report.

    Args:
        as_object: whether to print JSON, not text.
        report: a file for a report in Markdown; None for none.
    """

    def __init__(self, url: str, as_object: bool, report: TextIO | None) -> None:
        self._url = url
        self._as_object = as_object
        self._report = report

    def write(self, results: Sequence[Result]) -> None:
        """Write the results."""
        if self._as_object:
            click.echo(json.dumps(as_json(self._url, results), indent=2))
        else:
            colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            # Click removes colours when writing to a pipe, but ignores NO_COLOR.
            click.echo(as_text(self._url, results, colour=colour), color=colour)
        if self._report is not None:
            self._report.write(as_markdown(self._url, results))

    def fail(self, problem: str) -> None:
        """Write why nothing could be tried."""
        if self._as_object:
            click.echo(json.dumps({"url": self._url, "error": problem}, indent=2))


class _Progress:
    """What is done so far: one line on a terminal, or a line for each rule elsewhere.

    Attributes:
        results: the results so far, in the order in which they came.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.results: list[Result] = []
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        if self._is_terminal and not quiet:
            click.echo("\r\033[Kconnecting ...", nl=False, err=True)

    def __call__(self, done: int, total: int, result: Result) -> None:
        self.results.append(result)
        if self._quiet:
            return
        line = f"{done} of {total}: {result.rule.id} {result.outcome}"
        if self._is_terminal:
            click.echo(f"\r\033[K{line}", nl=False, err=True)
        else:
            click.echo(line, err=True)

    def clear(self) -> None:
        """Remove the line on a terminal."""
        if self._is_terminal and not self._quiet:
            click.echo("\r\033[K", nl=False, err=True)


def _protocol_of(url: str | None, name: str) -> Protocol:
    """The protocol of an endpoint, as told or by its path."""
    if name == "auto":
        name = "whep" if url and "whep" in URL(url).path.lower() else "whip"
    return _PROTOCOLS[name.upper()]


def _print_rules(rules: Sequence[Rule], as_object: bool) -> None:
    if as_object:
        click.echo(json.dumps([rule_as_json(rule) for rule in rules], indent=2))
        return
    for rule in rules:
        click.echo(f"{rule.section:<6}{rule.level:<7}{rule.id:<22} {rule.text}")
