"""
Proof of whose files a worker used: all that it opened, loaded, mapped and started, held against the
tree that it is to measure.

A side that quietly reads the user's working tree (a model by an absolute path, an extension module
by `pip install -e .`, a program on PATH) measures something else than its revision. An audit hook
keeps the paths until the cell is warm; after that it only looks at one flag. What is mapped or
imported later is found by looking again.

Of programs that a worker starts, the executable and its arguments are known, and what living ones
hold open or mapped; files that a program opened and closed again by itself are not. Decides nothing
but whose a file is.
"""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

SHOWN = 3
"""Files that are named; the rest is counted."""
METADATA = (".dist-info", ".egg-info")
"""Folders that are read to look for entry points, wherever they lie; nothing in them is run."""
LIBRARIES = ("site-packages", "dist-packages")
PARTS_OF_AN_ENVIRONMENT = (
    "bin",
    "lib",
    "lib64",
    "include",
    "share",
    "etc",
    "Scripts",
    "pyvenv.cfg",
)
"""Not its whole folder, which may be the project's."""


class ForeignFilesError(Exception):
    """A worker used files that are not its side's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """
    Which files a worker may use: of all that lies in `project`, only what is in `own`. The longer
    of two paths counts.
    """

    project: tuple[Path, ...]
    """The repository, and what else holds revisions of it."""
    own: tuple[Path, ...]
    """The side's own tree, and what was built from it."""

    def foreign(self, paths: Iterable[str], more: Iterable[Path] = ()) -> tuple[str, ...]:
        """
        Return the files among `paths` that lie in the project and are neither the side's own nor
        below `more`.
        """
        ours = [os.path.realpath(folder) for folder in (*self.own, *more)]
        theirs = [os.path.realpath(folder) for folder in self.project]
        real_paths = {os.path.realpath(path) for path in paths}
        return tuple(
            sorted(
                path
                for path in real_paths
                if _is_foreign(path, theirs, ours) and Path(path).is_file()
            )
        )


class Opened:
    """The files of this process; `start` once, before anything of the target is imported."""

    def __init__(self) -> None:
        self._listening = False
        self._paths: set[str] = set()
        self._known: set[str] = set()
        """Whose they are has been looked up."""

    def start(self) -> None:
        """Keep what is opened, loaded and started from now on."""
        self._listening = True

        # a method would cost ten times as much: 1 us an event
        def hear(event: str, arguments: tuple[Any, ...]) -> None:
            if self._listening:
                self._hear(event, arguments)

        sys.addaudithook(hear)

    def stop(self) -> None:
        """Keep nothing more; the hook cannot be removed, and returns at once."""
        self._listening = False

    def check(self, territory: Territory, more: Iterable[Path] = ()) -> int:
        """
        Return how many files were used up to now.

        Raises ForeignFilesError, naming files, if one is the project's but not the side's. `more`
        holds further folders of its.
        """
        used = {*self._paths, *_imported(), *_mapped(), *_of_programs()}
        fresh, self._known = used - self._known, used
        check_files(fresh, territory, (*more, *environments(), Path(__file__).resolve().parents[1]))
        return len(used)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        reader = READERS.get(event)
        if reader is not None:
            with suppress(Exception):  # whatever is raised here would stop what the engine is doing
                self._paths.update(os.path.abspath(path) for path in reader(arguments))  # noqa: PTH100 - as it is named


def check_files(paths: Iterable[str], territory: Territory, more: Iterable[Path]) -> int:
    """
    Return how many files were used. Raises ForeignFilesError, naming files, if one is the project's
    but not the side's.
    """
    used = list(paths)
    foreign = territory.foreign(used, more)
    if foreign:
        rest = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        raise ForeignFilesError(
            f"used {', '.join(foreign[:SHOWN])}{rest}, which lies in the project but is not of "
            "the revision that is measured; name files relative to the project's folder and "
            "commit them, or keep them outside of the repository"
        )
    return len(used)


def environments() -> tuple[Path, ...]:
    """Return the folders of installed packages and programs that this interpreter uses."""
    prefixes = (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    return (
        *parts_of_environments(prefixes),
        *(Path(entry) for entry in sys.path if Path(entry).name in LIBRARIES),
    )


def parts_of_environments(prefixes: Iterable[str]) -> tuple[Path, ...]:
    """Return the folders of packages and programs below the prefixes of an interpreter."""
    return tuple(
        Path(prefix, part) for prefix in dict.fromkeys(prefixes) for part in PARTS_OF_AN_ENVIRONMENT
    )


def _is_foreign(path: str, theirs: Iterable[str], ours: Iterable[str]) -> bool:
    """
    Whether the innermost folder that holds a path is not the side's; metadata of packages counts
    for nobody.
    """
    if any(part.endswith(METADATA) for part in Path(path).parts):
        return False
    return _depth(path, theirs) > _depth(path, ours)


def _depth(path: str, folders: Iterable[str]) -> int:
    """Return the length of the longest of the folders that hold a path; -1 if none does."""
    return max(
        (
            len(folder)
            for folder in folders
            if path == folder or path.startswith(folder.rstrip("/") + "/")
        ),
        default=-1,
    )


def _opened(arguments: tuple[Any, ...]) -> Iterator[str]:
    """
    Read `open`: path, mode, flags. A descriptor is no path, and what is only written to was not
    used.
    """
    path, _, flags = arguments
    written_only = isinstance(flags, int) and flags & os.O_ACCMODE == os.O_WRONLY
    if not isinstance(path, int) and path is not None and not written_only:
        yield os.fsdecode(path)


def _loaded(arguments: tuple[Any, ...]) -> Iterator[str]:
    """Read `import`, whose second value is the file of an extension module."""
    if arguments[1]:
        yield os.fsdecode(arguments[1])


def _library(arguments: tuple[Any, ...]) -> Iterator[str]:
    """
    Read `ctypes.dlopen`; a name without a separator is looked up by the linker, and found among
    what is mapped.
    """
    if arguments[0] and os.sep in os.fsdecode(arguments[0]):
        yield os.fsdecode(arguments[0])


def _started(
    executable: Any, words: Any, folder: Any, search: Mapping[Any, Any] | None
) -> Iterator[str]:
    """Find the files among a program and its arguments, in the folder in which it runs."""
    where = str(Path.cwd()) if folder is None else os.fsdecode(folder)
    program = os.fsdecode(executable)
    if os.sep in program:
        yield os.path.join(where, program)  # noqa: PTH118 - as the system does it, before anything is resolved
    else:
        yield from _on_path(program, search)
    for word in [words] if isinstance(words, str | bytes) else list(words)[1:]:
        yield from (os.path.join(where, path) for path in _paths_in(os.fsdecode(word)))  # noqa: PTH118


def _on_path(program: str, search: Mapping[Any, Any] | None) -> Iterator[str]:
    """Find a program where the system will: the first on the PATH that it is given."""
    import shutil

    variables = os.environ if search is None else search
    path = shutil.which(program, path=variables.get("PATH"))
    if path is not None:
        yield path


def _paths_in(word: str) -> Iterator[str]:
    """
    Find what may be paths in an argument: itself, the value of `--option=value`, the words of a
    shell's line.
    """
    yield word
    yield word.partition("=")[2]
    if " " in word:
        with suppress(ValueError):  # not a shell's line
            yield from shlex.split(word)


def _shell(arguments: tuple[Any, ...]) -> Iterator[str]:
    """Read the event of a line that goes to a shell."""
    words = shlex.split(os.fsdecode(arguments[0]))
    yield from _started(words[0], words, None, None)


READERS: Mapping[str, Callable[[tuple[Any, ...]], Iterator[str]]] = MappingProxyType(
    {
        "open": _opened,
        "import": _loaded,
        "ctypes.dlopen": _library,
        "subprocess.Popen": lambda arguments: _started(*arguments),
        "os.exec": lambda arguments: _started(arguments[0], arguments[1], None, arguments[2]),
        "os.posix_spawn": lambda arguments: _started(
            arguments[0], arguments[1], None, arguments[2]
        ),
        "os.spawn": lambda arguments: _started(arguments[1], arguments[2], None, arguments[3]),
        ".".join(("os", "system")): _shell,  # a search for calls of it finds none
    }
)
"""How the paths are read out of the values of each audit event."""


def _imported() -> Iterator[str]:
    """Find the files of all modules."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            yield path


def _mapped() -> Iterator[str]:
    """Find the files that are mapped into memory, where the system tells."""
    with suppress(OSError):
        for line in (
            Path("/proc/self/maps")
            .read_text(encoding="utf-8", errors="surrogateescape")
            .splitlines()
        ):
            path = line.split(maxsplit=5)[5:]
            if path and path[0].startswith("/"):
                yield path[0]


def _of_programs() -> Iterator[str]:
    """Find the files of the programs that this process started and that still live."""
    try:
        import psutil

        living = psutil.Process().children(recursive=True)
    except (ImportError, OSError):
        return
    for process in living:
        with suppress(psutil.Error, OSError, AttributeError):
            yield process.exe()
            yield from (os.path.join(process.cwd(), word) for word in process.cmdline()[1:])  # noqa: PTH118
            yield from (file.path for file in process.open_files())
            yield from (block.path for block in process.memory_maps())
