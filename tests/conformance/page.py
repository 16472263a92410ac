"""docs/conformance.md: every rule, and what ``whipbird check`` says of Whipbird.

``make conformance`` writes it; a test sees that it is up to date.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.server import ROOT, ServerProcess
from whipbird.check import Outcome, Result, all_rules
from whipbird.check.report import counts, tables, verdict

PATH = ROOT / "docs" / "conformance.md"

TOKEN = "conformance"
SERVER = ("--token", TOKEN, "--ice-server", "stun:stun.example.net")
CHECKER = ("--token", TOKEN, "--flood", "--json", "-q")

_HEAD = """\
# Conformance

What [RFC 9725](https://www.rfc-editor.org/rfc/rfc9725) asks of a WHIP server, rule by
rule, and what Whipbird does. This page is written by `make conformance`: it starts
`whipbird serve` with a token and an ICE server, and tries every rule on it with
`whipbird check --flood`. How to check another server is in [check.md](check.md).

The texts are ours. MUST also stands for what the RFC says in the indicative, and for
taking what it allows the client to send; SHOULD for RECOMMENDED, and MAY for OPTIONAL.
"Absent" is what is optional and not there, or what the rule has nothing to apply to.
"""


async def try_all() -> dict[str, Any]:
    """The checker's JSON report on a server with all features enabled."""
    server = ServerProcess(*SERVER)
    await server.start()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "whipbird", "check"),
            *(f"{server.url}/whip/live", *CHECKER),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        report: dict[str, Any] = json.loads(output)
        return report
    finally:
        await server.stop()


def results_of(report: dict[str, Any]) -> list[Result]:
    """The results that a JSON report has."""
    found = {entry["id"]: entry for entry in report["rules"]}
    return [
        Result(rule, Outcome(found[rule.id]["outcome"]), found[rule.id]["note"])
        for rule in all_rules()
    ]


def page(results: list[Result]) -> str:
    """The page: the same for the same rules and outcomes."""
    figures = ", ".join(f"{number} {name}" for name, number in counts(results).items())
    return "\n".join(
        [_HEAD, f"{verdict(results)} ({figures})", "", tables(results, notes=False), ""]
    )


def main() -> None:
    """Write the page, or the report that it is made of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the report only")
    arguments = parser.parse_args()
    report = asyncio.run(try_all())
    if arguments.json:
        json.dump(report, sys.stdout)
    else:
        Path(PATH).write_text(page(results_of(report)), encoding="utf-8")


if __name__ == "__main__":
    main()
