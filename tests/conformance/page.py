"""docs/conformance.md: every rule, and what ``whipbird check`` says of Whipbird.

``make conformance`` writes it; a test sees that it is up to date.
"""

import argparse
import asyncio
import json
import sys
from contextlib import AsyncExitStack, redirect_stdout
from pathlib import Path
from typing import Any

from tests.e2e.command_publisher import publishing
from tests.server import ROOT, ServerProcess
from whipbird.check import WHEP, WHIP, Outcome, Protocol, Result, all_rules
from whipbird.check.report import counts, tables, verdict

PATH = ROOT / "docs" / "conformance.md"

TOKEN = "conformance"
#: A rate that a busy machine reaches, too.
RATE = ("--patch-rate", "1500")
SERVER = ("--token", TOKEN, "--ice-server", "stun:stun.example.net", *RATE)
CHECKER = ("--token", TOKEN, "--flood", "--json", "-q")
PICTURES = ("--size", "320x180", "--rate", "10", "--bitrate", "200k")

#: The JSON reports of the checker, by the name of the protocol.
Reports = dict[str, dict[str, Any]]

PROTOCOLS = (WHIP, WHEP)

_HEAD = """\
# Conformance

What [RFC 9725](https://www.rfc-editor.org/rfc/rfc9725) asks of a WHIP server, and the
draft of WHEP of a WHEP server, rule by rule, and what Whipbird does. This page is
written by `make conformance`: for each of the two it starts `whipbird serve` with a
token and an ICE server, publishes what is to be watched, and tries every rule on it
with `whipbird check --flood`. How to check another server is in [check.md](check.md).

The texts are ours. MUST also stands for what the documents say in the indicative, and
for taking what they let the client send; SHOULD for RECOMMENDED, and MAY for OPTIONAL.
"Absent" is what is optional and not there, or what the rule has nothing to apply to.
"""


async def _try(protocol: Protocol) -> dict[str, Any]:
    server = ServerProcess(*SERVER)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        await server.start()
        if protocol is WHEP:
            with_token = ("--token", TOKEN, *PICTURES)
            publisher = publishing(f"{server.url}/whip/live", *with_token)
            # What it writes is not of the report.
            stack.enter_context(redirect_stdout(sys.stderr))
            await stack.enter_async_context(publisher)
            await server.wait_for_sessions(1, limit=120)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "whipbird", "check"),
            *(f"{server.url}/{protocol.name.lower()}/live", *CHECKER),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        report: dict[str, Any] = json.loads(output)
        return report


async def try_all() -> Reports:
    """The checker's reports on servers with all features enabled.

    Each protocol has a server of its own, as floods of both would be counted together.
    """
    found = await asyncio.gather(*map(_try, PROTOCOLS))
    return {
        protocol.name: report for protocol, report in zip(PROTOCOLS, found, strict=True)
    }


def results_of(reports: Reports, protocol: Protocol = WHIP) -> list[Result]:
    """The results that the report on a protocol has."""
    found = {entry["id"]: entry for entry in reports[protocol.name]["rules"]}
    return [
        Result(rule, Outcome(found[rule.id]["outcome"]), found[rule.id]["note"])
        for rule in all_rules(protocol)
    ]


def page(reports: Reports) -> str:
    """The page: the same for the same rules and outcomes."""
    parts = [_HEAD]
    for protocol in PROTOCOLS:
        results = results_of(reports, protocol)
        numbers = counts(results).items()
        figures = ", ".join(f"{number} {name}" for name, number in numbers)
        # One level below the title of the protocol.
        table = tables(results, notes=False).replace("## ", "### ")
        summary = f"{verdict(results)} ({figures})"
        parts += [f"## {protocol.name}", "", summary, "", table, ""]
    return "\n".join(parts)


def main() -> None:
    """Write the page, or the reports that it is made of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the report only")
    arguments = parser.parse_args()
    reports = asyncio.run(try_all())
    if arguments.json:
        json.dump(reports, sys.stdout)
    else:
        Path(PATH).write_text(page(reports), encoding="utf-8")


if __name__ == "__main__":
    main()
