"""
One utterance as a line of a table: what changed since the previous run and since the golden take, and what is faulty.

Words and one number to sort by; draws nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.report.listening.differences import Contrast, View

LEAST_DB = 0.1
"""A smaller mean difference is rounding, and where it is largest says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One utterance; an empty text where there is nothing to compare with."""

    id: str
    text: str
    since_previous: str
    since_golden: str
    faults: str
    change_db: float
    """The largest change, infinite where the durations differ too much to say."""


def line(view: View, labels: Mapping[str, str], reference: str) -> Line:
    """Describe an utterance; `labels` names the cells, slug -> label."""
    changes = {slug: contrast for slug in labels if (contrast := view.contrast(slug, "previous")) is not None}
    golden = view.contrast(reference, "golden")
    sizes = [_size_db(each) for each in (*changes.values(), *([] if golden is None else [golden]))]
    return Line(
        id=view.id,
        text=view.text,
        since_previous=_worst(changes, labels),
        since_golden="" if golden is None else _said(golden),
        faults=_faults(view, labels),
        change_db=max(sizes, default=0.0),
    )


def _worst(changes: Mapping[str, Contrast], labels: Mapping[str, str]) -> str:
    """Name the cell that changed most; one line where all stayed the same."""
    if not changes:
        return ""
    worst = max(changes, key=lambda slug: _size_db(changes[slug]))
    said = _said(changes[worst])
    return said if changes[worst].same or len(changes) == 1 else f"{said} ({labels[worst]})"


def _faults(view: View, labels: Mapping[str, str]) -> str:
    current = [each for each in view.voices if each.voice.when == "current"]
    found = [f"{mark.kind} at {mark.time_s:.2f} s ({labels[each.voice.cell]})" for each in current for mark in each.marks.found]
    return ", ".join(found)


def _size_db(contrast: Contrast) -> float:
    return float("inf") if contrast.missing else contrast.mean_db


def _said(contrast: Contrast) -> str:
    if contrast.same:
        return "the same audio"
    if contrast.missing:
        return contrast.missing
    if contrast.mean_db < LEAST_DB:
        return f"less than {LEAST_DB} dB"
    return f"{contrast.mean_db:.1f} dB on average, most at {contrast.most_s:.2f} s"
