"""What stands beside a word error rate, when it may, and its file."""

from dataclasses import replace
from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.cell import Request, Workload
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.scoring.asr_floor import (
    Floor,
    FloorUtterance,
    floor_for_workload,
    load_floor,
    rate_of,
    save_floor,
)

TEXTS = {"u1": "One two three four.", "u2": "Five six, ¿siete?"}
WORKLOAD = Workload(
    name="w", requests=tuple(Request(id=name, text=text) for name, text in TEXTS.items())
)


def utterance(text: str, errors: int, words: int) -> FloorUtterance:
    return FloorUtterance(
        text=text,
        heard='they "said" so',
        words=ErrorCounts(errors=errors, reference_words=words),
        chars=ErrorCounts(errors=2 * errors, reference_words=5 * words),
    )


FLOOR = Floor(
    workload="w",
    speaker="flite 2.2 (slt)",
    versions={"wer": "1; by ear", "cer": "1; by ear"},
    utterances={"u1": utterance(TEXTS["u1"], 1, 4), "u2": utterance(TEXTS["u2"], 0, 6)},
)


def measured(version: str = "1; by ear", metric: str = "wer") -> Measurement:
    return Measurement(
        metric=metric, unit="1", better="lower", version=version, values=(), summary=0.2
    )


def test_the_floor_is_a_corpus_rate_with_an_interval():
    found = rate_of(FLOOR, "wer")
    assert found.point == 0.1
    assert found.low == 0.0
    assert found.high == 0.25
    assert rate_of(FLOOR, "cer").point == 2 / 50


def test_it_stands_beside_a_rate_of_the_same_judge_on_the_same_texts():
    assert floor_for_workload(FLOOR, WORKLOAD, measured()) == rate_of(FLOOR, "wer")
    assert floor_for_workload(FLOOR, WORKLOAD, measured(metric="cer")) == rate_of(FLOOR, "cer")


def test_another_judge_has_another_floor():
    found = floor_for_workload(FLOOR, WORKLOAD, measured("1; by telephone"))
    assert found == Missing(
        "it was heard by [by ear], this run by [by telephone]; make it again: voxgate floor w"
    )


def test_the_floor_of_another_judge_is_made_by_naming_him():
    found = floor_for_workload(FLOOR, WORKLOAD, measured("1; by telephone"), "faster-whisper")
    assert isinstance(found, Missing)
    assert found.reason.endswith("make it again: voxgate floor w --judge faster-whisper")


@pytest.mark.parametrize(
    "texts", [{"u1": TEXTS["u1"]}, {**TEXTS, "u3": "more"}, {**TEXTS, "u2": "Five six, siete?"}]
)
def test_other_texts_have_another_floor(texts: dict[str, str]):
    workload = Workload(
        name="w", requests=tuple(Request(id=name, text=text) for name, text in texts.items())
    )
    found = floor_for_workload(FLOOR, workload, measured())
    assert isinstance(found, Missing)
    assert "said other texts" in found.reason


def test_a_floor_comes_back_from_its_file_and_reads_as_a_table(tmp_path: Path):
    path = tmp_path / "w.floor.json"
    save_floor(path, FLOOR)
    assert load_floor(path) == FLOOR
    assert path.read_text(encoding="utf-8").splitlines()[5:8] == [
        '"utterances": {',
        '"u1": {"chars": [2, 20], "heard": "they \\"said\\" so", "text": "One two three four.", '
        '"words": [1, 4]},',
        '"u2": {"chars": [0, 30], "heard": "they \\"said\\" so", "text": "Five six, ¿siete?", '
        '"words": [0, 6]}',
    ]


def test_no_file_is_no_floor(tmp_path: Path):
    assert load_floor(tmp_path / "absent.floor.json") is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"schema_version": 1', '"schema_version": 2', "it has schema 2, this voxgate reads 1"),
        ('"speaker"', '"who"', "it: has the unknown key .who."),
        ("[1, 4]", "[1, 0]", r"words\[1\]: 0 must be at least 1"),
        ("[1, 4]", '"4"', "words: must be a list of 2 values"),
        ("[1, 4]", "[-1, 4]", "-1 must be at least 0"),
        ("[1, 4]", "[NaN, 4]", "NaN is no finite number"),
        ('"heard"', '"herd"', "it: utterances.u1: has the unknown key .herd."),
        ('"utterances": {', '"utterances": [], "x": {', "has the unknown key .x."),
        ('"versions": {', '"versions": [], "versions": {', "stands there twice"),
        ("{", "", "is not valid JSON"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, old: str, new: str, message: str):
    path = tmp_path / "w.floor.json"
    save_floor(path, FLOOR)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(HarnessError, match=f"w.floor.json cannot be read .*{message}"):
        load_floor(path)


def test_a_floor_without_utterances_is_none(tmp_path: Path):
    path = tmp_path / "w.floor.json"
    save_floor(path, replace(FLOOR, utterances={}))
    with pytest.raises(HarnessError, match=r"utterances: .* must not be empty"):
        load_floor(path)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path):
    with pytest.raises(HarnessError, match="cannot write the floor"):
        save_floor(tmp_path / "absent" / "w.floor.json", FLOOR)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"5", b"\xff", b"[" * 100_000, b'{"schema_version": 1, "utterances": []}'],
)
def test_what_is_no_floor_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "w.floor.json").write_bytes(content)
    with pytest.raises(HarnessError, match=r"the floor .*w.floor.json cannot be read"):
        load_floor(tmp_path / "w.floor.json")
