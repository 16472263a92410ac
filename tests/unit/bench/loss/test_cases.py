"""The cases of the bench, and the servers that it is told of."""

from pathlib import Path

import pytest

from bench.loss.cases import CASES, QUICK, Side
from bench.loss.subjects import SubjectError, peer, whipbird

DESCRIPTION = """
command = ["~/server", "--listen={address}"]
whip = "http://{address}:8889/bench/whip"
whep = "http://{address}:8889/bench/whep"
"""


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(QUICK) <= set(names)
    assert all(case.name.startswith(f"{case.side}-") for case in CASES)


@pytest.mark.parametrize("side", Side)
def test_feedback_loses_nothing_and_takes_as_long(side: Side) -> None:
    for case in (case for case in CASES if case.side is side):
        assert case.back.loss == case.back.burst == 0
        assert case.back.delay == case.media.delay
        assert case.clean == (case.back, case.back)


def test_a_server_is_described_in_toml(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(DESCRIPTION)
    found = peer(file)
    assert (found.name, found.whip.token) == ("other", None)
    assert found.command == (str(Path.home() / "server"), "--listen=10.77.0.1")
    assert found.whep.url == "http://10.77.0.1:8889/bench/whep"
    assert found.origin == "http://10.77.0.1:8889"
    file.write_text('name = "x"\ntoken = "secret"\n' + DESCRIPTION)
    found = peer(file)
    assert (found.name, found.whip.token, found.whep.token) == ("x", *["secret"] * 2)


@pytest.mark.parametrize("text", ["", "whip = ", DESCRIPTION.replace("whep", "wep")])
def test_a_bad_description_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(SubjectError, match=r"bad\.toml"):
        peer(file)


def test_a_missing_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubjectError):
        peer(tmp_path / "none.toml")


def test_whipbird_is_run_from_its_checkout(tmp_path: Path) -> None:
    subject = whipbird("before", tmp_path)
    assert subject.tree == tmp_path
    assert subject.origin == "http://10.77.0.1:8080"
