"""The files of Docker Compose: their schema, and that they fit the server."""

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml

from tests.server import ROOT
from whipbird.sdp.link import TurnServer

from .settings_of import interpolate, settings_of

PLAIN, TLS, TURN = (
    "docker-compose.yml",
    "deploy/compose/tls.yml",
    "deploy/compose/turn.yml",
)
VARIABLES = {
    "WHIPBIRD_DOMAIN": "media.example.com",
    "WHIPBIRD_TURN_ADDRESS": "203.0.113.5",
    "WHIPBIRD_TURN_SECRET": "north-wind",
    "WHIPBIRD_TOKEN": "secret",
}
# What the image sets.
IMAGE = {"WHIPBIRD_HOST": "0.0.0.0", "WHIPBIRD_PORT": "8080"}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def environment(*names: str, **given: str) -> dict[str, str]:
    """The environment of the server in a container."""
    values = {**VARIABLES, **given}
    found = dict(IMAGE)
    for name in names:
        for key, value in read(name)["services"]["whipbird"]["environment"].items():
            if value is not None:
                found[key] = interpolate(str(value), values)
            elif key in values:
                found[key] = values[key]
    return found


def test_they_follow_the_schema() -> None:
    """That of the Compose specification, and it finds mistakes."""
    file = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    for name in (PLAIN, TLS, TURN):
        content = read(name)
        assert list(validator.iter_errors(content)) == [], name
        content["services"]["whipbird"]["prots"] = []
        assert not validator.is_valid(content)


@pytest.mark.parametrize("number", ["8080", "9000"])
@pytest.mark.parametrize("overlays", [(), (TLS,), (TURN,), (TLS, TURN)])
def test_the_ports_that_are_published(
    overlays: tuple[str, ...], number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One number for TCP and UDP, the same inside and outside."""
    found = environment(PLAIN, *overlays, WHIPBIRD_PORT=number)
    settings = settings_of(found, monkeypatch)
    published = {
        interpolate(port, {"WHIPBIRD_PORT": number})
        for port in read(PLAIN)["services"]["whipbird"]["ports"]
    }
    assert published == {f"127.0.0.1:{number}:{number}/{p}" for p in ("tcp", "udp")}
    udp = settings.port if settings.udp_port is None else settings.udp_port
    tcp = settings.port if settings.ice_tcp_port is None else settings.ice_tcp_port
    assert udp == tcp == int(number)
    # Behind Caddy nobody else reaches HTTP.
    assert (settings.port != int(number)) is (TLS in overlays)


def test_the_settings_behind_caddy(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(environment(PLAIN, TLS), monkeypatch)
    assert settings.allowed_hosts == ("media.example.com",)
    assert settings.public_addresses == ("media.example.com",)
    caddy = read(TLS)["services"]["caddy"]
    assert caddy["environment"]["WHIPBIRD_UPSTREAM"] == f"whipbird:{settings.port}"
    source, target, mode = caddy["volumes"][0].split(":")
    # Of the folder of the first file.
    assert (ROOT / source).is_file()
    assert (target, mode) == ("/etc/caddy/Caddyfile", "ro")
    assert caddy["volumes"][1].partition(":")[0] in read(TLS)["volumes"]


def test_the_settings_beside_coturn(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(environment(PLAIN, TURN), monkeypatch)
    assert settings.ice_servers == (
        TurnServer("turn:203.0.113.5:3478?transport=udp"),
        TurnServer("turn:203.0.113.5:3478?transport=tcp"),
    )
    assert settings.turn_secret is not None
    assert settings.public_addresses == ("203.0.113.5",)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        (TLS, "WHIPBIRD_DOMAIN"),
        (TURN, "WHIPBIRD_TURN_ADDRESS"),
        (TURN, "WHIPBIRD_TURN_SECRET"),
    ],
)
def test_what_must_be_said(name: str, variable: str) -> None:
    with pytest.raises(KeyError, match=variable):
        environment(PLAIN, name, **{variable: ""})


@pytest.mark.parametrize("name", [PLAIN, TLS, TURN])
def test_it_says_how_it_is_started(name: str) -> None:
    """The command at its top names files that there are, and it first."""
    text = (ROOT / name).read_text(encoding="utf-8")
    command = "docker compose"
    if name != PLAIN:
        command += f" -f {PLAIN} -f {name} up"
    assert command in text
