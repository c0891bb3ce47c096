"""
The player: every take of every utterance, switched in place, at one level, with its pictures.

One player for the listening page, whose sounds lie beside it, and for the page of a run, which
holds them. Chooses the contents; `templates/player.html` lays them out, `deck.js` and `player.js`
play them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from voxgate.harness.records.cell import Cell, Request
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Run
from voxgate.harness.report.contents import TakesOf
from voxgate.harness.report.format import plain
from voxgate.harness.report.html import data_uri
from voxgate.harness.report.listening.assets import AssetFolder, EmbeddedAssets
from voxgate.harness.report.listening.differences import View, VoiceView, view
from voxgate.harness.report.listening.moments import (
    Moment,
    UtteranceRow,
    line,
    moments,
    most_changed,
)
from voxgate.harness.report.listening.spectrogram import DIFFERENCE_DB, RANGE_DB, legend
from voxgate.harness.report.listening.utterance import UtteranceVoices, utterance
from voxgate.harness.runner.recordings import Take, cells_of, requests_of

BUDGET_BYTES = 100 * 2**20
"""
Of sounds and pictures beside one page; further utterances are left out, and counted on the page.
"""
EMBEDDED_BYTES = 820_000
"""
Of sounds and pictures within one page, before base64 makes them a third larger; keeps a page with
its charts below 1.5 MB.
"""
LOSSLESS = 0.6
"""Share of those that utterances may take up without loss; the ones after them are compressed."""
MOST_CELLS = 4
"""Of an utterance within a page, after the first utterance, which has all cells if they fit."""
PITCHED_S = 60.0
"""
Of speech beside a page, whose pitch is drawn: a twentieth of its length is spent on it.
"""
SCRIPTS = ("deck.js", "player.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """
    What was prepared of a run: the utterances to hear, the same ones to see, and how many more
    there are. `wanted` has the cells to hear first and the utterances of each, slug -> ids.
    """

    utterances: tuple[UtteranceVoices, ...]
    views: tuple[View, ...]
    left_out: int
    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """Words for people in place of `previous` and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """
    Contents of a player; `data` is for its script, the rest stands in the page. Without `views`
    there is nothing to hear.
    """

    views: tuple[View, ...]
    lines: tuple[UtteranceRow, ...]
    """What changed most stands first."""
    left_out: int
    data: Mapping[str, object]
    power_legend: str
    signed_legend: str
    older: str = "previous"
    """The word for the run that is compared with."""
    moments: tuple[Moment, ...] = ()
    """Where to hear each cell; those that are worse stand first."""
    range_db: float = RANGE_DB
    difference_db: float = DIFFERENCE_DB

    @property
    def has_previous(self) -> bool:
        """Whether any utterance is compared with a previous run."""
        return any(line.since_previous for line in self.lines)

    @property
    def has_words(self) -> bool:
        """Whether words are placed in any take."""
        return any(voice.words for each in self.views for voice in each.voices)

    @property
    def compressed(self) -> int:
        """Number of utterances whose clips are compressed."""
        return sum(not each.lossless for each in self.views)

    def moment(self, label: str) -> int | None:
        """
        Return the place of a cell's moment in `moments`, by its name or as tables write it; None
        where nothing is to be heard.
        """
        places = (
            place
            for place, each in enumerate(self.moments)
            if label in {each.label, plain(each.label), f"{plain(each.label)} (reference)"}
        )
        return next(places, None)


def run_player(
    run: Run,
    takes_of: TakesOf,
    budget_bytes: int = EMBEDDED_BYTES,
    first: Sequence[str] = (),
    wanted: Mapping[str, Sequence[str]] | None = None,
    names: Mapping[str, str] | None = None,
) -> Player:
    """
    Return the player of a page that holds its sounds: of the utterances named in `first`, then of
    the others in their order, as many as fit into the budget. `wanted` names the cells to hear
    first, and the utterances of each that tell most: slug -> ids. `names` are words for people in
    place of `previous` and the like.
    """
    assets = EmbeddedAssets(budget_bytes)
    place = {name: number for number, name in enumerate(first)}
    requests = sorted(requests_of(run), key=lambda each: place.get(each.id, len(place)))
    labels = {cell.slug: cell.label for cell in cells_of(run)}
    heard: list[tuple[UtteranceVoices, View]] = []
    silent, fits = 0, True
    for request in requests:
        every = takes_of(request.id)
        if all(isinstance(take.sound, Missing) for take in every):
            silent += 1
            continue
        options = _options(every, run.reference, wanted or {}, is_first=not heard)
        made = _embedded(request, options, run.reference, assets)
        if made is None:
            fits = False
            break
        heard.append(made)
    if wanted:
        known = Missing("no words were recognised in this run") if not run.heard else None
        heard = _with_words(heard, moments(heard, labels, wanted), wanted, known)
    material = Material(
        utterances=tuple(voices for voices, _ in heard),
        views=tuple(seen for _, seen in heard),
        left_out=0 if fits else len(requests) - len(heard) - silent,
        wanted=wanted or {},
        names=names or {},
    )
    return player(material, cells_of(run), run.reference, assets.as_base64())


Option = tuple[Sequence[Take], bool]
"""Takes to keep, and whether without loss."""


def _options(
    every: Sequence[Take], reference: str, wanted: Mapping[str, Sequence[str]], *, is_first: bool
) -> Iterator[Option]:
    """Yield the ways to keep an utterance, the best first."""
    few, pair = (_of_cells(every, reference, wanted, count) for count in (MOST_CELLS, 2))
    yield from [(takes, True) for takes in ((every, few, pair) if is_first else (few,))]
    yield from [(few, False), (pair, False)]


def _of_cells(
    takes: Sequence[Take], reference: str, wanted: Mapping[str, Sequence[str]], count: int
) -> tuple[Take, ...]:
    """Return the takes of so many cells: the reference, the wanted ones, and then the others."""
    known = {take.cell for take in takes}
    cells = dict.fromkeys([reference, *wanted, *(take.cell for take in takes)])
    kept = [cell for cell in cells if cell in known][:count]
    return tuple(take for take in takes if take.cell in kept)


def _embedded(
    request: Request, options: Iterable[Option], reference: str, assets: EmbeddedAssets
) -> tuple[UtteranceVoices, View] | None:
    """
    Keep an utterance in the first way that fits: without loss where its clips then take at most
    LOSSLESS of the budget. None where none does.
    """
    for takes, lossless in options:
        spoken = utterance(request, takes, assets, lossless=lossless)
        if assets.share <= (LOSSLESS if lossless else 1.0):
            seen = view(spoken, reference, assets)
            if assets.settle():
                return spoken, seen
        assets.drop()
    return None


def _with_words(
    heard: Sequence[tuple[UtteranceVoices, View]],
    found: Sequence[Moment],
    wanted: Mapping[str, Sequence[str]],
    known: Missing | None,
) -> list[tuple[UtteranceVoices, View]]:
    """
    Place the words in both takes of the first red cell that changed, or keep why that is not
    possible; `known` is a reason that is known before.
    """
    moment = next((each for each in found if each.cell in wanted and not each.same), None)
    if moment is None:
        return list(heard)
    from voxgate.harness.report.listening.words import placed_words

    def placed(spoken: UtteranceVoices, seen: View, index: int) -> VoiceView:
        sound, voice = spoken.sounds[index], seen.voices[index]
        if index not in (moment.old, moment.new) or sound is None:
            return voice
        words = known or placed_words(sound, spoken.request)
        if isinstance(words, Missing):
            return replace(voice, words_missing=words.reason)
        return replace(voice, words=words)

    made = list(heard)
    for place, (spoken, seen) in enumerate(heard):
        if seen.id == moment.utterance:
            voices = tuple(placed(spoken, seen, index) for index in range(len(seen.voices)))
            made[place] = (spoken, replace(seen, voices=voices))
    return made


def recordings_player(
    utterances: Iterable[tuple[Request, tuple[Take, ...]]],
    count: int,
    labels: Mapping[str, str],
    word: str,
) -> Player:
    """
    Return the player of recordings that belong to no run, of the first of `count` utterances, as
    many as fit into the page. `labels` names the systems; `word` stands for each take in place of
    `current`.
    """
    assets = EmbeddedAssets(EMBEDDED_BYTES)
    views: list[View] = []
    for request, takes in utterances:
        made = _embedded(request, [(takes, True), (takes, False)], "", assets)
        if made is None:
            break
        views.append(made[1])
    material = Material(utterances=(), views=tuple(views), left_out=count - len(views))
    filled = _player(material, labels, "", assets.as_base64())
    first = {"utterance": views[0].id if views else "", "when": "current", "cell": ""}
    return replace(filled, data={**filled.data, "words": {"current": word}, "first": first})


def prepared(
    requests: Sequence[Request],
    reference: str,
    takes_of: TakesOf,
    assets: AssetFolder,
    budget_bytes: int,
) -> Material:
    """
    Prepare the utterances that have a take, until the budget is spent. Their sounds are let go one
    by one. Raises HarnessError if a file cannot be written.
    """
    utterances, views, silent, spoken_s = [], [], 0, 0.0
    for request in requests:
        if assets.size_bytes > budget_bytes:
            break
        spoken = utterance(request, takes_of(request.id), assets)
        silent += spoken.duration_s == 0.0
        if spoken.duration_s > 0.0:
            views.append(view(spoken, reference, assets, pitched=spoken_s < PITCHED_S))
            spoken_s += sum(voice.duration_s for voice in spoken.voices)
            utterances.append(UtteranceVoices(request=request, voices=spoken.voices, sounds=()))
    return Material(
        utterances=tuple(utterances),
        views=tuple(views),
        left_out=len(requests) - len(views) - silent,
    )


def player(
    material: Material,
    cells: Sequence[Cell],
    reference: str,
    embedded: Mapping[str, str] | None = None,
) -> Player:
    """Return the player of what was prepared; `embedded` holds its assets, id -> base64."""
    return _player(material, {cell.slug: cell.label for cell in cells}, reference, embedded or {})


def _player(
    material: Material, labels: Mapping[str, str], reference: str, embedded: Mapping[str, str]
) -> Player:
    lines = _ordered([line(spoken, labels, reference) for spoken in material.views])
    heard = list(zip(material.utterances, material.views, strict=False))
    found = moments(heard, labels, material.wanted, material.names)
    data = {
        "cells": [{"slug": slug, "label": label} for slug, label in labels.items()],
        "utterances": [asdict(spoken) for spoken in material.views],
        "first": _first(found, material, lines),
        "moments": [asdict(each) for each in found],
        "words": dict(material.names),
        "embedded": dict(embedded),
    }
    return Player(
        views=material.views,
        lines=tuple(lines),
        left_out=material.left_out,
        data=data,
        power_legend=data_uri("image/png", legend(signed=False)),
        signed_legend=data_uri("image/png", legend(signed=True)),
        older=material.names.get("previous", "previous"),
        moments=found,
    )


def _first(
    found: Sequence[Moment], material: Material, lines: Sequence[UtteranceRow]
) -> Mapping[str, str]:
    """
    Return the take to open with: of the worst red cell that sounds other than before, or whose
    quality is worse, or else the one that changed most; empty texts where nothing is to be heard.
    """
    wanted = material.wanted
    red = [each for each in found if each.cell in wanted and not each.same]
    red = [each for each in red if each.is_own or wanted[each.cell]]
    if red:
        return {"utterance": red[0].utterance, "when": "current", "cell": red[0].cell}
    if not lines:
        return {"utterance": "", "when": "current", "cell": ""}
    spoken = next(each for each in material.views if each.id == lines[0].id)
    return {"utterance": spoken.id, "when": "current", "cell": most_changed(spoken)}


def _ordered(lines: Sequence[UtteranceRow]) -> list[UtteranceRow]:
    """
    Sort the utterances by how much they changed, most first; ties keep the order of the workload.
    """
    return sorted(lines, key=lambda row: -row.change_db)
