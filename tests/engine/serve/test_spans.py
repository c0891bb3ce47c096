"""OpenTelemetry spans of a server: a tree for each request, and none unless they are asked for."""

import ast
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest

from tests.engine.serve.fakes import FakeSpeaker, house
from voxgate.engine.errors import EngineError
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.spans import RequestSpans, StageRecorder, spans_to, tracer_of

pytest.importorskip("opentelemetry.sdk")
ROOT = Path(__file__).parents[3]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Kept:
    """A server with spans, kept as they end."""

    def __init__(self, home, exporter):
        self.home, self.exporter = home, exporter

    def during(self, act, count):
        """The spans of something, by name; waits for so many."""
        self.exporter.clear()
        act()
        pause = threading.Event()
        for _ in range(500):
            if len(self.exporter.get_finished_spans()) >= count:
                break
            pause.wait(0.005)
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture(name="kept", scope="module")
def _kept():
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    spans = RequestSpans(tracer_of(SimpleSpanProcessor(exporter)))
    with house(Limits(window_ms=1), spans=spans) as home:
        yield Kept(home, exporter)


@pytest.mark.parametrize(("field", "turns"), [({}, 1), ({"stream_format": "audio"}, 3)])
def test_a_request_is_a_tree_of_its_wait_the_engines_turns_and_their_stages(kept, field, turns):
    found = kept.during(lambda: kept.home.ask(**field), 2 + 2 * turns)
    root = found["POST /v1/audio/speech"]
    parents = {name: span.parent and span.parent.span_id for name, span in found.items()}

    assert set(found) == {root.name, "queue", "synthesize", "acoustic"}
    assert root.attributes["http.response.status_code"] == 200
    assert 0 < root.attributes["voxgate.first_audio_s"] < 10
    assert parents[root.name] is None
    assert parents["queue"] == parents["synthesize"] == root.context.span_id
    last, stage = found["synthesize"], found["acoustic"]
    assert stage.context.trace_id == root.context.trace_id
    assert root.start_time <= found["queue"].start_time <= found["queue"].end_time
    assert last.start_time <= stage.end_time <= last.end_time
    assert last.attributes["voxgate.requests"] == 1
    every = kept.exporter.get_finished_spans()
    assert "Hello" not in str([dict(span.attributes) for span in every])


def test_a_traced_client_finds_the_request_in_its_own_trace(kept):
    header = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    body = kept.home.speech()
    found = kept.during(
        lambda: kept.home.client.post("/v1/audio/speech", json=body, headers=header), 4
    )

    assert {format(span.context.trace_id, "032x") for span in found.values()} == {TRACE}


def test_a_failing_engine_and_an_odd_request_are_told(kept):
    from opentelemetry.trace import StatusCode

    kept.home.speaker.fails_after = 0
    try:
        found = kept.during(kept.home.ask, 3)
    finally:
        kept.home.speaker.fails_after = 99
    assert found["synthesize"].status.status_code is StatusCode.ERROR
    # over a connection of its own: the server closes the one that the engine failed on
    address = f"{kept.home.url}/made/up"
    odd = kept.during(lambda: httpx2.request("ODD", address, trust_env=False), 1)
    assert list(odd) == ["_OTHER other"]


def test_a_server_tells_that_it_makes_spans_and_one_without_them_imports_nothing(kept):
    assert kept.home.admission.spans.is_on and not spans_to(None).is_on
    speaker = FakeSpeaker()
    with house(Limits(window_ms=1), speaker) as home:
        assert home.admission._watching(StageRecorder()) == {}
    for path in [*(ROOT / "engine").rglob("*.py"), *(ROOT / "harness").rglob("*.py")]:
        if "opentelemetry" in (text := path.read_text()):
            top = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
            assert not [node for node in top if str(node.module).startswith("opentelemetry")], path


@pytest.mark.parametrize("address", ["", "127.0.0.1:4318", "ftp://host", "http://", "file:///x"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(EngineError, match="--spans must be an address such as http"):
        spans_to(address)


def test_without_its_packages_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(EngineError, match=r"install voxgate\[otel\]"):
        spans_to("http://127.0.0.1:4318")


def test_spans_arrive_at_a_collector():
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    seen, arrived = [], threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers.get("Content-Encoding", ""), body))
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    spans = spans_to(f"http://127.0.0.1:{server.server_port}")
    with spans.request({"type": "http", "method": "GET", "headers": []}, "/health"):
        pass
    spans._tracer.span_processor.force_flush()
    assert arrived.wait(10)
    server.shutdown()
    server.server_close()

    ((path, encoding, body),) = seen
    assert (path, encoding) == ("/v1/traces", "")
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert resource.scope_spans[0].spans[0].name == "GET /health"
    assert "voxgate-engine" in str(resource.resource.attributes)
