"""Which worker has a stream, and what names it in ICE."""

import base64
from collections import Counter

import pytest

from whipbird.net.shard import Shard
from whipbird.transport.ice.agent import _make_credentials
from whipbird.transport.ice.transport import _SYSTEM_RANDOM


def test_all_workers_agree_and_share_evenly() -> None:
    shards = [Shard(number, 4) for number in range(4)]
    owners: Counter[int] = Counter()
    for stream in (f"stream{n}" for n in range(2000)):
        (owner,) = {shard.owner_of(stream) for shard in shards}
        assert [shard.owns(stream) for shard in shards].index(True) == owner
        owners[owner] += 1
    assert set(owners) == {0, 1, 2, 3}
    # 500 each: six standard deviations.
    assert all(380 < count < 620 for count in owners.values())


def test_names_are_the_same_at_each_start() -> None:
    """A worker that is replaced gets the streams of the one before it."""
    assert [Shard(0, 2).owner_of(name) for name in ("a", "g", "mystream")] == [1, 0, 1]


@pytest.mark.parametrize("number", [0, 1, 63])
def test_a_ufrag_names_its_worker(number: int) -> None:
    shard, other = Shard(number, 64), Shard(2, 64)
    for _ in range(50):
        ufrag = _make_credentials(_SYSTEM_RANDOM, shard.mark).ufrag
        assert len(ufrag) == 8
        assert other.other_of_ufrag(ufrag) == number
        assert shard.other_of_ufrag(ufrag) is None


def test_what_names_no_worker() -> None:
    shard = Shard(0, 2)
    for ufrag in ("", "a", "!!!!", "ééée", base64.b64encode(b"\x02abcde").decode()):
        assert shard.other_of_ufrag(ufrag) is None
    assert shard.other_of_transaction(b"") is None
    assert shard.other_of_transaction(b"\x07rest") is None
    assert shard.other_of_transaction(b"\x00rest") is None
    assert shard.other_of_transaction(b"\x01rest") == 1
