"""The lock file of deployments: it fits pyproject.toml, and every pin has hashes."""

import re
import tomllib
from dataclasses import dataclass
from itertools import product

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.server import ROOT

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("linux", "darwin", "win32")


@dataclass(frozen=True)
class Pin:
    """A package of the lock file, in one version."""

    name: str
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]


def environment(python: str, system: str) -> dict[str, str]:
    """What markers are evaluated with."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def pins() -> list[Pin]:
    """The pins of the lock file; any other line is an error."""
    text = (ROOT / "deploy/requirements.txt").read_text(encoding="utf-8")
    lines = [
        line.split(" #")[0].strip()
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    found = []
    for line in lines:
        stated, *hashes = (part.strip() for part in line.split("--hash="))
        requirement = Requirement(stated)
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found.append(
            Pin(
                canonicalize_name(requirement.name),
                specifier.version,
                requirement.marker,
                tuple(hashes),
            )
        )
    return found


def dependencies() -> list[Requirement]:
    """What pyproject.toml says that the server needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [Requirement(line) for line in project["project"]["dependencies"]]


@pytest.mark.parametrize(("python", "system"), list(product(PYTHONS, SYSTEMS)))
def test_each_dependency_is_pinned_once_within_its_range(
    python: str, system: str
) -> None:
    """`make lock` writes the file again."""
    where = environment(python, system)
    used = [p for p in pins() if p.marker is None or p.marker.evaluate(where)]
    versions = {pin.name: pin.version for pin in used}
    assert len(versions) == len(used)
    for needed in dependencies():
        if needed.marker is not None and not needed.marker.evaluate(where):
            continue
        version = versions.get(canonicalize_name(needed.name))
        assert version is not None, f"{needed.name} is not locked"
        assert needed.specifier.contains(version), f"{needed}: {version} is locked"


def test_each_pin_has_hashes() -> None:
    for pin in pins():
        assert pin.hashes, pin.name
        for digest in pin.hashes:
            assert _DIGEST.fullmatch(digest), pin.name


def test_the_container_installs_what_is_locked() -> None:
    steps = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (install,) = [
        s for s in steps.splitlines() if "requirements.txt" in s and "RUN" in s
    ]
    assert "--require-hashes" in install.split()
    included = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "!deploy/requirements.txt" in included
