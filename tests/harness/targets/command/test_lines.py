"""A program that stays alive and is talked to by lines: the example, and broken ones."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.harness.targets.command.programs import REQUEST, cell, line, program
from tests.harness.targets.command.test_once import gone
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.records.cell import Request
from voxgate.harness.records.run import UNSEEN, OptionCheck, SynthesisNotice
from voxgate.harness.records.run import FailureKind as K
from voxgate.harness.runner.failures import classify
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.runner.timing import time_synthesis
from voxgate.harness.targets.command.target import CommandTarget

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "command-line"
CLIENT = f"""
sys.path.insert(0, {str(EXAMPLE)!r})
from voxgate_lines import serve
"""
SPEAK = """
def speak(text, seed=0, **options):
    print("working on", text)
    whole = frames(text, seed=seed)
    yield whole[:1600]
    yield whole[1600:]
"""
HONEST = f"{CLIENT}{SPEAK}serve(speak, 16000)\n"
HELLO = {"voxgate": 1, "sample_rate_hz": 16000}
RAW = """
def send(message, pcm=b""):
    os.write(1, json.dumps(message).encode() + b"\\n" + pcm)

def asked():
    return json.loads(sys.stdin.readline())
"""


LOADED: list[CommandTarget] = []


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    for target in LOADED:
        if hasattr(target, "_engine"):
            target._engine.close()  # type: ignore[union-attr]
    LOADED.clear()


def loaded(folder: Path, code: str, *words: str, **options: object) -> CommandTarget:
    target = CommandTarget()
    LOADED.append(target)
    command = line(program(folder, code), *words, protocol="lines")
    target.load(cell(command, **options), {"device": "cpu"})  # type: ignore[arg-type]
    return target


def unwatched(_: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def heard(target: CommandTarget, request: Request = REQUEST) -> np.ndarray:
    return np.concatenate(list(target.synthesize(request, unwatched)))


def failed(folder: Path, code: str, **options: object) -> tuple[K, str]:
    with pytest.raises(HarnessError) as caught:
        heard(loaded(folder, code, **options))
    found = classify(caught.value)
    return found.kind, found.reason


def checks(target: CommandTarget) -> dict[str, OptionCheck]:
    return {check.option: check for check in target.observe(REQUEST)}


def pid(target: CommandTarget) -> int:
    return int(target._engine.pid)  # type: ignore[union-attr]


def test_the_client_is_short_and_needs_the_standard_library_alone() -> None:
    text = (EXAMPLE / "voxgate_lines.py").read_text()
    assert len(text.splitlines()) <= 30
    assert {line.split()[1] for line in text.splitlines() if line.startswith("import")} <= set(
        sys.stdlib_module_names
    )


def test_one_process_speaks_all_texts_in_pieces(tmp_path: Path) -> None:
    target = loaded(tmp_path, HONEST)
    first = pid(target)
    timing = time_synthesis(target, REQUEST, WallClock())
    assert (len(timing.chunks), timing.audio.size, target.sample_rate_hz) == (2, 3200, 16_000)
    assert set(timing.stages_s) == {"first_audio", "further_audio"}
    assert np.array_equal(timing.audio, heard(target))
    other = Request(id="r2", text='"é"\n', options={"seed": 3})
    assert not np.array_equal(timing.audio, heard(target, other)[:3200])
    assert pid(target) == first


def test_loading_is_waited_for_when_loading(tmp_path: Path) -> None:
    clock = WallClock()
    start_s = clock.seconds()
    target = loaded(tmp_path, f"time.sleep(0.5)\n{HONEST}")
    assert clock.seconds() - start_s > 0.5
    assert time_synthesis(target, REQUEST, clock).wall_s < 0.3


def test_a_wav_file_at_the_given_path_is_the_audio(tmp_path: Path) -> None:
    code = f"{RAW}send({HELLO})\nwav = asked()['wav']\nwrite(wav, 'abc')\n"
    target = loaded(tmp_path, code + "send({'done': True, 'wav': wav})\n")
    assert heard(target).size == 2400


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("sys.exit('no model')", K.DIED, "ended with code 1; its last words: no model"),
        ("pass", K.DIED, "mytts ended"),
        ("os.kill(os.getpid(), 9)", K.KILLED, "SIGKILL"),
        ("print('Loading...', flush=True)", K.BAD_FORMAT, "belongs to standard error"),
        ("os.write(1, bytes(range(256)) * 9)", K.BAD_FORMAT, "is not valid JSON"),
        ("os.write(1, b'x' * 2**21); time.sleep(9)", K.BAD_FORMAT, "a line of more than"),
        ("send({'voxgate': 2, 'sample_rate_hz': 16000})", K.BAD_FORMAT, "speaks version 2"),
        ("send({'voxgate': 1})", K.BAD_FORMAT, "lacks sample_rate_hz"),
        ("send({'voxgate': 1, 'sample_rate_hz': 10})", K.BAD_FORMAT, "must be at least 4000"),
    ],
)
def test_a_program_that_does_not_get_ready_is_a_kind_with_a_reason(
    tmp_path: Path, code: str, kind: K, reason: str
) -> None:
    found, why = failed(tmp_path, f"{RAW}{code}\n")
    assert (found, reason in why) == (kind, True), why


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("os.write(1, b'{\"pcm\": 3'); sys.exit(3)", K.DIED, "code 3 (in the middle of a line)"),
        ("send({'pcm': 100}, b'1234'); os.abort()", K.KILLED, "SIGABRT"),
        ("sys.stderr.write('cuda: no memory'); sys.exit(1)", K.DIED, "words: cuda: no memory"),
        ("send({'error': 'no such\\nvoice'})", K.ERROR, "refused: no such voice"),
        ("send({'done': True})", K.NO_AUDIO, "answered without audio"),
        ("send({'pcm': 0}); send({'done': True})", K.NO_AUDIO, "answered without audio"),
        ("send({'done': True, 'notices': [{'kind': 'a b', 'text': ''}]})", K.BAD_FORMAT, "a word"),
        ("send({'pcm': 3}, b'123')", K.BAD_FORMAT, "announced 3 bytes"),
        ("send({'pcm': -2})", K.BAD_FORMAT, "must be at least 0"),
        ("send({'pcm': 2**40})", K.BAD_FORMAT, "must be at most"),
        ("[send({'pcm': 2**26}, bytes(2**26)) for _ in range(9)]", K.BAD_FORMAT, "in all"),
        ("send({'audio': 'x'})", K.BAD_FORMAT, "neither pcm, nor error, nor done"),
        ("send(3)", K.BAD_FORMAT, "must be an object"),
        ("send({'done': True, 'wav': '/etc/passwd'})", K.BAD_FORMAT, "another file"),
        ("send({'done': True, 'wav': a['wav']})", K.NO_AUDIO, "wrote no file"),
        (
            "write(a['wav'], 'ab', rate_hz=8000); send({'done': True, 'wav': a['wav']})",
            K.BAD_FORMAT,
            "wrote 8000 Hz, and announced 16000 Hz",
        ),
        (
            "send({'pcm': 2}, b'12'); send({'done': True, 'stages_s': {'x': 0.1}})",
            K.BAD_FORMAT,
            "the stage x, which it did not announce",
        ),
    ],
)
def test_a_broken_answer_is_a_kind_with_a_reason(
    tmp_path: Path, code: str, kind: K, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.harness.targets.command.lines.LARGEST_FRAMES", 2**26)
    found, why = failed(tmp_path, f"{RAW}send({HELLO})\na = asked()\n{code}\ntime.sleep(60)\n")
    assert (found, reason in why) == (kind, True), why


def test_what_follows_an_answer_is_no_audio_of_the_next(tmp_path: Path) -> None:
    code = f"{RAW}send({HELLO})\nasked()\nsend({{'pcm': 2}}, b'12')\nsend({{'done': True}}, b'123456')\ntime.sleep(60)"  # noqa: E501
    target = loaded(tmp_path, code)
    heard(target)
    with pytest.raises(HarnessError, match="went on behind its answer"):
        heard(target)


def test_a_claim_is_marked_as_one_and_no_proof(tmp_path: Path) -> None:
    code = f"""{RAW}
send({{**{HELLO}, "effective": {{"steps": 8, "form": "a\\tb"}}, "options": ["steps", "seed"]}})
while True:
    asked()
    send({{"pcm": 1600}}, frames("a"))
    send({{"done": True, "effective": {{"rate": 2.0, "guidance": 3}}}})
"""
    target = loaded(tmp_path, code, "--rate", "{rate}", steps=8, rate=2)
    heard(target)
    assert {name for name in target.effective() if name.startswith("claimed.")} == {
        "claimed.steps",
        "claimed.rate",
        "claimed.guidance",
    }
    found = checks(target)
    assert (found["steps"].observed, found["steps"].in_effect) == (UNSEEN, None)
    assert found["steps"].reason == "sent with the text; the program claims 8"
    assert found["rate"].reason == "passed as 2; the program claims 2.0"
    assert all(check.in_effect is None for check in found.values())


def test_what_a_program_tells_of_an_answer_is_noted(tmp_path: Path) -> None:
    code = f"""{RAW}
send({HELLO})
for told in ([{{"kind": "dropped", "text": "#"}}], []):
    asked()
    send({{"pcm": 1600}}, frames("a"))
    send({{"done": True, "notices": told}})
"""
    target = loaded(tmp_path, code)
    noted = [time_synthesis(target, REQUEST, WallClock()).notices for _ in range(2)]
    assert noted == [(SynthesisNotice(kind="dropped", text="#"),), ()]


def test_a_claim_against_the_request_breaks_it(tmp_path: Path) -> None:
    code = f"{RAW}send({{**{HELLO}, 'effective': {{'steps': 32}}}})\nasked()\n"
    code += "send({'pcm': 1600}, frames('a'))\nsend({'done': True})\ntime.sleep(60)"
    check = checks(loaded(tmp_path, code, steps=8))["steps"]
    assert (check.in_effect, check.observed, check.reason) == (
        False,
        "32",
        "as the program itself claims",
    )


def test_an_option_that_the_program_does_not_take_is_refused_at_the_start(tmp_path: Path) -> None:
    code = f"{CLIENT}{SPEAK}serve(speak, 16000, options=['seed'])\n"
    found, why = failed(tmp_path, code, steps=8)
    assert (found, "has no option steps; its first line names seed" in why) == (K.REFUSED, True)
    assert heard(loaded(tmp_path, code, seed=1)).size == 3200  # nor is it sent the device


def test_claimed_stages_are_named_so_and_stand_alone(tmp_path: Path) -> None:
    code = f"""{RAW}
send({{**{HELLO}, "stages": ["acoustic", "vocoder"]}})
while True:
    text = asked()["text"]
    time.sleep(0.05)
    send({{"pcm": 1600}}, frames("a"))
    send({{"done": True, "stages_s": {{"acoustic": 0.03, "vocoder": 9.0 if text == "lie" else 0.01}}}})
"""  # noqa: E501
    target = loaded(tmp_path, code)
    timing = time_synthesis(target, REQUEST, WallClock())
    assert timing.stages_s == {"claimed.acoustic": 0.03, "claimed.vocoder": 0.01}
    with pytest.raises(ValueError, match=r"claims 9\.03 s in its stages"):
        time_synthesis(target, Request(id="r2", text="lie"), WallClock())


def test_a_seed_is_heard(tmp_path: Path) -> None:
    check = checks(loaded(tmp_path, HONEST, seed=1))["seed"]
    assert (check.in_effect, check.observed) == (True, "other audio with another seed")
    ignored = HONEST.replace("seed=seed", "seed=0")
    check = checks(loaded(tmp_path, ignored, seed=1))["seed"]
    assert (check.in_effect, check.observed) == (False, "the same audio with another seed")


SUITE = """
from voxgate import Suite
suite = Suite(target="command", command=["./mytts"], protocol="lines", workload="one.toml",
              metrics=[], axes={"seed": [1]}, reference={"seed": 1})
"""


def test_a_run_measures_loading_apart_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "say.py").write_text(SUITE)
    (tmp_path / "one.toml").write_text('[[request]]\nid = "r1"\ntext = "One."\n')
    log = "print(os.getpid(), file=open('pid', 'w'), flush=True)\ntime.sleep(0.5)\n"
    program(tmp_path, log + HONEST)
    assert invoke(["run", "say", "--repeats", "1", "--out", "runs/1"]) == 0
    (measured,) = load_run(tmp_path / "runs" / "1").processes
    assert measured.cold is not None and measured.cold.load_s > 0.5
    assert measured.cold.first_synthesis_s < 0.5
    assert (measured.peak_rss_bytes or 0) > 1e6
    assert gone(int((tmp_path / "pid").read_text()))
