"""
What a run offers to metrics beside the audio itself: for which requests there is a recording of the
voice, a statement of the same words, joins that the engine reported, a word that is marked.

A metric is measured for the requests that offer what it needs, and for no others: that is a
property of the question, and no gap in the answer.
"""

from collections.abc import Mapping

from harness.metrics.metric import Need
from harness.metrics.registry import entries
from harness.records.cell import Cell
from harness.records.run import Run

AvailableInputs = Mapping[Need, frozenset[str]]
"""Need -> the requests (ids) where it is met. Needs that are always met do not occur."""


def offer_of(run: Run, cell: Cell) -> AvailableInputs:
    """Give what a run offers for the requests of one of its cells."""
    requests = cell.workload.requests
    samples = (
        sample
        for process in run.processes
        if process.cell == cell.slug
        for sample in process.samples
    )
    return {
        Need.VOICE: frozenset(
            request.id for request in requests if cell.voice_of(request) is not None
        ),
        Need.STATEMENT: frozenset(
            request.id for request in requests if request.statement is not None
        ),
        Need.EMPHASIS: frozenset(
            request.id for request in requests if request.emphasis is not None
        ),
        Need.JOINS: frozenset(sample.request for sample in samples if sample.joins_s),
    }


def is_applicable(metric: str, request: str, offer: AvailableInputs) -> bool:
    """Whether a metric has what it needs for a request."""
    found = entries().get(metric)
    return (
        found is None or found.source is None or request in offer.get(found.source.need, {request})
    )
