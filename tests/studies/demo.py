"""
The demonstration: a site of sixty generated nights, and a pull request that was caught, with sound.

    python -m tests.studies.demo FOLDER          both; FOLDER/index.html is the site, and
                                                 FOLDER/pull-request/ the page, the comment, JUnit
    python -m tests.studies.demo FOLDER --only nights

The nights are numbers of `tests/harness/report/planted.py`; the pull request is measured here, with
Debian's flite as its engine, in about two minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.harness.report.planted import HISTORIES, write_history

ENGINE = Path(__file__).with_name("demo_voice.py")
AB = "runs/ab"
NIGHTS = "two-causes-among-flukes"
SUITE = '''"""Is the voice as quick and as clear as it was?"""

from voxgate import Suite

suite = Suite(
    target="demo_voice:DemoVoice",
    pipeline="flow",
    workload="sentences.toml",
    axes={"nfe_steps": [32, 16, 8, 4]},
    reference={"nfe_steps": 32},
    iterations=2,
)
'''
SENTENCES = {
    "u01": "The birch canoe slid on the smooth planks.",
    "u02": "Glue the sheet to the dark blue background.",
    "u03": "It is easy to tell the depth of a well.",
    "u04": "Four hours of steady work faced us before the boat came in.",
    "u05": "The juice of lemons makes fine punch.",
    "u06": "A large size in stockings is hard to sell.",
}
USUAL, CHANGED = '"slowness": 1.0, "broken": ""', '"slowness": 1.18, "broken": "u04"'


def voxgate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of voxgate in a folder. Raises RuntimeError where it could not be run."""
    done = subprocess.run(
        [sys.executable, "-m", "voxgate", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 2:
        raise RuntimeError(f"voxgate {' '.join(words)}: {done.stderr[-2000:]}")
    return done


def write_nights(folder: Path) -> Path:
    """Write the site of sixty nights into a folder, by the command of every user."""
    with tempfile.TemporaryDirectory() as work:
        url = f"sqlite:///{work}/nights.sqlite"
        write_history(HISTORIES[NIGHTS], url)
        voxgate(Path(work), "report", "--site", "--history", url, "--out", str(folder.resolve()))
    return folder / "index.html"


def write_pull_request(folder: Path, repository: Path) -> Path:
    """
    Measure a pull request whose head is slower and breaks one sentence; return its page. What was
    measured before is judged again.
    """
    known = (repository / AB).is_dir()
    if not known:
        commit(repository, "The voice", USUAL)
        commit(repository, "Vocoder: fuse the last two layers", CHANGED)
    base, head = (git(repository, "rev-parse", name) for name in ("HEAD~1", "HEAD"))
    folder.mkdir(parents=True, exist_ok=True)
    done = voxgate(
        repository,
        *("ab", base, head, "voice", "--profile", "cpu", "--rounds", "3", "--budget", "20"),
        *("--out", str(repository / AB), "--json", *(["--resume"] if known else [])),
        *("--comment", str((folder / "comment.md").resolve())),
        *("--pictures", str((folder / "pictures").resolve())),
        *("--junit", str((folder / "junit.xml").resolve())),
    )
    (folder / "judgement.json").write_text(json.dumps(json.loads(done.stdout), indent=1))
    shutil.copy(repository / AB / "index.html", folder / "index.html")
    return folder / "index.html"


def commit(repository: Path, subject: str, change: str) -> str:
    """Commit the engine with a line changed, in a repository that is made where there is none."""
    if not (repository / ".git").is_dir():
        repository.mkdir(parents=True)
        git(repository, "init", "--quiet", "--initial-branch=main")
    texts = [f'[[request]]\nid = "{name}"\ntext = "{text}"\n' for name, text in SENTENCES.items()]
    files = {
        "demo_voice.py": ENGINE.read_text().replace(USUAL, change),
        "suites/voice.py": SUITE,
        "sentences.toml": "\n".join(texts),
        ".gitignore": "runs/\n",
    }
    for name, text in files.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", subject)
    return git(repository, "rev-parse", "HEAD")


def git(repository: Path, *words: str) -> str:
    """Run git as somebody of no importance."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *words], cwd=repository, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=("nights", "pull-request"))
    options = parser.parse_args(arguments)
    if options.only != "pull-request":
        print(write_nights(options.folder))
    if options.only != "nights":
        work = options.folder.with_name(f"{options.folder.name}-repository")
        print(write_pull_request(options.folder / "pull-request", work.resolve()))


if __name__ == "__main__":
    main()
