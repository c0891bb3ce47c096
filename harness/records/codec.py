"""
Frozen dataclasses as JSON and back, by their annotations. Whatever comes from a file is checked
here, where it is read.

    Name = Annotated[str, Pattern(r"[a-z0-9][a-z0-9._-]*", "a name of small letters, digits, ...")]

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Request:
        id: Name
        tags: Annotated[tuple[str, ...], OmitDefault()] = ()
        wall_s: Annotated[float, Range(over=0.0)]

    from_json(Request, parse_json(text, "run.json"), "run.json")

Known are str, int, finite float, bool, None, object (any JSON), enums, Literal, unions, tuples and
sequences, mappings with str keys, dataclasses, and Annotated with the constraints below. A
dataclass may check more in `__post_init__`, by HarnessError. All that is wrong is one HarnessError
with the path of the value: `run.json: cells[2].id: "../x" is not a name ...`. Knows no file, no
record of this harness and no package beyond the standard library.
"""

import dataclasses
import functools
import json
import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.errors import HarnessError

DEEPEST = 64
"""Levels of nesting that are read. Our own files have nine; json itself gives up at thousands."""
WIDEST_BITS = 64
"""Of a whole number: more fits into no database, and overflows on the way to a float."""
SHOWN = 60
"""Characters of a wrong value that an error shows."""

T = TypeVar("T")
Decode = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number: `least <= x <= most`, or strictly `over < x`."""

    least: float | None = None
    most: float | None = None
    over: float | None = None

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        if self.over is not None and not value > self.over:
            return f"must be more than {self.over:g}"
        if self.least is not None and not value >= self.least:
            return f"must be at least {self.least:g}"
        return (
            f"must be at most {self.most:g}"
            if self.most is not None and not value <= self.most
            else None
        )


@dataclass(frozen=True, slots=True)
class TextPattern:
    """
    A regular expression that the whole text must match; `what` names such a text: "a name of small
    letters".
    """

    regex: str
    what: str

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        return None if re.fullmatch(self.regex, value) else f"is not {self.what}"


@dataclass(frozen=True, slots=True)
class Length:
    """How many characters, elements or entries there may be."""

    least: int = 0
    most: int | None = None

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        if len(value) < self.least:
            return (
                "must not be empty"
                if self.least == 1
                else f"must have at least {self.least} entries"
            )
        return (
            f"must be no longer than {self.most}"
            if self.most is not None and len(value) > self.most
            else None
        )


@dataclass(frozen=True, slots=True)
class Unique:
    """Elements differ, in the attribute `by` where one is given."""

    by: str = ""

    def fault(self, value: Any) -> str | None:
        """Return why a value breaks the constraint; None if it does not."""
        seen: set[Any] = set()
        for each in value:
            key = getattr(each, self.by) if self.by else each
            if key in seen:
                return f"holds {self.by and f'the {self.by} '}{_shown(key)} more than once"
            seen.add(key)
        return None


@dataclass(frozen=True, slots=True)
class Key:
    """The field's name in JSON, where that is not its own."""

    name: str


@dataclass(frozen=True, slots=True)
class OmitDefault:
    """The field is not written where it has its default."""


@dataclass(frozen=True, slots=True)
class Convert:
    """Applied to a decoded value: brings what an older version wrote up to date."""

    convert: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Fallback:
    """The member that stands for every text that an enum does not know."""

    member: Enum


@dataclass(frozen=True, slots=True)
class Rest:
    """The field holds all entries of the object whose keys no other field has."""


class Row:
    """Base of a dataclass that is written as a list of its fields' values, and not as an object."""

    __slots__ = ()


NON_EMPTY = Length(1)
Constraint = Range | TextPattern | Length | Unique


class _FaultError(Exception):
    """A value that is wrong; `steps` lead to it, the innermost first."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.steps: list[str] = []

    def under(self, step: str) -> "_FaultError":
        """Add the step that led to where this came from."""
        self.steps.append(step)
        return self


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    key: str
    decode: Decode
    required: bool
    omit: bool
    rest: bool
    default: Callable[[], Any]


def parse_json(text: str | bytes, where: str) -> Any:
    """
    Parse JSON text strictly; `where` names it in errors.

    Raises HarnessError for invalid JSON, a key that stands twice, NaN, infinity, numbers beyond 64
    bits, half a character (a lone surrogate), and nesting deeper than DEEPEST.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        _check_plain(data)
    except _FaultError as error:
        raise _told(error, where) from error
    except RecursionError as error:
        raise HarnessError(
            f"{where} is nested more than {DEEPEST} levels deep; no voxgate wrote it"
        ) from error
    except ValueError as error:  # the encoding, too; and whole numbers of thousands of digits
        raise HarnessError(f"{where} is not valid JSON: {_first_line(error)}") from error
    return data


def from_json(kind: type[T], data: Any, where: str = "", *, ignore_unknown: bool = False) -> T:
    """
    Return a value of `kind` (a dataclass, or any annotation) for JSON data; `where` names the file.

    Raises HarnessError with the path of the first value that is not as its annotation demands, and
    for unknown keys unless they are to be ignored.
    """
    hint: Any = kind
    try:
        value: T = _decoder(hint, ignore_unknown)(data)
    except _FaultError as error:
        raise _told(error, where) from error
    except RecursionError as error:
        raise HarnessError(f"{where or 'data'} is nested too deep") from error
    return value


def to_json(value: Any) -> Any:
    """Return plain JSON values; finite numbers only. Raises HarnessError with the value's path."""
    try:
        return _encode(value)
    except _FaultError as error:
        raise _told(error, type(value).__name__) from error


def _encode(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _FaultError(f"{value!r} is no finite number")
        return value
    if dataclasses.is_dataclass(value):
        return _encode_fields(value)
    if isinstance(value, Mapping):
        return {
            key.value if isinstance(key, Enum) else key: _below(f".{key}", _encode, each)
            for key, each in value.items()
        }
    if isinstance(value, Sequence):
        return [_below(f"[{index}]", _encode, each) for index, each in enumerate(value)]
    raise _FaultError(f"{type(value).__name__} cannot be written as JSON")


def _encode_fields(value: Any) -> Any:
    kind: Any = type(value)
    pairs = [(each, getattr(value, each.name)) for each in _fields(kind, False)]
    if isinstance(value, Row):
        return [_below(f".{each.name}", _encode, held) for each, held in pairs]
    data: dict[str, Any] = {}
    for field, held in pairs:
        if field.rest:
            data |= _encode(held)
        elif not (field.omit and held == field.default()):
            data[field.key] = _below(f".{field.key}", _encode, held)
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
        return _literal(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(_decoder(arguments[0], lenient), _decoder(arguments[1], lenient))
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        return _fixed([_decoder(each, lenient) for each in arguments])
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _sequence(_decoder(arguments[0], lenient))
    return _plain(hint, lenient)


def _annotated(hint: Any, marks: Sequence[Any], lenient: bool) -> Decode:
    decode = _decoder(hint, lenient)
    for mark in marks:
        if isinstance(mark, Fallback):
            decode = _with_fallback(hint, mark.member)
        elif isinstance(mark, Convert):
            decode = _converted(decode, mark.convert)
    constraints = [mark for mark in marks if hasattr(mark, "fault")]
    return _constrained(decode, constraints) if constraints else decode


def _converted(decode: Decode, convert: Decode) -> Decode:
    return lambda data: convert(decode(data))


def _with_fallback(kind: type[Enum], fallback: Enum) -> Decode:
    members = {member.value: member for member in kind}
    return lambda data: members.get(_text(data), fallback)


def _plain(hint: Any, lenient: bool) -> Decode:
    if hint in (object, Any):
        return lambda data: data
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _row(hint, lenient) if issubclass(hint, Row) else _record(hint, lenient)
    raise TypeError(f"the codec knows no {hint!r}")


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise _FaultError(f"must be text, not {_shown(data)}")
    return data


def _bool(data: Any) -> bool:
    if not isinstance(data, bool):
        raise _FaultError(f"must be true or false, not {_shown(data)}")
    return data


def _whole(data: Any) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or data.bit_length() > WIDEST_BITS:
        raise _FaultError(f"must be a whole number, not {_shown(data)}")
    return data


def _number(data: Any) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise _FaultError(f"must be a number, not {_shown(data)}")
    if (isinstance(data, int) and data.bit_length() > WIDEST_BITS) or not math.isfinite(data):
        raise _FaultError(f"must be a finite number, not {_shown(data)}")
    return float(data)


def _none(data: Any) -> None:
    if data is not None:
        raise _FaultError(f"must be null, not {_shown(data)}")


SCALARS: Mapping[Any, Decode] = {
    str: _text,
    bool: _bool,
    int: _whole,
    float: _number,
    types.NoneType: _none,
    None: _none,
}


def _enum(kind: type[Enum]) -> Decode:
    known = {each.value: each for each in kind}
    return lambda data: known[_choice(data, known)]


def _literal(values: Sequence[Any]) -> Decode:
    return lambda data: _choice(data, values)


def _choice(data: Any, known: Any) -> Any:
    if not isinstance(data, str | int | bool | types.NoneType) or data not in known:
        raise _FaultError(f"{_shown(data)} is unknown; known are {', '.join(map(str, known))}")
    return data


def _constrained(decode: Decode, constraints: Sequence[Constraint]) -> Decode:
    def checked(data: Any) -> Any:
        value = decode(data)
        for each in constraints:
            if value is not None and (fault := _fault(each, value)) is not None:
                raise _FaultError(f"{_shown(data)} {fault}")
        return value

    return checked


def _fault(constraint: Constraint, value: Any) -> str | None:
    try:
        return constraint.fault(value)
    except HarnessError as error:  # an attribute that cannot be computed of such a value
        raise _FaultError(str(error)) from error


def _mapping(decode_key: Decode, decode: Decode) -> Decode:
    def decoded(data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise _FaultError(f"must be an object, not {_shown(data)}")
        return {
            _below(_step(key), decode_key, key): _below(_step(key), decode, each)
            for key, each in data.items()
        }

    return decoded


def _sequence(decode: Decode) -> Decode:
    def decoded(data: Any) -> tuple[Any, ...]:
        if not isinstance(data, list | tuple):
            raise _FaultError(f"must be a list, not {_shown(data)}")
        return tuple(_below(index, decode, each) for index, each in enumerate(data))

    return decoded


def _fixed(parts: Sequence[Decode]) -> Decode:
    def decoded(data: Any) -> tuple[Any, ...]:
        if not isinstance(data, list | tuple) or len(data) != len(parts):
            raise _FaultError(f"must be a list of {len(parts)} values, not {_shown(data)}")
        return tuple(
            _below(index, decode, each)
            for index, (decode, each) in enumerate(zip(parts, data, strict=True))
        )

    return decoded


def _union(members: Sequence[Any], lenient: bool) -> Decode:
    """
    Return a decoder that lets the type of the data choose the member, and of objects the keys.
    """
    scalars = {
        bare: _decoder(each, lenient) for each in members if (bare := _bare(each)) in SCALARS
    }
    records = [each for each in members if dataclasses.is_dataclass(_bare(each))]
    others = [
        _decoder(each, lenient)
        for each in members
        if _bare(each) not in SCALARS and each not in records
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
        except _FaultError as error:
            if number == len(decoders) and isinstance(data, list | Mapping):
                raise error
    raise _FaultError(
        f"must be {' or '.join(_named(each) for each in members)}, not {_shown(data)}"
    )


def _fitting(records: Sequence[Any], data: Mapping[str, Any]) -> Any:
    """Return the dataclass whose keys the object has; the last where none fits, for its error."""
    for each in records:
        fields = _fields(_bare(each), False)
        if all(field.key in data for field in fields if field.required) and {
            field.key for field in fields
        } & set(data):
            return each
    return records[-1]


def _record(kind: Any, lenient: bool) -> Decode:
    everything = _fields(kind, lenient)
    fields = [each for each in everything if not each.rest]
    rest = next((each for each in everything if each.rest), None)
    known = frozenset(each.key for each in fields)

    def decoded(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise _FaultError(f"must be an object, not {_shown(data)}")
        if not lenient and rest is None and not known.issuperset(data):
            unknown = sorted(map(str, set(data) - known))
            raise _FaultError(
                f"has the unknown key {_shown(unknown[0])}; known are "
                f"{', '.join(each.key for each in fields)}"
            )
        lacking = next(
            (each.key for each in fields if each.required and each.key not in data), None
        )
        if lacking is not None:
            raise _FaultError(f"lacks {lacking}")
        held = {
            each.name: _below(f".{each.key}", each.decode, data[each.key])
            for each in fields
            if each.key in data
        }
        if rest is not None:
            held[rest.name] = rest.decode({key: data[key] for key in data if key not in known})
        return _made(kind, held)

    return decoded


def _row(kind: Any, lenient: bool) -> Decode:
    fields = _fields(kind, lenient)
    names, decode = [each.name for each in fields], _fixed([each.decode for each in fields])
    return lambda data: _made(kind, dict(zip(names, decode(data), strict=True)))


def _made(kind: Any, held: Mapping[str, Any]) -> Any:
    try:
        return kind(**held)
    except HarnessError as error:  # what __post_init__ found
        raise _FaultError(str(error)) from error


@functools.cache
def _fields(kind: Any, lenient: bool) -> tuple[_Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        _field(each, hints[each.name], lenient) for each in dataclasses.fields(kind) if each.init
    )


def _field(field: dataclasses.Field[Any], hint: Any, lenient: bool) -> _Field:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    made, given = field.default_factory, field.default
    return _Field(
        name=field.name,
        key=next((mark.name for mark in marks if isinstance(mark, Key)), field.name),
        decode=_decoder(hint, lenient),
        required=given is dataclasses.MISSING and made is dataclasses.MISSING,
        omit=any(isinstance(mark, OmitDefault) for mark in marks),
        rest=any(isinstance(mark, Rest) for mark in marks),
        default=(lambda: given) if made is dataclasses.MISSING else made,
    )


def _below(step: str | int, decode: Decode, data: Any) -> Any:
    try:
        return decode(data)
    except _FaultError as error:
        raise error.under(step if isinstance(step, str) else f"[{step}]") from None


def _step(key: Any) -> str:
    return (
        f".{key}"
        if isinstance(key, str) and re.fullmatch(r"[\w-]{1,60}", key)
        else f"[{_shown(key)}]"
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
            f"{', '.join(each.key for each in _fields(bare, False) if each.required)}"
        )
    if get_origin(bare) is Literal:
        return ", ".join(map(str, get_args(bare)))
    return words.get(bare, "a list" if get_origin(bare) is tuple else "an object")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) != len(pairs):
        names = [name for name, _ in pairs]
        raise _FaultError(
            f"the key {_shown(next(name for name in names if names.count(name) > 1))} stands there "
            "twice"
        )
    return held


def _no_number(text: str) -> Any:
    raise _FaultError(f"{text} is no finite number")


def _check_plain(data: Any) -> None:
    """
    Raise for values that JSON can hold and nothing behind it can. No recursion: depth is the
    question.
    """
    level, depth = [data], 0
    while level:
        if depth > DEEPEST:
            raise RecursionError
        for each in level:
            _check_scalar(each)
        level = [held for each in level if isinstance(each, list | dict) for held in _held(each)]
        depth += 1


def _held(container: Any) -> list[Any]:
    return container if isinstance(container, list) else [*container, *container.values()]


def _check_scalar(data: Any) -> None:
    if isinstance(data, str):
        if not data.isascii() and any("\ud800" <= each <= "\udfff" for each in data):
            raise _FaultError(f"the text {_shown(data)} holds half a character")
    elif isinstance(data, float) and not math.isfinite(data):
        raise _FaultError("a number is too large to be held")
    elif isinstance(data, int) and data.bit_length() > WIDEST_BITS:
        raise _FaultError(f"a whole number has {data.bit_length()} bits, more than {WIDEST_BITS}")


def _shown(value: Any) -> str:
    """Show a value in a few printable characters."""
    if isinstance(value, Mapping | list | tuple):
        return f"{'an object' if isinstance(value, Mapping) else 'a list'} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > WIDEST_BITS:
        return f"a number of {value.bit_length()} bits"
    try:
        text = json.dumps(value[:SHOWN] if isinstance(value, str) else value)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= SHOWN + 2 else f"{text[:SHOWN]}..."


def _told(error: _FaultError, where: str) -> HarnessError:
    path = "".join(reversed(error.steps)).removeprefix(".")
    return HarnessError(": ".join(part for part in (where, path, error.what) if part))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
