"""
The policy: the limit of each metric. Reads TOML; does not know how a change is measured, and
decides nothing.

The default is `harness/policy.toml`. `baselines/policy.toml` replaces single lines of it, and
`baselines/<suite>/policy.toml` those of one suite: `voxgate calibrate` writes it for an engine that
samples. The table [imported] of the former holds limits by which the history judges the metrics of
other tools, which the registry does not know.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from voxgate.harness.analysis.metric_rules import is_helper, is_speed
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.registry import known_metrics, own_model
from voxgate.harness.records.documents import read_toml
from voxgate.harness.records.files import inside, is_plain_name, plain_name
from voxgate.harness.records.verdict import Limit

SCHEMA_VERSION = 1
"""Of the policy file. History: 1, 2026-11, first."""

Policy = Mapping[str, Limit]
"""Limit by metric name; a metric without one is shown and never judged."""

DEFAULT = Path(__file__).parents[1] / "policy.toml"
LARGEST = 1e300
"""Of a margin: beyond, whole numbers no longer fit into a float."""
MOST = 1_000_000
"""Utterances that may be worse."""
AGAINST = ("baseline", "reference", "golden", "intrinsic", "limit")
EVIDENCE = ("processes", "utterances", "none")
KEYS = (
    *("relative", "absolute", "blocking", "against", "evidence"),
    *("floor", "floor_fails", "reject", "worst", "count", "with"),
)
OF_IMPORTED = ("relative", "absolute", "blocking")
WORST = "worst"
"""Of `blocking`: the mean informs, and a broken utterance blocks."""
FILE = "policy.toml"


def load_policy(
    baselines_dir: Path, metric_names: Collection[str], suite: str = ""
) -> dict[str, Limit]:
    """
    Load the default policy, `baselines_dir/policy.toml` over it, and that of a suite over both;
    `known` are the metric names that exist.

    Raises HarnessError naming file and key for broken TOML, unknown metrics or keys, and margins
    that are not positive.
    """
    policy = read_policy(DEFAULT, metric_names)
    for override in overrides(baselines_dir, suite):
        policy |= read_policy(override, metric_names)
    return policy


def overrides(baselines_dir: Path, suite: str = "") -> list[Path]:
    """Return the files that exist and replace lines of a default policy, the strongest last."""
    names = [baselines_dir / FILE]
    if suite:
        names.append(suite_policy(baselines_dir, suite))
    return [path for path in names if path.exists()]


def suite_policy(baselines_dir: Path, suite: str) -> Path:
    """
    Return the path of a suite's own policy. Raises HarnessError for a name that leads elsewhere.
    """
    return inside(baselines_dir, plain_name(suite, "suite")) / FILE


def suite_policies(
    baselines_dir: Path, metric_names: Collection[str], suites: Collection[str]
) -> dict[str, Policy]:
    """
    Load the whole policy of each suite that has lines of its own. A suite whose name cannot name a
    folder (of another tool) has none.

    Raises HarnessError as `load_policy` does.
    """
    plain = sorted(suite for suite in suites if is_plain_name(suite))
    own = [suite for suite in plain if suite_policy(baselines_dir, suite).exists()]
    return {suite: load_policy(baselines_dir, metric_names, suite) for suite in own}


def load_imported(baselines_dir: Path) -> dict[str, Limit]:
    """
    Load the table [imported] of `baselines_dir/policy.toml`: limits of metrics that other tools
    measured, by name.

    Raises HarnessError as `load_policy` does; a name that no series has is no error here.
    """
    path = baselines_dir / FILE
    if not path.exists():
        return {}
    lines = _decoded(path).get("imported", {})
    return {metric: _imported(path, metric, row) for metric, row in lines.items()}


def limits_of(baselines: Path, file: Path | None = None, suite: str = "") -> Policy:
    """
    Load the policy beside the baselines, for a suite, or a file over the default one.

    Raises HarnessError for a file that cannot be read, or a metric that nobody knows.
    """
    if file is None:
        return load_policy(baselines, shown_metrics(), suite)
    return {**read_policy(DEFAULT, shown_metrics()), **read_policy(file, shown_metrics())}


def policies_of(baselines: Path, suites: Collection[str]) -> dict[str, Policy]:
    """Load the policy of each suite, as `limits_of` does. Raises HarnessError as that does."""
    common = limits_of(baselines)
    return dict.fromkeys(suites, common) | suite_policies(baselines, shown_metrics(), suites)


def shown_metrics() -> tuple[str, ...]:
    """Return the names of the metrics that a policy may limit."""
    return tuple(metric.name for metric in known_metrics() if not is_helper(metric.name))


def read_policy(path: Path, metric_names: Collection[str]) -> dict[str, Limit]:
    """Load one policy file. Raises HarnessError as `load_policy` does."""
    data = _decoded(path)
    return {
        metric: _limit(path, metric, row, metric_names) for metric, row in data["metrics"].items()
    }


def _decoded(path: Path) -> dict[str, Any]:
    data = read_toml(path, "the policy")
    _check_head(path, data)
    return {"metrics": {}, **data}


def _check_head(path: Path, data: Mapping[str, object]) -> None:
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise HarnessError(
            f"{path}: schema_version is {version!r}, this voxgate reads {SCHEMA_VERSION}; correct "
            "it or upgrade"
        )
    unknown = sorted(set(data) - {"schema_version", "metrics", "imported"})
    tables = [data[name] for name in ("metrics", "imported") if name in data]
    if unknown or not tables or not all(isinstance(table, dict) for table in tables):
        raise HarnessError(
            f"{path}: expected one table [metrics] beside schema_version, found "
            f"{', '.join(unknown) or 'none'}"
        )


def _imported(path: Path, metric: str, row: object) -> Limit:
    if isinstance(row, dict) and set(row) - set(OF_IMPORTED):
        key = min(set(row) - set(OF_IMPORTED))
        raise HarnessError(
            f"{path}: imported.{metric}.{key}: there is no such key; known are "
            f"{', '.join(OF_IMPORTED)}"
        )
    whole = {**row, "against": "baseline", "evidence": "none"} if isinstance(row, dict) else row
    return _limit(path, metric, whole, (metric,), "imported")


def _limit(
    path: Path, metric: str, row: object, metric_names: Collection[str], table: str = "metrics"
) -> Limit:
    if metric not in metric_names and not own_model(metric):
        raise HarnessError(
            f"{path}: {table}.{metric}: there is no such metric; known are "
            f"{', '.join(sorted(metric_names))}"
        )
    if not isinstance(row, dict):
        raise HarnessError(
            f"{path}: {table}.{metric} is {row!r}; write {{ relative = 0.05, blocking = true, ... "
            f"}}"
        )
    unknown = sorted(set(row) - set(KEYS))
    if unknown:
        raise HarnessError(
            f"{path}: {table}.{metric}.{unknown[0]}: there is no such key; known are "
            f"{', '.join(KEYS)}"
        )
    relative, absolute = (
        _margin(path, f"{table}.{metric}", key, row.get(key)) for key in ("relative", "absolute")
    )
    if relative is None and absolute is None:
        raise HarnessError(
            f"{path}: {table}.{metric} has no margin; give relative, absolute or both"
        )
    place, blocking = f"{table}.{metric}", row.get("blocking")
    if not isinstance(blocking, bool) and (blocking != WORST or "worst" not in row):
        raise HarnessError(
            f"{path}: {place}.blocking is {blocking!r}; write true or false, or {WORST!r} beside a "
            "worst"
        )
    worst, count = _of_one_utterance(path, place, metric, row)
    return Limit(
        relative=relative,
        absolute=absolute,
        blocking=blocking is True,
        against=_choice(path, place, "against", row.get("against"), AGAINST),
        evidence=_choice(path, place, "evidence", row.get("evidence"), EVIDENCE),
        min_acceptable=_margin(path, place, "floor", row.get("floor")),
        reject=_margin(path, place, "reject", row.get("reject")),
        floor_fails=_floor_fails(path, place, row),
        worst=worst,
        count=count,
        worst_blocks=blocking == WORST,
        only_with=_companions(path, metric, place, row.get("with"), metric_names),
    )


def _companions(
    path: Path, metric: str, place: str, value: object, metric_names: Collection[str]
) -> tuple[str, ...]:
    """Return the metrics without which this one does not count; empty where none are named."""
    if value is None:
        return ()
    others = [name for name in metric_names if name != metric]
    names = tuple(value) if isinstance(value, list) else ()
    wrong = next((f"{name!r}, which is none" for name in names if name not in others), "")
    if not wrong and len(set(names)) < len(names):
        wrong = f"{value!r}, which names one twice"
    if wrong or not names:
        raise HarnessError(
            f"{path}: {place}.with is {wrong or repr(value)}; name other metrics in a list, each "
            'once, such as ["pesq", "mel_distance"]'
        )
    return names


def _floor_fails(path: Path, place: str, row: Mapping[str, object]) -> bool:
    fails = row.get("floor_fails", False)
    if not isinstance(fails, bool) or (fails and "floor" not in row):
        raise HarnessError(
            f"{path}: {place}.floor_fails is {fails!r}; write true or false, and true only beside "
            "a floor"
        )
    return fails


def _of_one_utterance(
    path: Path, place: str, metric: str, row: Mapping[str, object]
) -> tuple[float | None, int]:
    """Return the limit of one utterance's own change, and how many may exceed it."""
    worst, count = _margin(path, place, "worst", row.get("worst")), row.get("count", 0)
    if worst is not None and (is_speed(metric) or row.get("against") == "limit"):
        raise HarnessError(
            f"{path}: {place}.worst: utterances are only held against a baseline, and only in "
            "metrics of quality; leave it out"
        )
    if "count" in row and worst is None:
        raise HarnessError(
            f"{path}: {place}.count stands without worst; give worst, or leave it out"
        )
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < MOST:
        raise HarnessError(
            f"{path}: {place}.count is {count!r}; it must be a whole number of utterances"
        )
    return worst, count


def limit_text(limit: Limit) -> str:
    """Return a limit as a line of the policy holds it, on the right of the metric's name."""
    usual = Limit(relative=None, absolute=None, blocking=True, against="", evidence="")
    pairs = {"blocking": WORST if limit.worst_blocks else limit.blocking}
    for key in KEYS:
        field = {"floor": "min_acceptable", "with": "only_with"}.get(key, key)
        if getattr(limit, field) != getattr(usual, field):
            pairs.setdefault(key, getattr(limit, field))
    told = (f"{key} = {json.dumps(pairs[key])}" for key in KEYS if key in pairs)
    return f"{{ {', '.join(told)} }}"


def _margin(path: Path, place: str, key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LARGEST:
        raise HarnessError(f"{path}: {place}.{key} is {value!r}; it must be a positive number")
    return float(value)


def _choice(path: Path, place: str, key: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise HarnessError(
            f"{path}: {place}.{key} is {value!r}; choose one of {', '.join(choices)}"
        )
    return str(value)
