"""Applications by name: found, or refused in one line that says why."""

import sys
from functools import partial
from pathlib import Path

import pytest

from whipbird.apps import Application
from whipbird.apps.loading import (
    ApplicationError,
    check_handlers,
    load_application,
)

MODULE = """
from whipbird import Application

async def shout(channel, data):
    await channel.send(data.upper())

class Shout(Application):
    on_message = staticmethod(shout)

class Broken(Application):
    def __init__(self):
        raise LookupError("no model")

app = Application(on_message=shout)
number = 7
"""

FAILING = {
    "whipbird_failing": "1 / 0\n",
    "whipbird_unparsable": "# An application.\nimport = 3\n",
    "whipbird_needing": "import whipbird_missing\n",
    "whipbird_calling": "import whipbird\n\nwhipbird.Application(on_mesage=None)\n",
    "whipbird_ending": "import sys\nsys.exit(3)\n",
}


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whipbird_shouting.py").write_text(MODULE)
    for module, text in FAILING.items():
        (tmp_path / f"{module}.py").write_text(text)
    info = tmp_path / "whipbird_shouting-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: whipbird-shouting\nVersion: 1\n"
    )
    (info / "entry_points.txt").write_text(
        "[whipbird.apps]\nshouting = whipbird_shouting:Shout\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("whipbird_shouting", *FAILING):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(
    "name", ["whipbird_shouting:app", "whipbird_shouting:Shout", "shouting"]
)
def test_an_instance_a_class_and_an_entry_point(name: str) -> None:
    assert isinstance(load_application(name), Application)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("whipbird_shouting:ap", "has no 'ap'"),
        ("whipbird_shouting:number", "neither a whipbird.Application nor"),
        ("whipbird_shouting:Broken", "cannot be made: LookupError: no model"),
        ("whipbird_failing:app", "whipbird_failing.py:1"),
        ("whipbird_unparsable:app", "SyntaxError: invalid syntax ("),
        ("whipbird_unparsable:app", "whipbird_unparsable.py:2)"),
        ("whipbird_needing:app", "No module named 'whipbird_missing' ("),
        ("whipbird_calling:app", "no handler is called 'on_mesage'"),
        ("whipbird_calling:app", "whipbird_calling.py:3)"),
        ("whipbird_ending:app", "SystemExit: 3 ("),
        ("whipbird_missing:app", "there is no module whipbird_missing, neither"),
        ("whipbird_missing.more:app", "there is no module whipbird_missing.more"),
        ("whipbird_missing.py:app", "a file whipbird_missing.py is whipbird_missing"),
        ("whipbird_shouting:", 'expected "module:name"'),
        (":app", 'expected "module:name"'),
        ("missing", "installed (shouting)"),
    ],
)
def test_what_cannot_be_loaded_is_said(name: str, said: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        load_application(name)
    message = str(caught.value)
    assert name in message
    assert said in message
    assert "\n" not in message


class Handlers:
    async def answer(self, prefix: str, channel: object, data: object) -> None:
        """As a method and as a partial."""

    async def __call__(self, channel: object, data: object) -> None:
        """As an object."""


def test_handlers_are_async_functions() -> None:
    for handler in (Handlers(), partial(Handlers().answer, "x")):
        check_handlers("a", Application(on_message=handler))
    with pytest.raises(ApplicationError, match="a: on_message has to be an async"):
        check_handlers("a", Application(on_message=print))  # type: ignore[arg-type]
