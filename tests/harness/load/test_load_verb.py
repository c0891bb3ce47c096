"""
`voxgate load` from the command line to the folder: against fake servers, and once against our own.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.harness.targets.speech_servers import Reply, fake_server, refused, tone, wav
from voxgate.harness.cli import load
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.load.plan import Level, LoadPlan, chosen_cells, speech_request
from voxgate.harness.load.records import read_cell
from voxgate.harness.load.report import report_of
from voxgate.harness.records.cell import cell_from_json
from voxgate.harness.targets.http.target import URL

FINE = Reply(parts=(wav(tone()),))
SUITE = '''"""Can it serve?"""
from voxgate import Suite

suite = Suite({target}, workload="texts.toml", cells={cells}, reference={reference})
'''
TEXTS = "".join(
    f'[[request]]\nid = "{name}"\ntext = "{text}"\nspeaker = "slt"\n'
    for name, text in (("a", "One."), ("b", "Two " * 20 + "."), ("c", "Three " * 50 + "."))
)


def write(folder: Path, target: str, cells: str, reference: str) -> None:
    (folder / "suites").mkdir(exist_ok=True)
    (folder / "suites" / "s.py").write_text(
        SUITE.format(target=target, cells=cells, reference=reference)
    )
    (folder / "texts.toml").write_text(TEXTS)


@pytest.fixture(name="project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(URL, raising=False)
    # the engine beside these tests
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    write(tmp_path, 'target="http", pipeline="speech"', "[{}]", "{}")
    return tmp_path


def test_levels_are_reported_by_class_and_kept(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_server(FINE) as fake:
        code = invoke(
            [
                "load",
                "s",
                "--closed",
                "1,3",
                "--requests",
                "9",
                "--url",
                fake.url,
                "--limit-ms",
                "60000",
                "--html",
                "load.html",
            ]
        )
        asked = [each["input"][:3] for each in fake.asked]
    out = capsys.readouterr().out

    assert "answers per second at most" in Path("load.html").read_text()
    assert code == 0 and out.splitlines()[-1] == "fine: 18 requests, all answered; runs/load/0001"
    for words in (
        "closed-1  all",
        "closed-1  short",
        "closed-3  medium",
        "closed-3  long",
        "goodput/s",
        "p99 ms",
    ):
        assert words in out
    assert (
        "cold: server was running before; first request (a, short)" in out
        and "* fewer answers" in out
    )
    # cold, warm-up, two levels
    assert asked[:4] == ["One", "One", "Two", "Thr"] and len(asked) == 4 + 18
    cell = read_cell(Path("runs/load/0001"), "default")
    assert len(cell.answers) == 22 and [span.level for span in cell.spans] == [
        "closed-1",
        "closed-3",
    ]
    assert (
        json.loads(Path("runs/load/0001/report.json").read_text())["cells"][0]["rows"][0]["sent"]
        == 9
    )


def test_with_json_standard_output_is_one_document(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_server(FINE) as fake:
        assert (
            invoke(
                [
                    "load",
                    "s",
                    "--open",
                    "200",
                    "--requests",
                    "5",
                    "--url",
                    fake.url,
                    "--out",
                    "here",
                    "--json",
                ]
            )
            == 0
        )
    captured = capsys.readouterr()
    document = json.loads(captured.out)

    (cell,) = document["cells"]
    assert (
        document["troubles"] == []
        and cell["rows"][0]["level"] == "open-200"
        and cell["rows"][0]["sent"] == 5
    )
    assert (
        cell["server"]["model"] == "tiny"
        and cell["server"]["told"] == {"nfe_steps": 8}
        and cell["memory"] == []
    )
    header = json.loads(Path("here/load.json").read_text())
    assert (
        cell_from_json(header["cells"][0]).target == "http"
        and header["environment"]["machine"]["id"]
    )


def test_requests_that_fail_end_with_1_and_are_counted_by_reason(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = [0]

    def reply(_: dict[str, Any]) -> Reply:
        count[0] += 1
        return refused(429, "full") if count[0] > 6 and count[0] % 2 else FINE

    with fake_server(reply) as fake:
        assert invoke(["load", "s", "--closed", "1", "--requests", "8", "--url", fake.url]) == 1
    out = capsys.readouterr().out
    assert "closed-1: 3 x busy: HTTP 429: full" in out
    assert out.splitlines()[-1] == "FAILED: default: closed-1: 3 of 8 requests failed"


def test_a_limit_that_is_missed_ends_with_1(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_server(FINE) as fake:
        assert (
            invoke(
                [
                    "load",
                    "s",
                    "--closed",
                    "1",
                    "--requests",
                    "4",
                    "--url",
                    fake.url,
                    "--limit-ms",
                    "0.001",
                ]
            )
            == 1
        )
    assert "closed-1: 0 % in time, 95 % are wanted" in capsys.readouterr().out


def test_a_server_that_runs_with_something_else_is_found_out(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, 'pipeline="flow"', '[{"nfe_steps": 4}]', '{"nfe_steps": 4}')
    with fake_server(FINE) as fake:
        assert invoke(["load", "s", "--closed", "1", "--requests", "1", "--url", fake.url]) == 1
        assert fake.asked == []
    assert (
        "not in effect, as the server itself tells: asked for nfe_steps=4, the server runs 8"
        in capsys.readouterr().out
    )


def test_a_first_request_that_fails_ends_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_server(refused(500, "boom")) as fake:
        assert invoke(["load", "s", "--closed", "1", "--url", fake.url]) == 1
    assert (
        "the first request failed (server error): HTTP 500: boom"
        in capsys.readouterr().out.splitlines()[-1]
    )


def test_a_soak_tells_drift(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fake_server(FINE) as fake:
        assert invoke(["load", "s", "--closed", "1", "--soak", "0.02", "--url", fake.url]) == 0
    out = capsys.readouterr().out
    assert "latency" in out and ("must last 10 min" in out or "soak longer" in out)
    assert "memory: no drift can be told from 0 values" in out


def test_ctrl_c_reports_what_was_answered(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(driver: Any, level: Any, requests: Any, extent: Any, seed: int) -> None:
        from voxgate.harness.load.records import LoadPhase

        driver.ask(requests[0], LoadPhase.LOADED, level.label)
        raise KeyboardInterrupt

    monkeypatch.setattr("voxgate.harness.load.run.drive", stopped)
    with fake_server(FINE) as fake:
        assert invoke(["load", "s", "--closed", "2", "--url", fake.url]) == 130
    out = capsys.readouterr().out
    assert (
        out.splitlines()[-1]
        == "interrupted; what was answered until then is kept in runs/load/0001"
    )
    assert report_of(Path("runs/load/0001")).cells[0].rows[0].answered == 1
    assert json.loads(Path("runs/load/0001/report.json").read_text())["interrupted"] is True


def test_a_torn_last_line_costs_itself(project: Path) -> None:
    with fake_server(FINE) as fake:
        invoke(
            ["load", "s", "--closed", "1", "--requests", "3", "--url", fake.url, "--out", "here"]
        )
    path = Path("here/default.jsonl")
    path.write_bytes(path.read_bytes() + b'{"kind": "answer", "pha')
    assert len(read_cell(Path("here"), "default").answers) == 4 + 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--closed CLIENTS, e.g. 1,2,4, or --open RATE"),
        (["--closed", "1,2", "--soak", "1"], "holds one level"),
        (["--closed", "1", "--soak", "1", "--requests", "5"], "says how long already"),
        (["--closed", "1", "--form", "flac"], "flac only with --whole"),
        (["--closed", "1", "--only", "nope"], "--only 'nope' matches no cell"),
        (["--closed", "1"], f"give --url, or set {URL}"),
        (["--closed", "1", "--url", "here", "--queue", "5"], "--queue sets up a server of ours"),
        (
            ["--closed", "1", "--profile", "toaster", "--url", "http://x"],
            "unknown profile 'toaster'",
        ),
    ],
)
def test_wrong_use_ends_with_2_before_anything_is_sent(
    project: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["load", "s", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("runs").exists()


def test_suites_that_cannot_be_loaded_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, 'target="scripted", pipeline="any"', '[{"steps": 4}]', '{"steps": 4}')
    assert invoke(["load", "s", "--closed", "1"]) == 2
    assert "has target scripted; load speaks HTTP" in capsys.readouterr().err
    write(project, 'pipeline="flow"', '[{"nfe_steps": 4}, {"nfe_steps": 8}]', '{"nfe_steps": 4}')
    with monkeypatch.context() as patch:
        patch.setattr("voxgate.harness.load.plan.served_pipelines", lambda: ("another",))
        assert invoke(["load", "s", "--closed", "1"]) == 2
    assert (
        "has pipeline flow; python -m voxgate.engine serve speaks with another"
        in capsys.readouterr().err
    )
    assert invoke(["load", "s", "--closed", "1", "--url", "http://127.0.0.1:1"]) == 2
    assert "is one configuration, the suite has 2 cells" in capsys.readouterr().err


def test_a_reel_is_no_request_of_the_speech_api(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, 'pipeline="flow"', '[{"nfe_steps": 4}]', '{"nfe_steps": 4}')
    segment = '[[request.segment]]\nspeaker = "slt"\ntext = "Yes."\n'
    (project / "texts.toml").write_text(f'[[request]]\nid = "talk"\n{segment}')
    assert invoke(["load", "s", "--closed", "1"]) == 2
    assert "request talk of workload texts is a reel" in capsys.readouterr().err


def test_a_request_is_sent_whole_or_refused(project: Path) -> None:
    write(
        project,
        'pipeline="flow", fixed={"language": "es"}',
        '[{"nfe_steps": 4}]',
        '{"nfe_steps": 4}',
    )
    texts = '[[request]]\nid = "a"\ntext = "Hola."\nspeaker = "hugo"\nregion = "mexico"\n'
    (project / "texts.toml").write_text(texts)
    plan = LoadPlan(suite="s", levels=(Level(clients=1),))

    (cell,) = chosen_cells(plan, project)
    body = speech_request(plan, cell, cell.workload.requests[0], "voice").body()

    assert (body["voice"], body["region"]) == ("hugo", "mexico")
    (project / "texts.toml").write_text(f'{texts}reference_text = "Hola."\nreference = "a.wav"\n')
    with pytest.raises(HarnessError, match="request a of workload texts sets reference, which"):
        chosen_cells(plan, project)


def test_a_folder_in_use_is_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fake_server(FINE) as fake:
        words = [
            "load",
            "s",
            "--closed",
            "1",
            "--requests",
            "1",
            "--url",
            fake.url,
            "--out",
            "here",
        ]
        assert (invoke(words), invoke(words)) == (0, 2)
    assert "here is in use; choose another --out" in capsys.readouterr().err


def test_a_narrow_terminal_loses_the_intervals(project: Path) -> None:
    with fake_server(FINE) as fake:
        invoke(
            ["load", "s", "--closed", "1", "--requests", "60", "--url", fake.url, "--out", "here"]
        )
    report = report_of(Path("here"))
    wide, narrow = (load.lines(report, width) for width in (400, 80))
    table = [line for line in wide if line.startswith("closed-1")]

    assert all("[" in line for line in table) and not any(
        "[" in line for line in narrow if line.startswith("closed-1")
    )
    assert len({len(line) for line in table}) == 1  # columns stand below each other


@pytest.mark.slow
def test_our_own_server_is_started_loaded_and_ended(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, 'pipeline="flow"', '[{"nfe_steps": 2}]', '{"nfe_steps": 2}')
    (project / "texts.toml").write_text(TEXTS.partition('[[request]]\nid = "b"')[0])
    for words in (["--open", "20"], ["--closed", "2", "--whole", "--window-ms", "20"]):
        assert invoke(["load", "s", *words, "--requests", "4", "--json"]) == 0, capsys.readouterr()
        (cell,) = json.loads(capsys.readouterr().out)["cells"]
        assert cell["server"]["told"]["nfe_steps"] == 2 and cell["cold"]["ready_s"] > 0
        assert cell["memory"][0]["peak_bytes"] >= cell["memory"][0]["before_bytes"] > 100 * 2**20
        assert cell["rows"][0]["answered"] == 4 and cell["rows"][0]["audio_per_s"] > 0
        with pytest.raises(ProcessLookupError):
            os.kill(cell["server"]["pid"], 0)


@pytest.mark.slow
def test_a_server_that_does_not_come_to_listen_is_reported(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        project,
        'pipeline="flow"',
        '[{"nfe_steps": 2, "device": "cuda"}]',
        '{"nfe_steps": 2, "device": "cuda"}',
    )
    assert invoke(["load", "s", "--closed", "1"]) == 1
    assert (
        "the server ended with code 2 before it listened; its last words: engine: device cuda"
        in capsys.readouterr().out
    )
