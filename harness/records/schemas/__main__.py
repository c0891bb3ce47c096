"""
Write the JSON Schemas of this folder anew from the dataclasses.

`python -m voxgate.harness.records.schemas` looks classes of later folders up by name when it runs:
the records import none of them.
"""

import dataclasses
import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from voxgate.harness.records.files import write_atomic
from voxgate.harness.records.json_schema import Schema, json_schema

FOLDER = Path(__file__).parent
BASELINE = "voxgate.harness.judging.baseline_file"


def schemas() -> dict[str, Schema]:
    """Return every schema, by the name of its file."""
    run = _loaded("voxgate.harness.records.run", "SCHEMA_VERSION")
    judgement = _loaded("voxgate.harness.records.verdict", "SCHEMA_VERSION")
    baseline = _loaded(BASELINE, "SCHEMA_VERSION")
    return {
        "run.schema.json": json_schema(
            _loaded("voxgate.harness.runner.run_header", "RunHeader"),
            "run.json: the header of a run folder",
            (1, run),
        ),
        "baseline-quality.schema.json": json_schema(
            _baseline("quality"), "quality.json: the quality baseline of a suite", (1, baseline)
        ),
        "baseline-speed.schema.json": json_schema(
            _baseline("speed"), "speed@MACHINE.json: the speed baseline of a machine", (1, 1)
        ),
        "judgement.schema.json": json_schema(
            _loaded("voxgate.harness.records.verdict", "RunVerdict"),
            "--json: the judgement of a run",
            (judgement, judgement),
        ),
        "history-entry.schema.json": json_schema(
            _loaded("voxgate.harness.history.records", "HistoryEntry"),
            "One run of the history, as an export holds it",
        ),
    }


def text_of(schema: Schema) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _baseline(kind: str) -> Any:
    """Return the dataclass of a baseline file: header, golden audio, table of measurements."""
    mapping: Any = Mapping
    hints = get_type_hints(_loaded(BASELINE, "BaselineFile"), include_extras=True)
    name, digest, request = (_loaded(BASELINE, key) for key in ("Name", "Digest", "RequestName"))
    identity, row = _loaded(BASELINE, "Identity"), _loaded(BASELINE, "Entry")
    fields: list[Any] = [(key, hints[key]) for key in _loaded(BASELINE, "HEADER")]
    fields += [("cells", mapping[name, identity]), ("measurements", mapping[str, row])]
    if kind == "quality":
        golden: Any = dataclasses.field(default_factory=dict)
        fields += [("golden", mapping[request, digest], golden)]
    return dataclasses.make_dataclass("Baseline", fields, kw_only=True)


def _loaded(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def main() -> int:
    """Write every schema."""
    for name, schema in schemas().items():
        write_atomic(FOLDER / name, text_of(schema))
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
