"""Live conversion: blocks at known times have exact latencies, and a lie about them is caught."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.harness.fake_runs import make_run, sample
from tests.harness.metrics.speech import PATH as SPEECH
from tests.harness.targets.command.programs import cell as command_cell
from tests.harness.targets.command.programs import line, program
from tests.harness.targets.command.test_lines import HELLO, RAW, unwatched
from voxgate import Suite
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.analysis.speed import (
    LIVE_METRICS,
    NOT_LIVE,
    live_latency,
    live_load,
    play_live,
    summarise_stalls,
)
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.cell import Request, SourceRecording
from voxgate.harness.records.live import LiveChunk, LiveTimes
from voxgate.harness.records.run import FailureKind, Run, failure_of
from voxgate.harness.runner.live import LiveEvent, check_latency, live_chunks
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.runner.timing import time_synthesis
from voxgate.harness.targets.command.target import CommandTarget
from voxgate.harness.targets.http.client import SpeechError
from voxgate.harness.targets.scripted import ScriptedTarget

PLAIN = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8, loading=2)
BLOCK_S, PACKET_S, BUSY_S = 0.2, 0.1, 0.05
Make = Callable[..., Suite]
Script = Callable[[dict[str, Any]], None]


def blocks(*busy_s: float, declared_s: float = BLOCK_S) -> LiveTimes:
    """Blocks of two packets, each converted when it has come, in so many seconds."""
    events, at_s = [], 0.0
    for each_s in busy_s:
        events += [LiveEvent(at_s=at_s), LiveEvent(at_s=at_s)]
        at_s += each_s
        events.append(LiveEvent(at_s=at_s, audio_s=BLOCK_S))
    chunks = live_chunks(events, PACKET_S, BLOCK_S * len(busy_s))
    return LiveTimes(packet_s=PACKET_S, declared_s=declared_s, delay_s=0.0, chunks=chunks)


EVEN, LATE = blocks(*[BUSY_S] * 5), blocks(BUSY_S, BUSY_S, 0.55, BUSY_S, BUSY_S)


def test_a_block_is_ready_when_it_has_come_and_is_computed() -> None:
    assert [chunk.ready_s for chunk in EVEN.chunks] == pytest.approx([0.25, 0.45, 0.65, 0.85, 1.05])
    assert [chunk.heard_s for chunk in EVEN.chunks] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert EVEN.algorithmic_s == pytest.approx(BLOCK_S)


def test_latencies_of_even_blocks_lie_between_their_last_and_their_first_sample() -> None:
    assert live_latency(EVEN, 0.0) == pytest.approx(0.05)
    assert live_latency(EVEN, 50.0) == pytest.approx(0.15)
    assert live_latency(EVEN, 95.0) == pytest.approx(0.24)
    assert live_load(EVEN) == pytest.approx(0.25)
    assert play_live(EVEN).underruns == 0


def test_a_late_block_delays_those_behind_it_until_the_engine_has_caught_up() -> None:
    ready_s = [chunk.ready_s for chunk in LATE.chunks]
    assert ready_s == pytest.approx([0.25, 0.45, 1.15, 1.2, 1.25])
    assert live_latency(LATE, 50.0) == pytest.approx(0.35)
    assert live_latency(LATE, 95.0) == pytest.approx(0.70)
    # the player begins at 0.2 declared + 0.1 of a packet + 0.05 computed, and has 0.4 s of audio
    played = play_live(LATE)
    assert (played.underruns, played.stall_s) == (1, pytest.approx(0.4))
    assert live_load(LATE) == pytest.approx(0.25 + 0.85 * 2.5)


def test_an_engine_slower_than_real_time_falls_behind_block_by_block() -> None:
    slow = blocks(*[0.3] * 5)
    assert [chunk.ready_s for chunk in slow.chunks] == pytest.approx([0.5, 0.8, 1.1, 1.4, 1.7])
    assert live_load(slow) == pytest.approx(1.5)
    assert play_live(slow).underruns > 0


def test_audio_that_is_late_in_itself_adds_to_every_sample() -> None:
    late = replace(EVEN, delay_s=0.1)
    assert late.algorithmic_s == pytest.approx(0.3)
    # of the first block only the second half is of the source
    assert live_latency(late, 0.0) == pytest.approx(0.15)
    assert live_latency(late, 100.0) == pytest.approx(0.35)


def test_an_engine_that_declares_less_than_it_holds_back_is_not_in_effect() -> None:
    assert check_latency(EVEN).in_effect is True
    assert check_latency(blocks(*[BUSY_S] * 3, declared_s=0.05)).in_effect is False
    assert check_latency(replace(EVEN, delay_s=0.2)).in_effect is False


def test_what_was_not_live_has_no_latency() -> None:
    whole = sample("nfe-8", 0, 0, 2.0, 1.0, {})
    assert {value(whole) for value in LIVE_METRICS.values()} == {NOT_LIVE}
    assert summarise_stalls("live_underruns", [whole]) == NOT_LIVE
    both = [replace(whole, live=EVEN), replace(whole, live=LATE)]
    assert summarise_stalls("live_underruns", both) == pytest.approx(0.4 / 2.4)


@pytest.fixture
def spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    samples, rate_hz = soundfile.read(SPEECH)
    soundfile.write(tmp_path / "said.wav", samples, rate_hz)
    (tmp_path / "w.toml").write_text(
        '[[request]]\nid = "a"\ntext = "She told me."\nsource = "said.wav"\n'
    )
    return tmp_path / "w.toml"


def live_run(make: Make, workload: Path, folder: Path, **fixed: Any) -> Run:
    suite = make(
        pipeline="convert",
        workload=str(workload),
        axes={"stream_block_ms": [0, 160]},
        reference={"stream_block_ms": 0},
        fixed={"latency_ms": 40.0, "stream_lookahead_ms": 80, **fixed},
    )
    return load_run(run_suite(suite, suite.expand().cells, PLAIN, folder, command="test").folder)


def summaries(run: Run) -> dict[str, Any]:
    live = next(cell.slug for cell in run.cells if cell.options["stream_block_ms"])
    return {name: each.summary for name, each in by_name(aggregate(run, {})[live]).items()}


def test_a_live_cell_has_its_latencies_and_a_whole_one_has_none(
    make_suite: Make, spoken: Path, tmp_path: Path
) -> None:
    run = live_run(make_suite, spoken, tmp_path / "run")
    found, whole = summaries(run), by_name(aggregate(run, {})[run.reference])
    # blocks of 160 ms with 80 ms behind them, converted in 40 ms
    assert found["live_algorithmic"] == pytest.approx(0.24)
    assert found["live_latency_p50"] == pytest.approx(0.20, abs=0.01)
    assert found["live_latency_p95"] == pytest.approx(0.272, abs=0.01)
    assert found["live_load"] == pytest.approx(0.25)
    assert found["live_underruns"] == 0.0
    assert {whole[name].summary for name in LIVE_METRICS} == {NOT_LIVE}
    effects = [effect for process in run.processes for effect in process.effects]
    latency = next(effect for effect in effects if effect.option == "live_latency_s")
    assert (latency.requested, latency.observed, latency.in_effect) == (0.24, "0.2400", True)


def scripted(spoken: Path, script: Script, **changes: Any) -> LiveTimes:
    """Time one live conversion of the scripted engine, in this process."""
    script({"*": changes})
    target = ScriptedTarget()
    options = {"stream_block_ms": 160, "stream_lookahead_ms": 80, "latency_ms": 40.0}
    source = SourceRecording(path=str(spoken.parent / "said.wav"), sha256="0" * 64)
    request = Request(id="a", text="One.", source=source)
    cell = replace(command_cell(None, request, **options), target="scripted", pipeline="convert")
    target.load(cell, {})
    times = time_synthesis(target, request, target.clock).live
    assert times is not None
    return times


def test_a_late_block_shows_as_silence(spoken: Path, script: Script) -> None:
    times = scripted(spoken, script, late=[3, 0.5])
    # 0.5 s late, less the packet that the player holds back
    assert play_live(times).stall_s == pytest.approx(0.49)
    assert live_latency(times, 95.0) > 0.6
    assert check_latency(times).in_effect is True


def test_audio_that_is_late_within_itself_is_held_back_too(spoken: Path, script: Script) -> None:
    times = scripted(spoken, script, held_s=0.3)
    assert times.delay_s == pytest.approx(0.3, abs=0.011)
    assert check_latency(times).in_effect is False


def test_a_lie_about_the_latency_fails_the_cell(
    make_suite: Make, spoken: Path, tmp_path: Path, script: Script
) -> None:
    script({"*": {"declared_s": 0.1}})
    run = live_run(make_suite, spoken, tmp_path / "run")
    slug = next(cell.slug for cell in run.cells if cell.options["stream_block_ms"])
    assert failure_of(run.reference, run) is None
    assert "live_latency_s" in str(failure_of(slug, run))
    kinds = [each.failure.kind for each in run.processes if each.failure is not None]
    assert set(kinds) == {FailureKind.NOT_IN_EFFECT}


def test_a_run_without_live_cells_does_not_speak_of_them() -> None:
    found = by_name(aggregate(make_run({"nfe-8": [[2.0, 2.0]]}), {})["nfe-8"])
    assert not set(LIVE_METRICS) & set(found)


ECHO = f"""{RAW}
send({{**{HELLO!r}, "live": {{"sample_rate_hz": 16000, "latency_s": 0.05}}}})
while (request := asked()):
    assert request["live"] and "source" not in request
    held = b""
    while "pcm" in (packet := asked()):
        held += sys.stdin.buffer.read(packet["pcm"])
        ready = held if len(held) >= 1600 else b""
        held = held[len(ready):]
        send({{"pcm": len(ready)}}, ready)
    send({{"pcm": len(held)}}, held)
    send({{"done": True}})
""".replace("sys.stdin.readline()", "sys.stdin.buffer.readline()")


@pytest.fixture
def converting(spoken: Path, tmp_path: Path) -> Iterator[Callable[[str], tuple[Any, Request]]]:
    targets: list[CommandTarget] = []
    source = SourceRecording(path=str(spoken.parent / "said.wav"), sha256="0" * 64)
    request = Request(id="r1", text="One.", source=source)

    def load(code: str) -> tuple[CommandTarget, Request]:
        target = CommandTarget()
        target.load(command_cell(line(program(tmp_path, code), protocol="lines"), request), {})
        targets.append(target)
        return target, request

    yield load
    for target in targets:
        target._engine.close()  # type: ignore[union-attr]


def test_a_program_that_stays_alive_is_sent_packets_and_answers_each(
    converting: Callable[[str], tuple[Any, Request]],
) -> None:
    target, request = converting(ECHO)

    timing = time_synthesis(target, request, WallClock())

    said = soundfile.read(SPEECH)[0]
    assert np.allclose(timing.audio, said, atol=1e-4)
    assert timing.live is not None
    assert timing.live.algorithmic_s == pytest.approx(0.05)
    assert check_latency(timing.live).in_effect is True
    observed = {check.option: check.observed for check in target.observe(request)}
    assert observed["audio"].startswith("16000 Hz")


@pytest.mark.parametrize(
    ("honest", "broken", "said"),
    [
        ('send({"pcm": len(ready)}, ready)', 'send({"done": True})', "before its source"),
        # in one write: of two writes the second may come when the next packet is already on its way
        (
            'send({"pcm": len(ready)}, ready)',
            """send({"pcm": 0}, b'{"pcm": 0}\\n')""",
            "more than one",
        ),
        ('"latency_s": 0.05', '"latency_s": -1', "latency_s"),
        ('send({"pcm": len(ready)}, ready)', 'send({"error": "no"})', "refused: no"),
    ],
)
def test_a_program_that_breaks_the_protocol_of_packets_fails(
    converting: Callable[[str], tuple[Any, Request]], honest: str, broken: str, said: str
) -> None:
    assert honest in ECHO
    with pytest.raises(SpeechError, match=said):
        target, request = converting(ECHO.replace(honest, broken))
        list(target.convert_live(request, iter([np.zeros(160, np.float32)] * 9), unwatched))


def test_chunks_are_read_back_as_they_were_written() -> None:
    assert LiveChunk(heard_s=0.2, ready_s=0.25, busy_s=0.05, audio_s=0.2) == EVEN.chunks[0]


@pytest.mark.parametrize("options", [{}, {"stream_lookahead_ms": 64}])
def test_the_engine_declares_what_it_holds_back(
    spoken: Path, tmp_path: Path, options: dict[str, int]
) -> None:
    from tests.engine.pipelines.conversion_voice import write_conversion_voice
    from voxgate.engine.pipelines.conversion import ConversionPipeline
    from voxgate.harness.targets.engine.target import EngineTarget

    target = EngineTarget()
    live = {"threads": 1, "stream_block_ms": 160, **options}
    target.pipeline = ConversionPipeline.load(live, write_conversion_voice(tmp_path / "voice"))
    source = SourceRecording(path=str(spoken.parent / "said.wav"), sha256="0" * 64)
    request = Request(id="a", text="One.", source=source)

    timing = time_synthesis(target, request, WallClock())

    times = timing.live
    assert times is not None
    held = replace(times, delay_s=0.0)  # of random weights
    assert check_latency(held).in_effect is True
    # and not more than that: a packet, and the half fade by which the first block is shorter
    assert held.algorithmic_s == pytest.approx(times.declared_s, abs=0.011)
    assert len(timing.audio) == len(soundfile.read(SPEECH)[0])
    assert {"content", "model", "vocoder"} <= set(timing.stages_s)
    target.pipeline = ConversionPipeline.load({"threads": 1}, tmp_path / "voice")
    assert target.live is None
