"""The published JSON Schemas: fresh, and true of real documents."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from tests.harness.fake_runs import accepted, good_run, judged, make_scores, with_audio
from tests.harness.hostile import make_run
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.history.entry import entry_of_run, entry_to_dict
from voxgate.harness.judging.accept import accept
from voxgate.harness.records.codec import from_json
from voxgate.harness.records.constraints import Fallback, Key, Length, Range, Rest, TextPattern
from voxgate.harness.records.json_schema import json_schema
from voxgate.harness.records.run import Failure, FailureKind
from voxgate.harness.records.schemas.__main__ import FOLDER, schemas, text_of
from voxgate.harness.records.verdict import judgement_to_dict

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "object": dict,
    "array": list,
    "anything": object,
}
BOOLEAN = ("boolean", "anything")


def faults(schema: Mapping[str, Any], data: Any, root: Mapping[str, Any]) -> Iterator[str]:
    """Yield how data breaks a schema, for the keywords that we write."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if all([*faults(member, data, root)] for member in schema["anyOf"]):
            yield f"{data!r:.80} fits none of {schema['anyOf']}"
        return
    if "enum" in schema and data not in schema["enum"]:
        yield f"{data!r} is not in {schema['enum']}"
    kind = schema.get("type", "anything")
    if not isinstance(data, TYPES[kind]) or (isinstance(data, bool) and kind not in BOOLEAN):
        yield f"{data!r:.80} is no {kind}"
    elif kind == "object":
        yield from _object_faults(schema, data, root)
    elif kind == "array":
        yield from _array_faults(schema, data, root)
    else:
        yield from _scalar_faults(schema, data, kind)


def _array_faults(
    schema: Mapping[str, Any], data: list[Any], root: Mapping[str, Any]
) -> Iterator[str]:
    items = schema.get("prefixItems") or [schema.get("items", {})] * len(data)
    if len(items) != len(data) or len(data) < schema.get("minItems", 0):
        yield f"{data!r:.80} has {len(data)} items"
    for item, element in zip(items, data, strict=False):
        yield from faults(item, element, root)


def _scalar_faults(schema: Mapping[str, Any], data: Any, kind: str) -> Iterator[str]:
    if kind == "string" and not re.search(schema.get("pattern", ""), data):
        yield f"{data!r} does not match {schema['pattern']}"
    elif kind in ("integer", "number") and not (
        schema.get("minimum", data) <= data <= schema.get("maximum", data)
    ):
        yield f"{data!r} is out of range"


def _object_faults(
    schema: Mapping[str, Any], data: Mapping[str, Any], root: Mapping[str, Any]
) -> Iterator[str]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{name} is absent" for name in schema.get("required", ()) if name not in data)
    for name, value in data.items():
        yield from faults(schema.get("propertyNames", {}), name, root)
        if name not in properties and more is False:
            yield f"{name} is unknown"
        held = properties.get(name, more if isinstance(more, dict) else {})
        yield from faults(held, value, root)


def documents(folder: Path) -> dict[str, Any]:
    """Return a real document of each kind."""
    run = with_audio(good_run(folder / "runs/0001"))
    accept(run, aggregate(run, make_scores(run)), "first", folder / "baselines")
    (quality,) = (folder / "baselines").rglob("quality.json")
    (speed,) = (folder / "baselines").rglob("speed*.json")
    judgement = judged(good_run(), accepted(folder / "other"))
    entry = entry_of_run(run, aggregate(run, make_scores(run)), judgement)
    return {
        "run.schema.json": json.loads((make_run(folder / "run") / "run.json").read_text()),
        "baseline-quality.schema.json": json.loads(quality.read_text()),
        "baseline-speed.schema.json": json.loads(speed.read_text()),
        "judgement.schema.json": judgement_to_dict(judgement),
        "history-entry.schema.json": entry_to_dict(entry),
    }


def test_the_published_schemas_are_fresh() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert written == {name: text_of(schema) for name, schema in schemas().items()}, (
        "run: python -m voxgate.harness.records.schemas"
    )


def test_real_documents_are_valid_and_changed_ones_are_not(tmp_path: Path) -> None:
    found = documents(tmp_path)
    assert found.keys() == schemas().keys()
    for name, data in found.items():
        schema = json.loads((FOLDER / name).read_text(encoding="utf-8"))
        assert [*faults(schema, data, schema)] == [], name
        assert [*faults(schema, {**data, "colour": "red"}, schema)] == ["colour is unknown"], name
        for key in schema["required"]:
            less = {other: value for other, value in data.items() if other != key}
            assert [*faults(schema, less, schema)] == [f"{key} is absent"], name


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A leaf."""

    size: Annotated[float | None, Range(0.0, 1.0)]
    """Its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    leaves: Annotated[tuple[Leaf, ...], Length(1, 9)]
    name: Annotated[str, Key("title"), TextPattern("[a-z]+", "a word")]
    better: Literal["lower", "higher"] = "lower"
    pair: tuple[str, int] = ("a", 1)
    more: Annotated[Mapping[str, object], Rest()] = field(default_factory=dict)
    kind: Annotated[FailureKind, Fallback(FailureKind.OTHER)] = FailureKind.OTHER


def test_a_schema_says_what_the_codec_accepts() -> None:
    assert json_schema(Tree, "A tree") == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A tree",
        "type": "object",
        "properties": {
            "leaves": {
                "type": "array",
                "items": {"$ref": "#/$defs/Leaf"},
                "minItems": 1,
                "maxItems": 9,
            },
            "title": {"type": "string", "pattern": "^([a-z]+)$"},
            "better": {"enum": ["lower", "higher"]},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "string"}, {"type": "integer"}],
                "minItems": 2,
                "maxItems": 2,
            },
            "kind": {"type": "string"},
        },
        "required": ["leaves", "title"],
        "additionalProperties": True,
        "$defs": {
            "Leaf": {
                "type": "object",
                "description": "A leaf.",
                "properties": {
                    "size": {
                        "anyOf": [
                            {"type": "number", "minimum": 0.0, "maximum": 1.0},
                            {"type": "null"},
                        ],
                        "description": "Its size.",
                    }
                },
                "required": ["size"],
                "additionalProperties": False,
            }
        },
    }


@pytest.mark.parametrize("kind", ["disk", "of another version"])
def test_a_kind_of_another_version_is_valid_and_read(kind: str) -> None:
    data, schema = {"kind": kind, "reason": "x"}, json_schema(Failure, "")
    assert [*faults(schema, data, schema)] == []
    assert from_json(Failure, data).reason == "x"
