"""
The pictures that a comment on a pull request links to, as PNG files in a folder: the shifts against
their limits, and the spectrograms of both voices at the worst moment.

    shifts.png, spectrograms.png    each only where there is something to show

Drawn for white paper by matplotlib's Figure objects; the page draws the same shifts as text.
"""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.harness.records.files import write_file
from voxgate.harness.report.contents import Report, TakesOf
from voxgate.harness.report.format import plain
from voxgate.harness.report.listening.pair_png import pair_png
from voxgate.harness.report.page import voices_of
from voxgate.harness.report.pictures.forest import Forest, ForestRow, forest

SHIFTS, SPECTROGRAMS = "shifts.png", "spectrograms.png"
WIDTH_IN, ROW_IN, FRAME_IN, DOTS_PER_IN = 9.0, 0.3, 1.2, 110
MARKS = {"good": ("o", "#0f7a66"), "open": ("D", "#966100"), "bad": ("X", "#890923")}
"""Of these pictures alone, which have no style sheet; shapes as on the page."""
LIMIT, BEYOND, ZERO = "#890923", "#fceeee", "#7d8999"
NAME_LENGTH = 60


def write_pictures(
    contents: Report, folder: Path, baselines: Path, base: Path | None = None
) -> tuple[Path, ...]:
    """
    Write the pictures of a judged run; the old voice is that of the page. Raises HarnessError if
    one cannot be written.
    """
    takes_of, names = voices_of(contents.run, baselines, base)
    return pictures(contents, takes_of, folder, names)


def pictures(
    contents: Report, takes_of: TakesOf, folder: Path, names: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """
    Write the pictures; `takes_of` returns the recordings of an utterance, and `names` are words for
    them.
    """
    drawn = {SHIFTS: shifts_png(contents), SPECTROGRAMS: pair_png(contents, takes_of, names)}
    written = {folder / name: png for name, png in drawn.items() if png is not None}
    for path, png in written.items():
        write_file(path, png, "name another folder", parents=True)
    return tuple(written)


def shifts_png(contents: Report) -> bytes | None:
    """Draw the shifts that the page shows first; None where nothing was compared."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    data = forest(contents.judgement.cells)
    if data is None:
        return None
    height_in = FRAME_IN + ROW_IN * len(data.rows)
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    place: Any = figure.subplots()
    place.axvspan(data.limit, 100.0, color=BEYOND, zorder=0)
    place.axvline(data.limit, color=LIMIT, ls="--", lw=1.0)
    place.axvline(data.zero, color=ZERO, lw=1.0)
    for at, row in enumerate(data.rows):
        _draw_row(place, at, row)
    _dress(place, data)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name in letters that the font lacks is drawn as boxes
        figure.savefig(out, format="png", dpi=DOTS_PER_IN, metadata={"Software": None})
    return out.getvalue()


def _draw_row(place: Any, at: int, row: ForestRow) -> None:
    mark, colour = MARKS[row.mark.kind]
    place.plot([row.low, row.high], [at, at], color=colour, lw=2.2, solid_capstyle="round")
    place.plot([row.at], [at], mark, color=colour, ms=8, clip_on=False)
    place.text(102.0, at, plain(row.change), va="center", fontsize=8, parse_math=False)


def _dress(place: Any, data: Forest) -> None:
    place.set_xlim(0.0, 100.0)
    place.set_ylim(len(data.rows) - 0.5, -0.5)
    names = [_shortened(plain(f"{row.label}  {row.metric}")) for row in data.rows]
    place.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    place.set_xticks([at for at, _ in data.ticks], [text for _, text in data.ticks], fontsize=8)
    place.set_xlabel("change in multiples of its limit, 95 % interval; right is worse", fontsize=9)
    place.set_title(plain(data.caption), loc="left", fontsize=10, parse_math=False, wrap=True)
    place.spines[["top", "right", "left"]].set_visible(False)
    place.tick_params(axis="y", length=0)


def _shortened(text: str) -> str:
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"
