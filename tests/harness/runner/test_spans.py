"""A run with `--spans` keeps when its stages ran, says so, and is sent as spans; others do not."""

import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.harness.in_process import ALONE, ChildHere
from voxgate import Suite
from voxgate.harness.analysis.caveats import caveats
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import StageWatch, VirtualClock
from voxgate.harness.records.traces import FACT
from voxgate.harness.records.verdict import RemarkKind
from voxgate.harness.runner import worker_pool
from voxgate.harness.runner.process_files import load_traces
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.runner.run_plan import RunPlan, command_line
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.runner.spans import SpanTree, finished, send_spans, span_tree

Make = Callable[..., Suite]


@pytest.fixture(name="measure")
def _measure(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[bool], Path]:
    """Measures the scripted engine in this process."""

    class Quiet(ChildHere):
        said: list[str] = []  # noqa: RUF012

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Quiet)

    def measure(spans: bool) -> Path:
        suite = make_suite(repeats=2, iterations=2, fixed={"audio_s": 0.1})
        folder = tmp_path / f"runs/{1 + spans:04}"
        cells = suite.expand().cells
        done = run_suite(suite, cells, ALONE, folder, energy=False, spans=spans)
        assert done.complete
        return folder

    return measure


def names(tree: SpanTree) -> set[str]:
    return {tree.name} | {name for each in tree.within for name in names(each)}


def test_a_run_keeps_its_times_only_when_asked_and_says_so(measure: Callable[[bool], Path]) -> None:
    on, off = load_run(measure(True)), load_run(measure(False))
    traces = load_traces(Path(on.folder))
    iterations = [each for process in on.processes for each in process.iterations]

    assert len(traces) == len(iterations) and load_traces(Path(off.folder)) == []
    assert not (Path(off.folder) / "spans").exists()
    told = [FACT in run.environment.toolchain.versions for run in (on, off)]
    assert told == [True, False]
    with pytest.raises(HarnessError, match="measure again with --spans"):
        span_tree("two", {}, load_traces(Path(off.folder)))
    kinds = [{each.kind for each in caveats(run, run.cells[0])} for run in (on, off)]
    assert [RemarkKind.SPANS_KEPT in each for each in kinds] == [True, False]
    walls = {(each.cell, each.repeat, each.iteration): each.wall_s for each in iterations}
    for trace in traces:
        assert trace.wall_s == walls[trace.cell, trace.repeat, trace.iteration]
        assert {each.stage for each in trace.stages} == set(iterations[0].stages_s)
        assert all(0 <= each.start_s <= each.end_s <= trace.wall_s + 1e-9 for each in trace.stages)
    same = [[each.wall_s for p in run.processes for each in p.iterations] for run in (on, off)]
    assert same[0] == same[1], "the scripted engine's time is what it says, traced or not"


def test_the_spans_of_a_run_are_a_tree_with_its_stages(measure: Callable[[bool], Path]) -> None:
    folder = measure(True)
    tree = span_tree("two", {"suite": "two", "machine": ""}, load_traces(folder))
    run = load_run(folder)

    assert len(tree.within) == len(run.cells) * 2
    assert {"run two", "iteration first", "iteration measured"} <= names(tree)
    (stage, *_) = run.processes[0].iterations[0].stages_s
    assert stage in names(tree)
    assert all(
        tree.start_ns <= process.start_ns <= process.end_ns <= tree.end_ns
        for process in tree.within
    )
    pytest.importorskip("opentelemetry.sdk")
    spans = finished(tree)
    assert len(spans) == tree.count
    assert len({span.context.trace_id for span in spans}) == 1
    root = next(span for span in spans if span.parent is None)
    assert root.name == "run two" and dict(root.attributes) == {"voxgate.suite": "two"}
    assert (root.start_time, root.end_time) == (tree.start_ns, tree.end_ns)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"cell": "a"}', '{"cell": "a", "began_s": -1}', "null"]
)
def test_a_damaged_file_of_times_is_one_error(tmp_path: Path, line: str) -> None:
    (tmp_path / "spans").mkdir()
    (tmp_path / "spans" / "a.0.jsonl").write_text(f"{line}\n")
    with pytest.raises(HarnessError, match=r"a\.0\.jsonl"):
        load_traces(tmp_path)


@pytest.mark.parametrize("address", ["", "127.0.0.1:4318", "ftp://host", "http://"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(HarnessError, match="--spans must be an address such as http"):
        send_spans(SpanTree(name="x", start_ns=0, end_ns=1, attributes={}), address)


def test_without_its_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(HarnessError, match=r"pip install 'voxgate\[otel\]'"):
        send_spans(SpanTree(name="x", start_ns=0, end_ns=1, attributes={}), "http://127.0.0.1:1")


def test_the_report_sends_them_to_a_collector_and_tells_one_that_takes_none(
    measure: Callable[[bool], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    seen: list[Any] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(trace_service.ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if self.path == "/v1/traces" else 400)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    folder = measure(True)
    try:
        assert invoke(["report", str(folder), "--spans", url, "--json"]) == 0
        count = json.loads(capsys.readouterr().out)["spans"]
        assert invoke(["report", str(folder), "--spans", f"{url}/odd"]) == 2
        assert "took no spans" in capsys.readouterr().err
    finally:
        server.shutdown()
        server.server_close()
    assert invoke(["report", str(folder), "--spans", url, "--site"]) == 2
    spans = [len(scope.spans) for scope in seen[0].resource_spans[0].scope_spans]
    assert sum(spans) == count > 10


def test_a_watch_keeps_each_time_that_a_stage_ran_only_where_asked() -> None:
    clock = VirtualClock()
    for keep in (False, True):
        watch = StageWatch(clock, keep=keep)
        for stage in ("text", "acoustic", "text"):
            with watch(stage):
                clock.advance(1.0)
        assert watch.stages_s == {"text": 2.0, "acoustic": 1.0}
    assert watch.intervals == [("text", 3.0, 4.0), ("acoustic", 4.0, 5.0), ("text", 5.0, 6.0)]
    assert StageWatch(clock).intervals is None


def test_the_command_that_continues_a_run_keeps_its_spans() -> None:
    assert "--spans" in command_line(RunPlan(suite="two", spans=True), "run")
    assert "--spans" not in command_line(RunPlan(suite="two"), "run")
