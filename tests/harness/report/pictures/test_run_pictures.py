"""The pictures of a run: what stands in them, and where."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from tests.harness.fake_runs import REQUESTS, accepted, good_run, make_run, steady
from tests.harness.report.making import contents, lied_to, one_broken, passed, regressed
from voxgate.harness.judging.tradeoff import Point, Tradeoff
from voxgate.harness.records.measurement import Measurement, UtteranceValue
from voxgate.harness.records.run import AudioChunk, Run
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report.contents import Report
from voxgate.harness.report.pictures import waterfall
from voxgate.harness.report.pictures.forest import forest
from voxgate.harness.report.pictures.latency import latency
from voxgate.harness.report.pictures.load_curve import Figure, LoadLevel, knee_of, load_curve
from voxgate.harness.report.pictures.pareto import BOTTOM, NEAR, TOP, USUAL_WIDTH, pareto
from voxgate.harness.report.pictures.quality import QualityCell, quality
from voxgate.harness.report.pictures.run_pictures import RunPictures
from voxgate.harness.report.pictures.streaming import streaming
from voxgate.harness.report.run_record import record_of


def pictures(of: Report) -> RunPictures:
    return record_of(of, lambda request: ()).pictures


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> RunPictures:
    return pictures(regressed(tmp_path_factory.mktemp("slower")))


def measured(name: str, values: list[float], better: str = "lower") -> Measurement:
    return Measurement(
        metric=name,
        unit="s" if name == "latency_p50" else "1",
        better=better,  # type: ignore[arg-type]
        version="1",
        values=tuple(
            UtteranceValue(id=f"u{number}", value=value) for number, value in enumerate(values)
        ),
        summary=sum(values) / len(values),
    )


def test_the_worst_shift_stands_first_beyond_its_limit(slower: RunPictures) -> None:
    found = slower.forest
    assert found is not None
    first = found.rows[0]
    assert (first.label, first.metric, first.mark.kind) == ("nfe=8", "latency_p50", "bad")
    assert first.at > found.limit > found.zero
    assert first.times == pytest.approx(2.0, abs=0.01)
    assert "+10.0 %" in first.change
    assert first.limit == "+5 %"
    assert found.caption.startswith("1 of 2 cells is over a limit; farthest nfe=8")


def test_each_cell_has_one_speed_and_one_quality_and_the_others_are_folded(
    slower: RunPictures,
) -> None:
    assert slower.forest is not None
    assert len(slower.forest.rows) == 4
    rows = {(row.cell, row.metric) for row in slower.forest.rows}
    assert rows.isdisjoint((row.cell, row.metric) for row in slower.forest.folded)
    assert len(slower.forest.folded) > 4


def test_where_larger_is_better_a_fall_points_to_the_right(tmp_path: Path) -> None:
    of = contents(good_run("runs/0002"), accepted(tmp_path), pesq=3.0)
    found = forest(of.judgement.cells)
    assert found is not None
    fallen = next(row for row in found.rows if row.metric == "pesq" and row.mark.kind == "bad")
    assert fallen.times == pytest.approx(0.6 / 0.15, rel=0.01)
    assert fallen.low <= fallen.at <= fallen.high


def test_one_broken_utterance_stands_for_its_metric(tmp_path: Path) -> None:
    of = one_broken(tmp_path)
    found = forest(of.judgement.cells)
    assert found is not None
    first = found.rows[0]
    assert " of u" in first.metric and first.times > 1.0, "its own change over its own limit"
    assert first.low == first.high == first.at, "one utterance has no interval"
    assert first.metric in found.caption and first.limit


def test_a_shift_beyond_the_axis_is_told_as_such(tmp_path: Path) -> None:
    run = make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.3)}, "runs/0002")
    found = forest(contents(run, accepted(tmp_path)).judgement.cells)
    assert found is not None
    assert found.rows[0].is_beyond
    assert found.rows[0].at == 100.0


def test_a_cell_that_failed_for_what_is_no_shift_is_named(tmp_path: Path) -> None:
    found = pictures(lied_to(tmp_path)).forest
    assert found is not None
    assert found.caption == (
        "No shift that counts is over its limit; nfe=8 failed, and not by a shift."
    )


def test_nothing_compared_is_no_forest() -> None:
    assert pictures(contents(good_run())).forest is None


def test_a_steady_run_folds_its_curves(tmp_path: Path) -> None:
    found = pictures(passed(tmp_path))
    assert (found.curves, found.waterfalls) == ((), ())
    assert [each.label for each in found.steady_curves] == ["nfe=32", "nfe=8"]
    assert found.forest is not None
    assert found.forest.caption == "No shift that counts is over its limit."


def test_curves_of_a_slower_cell_stand_beside_each_other(slower: RunPictures) -> None:
    (found,) = slower.curves
    assert found.before is not None
    assert all(old < new for old, new in zip(found.before.at, found.now.at, strict=True))
    assert found.caption.startswith("nfe=8: p50 110 ms, 100 before (+10.0 %)")
    assert found.unit == "ms"


def test_a_curve_rises_from_none_to_all() -> None:
    found = latency(("c", "c", "good"), None, measured("latency_p50", [0.1, 0.2, 0.3, 0.4]))
    assert found is not None
    assert found.before is None
    assert found.now.path.startswith("M") and found.now.path.count("V") == 4
    ups = [float(step.split("H")[0]) for step in found.now.path.split("V")[1:]]
    assert ups == [75.0, 50.0, 25.0, 0.0]


def test_many_requests_make_no_longer_curve() -> None:
    found = latency(
        ("c", "c", "good"), None, measured("latency_p50", [0.1 + n / 1e5 for n in range(20_000)])
    )
    assert found is not None
    assert len(found.now.path) < 5_000
    assert found.now.path.split("V")[-1].startswith("0.0")


def test_each_stage_begins_where_the_one_before_it_ended(slower: RunPictures) -> None:
    (found,) = slower.waterfalls
    *stages, whole = found.rows
    ends = [row.now.start + row.now.width for row in stages]
    assert [row.now.start for row in stages] == pytest.approx([0.0, *ends[:-1]], abs=0.02)
    assert whole.now.width == pytest.approx(ends[-1], abs=0.02)
    (moved,) = [row for row in stages if row.moved]
    assert moved.name in found.caption
    assert moved.change.startswith("+")


def test_a_stage_has_its_colour_on_every_page_and_two_of_one_page_differ() -> None:
    names = ["text", "acoustic", "vocoder", "upscale", "denoise", "mix"]
    found = waterfall.stage_colors(names)
    assert len(set(found.values())) == len(names)
    assert waterfall.stage_colors(["vocoder"])["vocoder"] == found["vocoder"]


def test_a_stage_that_came_or_went_is_told() -> None:
    found = waterfall.waterfall(
        waterfall.StagedCell(
            cell="c", label="c", kind="bad", before={"a": 0.1, "b": 0.1}, now={"a": 0.1, "c": 0.2}
        )
    )
    assert found is not None
    assert [(row.name, row.change) for row in found.rows[:3]] == [
        ("a", "same"),
        ("c", "new"),
        ("b", "-100 ms (-100.0 %)"),
    ]
    assert found.rows[2].value == "gone"


def cells(*values: list[float]) -> list[QualityCell]:
    return [
        QualityCell(
            cell=str(n),
            label=str(n),
            kind="good",
            now=measured("pesq", each, "higher"),
            before=None,
        )
        for n, each in enumerate(values)
    ]


def test_a_mean_below_the_floor_is_named_and_lies_in_its_tint() -> None:
    found = quality(cells([3.6, 3.8], [2.5, 2.7]), 3.0)
    assert found is not None and found.floor is not None
    above, below = found.rows
    assert below.at < found.floor < above.at
    assert found.wash == (0.0, found.floor)
    assert found.caption == "pesq: 1 is below the floor of 3.00."
    assert below.worst == "worst 2.50 (u0)"
    assert found.legend == "Strokes are utterances.", "no baseline, and no interval"


def test_where_lower_is_better_the_tint_lies_above_the_floor() -> None:
    held = [
        replace(each, now=measured("wer", [n / 10, 0.3]))
        for n, each in enumerate(cells([1.0], [1.0]))
    ]
    found = quality(held, 0.1)
    assert found is not None and found.floor is not None
    assert found.wash == (found.floor, pytest.approx(100.0 - found.floor, abs=0.01))
    assert found.floor_text == "10.0 %"


def plane(**speeds: float) -> Tradeoff:
    points = tuple(
        Point(
            cell=name,
            label=name,
            speed=speed,
            quality=3.0 + speed,
            verdict=Verdict.PASS,
            on_front=True,
        )
        for name, speed in speeds.items()
    )
    return Tradeoff(metric="pesq", unit="MOS-LQO", better="higher", points=points)


def test_faster_is_to_the_right_and_better_to_the_top() -> None:
    found = pareto(plane(slow=0.5, quick=0.05), {}, floor=3.2, best="slow")
    assert found is not None and found.floor is not None
    quick, slow = found.marks
    assert (quick.number, quick.label, quick.speed) == (1, "quick", "20×")
    assert quick.x > slow.x and quick.y > slow.y
    assert slow.is_best and not quick.is_best
    assert TOP < slow.y < found.floor < quick.y < BOTTOM
    assert found.wash == (found.floor, BOTTOM - found.floor)
    assert "2× real time, PESQ 3.50" in slow.tip and "fit to ship" in slow.tip


def test_numbers_of_near_marks_keep_clear_of_each_other() -> None:
    found = pareto(plane(a=0.1, b=0.1005, c=0.101, d=0.5), {})
    assert found is not None
    spots = [
        (each.x * USUAL_WIDTH / 100.0 + each.text_x, each.y + each.text_y) for each in found.marks
    ]
    for number, one in enumerate(spots):
        for other in spots[:number]:
            assert max(abs(one[0] - other[0]), abs(one[1] - other[1])) > NEAR / 2.0


def test_numbers_of_a_crowd_stand_farther_off_with_a_line_to_their_marks() -> None:
    crowd = {f"c{number}": 0.1 + number / 5000.0 for number in range(14)}
    found = pareto(plane(**crowd, far=0.5), {})
    assert found is not None
    spots = [
        (each.x * USUAL_WIDTH / 100.0 + each.text_x, each.y + each.text_y) for each in found.marks
    ]
    near = [
        max(abs(one[0] - other[0]), abs(one[1] - other[1])) for one, other in combinations(spots, 2)
    ]
    assert min(near) >= NEAR
    assert all(0.0 <= x <= USUAL_WIDTH and y <= BOTTOM for x, y in spots)
    led = [each for each in found.marks if each.lead is not None]
    assert len(led) > 5 and found.marks[-1].lead is None


def test_a_speed_of_nothing_is_no_picture() -> None:
    assert pareto(plane(a=0.0, b=0.1), {}) is None


def streamed(run: Run, slug: str, chunks: tuple[AudioChunk, ...]) -> Run:
    return replace(
        run,
        processes=tuple(
            replace(
                process,
                iterations=tuple(replace(each, chunks=chunks) for each in process.iterations),
            )
            if process.cell == slug
            else process
            for process in run.processes
        ),
    )


def test_a_late_chunk_leaves_the_player_silent() -> None:
    times = ((0.2, 0.5), (0.3, 0.5), (1.6, 0.4))
    chunks = tuple(AudioChunk(arrived_s=at, audio_s=audio) for at, audio in times)
    found = streaming(streamed(good_run(), "nfe-8", chunks))
    assert found is not None
    (row,) = found.rows
    assert (row.label, row.underruns, row.first_audio, row.silent) == (
        "nfe=8",
        1,
        "200 ms",
        "400 ms",
    )
    assert row.request in REQUESTS
    assert row.silences[0].start == pytest.approx(60.0)
    assert row.silences[0].width == pytest.approx(20.0)
    assert [each.start for each in row.chunks] == pytest.approx([10.0, 35.0, 80.0])
    assert "falls silent in 1 of 1 cells; nfe=8 longest: once, 400 ms" in found.caption


def test_audio_in_one_piece_is_no_stream() -> None:
    whole = tuple(AudioChunk(arrived_s=0.5, audio_s=0.2) for _ in range(5))
    assert streaming(streamed(good_run(), "nfe-8", whole)) is None


def levels(*each: tuple[float, float, float]) -> list[LoadLevel]:
    return [
        LoadLevel(
            name=f"closed-{load:g}",
            load=load,
            answers_per_s=rate,
            latency_ms=(Figure("p50", wait), Figure("p95", 2 * wait, 1.8 * wait, 2.4 * wait)),
        )
        for load, rate, wait in each
    ]


def test_the_knee_is_where_more_clients_wait_and_hardly_more_is_answered() -> None:
    found = load_curve(
        levels((1, 9, 110), (2, 17, 115), (4, 19, 210), (8, 19, 420)), "clients", 250
    )
    assert found is not None
    assert found.panels[0].post == (found.panels[0].across_ticks[1][0], "knee: 2")
    assert found.caption == (
        "Knee at 2 clients: 17 answers per second; beyond, requests wait longer for at most 19; "
        "95 % within 250 ms up to 2."
    )
    latencies, answers = found.panels
    assert [line.name for line in latencies.lines] == ["p50", "p95"]
    assert latencies.limit is not None
    point = latencies.lines[1].points[0]
    assert point.high < point.y < point.low
    assert point.words == "closed-1: p95 220 ms [198 264]"
    assert answers.lines[0].points[0].y > answers.lines[0].points[-1].y


def test_no_knee_is_claimed_where_the_last_level_is_the_best() -> None:
    rising = levels((1, 9, 110), (2, 18, 110), (4, 36, 111))
    assert knee_of(rising) is None
    found = load_curve(rising, "clients")
    assert found is not None
    assert found.caption.startswith("No knee up to 4 clients")
    assert load_curve(rising[:1], "clients") is None
