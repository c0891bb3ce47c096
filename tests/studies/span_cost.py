"""
What a span costs: `python -m tests.studies.span_cost`. Prints, in microseconds, the least of
several rounds: what a stage costs while the engine works, with and without spans, and what it costs
afterwards to make a request's tree of spans and to hand it to the SDK's thread.
"""

import timeit

from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from voxgate.engine.pipelines.pipeline import no_watch
from voxgate.engine.serve.spans import RequestSpans, StageRecorder, tracer_of
from voxgate.engine.timing import unix_ns
from voxgate.harness.machine.clock import StageWatch, WallClock

ROUNDS, CALLS = 7, 2000
STAGES = 3


def main() -> None:
    """Print the costs."""
    spans = RequestSpans(tracer_of(BatchSpanProcessor(InMemorySpanExporter())))
    recorder = StageRecorder()
    scope = {"type": "http", "method": "POST", "headers": []}

    def stage(watch: object) -> None:
        with watch("acoustic"):  # type: ignore[operator]
            pass

    def request() -> None:
        with spans.request(scope, "/v1/audio/speech") as parent:
            for _ in range(STAGES):
                stage(recorder.watch)
            spans.emit(parent, "queue", unix_ns())
            spans.emit(parent, "synthesize", unix_ns(), stages=recorder.take())

    clock = WallClock()
    for text, act in (
        ("server, a stage, off", lambda: stage(no_watch)),
        ("server, a stage, on", lambda: (stage(recorder.watch), recorder.take())),
        ("run, a stage, off", lambda: stage(StageWatch(clock))),
        ("run, a stage, on", lambda: stage(StageWatch(clock, keep=True))),
        (f"server, a request of {3 + STAGES} spans, on", request),
    ):
        least_s = min(timeit.repeat(act, number=CALLS, repeat=ROUNDS)) / CALLS
        print(f"{text:42} {1e6 * least_s:8.2f} us")


if __name__ == "__main__":
    main()
