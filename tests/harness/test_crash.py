"""
What nobody foresaw is exit code 2, one line and a file, whatever it is and wherever it happens;
never 1.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from voxgate.harness.cli import main
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import DEBUG, HarnessError, guarded, one_line, without_passwords
from voxgate.harness.machine import readiness


@pytest.fixture(autouse=True)
def _undebugged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DEBUG, "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


class SilentError(Exception):
    """One that cannot describe itself."""

    def __str__(self) -> str:
        raise ValueError("no words")


ACCIDENTS = {
    "KeyError": KeyError("complete"),
    "ZeroDivisionError": ZeroDivisionError("float division by zero"),
    "RecursionError": RecursionError("maximum recursion depth exceeded"),
    "MemoryError": MemoryError(),
    "AssertionError": AssertionError(),
    "OSError": OSError(5, "Input/output error", "/x"),
    "BrokenPipeError": BrokenPipeError(32, "Broken pipe"),  # of a worker, not of standard output
    "EOFError": EOFError("Ran out of input"),  # of a torn file; click takes it for Ctrl-D
    "SystemExit": SystemExit(1),
    "UnicodeEncodeError": UnicodeEncodeError("ascii", "é", 0, 1, "no"),
    "SilentError": SilentError(),
    "ValueError": ValueError("two\nlines and \x1b[31m colour"),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_an_accident_is_code_2_with_one_line_and_a_file_with_the_traceback(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def accident(_: object) -> None:
        raise ACCIDENTS[name]

    monkeypatch.setattr(readiness, "examine", accident)
    assert invoke(["doctor"]) == 2
    err = capsys.readouterr().err
    assert (
        err.startswith("voxgate: unexpected ") and err.count("\n") == 1 and err[:-1].isprintable()
    )
    assert "code 1" in err if name == "SystemExit" else name in err
    [log] = Path().glob("crash-*.log")
    assert str(log) in err
    assert "in accident" in log.read_text()


def test_the_file_lies_in_the_runs_of_the_project_where_there_are_any(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("runs").mkdir()
    assert guarded("voxgate", lambda: 1 // 0) == 2
    [log] = Path("runs").iterdir()
    assert f"see {log} " in capsys.readouterr().err
    assert "ZeroDivisionError" in log.read_text()


def test_where_no_file_can_be_written_the_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    assert guarded("voxgate", lambda: 1 // 0) == 2
    assert "could not be written" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["environment", "option"])
def test_whoever_looks_for_the_fault_gets_the_exception(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "examine", lambda _: 1 // 0)
    if way == "environment":
        monkeypatch.setenv(DEBUG, "1")
    with pytest.raises(ZeroDivisionError):
        invoke([*(["--debug"] if way == "option" else []), "doctor"])


def test_codes_and_known_errors_pass_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert [guarded("voxgate", lambda code=code: code) for code in (0, 1, 2, 3)] == [0, 1, 2, 3]  # type: ignore[misc]

    def mistake() -> int:
        raise HarnessError("no such\nsuite \x1b]0;x\x07")

    def interrupt() -> int:
        raise KeyboardInterrupt

    assert guarded("voxgate", mistake) == 2
    assert capsys.readouterr().err == "voxgate: no such suite ]0;x\n"
    assert guarded("voxgate", interrupt) == 130
    assert list(Path().glob("crash-*")) == []


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:S3cret@h/db",
        "postgresql://u:S3@cret@h/db",
        "postgresql://u:S3/cret@h/db",
        "postgresql:/u:S3cret@h/db",
        "u:S3cret@h/db",
        "cannot parse 'postgresql+psycopg://u:S3cret@h:x/db'",
    ],
)
def test_no_password_is_in_the_line_or_in_the_file(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def accident() -> int:
        raise ValueError(text)

    assert "cret" not in without_passwords(text)
    assert guarded("voxgate", accident) == 2
    [log] = Path().glob("crash-*.log")
    assert "cret" not in capsys.readouterr().err + log.read_text()


def test_one_line_keeps_what_can_be_read() -> None:
    assert one_line("größer\tals\r\n1 µs\udcff \x9b2J‮") == "größer als 1 µs 2J"


def started(
    *words: str, stdout: object, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "voxgate", *words]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )


def test_a_reader_that_has_left_and_a_full_disk_are_no_regressions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for output in (writing, os.open("/dev/full", os.O_WRONLY)):
        done = started("--help", stdout=output)
        os.close(output)
        assert done.returncode == 2
        assert (
            done.stderr.startswith("voxgate: standard output cannot be written (")
            and done.stderr.count("\n") == 1
        )


def test_bytes_that_are_no_text_can_be_shown() -> None:
    Path("runs").mkdir()
    done = started(
        "gate", os.fsdecode(b"\xff"), stdout=subprocess.PIPE, env={"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is no run folder" in done.stderr


@pytest.mark.parametrize(
    ("module", "said"), [("voxgate", "voxgate "), ("voxgate.engine", "engine ")]
)
def test_the_version_is_told(module: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(said) and done.stdout.split()[1][0].isdigit()


def with_broken(
    module: str, raises: str, words: Sequence[str]
) -> "subprocess.CompletedProcess[str]":
    """Run `voxgate` where a module cannot be imported."""
    Path("broken").mkdir(exist_ok=True)
    Path("broken", f"{module}.py").write_text(f"raise {raises}\n")
    code = (
        "import signal, sys; sys.argv[0] = 'voxgate'; "
        # a job that a shell started in the background ignores SIGINT, and so would this one
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from voxgate.__main__ import main; main()"
    )
    env = {**os.environ, "PYTHONPATH": "broken"}
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, env=env
    )


def test_a_package_that_is_absent_or_broken_is_no_regression() -> None:
    done = with_broken("rich", "ImportError(\"No module named 'rich'\")", ["doctor"])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "voxgate: unexpected ImportError: No module named 'rich'; details: see " in done.stderr


def test_ctrl_c_while_it_starts_is_no_traceback() -> None:
    interrupts = (
        f"SystemError(__import__('os').kill(__import__('os').getpid(), {int(signal.SIGINT)}) or "
        "'interrupted')"
    )
    done = with_broken("rich", interrupts, ["doctor"])
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_jobs_of_ci_are_guarded_in_the_same_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from voxgate.harness.ci import __main__ as jobs

    def accident(*_: object) -> int:
        raise KeyError("id")

    monkeypatch.setattr(jobs, "conclude", accident)
    assert jobs.main(["conclude", "--folder", ".", "--code", "0"]) == 2
    assert capsys.readouterr().err.startswith("voxgate: unexpected KeyError: 'id'; details: see ")


@pytest.mark.parametrize(
    "raised",
    [
        KeyError("x"),
        MemoryError(),
        RecursionError("deep"),
        EOFError("short"),
        SystemExit(1),
        BrokenPipeError(32, "x"),
    ],
)
def test_the_engine_ends_with_2_as_well(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from voxgate.engine import __main__ as command
    from voxgate.engine.errors import guarded as engine_guarded

    def accident(*_: object) -> None:
        raise raised

    monkeypatch.setattr(command, "_say", accident)
    assert engine_guarded(command.main, ["say", "Hello."]) == 2
    err = capsys.readouterr().err
    assert err.startswith("engine: ") and err.count("\n") == 1
    assert engine_guarded(command.main, ["say", "--nonsense"]) == 2


ODD = (
    "",
    "-",
    "--",
    ".",
    "..",
    "/",
    "\udcff",
    "a" * 5000,
    "../../etc",
    "nan",
    "-1",
    "1e999",
    "0x10",
    "[]",
    "%s",
    "~",
)
VERBS = (
    "run",
    "gate",
    "check",
    "accept",
    "report",
    "floor",
    "ab",
    "bisect",
    "history",
    "load",
    "selftest",
)


@pytest.mark.parametrize("verb", VERBS)
def test_odd_arguments_end_with_2_and_without_an_accident(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    further = {
        "accept": ["--why", "x"],
        "ab": ["HEAD", "two"],
        "bisect": ["HEAD", "two"],
        "history": ["--history", "sqlite:///none.sqlite"],
    }
    Path("suites").mkdir()  # no suite of the embedded voice is found, which would be measured
    for odd in ODD:
        for words in (
            [verb, odd, *further.get(verb, [])],
            [verb, "two", "--out", odd],
            [verb, "x", "--profile", odd],
        ):
            assert invoke(words) == 2, words
            err = capsys.readouterr().err
            assert "unexpected" not in err and "Traceback" not in err, (words, err)
    assert list(Path().rglob("crash-*")) == []
    assert main.VERBS.keys() >= set(VERBS)
    assert json.dumps(err)
