"""From samples to measurements, checked by hand."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from tests.harness.fake_runs import REQUESTS, good_run, make_run, make_scores
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import by_name, by_process
from voxgate.harness.analysis.metric_rules import BY_LENGTH, is_helper, is_known, is_speed
from voxgate.harness.metrics.registry import full_version
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.run import AudioChunk, Energy, Failure, FailureKind, Run

WALLS = {"nfe-8": [[0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.2, 0.2]]}


def measured(walls=WALLS, *, scored=None, **options):
    run = make_run(walls, **options)
    return by_name(aggregate(run, make_scores(run, **(scored or {})))["nfe-8"])


def test_latency_and_rates_are_those_of_the_samples() -> None:
    found = measured()
    assert found["latency_p50"].summary == pytest.approx(0.2)
    assert found["latency_p95"].summary == pytest.approx(0.365)
    assert found["rtf"].summary == pytest.approx(1.8 / 16.0)
    assert found["rtfx"].summary == pytest.approx(16.0 / 1.8)
    assert found["rtf_median"].summary == pytest.approx(0.1)
    assert found["cold_start"].summary == pytest.approx(1.7)
    assert found["peak_rss"].summary == 500_000_000
    assert found["duration"].summary == Missing(
        "4 of 8 utterances have no value: no measured iteration"
    )


def test_a_workload_of_several_lengths_has_a_latency_of_each() -> None:
    run = make_run(WALLS)
    texts = {"u01": "x" * 300, "u02": "x" * 300, "u03": "x" * 61}
    cells = tuple(
        replace(
            each,
            workload=replace(
                each.workload,
                requests=tuple(
                    replace(request, text=texts.get(request.id, request.text))
                    for request in each.workload.requests
                ),
            ),
        )
        for each in run.cells
    )
    mixed = replace(run, cells=cells)

    found = by_name(aggregate(mixed, make_scores(mixed))["nfe-8"])

    medians = [found[f"latency_{length}_p50"].summary for length in ("short", "medium", "long")]
    assert medians == pytest.approx([0.3, 0.25, 0.2])
    assert [each.id for each in found["latency_long_p50"].values] == ["u01", "u02"] * 2
    assert found["latency_long_p50"].low is not None
    assert not [name for name in measured() if name in BY_LENGTH]


def test_values_keep_request_and_process() -> None:
    found = measured()["latency_p50"]
    assert [(each.id, each.repeat) for each in found.values][3:5] == [("u04", 0), ("u01", 1)]
    assert [len(group) for group in by_process(found, measured())] == [4, 4]


def test_intervals_hold_their_summaries() -> None:
    run = good_run()
    for each in aggregate(run, make_scores(run))["nfe-8"]:
        if each.low is not None:
            assert each.low <= each.summary <= each.high, each.metric


def test_stages_are_medians_per_process() -> None:
    found = measured()["stage.vocoder"]
    assert [each.value for each in found.values] == pytest.approx([0.0625, 0.05])


def test_a_cell_without_samples_is_missing_with_the_failure() -> None:
    found = measured(
        {"nfe-8": [[]]}, failure=Failure(kind=FailureKind.REFUSED, reason="no fp16 here")
    )
    assert found["latency_p50"].summary == Missing("no measured iteration: refused: no fp16 here")
    assert found["rtf"].summary == found["duration"].summary == found["latency_p50"].summary


def test_no_gpu_is_a_reason_and_not_a_zero() -> None:
    assert measured()["peak_cuda_bytes"].summary == Missing("no CUDA device")


def test_corpus_wer_weighs_words() -> None:
    wer = {name: 0.5 if name == "u01" else 0.0 for name in REQUESTS}
    words = {name: 30.0 if name == "u01" else 10.0 for name in REQUESTS}
    assert measured(scored={"wer": wer, "wer_words": words})["wer"].summary == pytest.approx(
        15 / 100
    )


def test_the_interval_of_an_error_rate_ends_at_zero() -> None:
    """One wrong sentence of eight: Student's interval of the mean would reach below."""
    macro = {name: 0.5 if name == "u01" else 0.0 for name in REQUESTS}
    found = measured(scored={"wer_macro": macro})["wer_macro"]
    assert (found.low, found.summary) == (0.0, pytest.approx(0.0625))


def test_macro_wer_weighs_utterances() -> None:
    wer = {name: 0.5 if name == "u01" else 0.0 for name in REQUESTS}
    words = {name: 30.0 if name == "u01" else 10.0 for name in REQUESTS}
    found = measured(scored={"wer_macro": wer, "wer_words": words})["wer_macro"]
    assert found.summary == pytest.approx(0.5 / len(REQUESTS))


def test_one_utterance_without_a_value_leaves_no_summary() -> None:
    pesq = {name: Missing("silent") if name == "u02" else 3.0 for name in REQUESTS}
    assert measured(scored={"pesq": pesq})["pesq"].summary == Missing(
        "1 of 8 utterances have no value: silent"
    )


def test_unscored_audio_is_said_to_be_unscored() -> None:
    run = good_run()
    assert by_name(aggregate(run, {("nfe-8", name): {} for name in REQUESTS})["nfe-8"])[
        "pesq"
    ].summary == Missing("not scored")


def test_the_scorer_says_the_version() -> None:
    run = good_run()
    found = by_name(aggregate(run, make_scores(run), versions={"wer": "1; tiny.en abc"})["nfe-8"])
    assert (found["wer"].version, found["snr"].version) == ("1; tiny.en abc", full_version("snr"))


def disturb(run: Run, hit: Collection[tuple[int, int]]) -> Run:
    """
    Lets the iterations (process, index) wait for the CPU for half of their time; the others wait
    for a thousandth.
    """
    return replace(
        run,
        processes=tuple(
            replace(
                process,
                iterations=tuple(
                    replace(
                        s,
                        disturbance={
                            "waited_s": s.wall_s
                            * (0.5 if (process.repeat, s.iteration) in hit else 0.001)
                        },
                    )
                    for s in process.iterations
                ),
            )
            for process in run.processes
        ),
    )


def measured_with(hit: Collection[tuple[int, int]]) -> dict[str, Measurement]:
    run = disturb(make_run(WALLS), hit)
    return by_name(aggregate(run, make_scores(run))["nfe-8"])


def test_no_speed_rests_on_a_disturbed_iteration() -> None:
    found = measured_with({(0, 3), (1, 0)})  # 0.4 and 0.2 of 0.1 0.2 0.3 0.4 and 0.2 0.2 0.2 0.2
    assert found["latency_p50"].summary == pytest.approx(0.2)
    assert found["latency_p95"].summary == pytest.approx(0.275)
    assert found["rtf"].summary == pytest.approx(1.2 / 12.0)
    assert found["rtfx"].summary == pytest.approx(12.0 / 1.2)
    assert found["stage.vocoder"].values[0].value == pytest.approx(0.05)
    assert found["cold_start"].summary == pytest.approx(1.7)


def test_a_disturbed_iteration_keeps_its_place_so_that_laps_still_pair() -> None:
    latency = measured_with({(0, 1)})["latency_p50"]
    assert len(latency.values) == 8
    assert latency.values[1].value == Missing("disturbed: waited for the CPU")
    assert [len(group) for group in by_process(latency, measured_with({(0, 1)}))] == [3, 4]


def test_the_audio_of_a_disturbed_iteration_still_counts() -> None:
    assert measured_with({(0, 0), (1, 0)})["duration"].values[0].value == 2.0


def test_a_cell_that_was_never_left_alone_has_no_speed_and_says_why() -> None:
    found = measured_with([(process, index) for process in (0, 1) for index in range(4)])
    for name in ("latency_p50", "latency_p95", "rtf", "rtfx", "rtf_median"):
        assert found[name].summary == Missing(
            "machine not quiet: every measured iteration was disturbed"
        )
    assert found["peak_rss"].summary == 500_000_000
    assert "stage.vocoder" not in found


def test_the_share_of_disturbed_iterations_is_stored_and_never_judged() -> None:
    share = measured_with({(0, 1), (0, 2), (1, 0)})["disturbed_share"]
    assert share.summary == pytest.approx(3 / 8)
    assert [(each.repeat, each.value) for each in share.values] == [(0, 0.5), (1, 0.25)]
    assert (
        is_helper("disturbed_share") and is_known("disturbed_share") and is_speed("disturbed_share")
    )


def test_where_no_system_told_of_disturbances_no_share_is_made_up() -> None:
    assert "disturbed_share" not in measured()


def test_energy_is_one_value_per_process_and_none_is_a_reason() -> None:
    run = make_run(WALLS)
    assert by_name(aggregate(run, {})["nfe-8"])["energy_per_audio_s"].summary == Missing(
        "no power was measured"
    )
    noted = replace(run, environment=replace(run.environment, power="no power meter: no RAPL"))
    assert by_name(aggregate(noted, {})["nfe-8"])["energy_per_audio_s"].summary == Missing(
        "no power meter: no RAPL"
    )
    drawn = Energy(meter="rail VIN", idle_w=10.0, busy_s=2.0, energy_j=50.0, audio_s=10.0)
    lost = Missing("rail VIN could not be read any more")
    processes = tuple(
        replace(each, energy=drawn if each.repeat == 0 else lost) for each in run.processes
    )
    found = by_name(aggregate(replace(run, processes=processes), {})["nfe-8"])["energy_per_audio_s"]
    assert (found.summary, found.unit, found.better, found.version) == (
        3.0,
        "J",
        "lower",
        "1; rail VIN",
    )
    assert [each.value for each in found.values] == [3.0, lost]
    assert [len(group) for group in by_process(found, {})] == [1]
    nothing = tuple(replace(each, energy=lost) for each in run.processes)
    assert (
        by_name(aggregate(replace(run, processes=nothing), {})["nfe-8"])[
            "energy_per_audio_s"
        ].summary
        == lost
    )


def streamed(*streams: tuple[tuple[float, float], ...] | None) -> dict[str, Measurement]:
    """
    Lets the iterations of every process come in pieces (arrival, length), in turn; None tells
    nothing.
    """
    run = make_run({"nfe-8": [[2.0] * len(streams)] * 2}, audio_s=30.0)
    told = [
        None
        if each is None
        else tuple(AudioChunk(arrived_s=at_s, audio_s=long_s) for at_s, long_s in each)
        for each in streams
    ]
    processes = tuple(
        replace(
            process,
            iterations=tuple(
                replace(
                    s,
                    chunks=chunks,
                    first_audio_s=chunks[0].arrived_s if chunks else s.first_audio_s,
                )
                for s, chunks in zip(process.iterations, told, strict=True)
            ),
        )
        for process in run.processes
    )
    return by_name(aggregate(replace(run, processes=processes), {})["nfe-8"])


SMOOTH, STALLING = ((0.5, 10.0), (1.5, 20.0)), ((0.3, 1.0), (1.8, 29.0))


def test_a_stream_has_a_first_audio_a_longest_gap_and_its_stalls() -> None:
    found = streamed(SMOOTH, STALLING)
    assert found["first_audio_p50"].summary == pytest.approx(0.4)
    assert found["longest_gap_p50"].summary == pytest.approx(1.25)
    assert found["underruns"].summary == pytest.approx(1.0)  # one in each minute
    assert found["stall"].summary == pytest.approx(0.25)
    assert [each.value for each in found["stall"].values] == pytest.approx([0.0, 0.5, 0.0, 0.5])
    assert (found["underruns"].unit, found["stall"].unit) == ("1/min", "s")
    assert all(
        is_speed(name) for name in ("first_audio_p50", "longest_gap_p50", "underruns", "stall")
    )


def test_the_first_audio_has_an_interval_and_a_stall_that_is_zero_none() -> None:
    found = streamed(SMOOTH, SMOOTH)
    first = found["first_audio_p50"]
    assert first.low is not None and first.low <= 0.5 <= first.high
    assert (found["stall"].summary, found["stall"].low, found["underruns"].summary) == (
        0.0,
        None,
        0.0,
    )


def test_audio_that_came_in_one_piece_has_no_gap_and_an_old_run_does_not_tell() -> None:
    found = streamed(((2.0, 30.0),))
    assert found["longest_gap_p50"].summary == Missing("the audio came in one piece")
    assert found["first_audio_p50"].summary == 2.0
    old = streamed(None)
    assert (
        old["stall"].summary
        == old["longest_gap_p50"].summary
        == Missing("the run does not tell when its audio came")
    )
    assert old["first_audio_p50"].summary == 2.0
