"""The rules of the tree, held by reading the source."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from voxgate.harness.records.documents import parse_toml

ROOT = Path(__file__).parents[1]
ENGINE, HARNESS = sorted((ROOT / "engine").rglob("*.py")), sorted((ROOT / "harness").rglob("*.py"))
MAY_USE_TORCH = (
    "harness/targets/",
    "harness/machine/clock.py",
    "harness/models/",
    "harness/scoring/transcription",
    "harness/scoring/listen",
    "harness/metrics/speaker_similarity",
)
HARNESS_ORDER = (
    "compat",
    "python310",
    "errors",
    "statistics",
    "records",
    "suite",
    "audio",
    "machine",
    "models",
    "targets",
    "metrics",
    "runner",
    "analysis",
    "scoring",
    "judging",
    "history",
    "corpora",
    "report",
    "load",
    "scaffold",
    "ci",
    "workflow",
    "pytest_plugin",
    "revisions",
    "selftest",
    "cli",
    "package",
)
"""
The folders (and modules) of harness/ in the order of the data: each imports only what stands before
it.
"""
ENGINE_ORDER = (
    "python310",
    "errors",
    "alphabet",
    "timing",
    "text",
    "config",
    "layers",
    "tokens",
    "duration",
    "vocoder",
    "audio",
    "acoustic",
    "conversion",
    "passes",
    "weights",
    "chatterbox",
    "fish",
    "rvc",
    "export",
    "pipelines",
    "serve",
    "training",
    "commands",
    "__main__",
)
"""Likewise for engine/."""
SHIM = "harness/targets/other_python/shim_parts.py"
STAND_INS = {"Target", "OptionCheck", "HarnessError", "IsolatedStage", "StageWork"}
"""
Classes that the shim provides under voxgate's names, for targets where voxgate is not installed.
"""
LARGEST_TOP = 6
LONGEST_FUNCTION = 50
LONGEST_FILE = 400
MOST_IMPORTED = 16
"""Modules of the project that one file imports, those inside functions included."""
UNSAFE = (
    r"pickle\.(load|dump|Unpickler)|\b(joblib|shelve|marshal)\b|allow_pickle=True|shell=True|"
    r"os\.system"
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("voxgate.") for name in found}


def _uses(path: Path, package: str) -> bool:
    return any(name == package or name.startswith(package + ".") for name in _imports(path))


def test_the_engine_knows_nothing_of_the_harness():
    assert [_name(path) for path in ENGINE if _uses(path, "harness")] == []


def test_only_the_bottom_of_the_harness_touches_torch_or_the_engine():
    touching = [_name(path) for path in HARNESS if _uses(path, "torch") or _uses(path, "engine")]

    assert [name for name in touching if not name.startswith(MAY_USE_TORCH)] == []


@pytest.mark.parametrize(
    ("package", "order"), [("harness", HARNESS_ORDER), ("engine", ENGINE_ORDER)]
)
def test_a_folder_imports_only_folders_that_stand_before_it(package, order):
    rank = {folder: index for index, folder in enumerate(order)}
    wrong = []
    for path in sorted((ROOT / package).rglob("*.py")):
        own = path.relative_to(ROOT / package).with_suffix("").parts[0]
        if own == "__init__":
            continue
        assert own in rank, (
            f"{_name(path)}: folder {own} has no place; add it to {package.upper()}_ORDER"
        )
        for name in _imports(path):
            other = name.split(".")[1] if name.startswith(f"{package}.") else None
            if other in rank and rank[other] > rank[own]:
                wrong.append(f"{_name(path)} imports {package}.{other}")
    assert sorted(set(wrong)) == []


def _imported_modules(path: Path, modules: set[str]) -> set[str]:
    """Return the modules of the project that a file imports; a name of a module counts as it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules or {node.module}
    return found & modules


def test_a_file_imports_few_modules_of_the_project():
    paths = [*ENGINE, *HARNESS]
    modules = {
        ".".join(("voxgate", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for path in paths
    }
    counts = {_name(path): len(_imported_modules(path, modules)) for path in paths}

    assert {name: n for name, n in counts.items() if n > MOST_IMPORTED} == {}


def test_the_top_of_the_harness_is_small():
    assert len(list((ROOT / "harness").glob("*.py"))) <= LARGEST_TOP


def test_only_clock_reads_clocks():
    reading = re.compile(
        r"\btime\.(time|perf_counter|monotonic|process_time)|datetime\.now|\bimport time\b|from "
        r"time import"
    )
    found = [_name(path) for path in HARNESS if reading.search(path.read_text())]

    in_engine = [_name(path) for path in ENGINE if reading.search(path.read_text())]

    # the shim runs beside an engine in another interpreter, without voxgate
    assert found == ["harness/machine/clock.py", SHIM]
    assert in_engine == ["engine/timing.py", "engine/training/loop.py"]


def test_reports_never_open_a_run_folder():
    assert [
        _name(p)
        for p in HARNESS
        if "harness/report/" in _name(p) and _uses(p, "voxgate.harness.runner.run_folder")
    ] == []


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
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]

    assert long == []


def test_files_fit_into_an_editor():
    lines = {_name(path): len(path.read_text().splitlines()) for path in [*ENGINE, *HARNESS]}

    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_no_two_classes_share_a_name():
    places = defaultdict(list)
    for path in [*ENGINE, *HARNESS]:
        if path.name == "python310.py":  # classes of newer standard libraries
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(_name(path))

    assert places.keys() & STAND_INS == STAND_INS
    for name in STAND_INS:
        places[name].remove(SHIM)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_docstrings_open_with_a_verb_of_the_field():
    openings = [
        f"{_name(path)}: {word}"
        for path in [*ENGINE, *HARNESS]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module)
        for word in (ast.get_docstring(node) or "").split()[:1]
        if word in ("Give", "Gives", "Say", "Says", "Tell", "Tells")
    ]

    assert openings == []


def test_every_module_says_what_it_is_for():
    silent = [
        _name(path)
        for path in [*ENGINE, *HARNESS]
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


@pytest.mark.parametrize(
    "module",
    [
        "voxgate",
        "voxgate.harness.cli.main",
        "voxgate.harness.pytest_plugin",
        "voxgate.engine",
        "voxgate.engine.config",
        "voxgate.harness.runner.worker",
    ],
)
def test_importing_loads_neither_torch_nor_scipy_and_prints_nothing(module):
    """A run starts dozens of workers, and scipy would take half of their start."""
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'scipy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_top_level_holds_what_was_agreed():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    top = {name.split("/")[0] for name in tracked if not name.startswith(".")}
    allowed = {
        "pyproject.toml",
        "harness",
        "engine",
        "suites",
        "baselines",
        "reports",
        "README.md",
        "tests",
        "docs",
    }

    assert top - allowed - {"Makefile", "LICENSE", "CHANGELOG.md", "constraints.txt"} == set()


def test_actions_are_pinned_by_hash_and_permissions_are_least():
    for path in (ROOT / ".github").rglob("*.yml"):
        text = path.read_text()
        for used in re.findall(r"^[ -]+uses: (\S+)", text, re.MULTILINE):
            assert used.startswith("./") or re.search(r"@[0-9a-f]{40}$", used), (path, used)
        if path.parent.name == "workflows":
            assert "permissions: {}" in text, path


def test_every_package_is_installed():
    project = parse_toml((ROOT / "pyproject.toml").read_text())
    setuptools = project["tool"]["setuptools"]
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for path in (*ENGINE, *HARNESS)
        if path.name == "__init__.py"
    } - {"harness/package"}
    names = {f"voxgate.{folder.replace('/', '.')}" for folder in folders}

    assert len(setuptools["packages"]) == len(set(setuptools["packages"]))
    assert set(setuptools["packages"]) == names | {"voxgate", "voxgate.suites"}


def test_nested_comprehensions_are_rare():
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    count, lines = 0, 0
    for path in (*ENGINE, *HARNESS):
        text = path.read_text()
        lines += text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, kinds):
                inner = sum(isinstance(each, kinds) for each in ast.walk(node)) - 1
                count += inner > 0 or len(node.generators) > 1

    assert count <= lines / 1000
