"""The memory for verified paths."""

import math

from whipbird.transport.ice.paths import MAX_VERIFIED_PATHS, VerifiedPaths
from whipbird.transport.path import Path

BASE = ("198.51.100.1", 5000)


class Memory(VerifiedPaths):
    def __init__(self) -> None:
        self.known: set[Path] = set()
        super().__init__(self.add, self.known.remove)

    def add(self, path: Path) -> None:
        assert path not in self.known
        self.known.add(path)


def path(port: int) -> Path:
    return Path(BASE, ("192.0.2.1", port))


def test_a_path_of_two_sessions_is_told_once() -> None:
    memory = Memory()
    for session in ("old", "new", "old"):
        memory.verify(session, path(1), None)
    memory.verify("new", path(2), None)
    memory.drop("new")
    assert memory.known == {path(1)}
    memory.drop("old")
    memory.drop("old")
    assert not memory.known


def test_of_too_many_the_one_verified_first_is_forgotten() -> None:
    memory = Memory()
    for port in range(MAX_VERIFIED_PATHS):
        memory.verify("one", path(port), None)
    memory.verify("one", path(1), None)
    for port in range(1000, 1003):
        memory.verify("one", path(port), path(0))
    assert {path(0), path(1), path(1002)} <= memory.known
    assert not {path(2), path(3), path(4)} & memory.known
    assert len(memory.known) == MAX_VERIFIED_PATHS


def test_the_paths_of_a_session_that_is_over() -> None:
    memory = Memory()
    memory.verify("old", path(1), None)
    memory.verify("old", path(2), None)
    memory.verify("new", path(2), None)
    memory.retire("old", 30)
    assert memory.deadline == 30
    memory.expire(29)
    assert memory.known == {path(1), path(2)}
    memory.expire(30)
    assert memory.known == {path(2)}
    assert memory.deadline == math.inf


def test_the_paths_of_many_sessions_that_are_over_are_bounded() -> None:
    memory = Memory()
    for session in range(10):
        for port in range(40):
            memory.verify(session, path(100 * session + port), None)
        memory.retire(session, session)
        assert len(memory.known) <= MAX_VERIFIED_PATHS
    assert path(939) in memory.known
    # Retired twice: it stays for the later time.
    memory.verify("again", path(939), None)
    memory.retire("again", 50)
    memory.expire(40)
    assert memory.known == {path(939)}
