"""
File names of the site, and data files for its scripts.

Names of suites and cells come from outside, also from other people's files: each becomes one
harmless file name, and two different ones never become the same.

Data reach a script as a script of one call, `voxgate.take(NAME, JSON.parse(TEXT))`: a page opened
from a disk may load scripts beside it but may not fetch files. The content is JSON inside a string
and not a literal: no text in it can be code, and `__proto__` is a key like any other. NaN and None
are null.
"""

import hashlib
import re
from functools import cache

import orjson

LONGEST = 100
"""Characters of a name that is taken as it is; file systems take 255 bytes."""
DIGITS = 10
"""Of a digest, in hexadecimal."""


def suite_page(suite: str) -> str:
    """Name the page of a suite."""
    return f"suite-{_word(suite)}.html"


def cell_name(suite: str, cell: str) -> str:
    """Name a cell's page and its data file, without the end."""
    return f"cell-{_word(suite)}~{_word(cell)}"


def cell_page(suite: str, cell: str) -> str:
    """Name the page of a cell."""
    return f"{cell_name(suite, cell)}.html"


def run_page(run: int) -> str:
    """Name the page of its own that one of the latest runs has."""
    return f"run-{run}.html"


def any_run(run: int) -> str:
    """Address a run on the page that shows any."""
    return f"run.html#{run}"


def compare_page(a: int, b: int) -> str:
    """Address the comparison of two runs' environments."""
    return f"compare.html#{a},{b}"


def place_name(suite: str, profile: str, machine: str) -> str:
    """Name a suite on a machine within a file's name."""
    name = "~".join(map(_word, (suite, profile, machine)))
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}~{_digest(suite, profile, machine)}"


@cache
def _word(name: str) -> str:
    """
    Return a harmless name as it is, any other without its unsafe characters and with a digest of
    all of it.

    Words are joined by the sign that stands before a digest; a name that looks like one gets a
    digest too, so that no two names collide.
    """
    plain = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip(".-")[:LONGEST]
    if plain == name and not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", name):
        return plain
    return f"{plain}~{_digest(name)}"


def _digest(*names: str) -> str:
    whole = "\0".join(names) if len(names) > 1 else names[0]
    return hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()[:DIGITS]


def data_script(name: str, content: object) -> bytes:
    """
    Write the script. Arrays of numpy go as they are; a float32 costs half the digits, and a pixel
    needs no more.
    """
    text = orjson.dumps(
        content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    ).decode()
    return b"voxgate.take(%s,JSON.parse(%s));\n" % (_literal(name), _literal(text))


def _literal(text: str) -> bytes:
    """Return a JavaScript string; `</` is broken up, so that it is harmless inside a page too."""
    return orjson.dumps(text).replace(b"</", b"<\\/")
