"""
The inputs that a run provides to metrics beside the audio itself, by request.

These are the same performance once more, which a cell that samples has not, a recording of the
voice, a statement of the same words, chunk boundaries that the engine reported, a marked word,
audio that should hold a watermark, a source recording, a text with places where accents
differ or whose end should rise or should not. A metric is computed only for requests that provide
its required inputs. For the others it is not applicable, which is different from `Missing`.
"""

from collections.abc import Mapping
from itertools import chain

from voxgate.harness.analysis.speed import BUDGET, LIVE_METRICS
from voxgate.harness.audio.accent import REGIONS, TERRITORIES
from voxgate.harness.audio.spanish_phones import slot_kinds
from voxgate.harness.metrics.accent import BY_SLOT
from voxgate.harness.metrics.metric import Need
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.run import Run
from voxgate.harness.suite.sentence_kind import sentence_kind

AvailableInputs = Mapping[Need, frozenset[str]]
"""Need -> the requests (ids) that meet it. Needs that are always met do not occur."""


def available_inputs(run: Run, cell: Cell) -> AvailableInputs:
    """Return the inputs that a run provides for the requests of one of its cells."""
    requests = cell.workload.requests
    processes = [process for process in run.processes if process.cell == cell.slug]
    iterations = list(chain.from_iterable(process.iterations for process in processes))
    sampled = cell.slug in run.takes or run.reference in run.takes
    return {
        **({Need.REFERENCE: frozenset[str]()} if sampled else {}),
        Need.VOICE: frozenset(
            request.id for request in requests if cell.voice_of(request) is not None
        ),
        Need.STATEMENT: frozenset(
            request.id for request in requests if request.statement is not None
        ),
        Need.EMPHASIS: frozenset(
            request.id for request in requests if request.emphasis is not None
        ),
        Need.INTONATION: frozenset(
            request.id
            for request in requests
            if sentence_kind(request.text, request.language) is not None
        ),
        **_accents(run, cell),
        Need.SEGMENTS: frozenset(request.id for request in requests if request.segments),
        Need.SOURCE: frozenset(request.id for request in requests if request.source is not None),
        Need.CONVERSION: frozenset(
            request.id
            for request in requests
            if request.source is not None and cell.voice_of(request) is not None
        ),
        Need.JOINS: frozenset(iteration.request for iteration in iterations if iteration.joins_s),
        Need.MARKED: frozenset(
            request.id for request in requests if cell.asks_for_watermark(request)
        ),
        Need.UNMARKED: frozenset(
            iteration.request for iteration in iterations if iteration.marked_file is not None
        ),
    }


def region_of(run: Run, cell: Cell, request: Request) -> str | None:
    """
    Return the accent that a request asks for: by the option `region`, else as the engine resolved
    it, else by its language (es-MX). None where none of them names a known one.
    """
    effective = next(
        (process.effective for process in run.processes if process.cell == cell.slug), {}
    )
    asked = {**effective, **cell.options, **request.options}.get("region")
    by_language = TERRITORIES.get(request.language.replace("_", "-").upper().partition("-")[2])
    return next((str(each) for each in (asked, by_language) if each in REGIONS), None)


def _accents(run: Run, cell: Cell) -> dict[Need, frozenset[str]]:
    """Return the requests that meet the needs of an accent's metrics."""
    requests = cell.workload.requests
    slots = {each.id: slot_kinds(each.text, each.language) for each in requests}
    return {
        Need.ACCENT: frozenset(
            each.id
            for each in requests
            if slots[each.id] and region_of(run, cell, each) is not None
        ),
        **{
            need: frozenset(name for name, found in slots.items() if slot in found)
            for need, slot in BY_SLOT.items()
        },
    }


def absent_metrics(run: Run) -> frozenset[str]:
    """Return the speed metrics of which a run has none: no budget, or nothing converted live."""
    iterations = chain.from_iterable(process.iterations for process in run.processes)
    live = any(iteration.live is not None for iteration in iterations)
    budget = () if run.budget_s is not None else (BUDGET,)
    return frozenset((*budget, *(() if live else LIVE_METRICS)))


def is_applicable(metric: str, request: str, offer: AvailableInputs) -> bool:
    """Return whether a request provides the inputs that a metric requires."""
    spec = entries().get(metric)
    return spec is None or spec.source is None or request in offer.get(spec.source.need, {request})
