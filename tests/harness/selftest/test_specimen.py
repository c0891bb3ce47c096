"""Specimens are cells like any other: what their base left, with some sounds replaced."""

from dataclasses import replace
from pathlib import Path

from tests.harness.fake_runs import CELLS, make_run, steady
from voxgate.harness.selftest.specimens import (
    EVERY,
    ONE,
    Kind,
    Specimen,
    SpecimenAudio,
    in_every_and_in_one,
    slugs_of,
    sounds_of,
    with_sounds,
    with_specimens,
)

RUN = make_run({cell.slug: steady(0.1, processes=1) for cell in CELLS})
BASE = CELLS[1].slug
SOUNDS = {
    name: SpecimenAudio(file=Path(f"/planted/{name}.wav"), audio_s=3.0, joins_s=(1.0,))
    for name in ("u02", "u05")
}


def specimen(**changes: object) -> Specimen:
    asked = {
        "fault": "click",
        "strength": "1",
        "kind": Kind.FAULT,
        "extent": EVERY,
        "base": BASE,
        "sounds": SOUNDS,
    }
    return Specimen(**{**asked, **changes})


def test_a_specimen_is_a_cell_of_its_own_beside_the_others() -> None:
    specimens = [specimen(), specimen(base=CELLS[0].slug)]
    run = with_specimens(RUN, specimens)
    slugs = slugs_of(RUN, specimens)
    assert [cell.slug for cell in run.cells] == [*(cell.slug for cell in CELLS), *slugs]
    assert slugs == [f"{BASE}.specimen-0", f"{CELLS[0].slug}.specimen-1"]
    assert run.processes[: len(RUN.processes)] == RUN.processes


def test_its_sounds_stand_in_place_of_those_of_its_base_and_the_rest_stays() -> None:
    run = with_specimens(RUN, [specimen()])
    before, after = sounds_of(RUN, BASE), sounds_of(run, f"{BASE}.specimen-0")
    assert {name: sound for name, sound in after.items() if name not in SOUNDS} == {
        name: sound for name, sound in before.items() if name not in SOUNDS
    }
    assert {name: after[name] for name in SOUNDS} == SOUNDS
    lengths = {
        s.request: s.audio_s
        for p in run.processes
        for s in p.iterations
        if p.cell == f"{BASE}.specimen-0"
    }
    assert (lengths["u02"], lengths["u01"]) == (3.0, 2.0)


def test_one_utterance_alone_is_tried_where_there_are_more() -> None:
    every, alone = in_every_and_in_one(specimen())
    assert (every.extent, set(every.sounds)) == (EVERY, {"u02", "u05"})
    assert (alone.extent, set(alone.sounds)) == (ONE, {"u02"})
    assert len(in_every_and_in_one(specimen(sounds={"u02": SOUNDS["u02"]}))) == 1


def test_the_original_of_one_utterance_is_that_of_the_same() -> None:
    original = {name: replace(SOUNDS[name], audio_s=2.5) for name in SOUNDS}
    _, alone = in_every_and_in_one(specimen(original=original))
    assert alone.original == {"u02": original["u02"]}


def test_a_cell_can_be_given_other_sounds() -> None:
    run = with_sounds(RUN, BASE, SOUNDS)
    assert run.cells == RUN.cells and len(run.processes) == len(RUN.processes)
    after = sounds_of(run, BASE)
    assert {name: after[name] for name in SOUNDS} == SOUNDS
    assert sounds_of(run, CELLS[0].slug) == sounds_of(RUN, CELLS[0].slug)
