"""A server process under mixed load for half a minute: nothing is left, nothing lost.

``make soak`` is the same for longer, with all floods.
"""

from pathlib import Path

import pytest

from bench.floods.floods import BY_NAME
from bench.soak.command import report, soak

# The others would take longer than the test may.
FLOODS = ("garbage",)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
@pytest.mark.timeout(400)
async def test_nothing_is_left_and_nothing_is_lost(tmp_path: Path) -> None:
    found = await soak(
        tmp_path,
        None,
        [BY_NAME[name] for name in FLOODS],
        minutes=0,
        seconds=4,
        warm_up=3,
        # Those that never connect end sooner than usual.
        options=("--setup-timeout", "5"),
    )
    counts = found.tally.counts
    assert not found.tally.failures, report(found)
    for kind in (
        "sessions",
        "sessions killed",
        "ICE restarts",
        "messages echoed",
        "publishers",
        "takeovers",
        "packets watched",
        "viewers",
        "recordings",
        "pictures recorded",
    ):
        assert counts[kind], f"no {kind}: {report(found)}"
    # All in the warm-up, and again after it.
    assert counts["floods"] == 2 * len(FLOODS)
