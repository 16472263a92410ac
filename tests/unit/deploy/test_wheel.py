"""The wheel that pip and pipx install: it has all that the server serves."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import aiohttp
import pytest

from tests.server import ROOT, ServerProcess
from whipbird.pages import load_site


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel, and nothing of the project."""
    tmp_path = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--quiet"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    subprocess.run(command, check=True, timeout=110)
    (wheel,) = tmp_path.glob("whipbird-*-py3-none-any.whl")
    folder = tmp_path / "site-packages"
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_it_is_what_runs(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the project, which is installed here too."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    command = [sys.executable, "-P", "-c", "import whipbird; print(whipbird.__file__)"]
    found = subprocess.run(command, check=True, timeout=110, capture_output=True)
    assert found.stdout.decode().strip() == str(installed / "whipbird/__init__.py")


async def test_it_serves_the_page(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file of the page, and the OpenAPI document, as they are in the project."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.chdir(installed.parent)
    server = ServerProcess()
    await server.start()
    try:
        async with aiohttp.ClientSession(server.url) as http:
            site = load_site(ROOT / "webclient")
            assert len(site.files) > 50
            pages = {f"/{name}": content.body for name, content in site.files.items()}
            assets = {f"/{name}": content.body for name, content in site.assets.items()}
            for path, body in {
                **pages,
                **assets,
                "/": site.files["index.html"].body,
                "/api/openapi.yaml": (ROOT / "docs/openapi.yaml").read_bytes(),
            }.items():
                async with http.get(path) as response:
                    assert response.status == 200, path
                    assert await response.read() == body
            # What is filled in for each request.
            for path in ("/watch/live", "/embed/live", "/manifest.webmanifest"):
                async with http.get(path) as response:
                    assert response.status == 200, path
    finally:
        await server.stop()


def test_it_names_the_command(installed: Path) -> None:
    (metadata,) = installed.glob("whipbird-*.dist-info")
    points = (metadata / "entry_points.txt").read_text(encoding="utf-8")
    assert "whipbird = whipbird.cli:main" in points
