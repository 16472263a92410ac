"""The metrics of a server, read as Prometheus reads them."""

from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from yarl import URL


@dataclass(frozen=True, slots=True)
class Scrape:
    """All metrics at a moment."""

    families: tuple[Metric, ...]

    @classmethod
    def of(cls, text: str) -> "Scrape":
        """Read the text format."""
        return cls(tuple(text_string_to_metric_families(text)))

    @property
    def names(self) -> dict[str, frozenset[str]]:
        """The names of all series, and the names of their labels."""
        return {
            sample.name: frozenset(sample.labels)
            for family in self.families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """The sum of the series with this name, and at least these labels.

        Raises:
            KeyError: when there is none.
        """
        found = [
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        if not found:
            raise KeyError(name, labels)
        return sum(found)

    def totals(self) -> dict[tuple[str, ...], float]:
        """All series that must never fall."""
        endings = ("_total", "_bucket", "_count", "_sum")
        return {
            (sample.name, *map("=".join, sorted(sample.labels.items()))): sample.value
            for family in self.families
            if family.type in ("counter", "histogram")
            for sample in family.samples
            if sample.name.endswith(endings)
        }

    def fallen_since(self, before: "Scrape") -> list[tuple[str, ...]]:
        """The series that were higher before, or have gone."""
        now = self.totals()
        earlier: Iterable[tuple[tuple[str, ...], float]] = before.totals().items()
        return [key for key, value in earlier if now.get(key, -1.0) < value]


async def scrape(
    client: "TestClient[web.Request, web.Application]", **headers: str
) -> Scrape:
    """Read the metrics of a server that is tested in this process."""
    response = await client.get("/metrics", headers=headers)
    text = await response.text()
    assert response.status == 200, text
    return Scrape.of(text)


async def scrape_url(url: URL | str) -> Scrape:
    """Read the metrics at an address."""
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == 200
        return Scrape.of(await response.text())
