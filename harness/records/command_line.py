"""
The command line of an engine that is a program: its words, with placeholders for the text and for
options.

    command=["mytts", "--text", "{text}", "--out", "{wav}"]
    arguments={"nfe_steps": ["--steps", "{nfe_steps}"], "denoise": ["--denoise"]}

`arguments` holds the words of options that may be unset; they stand in place of the word
`{arguments}`, or at the end. Words without a placeholder are a flag: they are there if the option
is true. Braces that are meant are doubled. Starts nothing, and no shell ever reads the words.
"""

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Literal, TypeGuard, get_args

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.constraints import NON_EMPTY, OmitDefault

Value = str | int | float | bool
"""Of an option: a scalar of JSON."""
Protocol = Literal["once", "lines"]
TEXT, TEXT_FILE, WAV, LANGUAGE, ARGUMENTS = "text", "text_file", "wav", "language", "arguments"
SOURCE = "source"
"""Placeholder of the path of the recording that a request converts."""
OF_A_REQUEST = (TEXT, TEXT_FILE, WAV, LANGUAGE, SOURCE)
"""Placeholders that a request fills."""
OF_A_PROFILE = ("device", "threads")
"""Options that the profile of a machine sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A program with its arguments; `once` starts it for each text, `lines` keeps it alive."""

    words: Annotated[tuple[str, ...], NON_EMPTY]
    arguments: Annotated[Mapping[str, tuple[str, ...]], OmitDefault()] = field(default_factory=dict)
    protocol: Annotated[Protocol, OmitDefault()] = "once"

    def __post_init__(self) -> None:
        names = list(chain.from_iterable(map(placeholders, self.words)))
        if not self.words[0] or placeholders(self.words[0]):
            raise HarnessError(
                f"command must begin with a program, without placeholders, not {self.words[0]!r}"
            )
        if names.count(ARGUMENTS) != self.words.count(f"{{{ARGUMENTS}}}") or (
            names.count(ARGUMENTS) > 1
        ):
            raise HarnessError("{arguments} must be one whole word of the command, and only once")
        if self.protocol == "lines" and (wrong := [name for name in names if name in OF_A_REQUEST]):
            raise HarnessError(
                f"with protocol='lines' the command is started before any text, so that it can "
                f"hold no {{{wrong[0]}}}; the text arrives on standard input"
            )
        for name, words in self.arguments.items():
            self._check_argument(name, words)

    def _check_argument(self, name: str, words: Sequence[str]) -> None:
        """Raise HarnessError for the words of an option that cannot be meant."""
        if name in (*OF_A_REQUEST, ARGUMENTS):
            raise HarnessError(f"arguments= names {name}, which is no option of the engine")
        foreign = [used for used in chain.from_iterable(map(placeholders, words)) if used != name]
        if not words or foreign:
            raise HarnessError(
                f"arguments={{{name!r}: {list(words)!r}}} must be one or more words, with no other "
                f"placeholder than {{{name}}}"
            )

    def __str__(self) -> str:
        optional = [f"[{' '.join(map(_shown, words))}]" for words in self.arguments.values()]
        words = " ".join([*map(_shown, self.words), *optional])
        return words if self.protocol == "once" else f"{words} (lines)"

    @property
    def names(self) -> frozenset[str]:
        """All placeholders of the command's own words."""
        return frozenset(chain.from_iterable(map(placeholders, self.words)))

    @property
    def reads_stdin(self) -> bool:
        """Whether the text arrives on standard input, as the command has no place for it."""
        return not self.names & {TEXT, TEXT_FILE}

    def check(self, options: Mapping[str, Value], requests: Iterable[Mapping[str, Value]]) -> None:
        """
        Check that every placeholder has a value, and every option of a cell and of its requests a
        place. Raises HarnessError.
        """
        for own in requests:
            values = {**options, **own}
            self._check_places(values)
            if self.protocol == "lines":
                self._check_started(own)
                continue
            homeless = sorted(set(values) - self.names - set(self.arguments))
            if homeless:
                raise HarnessError(
                    f"no argument of the command carries the option {homeless[0]}; put "
                    f"{{{homeless[0]}}} into command=, or add arguments={{{homeless[0]!r}: "
                    f'["--{homeless[0]}", "{{{homeless[0]}}}"]}}'
                )

    def check_cells(
        self, cells: Sequence[Mapping[str, Value]], requests: Sequence[Mapping[str, Value]]
    ) -> None:
        """
        Check the options of all cells of a suite, and of their requests. Raises HarnessError, also
        for an argument of an option that none of them sets.
        """
        for options in cells:
            self.check(options, requests)
        known = {*OF_A_PROFILE, *chain.from_iterable((*cells, *requests))}
        unknown = sorted(set(self.arguments) - known)
        if unknown:
            raise HarnessError(
                f"arguments= names {', '.join(unknown)}, which no cell or request sets; the "
                f"options are {', '.join(sorted(known))}"
            )

    def fill(self, values: Mapping[str, Value]) -> list[str]:
        """Return the words with their values. Raises HarnessError where a value is lacking."""
        words: list[str] = []
        optional = list(chain.from_iterable(self.argument(name, values) for name in self.arguments))
        for word in self.words:
            words += optional if word == f"{{{ARGUMENTS}}}" else [_filled(word, values)]
        return words if ARGUMENTS in self.names else [*words, *optional]

    def argument(self, name: str, values: Mapping[str, Value]) -> list[str]:
        """Return the words that carry an option: none for one that is unset, or a flag's False."""
        words = self.arguments.get(name)
        if words is None:
            words = tuple(word for word in self.words if name in placeholders(word))
        elif name not in values or (_is_flag(words) and not values[name]):
            return []
        return [_filled(word, {**values, name: values[name]}) for word in words]

    def _check_places(self, values: Mapping[str, Value]) -> None:
        taken = sorted({*OF_A_REQUEST, ARGUMENTS} & set(values))
        if taken:
            raise HarnessError(
                f"an option of a command cannot be called {taken[0]}, which voxgate itself fills in"
            )
        known = {*OF_A_REQUEST, ARGUMENTS, *OF_A_PROFILE, *values}
        unknown = sorted(self.names - known)
        if unknown:
            raise HarnessError(
                f"the command's {{{unknown[0]}}} has no value; it can hold "
                f"{', '.join(f'{{{name}}}' for name in sorted(known))}. Set the option in axes= or "
                "fixed=, or give its words by arguments=, where it may be unset"
            )
        for name, words in self.arguments.items():
            if name in values and _is_flag(words) and not isinstance(values[name], bool):
                raise HarnessError(
                    f"arguments={{{name!r}: {list(words)!r}}} does not carry the value "
                    f"{values[name]!r}; add the word {{{name}}}, or ask for True or False"
                )

    def _check_started(self, own: Mapping[str, Value]) -> None:
        fixed = sorted(set(own) & (self.names | set(self.arguments)))
        if fixed:
            raise HarnessError(
                f"the command holds {{{fixed[0]}}}, which requests of the workload set, but with "
                "protocol='lines' it is started before any request; leave it out of the command: "
                "it travels with the text"
            )


def command_line(words: object, arguments: object, protocol: str) -> CommandLine:
    """Return the command line of a suite's fields. Raises HarnessError for what cannot be meant."""
    if not _is_words(words) or not isinstance(arguments, Mapping):
        raise HarnessError(
            'command must be a list of words, such as ["mytts", "--text", "{text}"], and arguments '
            f"a dictionary of such lists; no shell reads them: not {words!r}, {arguments!r}"
        )
    for name, its in arguments.items():
        if not isinstance(name, str) or not _is_words(its):
            raise HarnessError(f"arguments[{name!r}] must be a list of words, not {its!r}")
    known = {each: each for each in get_args(Protocol)}
    if protocol not in known:
        raise HarnessError(f"protocol must be {' or '.join(known)}, not {protocol!r}")
    return CommandLine(
        words=tuple(words),
        arguments={name: tuple(its) for name, its in arguments.items()},
        protocol=known[protocol],
    )


def placeholders(word: str) -> tuple[str, ...]:
    """Return the names of a word's placeholders. Raises HarnessError for broken ones."""
    try:
        parts = list(string.Formatter().parse(word))
    except ValueError as error:
        raise HarnessError(
            f"the word {word!r} of the command: {error}; double braces that are no placeholder"
        ) from None
    names = [part for part in parts if part[1] is not None]
    for _, name, spec, conversion in names:
        if spec or conversion or not str(name).replace("-", "_").replace(".", "_").isidentifier():
            raise HarnessError(
                f"the word {word!r} of the command: a placeholder is a name in braces, such as "
                "{text}; double braces that are no placeholder"
            )
    return tuple(str(name) for _, name, _, _ in names)


def _filled(word: str, values: Mapping[str, Value]) -> str:
    """Return a word with its values: text as it is, numbers and truth values as JSON has them."""
    parts: list[str] = []
    for literal, name, _, _ in string.Formatter().parse(word):
        parts.append(literal)
        if name is not None:
            if name not in values:
                raise HarnessError(f"the command's {{{name}}} has no value on this machine; set it")
            value = values[name]
            parts.append(str(value).lower() if isinstance(value, bool) else str(value))
    return "".join(parts)


def _is_words(value: object) -> TypeGuard[Sequence[str]]:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(word, str) for word in value)
    )


def _is_flag(words: Sequence[str]) -> bool:
    return not any(map(placeholders, words))


def _shown(word: str) -> str:
    return repr(word) if not word or any(map(str.isspace, word)) else word
