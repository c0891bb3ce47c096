"""
The blind test of a run (ABX): is X voice A or voice B, and which of the two sounds better?

Chooses the pairs. Order, sides and statistics are computed by the page (`abx.js`, `binomial.js`),
because they are drawn anew for every listener. Counts no votes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import isfinite
from pathlib import Path

from voxgate.harness.history.records import RunRow
from voxgate.harness.records.files import write_file
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.html import standalone
from voxgate.harness.report.listening.assets import AssetFolder
from voxgate.harness.report.listening.differences import View
from voxgate.harness.report.listening.recordings import RunRecordings, Runs, load_recordings, minute
from voxgate.harness.report.listening.utterance import UtteranceVoices, utterance
from voxgate.harness.runner.recordings import When, takes

SCRIPTS = ("deck.js", "binomial.js", "abx.js")
SYSTEMS_TEST = "abx.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbxVoice:
    """
    One of the two voices: the run it comes from (its digest, or `golden`), and its name for people.
    """

    when: When
    cell: str
    run: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A clip in the asset folder, and its playback gain."""

    clip: str
    gain_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AbxQuestion:
    """One utterance that sounds different on the two sides."""

    request: str
    text: str
    duration_s: float
    a: Clip
    b: Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class AbxPair:
    """Two voices to tell apart: `a` is the older one or the reference, `b` the one in question."""

    cell: str
    label: str
    """The cell's name for people."""
    a: AbxVoice
    b: AbxVoice
    questions: tuple[AbxQuestion, ...]
    same: int
    """Utterances that sound the same on both sides; nobody is asked about them."""


def abx_page(history: Runs, run: RunRow, out: Path, baselines: Path) -> str | Missing:
    """
    Write `abx-<run id>.html` and its clips into `out`; return the name of the page.

    `listening_page` writes it too. Missing where no two voices differ. Raises HarnessError as
    `listening_page` does.
    """
    heard = load_recordings(history, run, baselines)
    if isinstance(heard, Missing):
        return heard
    assets = AssetFolder(out)
    views = [
        utterance(request, takes(heard.recordings, request.id), assets)
        for request in heard.recordings.requests
    ]
    return write_test(heard, views, out)


def write_test(
    heard: RunRecordings,
    utterances: Sequence[UtteranceVoices],
    out: Path,
    views: Sequence[View] = (),
) -> str | Missing:
    """
    Write the page from utterances whose clips are written already; return its name. By `views` the
    page knows which pair changed most, and offers that first.
    """
    pairs = [pair for pair in _pairs(heard, utterances) if pair.questions]
    if not pairs:
        return Missing("no two takes of an utterance differ")
    data = {"suite": heard.run.suite, "pairs": [asdict(pair) for pair in pairs]}
    first = most_changed_pair(pairs, views)
    text = standalone(
        "abx.html",
        SCRIPTS,
        loads_assets=True,
        run=heard.run,
        data=data,
        pairs=pairs,
        first=first,
    )
    write_file(
        out / f"abx-{heard.run.id}.html", text, "choose another --out", parents=True, durable=False
    )
    return f"abx-{heard.run.id}.html"


def write_systems_test(
    title: str, utterances: Sequence[UtteranceVoices], labels: Mapping[str, str], out: Path
) -> str | Missing:
    """
    Write `abx.html`, which asks about every two of several systems; return its name.

    `labels` names them, by the cell of their voices; the clips are written already.
    """
    voices = [
        AbxVoice(when="current", cell=cell, run="", label=label) for cell, label in labels.items()
    ]
    pairs = [_pair(utterances, labels, a, b) for a, b in combinations(voices, 2)]
    pairs = [pair for pair in pairs if pair.questions]
    if not pairs:
        return Missing("no two recordings of a text differ")
    data = {"suite": title, "pairs": [asdict(pair) for pair in pairs]}
    text = standalone(
        "abx.html", SCRIPTS, loads_assets=True, run=None, data=data, pairs=pairs, first=0
    )
    write_file(out / SYSTEMS_TEST, text, "choose another --out", parents=True, durable=False)
    return SYSTEMS_TEST


def most_changed_pair(pairs: Sequence[AbxPair], views: Sequence[View]) -> int:
    """
    Return the place of the pair of an older and a current voice of one cell that changed most in
    the mean over the utterances; without views, of the first such pair; 0 where there is none.
    """

    def size(place: int) -> tuple[bool, bool, float]:
        pair = pairs[place]
        sizes = [
            contrast.size_db
            for seen in views
            if (contrast := seen.contrast(pair.b.cell, pair.a.when)) is not None
        ]
        known = [each for each in sizes if isfinite(each)]
        changed = pair.a.cell == pair.b.cell and pair.a.when in ("golden", "previous")
        other_pace = 2 * len(known) < len(sizes)
        return changed, other_pace, sum(known) / max(len(known), 1)

    return max(range(len(pairs)), key=size)


def _pairs(heard: RunRecordings, utterances: Sequence[UtteranceVoices]) -> Iterator[AbxPair]:
    """
    Return every pair: current against golden, against previous, against itself with its watermark,
    and every other cell against the reference cell.
    """
    run, reference = heard.run, heard.recordings.current.run.reference
    labels = {cell.slug: cell.label for cell in heard.recordings.cells}
    if heard.accepted is not None and reference in labels:
        label = f"golden, {heard.accepted.commit} accepted {minute(heard.accepted.created)}"
        golden = AbxVoice(when="golden", cell=reference, run="golden", label=label)
        yield _pair(utterances, labels, golden, _current(run, reference, f"current, {run.head}"))
    for cell, label in labels.items():
        if heard.earlier is not None:
            then = heard.earlier.run
            name = f"{heard.earlier.name}, {then.head}"
            before = AbxVoice(when="previous", cell=cell, run=then.digest, label=name)
            yield _pair(utterances, labels, before, _current(run, cell, f"current, {run.head}"))
        if cell != reference and reference in labels:
            plain = _current(run, reference, f"{labels[reference]} (reference)")
            yield _pair(utterances, labels, plain, _current(run, cell, label))
        marked = AbxVoice(when="marked", cell=cell, run=run.digest, label="with its watermark")
        yield _pair(utterances, labels, _current(run, cell, "without its watermark"), marked)


def _current(run: RunRow, cell: str, label: str) -> AbxVoice:
    return AbxVoice(when="current", cell=cell, run=run.digest, label=label)


def _pair(
    utterances: Sequence[UtteranceVoices], labels: Mapping[str, str], a: AbxVoice, b: AbxVoice
) -> AbxPair:
    located = [
        (spoken, spoken.find(a.when, a.cell), spoken.find(b.when, b.cell)) for spoken in utterances
    ]
    both = [
        (spoken, first, other)
        for spoken, first, other in located
        if first is not None and other is not None
    ]
    asked = tuple(
        _question(spoken, first, other)
        for spoken, first, other in both
        if not spoken.same(first, other)
    )
    return AbxPair(
        cell=b.cell, label=labels[b.cell], a=a, b=b, questions=asked, same=len(both) - len(asked)
    )


def _question(utterance: UtteranceVoices, first: int, second: int) -> AbxQuestion:
    a, b = utterance.voices[first], utterance.voices[second]
    return AbxQuestion(
        request=utterance.request.id,
        text=utterance.request.text,
        duration_s=max(a.duration_s, b.duration_s),
        a=Clip(clip=a.clip, gain_db=a.gain.gain_db),
        b=Clip(clip=b.clip, gain_db=b.gain.gain_db),
    )
