"""
Two revisions side by side, as lines for a terminal: how far each cell moved, with its interval, and the verdict.

Knows which figures a paired comparison shows; the layout is plain columns, and reasons stand below their cell.
"""

import textwrap
from collections.abc import Sequence

from harness.judging import phrases
from harness.machine.quietness import fitness
from harness.records.measurement import Missing, Value
from harness.records.verdict import CellVerdict, Comparison, Verdict
from harness.report.contents import Contents
from harness.report.texts import plain

TITLES = ("cell", "base p50 ms", "head p50 ms", "p50 shift", "rtf shift", "pairs", "verdict")
NOTHING = "-"
INDENT = "   "


def paired_lines(contents: Contents, sides: tuple[str, str], control: str, notes: Sequence[str], width: int) -> list[str]:
    """Lay the comparison out for a number of columns; `sides` names BASE and HEAD, `control` says how far it moved."""
    judgement, state = contents.judgement, fitness(contents.run.environment)
    head = (
        judgement.suite,
        judgement.profile,
        f"machine {judgement.machine} ({state.word})",
        f"base {sides[0]}",
        f"head {sides[1]}",
        f"control {control}",
    )
    lines = _wrapped(INDENT.join(map(plain, head)), width, "") + [line for note in notes for line in _wrapped(note, width, "")]
    rows = [_row(cell, contents.run.reference) for cell in judgement.cells]
    widths = [max(map(len, column)) for column in zip(TITLES, *rows, strict=True)]
    lines.append(_aligned(TITLES, widths))
    for cell, row in zip(judgement.cells, rows, strict=True):
        lines.append(_aligned(row, widths))
        if cell.verdict is not Verdict.PASS:
            lines += _wrapped(plain(cell.reason), width, INDENT)
    return lines


def evidence_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay the steps of a bisection out as a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(size) for text, size in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(cell: CellVerdict, reference: str) -> tuple[str, ...]:
    found = {each.metric: each.comparison for each in cell.metrics if each.comparison is not None}
    p50, rtf = found.get("latency_p50"), found.get("rtf")
    label = plain(cell.label) + (" (reference)" if cell.cell == reference else "")
    times = (NOTHING, NOTHING) if p50 is None else (_ms(p50.baseline), _ms(p50.current))
    return (label, *times, _shift(p50), _shift(rtf), _pairs(p50), cell.verdict.value)


def _ms(value: Value) -> str:
    return NOTHING if isinstance(value, Missing) else f"{value * 1000:.4g}"


def _shift(comparison: Comparison | None) -> str:
    return NOTHING if comparison is None or comparison.shift is None else phrases.size(comparison)


def _pairs(comparison: Comparison | None) -> str:
    return NOTHING if comparison is None or comparison.freedom is None else f"{comparison.freedom + 1:.0f}"


def _aligned(texts: Sequence[str], widths: Sequence[int]) -> str:
    """Set label and verdict to the left and numbers to the right."""
    first, *numbers, last = (
        text.ljust(size) if place in (0, len(texts) - 1) else text.rjust(size)
        for place, (text, size) in enumerate(zip(texts, widths, strict=True))
    )
    return "  ".join([first, *numbers, last]).rstrip()


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(20, width), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
