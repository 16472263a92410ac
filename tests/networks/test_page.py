"""docs/networks.md is up to date, but for its times."""

from .cells import ACTIONS
from .matrix import NETWORKS
from .page import PATH


def test_the_page_has_all_networks() -> None:
    written = PATH.read_text().splitlines()
    for network in NETWORKS:
        rows = [line for line in written if line.startswith(f"| {network.name} | ")]
        client = "`whipbird`" if network.client == "ours" else network.client
        [row] = [row for row in rows if row.split(" | ")[1] == client]
        assert "**no**" not in row
        assert row.count(" ms") == len(ACTIONS) + 1
