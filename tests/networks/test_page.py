"""docs/networks.md has all networks; what is not as a network makes it is found."""

from typing import Any

import pytest

from .cells import ACTIONS, Cell
from .matrix import NETWORKS
from .page import PATH
from .world import CLIENTS

[HAIRPIN] = [network for network in NETWORKS if network.place == "beside"]
SOURCE = HAIRPIN.source
CELL = Cell(connected=0.1, protocol="udp", address=HAIRPIN.addresses[0])


def test_the_page_has_all_networks() -> None:
    written = PATH.read_text().splitlines()
    for network in NETWORKS:
        rows = [line for line in written if line.startswith(f"| {network.name} | ")]
        client = "`whipbird`" if network.client == "ours" else network.client
        [row] = [row for row in rows if row.split(" | ")[1] == client]
        assert "**no**" not in row
        assert row.count(" ms") == len(ACTIONS) + 1


@pytest.mark.parametrize(
    ("changes", "sources", "said"),
    [
        ({}, {"198.51.100.66"}, "no UDP came from"),
        ({"problem": "TimeoutError: "}, {SOURCE}, "TimeoutError"),
        ({"connected": None}, {SOURCE}, "connected in None"),
        ({"connected": 99.0}, {SOURCE}, "connected in 99.0"),
        ({"protocol": "tcp"}, {SOURCE}, "the path is tcp"),
        ({"relayed": True}, {SOURCE}, "relayed: True"),
        ({"address": "172.30.0.2"}, {SOURCE}, "the server is at 172.30.0.2"),
    ],
)
def test_another_path_than_that_of_the_network_is_a_problem(
    changes: dict[str, Any], sources: set[str], said: str
) -> None:
    assert HAIRPIN.mismatch(CELL, {SOURCE}) == ""
    assert said in HAIRPIN.mismatch(CELL.replace(**changes), sources)


def test_udp_where_it_is_blocked_is_a_problem() -> None:
    [network] = [n for n in NETWORKS if n.place == "blocked" and n.client == "Firefox"]
    cell = Cell(connected=0.1, protocol="tcp", address=network.addresses[0])
    assert network.mismatch(cell, {SOURCE}) == ""
    assert "UDP came from" in network.mismatch(cell, set(CLIENTS["blocked"]))
