"""Which targets may be asked for a reel, and how a scripted one is measured with a budget."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.targets.command.programs import cell as command_cell
from tests.harness.targets.command.programs import line, program
from tests.harness.targets.command.test_lines import HELLO, RAW, unwatched
from voxgate import Suite
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.profiles import Profile
from voxgate.harness.records.cell import Request, RequestSegment
from voxgate.harness.records.run import CaptionTimes, FailureKind
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.runner.timing import check_captions
from voxgate.harness.targets.command.target import CommandTarget
from voxgate.harness.targets.registry import check_cells

REEL = """
[[request]]
id = "talk"

[[request.segment]]
speaker = "slt"
text = "Good evening."

[[request.segment]]
speaker = "rms"
text = "It is good to be here."
"""
REQUEST = Request(
    id="talk",
    text="Good evening. It is good to be here.",
    segments=(
        RequestSegment(speaker="slt", text="Good evening."),
        RequestSegment(speaker="rms", text="It is good to be here."),
    ),
)
Make = Callable[..., Suite]
PLAIN = Profile(name="plain", about="", defaults={"device": "cpu"}, live=8, loading=2)


@pytest.fixture
def reel(tmp_path: Path) -> str:
    path = tmp_path / "talk.toml"
    path.write_text(REEL)
    return str(path)


def test_a_target_that_speaks_reels_is_asked_for_them(make_suite: Make, reel: str) -> None:
    check_cells(make_suite(workload=reel).expand().cells)
    check_cells(
        make_suite(target="engine", pipeline="flow", workload=reel, axes={"batch": [1, 2]},
                   reference={"batch": 1}, fixed={}).expand().cells
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "http", "pipeline": "speech"}, "target 'http' (pipeline speech) speaks no"),
        ({"target": "flite", "pipeline": "flite"}, "target 'flite' (pipeline flite) speaks no"),
        ({"pipeline": "mute"}, "target 'scripted' (pipeline mute) speaks no reels"),
        ({"target": "engine", "pipeline": "infill"}, "target 'engine' (pipeline infill) speaks no"),
        ({"target": "x:Y", "environment": "venv"}, "target 'x:Y' with environment= speaks no"),
        (
            {"axes": {"speaker": ["slt"]}, "reference": {"speaker": "slt"}},
            "whose segments name their speakers; remove the option speaker",
        ),
    ],
)
def test_another_target_is_refused_in_one_line(
    make_suite: Make, reel: str, changes: dict[str, Any], words: str
) -> None:
    asked = {"axes": {"steps": [8]}, "reference": {"steps": 8}, **changes}
    with pytest.raises(HarnessError) as error:
        check_cells(make_suite(workload=reel, **asked).expand().cells)
    assert words in str(error.value) and "request talk of workload talk is a reel" in str(
        error.value
    )


def test_a_program_that_is_started_for_each_text_is_refused(make_suite: Make, reel: str) -> None:
    suite = make_suite(
        target="command", command=["echo", "{text}", "{wav}"], workload=reel, pipeline="",
        axes={}, cells=[{}], reference={}, fixed={},
    )  # fmt: skip
    with pytest.raises(HarnessError, match=r"target 'command' .* speaks no reels"):
        check_cells(suite.expand().cells)


def test_the_speakers_of_segments_are_checked_like_options(make_suite: Make, reel: str) -> None:
    Path(reel).write_text(REEL.replace("rms", "bob"))
    suite = make_suite(
        target="engine", pipeline="flow", workload=reel, axes={"batch": [1]},
        reference={"batch": 1}, fixed={},
    )  # fmt: skip
    with pytest.raises(HarnessError, match="speaker cannot be 'bob'"):
        check_cells(suite.expand().cells)


def test_captions_and_budget_are_in_the_run(
    make_suite: Make, reel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = make_suite(workload=reel, budget_s=8, fixed={"audio_s": 2.0})

    outcome = run_suite(suite, suite.expand().cells, PLAIN, tmp_path / "run", command="test")

    run = load_run(outcome.folder)
    assert run.budget_s == 8.0
    assert run.cells[0].workload.requests == (REQUEST,)
    iterations = [each for process in run.processes for each in process.iterations]
    assert {each.captions for each in iterations} == {
        (CaptionTimes(start_s=0.0, end_s=1.0), CaptionTimes(start_s=1.0, end_s=2.0))
    }


@pytest.mark.parametrize(
    ("captions_s", "words"),
    [
        ([(0.0, 1.0)], "has 2 segments, and the engine gave 1 captions"),
        ([(0.0, 1.0), (1.0, 2.5)], "caption 2 is from 1.000 to 2.500 s, and the audio lasts 2.000"),
        ([(-1.0, 1.0), (1.0, 2.0)], "caption 1 is from -1.000"),
        ([(0.5, 0.5), (1.0, 2.0)], "caption 1 is from 0.500 to 0.500"),
        ([(0.0, math.nan), (1.0, 2.0)], "caption 1 is from 0.000 to nan"),
    ],
)
def test_captions_that_cannot_be_are_refused(
    captions_s: list[tuple[float, float]], words: str
) -> None:
    captions = [CaptionTimes(start_s=start, end_s=end) for start, end in captions_s]
    with pytest.raises(ValueError, match="request talk") as error:
        check_captions(REQUEST, captions, 2.0)
    assert words in str(error.value)


def test_a_text_has_no_captions() -> None:
    caption = CaptionTimes(start_s=0.0, end_s=1.0)
    assert check_captions(Request(id="a", text="a"), (caption,), 2.0) is None
    assert check_captions(REQUEST, None, 2.0) is None


LINES = f"""{RAW}
send({{**{HELLO!r}, "reels": True}})
while (request := asked()):
    segments = request["segments"]
    pcm = b"".join(frames(s["text"], pitch_hz=120 + 20 * (s["speaker"] == "rms")) for s in segments)
    send({{"pcm": len(pcm)}}, pcm)
    places = [0.0]
    for s in segments:
        places.append(places[-1] + 800 * len(s["text"]) / 16000)
    captions = [{{"start_s": a, "end_s": b}} for a, b in zip(places, places[1:])]
    send({{"done": True, "captions": captions}})
"""


def test_a_program_that_stays_alive_speaks_reels_by_its_lines(tmp_path: Path) -> None:
    target = CommandTarget()
    command = line(program(tmp_path, LINES), protocol="lines")
    asked = command_cell(command, REQUEST)
    assert CommandTarget.speaks_reels(asked)
    target.load(asked, {})
    try:
        audio = list(target.synthesize(REQUEST, unwatched))
        captions_s = target.captions_s
    finally:
        target._engine.close()

    lengths_s = [len(segment.text) * 0.05 for segment in REQUEST.segments]
    assert sum(map(len, audio)) / 16_000 == pytest.approx(sum(lengths_s))
    assert captions_s == ((0.0, lengths_s[0]), (lengths_s[0], pytest.approx(sum(lengths_s))))


def test_a_program_that_does_not_say_so_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    target = CommandTarget()
    command = line(program(tmp_path, f"{RAW}send({HELLO!r}); asked()"), protocol="lines")
    with pytest.raises(HarnessError, match='does not hold "reels": true'):
        target.load(command_cell(command, REQUEST), {})


def test_a_failing_reel_is_no_traceback(
    make_suite: Make, reel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    script: Callable[[dict[str, Any]], None],
) -> None:  # fmt: skip
    """An engine whose captions end behind its audio fails its cell, with the reason."""
    monkeypatch.chdir(tmp_path)
    script({"*": {"captions_beyond_s": 1.0}})
    suite = make_suite(workload=reel, axes={"steps": [8]})

    outcome = run_suite(suite, suite.expand().cells, PLAIN, tmp_path / "run", command="test")

    failure = load_run(outcome.folder).processes[0].failure
    assert failure is not None and failure.kind is FailureKind.ERROR
    assert "caption 1 is from 0.000 to 1.050 s" in failure.reason
