"""Settings that are read again while the server runs."""

import logging
import socket
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretBytes, SecretStr
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.app import (
    EVENTS,
    POLICY,
    RECORDER,
    RIGHTS,
    SIGNER,
    STORE,
    UPSTREAMS,
    create_app,
)
from whipbird.cli.reloading import Reloading
from whipbird.config import (
    NEEDS_RESTART,
    RELOADABLE,
    ConfigError,
    Settings,
    Upstream,
    load_settings,
    taken_over,
)
from whipbird.sdp.link import IceServer


@pytest.fixture(autouse=True)
def _keep_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whipbird.cli.reloading.set_up_logging", lambda *_: None)


def test_each_setting_is_taken_over_or_needs_a_restart() -> None:
    """A new one must be put into one of the lists of config/reload.py."""
    assert set(Settings.model_fields) == RELOADABLE | NEEDS_RESTART
    assert not RELOADABLE & NEEDS_RESTART


APPLIED = sorted(RELOADABLE - {"log_level", "log_format", "drain", "token_file"})


OTHERS = {
    "trusted_proxies": (ip_network("192.0.2.0/24"),),
    "token": SecretStr("new"),
    "allowed_hosts": ("media.example.com",),
    "allowed_origins": ("https://studio.example",),
    "ice_servers": (IceServer("stun:stun.example.org"),),
    "link_secret_file": SecretBytes(b"new"),
    "turn_secret": SecretStr("new"),
    "event_url": "http://127.0.0.1:1/events",
    "event_secret": SecretStr("new"),
    "upstreams": (Upstream("https://origin.example/whep/{stream}"),),
    "upstream_token_file": SecretStr("new"),
}


@pytest.mark.parametrize("name", APPLIED)
async def test_each_setting_is_taken_over(name: str, tmp_path: Path) -> None:
    """The running server then differs from one that was started without it."""
    origin = Upstream("https://old.example/whep/{stream}")
    current = Settings(record=tmp_path, token=SecretStr("old"), upstreams=(origin,))
    value = getattr(current, name)
    other = tmp_path / "other" if name == "record" else OTHERS.get(name)
    if other is None:
        other = not value if isinstance(value, bool) else value + 1
    new = current.model_copy(update={name: other})
    app = create_app(current)
    before = state(app)
    Reloading(current, lambda: new).reload(app)
    assert state(app) != before
    assert state(app) == state(create_app(new))


def state(app: web.Application) -> list[object]:
    """All that a reload may change."""
    store, recorder, policy = app[STORE], app[RECORDER], app[POLICY]
    assert recorder._folder is not None
    return [
        store._setup_timeout,
        store._admission.limits,
        store.streams.takeover("live"),
        store._wait_for_publisher("live"),
        store.audiences.chats.is_on("live"),
        store.audiences.gop_budget.limits,
        recorder._folder._path,
        recorder._all,
        recorder._limits,
        recorder._folder._retention,
        recorder._folder.finisher.min_free,
        policy.proxies.trusted,
        policy.hosts._names,
        policy.hosts._all_are(),
        (policy.origins._any, policy.origins._named),
        policy.access_log.level,
        policy.all_requests._others.rate,
        policy.stream_requests._others.rate,
        [limit.rate for limit in policy.stream_requests._limits.values()],
        app[EVENTS]._target,
        app[RIGHTS].token,
        # The random one differs from one server to the next.
        app[SIGNER]._secret != app[SIGNER]._random and app[SIGNER]._secret,
        app[UPSTREAMS].rules,
        policy.ice_servers._servers,
        policy.ice_servers._secret,
        policy.ice_servers._lifetime,
    ]


@pytest.mark.parametrize("source", ["token", "token_file"])
async def test_another_token(
    source: str,
    aiohttp_client: AiohttpClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old one ends at once."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "token"

    def load(token: str) -> Settings:
        file.write_text(token)
        return load_settings({source: str(file) if source == "token_file" else token})

    current = load("old")
    app = create_app(current)
    client = await aiohttp_client(app)

    async def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return (await client.get("/api/streams", headers=headers)).status

    assert (await status("old"), await status("new")) == (200, 401)
    Reloading(current, lambda: load("new")).reload(app)
    assert (await status("old"), await status("new")) == (401, 200)


async def test_a_folder_that_cannot_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Recordings stay where they are; all else is taken over."""
    current = Settings(record=tmp_path / "first")
    (tmp_path / "file").touch()
    new = Settings(record=tmp_path / "file/second", max_sessions=7)
    app = create_app(current)
    reloading = Reloading(current, lambda: new)
    reloading.reload(app)
    assert reloading.settings.record == current.record
    assert app[STORE]._admission.limits.total == 7
    folder = app[RECORDER]._folder
    assert folder is not None
    assert folder.is_at(tmp_path / "first")
    assert "Recordings stay where they are: the folder" in caplog.text
    assert "Not a directory" in caplog.text
    # None at all is what somebody may want.
    Reloading(reloading.settings, Settings).reload(app)
    assert not app[RECORDER].is_enabled


async def test_other_hosts_and_origins(aiohttp_client: AiohttpClient) -> None:
    """A page that is named from now on may also control recordings."""
    current = Settings()
    app = create_app(current)
    client = await aiohttp_client(app)
    page, name = "https://studio.example", "media.example.com"

    async def statuses() -> list[int]:
        asked = {"Origin": page, "Access-Control-Request-Method": "POST"}
        own = {"Host": name}
        responses = [
            await client.options("/whip/live", headers=asked),
            await client.post("/api/streams/a/recording", headers={"Origin": page}),
            await client.options("/whip/live", headers={**asked, "Origin": "http://a"}),
            await client.get("/healthz", headers=own),
        ]
        return [response.status for response in responses]

    assert await statuses() == [200, 403, 200, 421]
    new = Settings(allowed_origins=(page,), allowed_hosts=(name,))
    reloading = Reloading(current, lambda: new)
    reloading.reload(app)
    # 409: there is no folder for recordings.
    assert await statuses() == [200, 409, 403, 200]
    Reloading(new, Settings).reload(app)
    assert await statuses() == [200, 403, 200, 421]


async def test_the_last_token_is_not_given_up(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A server without one listens elsewhere, and checks other things."""
    current = Settings(token=SecretStr("old"))
    app = create_app(current)
    client = await aiohttp_client(app)
    Reloading(current, Settings).reload(app)
    assert (await client.get("/api/streams")).status == 401
    assert "The setting token has changed: it needs a restart" in caplog.text


async def test_what_needs_a_restart_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = create_app(Settings())
    reloading = Reloading(
        Settings(), lambda: Settings(port=9000, token=SecretStr("new"), max_sessions=7)
    )
    reloading.reload(app)
    assert app[STORE]._admission.limits.total == 7
    assert reloading.settings.port == 8080
    assert reloading.settings.token is None
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        "The setting port has changed: it needs a restart",
        "The setting token has changed: it needs a restart",
    ]


async def test_invalid_settings_change_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def load() -> Settings:
        raise ConfigError("port: it is no number")

    app = create_app(Settings())
    reloading = Reloading(Settings(), load)
    reloading.reload(app)
    assert reloading.settings == Settings()
    assert "not reloaded: port: it is no number" in caplog.text


def test_settings_that_are_the_same() -> None:
    assert taken_over(Settings(), Settings()) == (Settings(), [])


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A service manager. It returns what it was told."""
    path = tmp_path / "notify"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))

    def told() -> list[str]:
        found = []
        while True:
            try:
                found.append(sock.recv(1000).decode())
            except BlockingIOError:
                return found

    return told


async def test_the_service_manager_is_told(manager: Callable[[], list[str]]) -> None:
    """sd_notify(3): RELOADING needs a time of the monotonic clock."""
    Reloading(Settings(), Settings).reload(create_app(Settings()))
    reloading, ready = manager()
    first, second = reloading.split("\n")
    assert (first, ready) == ("RELOADING=1", "READY=1")
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0


async def test_no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    Reloading(Settings(), Settings).reload(create_app(Settings()))
