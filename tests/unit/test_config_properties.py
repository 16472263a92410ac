"""Whatever the settings are: they are valid, or one line says which one is not."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from whipbird.cli.settings_options import settings_options
from whipbird.config import ConfigError, Settings, load_settings

NAMES = sorted(Settings.model_fields)
# Texts that are nearly right somewhere.
TEXTS = st.text(max_size=40) | st.sampled_from(
    [
        *("", " ", "0", "-1", "65536", "1e999", "nan", "true", "*", "\0", "."),
        *("::1", "0.0.0.0", "[::1]:0", "a:b", "localhost:99999", "example.org"),
        *("http://", "https://a:b", "http://[::1", "stun:", "turn:a b c", "/"),
        *("stun:a.example", "10.0.0.0/33", "x" * 5000, "[", "{}", '"', "\ud800"),
        *("whsec_", "whsec_!", "\u0661", "\N{BIRD}", "-", "--", "a" * 300 + "/b"),
    ]
)
VALUES = st.recursive(
    TEXTS | st.integers() | st.floats() | st.booleans() | st.dates() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=5,
)
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WHIPBIRD_")]:
        monkeypatch.delenv(name)


def load(name: str, overrides: dict[str, Any], file: Path | None = None) -> None:
    """Load settings of which one was chosen by chance."""
    try:
        load_settings(overrides, file)
        return
    except ConfigError as error:
        said = str(error)
    # Or that with which it does not go together.
    assert any(known in said for known in (str(file), name, *NAMES)), said


@many
@given(st.sampled_from(NAMES), VALUES)
def test_any_value_that_a_program_gives(name: str, value: object) -> None:
    load(name, {name: value})


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    variable = f"WHIPBIRD_{name.upper()}"
    os.environ[variable] = value
    try:
        yield
    finally:
        del os.environ[variable]


@many
@given(st.sampled_from(NAMES), TEXTS.filter(lambda text: "\0" not in text))
# Octets that are not UTF-8, where a validator quotes the value.
@example("public_addresses", "\udcff")
@example("trusted_proxies", "\udcff")
def test_any_value_in_the_environment(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        # As the interpreter reads octets that are not UTF-8.
        value = b"\xff".decode(errors="surrogateescape")
    with environment(name, value):
        load(name, {})


def toml(value: object) -> str:
    """A value in TOML; keys and texts as strings without what TOML does not permit."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            escaped = (f"\\U{ord(c):08x}" for c in value if not 0xD7FF < ord(c) < 57344)
            return f'"{"".join(escaped)}"'
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            inner = (f"{toml(key)} = {toml(item)}" for key, item in value.items())
            return f"{{{', '.join(inner)}}}"
        case _:
            return str(value).replace(" ", "T")


@contextmanager
def file_with(octets: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        path.write_bytes(octets)
        yield path


@settings(many, max_examples=50)
@given(st.sampled_from([*NAMES, "unknown"]), VALUES)
def test_any_value_in_the_file(name: str, value: object) -> None:
    with file_with(f"{name} = {toml(value)}\n".encode()) as path:
        load(name, {}, path)


@many
@given(st.binary(max_size=60) | TEXTS.map(lambda t: t.encode(errors="replace")))
def test_any_file(octets: bytes) -> None:
    with file_with(octets) as path:
        said = "nothing"
        try:
            load_settings({}, path)
        except ConfigError as error:
            said = str(error)
        assert said


@pytest.mark.parametrize("text", ["port = {}", "{} = 1"])
def test_a_file_that_is_nested_without_end(text: str) -> None:
    for part in ("[" * 10_000, "{a=" * 10_000, "a." * 2000 + "a"):
        said = re.escape("settings.toml") + "|setting"
        with (
            file_with(text.format(part).encode()) as path,
            pytest.raises(ConfigError, match=said),
        ):
            load_settings({}, path)


@click.command()
@settings_options
def command(**options: Any) -> None:
    """As ``whipbird serve`` begins."""
    try:
        load_settings({k: v for k, v in options.items() if v is not None and v != ()})
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


@many
@given(st.sampled_from(NAMES), TEXTS.filter(lambda text: "\0" not in text))
def test_any_value_on_the_command_line(name: str, value: str) -> None:
    flags = [
        option.opts[0]
        for option in command.params
        if option.name == name and isinstance(option, click.Option)
    ]
    # The runner's output takes no surrogates; that of a terminal escapes them.
    value = value.encode(errors="replace").decode()
    for flag in flags:
        result = CliRunner().invoke(command, [flag, value])
        assert result.exit_code in (0, 1, 2), result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.exit_code == 0 or "Error: " in result.output
