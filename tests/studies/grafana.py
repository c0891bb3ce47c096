"""
Run every query of the Grafana dashboards against a real Prometheus, and print what each returned.

`python -m tests.studies.grafana` needs `prometheus`, `promtool` and `prometheus-node-exporter` on
the PATH. It checks the files
of `docs/examples/grafana/` with promtool, starts `engine serve` with a tiny voice, scrapes it with
the example's own configuration, requests audio (whole, streamed, wrong, too much at once), and
back-fills a made-up history. Ends with 1 where a query is refused or returns nothing.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx2

from tests.engine.conftest import write_tiny_voice
from tests.harness.history.entries import cell, entry, value
from tests.harness.history.exporters.test_dashboards import (
    GRAFANA,
    filled_in,
    panels,
    queries,
)
from voxgate.harness.history.database import open_history
from voxgate.harness.history.exporters.openmetrics import openmetrics_text, textfile_text
from voxgate.harness.history.exporters.tables import Choice
from voxgate.harness.records.measurement import Missing

SPEECH = "/v1/audio/speech"
TEXTS = ("Hello there.", "It was a bright cold day in April, and the clocks were striking.")
NIGHTS = 10
NODE = "127.0.0.1:19100"


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program for as long as the block."""
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, text=True)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def wait_for(log: Path, pattern: str) -> re.Match[str]:
    """Return the first match in a growing file."""
    for _ in range(600):
        if found := re.search(pattern, log.read_text()):
            return found
        time.sleep(0.1)
    raise SystemExit(f"{log} never said {pattern}:\n{log.read_text()}")


def load(client: httpx2.Client, model: str) -> None:
    """Ask for audio in every way in which the server answers."""

    def ask(number: int) -> None:
        form = {"stream_format": "audio"} if number % 2 else {}
        body = {"model": model, "input": TEXTS[number % 2], "voice": "slt", **form}
        client.post(SPEECH, json=body)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(24)))
    client.post(SPEECH, json={"model": model, "input": "Hello \u65e5.", "voice": "slt"})
    client.post(SPEECH, json={"model": "odd", "input": "Hello", "voice": "slt"})
    with (
        contextlib.suppress(httpx2.TransportError),
        client.stream(
            "POST",
            SPEECH,
            json={"model": model, "input": TEXTS[1] * 8, "voice": "slt", "stream_format": "audio"},
        ) as answer,
    ):
        next(answer.iter_raw())


def history(folder: Path) -> tuple[Path, Path]:
    """Write a history of some nights as OpenMetrics, and its newest run as a text file."""
    now = datetime.now(timezone.utc)
    with open_history(f"sqlite:///{folder}/history.sqlite") as opened:
        for night in range(1, NIGHTS + 1):
            created = (now - timedelta(days=NIGHTS - night, hours=3)).isoformat(timespec="seconds")
            values = (
                *(value(name, 0.4 + 0.01 * night) for name in ("latency_p50", "latency_p95")),
                *(value(name, 0.2) for name in ("first_audio_p50", "cold_start")),
                value("rtf", 0.1, unit="s/s"),
                value("peak_rss", 3e8, unit="bytes"),
                value("wer", 0.02, unit="1"),
                value("pesq", 3.6, unit="MOS-LQO"),
                value("dnsmos_ovrl", 3.1, unit="MOS"),
                value("speaker_similarity", 0.9, unit="1"),
                value("stoi", Missing("no reference"), unit="1"),
            )
            made = entry(1, cell("nfe-8", *values), digest=str(night), created=created)
            opened.append(replace(made, exit_code=(0, 1, 3)[night % 3]))
        choice = Choice(today=now.isoformat()[:10])
        files = {"history.om": openmetrics_text, "newest.prom": textfile_text}
        for name, text in files.items():
            (folder / name).write_text(text(opened, choice))
    return folder / "history.om", folder / "newest.prom"


def check(folder: Path, config: Path, served: str, newest: Path) -> None:
    """Have promtool check the configuration, every expression as a rule, and the figures."""
    rules = [
        {"record": f"dashboard:query{number}", "expr": filled_in(expression)}
        for number, expression in enumerate(sorted(set(queries())))
    ]
    (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    for words, given in (
        (("check", "config", str(config)), None),
        (("check", "rules", str(folder / "rules.json")), None),
        (("check", "metrics"), served),
        (("check", "metrics"), newest.read_text()),
    ):
        done = subprocess.run(
            ["promtool", *words], input=given, text=True, capture_output=True, check=False
        )
        print(f"promtool {' '.join(words[:2])}: exit {done.returncode}")
        for line in (done.stdout + done.stderr).strip().splitlines():
            print(f"    {line}")


def ask(url: str, expression: str) -> list[Any]:
    """Return the series of a query. Raises SystemExit where it is refused."""
    answer = httpx2.get(f"{url}/api/v1/query", params={"query": expression}, trust_env=False)
    found = answer.json()
    if found["status"] != "success":
        raise SystemExit(f"refused: {expression}\n{found}")
    return list(found["data"]["result"])


def main() -> int:
    """Run everything; return 1 where a panel has no data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=45.0, help="how long to scrape")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        return _run(Path(name), seconds)


def _run(folder: Path, seconds: float) -> int:
    backfill, newest = history(folder)
    voice = write_tiny_voice(folder / "tiny")
    serve = [sys.executable, "-m", "voxgate.engine", "serve", "--port", "0", "--voice", str(voice)]
    log = folder / "serve.log"
    with running([*serve, "--nfe-steps", "1", "--queue", "4", "--threads", "1"], log):
        url, model = wait_for(log, r"listening on (\S+), model (\S+)").groups()
        config = folder / "prometheus.yml"
        text = (GRAFANA / "prometheus.yml").read_text()
        for old, new in (("127.0.0.1:8080", url.removeprefix("http://")), ("10s", "2s")):
            text = text.replace(old, new)
        config.write_text(text.replace("127.0.0.1:9100", NODE))
        collect = ("--collector.disable-defaults", "--collector.textfile")
        node = ["prometheus-node-exporter", *collect, f"--web.listen-address={NODE}"]
        with (
            running([*node, f"--collector.textfile.directory={folder}"], folder / "node.log"),
            httpx2.Client(base_url=url, timeout=60, trust_env=False) as client,
        ):
            load(client, model)
            check(folder, config, client.get("/metrics").text, newest)
            return _prometheus(folder, config, backfill, client, model, seconds)


def _prometheus(
    folder: Path, config: Path, backfill: Path, client: httpx2.Client, model: str, seconds: float
) -> int:
    data = folder / "data"
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(backfill), str(data)]
    subprocess.run(blocks, check=True, capture_output=True)
    log = folder / "prometheus.log"
    address = "127.0.0.1:19090"
    options = {"config.file": config, "storage.tsdb.path": data, "web.listen-address": address}
    with running(["prometheus", *(f"--{key}={each}" for key, each in options.items())], log):
        wait_for(log, "Server is ready")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            load(client, model)
            time.sleep(1.0)
        return _report(f"http://{address}")


def _report(url: str) -> int:
    empty = 0
    for board, title, expression in panels():
        found = ask(url, filled_in(expression))
        shown = ", ".join(f"{each['value'][1][:8]}" for each in found[:4])
        print(f"{board:12} {title:34} {len(found):3} series  {shown}")
        empty += not found and "gpu" not in expression
    print(f"{empty} queries without data")
    return int(empty > 0)


if __name__ == "__main__":
    sys.exit(main())
