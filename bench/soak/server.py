"""``whipbird serve`` that counts what is alive in it, on SIGUSR2.

``python -m bench.soak.server FILE serve …``: the counts go to the file.
"""

import asyncio
import gc
import itertools
import signal
import sys
from pathlib import Path

from whipbird.cli import main as whipbird
from whipbird.net import Dispatcher

from .census import take


def _watch(file: Path) -> None:
    """Write a census whenever the signal comes."""
    dispatchers: list[Dispatcher] = []
    numbers = itertools.count()
    freeze = gc.freeze

    def note_and_freeze() -> None:
        # The server calls this once, when all is made; then nobody finds it any more.
        dispatchers.extend(o for o in gc.get_objects() if isinstance(o, Dispatcher))
        freeze()
        # The loop calls it at once, though nothing else may happen for long.
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, count)

    def count() -> None:
        take(next(numbers), dispatchers).write(file)

    gc.freeze = note_and_freeze


def main() -> None:
    """Run the command line of Whipbird."""
    _watch(Path(sys.argv.pop(1)))
    whipbird()


if __name__ == "__main__":
    main()
