"""
A matrix: rows against columns, each cell one of a few kinds, told by a sign and a colour. Which
metric saw which fault is one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixKind:
    """A kind of cell: its class on the page, its sign, and what it means."""

    style: str
    sign: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """A row: its names, and the kind of each cell."""

    names: tuple[str, ...]
    cells: tuple[MatrixKind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignMatrix:
    """`groups` are (name, number of columns); `head` names the columns that hold a row's names."""

    caption: str
    head: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    kinds: tuple[MatrixKind, ...]
