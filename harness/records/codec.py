"""
Convert frozen dataclasses to JSON and back, by their annotations.

All data from a file is checked here, where it is read.

    Name = Annotated[str, TextPattern(r"[a-z0-9][a-z0-9._-]*", "a name of small letters, ...")]

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Request:
        id: Name
        tags: Annotated[tuple[str, ...], OmitDefault()] = ()
        wall_s: Annotated[float, Range(over=0.0)]

    from_json(Request, parse_json(text, "run.json"), "run.json")

Supported annotations: str, int, finite float, bool, None, object (any JSON), enums, Literal,
unions, tuples and sequences, mappings with str keys, dataclasses, and Annotated with the marks of
`constraints.py`. A dataclass may check more in `__post_init__`, by HarnessError. An invalid value
is one HarnessError with its path: `run.json: cells[2].id: "../x" is not a name ...`. Knows no file,
no record of this harness and no package beyond the standard library.
"""

import dataclasses
import functools
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.constraints import (
    Convert,
    Decode,
    Fallback,
    FaultError,
    Key,
    OmitDefault,
    Rest,
    Row,
    Unwritten,
    shown,
)
from voxgate.harness.records.decoders import (
    SCALARS,
    below,
    constrained,
    converted,
    enum_of,
    literal,
    mapping_of,
    sequence_of,
    tuple_of,
    with_fallback,
)
from voxgate.harness.records.documents import harness_error

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    key: str
    decode: Decode
    required: bool
    omit: bool
    rest: bool
    default: Callable[[], Any]


def from_json(kind: type[T], data: Any, where: str = "", *, ignore_unknown: bool = False) -> T:
    """
    Return a value of `kind` (a dataclass, or any annotation) for JSON data; `where` names the file.

    Raises HarnessError with the path of the first value that is not as its annotation demands, and
    for unknown keys unless they are to be ignored.
    """
    hint: Any = kind
    try:
        value: T = _decoder(hint, ignore_unknown)(data)
    except FaultError as error:
        raise harness_error(error, where) from error
    except RecursionError as error:
        raise HarnessError(f"{where or 'data'} is nested too deep") from error
    return value


def to_json(value: Any) -> Any:
    """Return plain JSON values; finite numbers only. Raises HarnessError with the value's path."""
    try:
        return _encode(value)
    except FaultError as error:
        raise harness_error(error, type(value).__name__) from error


def _encode(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise FaultError(f"{value!r} is no finite number")
        return value
    if dataclasses.is_dataclass(value):
        return _encode_fields(value)
    if isinstance(value, Mapping):
        return {
            key.value if isinstance(key, Enum) else key: below(f".{key}", _encode, element)
            for key, element in value.items()
        }
    if isinstance(value, Sequence):
        return [below(f"[{index}]", _encode, element) for index, element in enumerate(value)]
    raise FaultError(f"{type(value).__name__} cannot be written as JSON")


def _encode_fields(value: Any) -> Any:
    kind: Any = type(value)
    pairs = [(field, getattr(value, field.name)) for field in _fields(kind, False)]
    if isinstance(value, Row):
        return [below(f".{each.name}", _encode, held) for each, held in pairs]
    data: dict[str, Any] = {}
    for field, held in pairs:
        if field.rest:
            data |= _encode(held)
        elif not (field.omit and held == field.default()):
            data[field.key] = below(f".{field.key}", _encode, held)
    return data


@functools.cache
def _decoder(hint: Any, lenient: bool) -> Decode:
    """Return the function that checks and converts a value for an annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:], lenient)
    if origin in (Union, types.UnionType):
        return _union(arguments, lenient)
    if origin is Literal:
        return literal(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return mapping_of(_decoder(arguments[0], lenient), _decoder(arguments[1], lenient))
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        return tuple_of([_decoder(argument, lenient) for argument in arguments])
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return sequence_of(_decoder(arguments[0], lenient))
    return _plain(hint, lenient)


def _annotated(hint: Any, marks: Sequence[Any], lenient: bool) -> Decode:
    decode = _decoder(hint, lenient)
    for mark in marks:
        if isinstance(mark, Fallback):
            decode = with_fallback(hint, mark.member)
        elif isinstance(mark, Convert):
            decode = converted(decode, mark.convert)
    constraints = [mark for mark in marks if hasattr(mark, "fault")]
    return constrained(decode, constraints) if constraints else decode


def _plain(hint: Any, lenient: bool) -> Decode:
    if hint in (object, Any):
        return lambda data: data
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return enum_of(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _row(hint, lenient) if issubclass(hint, Row) else _record(hint, lenient)
    raise TypeError(f"the codec knows no {hint!r}")


def _union(members: Sequence[Any], lenient: bool) -> Decode:
    """
    Return a decoder that lets the type of the data choose the member, and of objects the keys.
    """
    scalars = {
        bare: _decoder(member, lenient) for member in members if (bare := _bare(member)) in SCALARS
    }
    records = [member for member in members if dataclasses.is_dataclass(_bare(member))]
    others = [
        _decoder(member, lenient)
        for member in members
        if _bare(member) not in SCALARS and member not in records
    ]

    def decoded(data: Any) -> Any:
        chosen = scalars.get(type(data)) or (scalars.get(float) if type(data) is int else None)
        if chosen is None and isinstance(data, Mapping) and records:
            chosen = _decoder(_fitting(records, data), lenient)
        if chosen is not None:
            return chosen(data)
        return _any_of(others, members, data)

    return decoded


def _any_of(decoders: Sequence[Decode], members: Sequence[Any], data: Any) -> Any:
    for number, decode in enumerate(decoders, start=1):
        try:
            return decode(data)
        except FaultError as error:
            if number == len(decoders) and isinstance(data, list | Mapping):
                raise error
    raise FaultError(
        f"must be {' or '.join(_named(member) for member in members)}, not {shown(data)}"
    )


def _fitting(records: Sequence[Any], data: Mapping[str, Any]) -> Any:
    """Return the dataclass whose keys the object has; the last where none fits, for its error."""
    for record in records:
        fields = _fields(_bare(record), False)
        if all(field.key in data for field in fields if field.required) and {
            field.key for field in fields
        } & set(data):
            return record
    return records[-1]


def _record(kind: Any, lenient: bool) -> Decode:
    everything = _fields(kind, lenient)
    fields = [each for each in everything if not each.rest]
    rest_field = next((each for each in everything if each.rest), None)
    keys = frozenset(field.key for field in fields)

    def decoded(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise FaultError(f"must be an object, not {shown(data)}")
        if not lenient and rest_field is None and not keys.issuperset(data):
            unknown = sorted(map(str, set(data) - keys))
            raise FaultError(
                f"has the unknown key {shown(unknown[0])}; known are "
                f"{', '.join(field.key for field in fields)}"
            )
        lacking = next(
            (field.key for field in fields if field.required and field.key not in data), None
        )
        if lacking is not None:
            raise FaultError(f"lacks {lacking}")
        held = {
            field.name: below(f".{field.key}", field.decode, data[field.key])
            for field in fields
            if field.key in data
        }
        if rest_field is not None:
            held[rest_field.name] = rest_field.decode(
                {key: data[key] for key in data if key not in keys}
            )
        return _made(kind, held)

    return decoded


def _row(kind: Any, lenient: bool) -> Decode:
    fields = _fields(kind, lenient)
    names, decode = [field.name for field in fields], tuple_of([field.decode for field in fields])
    return lambda data: _made(kind, dict(zip(names, decode(data), strict=True)))


def _made(kind: Any, held: Mapping[str, Any]) -> Any:
    try:
        return kind(**held)
    except HarnessError as error:  # what __post_init__ found
        raise FaultError(str(error)) from error


@functools.cache
def _fields(kind: Any, lenient: bool) -> tuple[_Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        _field(field, hints[field.name], lenient)
        for field in dataclasses.fields(kind)
        if field.init and not _is_unwritten(hints[field.name])
    )


def _is_unwritten(hint: Any) -> bool:
    return get_origin(hint) is Annotated and any(
        isinstance(m, Unwritten) for m in hint.__metadata__
    )


def _field(field: dataclasses.Field[Any], hint: Any, lenient: bool) -> _Field:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    factory, default = field.default_factory, field.default
    return _Field(
        name=field.name,
        key=next((mark.name for mark in marks if isinstance(mark, Key)), field.name),
        decode=_decoder(hint, lenient),
        required=default is dataclasses.MISSING and factory is dataclasses.MISSING,
        omit=any(isinstance(mark, OmitDefault) for mark in marks),
        rest=any(isinstance(mark, Rest) for mark in marks),
        default=(lambda: default) if factory is dataclasses.MISSING else factory,
    )


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _named(hint: Any) -> str:
    words = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        types.NoneType: "null",
    }
    bare = _bare(hint)
    if dataclasses.is_dataclass(bare) and isinstance(bare, type):
        return (
            "an object with "
            f"{', '.join(field.key for field in _fields(bare, False) if field.required)}"
        )
    if get_origin(bare) is Literal:
        return ", ".join(map(str, get_args(bare)))
    return words.get(bare, "a list" if get_origin(bare) is tuple else "an object")
