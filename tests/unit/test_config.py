"""Settings: where they come from, and what is said of those that cannot be used."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from whipbird.config import (
    ConfigError,
    Settings,
    Upstream,
    load_settings,
    split_listen,
)
from whipbird.sdp.link import IceServer, TurnServer

WriteToml = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WHIPBIRD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write_toml(tmp_path: Path) -> WriteToml:
    def write(text: str, name: str = "whipbird.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(
    overrides: dict[str, object] | None = None, file: Path | None = None
) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(overrides, file)
    return str(caught.value)


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    # The number of the TCP port.
    assert settings.udp_port is None
    assert settings.public_addresses == ()
    assert not settings.hide_host_addresses
    assert not settings.ice_lite
    assert settings.setup_timeout == 15
    assert settings.echo_buffer == 1024 * 1024
    assert not settings.ice_loopback
    assert settings.ice_servers == ()
    assert settings.token is None
    assert settings.max_sessions == 1000
    rates = (settings.post_rate, settings.patch_rate, settings.delete_rate)
    assert rates == (600, 3000, 600)
    assert settings.log_level == "info"


def test_where_to_record(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().record is None
    monkeypatch.setenv("WHIPBIRD_RECORD", "kept")
    settings = load_settings({"record_all": True})
    assert (settings.record, settings.record_all) == (Path("kept"), True)


def test_what_is_recorded_must_have_a_folder() -> None:
    assert refused({"record_all": True}) == (
        'record_all: it needs a folder: set "record" too'
    )
    assert load_settings({"record_all": False}).record is None


def test_a_folder_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the working directory, which nobody has meant."""
    monkeypatch.setenv("WHIPBIRD_RECORD", "")
    message = "record: it is empty; leave it out to record nothing"
    assert refused() == message
    assert refused({"record_all": True}) == message


def test_every_setting_is_described() -> None:
    for field in Settings.model_fields.values():
        assert field.description
        assert field.description.endswith(".")


def test_precedence(write_toml: WriteToml, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command line > environment > file > default, setting by setting."""
    assert load_settings().port == 8080
    write_toml('port = 1\nsetup_timeout = 1\nlog_level = "debug"\n')
    assert load_settings().port == 1
    monkeypatch.setenv("WHIPBIRD_PORT", "2")
    monkeypatch.setenv("WHIPBIRD_SETUP_TIMEOUT", "2")
    assert load_settings().port == 2
    settings = load_settings({"port": 3})
    assert settings.port == 3
    assert settings.setup_timeout == 2
    assert settings.log_level == "debug"
    assert settings.host == "127.0.0.1"


def test_the_file_in_the_working_directory(write_toml: WriteToml) -> None:
    write_toml("ice_loopback = true\n")
    assert load_settings().ice_loopback


def test_the_file_that_is_given(write_toml: WriteToml, tmp_path: Path) -> None:
    write_toml("port = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("port = 2\n", encoding="utf-8")
    assert load_settings(file=other).port == 2


def test_the_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, given = tmp_path / "named.toml", tmp_path / "given.toml"
    named.write_text("port = 1\n", encoding="utf-8")
    given.write_text("port = 2\n", encoding="utf-8")
    monkeypatch.setenv("WHIPBIRD_CONFIG", str(named))
    assert load_settings().port == 1
    assert load_settings(file=given).port == 2


def test_an_empty_file(write_toml: WriteToml) -> None:
    write_toml("")
    assert load_settings().model_dump() == Settings().model_dump()


@pytest.mark.parametrize("value", ["1", "true", "True", "yes", "on"])
def test_switches_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("WHIPBIRD_ICE_LOOPBACK", value)
    assert load_settings().ice_loopback


def test_settings_do_not_change() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("port", "http"),
        ("udp_port", -1),
        ("udp_port", 65536),
        ("udp_port", "media"),
        ("hide_host_addresses", "some"),
        ("ice_lite", "perhaps"),
        ("setup_timeout", 0),
        ("setup_timeout", 601),
        ("setup_timeout", "soon"),
        ("setup_timeout", float("nan")),
        ("echo_buffer", 1024),
        ("echo_buffer", 2**40),
        ("ice_loopback", "perhaps"),
        ("log_level", "chatty"),
        ("log_level", "INFO"),
        ("max_sessions", 0),
        ("max_sessions", 10_001),
        ("post_rate", -1),
        ("patch_rate", 0.5),
        ("delete_rate", "few"),
    ],
)
def test_values_that_are_not_allowed(name: str, value: object) -> None:
    """The message names the setting and the value, in one line."""
    message = refused({name: value})
    assert message.startswith(f"{name}: ")
    assert str(value) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 0),
        ("port", 65535),
        ("udp_port", 0),
        ("udp_port", 65535),
        ("setup_timeout", 0.001),
        ("setup_timeout", 600),
        ("echo_buffer", 512 * 1024),
        ("echo_buffer", 1024**3),
        ("log_level", "warning"),
        ("max_sessions", 1),
        ("max_sessions", 10_000),
        ("post_rate", 0),
        ("patch_rate", 1),
        ("delete_rate", 1_000_000),
    ],
)
def test_values_at_the_edge(name: str, value: object) -> None:
    assert getattr(load_settings({name: value}), name) == value


def test_a_bad_value_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIPBIRD_PORT", "http")
    message = refused()
    assert message.startswith("port: ")
    assert "'http'" in message


def test_a_bad_value_in_the_file(write_toml: WriteToml) -> None:
    write_toml('port = "http"\n')
    assert refused().startswith("port: ")


def test_several_bad_values(write_toml: WriteToml) -> None:
    write_toml('port = "http"\nlog_level = "chatty"\n')
    lines = refused().splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["log_level", "port"]


def test_an_unknown_setting_in_the_file(write_toml: WriteToml) -> None:
    """The message names it, and the one that may be meant."""
    write_toml("record-all = true\n")
    message = refused()
    assert message.startswith("record-all: there is no such setting; did you mean")
    assert "record_all" in message
    assert "echo_buffer" not in message
    assert "\n" not in message


def test_a_setting_that_is_like_no_other(write_toml: WriteToml) -> None:
    """The message names it, and those that there are."""
    write_toml("zzz = 1\n")
    message = refused()
    assert message.startswith("zzz: ")
    assert "echo_buffer" in message
    assert "\n" not in message


def test_an_unknown_setting_on_the_command_line() -> None:
    assert refused({"portt": 1}).startswith("portt: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert refused(file=path) == f"{path}: there is no such file"


def test_a_named_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "none.toml"
    monkeypatch.setenv("WHIPBIRD_CONFIG", str(path))
    assert str(path) in refused()


def test_a_file_that_is_a_directory(tmp_path: Path) -> None:
    assert str(tmp_path) in refused(file=tmp_path)


def test_a_file_that_is_not_toml(write_toml: WriteToml) -> None:
    path = write_toml("port: 8080\n")
    message = refused(file=path)
    assert message.startswith(f"{path}: ")
    assert "line 1" in message


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "whipbird.toml"
    path.write_bytes(b'host = "\xff"\n')
    assert refused(file=path).startswith(f"{path}: ")


def test_a_file_that_cannot_be_read(
    write_toml: WriteToml, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_toml("port = 1\n")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in refused(file=path)


STUN = IceServer("stun:stun.example:3478")
TURN = IceServer("turn:turn.example?transport=udp", "user", "pa,ss=")


def test_ice_servers_in_the_file(write_toml: WriteToml) -> None:
    """As strings, or as tables, in which a username may have spaces."""
    write_toml(
        'ice_servers = ["stun:stun.example:3478", '
        '"turn:turn.example?transport=udp user pa,ss="]\n'
    )
    assert load_settings().ice_servers == (STUN, TURN)
    write_toml(
        '[[ice_servers]]\nurl = "stun:stun.example:3478"\n'
        '[[ice_servers]]\nurl = "turn:turn.example"\n'
        'username = "a user"\ncredential = "\\"secret\\""\n'
    )
    assert load_settings().ice_servers == (
        STUN,
        IceServer("turn:turn.example", "a user", '"secret"'),
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("stun:stun.example:3478", (STUN,)),
        (
            "stun:stun.example:3478\nturn:turn.example?transport=udp user pa,ss=",
            (STUN, TURN),
        ),
        (
            "\n  stun:stun.example:3478\r\n\n"
            "\tturn:turn.example?transport=udp  user  pa,ss= \n",
            (STUN, TURN),
        ),
    ],
)
def test_ice_servers_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: tuple[IceServer, ...]
) -> None:
    """One on each line."""
    monkeypatch.setenv("WHIPBIRD_ICE_SERVERS", value)
    assert load_settings().ice_servers == expected


def test_ice_servers_of_two_sources_are_not_mixed(
    write_toml: WriteToml, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_toml('ice_servers = ["stun:one.example"]\n')
    monkeypatch.setenv("WHIPBIRD_ICE_SERVERS", "stun:two.example")
    assert load_settings().ice_servers == (IceServer("stun:two.example"),)
    given = ("stun:three.example", "stun:four.example")
    assert load_settings({"ice_servers": given}).ice_servers == (
        IceServer("stun:three.example"),
        IceServer("stun:four.example"),
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("turn:turn.example user", "URL [USERNAME CREDENTIAL]"),
        ("turn:turn.example user hush hush", "URL [USERNAME CREDENTIAL]"),
        ("turn:turn.example", "needs a username and a credential"),
        ("stun:stun.example user hush", "has no username"),
        ("turn:user:hush@turn.example", "the URL is not of the form"),
        ({"url": "turn:turn.example", "username": "hush"}, "needs a username"),
        ({"url": "turn:turn.example", "password": "hush"}, "expected a table with url"),
        ({"url": "turn:turn.example", "credential": 5550}, "expected a table with url"),
        ({"username": "hush"}, "expected a table with url"),
        ({"url": 5550}, "expected a table with url"),
        (5550, "expected a table with url"),
    ],
)
def test_ice_servers_that_are_none(value: object, said: str) -> None:
    """The message says which, and what is wrong, and shows no credential."""
    message = refused({"ice_servers": ["stun:stun.example", value]})
    assert message.startswith("ice_servers.1: ")
    assert said in message
    assert "\n" not in message
    for secret in ("hush", "5550"):
        assert secret not in message


def test_ice_servers_that_are_no_list(write_toml: WriteToml) -> None:
    write_toml("ice_servers = 5550\n")
    message = refused()
    assert message.startswith("ice_servers: ")
    assert "5550" not in message


def test_udp_port(write_toml: WriteToml, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not depend on ``port``: who runs the server makes them one."""
    write_toml("port = 1\nudp_port = 2\n")
    assert load_settings().udp_port == 2
    monkeypatch.setenv("WHIPBIRD_UDP_PORT", "3")
    assert load_settings().udp_port == 3
    assert load_settings({"udp_port": 0}).udp_port == 0


PUBLIC = ("203.0.113.5", "2001:db8::5", "media.example")


def test_public_addresses_in_the_file(write_toml: WriteToml) -> None:
    """As a list, or in one string."""
    write_toml('public_addresses = ["203.0.113.5", "2001:db8::5", "media.example"]\n')
    assert load_settings().public_addresses == PUBLIC
    write_toml('public_addresses = "203.0.113.5"\n')
    assert load_settings().public_addresses == PUBLIC[:1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        (" \n", ()),
        ("203.0.113.5", PUBLIC[:1]),
        ("203.0.113.5 2001:db8::5 media.example", PUBLIC),
        ("203.0.113.5,2001:db8::5, media.example\n", PUBLIC),
    ],
)
def test_public_addresses_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: tuple[str, ...]
) -> None:
    """Parted by commas or white space."""
    monkeypatch.setenv("WHIPBIRD_PUBLIC_ADDRESSES", value)
    assert load_settings().public_addresses == expected


def test_public_addresses_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are not mixed with those of another source."""
    monkeypatch.setenv("WHIPBIRD_PUBLIC_ADDRESSES", "198.51.100.7")
    assert load_settings({"public_addresses": PUBLIC}).public_addresses == PUBLIC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # A container engine on a desktop forwards that of the loopback interface.
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.20", "192.168.1.20"),
        ("2001:DB8:0:0::5", "2001:db8::5"),
        ("localhost", "localhost"),
        ("Media-1.example.com", "Media-1.example.com"),
        ("media.example.", "media.example."),
    ],
)
def test_what_a_public_address_may_be(value: str, expected: str) -> None:
    assert load_settings({"public_addresses": [value]}).public_addresses == (expected,)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "expected an IPv4 or IPv6 address or a host name"),
        ("203.0.113", "expected an IPv4"),
        ("203.0.113.256", "expected an IPv4"),
        ("203.0.113.5:8080", "expected an IPv4"),
        ("[2001:db8::5]", "expected an IPv4"),
        ("http://media.example", "expected an IPv4"),
        ("media.example:8080", "expected an IPv4"),
        ("-media.example", "expected an IPv4"),
        ("media..example", "expected an IPv4"),
        ("a" * 64, "expected an IPv4"),
        ("media example", "expected an IPv4"),
        ("0.0.0.0", "is not the address of one machine"),
        ("::", "is not the address of one machine"),
        ("224.0.0.1", "is not the address of one machine"),
        ("169.254.1.1", "is known on one link only"),
        ("fe80::1%eth0", "is known on one link only"),
        (5, "valid string"),
    ],
)
def test_public_addresses_that_are_none(value: object, said: str) -> None:
    """The message says which, and what was expected."""
    message = refused({"public_addresses": ["203.0.113.5", value]})
    assert message.startswith("public_addresses.1: ")
    assert said in message
    assert str(value) in message
    assert "\n" not in message


def test_public_addresses_that_are_no_list(write_toml: WriteToml) -> None:
    write_toml("public_addresses = 5\n")
    assert refused().startswith("public_addresses: ")


@pytest.mark.parametrize("token", ["a", "AZaz09-._~+/", "c2VjcmV0=="])
def test_tokens(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIPBIRD_TOKEN", token)
    setting = load_settings().token
    assert setting is not None
    assert setting.get_secret_value() == token


@pytest.mark.parametrize(
    "token", ["", "hush hush", "hush\u00e9", "hush,hush", "=hush", "hush\n", 5550]
)
def test_tokens_that_no_client_can_send(token: object) -> None:
    message = refused({"token": token})
    assert message.startswith("token: ")
    assert "\n" not in message
    for secret in ("hush", "5550"):
        assert secret not in message


def test_secrets_are_not_shown() -> None:
    """A token or a credential in the log would be one for everybody."""
    settings = load_settings(
        {"token": "hush", "ice_servers": ("turn:turn.example user hush",)}
    )
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_hosts_and_origins_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIPBIRD_ALLOWED_HOSTS", "Live.example.org, *.example.net *")
    monkeypatch.setenv(
        "WHIPBIRD_ALLOWED_ORIGINS", "https://Desk.example http://[::1]:9"
    )
    settings = load_settings()
    assert settings.allowed_hosts == ("live.example.org", "*.example.net", "*")
    assert settings.allowed_origins == ("https://desk.example", "http://[::1]:9")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_hosts", "a:80"),
        ("allowed_hosts", "http://a"),
        ("allowed_hosts", "a.*"),
        ("allowed_hosts", "*a"),
        ("allowed_origins", "desk.example"),
        ("allowed_origins", "https://desk.example/"),
        ("allowed_origins", "null"),
        ("allowed_origins", "https://"),
    ],
)
def test_a_wrong_host_or_origin_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*expected"):
        load_settings({name: (value,)})


def test_denied_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "WHIPBIRD_DENIED_NETWORKS", "10.1.0.0/16, 2001:db8::/32 192.0.2.7"
    )
    found = [str(network) for network in load_settings().denied_networks]
    assert found == ["10.1.0.0/16", "2001:db8::/32", "192.0.2.7/32"]
    assert load_settings().check_private_addresses is None
    with pytest.raises(ConfigError, match="denied_networks"):
        load_settings({"denied_networks": ("10.1.0.0/99",)})


def test_a_turn_server_with_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIPBIRD_TURN_SECRET", "north")
    monkeypatch.setenv(
        "WHIPBIRD_ICE_SERVERS", "turn:turn.example\nturn:other.example user word"
    )
    settings = load_settings()
    assert settings.ice_servers == (
        TurnServer("turn:turn.example"),
        IceServer("turn:other.example", "user", "word"),
    )
    assert "north" not in repr(settings)


@pytest.mark.parametrize(
    ("secret", "servers", "said"),
    [
        (None, ("turn:turn.example",), "a username and a credential, or turn_secret"),
        ("north", (), "and there is none"),
        ("north", ("stun:stun.example",), "and there is none"),
        ("north", ("turn:turn.example:x",), "the URL is not of the form"),
        ("", ("turn:turn.example",), "turn_secret: it is empty"),
    ],
)
def test_secrets_and_turn_servers_belong_together(
    secret: str | None, servers: tuple[str, ...], said: str
) -> None:
    options: dict[str, object] = {"ice_servers": servers}
    if secret is not None:
        options["turn_secret"] = secret
    message = refused(options)
    assert said in message
    assert "north" not in message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("127.0.0.1:9090", ("127.0.0.1", 9090)),
        ("[::1]:9090", ("::1", 9090)),
        ("localhost:0", ("localhost", 0)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
        ("metrics.studio.example:1", ("metrics.studio.example", 1)),
    ],
)
def test_where_operators_are_listened_for(
    value: str, expected: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().admin_listen is None
    monkeypatch.setenv("WHIPBIRD_ADMIN_LISTEN", value)
    assert split_listen(load_settings().admin_listen or "") == expected


@pytest.mark.parametrize(
    "value",
    [
        *("", "9090", ":9090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http"),
        *("::1:9090", "[::1]", "[::1]9090", "[127.0.0.1]:9090", "[]:9090"),
        *("127.0.0.256:9090", "127.0.0.1:65536", "127.0.0.1:-1", "a b:9090"),
        *("http://127.0.0.1:9090", "127.0.0.1:9090/", "127.0.0.1:٣"),
        *("127.0.0.1:" + "9" * 5000, "-a:9090"),
    ],
)
def test_where_nobody_can_be_listened_for(value: str) -> None:
    message = refused({"admin_listen": value})
    assert message.startswith("admin_listen: ")
    assert "HOST:PORT" in message or "from 0 to 65535" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "expected"), [("auto", 3), ("2", 2), (" 64 ", 64), ("1", 1)]
)
def test_how_many_workers(
    value: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert load_settings().workers == 1
    monkeypatch.setenv("WHIPBIRD_WORKERS", value)
    assert load_settings().workers == expected


@pytest.mark.parametrize("value", ["0", "65", "-1", "two", "1.5", "", "AUTO", "٣"])
def test_how_many_workers_there_cannot_be(value: str) -> None:
    message = refused({"workers": value})
    assert message.startswith("workers: ")
    assert "\n" not in message


def test_several_workers_need_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "several workers need Linux" in refused({"workers": 2})
    assert load_settings({"workers": "auto"}).workers == 1


def test_a_token_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("c2VjcmV0\n")
    settings = load_settings({"token_file": str(file)})
    assert settings.shared_token == "c2VjcmV0"
    assert "c2VjcmV0" not in repr(settings)
    assert load_settings({"token": "abc"}).shared_token == "abc"
    assert load_settings().shared_token is None
    monkeypatch.setenv("WHIPBIRD_TOKEN", "abc")
    with pytest.raises(ConfigError, match="token: there is a token_file too"):
        load_settings({"token_file": file})


@pytest.mark.parametrize("data", [b"", b"a b", b"top-secret\ntop-secret", b"\xff"])
def test_what_is_no_file_of_a_token(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=r"^token_file: .* one token") as caught:
        load_settings({"token_file": file})
    assert "top-secret" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"^token_file: .*No such file"):
        load_settings({"token_file": tmp_path / "none"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "media.example.org"])
def test_what_others_can_reach_needs_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    file = tmp_path / "token"
    file.write_text("abc")
    given = {"host": host}
    with pytest.raises(ConfigError, match=r"^open: .*--token-file.*--open") as caught:
        load_settings(given)
    assert host in str(caught.value)
    for more in (
        {"open": True},
        {"token": "abc"},
        {"token_file": file},
        {"rights_file": file},
    ):
        assert load_settings({**given, **more}).host == host
    monkeypatch.setenv("WHIPBIRD_OPEN", "true")
    assert load_settings(given).open
    # A mistake in the token is reported alone.
    monkeypatch.delenv("WHIPBIRD_OPEN")
    with pytest.raises(ConfigError) as caught:
        load_settings({**given, "token": "a b"})
    assert "open" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_no_rules(host: str) -> None:
    assert not load_settings({"host": host}).open


def test_open_and_rules_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match=r"^open: there are a token or rules"):
        load_settings({"open": True, "token": "abc"})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"auth_url": "auth.example"}, r"^auth_url: expected an http:// or"),
        ({"jwt_key_url": "http://id.example/keys"}, r"^jwt_key_url: .*https://"),
        ({"jwt_key_url": "ftp://id.example"}, r"^jwt_key_url: expected"),
        (
            {"jwt_key_file": "key", "jwt_key_url": "https://id.example"},
            r"^jwt_key_url: there is a jwt_key_file too",
        ),
        ({"jwt_issuer": "x"}, r"^jwt_issuer: it needs keys"),
        ({"jwt_audience": "x"}, r"^jwt_audience: it needs keys"),
    ],
)
def test_wrong_authorities(given: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_settings(given)


@pytest.mark.parametrize(
    "given",
    [
        {"auth_url": "http://127.0.0.1:9000/auth"},
        {"jwt_key_file": "key", "jwt_issuer": "x"},
        {"jwt_key_url": "https://id.example/keys", "jwt_audience": "x"},
        {"jwt_key_url": "http://localhost:9000/keys"},
    ],
)
def test_authorities_are_rules(given: dict[str, str]) -> None:
    assert load_settings({"host": "0.0.0.0", **given}).host == "0.0.0.0"


@pytest.mark.parametrize("value", ["6", 6])
def test_ip_family_in_the_file(write_toml: WriteToml, value: str | int) -> None:
    write_toml(f"ip_family = {value!r}\n")
    assert load_settings().ip_family == "6"


def test_an_unknown_ip_family() -> None:
    assert refused({"ip_family": "5"}).startswith("ip_family: ")


def test_interfaces_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().interfaces == ()
    monkeypatch.setenv("WHIPBIRD_INTERFACES", "eth0, wlan0")
    assert load_settings().interfaces == ("eth0", "wlan0")


# Proxies


@pytest.mark.parametrize("names", ["192.0.2.1,10.0.0.0/8 loopback", "::1/128 unix"])
def test_trusted_proxies(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("WHIPBIRD_TRUSTED_PROXIES", names)
    found = [str(proxy) for proxy in load_settings().trusted_proxies]
    assert found == (
        ["::1/128", "unix"]
        if "unix" in names
        else ["192.0.2.1/32", "10.0.0.0/8", "127.0.0.0/8", "::1/128"]
    )


def test_trusted_proxies_of_other_sources(write_toml: WriteToml) -> None:
    assert load_settings().trusted_proxies == ()
    write_toml('trusted_proxies = ["loopback", "unix"]\n')
    found = load_settings().trusted_proxies
    assert [str(proxy) for proxy in found] == ["127.0.0.0/8", "::1/128", "unix"]
    # As the command line gives them.
    found = load_settings({"trusted_proxies": ("192.0.2.1",)}).trusted_proxies
    assert [str(proxy) for proxy in found] == ["192.0.2.1/32"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("proxy.example", "loopback or unix"),
        ("10.0.0.1/8", "host bits"),
        ("10.0.0.0/33", "loopback or unix"),
        ("", "loopback or unix"),
        (5, "loopback or unix"),
    ],
)
def test_trusted_proxies_that_are_none(value: object, said: str) -> None:
    message = refused({"trusted_proxies": ["loopback", value]})
    assert message.startswith("trusted_proxies.2: ")
    assert said in message


def test_trusted_proxies_that_are_no_list() -> None:
    assert refused({"trusted_proxies": 5}).startswith("trusted_proxies: ")


def test_the_secret_of_links(tmp_path: Path) -> None:
    """A file that is named wrong, or has hardly a secret, is not shown."""
    file = tmp_path / "secret"
    for content in (b"", b"too short a secret"):
        file.write_bytes(content)
        said = f"{file}: it has to contain a secret of at least 32 octets"
        assert refused({"link_secret_file": str(file)}) == f"link_secret_file: {said}"
    file.write_bytes(b"\xff" * 32 + b"\n")
    settings = load_settings({"link_secret_file": str(file)})
    assert settings.link_secret == b"\xff" * 32
    assert "xff" not in repr(settings)
    file.unlink()
    assert refused({"link_secret_file": str(file)}) == (
        f"link_secret_file: {file}: No such file or directory"
    )
    assert load_settings().link_secret is None


# Upstreams


def test_upstreams(
    monkeypatch: pytest.MonkeyPatch, write_toml: WriteToml, tmp_path: Path
) -> None:
    assert load_settings().upstreams == ()
    (tmp_path / "token").write_text("s3cret\n")
    write_toml(
        f"""
        [[upstreams]]
        url = "https://origin.example"
        streams = "show-*"
        token_file = "{tmp_path / "token"}"

        [[upstreams]]
        url = "http://[2001:db8::1]:8889/{{stream}}/whep"
        """
    )
    shows, others = load_settings().upstreams
    assert (shows.url, shows.streams) == (
        "https://origin.example/whep/{stream}",
        "show-*",
    )
    assert shows.token is not None
    assert shows.token.get_secret_value() == "s3cret"
    assert (others.url, others.streams, others.token) == (
        "http://[2001:db8::1]:8889/{stream}/whep",
        "*",
        None,
    )
    # As the command line gives them; and the environment, one on each line.
    given = load_settings({"upstreams": ("https://a.example/x/",)}).upstreams
    assert given == (Upstream("https://a.example/x/whep/{stream}"),)
    monkeypatch.setenv(
        "WHIPBIRD_UPSTREAMS", "a http://a.example\n\nb* http://b.example/?s={stream}"
    )
    assert load_settings().upstreams == (
        Upstream("http://a.example/whep/{stream}", "a"),
        Upstream("http://b.example/?s={stream}", "b*"),
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "[STREAMS] URL"),
        ("a b http://c", "[STREAMS] URL"),
        ("origin.example", "http:// or https://"),
        ("ftp://origin.example", "http:// or https://"),
        ("https://origin.example/{name}", "other braces"),
        ("https://{stream}.example/", "into the path"),
        ("https://user:pa55@origin.example", "use a token"),
        ("https://origin.example/?x=1", "write {stream} there"),
        ("a/b https://origin.example", "streams is a name"),
        (5, "expected a table"),
        ({}, "expected a table"),
        ({"url": "https://a.example", "glob": "*"}, "expected a table"),
        ({"url": "https://a.example", "token": 5}, "expected a table"),
        ({"url": "https://a.example", "token": "pa55 word"}, "a token has letters"),
        (
            {"url": "https://a.example", "token": "pa55", "token_file": "x"},
            "exclude each other",
        ),
        ({"url": "https://a.example", "token_file": "/nowhere"}, "/nowhere"),
    ],
)
def test_upstreams_that_are_none(value: object, said: str) -> None:
    message = refused({"upstreams": ["https://origin.example", value]})
    assert message.startswith("upstreams.1: ")
    assert said in message
    assert "pa55" not in message
