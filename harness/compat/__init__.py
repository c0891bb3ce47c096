"""
Old names, for one release with a DeprecationWarning: `harness` for `voxgate.harness`, modules that
moved in it, and fields that plug-ins use. Delete this folder with the next one.

A package of the user's own that is called `harness` is found first, and is left alone.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

OLD = "harness"
MOVED = {
    "harness": "voxgate",
    "harness.cell": "voxgate.harness.records.cell",
    "harness.measurement": "voxgate.harness.records.measurement",
    "harness.metrics.subject": "voxgate.harness.metrics.metric",
    "harness.plugin": "voxgate.harness.pytest_plugin",
    "harness.sample": "voxgate.harness.records.run",
    "harness.suite": "voxgate.harness.suite.suite",
}
"""
Old name -> new name, where that is not `voxgate.` before the old one; those that the documentation
named.
"""
RENAMED = {
    "harness.sample": {"Effect": "OptionCheck", "Sample": "Iteration", "Piece": "AudioChunk"},
    "harness.metrics.subject": {"Subject": "MetricInput"},
}
"""Old module -> old class name -> new class name, of the classes that plug-ins import."""


def new_name(old: str) -> str | None:
    """
    Return the present name of a module by its old one; None where there is none.

    >>> new_name("harness.sample"), new_name("harness.errors"), new_name("harness.nothing")
    ('voxgate.harness.records.run', 'voxgate.harness.errors', None)
    """
    if old in MOVED:
        return MOVED[old]
    try:
        present = old.startswith(f"{OLD}.") and find_spec(f"voxgate.{old}") is not None
    except ModuleNotFoundError:  # of the package that it would lie in
        return None
    return f"voxgate.{old}" if present else None


class _Moved(MetaPathFinder, Loader):
    """Loads an old name as a module that forwards to the new one: its classes stay the same."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for an old name only."""
        first = sys.modules.get(OLD)
        is_theirs = first is not None and not isinstance(first.__loader__, _Moved)
        if fullname.partition(".")[0] != OLD or is_theirs or new_name(fullname) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Forward every attribute to the module of the new name, renamed classes included."""
        old = module.__name__
        new = str(new_name(old))
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
