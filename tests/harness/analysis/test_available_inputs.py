"""
What a run offers to metrics, and that a metric is measured for what offers it what it needs, and
for nothing else.
"""

from dataclasses import replace

from tests.harness.fake_runs import REQUESTS, good_run, make_scores
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.available_inputs import (
    available_inputs,
    is_applicable,
    region_of,
)
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.metrics.metric import Need
from voxgate.harness.records.cell import Request, Workload
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import Run

VOICED = ("question_rise", "voice_similarity", "join_clicks")


def offering() -> Run:
    """
    A run in which u01 asks what u02 tells, speaker slt has a recording, and chunks of u03 were
    joined.
    """
    run = good_run()
    requests = tuple(
        Request(
            id=name,
            text=f"text {name}",
            options={"speaker": "slt" if name in ("u01", "u04") else "rms"},
            statement="u02" if name == "u01" else None,
        )
        for name in REQUESTS
    )
    workload = Workload(name="w", requests=requests, voices={"slt": "voices/slt.flac"})
    cells = tuple(replace(cell, workload=workload) for cell in run.cells)
    processes = tuple(
        replace(
            each,
            iterations=tuple(
                replace(s, joins_s=(0.5,) if s.request == "u03" else ()) for s in each.iterations
            ),
        )
        for each in run.processes
    )
    return replace(run, cells=cells, processes=processes)


def test_what_a_run_offers_is_told_by_request() -> None:
    run = offering()
    offer = available_inputs(run, run.cells[1])
    assert offer == {
        Need.VOICE: {"u01", "u04"},
        Need.STATEMENT: {"u01"},
        Need.EMPHASIS: set(),
        Need.INTONATION: set(REQUESTS),
        Need.ACCENT: set(),
        Need.LL: set(),
        Need.THETA: set(),
        Need.CODA_S: set(),
        Need.SEGMENTS: set(),
        Need.SOURCE: set(),
        Need.CONVERSION: set(),
        Need.JOINS: {"u03"},
        Need.MARKED: set(),
        Need.UNMARKED: set(),
    }
    assert [
        name for name in REQUESTS if is_applicable("golden_speaker_similarity", name, offer)
    ] == list(REQUESTS)
    assert [name for name in REQUESTS if is_applicable("phone_voice_similarity", name, offer)] == [
        "u01",
        "u04",
    ]


def test_an_accent_is_told_by_region_and_by_the_places_of_the_text() -> None:
    run = good_run()
    texts = {"u01": "La calle", "u02": "Un zapato", "u03": "El mar", "u04": "Este yate"}
    requests = tuple(
        Request(
            id=name,
            text=texts.get(name, "Calle"),
            language="es-MX" if name == "u02" else "en" if name not in texts else "es",
            options={"region": {"u03": "mexico", "u04": "atlantis"}.get(name, "rioplatense")}
            if name != "u02"
            else {},
        )
        for name in REQUESTS
    )
    cell = replace(run.cells[1], workload=Workload(name="w", requests=requests))
    offer = available_inputs(run, cell)

    assert {need: set(offer[need]) for need in (Need.ACCENT, Need.LL, Need.THETA, Need.CODA_S)} == {
        Need.ACCENT: {"u01", "u02"},
        Need.LL: {"u01", "u04"},
        Need.THETA: {"u02"},
        Need.CODA_S: {"u04"},
    }
    assert [region_of(run, cell, each) for each in requests[:4]] == [
        "rioplatense",
        "mexico",
        "mexico",
        None,
    ]
    process = replace(run.processes[0], cell=cell.slug, effective={"region": "colombia"})
    assert (
        region_of(replace(run, processes=(process,)), cell, replace(requests[1], language="es"))
        == "colombia"
    )


def test_a_metric_is_measured_where_it_applies_and_has_no_gaps_elsewhere() -> None:
    run = offering()
    scores = make_scores(run)
    scores["nfe-8", "u01"] |= {"question_rise": 3.0, "voice_similarity": 0.9}
    scores["nfe-8", "u04"] |= {"voice_similarity": 0.7}
    found = by_name(aggregate(run, scores)["nfe-8"])
    assert [(each.id, each.value) for each in found["question_rise"].values] == [("u01", 3.0)]
    assert found["voice_similarity"].summary == 0.8
    assert found["join_clicks"].summary == Missing("not scored")


def test_a_metric_that_applies_nowhere_is_not_measured() -> None:
    run = good_run()
    assert not set(VOICED) & set(by_name(aggregate(run, make_scores(run))["nfe-8"]))


def test_the_suite_chooses_what_is_measured() -> None:
    run = replace(good_run(), metrics=("snr", "wer"), conditions=("telephone",))
    found = by_name(aggregate(run, make_scores(run))["nfe-8"])
    quality = {"snr", "golden_snr", "phone_snr", "wer", "phone_wer", "wer_words", "duration"}
    assert quality <= set(found)
    assert not {"pesq", "stoi", "cer", "clicks", "cer_chars"} & set(found)
    assert "latency_p50" in found
