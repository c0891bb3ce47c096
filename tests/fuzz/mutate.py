"""
Damage by chance: of JSON values, of JSON and TOML as text, and of bytes; with canaries among the
texts.
"""

import copy
import json
import random
import re
from typing import Any

from tests.harness.fuzz_baseline import ODD, _replace, damaged

SCRIPT = "<script>canary()</script>"
IMAGE = "<img src=x onerror=canary()>"
CANARIES = (SCRIPT, IMAGE)
"""What must never stand in a page like this."""
TEXTS = (
    "", " ", "x", "../../etc/passwd", "/etc/passwd", "a\x00b", "a\nb", "\x1b[31m", "\ud800",
    "é😀\u202e",
    "x" * 3000, "-1", "=1+1",
    "²", "9" * 5000, "${jndi:x}", "%s%n", "None", "nan", "\u2028", "a/b", "..", "con",
    "*", "[", "(a+)+$", SCRIPT,
    IMAGE,
    "javascript:canary()",
    '"><script>canary()</script>', "' onmouseover='canary()", "</script><script>canary()</script>",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *ODD,
    *TEXTS,
    1,
    2,
    0.5,
    -0.5,
    1e-320,
    3.0,
    False,
    2**31,
    2**63,
    ["x"],
    {"x": 1},
    [1, "a", None],
)
TOML = (
    "nan", "inf", "-inf", "true", "1e400", "9" * 400, "0x1F", "-1", "0", "1979-05-27T07:32:00Z",
    "07:32:00", "[]",
    "[[]]", "{}",
    '""', '"x"', "'../x'", '"""', '"\\uD800"', '"\\u0000"', "[1, \"a\"]", "{a = 1}", "{a = {a = "
        "{}}}", "[" * 3000,
    "= =", "\n[x]\n",
    "\n[[metrics]]\n", "\n[request]\n", "\n[metrics]\n", "#", "-0.0", "1_0", "5e-324",
    '"<script>canary()</script>"',
)  # fmt: skip
TOKEN = re.compile(r'"[^"\n]*"|[\w.+-]+|[\[\]{}=,\n]')
HEADS = (
    b"RIFF",
    b"WAVE",
    b"fmt ",
    b"data",
    b"fLaC",
    b"OggS",
    b"ID3\x03",
    b"\xff\xfb\x90\x64",
    b"\xff\xff\xff\xff",
    b"\x00" * 8,
)


def value(chance: random.Random) -> Any:
    """Return something odd, or something plain."""
    return copy.deepcopy(chance.choice(VALUES))


def odd(whole: Any, chance: random.Random, times: int = 3) -> Any:
    """Return a copy of nested values of which one to three are something else."""
    holder = {"": copy.deepcopy(whole)}
    for _ in range(chance.randint(1, times)):
        if chance.random() < 0.6 and (place := _place(holder[""], chance)) is not None:
            place[0][place[1]] = value(chance)
        elif isinstance(holder[""], dict | list):
            _replace(holder[""], chance)
    return holder[""]


def json_text(whole: Any, chance: random.Random) -> bytes:
    """Return a JSON file with faults: of its values mostly, of its text else."""
    if chance.random() < 0.3:
        return damaged(whole if isinstance(whole, dict) else {"x": whole}, chance)
    return json.dumps(odd(whole, chance), ensure_ascii=chance.random() < 0.7).encode(
        "utf-8", "surrogatepass"
    )


def toml_text(whole: str, chance: random.Random) -> bytes:
    """
    Return a TOML file with faults: words exchanged, dropped or doubled, and at times broken bytes.
    """
    for _ in range(chance.randint(1, 3)):
        tokens = list(TOKEN.finditer(whole))
        if not tokens:
            break
        token = chance.choice(tokens)
        new = chance.choice((*TOML, "", token[0] * 2, chance.choice(tokens)[0]))
        whole = whole[: token.start()] + new + whole[token.end() :]
    content = whole.encode("utf-8", "surrogatepass")
    return broken(content, chance) if chance.random() < 0.2 else content


def broken(content: bytes, chance: random.Random, heads: tuple[bytes, ...] = HEADS) -> bytes:
    """Return bytes of which some are others, gone, doubled, or from another format."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        way = chance.randrange(6)
        if way == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del data[at : at + chance.choice((1, 2, 4, 16, 10**9))]
        elif way == 2:
            data[at:at] = chance.choice(heads)
        elif way == 3:
            data[at : at + 4] = chance.choice(
                (0, 1, 2**31 - 1, 2**32 - 1, 2**16, len(data))
            ).to_bytes(4, "little")
        elif way == 4:
            data[at : at + 2] = chance.randrange(2**16).to_bytes(2, "little")
        else:
            data[at:at] = data[at : at + chance.choice((1, 8, 40))]
    return bytes(data)


def text(chance: random.Random) -> str:
    """Return one to three texts in one."""
    return "".join(chance.choice(TEXTS) for _ in range(chance.randint(1, 3)))


def _place(data: Any, chance: random.Random) -> tuple[Any, Any] | None:
    """Return a container and a key by chance, deep ones as likely as others."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        each = waiting.pop()
        keys = (
            list(each)
            if isinstance(each, dict)
            else list(range(len(each)))
            if isinstance(each, list)
            else []
        )
        found.extend((each, key) for key in keys)
        waiting.extend(each[key] for key in keys)
    return chance.choice(found) if found else None
