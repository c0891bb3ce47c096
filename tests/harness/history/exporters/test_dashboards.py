"""The Grafana example: what dashboards ask for is exported, what is exported is documented."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from voxgate.engine.serve.metrics import ServerMetrics
from voxgate.harness.history.exporters.openmetrics import HELP, PREFIX, family_of
from voxgate.harness.metrics.registry import known_metrics

ROOT = Path(__file__).parents[4]
GRAFANA = ROOT / "docs" / "examples" / "grafana"
BOARDS = {path.stem: json.loads(path.read_text()) for path in GRAFANA.glob("dashboards/*.json")}
VALUES = {
    "$__rate_interval": "30s",
    "$hold": "26h",
    "$instance": ".*",
    **dict.fromkeys(("$suite", "$machine", "$profile", "$cell"), ".*"),
}
"""What Grafana puts in place of the variables."""
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def filled_in(expression: str) -> str:
    """Return a query as Grafana sends it."""
    for name, each in VALUES.items():
        expression = expression.replace(name, each)
    return expression


def panels() -> Iterator[tuple[str, str, str]]:
    """Yield the queries of the panels, with their dashboard and title."""
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield name, panel["title"], target["expr"]


def queries() -> Iterator[str]:
    """Yield the queries of all panels."""
    yield from (expression for _, _, expression in panels())


def variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    return list(board["templating"]["list"])


def asked() -> set[str]:
    """The metrics that panels and variables name."""
    texts = [*queries()]
    for board in BOARDS.values():
        texts += [str(each.get("query", "")) for each in variables(board)]
    return set(re.findall(r"\b(?:voxgate|process)_[a-z0-9_]+", " ".join(texts)))


def exported() -> set[str]:
    """The metrics of a server, and those that a history may have."""
    served: set[str] = set()
    for each in ServerMetrics().registry.collect():
        tails = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        served |= {f"{each.name}{tail}" for tail in tails.get(each.type, [""])}
    return served | set(HELP) | {family_of(each.name, each.unit) for each in known_metrics()}


def test_each_metric_of_a_dashboard_is_exported() -> None:
    assert len(asked()) > 25
    assert asked() - exported() == set()


def test_each_exported_metric_is_shown_or_documented() -> None:
    """Those of a server stand in the guide to serving, and its own test holds that."""
    page = (GRAFANA / "README.md").read_text()
    assert {name for name in HELP if f"`{name}" not in page} == set()
    shown = {SUFFIX.sub("", name) for name in asked()}
    served = {SUFFIX.sub("", name) for name in exported() if name.startswith("voxgate_server")}
    assert served - shown == set()
    assert all(name.startswith(PREFIX) for name in HELP)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_dashboard_is_whole(name: str) -> None:
    """Ids are unique, panels fit on the grid without overlap, every variable exists and is used."""
    board = BOARDS[name]
    ids = [panel["id"] for panel in board["panels"]]
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    named = {each["name"] for each in variables(board)}
    text = json.dumps(board)
    used = set(re.findall(r"\$\{?([a-z]+)\b", text)) - {"__rate_interval"}

    assert board["uid"] == f"voxgate-{name}" and len(ids) == len(set(ids))
    assert len(places) == len(set(places)) and max(x for x, _ in places) < 24
    assert used == named
    for panel in board["panels"]:
        assert panel["type"] == "row" or (panel["description"] and panel["targets"]), panel["title"]
        sources = [panel, *panel.get("targets", ())]
        assert panel["type"] == "row" or all(
            each["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for each in sources
        )


def test_all_servers_are_those_that_are_voxgates() -> None:
    """With `.*` for all, the process of every other exporter would count as a server."""
    (instance,) = (each for each in variables(BOARDS["server"]) if each["name"] == "instance")
    assert instance["includeAll"] and instance["allValue"] is None
    assert instance["query"]["query"] == "label_values(voxgate_server_info, instance)"


def test_every_query_is_balanced_and_has_no_variable_that_grafana_lacks() -> None:
    for expression in map(filled_in, queries()):
        assert "$" not in expression
        for opening, closing in ("()", "[]", "{}"):
            assert expression.count(opening) == expression.count(closing), expression


def test_provisioning_names_the_files_and_ports_of_the_example() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    boards = yaml.safe_load((GRAFANA / "provisioning/dashboards/voxgate.yml").read_text())
    scrape = yaml.safe_load((GRAFANA / "prometheus.yml").read_text())

    (prometheus,) = source["datasources"]
    assert prometheus["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    assert boards["providers"][0]["options"]["path"] == "${VOXGATE_DASHBOARDS}"
    assert "VOXGATE_DASHBOARDS" in (GRAFANA / "README.md").read_text()
    jobs = [job["static_configs"][0]["targets"] for job in scrape["scrape_configs"]]
    assert jobs == [["127.0.0.1:8080"], ["127.0.0.1:9100"]]
