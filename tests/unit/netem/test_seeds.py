"""Seeds of tests, and the replay of one."""

import pytest

from tests.netem.seeds import for_seeds, how_to_replay, seeds_of


def test_by_default_a_test_runs_with_its_own_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NETEM_SEED", raising=False)
    assert for_seeds(3).args == ("seed", [0, 1, 2])
    assert for_seeds(2, first=10).args == ("seed", [10, 11])


def test_the_environment_names_a_seed_to_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NETEM_SEED", "4711")
    assert for_seeds(3).args == ("seed", [4711])


def test_the_environment_names_a_range() -> None:
    assert seeds_of("7-9", []) == [7, 8, 9]


@pytest.mark.parametrize("value", ["x", "9-7", "1,2"])
def test_what_names_no_seed_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        seeds_of(value, [])


def test_a_failure_says_how_to_replay_it() -> None:
    assert how_to_replay(17) == "seed 17: replay with NETEM_SEED=17"


@for_seeds(2)
def test_a_seed_is_in_the_name_of_its_test(
    seed: int, request: pytest.FixtureRequest
) -> None:
    assert request.node.name.endswith(f"[seed{seed}]")
