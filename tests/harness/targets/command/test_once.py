"""A program started for each text: honest ones, and every way to break."""

import contextlib
import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.harness.targets.command.programs import (
    HONEST,
    RATE_HZ,
    REQUEST,
    WORDS,
    cell,
    line,
    program,
)
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.records.cell import Request
from voxgate.harness.records.run import UNSEEN, OptionCheck
from voxgate.harness.records.run import FailureKind as K
from voxgate.harness.runner.failures import classify
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.runner.timing import time_synthesis
from voxgate.harness.targets.command import once, process
from voxgate.harness.targets.command.target import CommandTarget
from voxgate.harness.targets.registry import check_cells, make_target


def loaded(*words: str, **options: object) -> CommandTarget:
    target = CommandTarget()
    arguments = options.pop("arguments", {})
    target.load(cell(line(*words, **arguments), **options), {"device": "cpu", "threads": 1})  # type: ignore[arg-type]
    return target


def unwatched(_: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def heard(target: CommandTarget, request: Request = REQUEST) -> np.ndarray:
    return np.concatenate(list(target.synthesize(request, unwatched)))


def failure(target: CommandTarget, request: Request = REQUEST) -> tuple[K, str]:
    with pytest.raises(Exception) as caught:
        heard(target, request)
    found = classify(caught.value)
    return found.kind, found.reason


def checks(target: CommandTarget, request: Request = REQUEST) -> dict[str, OptionCheck]:
    return {check.option: check for check in target.observe(request)}


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def gone(pid: int) -> bool:
    """Whether a process ends within a second."""
    for _ in range(100):
        if not alive(pid):
            return True
        time.sleep(0.01)
    return False


def test_the_audio_is_the_file_at_the_rate_of_the_file(tmp_path: Path) -> None:
    target = loaded(program(tmp_path, HONEST), *WORDS)
    audio = heard(target)
    assert (target.sample_rate_hz, audio.size, audio.dtype) == (RATE_HZ, 3200, np.float32)
    assert 0.2 < np.abs(audio).max() < 0.3


def test_the_whole_process_is_timed_as_one_stage_from_start_to_end(tmp_path: Path) -> None:
    code = f"time.sleep(0.2)\n{HONEST}time.sleep(0.1)\n"
    timing = time_synthesis(loaded(program(tmp_path, code), *WORDS), REQUEST, WallClock())
    assert set(timing.stages_s) == {"process"}
    assert 0.3 < timing.stages_s["process"] <= timing.wall_s < timing.stages_s["process"] + 0.05
    assert timing.first_audio_s > 0.3


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (("{text}", "{wav}"), "sys.argv[1]"),
        (("{wav}",), "sys.stdin.read().strip()"),
        (("{text_file}", "{wav}"), "open(sys.argv[1]).read().strip()"),
        (
            ("--text={text}", "--{language}", "{wav}"),
            "sys.argv[1][7:] if '--en' in sys.argv else ''",
        ),
    ],
)
def test_a_text_is_an_argument_a_file_or_standard_input(
    tmp_path: Path, words: tuple[str, ...], read: str
) -> None:
    text = 'He said: "$HOME; `ls` {wav} -x" é'
    code = f"text = {read}\nassert text == {text!r}, text\nwrite(sys.argv[-1], text)\n"
    request = Request(id="r1", text=text)
    assert heard(loaded(program(tmp_path, code), *words), request).size == 800 * len(text)


def test_a_wav_file_on_standard_output_is_decoded_as_it_arrives(tmp_path: Path) -> None:
    code = """
write(option("--to"), "ab")
wav = open(option("--to"), "rb").read()
sys.stdout.buffer.write(wav[:1644]); sys.stdout.flush(); time.sleep(0.3)
sys.stdout.buffer.write(wav[1644:])
"""
    target = loaded(program(tmp_path, code), "--to", str(tmp_path / "own.wav"), "--text", "{text}")
    timing = time_synthesis(target, REQUEST, WallClock())
    assert timing.audio.size == 1600
    assert timing.wall_s - timing.first_audio_s > 0.25
    assert target.sample_rate_hz == RATE_HZ


def test_options_become_arguments_and_unset_ones_none(tmp_path: Path) -> None:
    code = 'print(json.dumps(sys.argv[1:]), file=open(option("--log"), "w"))\n' + HONEST
    words = ("--log", str(tmp_path / "log"), "--voice", "{speaker}", "{arguments}", *WORDS)
    arguments = {
        "nfe_steps": ["--steps", "{nfe_steps}"],
        "scale": ["--scale={scale}"],
        "denoise": ["--denoise"],
        "fast": ["--fast"],
        "seed": ["--seed", "{seed}"],
        "threads": ["-j", "{threads}"],
        "exact": ["--exact", "{exact}"],
    }
    options = {"nfe_steps": 8, "scale": 0.5, "denoise": True, "fast": False, "exact": False}
    target = loaded(program(tmp_path, code), *words, arguments=arguments, **options)
    heard(target, Request(id="r1", text="One.", options={"speaker": "slt"}))
    said = json.loads((tmp_path / "log").read_text())
    passed = ["--steps", "8", "--scale=0.5", "--denoise", "-j", "1", "--exact", "false"]
    assert said[2:12] == ["--voice", "slt", *passed]
    assert "--fast" not in said and "--seed" not in said


GIGABYTE = "f = open(OUT, 'wb'); f.truncate(2**30); time.sleep(60)"


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("sys.exit('no voice')", K.ERROR, "ended with code 1; its last words: no voice"),
        (r"sys.exit('a\n\x1b[1mb\n')", K.ERROR, "code 1; its last words: [1mb"),
        ("os.kill(os.getpid(), 9)", K.KILLED, "was ended by SIGKILL (out of memory?)"),
        ("os.abort()", K.KILLED, "was ended by SIGABRT"),
        ("os.write(2, b'hm')", K.NO_AUDIO, "no file at the path of {wav}; its last words: hm"),
        ("open(OUT, 'w')", K.NO_AUDIO, "wrote an empty file"),
        ("write(OUT, '')", K.NO_AUDIO, "a WAV file without audio"),
        ("open(OUT, 'wb').write(bytes(range(256)))", K.BAD_FORMAT, "no WAV file: it begins with"),
        ("open(OUT, 'w').write('{\"error\": 1}')", K.BAD_FORMAT, "text: "),
        ("write(OUT, 'ab'); os.truncate(OUT, 1000)", K.BAD_FORMAT, "the length that its head"),
        ("write(OUT, 'ab', channels=2)", K.BAD_FORMAT, "wrote 2 channels; a voice has one"),
        ("write(OUT, 'ab', rate_hz=2000)", K.BAD_FORMAT, "2000 Hz, which no audio has"),
        ("os.mkdir(OUT)", K.BAD_FORMAT, "no plain file"),
        ("os.mkfifo(OUT)", K.BAD_FORMAT, "no plain file"),
        ("os.symlink('/etc/passwd', OUT)", K.BAD_FORMAT, "what is no file"),
        (GIGABYTE, K.BAD_FORMAT, "wrote more than 256 MiB"),
        (r"os.write(2, b'x' * 10**6 + b'\nend'); sys.exit(2)", K.ERROR, "its last words: end"),
    ],
)
def test_every_way_to_break_is_a_kind_with_a_reason(
    tmp_path: Path, code: str, kind: K, reason: str
) -> None:
    code = f"OUT = option('--out')\n{code}"
    found, why = failure(loaded(program(tmp_path, code), *WORDS))
    assert (found, "mytts " in why, reason in why) == (kind, True, True), why


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("pass", K.NO_AUDIO, "wrote nothing to standard output"),
        ("print('Loading the model, please wait for it')", K.BAD_FORMAT, "no WAV file"),
        ("os.write(1, bytes(range(256)) * 9)", K.BAD_FORMAT, "no WAV file"),
        ("os.write(1, b'RIFF'); sys.exit(3)", K.ERROR, "code 3"),
        ("os.write(1, b'RIFF')", K.BAD_FORMAT, "ends after 4 bytes"),
    ],
)
def test_broken_standard_output_is_a_kind_with_a_reason(
    tmp_path: Path, code: str, kind: K, reason: str
) -> None:
    found, why = failure(loaded(program(tmp_path, code), "--text", "{text}"))
    assert (found, reason in why) == (kind, True), why


def test_a_gigabyte_on_standard_output_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "LARGEST_FRAMES", 10**6)
    code = """
head = b"RIFF" + (2**32 - 1).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
head += bytes([1, 0, 1, 0]) + (16000).to_bytes(4, "little") + (32000).to_bytes(4, "little")
os.write(1, head + bytes([2, 0, 16, 0]) + b"data" + (2**32 - 1).to_bytes(4, "little"))
while True:
    os.write(1, bytes(65536))
"""
    found, why = failure(loaded(program(tmp_path, code), "--text", "{text}"))
    assert (found, "wrote more than" in why) == (K.BAD_FORMAT, True), why


def test_another_rate_than_before_is_refused(tmp_path: Path) -> None:
    code = "write(option('--out'), 'ab', rate_hz=8000 * len(option('--text')))"
    target = loaded(program(tmp_path, code), *WORDS)
    heard(target, Request(id="r1", text="ab"))
    found, why = failure(target, Request(id="r2", text="abc"))
    assert (found, "24000 Hz, and 16000 Hz before" in why) == (K.BAD_FORMAT, True)


CHILDREN = """
def child(leave):
    pid = os.fork()
    if not pid:
        if leave:
            os.setsid()
            if os.fork():
                os._exit(0)
        print(os.getpid(), file=open(option("--log"), "a"), flush=True)
        time.sleep(60)
    return pid
child(False)
child(True)
while not os.path.exists(option("--log")) or len(open(option("--log")).read().split()) < 2:
    time.sleep(0.01)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="orphans are found on Linux only")
@pytest.mark.parametrize("how", ["ends", "fails"])
def test_what_a_program_leaves_running_is_ended(tmp_path: Path, how: str) -> None:
    log = tmp_path / "log"
    code = CHILDREN + (HONEST + "os._exit(0)" if how == "ends" else "os._exit(3)")
    target = loaded(program(tmp_path, code), "--log", str(log), *WORDS)
    with contextlib.suppress(HarnessError):
        assert heard(target).size == 3200
    target.settled()
    pids = [int(word) for word in log.read_text().split()]
    assert len(pids) == 2 and all(map(gone, pids))


def test_output_that_children_hold_open_is_not_waited_for(tmp_path: Path) -> None:
    code = "if os.fork():\n    say('ab')\n    os._exit(0)\ntime.sleep(60)"
    target = loaded(program(tmp_path, code), "--text", "{text}")
    before = time.perf_counter()
    assert heard(target).size == 1600
    assert time.perf_counter() - before < 5


def test_a_text_that_nobody_waits_for_any_more_ends_its_program(tmp_path: Path) -> None:
    log = tmp_path / "pid"
    code = f"open({str(log)!r}, 'w').write(str(os.getpid()))\nsay('ab')\ntime.sleep(60)"
    pieces = loaded(program(tmp_path, code), "--text", "{text}").synthesize(REQUEST, unwatched)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert gone(int(log.read_text()))


def test_without_process_handles_the_end_is_polled_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_handle", lambda pid: None)
    assert heard(loaded(program(tmp_path, HONEST), *WORDS)).size == 3200
    assert heard(loaded(program(tmp_path, "say('ab')"), "--text", "{text}")).size == 1600


def test_nothing_stays_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("precious")
    code = f"os.symlink({str(tmp_path / 'kept')!r}, os.path.dirname(option('--out')) + '/link')\n"
    target = loaded(program(tmp_path, code + HONEST), *WORDS)
    heard(target)
    folder = Path(target._engine._folders._whole.name)  # type: ignore[union-attr]
    assert list(folder.iterdir())
    target.settled()
    assert not list(folder.iterdir())
    assert (tmp_path / "kept" / "file").read_text() == "precious"


def test_an_argument_is_never_proof(tmp_path: Path) -> None:
    """An option that is passed, and ignored by the program, is not said to be in effect."""
    target = loaded(program(tmp_path, HONEST), *WORDS, "--steps", "{steps}", steps=8)
    found = checks(target)
    steps = found["steps"]
    assert (steps.requested, steps.observed, steps.in_effect) == (8, UNSEEN, None)
    assert steps.reason == "passed as 8"
    assert all(check.in_effect is None for check in found.values())
    assert "--steps 8" in found["process.arguments"].observed
    assert found["audio"].observed == "16000 Hz, 1 channel, 0.20 s"
    assert set(target.effective()) == {"program"}


def test_threads_and_memory_are_those_of_the_whole_tree(tmp_path: Path) -> None:
    code = """
if os.fork():
    block = bytearray(50_000_000)
    os.wait()
    write(option("--out"), "ab")
else:
    import threading
    threads = [threading.Thread(target=time.sleep, args=(0.4,)) for _ in range(3)]
    [each.start() for each in threads]
    block = bytearray(50_000_000)
    [each.join() for each in threads]
    os._exit(0)
"""
    target = loaded(program(tmp_path, code.replace("bytearray(", "b'x' * (")), *WORDS)
    found = checks(target)
    assert found["process.threads"].observed == "5 in 2 processes"
    assert 100e6 < (target.peak_rss_bytes() or 0) < 200e6


@pytest.mark.parametrize(
    ("code", "holds", "observed"),
    [
        (HONEST, True, "other audio with another seed"),
        ("write(option('--out'), 'ab')", False, "the same audio with another seed"),
        (
            "write(option('--out'), 'ab', seed=int.from_bytes(os.urandom(2), 'big'))",
            False,
            "other audio with the same seed",
        ),
    ],
)
def test_a_seed_is_heard(tmp_path: Path, code: str, holds: bool, observed: str) -> None:
    target = loaded(program(tmp_path, code), *WORDS, "--seed", "{seed}", seed=1)
    check = checks(target)["seed"]
    assert (check.in_effect, check.observed) == (holds, observed)


def test_the_program_and_its_files_are_recorded_with_their_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program(tmp_path, HONEST)
    (tmp_path / "voice.onnx").write_bytes(b"weights")
    target = loaded("./mytts", "--model=voice.onnx", "--like", "{text}", "--out", "{wav}")
    told = target.effective()
    assert str(told["program"]).startswith("mytts (sha256 ")
    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    assert told["program.files"] == f"voice.onnx (sha256 {digest})"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("no-such-program-here", "is not on the PATH"),
        ("./nothing", "is no file in"),
        ("./plain", "chmod +x"),
    ],
)
def test_a_program_that_is_not_there_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("")
    with pytest.raises(HarnessError, match=said.replace("+", r"\+")):
        check_cells([cell(line(word, *WORDS))])


def test_a_text_that_no_argument_can_hold_is_refused(tmp_path: Path) -> None:
    target = loaded(program(tmp_path, HONEST), *WORDS)
    found, why = failure(target, Request(id="r1", text="a\0b"))
    assert (found, "cannot start" in why) == (K.REFUSED, True), why
    found, why = failure(target, Request(id="r1", text="a" * 3_000_000))
    assert (found, "cannot start" in why) == (K.REFUSED, True), why


SUITE = """
from voxgate import Suite
suite = Suite(target="command", command={command}, workload="one.toml", metrics=[],
              axes={{"steps": [8, 4]}}, reference={{"steps": 8}}, arguments={{"steps": ["--steps", "{{steps}}"]}})
"""  # noqa: E501


@pytest.fixture(name="project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "one.toml").write_text('[[request]]\nid = "r1"\ntext = "One."\n')
    return tmp_path


def write_suite(project: Path, *words: str) -> None:
    (project / "suites" / "say.py").write_text(SUITE.format(command=list(words)))


def test_a_run_says_that_nothing_shows_an_ignored_argument(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(project, HONEST)
    write_suite(project, "./mytts", *WORDS)
    assert invoke(["run", "say", "--repeats", "1", "--out", "runs/1"]) == 0
    run = load_run(project / "runs" / "1")
    assert run.processes[0].cold is not None
    assert (run.processes[0].peak_rss_bytes or 0) > 1e6
    assert {name for each in run.processes[0].iterations for name in each.stages_s} == {"process"}
    capsys.readouterr()
    invoke(["gate", "runs/1"])
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing was observed of steps=4" in said
    assert "in effect: steps" not in said


def test_a_program_that_hangs_ends_with_its_worker(project: Path) -> None:
    code = """
left = os.fork()
if not left:
    os.setsid()
with open("left" if not left else "pid", "w") as file:
    file.write(str(os.getpid()))
time.sleep(600)
"""
    program(project, code)
    write_suite(project, "./mytts", *WORDS)
    options = ["--repeats", "1", "--out", "runs/1", "--timeout", "3", "--only", "steps-8"]
    assert invoke(["run", "say", *options]) == 1
    (failed,) = load_run(project / "runs" / "1").processes
    assert failed.failure is not None and failed.failure.kind is K.TIMEOUT
    assert gone(int((project / "pid").read_text()))
    assert gone(int((project / "left").read_text()))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("espeak-ng", ("-v", "en", "-w", "{wav}", "{text}")),
        ("espeak-ng", ("-v", "en", "--stdout", "{text}")),
        ("espeak-ng", ("-v", "en", "-w", "{wav}")),
        ("flite", ("-voice", "{speaker}", "-t", "{text}", "-o", "{wav}")),
    ],
)
def test_programs_of_this_machine_speak(name: str, words: tuple[str, ...]) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    options = {"speaker": "slt"} if "{speaker}" in words else {}
    target = loaded(name, *words, **options)
    audio = heard(target)
    assert 0.3 < audio.size / target.sample_rate_hz < 3.0
    assert np.abs(audio).max() > 0.05
    check = checks(target)["process.arguments"]
    ended = "it had ended before it could be looked at"
    assert check.observed.startswith(name) or (check.observed, check.reason) == (UNSEEN, ended)


def test_make_target_knows_it() -> None:
    assert isinstance(make_target("command"), CommandTarget)
