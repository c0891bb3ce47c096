"""
The baseline on disk: what accept writes, what it refuses, and what loading says of a broken file.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.harness.fake_runs import (
    REQUESTS,
    accepted,
    good_run,
    make_run,
    make_scores,
    policy,
    steady,
    with_audio,
)
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.audio.files import read_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.accept import accept, change_line
from voxgate.harness.judging.baseline import load_baseline
from voxgate.harness.judging.baseline_file import parse, render
from voxgate.harness.records.environment import environment_from_json, facts_of
from voxgate.harness.records.measurement import Missing, UtteranceValue
from voxgate.harness.records.run import Failure, FailureKind, OptionCheck
from voxgate.harness.records.verdict import Limit
from voxgate.harness.scoring.kept_scores import golden_digest


def quality(tmp_path: Path) -> Path:
    return tmp_path / "baselines/smoke/quality.json"


def refuse(tmp_path: Path, run, said: str, why: str = "better", **options) -> None:
    with pytest.raises(HarnessError, match=said):
        accept(run, aggregate(run, make_scores(run)), why, tmp_path / "baselines", **options)
    assert not quality(tmp_path).exists()


REJECT = Limit(
    relative=0.05, absolute=0.01, blocking=True, against="intrinsic", evidence="none", reject=0.8
)
SILENT = Missing("silent")
FLOOR = replace(REJECT, reject=None, min_acceptable=0.8, floor_fails=True)


@pytest.mark.parametrize("only", [None, "speed", "quality"])
@pytest.mark.parametrize(
    ("limit", "said"), [(REJECT, "no baseline excuses"), (FLOOR, "which the policy demands")]
)
def test_a_value_that_no_baseline_excuses_becomes_none(
    tmp_path: Path, limit: Limit, said: str, only: str | None
) -> None:
    run = with_audio(good_run(tmp_path / "runs/0001"))
    options = {"only": only, "loaded": True}
    bad = aggregate(run, make_scores(run, wer=0.95))
    with pytest.raises(HarnessError, match=rf"cell nfe-\S+ failed \(wer: 0\.95 .*{said}"):
        accept(run, bad, "hum", tmp_path / "baselines", **options, policy={"wer": limit})
    assert not (tmp_path / "baselines").exists()
    accept(run, bad, "hum", tmp_path / "baselines", **options, policy={"rtf": limit})


def test_a_rejected_cell_alone_is_left_out_of_a_partial_baseline(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "runs/0001"))
    good = aggregate(run, make_scores(run))
    bad = {**good, "nfe-8": aggregate(run, make_scores(run, wer=0.95))["nfe-8"]}
    folder, policy = tmp_path / "baselines", {"wer": REJECT}
    with pytest.raises(HarnessError, match="cell nfe-8 failed"):
        accept(run, bad, "hum", folder, policy=policy)
    accept(run, bad, "hum", folder, policy=policy, partial=True)
    kept = json.loads(quality(tmp_path).read_text())["measurements"]
    assert {line.split()[0] for line in kept} == {"nfe-32"}


def test_a_run_that_lost_the_value_of_a_blocking_metric_is_refused(tmp_path: Path) -> None:
    """As `check` says: FAILED. Otherwise nothing would ever hold the metric again."""
    accepted(tmp_path)
    run, folder = with_audio(good_run(tmp_path / "runs/0002")), tmp_path / "baselines"
    before = quality(tmp_path).read_text()
    lost = aggregate(run, make_scores(run, pesq={**dict.fromkeys(REQUESTS, 3.6), "u03": SILENT}))
    said = (
        r"cell nfe-8 failed \(pesq: no value, though the baseline has one: .*u03: silent.*blocking"
    )
    with pytest.raises(HarnessError, match=said):
        accept(run, lost, "quieter", folder, policy=policy())
    assert quality(tmp_path).read_text() == before
    given_up = {**policy(), "pesq": replace(policy()["pesq"], blocking=False)}
    accept(run, lost, "quieter", folder, policy=given_up)
    assert quality(tmp_path).read_text() != before


def test_a_metric_that_the_suite_gave_up_is_no_failure(tmp_path: Path) -> None:
    accepted(tmp_path)
    run = with_audio(good_run(tmp_path / "runs/0002"))
    fewer = {
        slug: tuple(each for each in measured if each.metric != "pesq")
        for slug, measured in aggregate(run, make_scores(run)).items()
    }
    changes = accept(run, fewer, "no PESQ any more", tmp_path / "baselines", policy=policy())
    assert {(each.metric, each.new) for each in changes} == {("pesq", None)}


def test_a_run_of_some_cells_does_not_lose_the_others(tmp_path: Path) -> None:
    accepted(tmp_path)
    run = with_audio(make_run({"nfe-32": steady(0.4)}, tmp_path / "runs/0002"))
    run = replace(run, unmeasured={"nfe-8": "nfe=8"})
    measured, folder = aggregate(run, make_scores(run)), tmp_path / "baselines"
    with pytest.raises(HarnessError, match="did not measure nfe-8, whose baseline would be lost"):
        accept(run, measured, "one cell", folder)
    accept(run, measured, "one cell", folder, partial=True)
    kept = json.loads(quality(tmp_path).read_text())["measurements"]
    assert {line.split()[0] for line in kept} == {"nfe-32"}


def test_a_run_whose_watermark_is_lost_is_refused(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "runs/0001"))
    measured = aggregate(run, make_scores(run))
    found = replace(
        by_name(measured["nfe-8"])["clicks"],
        metric="watermark_detected",
        values=(UtteranceValue(id="u01", value=0.1),),
        summary=0.1,
    )
    marked = {**measured, "nfe-8": (*measured["nfe-8"], found)}
    with pytest.raises(
        HarnessError, match=r"cell nfe-8 failed \(not in effect: asked for watermark"
    ):
        accept(run, marked, "quieter", tmp_path / "baselines")


def test_both_files_have_one_line_per_cell_and_metric_in_order(tmp_path: Path) -> None:
    accepted(tmp_path)
    for name in ("quality.json", "speed@box-2c.json"):
        text = (tmp_path / "baselines/smoke" / name).read_text()
        keys = list(json.loads(text)["measurements"])
        assert keys == sorted(keys)
        lines = [line for line in text.splitlines() if line.startswith(('"nfe-8 ', '"nfe-32 '))]
        assert len(lines) == len(keys) > 10
        assert json.loads(text)["why"] == "first"


def test_quality_knows_no_seconds_and_speed_keeps_processes(tmp_path: Path) -> None:
    baseline = accepted(tmp_path)
    assert not {"latency_p50", "stage.vocoder"} & set(baseline.quality.measurements["nfe-8"])
    assert {
        value.repeat for value in baseline.speed.measurements["nfe-8"]["latency_p50"].values
    } == {
        0,
        1,
        2,
    }
    assert "pesq" not in baseline.speed.measurements["nfe-8"]


def test_what_is_loaded_is_what_was_measured_up_to_rounding(tmp_path: Path) -> None:
    baseline, run = accepted(tmp_path), good_run()
    expected = by_name(aggregate(run, make_scores(run))["nfe-8"])["latency_p50"]
    found = baseline.speed.measurements["nfe-8"]["latency_p50"]
    numbers = [dict(zip("ab", (m.summary, m.low), strict=True)) for m in (expected, found)]
    assert numbers[1] == pytest.approx(numbers[0], rel=1e-6)
    by_id = sorted((value.repeat, value.id, value.value) for value in found.values)
    wanted = sorted((value.repeat, value.id, value.value) for value in expected.values)
    assert [each[2] for each in by_id] == pytest.approx([each[2] for each in wanted], rel=1e-6)


def test_writing_what_was_read_changes_nothing(tmp_path: Path) -> None:
    accepted(tmp_path)
    text = quality(tmp_path).read_text()
    assert render(parse(text, "quality.json")) == text


def test_accept_says_old_and_new(tmp_path: Path) -> None:
    accepted(tmp_path)
    run = make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.2)}, tmp_path / "runs/0001")
    changes = accept(
        run, aggregate(run, make_scores(run)), "slower on purpose", tmp_path / "baselines"
    )
    assert {change.cell for change in changes} == {"nfe-8"}
    assert "nfe-8 latency_p50: 0.1002 -> 0.2004 s" in [change_line(change) for change in changes]


def test_the_first_accept_says_that_there_was_none(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path))
    changes = accept(run, aggregate(run, make_scores(run)), "first", tmp_path / "baselines")
    assert "nfe-8 pesq: none -> 3.6 MOS-LQO" in [change_line(change) for change in changes]
    ratios = [each for each in changes if each.unit == "1" and isinstance(each.new, float)]
    assert ratios, "a ratio is a bare number: its unit, 1, would read as another figure"
    assert all(change_line(each).endswith(f"-> {each.new:.4g}") for each in ratios)


def test_golden_audio_is_the_reference_cells_and_nothing_older(tmp_path: Path) -> None:
    golden = tmp_path / "baselines/smoke/golden"
    golden.mkdir(parents=True)
    (golden / "gone.flac").write_bytes(b"x")
    accepted(tmp_path)
    assert sorted(path.stem for path in golden.iterdir()) == sorted(REQUESTS)
    audio, rate_hz = read_audio(golden / "u03.flac")
    assert rate_hz == 16_000
    assert np.allclose(audio, 0.02, atol=2**-15)


def test_values_against_the_golden_audio_become_those_against_the_reference(tmp_path: Path) -> None:
    """
    What was the reference's audio is the golden audio from now on, whatever the run was scored
    against.
    """
    stored = accepted(tmp_path, snr=17.0, golden_snr=3.0).quality.measurements
    assert stored["nfe-8"]["golden_snr"].summary == 17.0
    assert stored["nfe-32"]["golden_snr"].summary == 120.0


def test_speed_alone_leaves_quality_and_golden_audio_as_they_are(tmp_path: Path) -> None:
    accepted(tmp_path)
    kept = {
        path: path.read_bytes()
        for path in (tmp_path / "baselines").rglob("*")
        if path.is_file() and "speed@" not in path.name
    }
    run = with_audio(
        make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.2)}, tmp_path / "runs/0001"), step=0.05
    )
    changes = accept(
        run,
        aggregate(run, make_scores(run, pesq=2.0)),
        "slower",
        tmp_path / "baselines",
        only="speed",
    )
    assert kept == {path: path.read_bytes() for path in kept}
    assert load_baseline(tmp_path / "baselines", "smoke", "box-2c").speed.why == "slower"
    assert "pesq" not in {change.metric for change in changes}


def test_quality_alone_writes_no_speed(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path))
    changes = accept(
        run, aggregate(run, make_scores(run)), "first", tmp_path / "baselines", only="quality"
    )
    assert load_baseline(tmp_path / "baselines", "smoke", "box-2c").speed is None
    assert "latency_p50" not in {change.metric for change in changes}


def test_a_run_needs_a_reason(tmp_path: Path) -> None:
    refuse(tmp_path, with_audio(good_run(tmp_path)), "needs a reason", why="  ")


def test_an_incomplete_run_is_refused_unless_told(tmp_path: Path) -> None:
    run = replace(with_audio(good_run(tmp_path)), complete=False)
    refuse(tmp_path, run, "not complete.*--resume")
    accept(run, aggregate(run, make_scores(run)), "hurry", tmp_path / "baselines", partial=True)
    assert quality(tmp_path).exists()


def test_a_failed_cell_is_refused(tmp_path: Path) -> None:
    run = good_run(tmp_path, failure=Failure(kind=FailureKind.TIMEOUT, reason="60 s"))
    refuse(tmp_path, run, r"cell nfe-32 failed \(timeout: 60 s\)")


def test_an_option_that_is_not_in_effect_is_refused(tmp_path: Path) -> None:
    effect = OptionCheck(
        option="quantization", requested="int8", observed="none", in_effect=False, reason="0 of 74"
    )
    refuse(
        tmp_path,
        good_run(tmp_path, effects=(effect,)),
        "not in effect: asked for quantization=int8",
    )


def test_a_run_without_its_reference_is_refused(tmp_path: Path) -> None:
    refuse(
        tmp_path,
        make_run({"nfe-8": steady(0.1)}, tmp_path),
        "no samples of the reference cell nfe-32",
    )


def test_audio_that_is_gone_leaves_the_old_baseline(tmp_path: Path) -> None:
    refuse(tmp_path, good_run(tmp_path), "cannot read audio")


def test_no_files_are_no_baseline_and_no_error(tmp_path: Path) -> None:
    baseline = load_baseline(tmp_path, "smoke", "box-2c")
    assert baseline.files == ()


def test_a_missing_value_is_kept_with_its_reason(tmp_path: Path) -> None:
    stored = accepted(tmp_path, wer=Missing("no weights")).quality.measurements
    assert stored["nfe-8"]["wer"].summary == Missing("no weights")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"cells": {', '"cells": ['), r"quality.json:\d+: not valid JSON"),
        (
            ('"schema_version": 2', '"schema_version": 3'),
            r"quality.json:2: baseline has schema 3.*upgrade",
        ),
        (('"suite": "smoke"', '"suite": "other"'), "baseline of suite 'other', not of 'smoke'"),
        (('"why": "first",\n', ""), "missing or unknown key 'why'"),
        (('"nfe-8 pesq"', '"nfe-8 peskq"'), r"quality.json:\d+: there is no metric 'peskq'"),
        (
            ('"nfe-8 pesq"', '"nfe-9 pesq"'),
            r"quality.json:\d+: cell 'nfe-9' is not among this file's cells",
        ),
        (('"nfe-8 pesq"', '"nfe-8 cer"'), r'the key "nfe-8 cer" stands there twice'),
        (
            ('"nfe-8 pesq": {"value": 3.6', '"nfe-8 pesq": {"value": NaN'),
            r"quality.json:\d+: NaN is no finite number in .*pesq",
        ),
        (
            ('"nfe-8 pesq": {"value": 3.6', '"nfe-8 pesq": {"value": "good"'),
            r'quality.json:\d+: pesq: value: .*"good"',
        ),
        (('"nfe-8 pesq": {"value": 3.6, ', '"nfe-8 pesq": {'), "pesq: lacks value"),
        (('"u08": [3.6]}]}', "}]}"), "not valid JSON"),
        (
            ('"nfe-8 pesq": {"value": 3.6', '"nfe-8 pesq": {"value": 1000.0'),
            r"value 1000 lies outside its own values, 3.6 to 3.6",
        ),
        (('"nfe-8 pesq": {"value": 3.6', '"nfe-8 pesq": {"value": 1e999'), "a number is too large"),
        (
            ('"nfe-8 pesq": {"value": 3.6, "low": 3.6', '"nfe-8 pesq": {"value": 3.6, "low": 3.7'),
            "upside down: low 3.7, high 3.6",
        ),
        (
            ('"nfe-8 pesq": {"value": 3.6, "low": 3.6', '"nfe-8 pesq": {"value": 3.6, "low": null'),
            "its interval has one end",
        ),
        (
            (
                '"nfe-8 pesq": {"value": 3.6, "low": 3.6, "high": 3.6',
                '"nfe-8 pesq": {"value": 3.6, "low": 1, "high": 2',
            ),
            "outside its interval",
        ),
        (('"created": "2026-11-20T10', '"created": "2026-11-20 at 10'), "is not a time like"),
        (
            ('"unit": "MOS-LQO"', '"unit": "MOS"'),
            "its unit is 'MOS', of golden_pesq it is 'MOS-LQO'",
        ),
        (
            ('"nfe-8 wer": {"value": 0.1', '"nfe-8 wer": {"value": -0.1'),
            "-0.1 1 is no wer; it cannot be below 0",
        ),
        (
            ('"nfe-8 duration"', '"nfe-8 latency_p50"'),
            r"latency_p50 does not belong into a quality baseline",
        ),
        (('"kind": "quality"', '"kind": "speed"'), "golden audio belongs to quality"),
        (
            ('"kind": "quality"', '"kind": "fast"'),
            r"quality.json:4: kind: .*known are quality, speed",
        ),
        (('"reference": "nfe-32"', '"reference": "nfe-64"'), "the reference 'nfe-64' is not among"),
        (('"samples": ', '"samples": -'), r"samples: -\d+ must be at least 1"),
        (('"samples": ', '"samples": 1e3, "x": '), "missing or unknown key 'x'"),
        (('"created": "', '"created": 5, "x": "'), "missing or unknown key 'x'"),
        (('"options": {"nfe": 8}', '"options": {"nfe": [8]}'), r"cell 'nfe-8': options.nfe"),
        (('"nfe-8": {"digest"', '"../nfe-8": {"digest"'), r"cell '../nfe-8': .*is not a name"),
        (('{"u01": [3.6]', '{"../u01": [3.6]'), r"is not a name of letters"),
        (('"u01": "', '"../u01": "'), r"golden: .*is not a name of letters"),
        (('"u01": "', '"u01": "z'), "is not a SHA-256"),
        (('"why": "first"', '"why": "\\ud800"'), r"quality.json:\d+: .*half a character"),
        (('"why": "first"', '"why": ' + "[" * 5000 + "]" * 5000), "nested"),
    ],
)
def test_a_broken_file_is_refused_by_file_line_and_value(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    accepted(tmp_path)
    text = quality(tmp_path).read_text()
    assert change[0] in text
    quality(tmp_path).write_text(
        text.replace(change[0], change[1], 1) if "twice" not in said else text.replace(*change)
    )
    with pytest.raises(HarnessError, match=said) as error:
        load_baseline(tmp_path / "baselines", "smoke", "box-2c")
    assert "quality.json" in str(error.value)


def test_a_wrong_count_of_values_is_refused(tmp_path: Path) -> None:
    accepted(tmp_path)
    quality(tmp_path).write_text(quality(tmp_path).read_text().replace('"n": 8', '"n": 9', 1))
    with pytest.raises(HarnessError, match="n is 9 but there are 8 values"):
        load_baseline(tmp_path / "baselines", "smoke", "box-2c")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('"nfe-8 latency_p50": {"value": 0.', '"nfe-8 latency_p50": {"value": 1000.'),
            r"value 1000\.\d* lies outside its own values",
        ),
        (
            ('"nfe-8 latency_p50": {"value": 0.', '"nfe-8 latency_p50": {"value": -0.'),
            "is no latency_p50; it must be more than 0",
        ),
        (('"kind": "speed"', '"kind": "quality"'), "does not belong into a quality baseline"),
        (('"machine": "box-2c"', '"machine": "box-3c"'), "is a baseline of machine 'box-3c'"),
    ],
)
def test_a_speed_that_cannot_be_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    accepted(tmp_path)
    path = tmp_path / "baselines/smoke/speed@box-2c.json"
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change, 1))
    with pytest.raises(HarnessError, match=said):
        load_baseline(tmp_path / "baselines", "smoke", "box-2c")


def test_every_latency_of_nothing_is_refused(tmp_path: Path) -> None:
    accepted(tmp_path)
    path = tmp_path / "baselines/smoke/speed@box-2c.json"
    data = json.loads(path.read_text())
    data["measurements"]["nfe-8 latency_p50"]["values"][0]["u01"][0] = 0.0
    path.write_text(json.dumps(data))
    with pytest.raises(HarnessError, match="0 s is no latency_p50"):
        load_baseline(tmp_path / "baselines", "smoke", "box-2c")


def test_golden_audio_that_is_not_the_accepted_one_is_refused(tmp_path: Path) -> None:
    accepted(tmp_path)
    golden = tmp_path / "baselines/smoke/golden"
    (golden / "u02.flac").write_bytes((golden / "u03.flac").read_bytes())
    with pytest.raises(HarnessError, match=r"u02.flac is not the accepted audio: its SHA-256 is"):
        load_baseline(tmp_path / "baselines", "smoke", "box-2c")


def test_golden_audio_that_is_missing_or_extra_is_refused(tmp_path: Path) -> None:
    accepted(tmp_path)
    golden = tmp_path / "baselines/smoke/golden"
    (golden / "u02.flac").rename(golden / "x02.flac")
    with pytest.raises(HarnessError, match=r"u02.flac is missing"):
        load_baseline(tmp_path / "baselines", "smoke", "box-2c")
    (golden / "u02.flac").write_bytes((golden / "x02.flac").read_bytes())
    with pytest.raises(HarnessError, match=r"x02.flac is not the audio of any accepted request"):
        load_baseline(tmp_path / "baselines", "smoke", "box-2c")


def test_golden_audio_that_cannot_be_read_or_named_has_one_clear_line(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff.flac")
    odd.write_bytes(b"x")
    assert golden_digest(tmp_path) != "none"
    odd.unlink()
    (tmp_path / "u02.flac").mkdir()
    with pytest.raises(HarnessError, match=r"cannot read .*u02.flac: Is a directory; restore it"):
        golden_digest(tmp_path)


def test_a_baseline_of_the_first_schema_is_read_without_digests(tmp_path: Path) -> None:
    first = accepted(tmp_path).quality
    quality(tmp_path).write_text(render(replace(first, golden=None)))
    assert json.loads(quality(tmp_path).read_text())["schema_version"] == 1
    assert load_baseline(tmp_path / "baselines", "smoke", "box-2c").quality == replace(
        first, golden=None
    )


def test_accept_writes_nothing_that_nobody_can_read_again(tmp_path: Path) -> None:
    accepted(tmp_path)
    before = contents(tmp_path / "baselines")
    run = with_audio(
        make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.2)}, tmp_path / "runs/0001")
    )
    broken = {
        slug: tuple(replace(each, unit="kg") for each in several)
        for slug, several in aggregate(run, make_scores(run)).items()
    }
    with pytest.raises(HarnessError, match=r"cannot become the baseline: .*its unit is 'kg'"):
        accept(run, broken, "nonsense", tmp_path / "baselines")
    assert contents(tmp_path / "baselines") == before


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_accept_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "baselines/smoke"
    accepted(tmp_path)
    (folder / "README.md").write_text("mine")
    (folder / "speed@other.json").write_text("theirs")
    (folder / "quality.json").chmod(0o640)
    accepted(tmp_path)
    assert (folder / "README.md").read_text() == "mine"
    assert (folder / "speed@other.json").read_text() == "theirs"
    assert (folder / "quality.json").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in (tmp_path / "baselines").iterdir()) == ["smoke"]


@pytest.mark.parametrize("suite", ["../smoke", "/tmp/smoke", "a/b", "..", ""])
def test_a_suite_cannot_lead_out_of_the_baselines(tmp_path: Path, suite: str) -> None:
    run = replace(with_audio(good_run(tmp_path / "runs/0001")), suite=suite)
    with pytest.raises(HarnessError, match="cannot name a file"):
        accept(run, aggregate(run, make_scores(run)), "better", tmp_path / "baselines")
    with pytest.raises(HarnessError, match="cannot name a file"):
        load_baseline(tmp_path / "baselines", suite, "box-2c")
    assert not (tmp_path / "smoke").exists()


def test_accept_reads_no_audio_outside_the_run(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    run = with_audio(good_run(tmp_path / "runs/0001"))
    (tmp_path / "runs/0001/audio/nfe-32/u01.wav").rename(secret)
    (tmp_path / "runs/0001/audio/nfe-32/u01.wav").symlink_to(secret)
    refuse(tmp_path, run, "does not lie below .*0001")
    assert not (tmp_path / "baselines/smoke").exists()


def test_accept_writes_through_no_link(tmp_path: Path) -> None:
    """A link in place of a file is replaced; a link in place of the folder is refused."""
    accepted(tmp_path)
    outside = tmp_path / "outside.json"
    outside.write_text("precious")
    (tmp_path / "baselines/smoke/speed@box-2c.json").unlink()
    (tmp_path / "baselines/smoke/speed@box-2c.json").symlink_to(outside)
    with pytest.raises(HarnessError, match="does not lie below"):
        accepted(tmp_path)
    assert outside.read_text() == "precious"
    (tmp_path / "baselines/smoke").rename(tmp_path / "elsewhere")
    (tmp_path / "baselines/smoke").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match="does not lie below"):
        accepted(tmp_path)


LOADED = {"machine": {"id": "box-2c", "cores": 2}, "before": {"load_1min": 5.1}, "after": {}}


def test_speeds_of_a_machine_that_was_not_quiet_need_a_word(tmp_path: Path) -> None:
    """Accepted in silence, the next slow-down read as IMPROVED -60 %."""
    run = with_audio(good_run(tmp_path / "run"))
    run = replace(run, environment=environment_from_json({**facts_of(run.environment), **LOADED}))
    refuse(
        tmp_path,
        run,
        r"not those of a quiet machine: the machine was loaded \(load 5.1 on 2 cores .*add "
        r"--loaded",
    )
    assert not (tmp_path / "baselines").exists()
    accept(run, aggregate(run, make_scores(run)), "heard", tmp_path / "baselines", only="quality")
    accept(run, aggregate(run, make_scores(run)), "shipped", tmp_path / "baselines", loaded=True)
    found = load_baseline(tmp_path / "baselines", "smoke", "box-2c")
    assert found.quality is not None and found.quality.why == "shipped"
    assert (
        found.speed is not None
        and found.speed.why == "shipped (accepted --loaded: the machine was loaded)"
    )


def test_cells_whose_iterations_were_disturbed_need_the_word_too(tmp_path: Path) -> None:
    run = with_audio(good_run(tmp_path / "run"))
    every = [
        replace(
            p,
            iterations=tuple(replace(s, disturbance={"waited_s": s.wall_s}) for s in p.iterations),
        )
        for p in run.processes
    ]
    run = replace(run, processes=(*every[:2], *run.processes[2:]))
    refuse(
        tmp_path,
        run,
        "nfe-32: machine not quiet: .* iterations disturbed .*add --loaded",
        only="speed",
    )
