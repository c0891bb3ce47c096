"""
Decoders of plain values and containers: each checks data of JSON and returns the value.

A decoder of a container is made from the decoders of its elements. Knows no dataclass; `codec.py`
chooses the decoder of an annotation.
"""

import math
import re
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.constraints import (
    WIDEST_BITS,
    Constraint,
    Decode,
    FaultError,
    shown,
)


def converted(decode: Decode, convert: Decode) -> Decode:
    """Return a decoder that brings the decoded value up to date."""
    return lambda data: convert(decode(data))


def with_fallback(kind: type[Enum], fallback: Enum) -> Decode:
    """Return a decoder of an enum's values; texts it does not know become `fallback`."""
    members = {member.value: member for member in kind}
    return lambda data: members.get(_text(data), fallback)


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise FaultError(f"must be text, not {shown(data)}")
    return data


def _bool(data: Any) -> bool:
    if not isinstance(data, bool):
        raise FaultError(f"must be true or false, not {shown(data)}")
    return data


def _whole(data: Any) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or data.bit_length() > WIDEST_BITS:
        raise FaultError(f"must be a whole number, not {shown(data)}")
    return data


def _number(data: Any) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise FaultError(f"must be a number, not {shown(data)}")
    if (isinstance(data, int) and data.bit_length() > WIDEST_BITS) or not math.isfinite(data):
        raise FaultError(f"must be a finite number, not {shown(data)}")
    return float(data)


def _none(data: Any) -> None:
    if data is not None:
        raise FaultError(f"must be null, not {shown(data)}")


SCALARS: Mapping[Any, Decode] = {
    str: _text,
    bool: _bool,
    int: _whole,
    float: _number,
    Path: lambda data: Path(_text(data)),
    types.NoneType: _none,
    None: _none,
}


def enum_of(kind: type[Enum]) -> Decode:
    """Return a decoder of an enum's values."""
    members = {member.value: member for member in kind}
    return lambda data: members[_choice(data, members)]


def literal(values: Sequence[Any]) -> Decode:
    """Return a decoder that accepts these values only."""
    return lambda data: _choice(data, values)


def _choice(data: Any, choices: Any) -> Any:
    if not isinstance(data, str | int | bool | types.NoneType) or data not in choices:
        raise FaultError(f"{shown(data)} is unknown; known are {', '.join(map(str, choices))}")
    return data


def constrained(decode: Decode, constraints: Sequence[Constraint]) -> Decode:
    """Return a decoder that checks constraints after decoding; None is exempt."""

    def checked(data: Any) -> Any:
        value = decode(data)
        for constraint in constraints:
            if value is not None and (fault := _fault(constraint, value)) is not None:
                raise FaultError(f"{shown(data)} {fault}")
        return value

    return checked


def _fault(constraint: Constraint, value: Any) -> str | None:
    try:
        return constraint.fault(value)
    except HarnessError as error:  # an attribute that cannot be computed of such a value
        raise FaultError(str(error)) from error


def mapping_of(decode_key: Decode, decode: Decode) -> Decode:
    """Return a decoder of objects whose keys and values are decoded by these."""

    def decoded(data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise FaultError(f"must be an object, not {shown(data)}")
        return {
            below(_step(key), decode_key, key): below(_step(key), decode, element)
            for key, element in data.items()
        }

    return decoded


def sequence_of(decode: Decode) -> Decode:
    """Return a decoder of lists of any length; the value is a tuple."""

    def decoded(data: Any) -> tuple[Any, ...]:
        if not isinstance(data, list | tuple):
            raise FaultError(f"must be a list, not {shown(data)}")
        return tuple(below(index, decode, element) for index, element in enumerate(data))

    return decoded


def tuple_of(parts: Sequence[Decode]) -> Decode:
    """Return a decoder of lists with one decoder per element."""

    def decoded(data: Any) -> tuple[Any, ...]:
        if not isinstance(data, list | tuple) or len(data) != len(parts):
            raise FaultError(f"must be a list of {len(parts)} values, not {shown(data)}")
        return tuple(
            below(index, decode, element)
            for index, (decode, element) in enumerate(zip(parts, data, strict=True))
        )

    return decoded


def below(step: str | int, decode: Decode, data: Any) -> Any:
    """Decode a part; a fault gets the step (key or index) that leads to the part."""
    try:
        return decode(data)
    except FaultError as error:
        raise error.under(step if isinstance(step, str) else f"[{step}]") from None


def _step(key: Any) -> str:
    return (
        f".{key}"
        if isinstance(key, str) and re.fullmatch(r"[\w-]{1,60}", key)
        else f"[{shown(key)}]"
    )
