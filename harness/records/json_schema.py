"""
Generate a JSON Schema (draft 2020-12) from a dataclass: the form that `codec.from_json` accepts.

Checks that no schema can express (`Unique` by an attribute, `__post_init__`) are left to the codec.
Docstrings of classes and fields become descriptions. Uses the standard library only.
"""

import ast
import dataclasses
import functools
import inspect
import itertools
import textwrap
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from voxgate.harness.records.constraints import (
    Fallback,
    Key,
    Length,
    Range,
    Rest,
    Row,
    TextPattern,
    Unique,
    Unwritten,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCALARS: Mapping[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    Path: "string",
    types.NoneType: "null",
}
Schema = dict[str, Any]


def json_schema(kind: type[Any], title: str, versions: tuple[int, int] | None = None) -> Schema:
    """
    Return the schema of a dataclass's documents; nested dataclasses stand below `$defs`.

    With `versions`, a document begins with a `schema_version` between the two.
    """
    definitions: dict[str, Schema] = {}
    schema = _object(kind, definitions)
    if versions is not None:
        number = {"type": "integer", "minimum": versions[0], "maximum": versions[1]}
        schema["properties"] = {"schema_version": number, **schema["properties"]}
        schema["required"] = ["schema_version", *schema.get("required", ())]
    return {
        "$schema": DIALECT,
        "title": title,
        **schema,
        **({"$defs": dict(sorted(definitions.items()))} if definitions else {}),
    }


def _schema(hint: Any, definitions: dict[str, Schema]) -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:], definitions)
    if origin in (Union, types.UnionType):
        return _union([_schema(member, definitions) for member in arguments])
    if origin is Literal:
        return {"enum": list(arguments)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(arguments, definitions)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return _fixed([_schema(element, definitions) for element in arguments])
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    return _plain(hint, definitions)


def _plain(hint: Any, definitions: dict[str, Schema]) -> Schema:
    if hint in (object, Any):
        return {}
    if hint in SCALARS:
        return {"type": SCALARS[hint]}
    if issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if hint.__name__ not in definitions:
        definitions[hint.__name__] = {}  # so that a class that holds itself ends
        definitions[hint.__name__] = _object(hint, definitions)
    return {"$ref": f"#/$defs/{hint.__name__}"}


def _annotated(hint: Any, marks: Sequence[Any], definitions: dict[str, Schema]) -> Schema:
    if any(isinstance(mark, Fallback) for mark in marks):
        return {"type": "string"}  # texts of other versions too
    schema = _schema(hint, definitions)
    limits: Schema = {}
    for mark in marks:
        limits |= _limits(mark, schema)
    return _limited(schema, limits)


def _limited(schema: Schema, limits: Schema) -> Schema:
    """Return a schema with limits; of a union, they belong to every member but null."""
    if "anyOf" not in schema:
        return {**schema, **limits}
    members = [
        member if member == {"type": "null"} else {**member, **limits} for member in schema["anyOf"]
    ]
    return {"anyOf": members}


def _limits(mark: Any, schema: Schema) -> Schema:
    if isinstance(mark, Range):
        names = ("minimum", mark.least), ("maximum", mark.most), ("exclusiveMinimum", mark.over)
        return {name: bound for name, bound in names if bound is not None}
    if isinstance(mark, TextPattern):
        return {"pattern": f"^({mark.regex})$"}
    if isinstance(mark, Unique) and not mark.by:
        return {"uniqueItems": True}
    return _lengths(mark, schema) if isinstance(mark, Length) else {}


def _lengths(mark: Length, schema: Schema) -> Schema:
    types_of = {member.get("type") for member in schema.get("anyOf", [schema])}
    unit = "Length" if "string" in types_of else "Items" if "array" in types_of else "Properties"
    least = {f"min{unit}": mark.least} if mark.least else {}
    return least | ({} if mark.most is None else {f"max{unit}": mark.most})


def _union(members: Sequence[Schema]) -> Schema:
    return {"anyOf": list(members)}


def _mapping(arguments: Sequence[Any], definitions: dict[str, Schema]) -> Schema:
    keys = {name: of for name, of in _schema(arguments[0], definitions).items() if name != "type"}
    values = _schema(arguments[1], definitions)
    return {
        "type": "object",
        **({"propertyNames": keys} if keys else {}),
        **({"additionalProperties": values} if values else {}),
    }


def _fixed(elements: Sequence[Schema]) -> Schema:
    count = len(elements)
    return {"type": "array", "prefixItems": list(elements), "minItems": count, "maxItems": count}


def _object(kind: Any, definitions: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    fields = [
        field
        for field in dataclasses.fields(kind)
        if field.init and not _has(hints[field.name], Unwritten)
    ]
    if issubclass(kind, Row):
        return _fixed([_schema(hints[field.name], definitions) for field in fields])
    listed = [field for field in fields if not _has(hints[field.name], Rest)]
    notes = _field_notes(kind)
    properties = {
        _key(field.name, hints[field.name]): {
            **_schema(hints[field.name], definitions),
            **({"description": notes[field.name]} if field.name in notes else {}),
        }
        for field in listed
    }
    required = [_key(field.name, hints[field.name]) for field in listed if _is_required(field)]
    return {
        "type": "object",
        **_described(kind),
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": len(listed) < len(fields),
    }


def _described(kind: Any) -> Schema:
    text = _one_line(kind.__doc__ or "")
    # a class without a docstring gets its signature as one
    return {} if text.startswith(f"{kind.__name__}(") else {"description": text}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _has(hint: Any, mark: type[Any]) -> bool:
    return get_origin(hint) is Annotated and any(isinstance(m, mark) for m in get_args(hint)[1:])


def _key(name: str, hint: Any) -> str:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((mark.name for mark in marks if isinstance(mark, Key)), name)


@functools.cache
def _field_notes(kind: Any) -> Mapping[str, str]:
    """Return the docstrings that follow the fields of a class, by the field's name."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):  # a class that was made at run time
        return {}
    body = ast.parse(source).body[0].body  # type: ignore[attr-defined]
    return {
        field.target.id: _one_line(note.value.value)
        for field, note in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(note, ast.Expr)
        and isinstance(note.value, ast.Constant)
        and isinstance(note.value.value, str)
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())
