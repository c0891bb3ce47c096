"""
The sensitivity matrix as a picture: one panel for each kind of audio, a row per fault, a column per
metric.

Draws the records of `quality_result.py`. Three colours that differ in lightness as well, and marks
of two shapes, so that neither colour vision nor a colour printer is needed (Okabe and Ito 2008).
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.files import write_file
from voxgate.harness.selftest.quality_result import (
    FaultResult,
    Matrix,
    MetricColumn,
    QualityTrust,
    Sight,
)
from voxgate.harness.selftest.specimens import Kind

INK, FAINT, PAPER = "#1c2430", "#c9d1db", "#ffffff"
COLOURS = {
    Sight.SEEN: "#0072b2",
    Sight.ADVISED: "#8ecbee",
    Sight.UNPROVEN: "#f3e2a9",
    Sight.UNSEEN: "#f1f3f5",
    Sight.ABSENT: PAPER,
}
ALARM = "#d55e00"
"""Of a metric that blocks and saw what is harmless."""
MARKS = {
    Sight.SEEN: ("o", PAPER, PAPER),
    Sight.ADVISED: ("o", "none", INK),
    Sight.UNPROVEN: ("D", INK, INK),
}
"""Shape, inside and line of the mark in a square."""
WORDS = {
    Sight.SEEN: "seen, blocks",
    Sight.ADVISED: "seen, advises",
    Sight.UNPROVEN: "beyond its margin, not proven",
    Sight.UNSEEN: "not seen",
    Sight.ABSENT: "has no value",
}
CELL_IN = 0.21
"""Edge of a square: the smallest in which a mark and, beside it, a name of 7 points can be read."""
SUMMARY = ("any metric", "without parity", "in one utterance", "in one, without parity")
GAP = 0.6
"""Of a square, between families and between kinds of rows."""
DPI = 110


def write_picture(trust: QualityTrust, path: Path) -> None:
    """
    Write the picture as PNG. Raises HarnessError if there is nothing to draw, or if it cannot be
    written.
    """
    if not trust.columns:
        raise HarnessError(
            "no metric had a value, so there is no picture to draw; install voxgate[models]"
        )
    out = io.BytesIO()
    _figure(trust).savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    write_file(path, out.getvalue(), "name another --picture")


def check_picture(path: Path) -> None:
    """Raise HarnessError, before any work, if there is no folder to write into."""
    if not path.absolute().parent.is_dir():
        raise HarnessError(
            f"cannot write {path}: there is no folder {path.parent}; make it, or name another "
            "--picture"
        )


def _height(matrix: Matrix) -> float:
    return _places([row.kind for row in matrix.rows])[-1] + 1


def _figure(trust: QualityTrust) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [_height(matrix) for matrix in trust.matrices]
    width = _columns(trust.columns)[-1] + 1
    inches = ((width + 14) * CELL_IN, (sum(heights) + 14 * len(heights) + 2) * CELL_IN)
    figure = Figure(figsize=inches, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    for axes, matrix in zip(panels[:, 0], trust.matrices, strict=True):
        _panel(axes, matrix, trust.columns)
    _legend(figure)
    return figure


def _panel(axes: Any, matrix: Matrix, columns: Sequence[MetricColumn]) -> None:
    """Draw one matrix: squares, names on both axes, and the families below."""
    across, down = _columns(columns), _places([row.kind for row in matrix.rows])
    _squares(axes, _spots(matrix, columns, across, down))
    axes.set_xlim(-0.6, across[-1] + 0.6)
    axes.set_ylim(down[-1] + 0.6, -0.6)
    axes.set_aspect("equal")
    axes.set_xticks(
        across,
        [*SUMMARY, *(column.metric for column in columns)],
        rotation=90,
        fontsize=7,
        color=INK,
    )
    for label, each in zip(axes.get_xticklabels()[len(SUMMARY) :], columns, strict=True):
        label.set_fontweight("bold" if each.blocks else "normal")
    axes.set_yticks(
        down, [f"{row.fault}, {row.strength}" for row in matrix.rows], fontsize=7, color=INK
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    axes.set_title(
        f"{matrix.audio}, {matrix.utterances} utterances", fontsize=9, color=INK, loc="left", pad=8
    )
    _families(axes, columns, across[len(SUMMARY) :], down[-1])


def _spots(
    matrix: Matrix, columns: Sequence[MetricColumn], across: Sequence[float], down: Sequence[float]
) -> dict[tuple[Sight, str], list[tuple[float, float]]]:
    """
    Group the squares by (sight, colour) -> positions. A fault that was not planted has no square.
    """
    spots: dict[tuple[Sight, str], list[tuple[float, float]]] = {}
    for row, y in zip(matrix.rows, down, strict=True):
        for x, sight in zip(across, _sights(matrix, row, columns), strict=True):
            if sight is not None:
                alarm = row.kind is Kind.HARMLESS and sight is Sight.SEEN
                spots.setdefault((sight, ALARM if alarm else COLOURS[sight]), []).append((x, y))
    return spots


def _sights(
    matrix: Matrix, row: FaultResult, columns: Sequence[MetricColumn]
) -> list[Sight | None]:
    """Return the squares of a row: the summaries, then one per metric."""
    alone = matrix.alone(row)
    return [
        row.summed,
        row.free(columns).summed,
        None if alone is None else alone.summed,
        None if alone is None else alone.free(columns).summed,
        *(row.sights.get(c.metric, Sight.ABSENT) for c in columns),
    ]


def _squares(axes: Any, spots: Mapping[tuple[Sight, str], Sequence[tuple[float, float]]]) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    for (sight, colour), places in spots.items():
        squares = [Rectangle((x - 0.45, y - 0.45), 0.9, 0.9) for x, y in places]
        edge = FAINT if sight is Sight.ABSENT else colour
        axes.add_collection(
            PatchCollection(squares, facecolor=colour, edgecolor=edge, linewidth=0.4)
        )
        if sight in MARKS:
            shape, inside, line = MARKS[sight]
            xs, ys = zip(*places, strict=True)
            axes.scatter(
                xs, ys, s=9, marker=shape, facecolor=inside, edgecolor=line, linewidth=0.7, zorder=3
            )


def _families(
    axes: Any, columns: Sequence[MetricColumn], across: Sequence[float], lowest: float
) -> None:
    """Name the families of metrics under a line as wide as they are."""
    for family in dict.fromkeys(column.family for column in columns):
        places = [x for x, each in zip(across, columns, strict=True) if each.family == family]
        axes.plot(
            [places[0] - 0.4, places[-1] + 0.4],
            [lowest + 0.75] * 2,
            color=INK,
            linewidth=0.8,
            clip_on=False,
        )
        middle = (places[0] + places[-1]) / 2.0
        axes.text(
            middle, lowest + 1.0, family, rotation=90, ha="center", va="top", fontsize=8, color=INK
        )


def _legend(figure: Any) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=COLOURS[sight], edgecolor=FAINT, label=words)
        for sight, words in WORDS.items()
    ]
    handles.append(Patch(facecolor=ALARM, label="false alarm, blocks"))
    handles.append(Patch(facecolor="none", label="metrics in bold block"))
    figure.legend(
        handles=handles, loc="outside lower left", ncols=len(handles), fontsize=8, frameon=False
    )


def _columns(columns: Sequence[MetricColumn]) -> list[float]:
    """Place the columns that sum up and those of the metrics."""
    return _places([*("" for _ in SUMMARY), *(column.family for column in columns)])


def _places(groups: Sequence[str]) -> list[float]:
    """Place things of several groups one after the other, with a gap where the group changes."""
    places, at = [], 0.0
    for number, group in enumerate(groups):
        at += GAP if number and group != groups[number - 1] else 0.0
        places.append(at)
        at += 1.0
    return places
