"""
`voxgate init` in the repositories of strangers: its output runs at once, and nothing of theirs is
lost.
"""

import json
import os
import pty
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ci.quick_voxgate import install
from tests.harness.targets.speech_servers import Reply, fake_server, tone, wav
from voxgate.harness.audio.files import read_audio
from voxgate.harness.cli.main import invoke
from voxgate.harness.judging.policy import DEFAULT, load_policy
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.documents import parse_toml
from voxgate.harness.scaffold import guess as guesses
from voxgate.harness.scaffold.render import Answers, render, requirement
from voxgate.harness.suite.suite import load_suite
from voxgate.harness.suite.workload import load_workload

FEW = ("--repeats", "1", "--iterations", "1", "--budget", "0")


@dataclass(frozen=True, kw_only=True)
class Place:
    """An empty repository of a stranger, and voxgate beside it."""

    folder: Path
    voxgate: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [self.voxgate, *words],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "My-Voice"
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return Place(folder=folder, voxgate=install(tmp_path / "bin") / "voxgate")


@pytest.fixture
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The repository as the working directory."""
    monkeypatch.chdir(place.folder)
    return place


def shorten(place: Place, suite: str) -> None:
    """Keep two of the texts, so that a test is short."""
    path = place.folder / "workloads" / f"{suite}.toml"
    head, *requests = path.read_text().split("[[request]]")
    path.write_text("[[request]]".join([head, *requests[:2]]))


def test_from_an_empty_repository_to_a_check_by_python(place: Place) -> None:
    """The stub's tone stands for the engine, and says so."""
    made = place.run("init", "--yes")
    assert (made.returncode, made.stdout.splitlines()[-1]) == (0, "next: voxgate check my_voice")
    assert "voxgate_target.py speaks a placeholder tone" in made.stderr
    shorten(place, "my_voice")
    done = place.run("check", "my_voice", *FEW, "--json")
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["verdict"] == "NO_BASELINE"
    (header,) = place.folder.glob("runs/*/processes/*.jsonl")
    assert "placeholder tone" in header.read_text()


def test_the_engine_that_was_named_speaks(place: Place) -> None:
    """Its packages are called like ours; it gives 16-bit samples with their rate."""
    speak = "import numpy as np\ndef speak(text):\n    return np.full(4000, 1000, np.int16), 8000\n"
    place.write({"engine/__init__.py": "", "harness/__init__.py": speak})
    made = place.run("init", "--yes", "--engine", "python", "--call", "harness:speak")
    assert made.returncode == 0, made.stderr
    shorten(place, "my_voice")
    done = place.run("run", "my_voice", "--repeats", "1", "--iterations", "1")
    assert done.returncode == 0, done.stderr
    assert '"audio_s": 0.5' in next(place.folder.glob("runs/*/processes/*.jsonl")).read_text()


def test_an_engine_that_is_a_class_is_made_and_its_integers_keep_their_scale(place: Place) -> None:
    engine = (
        "import numpy as np\nclass Engine:\n    def __call__(self, text):\n"
        "        return np.full(4000, 1 << 29, np.int32), 8000\n"
    )
    place.write({"engine/__init__.py": engine})
    made = place.run("init", "--yes", "--engine", "python", "--call", "engine:Engine")
    assert made.returncode == 0, made.stderr
    shorten(place, "my_voice")
    done = place.run("run", "my_voice", "--repeats", "1", "--iterations", "1")
    assert done.returncode == 0, done.stderr
    (audio, *_) = place.folder.glob("runs/*/audio/*/*.wav")
    assert read_audio(audio)[0].max() == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("engine", "first", "call", "kept"),
    [
        ("python", "", "mytts:Voice", "voxgate_target.py"),
        ("command", "./a {text} {wav}", "./b {text} {wav}", "suites/my_voice.py"),
        ("http", "http://127.0.0.1:1", "http://127.0.0.1:2", "suites/my_voice.py"),
    ],
)
def test_a_kept_file_that_calls_another_engine_is_named(
    here: Place, capsys: pytest.CaptureFixture[str], engine: str, first: str, call: str, kept: str
) -> None:
    """The check that `init` prints next would measure the engine of before."""
    words = ["init", "--yes", "--engine", engine, "--ci", "none", "--call"]
    assert invoke([*words, first]) == 0
    capsys.readouterr()
    assert invoke([*words, call]) == 0
    assert f"{kept} was kept, and calls no {call}; edit it" in capsys.readouterr().err
    assert invoke([*words, call, "--force"]) == 0
    assert "was kept" not in capsys.readouterr().err
    (here.folder / kept).write_bytes(b"\xff\0 no text")
    assert invoke([*words, call]) == 0
    assert f"{kept} was kept, and calls no {call}; edit it" in capsys.readouterr().err


def test_from_an_empty_repository_to_a_check_by_a_server(place: Place) -> None:
    with fake_server(Reply(parts=(wav(tone()),))) as fake:
        made = place.run("init", "--yes", "--engine", "http", "--call", fake.url, "--ci", "none")
        assert made.returncode == 0
        assert f"start the server first: {fake.url} must answer" in made.stderr
        assert not (place.folder / "voxgate_target.py").exists()
        shorten(place, "my_voice")
        done = place.run("check", "my_voice", *FEW)
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[-1].startswith("NO_BASELINE")


def test_a_second_call_changes_nothing_and_other_files_stay(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    here.write({"workloads/my_voice.toml": "mine"})
    assert invoke(["init", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["kept"], first["unchanged"]) == (["workloads/my_voice.toml"], [])
    assert invoke(["init", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert (second["written"], second["unchanged"]) == ([], first["written"])
    assert (here.folder / "workloads/my_voice.toml").read_text() == "mine"
    assert invoke(["init", "--yes"]) == 0
    assert "kept      workloads/my_voice.toml (exists already; --force replaces it)" in (
        capsys.readouterr().out.splitlines()
    )
    assert invoke(["init", "--json", "--force"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == ["workloads/my_voice.toml"]
    assert load_workload("workloads/my_voice.toml").requests


def test_runs_and_pages_are_left_out_of_the_repository(here: Place) -> None:
    assert invoke(["init", "--yes"]) == 0
    here.write({"runs/0001/run.json": "", "reports/index.html": ""})
    words = ["git", "status", "--short", "--untracked-files=all"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "0001" not in listed and "index.html" not in listed
    assert "runs/.gitignore" in listed


def test_the_policy_is_the_default_one_and_each_of_its_lines_can_be_taken_up(here: Place) -> None:
    assert invoke(["init", "--yes"]) == 0
    names = set(entries())
    path = here.folder / "baselines" / "policy.toml"
    assert load_policy(path.parent, names) == load_policy(here.folder / "none", names)
    lines = [
        line.removeprefix("# ") if " = {" in line else line for line in path.read_text().split("\n")
    ]
    document = parse_toml("\n".join(lines))
    assert document["metrics"] == parse_toml(DEFAULT.read_text())["metrics"]


def asked(place: Place, words: Sequence[str], typed: str) -> tuple[int, str]:
    """Run at a terminal, and type."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [place.voxgate, *words],
        cwd=place.folder,
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        os.write(parent, typed.encode())
        said, _ = process.communicate(timeout=60)
    os.close(parent)
    os.close(child)
    return process.returncode, said


def test_at_a_terminal_it_asks_three_questions(place: Place) -> None:
    code, said = asked(place, ["init"], "http\nhttp://127.0.0.1:9\ngitlab\n")
    assert (code, said.count("? ")) == (0, 3), said
    assert load_suite("my_voice", place.folder).fixed == {"url": "http://127.0.0.1:9"}
    assert (place.folder / ".gitlab-ci.yml").is_file()


def test_options_answer_beforehand_and_enter_takes_the_suggestion(place: Place) -> None:
    code, said = asked(place, ["init", "--engine", "python", "--ci", "none"], "\n")
    assert (code, said.count("? ")) == (0, 1), said
    assert load_suite("my_voice", place.folder).target == "voxgate_target:Engine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "python", "--call", "my tts"], "'my tts' is no import path; write package"),
        (["--engine", "python", "--call", "a.class:b"], "is no import path"),
        (["--engine", "command", "--call", "mytts 'x"], "close the quote"),
        (["--engine", "command", "--call", "mytts --out {wvv}"], "{wvv} has no value"),
        (["--engine", "command", "--call", "mytts --out {wav"], "'{wav' of the command"),
        (["--engine", "command", "--call", " "], "--call is empty"),
        (["--engine", "http", "--call", "localhost:8080"], "is no URL; write e.g. http://"),
        (["--engine", "http", "--call", "http://a:99999"], "is no URL"),
        (["--engine", "http", "--call", "http://h/${{x}}"], "is no URL"),
        (["--engine", "http", "--call", "http://me:word@host"], "VOXGATE_HTTP_KEY"),
        (["--name", "../x"], "cannot name a suite"),
        (["--name", "Voice"], "cannot name a suite"),
        (["--name", "v" * 101], "at most 100"),
    ],
)
def test_an_answer_that_cannot_be_meant_is_refused_before_anything_is_written(
    here: Place, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert invoke(["init", "--yes", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1, err
    assert [path.name for path in here.folder.iterdir()] == [".git"]


def test_a_link_that_leads_elsewhere_is_not_followed(
    here: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (here.folder / "workloads").symlink_to(tmp_path / "elsewhere")
    assert invoke(["init", "--yes"]) == 2
    assert "does not lie below" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_in_a_folder_of_a_repository_ci_goes_to_its_top(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.folder / "voices" / "tts").mkdir(parents=True)
    monkeypatch.chdir(here.folder / "voices" / "tts")
    assert invoke(["init", "--yes", "--ci", "github"]) == 0
    workflow = (here.folder / ".github/workflows/voxgate-tts.yml").read_text()
    assert 'working-directory: "voices/tts"' in workflow
    assert Path("suites/tts.py").is_file()


def test_outside_of_a_repository_it_says_what_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(["init", "--yes", "--name", "voice"]) == 0
    assert "this is no git repository" in capsys.readouterr().err


def test_a_gitlab_file_of_theirs_stays_and_they_are_told_what_to_add(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    here.write({".gitlab-ci.yml": "stages: [test]\n"})
    assert invoke(["init", "--yes"]) == 0
    assert "add to .gitlab-ci.yml: include: [{local: .gitlab/voxgate-my_voice.yml}]" in (
        capsys.readouterr().err
    )
    assert (here.folder / ".gitlab-ci.yml").read_text() == "stages: [test]\n"


@pytest.mark.parametrize(
    ("files", "engine", "call"),
    [
        ({"pyproject.toml": '[project]\nname = "My.TTS"', "src/my_tts/__init__.py": ""}, "python",
         "my_tts"),
        ({"onlyone/__init__.py": "", "tests/__init__.py": ""}, "python", "onlyone"),
        ({"bin/say": "#!"}, "command", "./bin/say --text {text} --out {wav}"),
        ({"pyproject.toml": '[project.scripts]\nmytts = "x:y"'}, "command",
         "mytts --text {text} --out {wav}"),
        ({"Dockerfile": "FROM x\nEXPOSE 9000\n"}, "http", "http://127.0.0.1:9000"),
        ({"pyproject.toml": "[[[ no toml"}, "python", ""),
        ({"pyproject.toml": "project = 3"}, "python", ""),
    ],
)  # fmt: skip
def test_the_engine_is_guessed_from_the_repository(
    place: Place, files: dict[str, str], engine: str, call: str
) -> None:
    place.write(files)
    for path in place.folder.glob("bin/*"):
        path.chmod(0o755)
    found = guesses.guess(place.folder)
    assert (found.engine, found.calls[found.engine]) == (engine, call)


@pytest.mark.parametrize(
    ("files", "ci"),
    [
        ({}, "github"),
        ({".gitlab-ci.yml": ""}, "gitlab"),
        ({".git/config": '[remote "origin"]\n\turl = https://gitlab.com/a/b\n'}, "gitlab"),
    ],
)
def test_the_ci_is_guessed_from_the_repository(
    place: Place, files: dict[str, str], ci: str
) -> None:
    place.write(files)
    assert guesses.guess(place.folder).ci == ci


def test_the_name_of_the_project_becomes_a_name_of_a_suite(tmp_path: Path) -> None:
    for name, expected in (("Ünser TTS!", "nser_tts"), ("???", "voice"), ("a" * 90, "a" * 40)):
        (tmp_path / "pyproject.toml").write_text(f"[project]\nname = {json.dumps(name)}")
        assert guesses.guess(tmp_path).name == expected


def test_ci_installs_the_commit_that_was_installed_or_else_the_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(url: str, commit: str) -> Callable[[str], object]:
        class Found:
            version = "1.2"

            def read_text(self, name: str) -> str:
                return json.dumps({"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}})

        return lambda name: Found()

    place, commit = "voxgate.harness.scaffold.render.distribution", "a" * 40
    monkeypatch.setattr(place, told("https://github.com/me/voxgate", commit))
    assert requirement("http") == f"voxgate[http] @ git+https://github.com/me/voxgate@{commit}"
    for url, said in (("https://me:secret@host/x", commit), ("file:///x", commit),
                      ("https://host/x", "main"), ("https://host/x ; rm", commit)):  # fmt: skip
        monkeypatch.setattr(place, told(url, said))
        assert requirement("python") == "voxgate==1.2"


def test_what_was_typed_is_text_wherever_it_lands(place: Place) -> None:
    """Quotes, backslashes and letters of other scripts."""
    call = 'mytts --say "{text} \\\\ \\"q\\" é 😀" --out {wav}'
    files = render(Answers(name="v", engine="command", call=call, ci="github"), place.folder)
    line = next(line for line in files["suites/v.py"].splitlines() if "command=[" in line)
    words = json.loads(line.partition("=")[2].rstrip(","))
    assert words == ["mytts", "--say", '{text} \\ "q" é 😀', "--out", "{wav}"]
    compile(files["suites/v.py"], "v.py", "exec")


def test_from_an_empty_repository_to_a_check_by_a_command_line(place: Place) -> None:
    """A script stands for the program: comparing revisions needs a file of the repository."""
    if not any(map(shutil.which, guesses.SPEAKERS)):
        pytest.skip("there is neither flite nor espeak-ng; install one of them")
    made = place.run("init", "--yes", "--engine", "command")
    assert made.returncode == 0, made.stderr
    assert "speak.sh speaks by a synthesiser of this machine; put your engine there" in made.stderr
    shorten(place, "my_voice")
    done = place.run("check", "my_voice", *FEW)
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[-1].startswith("NO_BASELINE")


def test_a_program_that_no_comparison_could_tell_apart_is_named(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    here.write({"bin/say": "#!/bin/sh"})
    for call, told in (("mytts {text} {wav}", True), ("./bin/say {text} {wav}", False),
                       ("python -m mytts {text} {wav}", False)):  # fmt: skip
        assert invoke(["init", "--yes", "--force", "--engine", "command", "--call", call]) == 0
        assert ("CI compares revisions" in capsys.readouterr().err) == told, call


def test_the_project_s_own_environment_is_the_engine_s(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write({".venv/pyvenv.cfg": "", "pyproject.toml": ""})
    answers = Answers(name="v", engine="python", call="", ci="github")
    files = render(answers, here.folder)
    assert '\n    environment=".venv",' in files["suites/v.py"]
    assert ".venv/bin/python -m pip install -e ." in files[".github/workflows/voxgate-v.yml"]
    monkeypatch.setattr("sys.prefix", str(here.folder / ".venv"))  # voxgate's own
    assert '\n    environment="' not in render(answers, here.folder)["suites/v.py"]
