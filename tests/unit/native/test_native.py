"""Whether the compiled packet path is used."""

import sys
from types import ModuleType

import pytest

from tests.native import needs_native
from whipbird.native import INTERFACE, NativeError, find_native


def test_off_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "whipbird_native", ModuleType("whipbird_native"))
    assert find_native("off") is None


def test_where_it_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "whipbird_native", None)
    assert find_native("auto") is None
    with pytest.raises(NativeError, match="make native"):
        find_native("on")


def test_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("whipbird_native")
    other.INTERFACE = INTERFACE + 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "whipbird_native", other)
    assert find_native("auto") is None
    with pytest.raises(NativeError, match="version"):
        find_native("on")


@needs_native
def test_where_it_is_built() -> None:
    assert find_native("auto") is not None
    assert find_native("on") is not None
