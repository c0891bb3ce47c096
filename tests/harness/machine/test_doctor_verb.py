"""
`voxgate doctor`, and runs that are refused: exit codes, last line, JSON. The machine is made of
files.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.machine.trees import SET, agx_orin, virtual, workstation, write
from voxgate.harness.cli.main import invoke
from voxgate.harness.machine import doctor, readiness
from voxgate.harness.machine.checks import check
from voxgate.harness.machine.checks.check import SystemRoot

SUITE = """
from voxgate import Suite

suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"steps": [8]}, reference={"steps": 8})
"""  # noqa: E501
AGX = "jetson-agx-orin-maxn"


@pytest.fixture
def on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Path], SystemRoot]], None]:
    """
    Puts the command line on a machine that is made up; the doctor's work changes only what it
    would.
    """

    def put(make: Callable[[Path], SystemRoot]) -> None:
        made = make(tmp_path)
        later = {
            "proc/self/schedstat": "2000000000 0 9",
            "proc/stat": (made.text("proc/stat") or "").replace("cpu  1", "cpu  2"),
        }
        monkeypatch.setattr(
            check, "here", lambda: SystemRoot(root=tmp_path, libc="glibc 2.39", **SET)
        )
        monkeypatch.setattr(doctor, "busy", lambda cpu: write(tmp_path, later))
        monkeypatch.setattr(readiness, "machine", lambda: {"id": "box"})

    return put


def test_a_fit_machine_is_0(on: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    on(agx_orin)
    assert invoke(["doctor", "--profile", AGX]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"profile {AGX}  machine box"
    assert lines[-1] == f"fit to measure with {AGX} (16 fit)"


def test_an_unfit_one_is_3_and_the_command_is_given(
    on: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    on(workstation)
    assert invoke(["doctor"]) == 3
    captured = capsys.readouterr()
    assert (
        "         sudo cpupower frequency-set --governor performance" in captured.out.splitlines()
    )
    assert captured.out.splitlines()[-1].startswith(
        "not fit to measure with cpu-gate (3 unfit, 11 fit): governor: powersave"
    )


@pytest.mark.parametrize("profile", ["toaster", AGX])
def test_a_wrong_profile_is_2(on: Callable[..., None], profile: str) -> None:
    on(virtual)
    assert invoke(["doctor", "--profile", profile]) == 2


def test_the_page_holds_what_the_terminal_shows(on: Callable[..., None], tmp_path: Path) -> None:
    on(workstation)
    assert invoke(["doctor", "--html", str(tmp_path / "doctor.html")]) == 3
    text = (tmp_path / "doctor.html").read_text()
    assert "sudo cpupower frequency-set --governor performance" in text
    assert invoke(["doctor", "--html", str(tmp_path / "none" / "doctor.html")]) == 2


def test_json_is_one_document_and_nothing_else(
    on: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    on(virtual)
    assert invoke(["doctor", "--json"]) == 0
    captured = capsys.readouterr()
    data = json.loads(captured.out)
    assert (data["profile"], data["machine"], data["fit"], captured.err) == (
        "cpu-gate",
        "box",
        True,
        "",
    )


def test_a_run_on_another_board_is_refused_before_anything_is_written(
    on: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on(virtual)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"suites/two.py": SUITE, "two.toml": '[[request]]\nid = "r1"\ntext = "One."'})
    assert invoke(["run", "two", "--profile", AGX]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"voxgate: this machine is not fit for profile {AGX}: board: no Jetson")
    assert not (tmp_path / "runs").exists()
