"""
Notices about a cell from the records alone: options without observed effect, a short text that
takes longer than a long one, differing takes, a watermark that is not in the audio.

They decide nothing.
"""

import math
from collections.abc import Sequence
from itertools import chain
from statistics import median

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import DROPPED, SPOKEN, UNSEEN, Iteration, Phase, Run
from voxgate.harness.records.traces import FACT
from voxgate.harness.records.verdict import Remark, RemarkKind

TWICE = 2.0
"""Times the audio, from which a text counts as longer."""
KINDS_OF_NOTICES = {
    "cut": "the engine's limit of tokens cut short",
    DROPPED: "the engine left out characters that it cannot say, in",
}
SHOWN = 60
"""Characters of a text."""
SLOWER = 1.2
"""Times the time, from which the shorter one counts as slower."""


def caveats(run: Run, cell: Cell) -> tuple[Remark, ...]:
    """Return the notices of one cell."""
    return (
        *_unobserved(run, cell),
        *_short_and_slow(run, cell),
        *_takes(run, cell),
        *_told_by_the_engine(run, cell),
        *_spans(run),
    )


def takes_differ(run: Run, slug: str) -> bool:
    """
    Return whether a cell has several takes of a request: it is declared to be sampled, or its
    engine, without a seed, spoke otherwise each time.

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
    Return notices for options that set the cell apart from another although nothing shows their
    effect: nothing was observed of them, the audio is the same, and no difference of the times is
    proven.
    """
    seen: set[str] = set()
    for process in run.processes:
        if process.cell == cell.slug:
            seen |= {effect.option for effect in process.effects if effect.in_effect is not None}
    texts: dict[str, str] = {}
    for other, differing in _twins(run, cell):
        if _is_same_audio(run, cell.slug, other.slug) and not _times_differ(run, cell, other):
            whose = "the reference cell's" if other.slug == run.reference else f"{other.label}'s"
            for name in differing:
                if name not in seen and name in cell.options:
                    texts.setdefault(
                        name,
                        f"nothing was observed of {name}={cell.options[name]}, and the audio is "
                        f"{whose} to the bit: nothing shows that it was in effect",
                    )
    return [
        Remark(kind=RemarkKind.UNOBSERVED_OPTION, facts=(text,))
        for text in (*texts.values(), *_seeds(run, cell))
    ]


def _twins(run: Run, cell: Cell) -> list[tuple[Cell, tuple[str, ...]]]:
    """
    Return the cells that a cell is held against, with the options that differ: the reference cell,
    and each cell before it that has all options but one alike.
    """
    twins: list[tuple[Cell, tuple[str, ...]]] = []
    for other in sorted(run.cells, key=lambda each: each.slug != run.reference):
        if other.slug == cell.slug:
            break
        names = {*cell.options, *other.options}
        differing = tuple(
            sorted(name for name in names if cell.options.get(name) != other.options.get(name))
        )
        if other.slug == run.reference or len(differing) == 1:
            twins.append((other, differing))
    return twins


def _seeds(run: Run, cell: Cell) -> list[str]:
    """Return what was heard of a seed whose effect could not be observed; empty where it could."""
    told: dict[str, None] = {}
    for process in run.processes:
        for effect in process.effects if process.cell == cell.slug else ():
            if effect.option == "seed" and effect.in_effect is None and effect.observed != UNSEEN:
                text = f"nothing shows that seed={effect.requested} was in effect"
                told[f"{text}: {effect.observed}"] = None
    return list(told)


def _is_same_audio(run: Run, slug: str, other: str) -> bool:
    first: dict[tuple[str, str], str] = {}
    for process in run.processes:
        for iteration in process.iterations:
            if iteration.phase is Phase.MEASURED:
                delivered = iteration.marked_sha256 or iteration.audio_sha256
                first.setdefault((iteration.cell, iteration.request), delivered)
    mine = {request: digest for (cell, request), digest in first.items() if cell == slug}
    return bool(mine) and all(
        first.get((other, request)) == digest for request, digest in mine.items()
    )


def _times_differ(run: Run, cell: Cell, other: Cell) -> bool:
    """Whether the rounds prove that one of two cells is slower: that is an effect as well."""
    mine, theirs = _medians_s(run, cell.slug), _medians_s(run, other.slug)
    rounds: dict[int, list[float]] = {}
    for place in mine.keys() & theirs.keys():
        rounds.setdefault(place[0], []).append(math.log(mine[place] / theirs[place]))
    if len(rounds) < 2:
        return False
    low, high = statistics.mean_interval(np.array([median(each) for each in rounds.values()]))
    return low > 0.0 or high < 0.0


def _medians_s(run: Run, slug: str) -> dict[tuple[int, str], float]:
    """Return the median seconds by round and request."""
    walls_s: dict[tuple[int, str], list[float]] = {}
    for process in run.processes:
        for iteration in process.iterations if process.cell == slug else ():
            if iteration.phase is Phase.MEASURED:
                key = process.repeat, iteration.request
                walls_s.setdefault(key, []).append(iteration.wall_s)
    return {place: median(seconds) for place, seconds in walls_s.items()}


def _short_and_slow(run: Run, cell: Cell) -> list[Remark]:
    """
    Return a notice of the shortest text that takes longer than one of at least TWICE its audio, in
    every process and by SLOWER: a cold start, or a cost that is not the text's, is in its times.
    """
    times_s: dict[str, list[float]] = {}
    for (_, request), seconds in _medians_s(run, cell.slug).items():
        times_s.setdefault(request, []).append(seconds)
    audio_s: dict[str, float] = {}
    for process in run.processes:
        for iteration in process.iterations if process.cell == cell.slug else ():
            audio_s.setdefault(iteration.request, iteration.audio_s)
    for short in sorted(times_s, key=lambda request: audio_s[request]):
        for long in times_s:
            longer = audio_s[long] >= TWICE * audio_s[short]
            if longer and min(times_s[short]) > SLOWER * max(times_s[long]):
                text = (
                    f"{short} ({audio_s[short]:.1f} s of audio) takes "
                    f"{median(times_s[short]):.3g} s, longer than {long} "
                    f"({audio_s[long]:.1f} s of audio) with {median(times_s[long]):.3g} s: its "
                    "time is not that of its text, as with a cold start"
                )
                return [Remark(kind=RemarkKind.SHORTER_IS_SLOWER, facts=(text,))]
    return []


def _told_by_the_engine(run: Run, cell: Cell) -> list[Remark]:
    """
    Return a notice for each kind of what the engine tells of its syntheses; how it read a text is
    what the words are compared with, and nothing unexpected.
    """
    spoken: set[str] = set()
    told: dict[str, dict[str, str]] = {}
    for process in run.processes:
        for iteration in process.iterations if process.cell == cell.slug else ():
            spoken.add(iteration.request)
            for notice in (each for each in iteration.notices if each.kind != SPOKEN):
                told.setdefault(notice.kind, {}).setdefault(iteration.request, notice.text)
    remarks = []
    for kind, texts in told.items():
        request, text = next(iter(texts.items()))
        what = KINDS_OF_NOTICES.get(kind, f"the engine tells {kind} of")
        # characters of another script are to be seen, and escapes show nothing
        shown = (
            f"{''.join(dict.fromkeys(text))[:SHOWN]!r}" if kind == DROPPED else f"{text[:SHOWN]!a}"
        )
        fact = f"{what} {len(texts)} of {len(spoken)} requests, {request} at {shown}"
        remarks.append(Remark(kind=RemarkKind.SYNTHESIS_NOTICE, facts=(fact,)))
    return remarks


def _spans(run: Run) -> list[Remark]:
    if FACT not in run.environment.toolchain.versions:
        return []
    text = "measured with --spans: when each stage ran was kept, which costs a microsecond a stage"
    return [Remark(kind=RemarkKind.SPANS_KEPT, facts=(text,))]


def _takes(run: Run, cell: Cell) -> list[Remark]:
    if cell.slug in run.takes:
        return [Remark(kind=RemarkKind.SAMPLED, facts=(_sampled(run, cell),))]
    if not takes_differ(run, cell.slug):
        return []
    text = (
        "the engine speaks otherwise each time, and nobody asked for a seed: nothing is held "
        "against another recording, and what needs none is judged over several takes; add "
        "sampled=True to the suite to have takes judged as takes"
    )
    return [Remark(kind=RemarkKind.TAKES_DIFFER, facts=(text,))]


def _sampled(run: Run, cell: Cell) -> str:
    """Return how a sampled cell was spoken, and what is not judged of it."""
    first = cell.workload.requests[0].id
    takes = [each for each in _spoken_takes(run, cell.slug) if each.request == first]
    seeds = dict.fromkeys(str(each.seed) for each in takes if each.seed is not None)
    by = f"by seeds {', '.join(seeds)}" if seeds else "without a seed, so none was heard twice"
    return (
        f"sampled: each text is spoken {run.takes[cell.slug]} times, {by}; metrics that need the "
        "same performance do not apply"
    )


def _spoken_takes(run: Run, slug: str) -> list[Iteration]:
    """Return the iterations of a cell that are takes, those that kept audio, by their numbers."""
    mine = (process.iterations for process in run.processes if process.cell == slug)
    spoken = [each for each in chain.from_iterable(mine) if each.audio_file is not None]
    return sorted(spoken, key=lambda iteration: iteration.take)


def not_sampled(run: Run, cell: Cell) -> str | None:
    """
    Return why a cell that is declared to be sampled is not: every take of every text is the same
    audio. None where it is, and where too little was spoken to tell.

    That is a failure and no notice: the declaration takes the metrics away that see most, so one
    that is wrong must not weaken a gate.
    """
    if cell.slug not in run.takes:
        return None
    heard: dict[str, list[str]] = {}
    for iteration in _spoken_takes(run, cell.slug):
        heard.setdefault(iteration.request, []).append(iteration.audio_sha256)
    several = [hashes for hashes in heard.values() if len(hashes) > 1]
    if not several or any(len(set(hashes)) > 1 for hashes in several):
        return None
    return (
        f"not in effect: sampled is declared, and all {run.takes[cell.slug]} takes of each text "
        "are the same audio; remove sampled, or have the engine read the seed of each request, and "
        "name its seed in effective"
    )
