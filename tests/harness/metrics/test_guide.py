"""
docs/metrics.md says what is so: its tables hold the panel and the policy, and the metric it adds
really is one.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.metrics.speech import PATH, TEXT
from voxgate.harness.judging.policy import DEFAULT
from voxgate.harness.metrics.registry import FAMILIES, SPEED, entries
from voxgate.harness.records.documents import parse_toml

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "metrics.md").read_text()
ROW = re.compile(
    r"^\| `(?P<name>\w+)` \| (?P<unit>[^,|]+), (?P<better>\w+) \| ?(?P<blocks>\w*) ?\|",
    re.MULTILINE,
)
SPEEDS = {metric.name for metric in SPEED}
"""Measured, not scored: their rows look alike."""
ROWS = {row["name"]: row for row in ROW.finditer(GUIDE) if row["name"] not in SPEEDS}
PLAIN = [
    each
    for each in entries().values()
    if each.family in FAMILIES.values() and not each.golden and each.condition is None
]
SCORE = """
import json, sys
from pathlib import Path
from voxgate.harness.metrics.registry import entry, full_version
from voxgate.harness.scoring.scorer import score_quality
from voxgate.harness.scoring.tasks import AudioJob

audio, text, cache, *names = sys.argv[1:]
job = AudioJob(key="a", utterance="a", path=Path(audio), text=text)
values = score_quality([job], cache_dir=Path(cache), metrics=names)["a"].values
print(json.dumps({
    name: [value if isinstance(value, float) else value.reason, full_version(name), entry(name).family]
    for name, value in values.items()
}))
"""  # noqa: E501
FAULTS = {
    "raising": (
        "raise ValueError('no spectrum today')",
        "raising failed: ValueError: no spectrum today",
    ),
    "crashing": ("os.kill(os.getpid(), signal.SIGKILL)", "crashing crashed the process"),
    "nan": ("return float('nan')", "nan gave nan, which is no number"),
    "words": ("return 'bright'", "words gave 'bright', which is no number"),
}
"""Metric -> what its function does, and the reason why there is no value."""


def block(language: str, holding: str) -> str:
    """Return the one block of the guide in a language that holds some text."""
    (found,) = [
        text
        for text in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
        if holding in text
    ]
    return str(found)


def install(folder: Path, name: str, code: str) -> Path:
    """
    What pip would leave of a package with one module, without pip: the module, and its entry point
    beside it.
    """
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[voxgate.metrics]\n{name} = {name}:METRICS\n")
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(
        tmp_path_factory.mktemp("packages"), "brightness", block("python", "brightness.py")
    )


def told(folder: Path, cache: Path, *names: str) -> dict[str, list[object]]:
    """For each metric its value (or the reason), its version and its family."""
    done = python(folder, "-c", SCORE, str(PATH), TEXT, str(cache), *names)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def test_every_metric_of_the_panel_stands_in_the_guide_with_its_unit_and_direction() -> None:
    known = {each.name: (each.metric.unit, each.metric.better) for each in PLAIN}

    assert {name: (row["unit"], row["better"]) for name, row in ROWS.items()} == known


def test_the_guide_says_which_metrics_block() -> None:
    policy = parse_toml(DEFAULT.read_text())["metrics"]
    blocks = {name for name in ROWS if policy.get(name, {}).get("blocking")}

    assert {name for name, row in ROWS.items() if row["blocks"]} == blocks


def test_the_metric_that_the_guide_adds_is_scored_like_one_of_ours(
    installed: Path, tmp_path: Path
) -> None:
    found = told(installed, tmp_path, "brightness", "phone_brightness")
    here, on_the_phone = found["brightness"], found["phone_brightness"]

    assert here[1:] == ["1; brightness 1.0", "plug-in brightness"]
    assert on_the_phone[1:] == ["1; brightness 1.0; telephone 1", "telephone"]
    # a line lacks what is below 300 Hz
    assert 100.0 < float(str(here[0])) < float(str(on_the_phone[0])) < 1000.0


def test_the_package_of_the_guide_has_that_entry_point() -> None:
    project = parse_toml(block("toml", "entry-points"))["project"]

    assert project["entry-points"] == {"voxgate.metrics": {"brightness": "brightness:METRICS"}}
    assert (project["name"], project["version"]) == ("brightness", "1.0")


def test_metrics_that_fail_cost_their_own_values_and_say_why(tmp_path: Path) -> None:
    lines = [
        "import os, signal",
        "from voxgate.harness.records.measurement import Metric",
        "from voxgate.harness.metrics.metric import AudioMetric",
    ]
    lines += [f"def {name}(subject):\n    {code}" for name, (code, _) in FAULTS.items()]
    made = [
        f'AudioMetric(metric=Metric(name="{name}", unit="1", better="lower", version="1"), '
        f"score={name})"
        for name in FAULTS
    ]
    folder = install(
        tmp_path / "package", "faulty", "\n".join([*lines, f"METRICS = ({', '.join(made)},)", ""])
    )
    found = told(folder, tmp_path / "cache", "duration", *FAULTS)

    assert {name: found[name][0] for name in FAULTS} == {
        name: reason for name, (_, reason) in FAULTS.items()
    }
    assert found["duration"][0] == pytest.approx(2.94, abs=0.01)


def test_a_name_that_nobody_knows_is_an_error_with_suggestions_and_where_all_stand(
    installed: Path,
) -> None:
    (installed / "suites").mkdir(exist_ok=True)
    suite = (
        'Suite(target="scripted", pipeline="flow", workload="smoke", cells=[{}], reference={}, '
        'metrics=["brightnes"])'
    )
    (installed / "suites" / "bright.py").write_text(
        f'"""How bright is it?"""\n\nfrom voxgate import Suite\n\nsuite = {suite}\n'
    )
    done = python(installed, "-m", "voxgate", "run", "bright", "--out", "out")

    assert done.returncode == 2
    assert "unknown metric 'brightnes'; did you mean 'brightness'" in done.stderr
    assert "docs/reference/metrics.md" in done.stderr
    assert not (installed / "out").exists()


def test_the_policy_line_of_the_guide_is_accepted(installed: Path) -> None:
    (installed / "policy.toml").write_text(
        "schema_version = 1\n\n" + block("toml", "blocking = false")
    )
    code = (
        "from pathlib import Path; from voxgate.harness.metrics.registry import entries; from "
        "voxgate.harness.judging.policy import load_policy\n"
        "print(load_policy(Path(), entries())['brightness'].relative)"
    )
    done = python(installed, "-c", code)

    assert done.stdout == "0.05\n", done.stderr[-2000:]
