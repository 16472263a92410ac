"""Tries rules, several at a time, and cleans up after them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from yarl import URL

from . import rules as _registered  # noqa: F401 - importing registers the rules
from .endpoint import Endpoint
from .exchange import Exchange, NoResponse
from .greeting import greet
from .protocol import WHIP
from .requests import Options
from .rule import Level, Outcome, Rule, Verdict

logger = logging.getLogger(__name__)

# Rules tried at a time, in addition to slow ones.
WIDTH = 4

# Seconds that the clean-up may take.
CLEAN_UP_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Result:
    """The result of trying a rule.

    Attributes:
        note: an observation or a reason; may be empty.
        exchanges: exchanges that show the failure; empty unless it failed.
    """

    rule: Rule
    outcome: Outcome
    note: str = ""
    exchanges: tuple[Exchange, ...] = ()

    @property
    def is_breach(self) -> bool:
        """Whether a MUST or SHOULD is broken."""
        return self.outcome is Outcome.FAILED and self.rule.level is not Level.MAY


# Called with the number of rules done, the total, and the last result.
Progress = Callable[[int, int, Result], None]


async def check(
    url: URL,
    rules: Sequence[Rule],
    options: Options | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Try rules on an endpoint: they are all of one protocol.

    All sessions that it opens are ended, even if it is cancelled.

    Returns:
        A result for each rule, in the order of the rules.

    Raises:
        NoResponse: when the endpoint cannot be reached.
        NotWhip: when it accepts no offer.
    """
    protocol = rules[0].protocol if rules else WHIP
    endpoint = Endpoint(url, options or Options(), protocol)
    try:
        try:
            await greet(endpoint)
        finally:
            await endpoint.end_turn()
        results = await _try_all(endpoint, rules, progress)
    finally:
        await _clean_up(endpoint)
    return [results[rule.id] for rule in rules]


async def _clean_up(endpoint: Endpoint) -> None:
    """Close the endpoint, even if this task is cancelled meanwhile."""
    closing = asyncio.create_task(endpoint.close())
    cancelled = False
    loop = asyncio.get_running_loop()
    until = loop.time() + CLEAN_UP_TIMEOUT
    while not closing.done() and loop.time() < until:
        try:
            await asyncio.wait({closing}, timeout=until - loop.time())
        except asyncio.CancelledError:
            cancelled = True
    if not closing.done():
        logger.warning("The sessions could not be ended in time")
        closing.cancel()
    else:
        closing.result()
    if cancelled:
        raise asyncio.CancelledError


async def _try_all(
    endpoint: Endpoint, rules: Sequence[Rule], progress: Progress | None
) -> dict[str, Result]:
    results: dict[str, Result] = {}
    width = asyncio.Semaphore(1 if endpoint.exclusive else WIDTH)

    def done(result: Result) -> None:
        results[result.rule.id] = result
        if progress is not None:
            progress(len(results), len(rules), result)

    async def run(rule: Rule) -> None:
        async with width:
            done(await _try(endpoint, rule))

    # Slow rules mostly wait, with a connected session: the others do not wait for them.
    for slow in (False, True):
        async with asyncio.TaskGroup() as group:
            for rule in rules:
                if not rule.flood and rule.slow is slow:
                    group.create_task(run(rule))
    floods = [rule for rule in rules if rule.flood]
    if floods:
        # They must not affect the sessions of other rules.
        await endpoint.end_sessions()
    for rule in floods:
        if endpoint.options.flood:
            done(await _try(endpoint, rule))
        else:
            done(Result(rule, Outcome.SKIPPED, "needs --flood"))
    return results


async def _try(endpoint: Endpoint, rule: Rule) -> Result:
    try:
        return await _outcome(endpoint, rule)
    finally:
        await endpoint.end_turn()


async def _outcome(endpoint: Endpoint, rule: Rule) -> Result:
    try:
        note: Any = await rule.trial(endpoint)
        return Result(rule, Outcome.PASSED, note or "")
    except Verdict as verdict:
        shown = verdict.exchanges if verdict.outcome is Outcome.FAILED else ()
        return Result(rule, verdict.outcome, verdict.reason, shown)
    except NoResponse as problem:
        return Result(rule, Outcome.FAILED, str(problem))
    except Exception as error:
        logger.exception("The rule %s could not be tried", rule.id)
        return Result(rule, Outcome.SKIPPED, f"the checker failed: {error!r}")
