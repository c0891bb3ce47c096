"""
An engine option is one line: a dataclass field whose metadata holds default, range or choices, and
help.

    nfe_steps: int = option(16, range=(1, 128), help="solver steps")

Validation, `python -m voxgate.engine say --help` and `docs/options.md` are derived from that line.
Knows no option by name, and imports no torch.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from voxgate.engine.errors import EngineError
from voxgate.engine.python310 import StrEnum

Value = TypeVar("Value")
Config = TypeVar("Config", bound="PipelineConfig")

_KEY = "option"
"""Under which a field's metadata holds its OptionSpec."""
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_WORDS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSpec:
    """Rules of one option, all of them from the line that declares it."""

    name: str = ""
    default: object = None
    help: str
    range: tuple[float, float] | None = None
    """Smallest and largest number, both allowed."""
    choices: tuple[object, ...] = ()
    text: str = "text"
    """Noun for the value of a text option in error messages."""
    pattern: Callable[[str], bool] | None = None
    """Whether a text is allowed, where not any is."""
    auto: object = None
    """Value by which the engine chooses; the configuration of a pipeline then holds its choice."""
    per_request: bool = False
    """Whether one request may set it, because nothing has to be loaded again."""

    @property
    def kind(self) -> type:
        """The type of a value: int, float, str, bool or a StrEnum."""
        return type(self.default)

    @property
    def allowed(self) -> str:
        """The values in words, e.g. `1 to 128`."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.range is not None:
            return f"{self.range[0]} to {self.range[1]}"
        return self.text if self.kind is str else _KINDS[self.kind]

    def checked(self, value: object) -> object:
        """
        Return the value as its option's type. Raises EngineError for another type, and for a value
        that is not allowed.
        """
        if self.choices:
            return self._choice(value)
        if self.kind is str:
            return self._text(value)
        if self.kind is bool:
            if not isinstance(value, bool):
                raise EngineError(f"option {self.name} must be true or false, not {value!r}")
            return value
        return self._number(value)

    def _choice(self, value: object) -> object:
        kind = str if issubclass(self.kind, str) else self.kind
        if type(value) is bool or not isinstance(value, kind) or value not in self.choices:
            raise EngineError(f"option {self.name} cannot be {value!r}; choose from {self.allowed}")
        return self.kind(value)

    def _text(self, value: object) -> str:
        if (
            not isinstance(value, str)
            or "\0" in value
            or (self.pattern is not None and not self.pattern(value))
        ):
            raise EngineError(f"option {self.name} must be {self.text}, not {value!r}")
        return value

    def _number(self, value: object) -> object:
        assert self.range is not None, f"option {self.name} is a number and has no range"
        low, high = self.range
        if (
            isinstance(value, bool)
            or not isinstance(value, int if self.kind is int else int | float)
            or not low <= value <= high
        ):
            raise EngineError(
                f"option {self.name} must be {_KINDS[self.kind]} from {low} to {high}, not "
                f"{value!r}"
            )
        return self.kind(value)

    def from_word(self, word: str) -> object:
        """
        Return a word of a command line as this option's type, not yet checked. Raises EngineError.
        """
        kind = self.kind
        try:
            if kind is bool:
                return _WORDS[word.lower()]
            return kind(word) if kind in (int, float) else word
        except (ValueError, KeyError):
            raise EngineError(f"option {self.name} must be {_KINDS[kind]}, not {word!r}") from None


def option(
    default: Value,
    *,
    help: str,  # noqa: A002  (the word of click and argparse)
    range: tuple[float, float] | None = None,  # noqa: A002
    choices: Sequence[object] = (),
    text: str = "text",
    pattern: Callable[[str], bool] | None = None,
    auto: object = None,
    per_request: bool = False,
) -> Value:
    """
    Declare an option as a field of a configuration. A StrEnum's members are its choices.

    Args: as the fields of OptionSpec.
    """
    members = tuple(type(default)) if isinstance(default, StrEnum) else ()
    spec = OptionSpec(
        default=default,
        help=help,
        range=range,
        choices=tuple(choices) or members,
        text=text,
        pattern=pattern,
        auto=auto,
        per_request=per_request,
    )
    return field(default=default, metadata={_KEY: spec})


def redeclared(
    config: "type[PipelineConfig]",
    name: str,
    default: Value,
    *,
    help: str | None = None,  # noqa: A002
) -> Value:
    """Declare an option as another configuration has it, with another default or help."""
    spec = options_of(config)[name]
    return option(
        default,
        help=help or spec.help,
        range=spec.range,
        choices=spec.choices,
        text=spec.text,
        pattern=spec.pattern,
        auto=spec.auto,
        per_request=spec.per_request,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """The options of a pipeline; a subclass declares them with `option`."""

    pipeline: ClassVar[str] = ""
    """The name of the pipeline."""
    sampled: ClassVar[bool] = False
    """Whether an option named `seed` draws what is said, and not only noise: speech then varies."""
    converts: ClassVar[bool] = False
    """Whether it takes a recording, the option `source`, in place of a text."""
    context: ClassVar[tuple[str, ...]] = ()
    """Options of the loaded voice on which those of one request depend."""
    rules: ClassVar[tuple[Callable[[Any], None], ...]] = ()
    """Each raises EngineError for options that exclude each other, on any machine."""

    @classmethod
    def implied(cls, named: Mapping[str, object]) -> Mapping[str, object]:
        """Return the defaults that depend on options that were named."""
        return {}


def options_of(config: type[PipelineConfig]) -> Mapping[str, OptionSpec]:
    """Return the options of a configuration by name, in the order of its fields."""
    return MappingProxyType({declared.name: _spec_of(declared) for declared in fields(config)})


def _spec_of(declared: "Field[Any]") -> OptionSpec:
    spec: OptionSpec = declared.metadata[_KEY]
    assert declared.default is not MISSING, f"option {declared.name} has no default"
    names = ("help", "range", "choices", "text", "pattern", "auto", "per_request")
    return OptionSpec(
        name=declared.name,
        default=declared.default,
        **{name: getattr(spec, name) for name in names},
    )


_CONFIGS: dict[str, type[PipelineConfig]] = {}


def register_config(config: type[Config]) -> type[Config]:
    """Register a configuration under the name of its pipeline (a class decorator)."""
    _CONFIGS[config.pipeline] = config
    return config


def config_names() -> tuple[str, ...]:
    """Return the names of all pipelines that have a configuration."""
    return tuple(_CONFIGS)


def config_class(pipeline: str) -> type[PipelineConfig]:
    """Return a pipeline's configuration. Raises EngineError for an unknown pipeline."""
    if pipeline not in _CONFIGS:
        raise EngineError(f"unknown pipeline {pipeline!r}; known: {', '.join(_CONFIGS)}")
    return _CONFIGS[pipeline]


def parse(config: type[Config], options: Mapping[str, object]) -> Config:
    """
    Make a configuration from plain values, strictly.

    Raises EngineError for an unknown option (the known ones are listed), a wrong type, a value out
    of range, and options that exclude each other.
    """
    specs = options_of(config)
    for name in options:
        if name not in specs:
            raise EngineError(_unknown(config, name))
    named = {name: specs[name].checked(value) for name, value in options.items()}
    made = config(**{**config.implied(named), **named})
    for rule in config.rules:
        rule(made)
    return made


def parse_typed(config: type[Config], words: Mapping[str, str]) -> Config:
    """Make a configuration from the words of a command line, where every value is a text."""
    return parse(config, typed(words, config))


def typed(words: Mapping[str, str], config: type[PipelineConfig]) -> dict[str, object]:
    """Return the words as their options' types; words of unknown options stay as they are."""
    specs = options_of(config)
    return {
        name: specs[name].from_word(word) if name in specs else word for name, word in words.items()
    }


def _unknown(config: type[PipelineConfig], name: str) -> str:
    names = tuple(options_of(config))
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    owners = list(_owners(name))
    some = "pipelines" if len(owners) > 1 else "pipeline"
    owned = f" (an option of {some} {', '.join(owners)})" if owners else ""
    return (
        f"unknown option {name!r}{owned} of pipeline {config.pipeline}{hint} Known: "
        f"{', '.join(names)}"
    )


def _owners(name: str) -> Iterator[str]:
    for pipeline, config in _CONFIGS.items():
        if name in options_of(config):
            yield pipeline
