"""
The audio that a page carries: golden, reference and every cell, per utterance, each different clip once.

Knows how much a page may weigh; plays nothing and compares nothing but hashes.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records.cell import Request
from harness.report.contents import GOLDEN, AudioLoader, Contents, cell_of

BUDGET_BYTES = 10 * 2**20
"""Of audio before base64 makes it a third larger; keeps a page with its pictures below 15 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One request and what can be heard of it: slug or `golden` -> clip id."""

    id: str
    text: str
    takes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The clips of a page (id -> data URI), and how many utterances the workload has beyond those shown."""

    utterances: tuple[Utterance, ...]
    clips: Mapping[str, str]
    left_out: int


def listening(contents: Contents, load: AudioLoader, budget_bytes: int = BUDGET_BYTES) -> Listening:
    """Collect the audio of the first utterances, as many as fit into `budget_bytes`."""
    requests = _requests(contents)
    clips: dict[str, bytes] = {}
    shown: list[Utterance] = []
    for request in requests:
        found = _clips(contents, load, request)
        fresh = {_clip_id(data): data for data in found.values()}
        if sum(map(len, {**clips, **fresh}.values())) > budget_bytes:
            break
        clips.update(fresh)
        takes = {source: _clip_id(data) for source, data in found.items()}
        shown.append(Utterance(id=request.id, text=request.text, takes=takes))
    audible = tuple(each for each in shown if each.takes)
    uris = {name: f"data:audio/wav;base64,{base64.b64encode(data).decode()}" for name, data in clips.items()}
    return Listening(utterances=audible, clips=uris, left_out=len(requests) - len(shown))


def _requests(contents: Contents) -> Sequence[Request]:
    cell = cell_of(contents.run, contents.run.reference) or next(iter(contents.run.cells), None)
    return cell.workload.requests if cell is not None else ()


def _clips(contents: Contents, load: AudioLoader, request: Request) -> dict[str, bytes]:
    sources = dict.fromkeys([GOLDEN, contents.run.reference, *(cell.slug for cell in contents.run.cells)])
    found = {source: load(source, request.id) for source in sources}
    return {source: data for source, data in found.items() if data is not None}


def _clip_id(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
