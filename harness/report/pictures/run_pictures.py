"""
The pictures of one run, from its judgement, its measurements and the baseline's. The page of a run
folder and the page of a run in the history both draw from here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from voxgate.harness.analysis.grouping import Measurements, by_name
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.judging.causes import told_shift
from voxgate.harness.judging.tradeoff import Tradeoff
from voxgate.harness.metrics.registry import GOLDEN
from voxgate.harness.records.measurement import Measurement, is_exact
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import CellVerdict, RunVerdict, Verdict
from voxgate.harness.report.badges import kind
from voxgate.harness.report.pictures.forest import Forest, forest
from voxgate.harness.report.pictures.latency import METRIC, LatencyCurves, latency
from voxgate.harness.report.pictures.pareto import Pareto, pareto
from voxgate.harness.report.pictures.quality import QualityCell, QualityDots, quality
from voxgate.harness.report.pictures.streaming import Streaming, streaming
from voxgate.harness.report.pictures.waterfall import (
    AllStages,
    StagedCell,
    Waterfall,
    stages,
    stages_s,
    waterfall,
)

ALWAYS = ("pesq", "wer", "stoi", "similarity_margin")
"""Qualities whose dots are drawn wherever they have a floor; others where they break it."""
OPEN = 2
"""Cells whose curves and waterfalls stand open: those with the largest shift."""
PERCENTILES = ("latency_p50", "latency_p95")
"""Those that the curves mark."""
NOT_STEADY = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNRESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPictures:
    """Those that can be drawn; of curves and waterfalls first the cells that moved."""

    forest: Forest | None = None
    curves: tuple[LatencyCurves, ...] = ()
    steady_curves: tuple[LatencyCurves, ...] = ()
    stages: AllStages | None = None
    waterfalls: tuple[Waterfall, ...] = ()
    steady_waterfalls: tuple[Waterfall, ...] = ()
    qualities: tuple[QualityDots, ...] = ()
    paretos: tuple[Pareto, ...] = ()
    streaming: Streaming | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRun:
    """What pictures are drawn from; `run` is None for a run of the history."""

    judgement: RunVerdict
    measurements: Measurements
    tradeoffs: tuple[Tradeoff, ...] = ()
    best: str | None = None
    """Slug of the fastest cell fit to ship."""
    before: Measurements = field(default_factory=dict)
    """What the run was compared with."""
    floors: Mapping[str, float] = field(default_factory=dict)
    """Metric -> the worst value that is good enough to ship."""
    run: Run | None = None


def run_pictures(of: DrawnRun) -> RunPictures:
    """Return the pictures of a run."""
    cells = of.judgement.cells
    moved = _moved(cells)
    curves = _curves(of)
    staged = [_staged(of, cell) for cell in cells]
    falls = {each.cell: fall for each in staged if (fall := waterfall(each)) is not None}
    return RunPictures(
        forest=forest(cells),
        curves=tuple(curves[slug] for slug in moved if slug in curves),
        steady_curves=tuple(each for slug, each in curves.items() if slug not in moved),
        stages=stages(staged),
        waterfalls=tuple(falls[slug] for slug in moved if slug in falls),
        steady_waterfalls=tuple(each for slug, each in falls.items() if slug not in moved),
        qualities=_qualities(of),
        paretos=tuple(_paretos(of)),
        streaming=None if of.run is None else streaming(of.run),
    )


def _moved(cells: Sequence[CellVerdict]) -> tuple[str, ...]:
    """Return the cells whose latency moved, at most OPEN, the largest shift first."""
    sizes: dict[str, float] = {}
    for cell in cells:
        for metric in cell.metrics:
            shift = None if metric.comparison is None else metric.comparison.shift
            counts = metric.blocking and metric.verdict in NOT_STEADY
            if metric.metric.startswith(("latency_p50", "rtf")) and counts and shift is not None:
                sizes[cell.cell] = max(abs(shift), sizes.get(cell.cell, 0.0))
    return tuple(sorted(sizes, key=lambda slug: -sizes[slug])[:OPEN])


def _now(of: DrawnRun, slug: str) -> Mapping[str, Measurement]:
    return by_name(of.measurements.get(slug, ()))


def _before(of: DrawnRun, slug: str) -> Mapping[str, Measurement]:
    return by_name(of.before.get(slug, ()))


def _curves(of: DrawnRun) -> dict[str, LatencyCurves]:
    drawn = {}
    for cell in of.judgement.cells:
        before = _before(of, cell.cell).get(METRIC)
        names = (cell.cell, cell.label, kind(cell.verdict))
        found = [told_shift(each) for each in cell.metrics if each.metric in PERCENTILES]
        told = [each for each in found if each is not None and each.size]
        picture = latency(names, before, _now(of, cell.cell).get(METRIC), told)
        if picture is not None:
            drawn[cell.cell] = picture
    return drawn


def _staged(of: DrawnRun, cell: CellVerdict) -> StagedCell:
    return StagedCell(
        cell=cell.cell,
        label=cell.label,
        kind=kind(cell.verdict),
        before=stages_s(of.before.get(cell.cell, ())),
        now=stages_s(of.measurements.get(cell.cell, ())),
    )


def _qualities(of: DrawnRun) -> tuple[QualityDots, ...]:
    """Return the qualities that always stand, and those of which a cell broke floor or limit."""
    drawn = []
    broken = _broken(of.judgement.cells)
    named = [_now(of, cell.cell) for cell in of.judgement.cells]
    metrics = dict.fromkeys([*ALWAYS, *chain.from_iterable(named)])
    for metric in metrics:
        floor = of.floors.get(metric)
        if is_speed(metric) or (floor is None and metric not in broken):
            continue
        picture = quality([_quality_cell(of, cell, metric) for cell in of.judgement.cells], floor)
        if picture is not None and (
            metric in (*ALWAYS, *broken) or any(row.is_beyond for row in picture.rows)
        ):
            drawn.append(picture)
    return tuple(drawn)


def _broken(cells: Iterable[CellVerdict]) -> tuple[str, ...]:
    """Return the qualities that regressed and count; those against golden audio read alike."""
    return tuple(
        each.metric
        for each in chain.from_iterable(cell.metrics for cell in cells)
        if each.blocking
        and kind(each.verdict) == "bad"
        and not is_speed(each.metric)
        and not each.metric.startswith(GOLDEN)
    )


def _quality_cell(of: DrawnRun, cell: CellVerdict, metric: str) -> QualityCell:
    now = _now(of, cell.cell).get(metric)
    judged = next((each for each in cell.metrics if each.metric == metric), None)
    return QualityCell(
        cell=cell.cell,
        label=cell.label,
        kind=kind(cell.verdict if judged is None else judged.verdict),
        now=None if now is None or is_exact(now.unit, now.summary) else now,
        before=_before(of, cell.cell).get(metric),
    )


def _paretos(of: DrawnRun) -> Iterable[Pareto]:
    for data in of.tradeoffs:
        picture = pareto(data, of.measurements, of.floors.get(data.metric), of.best)
        if picture is not None:
            yield picture
