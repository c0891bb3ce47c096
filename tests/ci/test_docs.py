"""
Every command of the guides is run, in throw-away repositories; those that cannot be are listed
here, with their reasons.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.ci.fake_runner import ROOT, WORKFLOWS, clean
from tests.ci.quick_voxgate import MACHINE, install
from tests.ci.test_workflows import lint

DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
GUIDES = (
    "adding-an-engine",
    "quickstart-pr-gate",
    "reading-a-report",
    "accepting-a-change",
    "nightly-on-a-jetson",
)
"""In the order in which they are read: the first one makes the repository of the others."""
SIMULATED = "*Simulated:*"
"""Commands that `test_simulated_board.py` runs, on a board of files."""
NOT_RUN = {
    "quickstart-pr-gate": ["takes ten minutes", "needs GitHub"],
    "nightly-on-a-jetson": [
        *[SIMULATED] * 6,
        "needs a night and node_exporter",
        *[SIMULATED] * 2,
    ],
}
FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+) -->\n|(?P<simulated>\*Simulated:\*)\n\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)```\n",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Commands of a guide; `reason` says why they are not run."""

    text: str
    reason: str


def blocks(guide: str) -> list[Block]:
    found = FENCE.finditer((DOCS / f"{guide}.md").read_text())
    return [
        Block(text=each["text"], reason=each["reason"] or each["simulated"] or "")
        for each in found
        if each["language"] in ("sh", "console")
    ]


@dataclass(frozen=True, kw_only=True)
class Place:
    """
    A folder with a repository, and programs for it: a Python of its own, so that an engine can be
    installed into it.
    """

    folder: Path
    bin: Path

    def run(self, guide: str) -> str:
        """
        Run the commands of a guide in one shell, on a machine that is taken for quiet; gives what
        they print.
        """
        done = self.shell("\n".join(block.text for block in blocks(guide) if not block.reason))
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def shell(self, script: str, machine: str = "quiet") -> subprocess.CompletedProcess[str]:
        """Run commands; `machine` is what `accept` finds it to be."""
        who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org"}
        who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        # 0: is not isolated
        pip = {
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-euxo", "pipefail", "-c", script],
            cwd=self.folder,
            env={
                **clean(),
                **who,
                **pip,
                "PATH": path,
                "PYTHONDONTWRITEBYTECODE": "1",
                MACHINE: machine,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    top = tmp_path_factory.mktemp("docs")
    (top / "voxgate").symlink_to(ROOT)
    (top / "hum").mkdir()
    venv = top / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = venv / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (packages / "outer.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    install(venv / "bin", python=str(venv / "bin" / "python"))
    return Place(folder=top / "hum", bin=venv / "bin")


@pytest.fixture(scope="module")
def first(place: Place) -> str:
    """What the first guide prints; it makes the repository of all others."""
    return place.run(GUIDES[0])


def shown(page: str, language: str) -> list[str]:
    """Return the blocks of a page in a language."""
    text = (DOCS / f"{page}.md").read_text()
    return [found["text"] for found in FENCE.finditer(text) if found["language"] == language]


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("adding-an-engine", "engine-plugin/hum/__init__.py"),
        ("adding-an-engine", "engine-plugin/hum/voxgate.py"),
        ("adding-an-engine", "engine-plugin/suites/gate.py"),
        ("adding-an-engine", "engine-plugin/sentences.toml"),
        ("adding-an-engine", "command-line/suites/espeak.py"),
        ("adding-an-engine", "other-environment/suites/gate.py"),
        ("metrics", "metric-plugin/brightness.py"),
        ("metrics", "metric-plugin/pyproject.toml"),
    ],
)
def test_a_guide_shows_the_example_as_it_is(page: str, file: str) -> None:
    language = {".py": "python", ".toml": "toml"}[Path(file).suffix]
    assert (EXAMPLES / file).read_text() in shown(page, language)


def test_the_entry_point_of_the_guide_is_the_example_s() -> None:
    project = (EXAMPLES / "engine-plugin" / "pyproject.toml").read_text()
    (entry,) = [text for text in shown("adding-an-engine", "toml") if "entry-points" in text]
    assert entry in project


def test_the_shell_gate_compares_and_leaves_its_files(first: str, place: Place) -> None:
    gate = place.folder / "gate.sh"
    gate.write_text((EXAMPLES / "ci" / "gate.sh").read_text())
    done = place.shell("BUDGET=0 sh ./gate.sh HEAD gate; git status --short")
    assert done.returncode == 0, done.stdout[-4000:]
    written = sorted(path.name for path in (place.folder / "out").iterdir())
    assert written == ["comment.md", "judgement.json", "junit.xml", "pictures"]
    wrong = place.shell("BUDGET=0 sh ./gate.sh nothing gate")
    assert wrong.returncode == 2, wrong.stdout[-2000:]
    gate.unlink()
    shutil.rmtree(place.folder / "out")


def test_adding_an_engine_ends_with_a_baseline_and_a_lie_that_is_caught(
    first: str, place: Place
) -> None:
    assert "accepted runs/first" in first
    assert "FAILED not in effect: harmonics" in first or "not in effect" in first, first[-3000:]
    assert "exit code 1" in first
    assert (place.folder / "baselines/gate/quality.json").is_file()


def test_an_engine_in_an_environment_of_its_own_is_measured(first: str, place: Place) -> None:
    assert "measured, 0 failed" in first.splitlines()[-1]
    run = json.loads((place.folder.parent / "beeps" / "runs" / "first" / "run.json").read_text())
    assert run["environment"]["toolchain"]["engine_environment"] == ".venv"
    assert run["environment"]["toolchain"]["engine_packages"].startswith("0 (")


def test_the_quickstart_compares_and_its_workflows_pass_actionlint(
    first: str, place: Place
) -> None:
    said = place.run("quickstart-pr-gate")
    assert re.search(r"^(PASS|IMPROVED|REGRESSED|UNRESOLVED): ", said, re.MULTILINE), said[-3000:]
    made = sorted((place.folder / ".github" / "workflows").iterdir())
    assert [path.name for path in made] == ["accept.yml", "pr-gate-comment.yml", "pr-gate.yml"]
    assert lint(*made) == (0, "")
    gate = made[-1].read_text()
    assert re.search(r"uses: OWNER/voxgate/\.github/actions/voxgate@[0-9a-f]{40}\n", gate)
    assert "suite: gate\n" in gate
    assert "extra-packages: -e .\n" in gate
    for path in made:
        example = (EXAMPLES / "ci" / "workflows" / path.name).read_text()
        assert re.sub(r"@[0-9a-f]{40}\n", "@COMMIT\n", path.read_text()) == example, path.name


def test_reading_a_report_writes_all_its_forms(first: str, place: Place) -> None:
    said = place.run("reading-a-report")
    assert "Reproduce: `voxgate check gate" in said
    assert "### " in said and "<summary>Reproduce" in said
    assert [
        name
        for name in ("judgement.json", "junit.xml", "page/index.html")
        if not (place.folder / name).is_file()
    ] == []


def test_accepting_a_change_leaves_its_reason(first: str, place: Place) -> None:
    said = place.run("accepting-a-change")
    assert (
        '"why": "Half as loud: it clipped on small speakers"'
        in (place.folder / "baselines/gate/quality.json").read_text()
    )
    assert list((place.folder / "baselines" / "gate").glob("speed@*.json"))
    assert "acknowledged from 2026-05-12" in said


def test_on_a_loaded_machine_the_guide_s_command_is_refused_and_its_word_accepts(
    first: str, place: Place
) -> None:
    """`--loaded`, as the guide has it; what was taken so says so for good."""
    if not (place.folder / "runs" / "accept").exists():
        place.run("accepting-a-change")
    commands = [
        line
        for block in blocks("accepting-a-change")
        for line in block.text.splitlines()
        if "--only speed" in line
    ]
    assert len(commands) == 1
    refused = place.shell(commands[0], machine="loaded")
    assert refused.returncode == 2 and "add --loaded" in refused.stdout, refused.stdout
    assert "`--loaded` accepts them all the same" in (DOCS / "accepting-a-change.md").read_text()
    accepted = place.shell(f"{commands[0]} --loaded", machine="loaded")
    assert accepted.returncode == 0, accepted.stdout
    (speed,) = (place.folder / "baselines" / "gate").glob("speed@*.json")
    assert "(accepted --loaded: the machine was loaded)" in speed.read_text()


def test_the_nightly_guide_s_other_commands_run(first: str, place: Place) -> None:
    said = place.run("nightly-on-a-jetson")
    assert "profile jetson-agx-orin-maxn is for another device" in said
    assert lint_nightly(place) == (0, "")
    made = (place.folder / ".github" / "workflows" / "nightly-jetson.yml").read_text()
    example = (EXAMPLES / "ci" / "workflows" / "nightly-jetson.yml").read_text()
    pins = re.compile(r"@[0-9a-f]{40}")
    assert pins.sub("@COMMIT", made) == pins.sub("@COMMIT", example)
    assert (place.folder / "site" / "index.html").is_file()


def lint_nightly(place: Place) -> tuple[int, str]:
    (place.folder / ".github" / "actionlint.yaml").write_text(
        (ROOT / ".github" / "actionlint.yaml").read_text()
    )
    return lint(place.folder / ".github" / "workflows" / "nightly-jetson.yml")


def test_what_is_not_run_is_listed_with_its_reason() -> None:
    assert {
        guide: found for guide in GUIDES if (found := [b.reason for b in blocks(guide) if b.reason])
    } == NOT_RUN


def test_every_guide_is_tested_and_every_link_leads_somewhere() -> None:
    for guide in GUIDES:
        text = (DOCS / f"{guide}.md").read_text()
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (DOCS / link).exists(), (guide, link)
    assert {
        path.stem
        for path in DOCS.glob("*.md")
        if "The tests run the commands of this page" in path.read_text()
    } == set(GUIDES)


@pytest.mark.parametrize("guide", GUIDES)
def test_files_and_inputs_that_a_guide_names_exist(guide: str) -> None:
    text = (DOCS / f"{guide}.md").read_text()
    for name in re.findall(
        r"`((?:harness|tests|docs|\.github)/[\w./-]+\.(?:py|yml|md|toml))`", text
    ):
        assert (ROOT / name).is_file(), name


def test_the_table_of_inputs_is_the_action_s() -> None:
    action = yaml.safe_load((ROOT / ".github/actions/voxgate/action.yml").read_text())
    table = (
        (DOCS / "quickstart-pr-gate.md")
        .read_text()
        .partition("| input of the action")[2]
        .partition("Its outputs")[0]
    )
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    named = {word for line in rows for word in re.findall(r"`([\w-]+)`", line.split("|")[1])}
    assert named == set(action["inputs"])


def test_the_steps_of_the_night_are_the_workflow_s() -> None:
    table = (
        (DOCS / "nightly-on-a-jetson.md")
        .read_text()
        .partition("| step | what it does")[2]
        .partition("\n\n")[0]
    )
    names = [line.split("|")[1].strip() for line in table.splitlines()[2:] if line]
    workflow = (WORKFLOWS / "nightly-jetson.yml").read_text()
    assert [name for name in names if f"name: {name}\n" not in workflow] == []
