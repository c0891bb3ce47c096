"""
`docs/nightly-on-a-jetson.md`, walked line by line on a board that is not there: a tree of simulated
sysfs files, and stand-ins of the programs that a board, GitHub and Docker have.

The stand-ins change the tree as the real ones do (`nvpmodel`, `jetson_clocks`, a service that is
enabled), and note what they were told. `voxgate doctor` is the real one and reads the tree; of
other verbs the command line alone is parsed.
"""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.ci.fake_runner import ROOT, clean
from tests.ci.quick_voxgate import install as install_voxgate
from tests.ci.test_docs import DOCS, EXAMPLES, SIMULATED, blocks
from tests.ci.test_nightly import FAKE
from tests.ci.test_workflows import run, tool
from tests.harness.machine import trees
from tests.harness.report.outcomes import written
from voxgate.harness.records.documents import read_toml

PAGE = "nightly-on-a-jetson"
NVIDIAS = "2.5.0a0+872d972e41.nv24.08"
VOXGATE = """
import json, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.ci.test_simulated_board import voxgate
sys.exit(voxgate(Path({top!r}), sys.argv[1:]))
"""
TOOLS = {
    "sudo": 'exec "$@"',
    "nvpmodel": """case "$1" in
  -q) echo "NV Power Mode: $(cat "$BOARD/tree/var/lib/nvpmodel/status")" ;;
  -m) printf 'pmode:%04d\\n' "$2" > "$BOARD/tree/var/lib/nvpmodel/status" ;;
  *) exit 2 ;;
esac""",
    "jetson_clocks": 'test $# -eq 0 || test "$1" = --fan; touch "$BOARD/locked"',
    "systemctl": """case "$*" in
  "enable --now voxgate-clocks.service")
    sed -n 's|^ExecStart=/usr/bin/||p' "$BOARD/etc/systemd/system/voxgate-clocks.service" |
      while read -r line; do sh -c "$line"; done ;;
  "disable --now "*|"set-default multi-user.target") ;;
  *) exit 2 ;;
esac""",
    "tee": 'mkdir -p "$(dirname "$BOARD$1")"; cat > "$BOARD$1"',
    "apt-get": 'test "$1" = update || test "$1 $2" = "install --yes"',
    "git": 'test "$1" != push',
    "gh": 'test "$1 $2" = "workflow run" && test -f ".github/workflows/$3"',
    "docker": 'test "$1" = build || test "$1" = run',
    "crontab": 'test "$1" = - && cat > "$BOARD/crontab"',
}
"""Name -> the shell script that stands in for it."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """An AGX Orin as it comes: in another power mode, with clocks that rise and fall."""

    top: Path

    @property
    def told(self) -> list[list[str]]:
        """What the stand-ins were told, in order."""
        lines = (self.top / "told").read_text().splitlines()
        return [shlex.split(line) for line in lines]

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        project, tools = self.top / "project", self.top / "tools"
        path = f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script],
            cwd=project,
            env={**clean(), "PATH": path, "BOARD": str(self.top), "HOME": str(self.top / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )


def voxgate(top: Path, arguments: list[str]) -> int:
    """Run `voxgate doctor` on the tree; parse the command line of any other verb."""
    from voxgate.harness import workflow
    from voxgate.harness.cli import main
    from voxgate.harness.machine import doctor, identity
    from voxgate.harness.machine.checks import check

    tree = trees.agx_orin(top / "tree", locked=(top / "locked").exists(), mode=mode(top))
    if arguments[0] != "doctor":
        main.VerbGroup(name="voxgate").get_command(None, arguments[0]).make_context(  # type: ignore[arg-type,union-attr]
            arguments[0], arguments[1:]
        )
        return 0
    later = {
        "proc/self/schedstat": "2000000000 0 9",
        "proc/stat": (tree.text("proc/stat") or "").replace("cpu  1", "cpu  2"),
    }
    doctor.busy = lambda cpu: trees.write(tree.root, later)  # type: ignore[assignment]
    check.here = lambda: tree
    workflow.machine = lambda: identity.machine_of(tree)
    return main.invoke(arguments)


def mode(top: Path) -> int:
    """Read the power mode that is set."""
    status = (top / "tree" / "var" / "lib" / "nvpmodel" / "status").read_text()
    return int(re.findall(r"pmode:(\d+)", status)[0])


@pytest.fixture
def board(tmp_path: Path) -> Board:
    trees.agx_orin(tmp_path / "tree", locked=False, mode=2)
    for name in ("tools", "home", "project/runs/0001", "project/baselines"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "voxgate").symlink_to(ROOT)
    scripts = dict(TOOLS)
    for name, script in scripts.items():
        note = f'printf "%s\\n" "{name} $(printf "%q " "$@")" >> "$BOARD/told"'
        executable(tmp_path / "tools" / name, f"#!/bin/bash\n{note}\n{script}\n")
    shim = VOXGATE.format(root=str(ROOT), top=str(tmp_path))
    executable(tmp_path / "tools" / "voxgate", f"#!{sys.executable} -P\n{shim}")
    for name in ("config.sh", "svc.sh"):
        note = f'printf "%s\\n" "{name} $(printf "%q " "$@")" >> "$BOARD/told"'
        executable(tmp_path / "project" / name, f"#!/bin/bash\n{note}\n")
    python = 'printf "%s\\n" "python $(printf "%q " "$@")" >> "$BOARD/told"'
    executable(tmp_path / "project" / ".venv/bin/python", f"#!/bin/bash\n{python}\n")
    (tmp_path / "project" / ".github/workflows").mkdir(parents=True)
    (tmp_path / "project" / ".github/workflows/nightly-jetson.yml").touch()
    return Board(top=tmp_path)


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


DOCTOR = "voxgate doctor --profile jetson-agx-orin-maxn"


def test_every_command_of_the_page_runs_on_a_simulated_board(board: Board) -> None:
    """A board as it comes is not fit; after section 1 it is; every later command can be meant."""
    before = board.shell(DOCTOR)
    assert before.returncode == 3, before.stdout
    assert "sudo jetson_clocks" in before.stdout and "sudo nvpmodel -m 0" in before.stdout
    for block in blocks(PAGE):
        if block.reason != SIMULATED:
            continue
        done = board.shell(block.text)
        assert done.returncode == 0, (block.text, done.stdout[-2000:])
    after = board.shell(DOCTOR)
    assert after.returncode == 0, after.stdout
    programs = {words[0] for words in board.told}
    assert programs == {*TOOLS, "config.sh", "svc.sh", "python"}


def test_the_page_locks_clocks_at_every_start(board: Board) -> None:
    (unit,) = [block.text for block in blocks(PAGE) if "voxgate-clocks.service" in block.text]
    assert board.shell(unit).returncode == 0
    written_unit = (board.top / "etc/systemd/system/voxgate-clocks.service").read_text()
    assert "After=nvpmodel.service" in written_unit and "WantedBy=multi-user.target" in written_unit
    assert (board.top / "locked").exists() and mode(board.top) == 0


def docker_run() -> list[str]:
    """Return the words of the page's `docker run`."""
    (text,) = [block.text for block in blocks(PAGE) if "docker run" in block.text]
    command = text.partition("docker run")[2].replace("\\\n", " ")
    return shlex.split(f"docker run{command}")


def test_a_container_finds_the_board_by_the_page_s_options_and_not_without(tmp_path: Path) -> None:
    """Docker hides /sys/firmware, to which the device tree is a link, and no file of the host."""
    words = docker_run()
    mounts = [words[n + 1].split(":")[0] for n, word in enumerate(words) if word == "--volume"]
    assert words[words.index("--security-opt") + 1] == "systempaths=unconfined"
    whole = trees.agx_orin(tmp_path / "host")
    inside = tmp_path / "inside"
    shown = ("proc/", "sys/", *(mount.lstrip("/") for mount in mounts))
    for path in whole.root.rglob("*"):
        name = path.relative_to(whole.root).as_posix()
        if path.is_file() and name.startswith(shown):
            trees.write(inside, {name: path.read_text()})
    from voxgate.harness.machine.doctor import refuse_unfit
    from voxgate.harness.machine.profiles import get_profile

    requires = get_profile("jetson-agx-orin-maxn").requires
    refuse_unfit("x", requires, trees.SystemRoot(root=inside, **trees.SET))
    for name in ("nvidia,dtsfilename", "compatible", "model"):
        (inside / "proc/device-tree" / name).unlink()
    with pytest.raises(Exception, match="no Jetson: the system has no device tree"):
        refuse_unfit("x", requires, trees.SystemRoot(root=inside, **trees.SET))


def test_the_crontab_runs_the_night_with_the_secret_from_a_file(board: Board) -> None:
    (text,) = [block.text for block in blocks(PAGE) if "crontab -" in block.text]
    assert board.shell(text).returncode == 0
    secret = board.top / "home" / ".voxgate-night"
    assert secret.stat().st_mode & 0o077 == 0
    line = (board.top / "crontab").read_text()
    assert "hooks.slack.com" not in line
    command = line.split(None, 5)[5].replace("REPOSITORY", "project")
    (board.top / "home" / "project").symlink_to(board.top / "project")
    (board.top / "project" / "night.sh").write_text('echo "$VOXGATE_WEBHOOK" "$@" > "$BOARD/ran"')
    assert board.shell(command).returncode == 0
    said = (board.top / "ran").read_text()
    assert said == ("https://hooks.slack.com/services/... jetson-agx-orin-maxn smoke options\n")


@pytest.mark.parametrize(("fit", "code"), [(True, 0), (False, 3)])
def test_the_night_without_github(tmp_path: Path, fit: bool, code: int) -> None:
    tools = install_voxgate(tmp_path / ".venv" / "bin")
    (tools / "voxgate").write_text(FAKE)
    judgement = json.loads(written("pass"))
    doctor = {"fit": fit, "line": "fit to measure" if fit else "not fit"}
    documents = {"doctor": doctor, "status": [], "judgement": judgement}
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    if fit:
        (tmp_path / "fit").touch()
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text(
        "import subprocess\nrun = subprocess.run\n"
        "subprocess.run = lambda words, **more: run(['.venv/bin/voxgate', *words[3:]], **more)\n"
    )
    done = subprocess.run(
        ["sh", str(EXAMPLES / "ci" / "night.sh"), "jetson-agx-orin-maxn", "smoke", "options"],
        cwd=tmp_path,
        env={**clean(), "PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path / 'shim'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    names = sorted(path.name for path in (tmp_path / "night").iterdir())
    measured = ["check-options.json", "check-smoke.json", "doctor-after.json"] if fit else []
    assert names == [*measured, "doctor.json", "status.json"]
    if not fit:
        assert done.stdout.splitlines()[-2:][0].startswith("no data: the machine is not fit")


def test_nvidia_s_torch_meets_the_requirement() -> None:
    """2.5.0a0+... is a pre-release of 2.5, which `>=2.5` leaves out."""
    project = read_toml(ROOT / "pyproject.toml", "the project")["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    asked = [Requirement(text) for text in (*project["dependencies"], *extras)]
    of_torch = [each for each in asked if each.name == "torch"]
    assert of_torch
    for each in of_torch:
        assert each.specifier.contains(NVIDIAS), each
        assert not each.specifier.contains("2.4.1"), each


def wheel(folder: Path, version: str, name: str = "torch", needs: str = "") -> None:
    """Write a wheel without any code into an index."""
    place = folder / name / f"{name}-{version}-py3-none-any.whl"
    place.parent.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    links = "".join(
        f'<a href="{path.name.replace("+", "%2B")}">{path.name}</a>\n'
        for path in sorted(place.parent.glob("*.whl"))
    )
    (place.parent / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")


@pytest.mark.slow
def test_the_installer_keeps_nvidia_s_torch_where_pip_by_itself_takes_pypi_s(
    tmp_path: Path,
) -> None:
    """Two indexes: pip takes the highest version of both, whichever stands first."""
    nvidia, pypi, project = tmp_path / "nvidia", tmp_path / "pypi", tmp_path / "project"
    project.mkdir()
    wheel(nvidia, NVIDIAS)
    wheel(pypi, "2.13.0")
    wheel(pypi, "1.0", "theirs", "torch>=2.5.0a0")
    config = project / "pip.conf"
    config.write_text(f"[global]\nindex-url = file://{pypi}\n")
    base = {name: value for name, value in clean().items() if not name.startswith("PIP_")}
    base |= {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "PIP_CONFIG_FILE": str(config)}
    base |= {"PIP_EXTRA_INDEX_URL": f"file://{pypi}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def versions(*words: str, **env: str) -> str:
        done = subprocess.run(
            words, cwd=project, env={**base, **env}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    installer = str(EXAMPLES / "jetson" / "install.sh")
    only = {"VOXGATE_TORCH": "torch", "VOXGATE_TORCH_INDEX": f"file://{nvidia}"}
    versions("sh", installer, "theirs", **only)
    held = (project / ".venv" / "held.txt").read_text()
    assert held == f"torch=={NVIDIAS}\n"
    python = str(project / ".venv" / "bin" / "python")
    listed = versions(python, "-m", "pip", "list", "--format", "json")
    now = {each["name"]: each["version"] for each in json.loads(listed)}
    assert (Version(now["torch"]), now["theirs"]) == (Version(NVIDIAS), "1.0")
    trap = versions(
        *(python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
        *("--report", "-", "--index-url", f"file://{nvidia}", "--extra-index-url"),
        *(f"file://{pypi}", "theirs"),
    )
    found = [each["metadata"] for each in json.loads(trap)["install"]]
    taken = {each["name"]: each["version"] for each in found}
    assert taken["torch"] == "2.13.0"


def test_the_dockerfile_and_the_scripts_pass_their_linters() -> None:
    assert run(tool("hadolint"), str(EXAMPLES / "jetson" / "Dockerfile")) == (0, "")
    scripts = [EXAMPLES / "jetson" / "install.sh", *(EXAMPLES / "ci").glob("*.sh")]
    assert run(tool("shellcheck"), *map(str, scripts)) == (0, "")


def test_the_dockerfile_is_pinned_holds_no_secret_and_ends_as_no_root() -> None:
    text = (EXAMPLES / "jetson" / "Dockerfile").read_text()
    (base,) = re.findall(r"^FROM (\S+)$", text, re.MULTILINE)
    assert re.fullmatch(r"nvcr\.io/nvidia/pytorch:\d\d\.\d\d-py3-igpu", base)
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users and int(users[-1]) > 0
    assert not re.search(r"(?i)token|password|secret|webhook|COPY \.", text)
    assert "--constraint /opt/held.txt" in text
    built = DOCS.joinpath(f"{PAGE}.md").read_text()
    for name in re.findall(r"^ARG (\w+)", text, re.MULTILINE):
        assert f"--build-arg {name}=" in built
