"""
A stage that claims to be faster while the whole is not, on the real path: workers, run folders,
judgement, reports.

It is the story of a TensorRT vocoder: 1.96 times as fast alone, and the whole 16 % slower.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness import fake_runs
from tests.harness.fake_runs import accepted, good_run, policy
from tests.harness.in_process import ALONE, ChildHere
from voxgate import Suite
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import Measurements, by_name
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import Baseline, of_run
from voxgate.harness.judging.explain import notices
from voxgate.harness.judging.judge import judge
from voxgate.harness.machine import power_meter
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.records.measurement import Measurement, UtteranceValue
from voxgate.harness.records.run import Run, SynthesisNotice, failure_of
from voxgate.harness.records.verdict import (
    CellVerdict,
    RemarkKind,
    RunVerdict,
    Verdict,
    judgement_from_dict,
    judgement_to_dict,
)
from voxgate.harness.report.contents import build_report
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.page import page
from voxgate.harness.report.pr_comment import CommentLinks, comment
from voxgate.harness.report.terminal import report_lines
from voxgate.harness.runner import run_folder, worker_pool
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.scoring.score_run import TAKES_DIFFER, score_run

Make = Callable[..., Suite]
Script = Callable[[dict[str, Any]], None]
NOTHING = Baseline(quality=None, speed=None)
TENSORRT = {"slower": 1.16, "stage": "vocoder", "alone": {"vocoder": 0.51 * 0.03 / 0.046}}
"""Alone 0.51 of the 30 ms that the vocoder takes; in the whole it takes 16 ms more."""


def test_what_the_engine_tells_is_noted_of_the_cell(tmp_path: Path) -> None:
    run = good_run(tmp_path / "runs/0001")
    told = (
        SynthesisNotice(kind="cut", text="the ship sails " * 9),
        SynthesisNotice(kind="mumbled", text="noon"),
        SynthesisNotice(kind="spoken", text="at twelve"),
        SynthesisNotice(kind="dropped", text="\u65e5#\u65e5\x1b"),
    )
    processes = tuple(
        replace(
            process,
            iterations=tuple(
                replace(each, notices=told if each.request == "u02" else ())
                for each in process.iterations
            ),
        )
        if process.cell == "nfe-8"
        else process
        for process in run.processes
    )
    told_run = replace(run, processes=processes)
    cells = {cell.cell: cell for cell in fake_runs.judged(told_run, accepted(tmp_path, run)).cells}

    count = len({each.request for each in processes[0].iterations})
    assert cells["nfe-8"].notices == (
        f"the engine's limit of tokens cut short 1 of {count} requests, u02 at "
        f"{('the ship sails ' * 9)[:60]!a}",
        f"the engine tells mumbled of 1 of {count} requests, u02 at 'noon'",
        f"the engine left out characters that it cannot say, in 1 of {count} requests, u02 at "
        "'\u65e5#\\x1b'",
    )
    kinds = {remark.kind for remark in cells["nfe-8"].remarks}
    assert RemarkKind.SYNTHESIS_NOTICE in kinds
    assert cells["nfe-32"].notices == () and cells["nfe-8"].verdict is Verdict.PASS


@pytest.fixture(name="measured")
def _measured(
    make_suite: Make, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Measures two cells of the scripted engine as a script changes them."""

    class Quiet(ChildHere):
        said: list[str] = []  # noqa: RUF012

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Quiet)
    # a machine without a power meter
    monkeypatch.setattr(power_meter, "here", lambda: SystemRoot(root=tmp_path))

    def run(changes: Mapping[str, object], **suite_of: Any) -> Run:
        script(dict(changes))
        suite = make_suite(
            repeats=3, iterations=4, fixed={"audio_s": 0.1, "jitter": 0.004}, **suite_of
        )
        folder = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        assert run_suite(suite, suite.expand().cells, ALONE, folder).complete
        return run_folder.load_run(folder)

    return run


def judged(head: Run, base: Run | None = None) -> tuple[RunVerdict, Measurements]:
    found = aggregate(head, {})
    baseline = NOTHING if base is None else of_run(base, aggregate(base, {}))
    return judge(head, found, baseline, policy()), found


def cell(judgement: RunVerdict, slug: str) -> CellVerdict:
    return next(cell for cell in judgement.cells if cell.cell == slug)


def test_against_the_baseline_it_says_which_stage_how_much_alone_and_what_the_whole_did(
    measured: Callable[..., Run],
) -> None:
    base, head = measured({}), measured({"steps-8": TENSORRT})
    (told,) = cell(judged(head, base)[0], "steps-8").notices
    assert told.startswith("vocoder alone -49.")
    assert "against the baseline (30.2 -> 15.4 ms a call), but the whole +16." in told
    assert told.endswith("] (rtf 1.001 -> 1.162)")


def test_against_the_reference_cell_too(measured: Callable[..., Run]) -> None:
    judgement, _ = judged(measured({"steps-4": TENSORRT}))
    assert cell(judgement, "steps-8").notices == ()
    (told,) = cell(judgement, "steps-4").notices
    assert (
        told.startswith("vocoder alone -49.")
        and "against the reference cell (30.2 -> 15.4 ms a call)" in told
    )


@pytest.mark.parametrize(
    "honest",
    [
        {},
        {"alone": {"vocoder": 0.97}},
        {"alone": {"vocoder": 0.5}, "slower": 0.9, "stage": "vocoder"},
        {"slower": 1.16, "stage": "vocoder"},
    ],
    ids=[
        "nothing changed",
        "too little to speak of",
        "the whole is faster, too",
        "slower both alone and as a whole",
    ],
)
def test_where_nothing_is_hidden_nothing_is_said(
    measured: Callable[..., Run], honest: dict[str, Any]
) -> None:
    base, head = measured({}), measured({"steps-8": honest})
    assert cell(judged(head, base)[0], "steps-8").notices == ()


CHUNKED = {"axes": {"chunks": [1, 4]}, "reference": {"chunks": 1}}
"""
As suite `streaming` has it: the same text in one chunk and in four, so that a call has a quarter of
the work.
"""
DEARER = {"slower": 1.1, "stage": "acoustic"}
"""What short chunks cost on the whole."""


def test_shorter_chunks_are_not_taken_for_a_faster_stage(measured: Callable[..., Run]) -> None:
    """
    Their calls alone take a fourth of the time of the reference cell's, and the whole takes longer.
    """
    judgement, found = judged(measured({"chunks-4": DEARER}, **CHUNKED))
    calls = {
        slug: by_name(found[slug])["alone.vocoder"].summary for slug in ("chunks-1", "chunks-4")
    }
    assert calls == {
        "chunks-1": pytest.approx(0.03, rel=0.01),
        "chunks-4": pytest.approx(0.0075, rel=0.01),
    }
    assert by_name(found["chunks-4"])["rtf"].summary == pytest.approx(1.1, rel=0.01)
    assert cell(judgement, "chunks-4").notices == ()


def test_chunks_of_the_same_length_are_compared_all_the_same(measured: Callable[..., Run]) -> None:
    base, head = measured({}, **CHUNKED), measured({"chunks-4": TENSORRT}, **CHUNKED)
    (told,) = cell(judged(head, base)[0], "chunks-4").notices
    assert told.startswith("vocoder alone -49.") and "against the baseline" in told


def test_another_chunking_than_in_the_baseline_is_not_taken_for_a_faster_stage(
    measured: Callable[..., Run],
) -> None:
    """A default that changed: the cell asks for the same as before, and its calls are shorter."""
    base, head = measured({}), measured({"steps-8": {"options": {"chunks": 4}}})
    judgement, _ = judged(head, base)
    assert cell(judgement, "steps-8").notices == ()


@pytest.mark.parametrize("old", ["base", "head", "both"])
def test_nothing_is_said_where_nobody_noted_how_much_work_it_was(
    measured: Callable[..., Run], old: str
) -> None:
    sides = {"base": measured({}), "head": measured({"steps-8": TENSORRT})}
    for name, run in sides.items():
        if old in (name, "both"):
            _forget_work(Path(run.folder))
    base, head = (run_folder.load_run(Path(run.folder)) for run in sides.values())
    judgement, found = judged(head, base)
    assert by_name(found["steps-8"])["alone.vocoder"].summary == pytest.approx(0.0153, rel=0.01)
    assert cell(judgement, "steps-8").notices == ()


def _forget_work(folder: Path) -> None:
    """Make it a run folder of the fifth schema."""
    header = folder / "run.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), "schema_version": 5}))
    for path in (folder / "processes").glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            record.pop("work", None)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def test_it_changes_no_verdict(measured: Callable[..., Run]) -> None:
    base = measured({})
    plain, hidden = (
        measured({"steps-8": {**TENSORRT, "alone": claim}}) for claim in ({}, TENSORRT["alone"])
    )
    before, after = (cell(judged(head, base)[0], "steps-8") for head in (plain, hidden))
    assert after.notices and not before.notices
    assert (after.verdict, [metric.verdict for metric in after.metrics]) == (
        before.verdict,
        [metric.verdict for metric in before.metrics],
    )
    assert after.verdict is Verdict.REGRESSED


def test_without_a_baseline_of_the_stages_nothing_is_said(measured: Callable[..., Run]) -> None:
    head = measured({"steps-8": TENSORRT})
    assert cell(judged(head)[0], "steps-8").notices == ()


def test_every_report_shows_it(measured: Callable[..., Run]) -> None:
    run = measured({"steps-8": TENSORRT})
    judgement, found = judged(run, measured({}))
    contents = build_report(run, found, judgement)
    (told,) = cell(judgement, "steps-8").notices
    terminal = " ".join(" ".join(line.plain for line in report_lines(contents, 140)).split())
    assert f"notice: {told}" in terminal
    assert "notice: vocoder alone -49." in markdown(contents)
    assert "notice: vocoder alone -49." in page(contents, lambda request: ())
    document = json.loads(json.dumps(judgement_to_dict(judgement), allow_nan=False))
    assert "Notices, which decide nothing:\n\n- steps=8" in comment(document, CommentLinks())


def test_the_page_shows_the_stages_alone_beside_the_whole(measured: Callable[..., Run]) -> None:
    judgement, found = judged(run := measured({"steps-8": {**TENSORRT, "unstaged_s": 0.002}}))
    text = page(build_report(run, found, judgement), lambda request: ())
    table = text.partition("<caption>Stages of steps=8 (reference), ms</caption>")[2].partition(
        "</table>"
    )[0]
    rows = [line for line in table.splitlines() if line.startswith('<tr><th scope="row">')]
    names = [row.partition('row">')[2].partition("<")[0] for row in rows]
    assert names == ["text", "content", "acoustic", "vocoder", "unaccounted"]
    cells = [part.partition("<")[0] for part in rows[3].split('class="number">')[1:]]
    assert [round(float(cell)) for cell in cells] == [46, 46, 15]
    assert [part.partition("<")[0] for part in rows[4].split('class="number">')[1:]] == [
        "-",
        "2.0",
        "-",
    ]


def test_a_run_without_the_pass_has_no_table(measured: Callable[..., Run]) -> None:
    judgement, found = judged(run := measured({}))
    bare = {
        slug: [each for each in several if not each.metric.startswith(("synced.", "alone."))]
        for slug, several in found.items()
    }
    assert "<caption>Stages of" not in page(build_report(run, bare, judgement), lambda request: ())


def test_notices_survive_json_and_older_documents_have_none(measured: Callable[..., Run]) -> None:
    judgement, _ = judged(measured({"steps-8": TENSORRT}), measured({}))
    data = json.loads(json.dumps(judgement_to_dict(judgement), allow_nan=False))
    assert judgement_from_dict(data) == judgement
    for each in data["cells"]:
        each.pop("notices", None)
    assert all(cell.notices == () for cell in judgement_from_dict(data).cells)


def test_a_stranger_s_notice_is_shown_as_text_or_refused(measured: Callable[..., Run]) -> None:
    judgement, _ = judged(measured({"steps-8": TENSORRT}), measured({}))
    data = json.loads(json.dumps(judgement_to_dict(judgement), allow_nan=False))
    data["cells"][0]["notices"] = ["<img src=x> @all [x](https://e.vil)"]
    assert "<img" not in comment(data, CommentLinks()) and "@all" not in comment(
        data, CommentLinks()
    )
    data["cells"][0]["notices"] = [{"a": 1}]
    with pytest.raises(HarnessError, match=r"cells\[0\].notices\[0\]: must be text"):
        comment(data, CommentLinks())


def alone(name: str, times_s: list[list[float]], version: str = "1") -> Measurement:
    values = tuple(
        UtteranceValue(id="process", value=each, repeat=r)
        for r, several in enumerate(times_s)
        for each in several
    )
    middle = sorted(each for several in times_s for each in several)[sum(map(len, times_s)) // 2]
    fixed = {"unit": "s", "better": "lower", "low": None, "high": None}
    return Measurement(metric=name, version=version, values=values, summary=middle, **fixed)


def whole(times_s: list[list[float]]) -> list[Measurement]:
    return [alone("rtf", times_s), alone("duration", [[1.0]])]


@pytest.mark.parametrize(
    ("before_s", "now_s", "said"),
    [
        ([[1.0, 1.1, 1.2]], [[0.8, 0.9, 0.9]], True),
        ([[1.0, 1.1, 1.2]], [[0.9, 1.01, 1.2]], False),
        ([[1.0, 1.0], [1.01, 1.0], [1.0, 1.02]], [[0.8, 0.8], [0.81, 0.8], [0.8, 0.82]], True),
        ([[1.0, 1.0], [1.4, 1.4], [0.7, 0.7]], [[0.8, 0.8], [1.2, 1.2], [0.6, 0.6]], False),
    ],
    ids=[
        "one process, all times apart",
        "one process, times overlap",
        "several, proven",
        "several, chance",
    ],
)
def test_chance_is_no_notice(
    before_s: list[list[float]], now_s: list[list[float]], said: bool
) -> None:
    same = whole([[0.5, 0.51], [0.5, 0.52], [0.51, 0.5]])
    sides = (
        alone("alone.vocoder", times_s, version="2; the same work") for times_s in (before_s, now_s)
    )
    measurements = {slug: [side, *same] for slug, side in zip(("ref", "new"), sides, strict=True)}
    assert bool(notices("new", measurements, (), NOTHING, "ref")) is said


UNSEEN = {"unobserved": ["noise", "quantization"]}
SILENT = {"axes": {"quantization": ["none", "int8"]}, "reference": {"quantization": "none"}}
"""Of which nothing is heard: the audio is the same to the bit."""


def test_an_option_that_nobody_saw_and_nobody_hears_is_noticed(
    measured: Callable[..., Run],
) -> None:
    (told,) = cell(judged(measured({"*": UNSEEN}, **SILENT))[0], "quantization-int8").notices
    assert told.startswith(
        "nothing was observed of quantization=int8, and the audio is the reference cell's to the "
        "bit"
    )


@pytest.mark.parametrize(
    ("changes", "suite_of"),
    [({}, SILENT), ({"*": UNSEEN}, {"axes": {"noise": [0.0, 0.5]}, "reference": {"noise": 0.0}})],
    ids=["it was observed", "it is heard"],
)
def test_an_option_that_shows_is_not_noticed(
    measured: Callable[..., Run], changes: dict[str, Any], suite_of: dict[str, Any]
) -> None:
    judgement, _ = judged(measured(changes, **suite_of))
    assert [cell.notices for cell in judgement.cells] == [(), ()]


SEEDLESS = {"*": {"seedless": True}}


def test_an_unchanged_engine_without_a_seed_is_neither_failed_nor_regressed(
    measured: Callable[..., Run], tmp_path: Path
) -> None:
    """
    What `ab HEAD .` sees of stock Piper: other audio of another length each time, and no promise
    that it breaks.
    """
    quality = {"metrics": ["snr", "pesq", "loudness", "clicks", "duration"]}
    base, head = (measured(SEEDLESS, **quality) for _ in range(2))
    sides = []
    for run in (base, head):
        scores = score_run(run, tmp_path / "golden", cache_dir=tmp_path / "cache", workers=1)
        sides.append(aggregate(run, scores.values, versions=scores.versions))
    judgement = judge(head, sides[1], of_run(base, sides[0]), policy(), paired=True)
    verdicts = {metric.metric: metric.verdict for metric in cell(judgement, "steps-8").metrics}
    assert not {Verdict.FAILED, Verdict.REGRESSED, Verdict.NO_BASELINE} & set(verdicts.values()), (
        judgement.cells
    )
    assert verdicts["snr"] is Verdict.UNRESOLVED and verdicts["loudness"] in (
        Verdict.PASS,
        Verdict.UNRESOLVED,
    )
    assert by_name(sides[1]["steps-8"])["snr"].summary == TAKES_DIFFER
    (notice,) = cell(judgement, "steps-8").notices
    assert notice.startswith("the engine speaks otherwise each time, and nobody asked for a seed")
    assert failure_of("steps-8", head) is None, "and so it can be accepted"
