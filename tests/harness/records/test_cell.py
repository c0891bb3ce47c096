"""What identifies a cell, and that it is read as it was written."""

import json
from dataclasses import replace

from voxgate.harness.records.cell import Cell, Request, Workload, cell_from_json, cell_to_json

PLAIN = Workload(
    name="w",
    requests=(
        Request(id="q", text="You went?", options={"speaker": "slt"}),
        Request(id="s", text="You went."),
    ),
)
MARKED = replace(
    PLAIN,
    requests=(
        replace(PLAIN.requests[0], statement="s", emphasis="went", language="es"),
        PLAIN.requests[1],
    ),
    voices={"slt": "voices/slt.flac"},
)


def cell(workload: Workload, **fixed: str) -> Cell:
    return Cell(
        suite="x", target="t", pipeline="p", workload=workload, axes={"steps": 8}, fixed=fixed
    )


def test_a_cell_is_read_as_it_was_written() -> None:
    for workload in (PLAIN, MARKED):
        assert cell_from_json(json.loads(json.dumps(cell_to_json(cell(workload))))) == cell(
            workload
        )


def test_a_plain_cell_is_written_as_ever() -> None:
    data = cell_to_json(cell(PLAIN))["workload"]
    assert data == {
        "name": "w",
        "requests": [
            {"id": "q", "text": "You went?", "options": {"speaker": "slt"}},
            {"id": "s", "text": "You went.", "options": {}},
        ],
    }


def test_what_is_said_about_a_text_is_part_of_what_is_asked_and_the_recordings_are_not() -> None:
    """The first figure is fixed here because baselines of other machines carry it."""
    assert PLAIN.digest() == replace(PLAIN, voices=MARKED.voices).digest() == "71220cb6c0bf"
    questions = (replace(PLAIN.requests[0], statement="s"), PLAIN.requests[1])
    assert len({PLAIN.digest(), MARKED.digest(), replace(PLAIN, requests=questions).digest()}) == 3


def test_the_voice_is_that_of_the_speaker_of_the_request_or_of_the_cell() -> None:
    asked, plain = MARKED.requests
    assert cell(MARKED).voice_of(asked) == "voices/slt.flac"
    assert cell(MARKED).voice_of(plain) is None
    assert cell(MARKED, speaker="slt").voice_of(plain) == "voices/slt.flac"
    assert cell(MARKED, speaker="rms").voice_of(plain) is None


def test_a_file_gives_a_cell_its_own_name_and_nothing_is_called_none() -> None:
    cells = [
        replace(cell(PLAIN), axes={"reference": value})
        for value in ("harness/workloads/voices/slt-1s.flac", "")
    ]

    assert [each.slug for each in cells] == ["reference-slt-1s.flac", "reference-none"]
    assert [each.label for each in cells] == ["reference=slt-1s.flac", "reference=none"]
