"""
A specimen: audio with a fault in it, as one more cell of the run, so that it is scored and judged as any cell is.

Pure functions of records. All specimens of a run are scored at one go, and each is held against the cell it was made from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.records.cell import Cell
from harness.records.run import ProcessRecord, Run, Sample
from harness.selftest.specimens import Sound

EVERY, ONE = "every utterance", "one utterance"
AXIS = "specimen"


class Kind(StrEnum):
    """What a specimen is."""

    FAULT = "fault"
    SETTING = "setting"
    """The engine ran with other options than it was asked for."""
    HARMLESS = "harmless"
    """Nothing that anybody could hear: an alarm is a false one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One fault at one strength in one or in every utterance of the cell `base`; `sounds` replace those that the cell made."""

    fault: str
    strength: str
    kind: Kind
    extent: str
    base: str
    sounds: Mapping[str, Sound]


def in_every_and_in_one(specimen: Specimen) -> list[Specimen]:
    """Give the specimen, and another with the fault in its first utterance only, if it has more."""
    first = dict(list(specimen.sounds.items())[:1])
    alone = [replace(specimen, extent=ONE, sounds=first)] if len(specimen.sounds) > 1 else []
    return [replace(specimen, extent=EVERY), *alone]


def slugs_of(run: Run, specimens: Sequence[Specimen]) -> list[str]:
    """Name the cells that the specimens become."""
    cells = {cell.slug: cell for cell in run.cells}
    return [_cell(cells[each.base], number).slug for number, each in enumerate(specimens)]


def with_specimens(run: Run, specimens: Sequence[Specimen]) -> Run:
    """Give the run with a cell more for each specimen: what its base left, but for the sounds that are replaced."""
    cells = {cell.slug: cell for cell in run.cells}
    added = [(_cell(cells[each.base], number), each) for number, each in enumerate(specimens)]
    processes = [process for cell, each in added for process in _processes(run, cell.slug, each)]
    return replace(run, cells=(*run.cells, *(cell for cell, _ in added)), processes=(*run.processes, *processes))


def _cell(base: Cell, number: int) -> Cell:
    return replace(base, axes={**base.axes, AXIS: number})


def _processes(run: Run, slug: str, specimen: Specimen) -> list[ProcessRecord]:
    def planted(sample: Sample) -> Sample:
        sound = specimen.sounds.get(sample.request)
        if sound is None:
            return replace(sample, cell=slug)
        kept = None if sample.audio_file is None else str(sound.file)
        return replace(
            sample,
            cell=slug,
            audio_file=kept,
            audio_s=sound.audio_s,
            joins_s=sound.joins_s,
            audio_sha256="planted",
        )

    bases = [process for process in run.processes if process.cell == specimen.base]
    return [replace(process, cell=slug, samples=tuple(map(planted, process.samples))) for process in bases]
