"""docs/metrics.md and the files in deploy/ have what a server exports."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from tests.scrape import Scrape, scrape, scrape_url
from tests.server import ServerProcess, free_port
from whipbird.app import create_app
from whipbird.config import Settings
from whipbird.sessions import EndReason

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")

# What Prometheus itself adds to every series.
OF_PROMETHEUS = {"job", "instance"}
# What is no label in an expression.
_WORDS = re.compile(r"[a-z_][a-z0-9_]*")


@pytest.fixture
async def scraped() -> Scrape:
    """The metrics of a real server with both listeners."""
    port = free_port()
    server = ServerProcess("--admin-listen", f"127.0.0.1:{port}")
    await server.start()
    try:
        return await scrape_url(f"http://127.0.0.1:{port}/metrics")
    finally:
        await server.stop()


def labels_of(scraped: Scrape, name: str) -> set[str]:
    return {
        label
        for family in scraped.families
        for sample in family.samples
        if family.name == name
        for label in sample.labels
    }


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split(" |")] for line in lines[2:]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


async def test_the_table_has_all_metrics(scraped: Scrape) -> None:
    exported = [
        [
            family.name + ("_total" if family.type == "counter" else ""),
            family.type,
            sorted(labels_of(scraped, family.name) - {"le"}),
            family.documentation,
        ]
        for family in scraped.families
    ]
    documented = [
        [quoted(name)[0], kind, sorted(quoted(labels)), text]
        for name, kind, labels, text in rows("All metrics")
    ]
    if sys.platform != "linux":
        documented = [row for row in documented if not row[0].startswith("process_")]
    assert documented == exported


async def test_all_values_of_labels_are_told(scraped: Scrape) -> None:
    told = {name: quoted(text) for name, text in rows("Labels")}
    values: dict[str, set[str]] = {}
    for family in scraped.families:
        for sample in family.samples:
            for label, value in sample.labels.items():
                key = f"`{label}`"
                if label == "reason":
                    key += f" of `{family.name.removeprefix('whipbird_')}`"
                values.setdefault(key, set()).add(value)
    del values["`le`"], values["`version`"]
    limits = {name for names, _ in rows("Limits") for name in quoted(names)}
    assert limits == values.pop("`limit`")
    for key, found in values.items():
        assert found <= set(told[key]), key
    assert values["`reason` of `sessions_ended`"] == {r.name.lower() for r in EndReason}


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of the dashboard, and the legend of its lines."""
    dashboard = json.loads((ROOT / "deploy/grafana.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"], ""


async def test_the_dashboard_asks_for_what_there_is(scraped: Scrape) -> None:
    names = scraped.names
    asked: set[str] = set()
    for expression, legend in expressions():
        found = re.findall(r"\b(?:whipbird|process)_\w+", expression)
        assert found, expression
        asked |= {*found}
        for name in found:
            assert name in names, expression
        labels = set(re.findall(r"[{,]\s*(\w+)\s*=~?", expression))
        for group in re.findall(r"\bby \(([^)]*)\)", expression):
            labels |= set(_WORDS.findall(group))
        labels |= set(re.findall(r"{{(\w+)}}", legend))
        labels |= set(re.findall(r"label_values\(.*, (\w+)\)", expression))
        for label in labels - OF_PROMETHEUS:
            assert any(label in names[name] for name in found), (label, expression)
        assert expression.count("(") == expression.count(")")
    # It shows the most of them.
    exported = {f.name for f in scraped.families if f.name.startswith("whipbird_")}
    shown = {name for name in exported if any(a.startswith(name) for a in asked)}
    assert exported - shown == {
        "whipbird_recorded_bytes",
        "whipbird_recorded_files",
        "whipbird_rtp_duplicate_packets",
        "whipbird_rtp_malformed_packets",
        "whipbird_transport_packets",
        "whipbird_udp_receive_buffer_bytes",
    }


def test_the_dashboard_has_its_rows() -> None:
    dashboard: Any = json.loads((ROOT / "deploy/grafana.json").read_text("utf-8"))
    rows_ = [p["title"] for p in dashboard["panels"] if p["type"] == "row"]
    assert rows_ == [
        *("Overview", "Media", "Network", "Limits", "Process"),
        "From other servers",
    ]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


async def test_prometheus_reads_where_the_docs_listen(
    aiohttp_client: AiohttpClient,
) -> None:
    """Its path is Prometheus' default."""
    configuration = (ROOT / "deploy/prometheus.yml").read_text(encoding="utf-8")
    (target,) = re.findall(r'targets: \["([^"]+)"\]', configuration)
    assert f"--admin-listen {target}\n" in DOCUMENT
    assert "metrics_path" not in configuration
    assert Settings(admin_listen=target).admin_listen == target
    client = await aiohttp_client(create_app(Settings()))
    assert (await scrape(client)).value("whipbird_sessions") == 0
