"""Reports of results: as text, as JSON and as Markdown."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import click

from .rule import Level, Outcome, Rule
from .runner import Result

_WORDS = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "FAILED",
    Outcome.ABSENT: "absent",
    Outcome.SKIPPED: "skipped",
}
_COLOURS = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.ABSENT: "cyan",
    Outcome.SKIPPED: "yellow",
}
_INDENT = " " * 10
_WIDTH = 96


def by_section(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    """The results of each section that has any."""
    for section, group in groupby(results, key=lambda result: result.rule.section):
        yield section, list(group)


def counts(results: Sequence[Result]) -> dict[str, int]:
    """The number of rules with each outcome."""
    counted = Counter(result.outcome for result in results)
    return {str(outcome): counted[outcome] for outcome in Outcome}


def verdict(results: Sequence[Result]) -> str:
    """A summary in one sentence."""
    broken = [r for r in results if r.is_breach]
    untried = [
        r
        for r in results
        if r.outcome is Outcome.SKIPPED and r.rule.level is not Level.MAY
    ]
    if broken:
        names = ", ".join(r.rule.id for r in broken)
        return f"Broken, of what has to be kept: {names}."
    kept = "Every MUST and SHOULD that was tried is kept"
    if untried:
        return f"{kept}; {len(untried)} could not be tried."
    return f"{kept}, and none was left out."


def as_text(url: str, results: Sequence[Result], *, colour: bool) -> str:
    """A report for a terminal: each rule by section, with its outcome.

    Args:
        colour: whether to use the terminal's colours.
    """

    def style(text: str, **styles: Any) -> str:
        return click.style(text, **styles) if colour else text

    documents = dict.fromkeys(result.rule.protocol.document for result in results)
    lines = [f"{url}, by {', '.join(documents)}", ""]
    for section, group in by_section(results):
        title = group[0].rule.protocol.sections[section]
        lines.append(style(f"{section} {title}", bold=True))
        for result in group:
            rule = result.rule
            word = style(
                f"{_WORDS[result.outcome]:<8}",
                fg=_COLOURS[result.outcome],
                bold=result.outcome is Outcome.FAILED,
            )
            lines.append(f"  {word}{style(rule.id, bold=True)} ({rule.level})")
            lines += _wrapped(rule.text)
            if result.note:
                lines += [
                    style(line, dim=True) for line in _wrapped(f"({result.note})")
                ]
            for exchange in result.exchanges:
                lines.append("")
                transcript = exchange.transcript()
                lines += [f"{_INDENT}  {line}" for line in transcript.splitlines()]
                lines.append("")
        lines.append("")
    figures = ", ".join(f"{number} {name}" for name, number in counts(results).items())
    return "\n".join([*lines, figures + ".", verdict(results)])


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
    )


def as_json(url: str, results: Sequence[Result]) -> dict[str, Any]:
    """A report as a JSON object."""
    return {
        "url": url,
        "protocol": results[0].rule.protocol.name if results else None,
        "conforms": not any(result.is_breach for result in results),
        "verdict": verdict(results),
        "counts": counts(results),
        "rules": [
            {
                **rule_as_json(result.rule),
                "outcome": result.outcome,
                "note": result.note,
                "exchanges": [e.transcript() for e in result.exchanges],
            }
            for result in results
        ],
    }


def rule_as_json(rule: Rule) -> dict[str, str]:
    """A rule as a JSON object, without outcome."""
    return {
        "id": rule.id,
        "section": rule.section,
        "level": rule.level,
        "text": rule.text,
    }


def as_markdown(url: str, results: Sequence[Result]) -> str:
    """A Markdown report: tables, and transcripts for broken rules."""
    figures = ", ".join(f"{number} {name}" for name, number in counts(results).items())
    names = dict.fromkeys(result.rule.protocol.name for result in results)
    name = " and ".join(names)
    lines = [
        f"# {name} conformance of {url}",
        "",
        f"{verdict(results)} ({figures})",
        "",
    ]
    lines.append(tables(results, notes=True))
    failed = [result for result in results if result.outcome is Outcome.FAILED]
    if failed:
        lines += ["", "## What was sent and received"]
    for result in failed:
        lines += ["", f"### {result.rule.id}: {result.note}"]
        for exchange in result.exchanges:
            lines += ["", "```", exchange.transcript(), "```"]
    return "\n".join(lines) + "\n"


def tables(results: Sequence[Result], *, notes: bool) -> str:
    """A Markdown table for each section.

    Args:
        notes: whether to include the notes of passed rules, which differ from one
            machine to the next.
    """
    parts = []
    for section, group in by_section(results):
        protocol = group[0].rule.protocol
        lines = [f"## {section} {protocol.sections[section]}", ""]
        if protocol.url:
            lines += [
                f"[{protocol.document} section {section}]({protocol.url}{section})",
                "",
            ]
        lines += ["| rule | level | what it asks | outcome |", "|---|---|---|---|"]
        for result in group:
            outcome = _WORDS[result.outcome]
            if result.outcome is Outcome.FAILED:
                outcome = f"**{outcome}**"
            if result.note and (notes or result.outcome is not Outcome.PASSED):
                outcome += f": {result.note}"
            rule = result.rule
            cells = (f"`{rule.id}`", str(rule.level), rule.text, outcome)
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    """Escape the text of a table cell."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
