"""docs/proxies.md shows the files that the tests run."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "deploy/proxies").iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_guide_has_the_file(file: Path) -> None:
    guide = (ROOT / "docs/proxies.md").read_text(encoding="utf-8")
    assert f"\n{file.read_text(encoding='utf-8')}```\n" in guide
    assert f"(../deploy/proxies/{file.name})" in guide
