"""
The spans of a run, by OpenTelemetry: the run, its processes, their iterations, and the stages.

They are made from the times that a run with `--spans` kept, after it: nothing was sent while it was
measured. Where nothing was kept, there are none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.traces import IterationTrace
from voxgate.harness.runner.process_files import load_traces
from voxgate.harness.runner.run_folder import load_header

SERVICE = "voxgate"
PATH = "/v1/traces"
"""Of OTLP over HTTP."""
AT_ONCE = 500
"""Spans in one request to a collector."""
NS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanTree:
    """One span in nanoseconds since 1970, and those within it."""

    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, str | int | float]
    within: tuple["SpanTree", ...] = ()

    @property
    def count(self) -> int:
        """How many spans it is."""
        return 1 + sum(each.count for each in self.within)


def send_run(folder: Path, address: str) -> int:
    """
    Send the spans of a run folder; return how many they are. Raises HarnessError where the run kept
    none, and as `send_spans`.
    """
    header = load_header(folder)
    facts = {
        "suite": header.suite,
        "profile": header.profile,
        "machine": header.environment.machine.id or "",
        "run": folder.name,
    }
    tree = span_tree(header.suite, facts, load_traces(folder))
    send_spans(tree, address)
    return tree.count


def span_tree(name: str, facts: Mapping[str, str], traces: Sequence[IterationTrace]) -> SpanTree:
    """
    Return the spans of a run: its name, facts about it, and when its iterations ran. Raises
    HarnessError where no times were kept.
    """
    if not traces:
        raise HarnessError("no times of spans were kept in this run; measure again with --spans")
    by_process = sorted(traces, key=lambda each: (each.cell, each.repeat, each.began_s))
    processes = [
        _process(cell, repeat, list(of))
        for (cell, repeat), of in groupby(by_process, lambda each: (each.cell, each.repeat))
    ]
    named = {f"voxgate.{key}": each for key, each in facts.items()}
    return _around(f"run {name}", processes, named)


def _process(cell: str, repeat: int, traces: Sequence[IterationTrace]) -> SpanTree:
    facts: dict[str, str | int] = {"voxgate.cell": cell, "voxgate.repeat": repeat}
    return _around(f"{cell} round {repeat + 1}", list(map(_iteration, traces)), facts)


def _around(name: str, within: Sequence[SpanTree], attributes: Mapping[str, str | int]) -> SpanTree:
    return SpanTree(
        name=name,
        start_ns=min(each.start_ns for each in within),
        end_ns=max(each.end_ns for each in within),
        attributes=attributes,
        within=tuple(sorted(within, key=lambda each: each.start_ns)),
    )


def _iteration(trace: IterationTrace) -> SpanTree:
    began_ns = round(trace.began_s * NS)
    return SpanTree(
        name=f"iteration {trace.phase.value}",
        start_ns=began_ns,
        end_ns=began_ns + round(trace.wall_s * NS),
        attributes={
            "voxgate.request": trace.request,
            "voxgate.iteration": trace.iteration,
            "voxgate.first_audio_s": trace.first_audio_s,
        },
        within=tuple(
            SpanTree(
                name=each.stage,
                start_ns=began_ns + round(each.start_s * NS),
                end_ns=began_ns + round(each.end_s * NS),
                attributes={},
            )
            for each in trace.stages
        ),
    )


def send_spans(tree: SpanTree, address: str) -> None:
    """
    Send spans to an address by OTLP over HTTP. Raises HarnessError for what is no address, where
    OpenTelemetry is not installed, and where a collector does not take them.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HarnessError(
            f"--spans must be an address such as http://127.0.0.1:4318, not {address!r}"
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
    except ImportError as error:
        raise HarnessError(f"--spans needs {error.name}; pip install 'voxgate[otel]'") from None
    whole = parts.path.rstrip("/").endswith(PATH)
    exporter: Any = OTLPSpanExporter(endpoint=address if whole else f"{address.rstrip('/')}{PATH}")
    spans = finished(tree)
    for start in range(0, len(spans), AT_ONCE):
        if exporter.export(spans[start : start + AT_ONCE]) is not SpanExportResult.SUCCESS:
            raise HarnessError(f"{address} took no spans; start a collector of OTLP there")
    exporter.shutdown()


def finished(tree: SpanTree) -> Sequence[Any]:
    """Return the spans as OpenTelemetry has them. Raises ImportError without it."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(kept))
    _start(provider.get_tracer("voxgate.harness"), tree, None)
    return kept.get_finished_spans()


def _start(tracer: Any, tree: SpanTree, context: Any) -> None:
    from opentelemetry.trace import set_span_in_context

    span = tracer.start_span(
        tree.name,
        context=context,
        start_time=tree.start_ns,
        attributes={name: each for name, each in tree.attributes.items() if each != ""},
    )
    within = set_span_in_context(span)
    for each in tree.within:
        _start(tracer, each, within)
    span.end(tree.end_ns)
