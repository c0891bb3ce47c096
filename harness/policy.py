"""
The policy: which change of which metric is too much. Reads TOML; does not know how a change is measured, and decides nothing.

The default is `harness/policy.toml`; `baselines/policy.toml` replaces single lines of it.
"""

import math
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from harness.errors import HarnessError
from harness.judgement import Limit

SCHEMA_VERSION = 1
"""Of the policy file. History: 1, 2026-11, first."""

Policy = Mapping[str, Limit]
"""Limit by metric name; a metric that is not in it is shown and never judged."""

DEFAULT = Path(__file__).with_name("policy.toml")
AGAINST = ("baseline", "reference", "golden", "intrinsic")
EVIDENCE = ("processes", "utterances", "none")
KEYS = ("relative", "absolute", "blocking", "against", "evidence", "floor")


def load_policy(baselines_dir: Path, known: Collection[str]) -> dict[str, Limit]:
    """
    Read the default policy and `baselines_dir/policy.toml` over it; `known` are the metric names that exist.

    Raises HarnessError naming file and key for broken TOML, unknown metrics or keys, and margins that are not positive.
    """
    policy = read_policy(DEFAULT, known)
    override = baselines_dir / "policy.toml"
    return {**policy, **read_policy(override, known)} if override.exists() else policy


def read_policy(path: Path, known: Collection[str]) -> dict[str, Limit]:
    """Read one policy file. Raises HarnessError as `load_policy` does."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HarnessError(f"the policy {path} cannot be read: {error}; correct it") from error
    _check_head(path, data)
    return {metric: _limit(path, metric, line, known) for metric, line in data["metrics"].items()}


def _check_head(path: Path, data: Mapping[str, object]) -> None:
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise HarnessError(f"{path}: schema_version is {version!r}, this voxgate reads {SCHEMA_VERSION}; correct it or upgrade")
    unknown = sorted(set(data) - {"schema_version", "metrics"})
    if unknown or not isinstance(data.get("metrics"), dict):
        raise HarnessError(f"{path}: expected one table [metrics] beside schema_version, found {', '.join(unknown) or 'none'}")


def _limit(path: Path, metric: str, line: object, known: Collection[str]) -> Limit:
    if metric not in known:
        raise HarnessError(f"{path}: metrics.{metric}: there is no such metric; known are {', '.join(sorted(known))}")
    if not isinstance(line, dict):
        raise HarnessError(f"{path}: metrics.{metric} is {line!r}; write {{ relative = 0.05, blocking = true, ... }}")
    unknown = sorted(set(line) - set(KEYS))
    if unknown:
        raise HarnessError(f"{path}: metrics.{metric}.{unknown[0]}: there is no such key; known are {', '.join(KEYS)}")
    relative, absolute = (_margin(path, metric, key, line.get(key)) for key in ("relative", "absolute"))
    if relative is None and absolute is None:
        raise HarnessError(f"{path}: metrics.{metric} has no margin; give relative, absolute or both")
    if not isinstance(line.get("blocking"), bool):
        raise HarnessError(f"{path}: metrics.{metric}.blocking is {line.get('blocking')!r}; write true or false")
    return Limit(
        relative=relative,
        absolute=absolute,
        blocking=line["blocking"],
        against=_choice(path, metric, "against", line.get("against"), AGAINST),
        evidence=_choice(path, metric, "evidence", line.get("evidence"), EVIDENCE),
        floor=_margin(path, metric, "floor", line.get("floor")),
    )


def _margin(path: Path, metric: str, key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise HarnessError(f"{path}: metrics.{metric}.{key} is {value!r}; it must be a positive number")
    return float(value)


def _choice(path: Path, metric: str, key: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise HarnessError(f"{path}: metrics.{metric}.{key} is {value!r}; choose one of {', '.join(choices)}")
    return str(value)
