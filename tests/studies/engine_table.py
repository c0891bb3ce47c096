"""
What the target of each example engine can show: each is measured here, and its rows of
docs/engines.md are written anew; those of engines that are not named stay.

    python -m tests.studies.engine_table espeak-ng flite openai-server piper=/path/of/venv ...
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from statistics import median

from tests.harness.targets.example_engines import ENGINES, EXAMPLES, project_of
from voxgate.harness.records.run import Iteration, ProcessRecord, Run
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.targets.http.target import URL

PAGE = EXAMPLES.parent / "engines.md"
PACKAGES = {"piper": "piper-tts", "chatterbox": "chatterbox-tts"}
SHOWN = "what it shows"
FIGURES = "figures"
BATCHING = {
    "piper": "no: a sentence is a call",
    "kokoro-onnx": "no: up to 510 phonemes are a call",
    "f5-tts": "no: pieces of a long text are calls, in threads",
    "chatterbox": "no: a text is a call; guidance doubles its rows",
    "espeak-ng": "no",
    "flite": "no",
    "openai-server": "of the server: `voxgate load`",
}
"""Whether one call takes several texts, by the engine's interface."""
PORT = 8379


@dataclass(frozen=True)
class Tried:
    """One engine as measured."""

    name: str
    version: str
    run: Run
    wer: str
    weights: str

    @property
    def process(self) -> ProcessRecord:
        """Of the reference cell."""
        return next(each for each in self.run.processes if each.cell == self.run.reference)

    @property
    def measured(self) -> list[Iteration]:
        """Iterations of the reference cell that count."""
        return [each for each in self.process.iterations if each.phase == "measured"]


def main(arguments: Sequence[str]) -> int:
    """Measure the named engines and write their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="+", help="NAME, or NAME=ENVIRONMENT")
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--one", action="store_true", help="one cell, one text: of slow engines")
    asked = parser.parse_args(arguments)
    for word in asked.engines:
        name, _, environment = word.partition("=")
        with tempfile.TemporaryDirectory() as folder:
            tried = _try(name, environment, Path(folder), asked.iterations, asked.one)
        PAGE.write_text(_replaced(PAGE.read_text(), tried))
        print(f"{name} {tried.version}: {PAGE}")
    return 0


def _try(name: str, environment: str, folder: Path, iterations: int, one: bool) -> Tried:
    untrained = name != "piper" and name in ENGINES
    if name in ENGINES:
        project_of(ENGINES[name], folder, str(Path(environment).absolute()))
    else:
        copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    suite = folder / "suites" / "gate.py"
    suite.write_text(
        suite.read_text().replace("    workload=", '    metrics=["wer"],\n    workload=')
    )
    command = ["run", "gate", "--repeats", "1", "--iterations", str(iterations), "--out", "runs/1"]
    if one:
        suite.write_text(re.sub(r"    (axes|cells)=.*\n", "    cells=[{}],\n", suite.read_text()))
        texts = (folder / "sentences.toml").read_text()
        (folder / "sentences.toml").write_text(texts.partition("\n\n")[0] + "\n")
    with _served() if name == "openai-server" else nullcontext():
        _voxgate(folder, *command)
    judged = {} if untrained else json.loads(_voxgate(folder, "gate", "runs/1", "--json"))
    run = load_run(folder / "runs" / "1")
    return Tried(
        name=name,
        version=_version(name, environment),
        run=run,
        wer=_wer(judged, run.reference),
        weights="untrained, small" if untrained else "its own",
    )


def _voxgate(folder: Path, *words: str) -> str:
    """Run voxgate in a project; a run without a baseline ends with 3."""
    command = [sys.executable, "-m", "voxgate", *words]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


@contextmanager
def _served() -> Iterator[None]:
    """Run voxgate's own server, which speaks OpenAI's API."""
    command = [sys.executable, "-m", "voxgate.engine", "serve", "--port", str(PORT)]
    with subprocess.Popen([*command, "--nfe-steps", "8"]) as server:
        os.environ[URL] = f"http://127.0.0.1:{PORT}"
        try:
            for _ in range(120):
                with suppress(OSError):
                    urllib.request.urlopen(f"{os.environ[URL]}/v1/models", timeout=5).close()
                    break
                time.sleep(0.5)
            yield
        finally:
            server.terminate()


def _version(name: str, environment: str) -> str:
    if name in ENGINES:
        code = f"import importlib.metadata as m; print(m.version({PACKAGES.get(name, name)!r}))"
        command = [f"{environment}/bin/python", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if name == "openai-server":
        return "voxgate.engine serve"
    told = subprocess.run([name, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(\.\d+)+", told)
    return found.group() if found else "unknown"


def _wer(judged: Mapping[str, object], cell: str) -> str:
    cells = judged.get("cells")
    for each in cells if isinstance(cells, list) else ():
        for metric in each["metrics"] if each["cell"] == cell else ():
            value = metric["comparison"]["current"]
            if metric["metric"] == "wer" and isinstance(value, int | float):
                return f"{100 * value:.1f} %"
    return "-"


def _shown(tried: Tried) -> str:
    effects = {e.option: e for each in tried.run.processes for e in each.effects}
    asked = {e for each in tried.run.cells for e in each.options} - {"url", "weights", "vocoder"}
    seen = [
        f"{option}{'' if check.in_effect else ' (NOT in effect)'}"
        for option, check in effects.items()
        if check.in_effect is not None and option != "seed"
    ]
    passed = sorted(asked & {o for o, check in effects.items() if check.in_effect is None})
    return _row(
        tried.name,
        tried.version,
        ", ".join(tried.measured[-1].stages_s) or "none",
        ", ".join(seen) or "none",
        ", ".join(f"{option}{_ratio(tried, option)}" for option in passed) or "none",
        _streaming(tried),
        _seed(tried),
        BATCHING[tried.name],
    )


def _ratio(tried: Tried, option: str) -> str:
    """Return how the audio's duration follows an option that is only passed."""
    by_cell = {
        each.cell: sum(i.audio_s for i in each.iterations if i.phase == "measured")
        for each in tried.run.processes
    }
    changes = [
        f"{_spelled(cell.options)}: {by_cell[cell.slug] / by_cell[tried.run.reference]:.2f} times "
        "as long"
        for cell in tried.run.cells
        if option in cell.axes and cell.slug != tried.run.reference
    ]
    return f" ({'; '.join(changes)})" if changes else ""


def _spelled(options: Mapping[str, object]) -> str:
    return " ".join(str(value) for name, value in options.items() if name not in ("voice", "url"))


def _streaming(tried: Tried) -> str:
    iterations = [i for each in tried.run.processes for i in each.iterations]
    most = max(iterations, key=lambda each: len(each.chunks or ()))
    count = len(most.chunks or ())
    if count < 2:
        return "one chunk"
    share = 100 * most.first_audio_s / most.wall_s
    return f"{count} chunks, the first after {share:.0f} % of the time"


def _seed(tried: Tried) -> str:
    checks = [e for e in tried.process.effects if e.option == "seed"]
    if checks:
        return "observed" if all(check.in_effect for check in checks) else "NOT in effect"
    audio = {(each.request, each.audio_sha256) for each in tried.measured}
    same = len(audio) == len({each.request for each in tried.measured})
    return "none here; the same audio each time" if same else "none here; other audio each time"


def _figures(tried: Tried) -> str:
    measured, cold = tried.measured, tried.process.cold
    peak = tried.process.peak_rss_bytes
    walls_s = [each.wall_s for each in measured]
    load = "with each text" if "process" in measured[-1].stages_s else "elsewhere"
    if cold is not None and tried.name in ENGINES:
        load = f"{cold.import_s + cold.load_s:.1f} s"
    return _row(
        tried.name,
        tried.weights,
        str(len(measured)),
        f"{1000 * median(walls_s):.0f} ms",
        f"{median(each.wall_s / each.audio_s for each in measured):.2f}",
        f"{1000 * median(each.first_audio_s for each in measured):.0f} ms",
        load,
        "not its own" if peak is None else f"{peak / 1e6:.0f} MB",
        tried.wer,
        f"{tried.run.environment.machine.id}, {datetime.datetime.now().astimezone():%Y-%m-%d}",
    )


def _row(*fields: str) -> str:
    return f"| {' | '.join(fields)} |"


def _replaced(page: str, tried: Tried) -> str:
    """Return the page with one engine's row in either table."""
    for table, row in ((SHOWN, _shown(tried)), (FIGURES, _figures(tried))):
        mark = rf"(<!-- {table}: written by tests/studies/engine_table.py -->\n(?:\|.*\n)*?)"
        page, count = re.subn(
            rf"{mark}\| {re.escape(tried.name)} \|.*\n", lambda m, row=row: f"{m[1]}{row}\n", page
        )
        if not count:
            raise SystemExit(f"{PAGE} has no row of {tried.name} in the table {table!r}")
    return page


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
