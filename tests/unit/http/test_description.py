"""The OpenAPI document has every route of the server, and no other."""

from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestClient

from tests.unit.http.in_process import Server
from whipbird import __version__
from whipbird.app import create_app
from whipbird.config import Settings
from whipbird.http.description import PATH, description_file
from whipbird.http.page import webclient_directory
from whipbird.pages import ASSETS


def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(description_file().read_bytes())
    return found


# What the server has only if it is wanted.
WITH_ALL = Settings(llm_api_base="http://127.0.0.1:9/v1")

METHODS = {"get", "head", "options", "post", "put", "patch", "delete"}


async def test_it_has_the_routes_of_the_server() -> None:
    described = {
        (method.upper(), path)
        for path, item in document()["paths"].items()
        for method in METHODS & set(item)
    }
    directory = webclient_directory()
    page = {f"/{file.relative_to(directory)}" for file in directory.rglob("*")}
    routes = {
        (route.method, route.resource.canonical)
        for route in create_app(WITH_ALL).router.routes()
        if route.resource is not None
        and route.resource.canonical not in {"", "/", *page}
        and not route.resource.canonical.startswith(f"/{ASSETS}/")
        # The same with a slash at the end.
        and not route.resource.canonical.endswith("/")
    }
    assert described == routes


async def test_it_is_served() -> None:
    async with TestClient(Server(create_app(Settings()))) as client:
        response = await client.get(PATH)
        assert response.status == 200
        assert response.content_type == "application/yaml"
        assert await response.read() == description_file().read_bytes()


def test_it_is_of_this_version() -> None:
    assert document()["info"]["version"] == __version__


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [r for value in node.values() for r in _references(value)]
    if isinstance(node, list):
        return [r for value in node for r in _references(value)]
    return []


def test_its_references_lead_to_something_and_all_is_used() -> None:
    whole = document()
    used = {reference.removeprefix("#/components/") for reference in _references(whole)}
    defined = {
        f"{kind}/{name}"
        for kind, members in whole["components"].items()
        if kind != "securitySchemes"
        for name in members
    }
    assert used == defined


@pytest.mark.parametrize("path", ["/api/openapi", "/api/openapi.yaml/"])
async def test_nothing_is_beside_it(path: str) -> None:
    async with TestClient(Server(create_app(Settings()))) as client:
        assert (await client.get(path)).status == 404
