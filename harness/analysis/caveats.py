"""
Notices about a cell from the records alone: options without observed effect, differing takes, a
watermark that is not in the audio.

They decide nothing.
"""

from collections.abc import Sequence

from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import Phase, Run
from voxgate.harness.records.verdict import Remark, RemarkKind


def caveats(run: Run, cell: Cell) -> tuple[Remark, ...]:
    """Return the notices of one cell."""
    return (*_unobserved(run, cell), *_takes(run, cell))


def takes_differ(run: Run, slug: str) -> bool:
    """
    Return whether the cell's engine, without a seed, produced several different takes of a
    request.

    The worker then kept each of them.
    """
    files: dict[str, set[str]] = {}
    for process in run.processes:
        if process.cell == slug:
            for iteration in process.iterations:
                if iteration.audio_file is not None:
                    files.setdefault(iteration.request, set()).add(iteration.audio_file)
    return any(len(kept) > 1 for kept in files.values())


HELD = 0.5
"""Confidence of the detector from which on an utterance holds a watermark."""


def lost_watermark(cell: Cell, measured: Sequence[Measurement]) -> str | None:
    """
    Return why a watermark that was asked for is not in effect: utterances as delivered do not hold
    it. None where they do, and where none was asked for or none could be looked for.
    """
    found = next((each for each in measured if each.metric == "watermark_detected"), None)
    values = [] if found is None else [each.value for each in found.values]
    numbers = [value for value in values if isinstance(value, float)]
    without = [value for value in numbers if value < HELD]
    if not without:
        return None
    return (
        f"not in effect: asked for watermark={cell.options.get('watermark', 'per request')}, and "
        f"{len(without)} of {len(numbers)} utterances as delivered hold none (least confidence "
        f"{min(without):.3f})"
    )


def _unobserved(run: Run, cell: Cell) -> list[Remark]:
    """
    Return notices for options that set the cell apart although nothing shows their effect.

    No effect was observed, and the audio equals the reference cell's.
    """
    reference = next(
        (candidate for candidate in run.cells if candidate.slug == run.reference), None
    )
    if reference is None or cell.slug == run.reference or not _is_same_audio(run, cell.slug):
        return []
    seen: set[str] = set()
    for process in run.processes:
        if process.cell == cell.slug:
            seen |= {effect.option for effect in process.effects if effect.in_effect is not None}
    doubtful = [
        f"{name}={value}"
        for name, value in cell.options.items()
        if name not in seen and reference.options.get(name) != value
    ]
    return [
        Remark(
            kind=RemarkKind.UNOBSERVED_OPTION,
            facts=(
                f"nothing was observed of {option}, and the audio is the reference cell's to the "
                "bit: nothing shows that it was in effect",
            ),
        )
        for option in doubtful
    ]


def _is_same_audio(run: Run, slug: str) -> bool:
    first: dict[tuple[str, str], str] = {}
    for process in run.processes:
        for iteration in process.iterations:
            if iteration.phase is Phase.MEASURED:
                first.setdefault((iteration.cell, iteration.request), iteration.audio_sha256)
    mine = {request: digest for (cell, request), digest in first.items() if cell == slug}
    return bool(mine) and all(
        first.get((run.reference, request)) == digest for request, digest in mine.items()
    )


def _takes(run: Run, cell: Cell) -> list[Remark]:
    if not takes_differ(run, cell.slug):
        return []
    text = (
        "the engine speaks otherwise each time, and nobody asked for a seed: nothing is held "
        "against another recording, and what needs none is judged over several takes"
    )
    return [Remark(kind=RemarkKind.TAKES_DIFFER, facts=(text,))]
