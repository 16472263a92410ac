"""Chat needs the library ``llm``."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.model_server import ModelServer

pytest.importorskip("llm", reason="pip install 'whipbird[chat]'")


@pytest.fixture
async def model_server() -> AsyncIterator[ModelServer]:
    """A server with a model for each fault."""
    async with ModelServer() as server:
        yield server


@pytest.fixture(autouse=True)
def llm_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of ``llm``, instead of the developer's."""
    folder = tmp_path / "llm"
    monkeypatch.setenv("LLM_USER_PATH", str(folder))
    return folder
