"""The process of one flood: ``python -m bench.floods.attack NAME URL SECONDS``.

It writes ``ready``, waits for a line, floods, writes a line of JSON, and waits for
another line before it lets go of what it holds.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time

import uvloop

from .floods import BY_NAME, rounds


async def _main(name: str, url: str, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    cpu = 0.0
    async with contextlib.aclosing(rounds(BY_NAME[name], url, seconds)) as steps:
        async for step, count in steps:
            if step == "ready":
                report: dict[str, float] = {}
            else:
                report = {"sent": count, "cpu": time.process_time() - cpu}
            print(json.dumps({"step": step, **report}), flush=True)
            await loop.run_in_executor(None, sys.stdin.readline)
            cpu = time.process_time()


def main() -> None:
    """Run one flood."""
    logging.disable(logging.CRITICAL)
    if hasattr(os, "SCHED_IDLE"):
        # It leaves the CPU to the other client, which measures, at once.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    _, name, url, seconds = sys.argv
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(name, url, float(seconds)))


if __name__ == "__main__":
    main()
