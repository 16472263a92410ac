"""The measurement of applications that do nothing."""

from bench.applications import compare


def test_both_paths_are_measured() -> None:
    found = compare(rounds=1, messages=100, frames=10)
    assert list(found) == ["echo", "media"]
    assert all(without > 0 < with_it for without, with_it, _ in found.values())
