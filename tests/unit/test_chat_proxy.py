"""``whipbird chat-proxy``, and the settings of language models."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from whipbird.cli import main
from whipbird.config import ConfigError, load_settings
from whipbird.from_settings import llm_engine
from whipbird.llms import loading

API = "http://127.0.0.1:9/v1"


@pytest.fixture
def without_llm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("without_llm")
@pytest.mark.parametrize(
    "arguments",
    [
        ("chat-proxy", "--api-base", API),
        ("serve", "--port", "0", "--llm-api-base", API),
    ],
)
def test_without_its_library_the_command_says_what_helps(
    arguments: tuple[str, ...],
) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "pip install 'whipbird[chat]'" in result.output
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("without_llm")
def test_who_has_no_models_needs_no_library() -> None:
    assert llm_engine(load_settings({})) is None


def test_other_machines_need_a_token() -> None:
    result = CliRunner().invoke(
        main, ("chat-proxy", "--host", "0.0.0.0", "--api-base", API)
    )
    assert result.exit_code == 2
    assert "set --token-file, or --open" in result.output


def test_a_key_file_without_a_key(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ("chat-proxy", "--api-base", API, "--key-file", str(tmp_path / "none"))
    )
    assert result.exit_code == 2
    assert "No such file" in result.output
    with pytest.raises(ConfigError, match=r"llm_key_file: .*No such file"):
        load_settings({"llm_key_file": str(tmp_path / "none")})


def test_nothing_to_offer() -> None:
    pytest.importorskip("llm")
    result = CliRunner().invoke(main, ("chat-proxy",))
    assert result.exit_code == 2
    assert "which models? Set --api-base" in result.output


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("llm")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        log = tmp_path / "log.db"
        result = CliRunner().invoke(
            main,
            ("chat-proxy", "--api-base", API, "--port", port, "--log", str(log)),
        )
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in result.output


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("llm_api_base", "127.0.0.1:8080", "expected an http:// or https:// URL"),
        ("llm_timeout", 0, "greater than 0"),
        ("llm_replies", 0, "greater than or equal to 1"),
    ],
)
def test_settings_that_are_wrong(name: str, value: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_settings({name: value})


def test_models_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIPBIRD_LLM_MODELS", "first second")
    settings = load_settings({})
    assert settings.llm_models == ("first", "second")
    assert settings.has_llms


def test_a_model_that_llm_does_not_have(tmp_path: Path) -> None:
    pytest.importorskip("llm")
    for arguments in (
        ("chat-proxy", "--port", "0", "--model", "nobody", "--log"),
        ("serve", "--port", "0", "--llm-model", "nobody", "--llm-log"),
    ):
        result = CliRunner().invoke(main, (*arguments, str(tmp_path / "log.db")))
        assert result.exit_code == 1, result.output
        assert 'llm has no model "nobody"' in result.output
