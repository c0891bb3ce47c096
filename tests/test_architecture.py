"""The rules of the tree, held by reading the source."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE, HARNESS = sorted((ROOT / "engine").rglob("*.py")), sorted((ROOT / "harness").rglob("*.py"))
MAY_USE_TORCH = (
    "harness/targets/",
    "harness/worker.py",
    "harness/clock.py",
    "harness/metrics/asr",
    "harness/metrics/listen",
    "harness/metrics/voice",
)
PATH_ORDER = (
    ("errors", "atomic", "codec", "contained", "toml", "cell", "sample", "measurement", "judgement"),
    ("words", "crash"),
    ("clock", "stats", "audio_io", "workload", "disturbance", "player", "guard", "revision"),
    ("doctor",),
    ("energy", "targets", "profiles", "environment"),
    ("suite", "progress", "order", "fitness", "stages", "stage_pass", "stages_apart"),
    ("records", "store", "resume", "opened", "requirements", "child", "origin"),
    ("worker", "crew", "ledger", "live", "schedule", "left_out", "building", "checkout"),
    ("metrics",),
    ("offer", "doubts", "measure"),
    ("replacing", "baseline_check", "baseline_file", "baseline", "nearest", "seal", "policy"),
    ("scored", "scoring", "compare", "floor", "floor_making"),
    ("explain", "notice"),
    ("verdict",),
    ("confirmation",),
    ("revised", "control", "finding"),
    ("tradeoff", "kept_audio", "clips", "takes"),
    ("history",),
    ("report",),
    ("ci",),
    ("pipeline", "overlap"),
    ("pair", "job", "ab", "bisect"),
    ("selftest", "load"),
    ("history_cli", "load_cli"),
    ("cli", "plugin"),
    ("__main__",),
)
LONGEST_FUNCTION = 50
UNSAFE = r"pickle\.(load|dump|Unpickler)|\b(joblib|shelve|marshal)\b|allow_pickle=True|shell=True|os\.system"


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _uses(path: Path, package: str) -> bool:
    return any(name == package or name.startswith(package + ".") for name in _imports(path))


def test_the_engine_knows_nothing_of_the_harness():
    assert [_name(path) for path in ENGINE if _uses(path, "harness")] == []


def test_only_the_bottom_of_the_harness_touches_torch_or_the_engine():
    touching = [_name(path) for path in HARNESS if _uses(path, "torch") or _uses(path, "engine")]

    assert [name for name in touching if not name.startswith(MAY_USE_TORCH)] == []


def test_inside_the_harness_a_module_imports_only_what_stands_earlier_on_the_path():
    rank = {module: index for index, group in enumerate(PATH_ORDER) for module in group}
    wrong = []
    for path in HARNESS:
        parts = path.relative_to(ROOT / "harness").with_suffix("").parts
        if parts[0] == "__init__":
            continue
        assert parts[0] in rank, f"{_name(path)} has no place on the path; add it to PATH_ORDER"
        for name in _imports(path):
            other = name.split(".")[1] if name.startswith("harness.") else None
            if other in rank and rank[other] > rank[parts[0]]:
                wrong.append(f"{_name(path)} imports harness.{other}")
    assert sorted(set(wrong)) == []


def test_only_clock_reads_clocks():
    reading = re.compile(r"\btime\.(time|perf_counter|monotonic|process_time)|datetime\.now|\bimport time\b|from time import")
    found = [_name(path) for path in HARNESS if reading.search(path.read_text())]

    in_engine = [_name(path) for path in ENGINE if reading.search(path.read_text())]

    assert found == ["harness/clock.py"]
    assert in_engine == ["engine/timing.py", "engine/training/loop.py"]


def test_reports_never_open_a_run_folder():
    assert [_name(p) for p in HARNESS if "harness/report/" in _name(p) and _uses(p, "harness.store")] == []


def test_nothing_is_unpickled_and_no_shell_is_used():
    # whisper_weights reads openai-whisper's own cache, which is a torch file: with weights_only
    for path in [*ENGINE, *HARNESS]:
        text = path.read_text()
        assert not re.search(UNSAFE, text), path
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, path


def test_functions_fit_on_a_screen():
    long = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in [*ENGINE, *HARNESS]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]

    assert long == []


def test_every_module_says_what_it_is_for():
    silent = [_name(path) for path in [*ENGINE, *HARNESS] if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


@pytest.mark.parametrize("module", ["harness", "harness.cli", "harness.plugin", "engine", "engine.config"])
def test_importing_loads_no_torch_and_prints_nothing(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_top_level_holds_what_was_agreed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    top = {name.split("/")[0] for name in tracked if not name.startswith(".")}
    allowed = {"pyproject.toml", "harness", "engine", "suites", "baselines", "reports", "README.md", "tests", "docs"}

    assert top - allowed - {"Makefile", "LICENSE", "CHANGELOG.md", "constraints.txt"} == set()


def test_actions_are_pinned_by_hash_and_permissions_are_least():
    for path in (ROOT / ".github").rglob("*.yml"):
        text = path.read_text()
        for used in re.findall(r"^[ -]+uses: (\S+)", text, re.MULTILINE):
            assert used.startswith("./") or re.search(r"@[0-9a-f]{40}$", used), (path, used)
        if path.parent.name == "workflows":
            assert "permissions: {}" in text, path
