"""Everything that goes on during one round."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..clients import BenchError, Clients
from ..clip import Clip
from ..floods.floods import Flood
from ..floods.trial import attacking
from .process import Watched
from .sessions import churn
from .streams import publish, record, watch
from .tally import Tally

# Sessions with data channels, and viewers of each stream, at a time.
SESSIONS = 3
VIEWERS = 2
# The part of a round in which clients may vanish: the server notices half a minute
# later, so the round's end need not wait for it.
VANISHING = 0.4
# Seconds of each flood: always as long, so that none takes more memory than before.
FLOODING = 3.0

# Two streams: of one the publisher changes.
CHANGING, STEADY = "changing", "steady"


@dataclass(frozen=True, slots=True)
class Media:
    """What is published: of the stream that changes, and of the steady one."""

    changing: Sequence[Clip]
    steady: Sequence[Clip]


async def make_round(
    server: Watched,
    clients: Clients,
    media: Media,
    tally: Tally,
    floods: Sequence[Flood],
    seconds: float,
    rng: random.Random,
    *,
    vanishing: bool,
) -> dict[str, int]:
    """Let clients of all kinds come and go for a time; at the end all have gone.

    Floods may take longer than that.

    Args:
        vanishing: whether some vanish without a word: the server misses them half a
            minute later.

    Returns:
        Recorded file -> pictures that the server said it had.
    """
    began = time.monotonic()
    said: dict[str, int] = {}

    def goes_on(part: float = 1.0) -> bool:
        return time.monotonic() - began < part * seconds

    may_vanish = partial(goes_on, VANISHING if vanishing else 0.0)
    whip, whep = server.url / "whip", server.url / "whep"
    async with asyncio.TaskGroup() as group:
        for number in range(SESSIONS):
            url = str(whip / f"data-{number}")
            group.create_task(churn(url, clients, tally, rng, goes_on, may_vanish))
        for name, clips in ((CHANGING, media.changing), (STEADY, media.steady)):
            group.create_task(
                publish(
                    str(whip / name),
                    clients,
                    list(clips),
                    tally,
                    goes_on,
                    changes=name == CHANGING,
                )
            )
            for _ in range(VIEWERS):
                group.create_task(
                    watch(str(whep / name), clients, tally, rng, goes_on, may_vanish)
                )
            group.create_task(record(server.url, name, tally, goes_on, said))
        group.create_task(_flood(server, floods, tally))
    return said


async def _flood(server: Watched, floods: Sequence[Flood], tally: Tally) -> None:
    """The floods of a round, one after another."""
    for flood in floods:
        try:
            async with attacking(flood, server.server.url, FLOODING) as attack:
                attack.go_on()
                said = await attack.step()
                attack.go_on()
                await attack.ended()
        except (BenchError, TimeoutError) as error:
            tally.fail(f"flood {flood.name}: {error or type(error).__name__}")
            continue
        tally.counts["hostile packets and requests"] += int(said["sent"])
        tally.counts["floods"] += 1
