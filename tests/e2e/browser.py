"""Finds a Chromium for the end-to-end tests; as a script, installs one if need be.

python tests/e2e/browser.py             print the path of the one that is found
python tests/e2e/browser.py --install   install one first when there is none
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ENV = "WHIPBIRD_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Of several lists of features Chromium takes the last one: ours has Playwright's, too.
_PLAYWRIGHTS = (
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose"),
    *("HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "LensOverlay"),
    *("MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "AimEnabled"),
    *("NetworkTimeServiceQuerying", "PreconnectToSearch"),
)
# Pages of its own that each window has for suggestions below the address, which nobody
# sees here. With them a new context takes 1.4 s of CPU, without them 0.4 s.
_POPUPS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")

FLAGS = (
    f"--disable-features={','.join((*_PLAYWRIGHTS, *_POPUPS))}",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The server of the tests may have no other address than loopback.
    "--allow-loopback-in-peer-connection",
    # ... of which a page learns only with the permission to use a camera. The camera,
    # the microphone and the screen are pretended, too.
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


class NoBrowserError(Exception):
    """There is no Chromium. The message says how to get it."""


def launch_flags() -> list[str]:
    """The command line for a Chromium that is told nothing from outside."""
    # Chromium's sandbox does not work for root.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*FLAGS, *(["--no-sandbox"] if root else [])]


def _playwrights_own() -> str | None:
    """The browser that ``playwright install`` has downloaded, if it has."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def find_chromium(playwrights: str | None = None) -> str:
    """The path of a Chromium.

    Args:
        playwrights: where Playwright would have its own, when the caller knows;
            asking Playwright takes a process of its own.

    Raises:
        NoBrowserError: when there is none, or ``WHIPBIRD_CHROMIUM`` names none.
    """
    if named := os.environ.get(ENV):
        if found := shutil.which(named):
            return found
        raise NoBrowserError(f"{ENV}={named} is no program")
    if playwrights is not None:
        if Path(playwrights).is_file():
            return playwrights
    elif own := _playwrights_own():
        return own
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise NoBrowserError(
        "no Chromium found: run `python tests/e2e/browser.py --install`, install one "
        f"by hand, or name one in {ENV}"
    )


def _run(*command: str) -> bool:
    print("+", *command, file=sys.stderr)
    # Standard output is for the path alone.
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def install() -> None:
    """Install a Chromium: Playwright's own, else the distribution's."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    deps = ["--with-deps"] if root else []
    if _run(sys.executable, "-m", "playwright", "install", *deps, "chromium"):
        return
    if root and shutil.which("apt-get"):
        _run("apt-get", "update")
        _run("apt-get", "install", "-y", "--no-install-recommends", "chromium")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="when there is none")
    wanted = parser.parse_args()
    try:
        try:
            path = find_chromium()
        except NoBrowserError:
            if not wanted.install or os.environ.get(ENV):
                raise
            install()
            path = find_chromium()
    except NoBrowserError as error:
        print(f"browser.py: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
