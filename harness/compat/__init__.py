"""
Old names that plug-ins use, of modules and of fields: they work for one release with a
DeprecationWarning. Delete this folder with the next one.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")
MOVED = {
    "voxgate.harness.cell": "voxgate.harness.records.cell",
    "voxgate.harness.measurement": "voxgate.harness.records.measurement",
    "voxgate.harness.metrics.subject": "voxgate.harness.metrics.metric",
    "voxgate.harness.plugin": "voxgate.harness.pytest_plugin",
    "voxgate.harness.sample": "voxgate.harness.records.run",
}
"""Old name -> new name, of the modules that the documentation named for plug-ins."""


RENAMED = {
    "voxgate.harness.sample": {
        "Effect": "OptionCheck",
        "Sample": "Iteration",
        "Piece": "AudioChunk",
    },
    "voxgate.harness.metrics.subject": {"Subject": "MetricInput"},
}
"""Old module -> old class name -> new class name, of the classes that plug-ins import."""


class _Moved(MetaPathFinder, Loader):
    """Loads an old name as a module that forwards to the new one: its classes stay the same."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for an old name only."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Forward every attribute to the module of the new name, renamed classes included."""
        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(
            f"{old} is now {new}; the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        current, renamed = import_module(new), RENAMED.get(old, {})

        def forward(name: str) -> object:
            return getattr(current, renamed.get(name, name))

        vars(module)["__getattr__"] = forward


def renamed_fields(**new_names: str) -> Callable[[type[T]], type[T]]:
    """
    Return a decorator for a dataclass whose fields were renamed (old name -> new name): old
    keywords and old attributes still work.
    """

    def decorate(kind: type[T]) -> type[T]:
        created: Callable[..., None] = vars(kind)["__init__"]

        @functools.wraps(created)
        def create(self: T, **held: Any) -> None:
            for old in new_names.keys() & held.keys():
                _warn_renamed(kind, old, new_names[old])
                held[new_names[old]] = held.pop(old)
            created(self, **held)

        vars_of = {old: _forwarded(kind, old, new) for old, new in new_names.items()}
        for name, value in {"__init__": create, **vars_of}.items():
            setattr(kind, name, value)
        return kind

    return decorate


def _forwarded(kind: type, old: str, new: str) -> property:
    def value(self: object) -> object:
        _warn_renamed(kind, old, new)
        return getattr(self, new)

    return property(value)


def _warn_renamed(kind: type, old: str, new: str) -> None:
    warnings.warn(
        f"{kind.__name__}.{old} is now {new}; the old name goes with the next release",
        DeprecationWarning,
        stacklevel=3,
    )


def install() -> None:
    """Register the finder of old names, after every other finder."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
