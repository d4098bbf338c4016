"""How a call of the command goes: its verb, its flags, its end."""

import contextlib
import dataclasses
import importlib.util
import json
import logging as standard_logging
import os
import pathlib
import sys
import types
from collections.abc import Iterator
from typing import Any

from absl import logging

from tfseg import runs
from tfseg.cli import help as texts
from tfseg.cli import needs, next_step
from tfseg.cli.files import expand
from tfseg.cli.flags import Flags, define_common
from tfseg.cli.verbs import VERBS
from tfseg.errors import TfsegError, unknown
from tfseg.files import atomic_write
from tfseg.startup import share_gpus
from tfseg.version import __version__

_HELP = ("-h", "--help", "-help", "--helpshort")
_HELPFULL = ("--helpfull", "-helpfull")


def main(arguments: list[str] | None = None) -> int:
    """The command; the one place that turns exceptions into exit codes.

    A `TfsegError` ends in one line on stderr and exit code 1, or the error's own `exit_code`;
    Ctrl-C in 130; a closed pipe in 141.

    Args:
        arguments: without the program's name; default the process's own.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    share_gpus()
    try:
        code = _run(arguments) or 0
        sys.stdout.flush()
        return code
    except TfsegError as error:
        return _fail(str(error) + _remedy(error), getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def script(verb: str) -> None:
    """Ends the process with what `tfseg VERB` does: for scripts under a verb's earlier name."""
    sys.exit(main([verb, *sys.argv[1:]]))


def _run(arguments: list[str]) -> int | None:
    name, *rest = arguments or ["--help"]
    if name in (*_HELP, *_HELPFULL, "help"):
        print(texts.overview())
        return 0
    if name == "--version":
        print(f"tfseg {__version__}")
        return 0
    if name.startswith("-"):
        raise TfsegError(f"say what to do before any flag: tfseg VERB {name} …; see tfseg --help")
    own = rest
    module, flags, rest = defined(name, rest)
    for argument in rest:
        if argument in (*_HELP, *_HELPFULL):
            print(texts.of_verb(name, module, flags, full=argument in _HELPFULL))
            return 0
        if argument == "--":
            break
    paths = _parsed(module, flags, own, rest)
    _start_logging(flags.verbosity)
    with spelt(flags), _stdout_for_json(flags):
        return module.main(flags, *([paths] if hasattr(module, "PATHS") else []))


def read(name: str, arguments: list[str]) -> Flags:
    """The flags of a call that is to be made later.

    Raises:
        TfsegError: the call would be refused, or it is one for help.
    """
    module, flags, expanded = defined(name, arguments)
    _parsed(module, flags, arguments, expanded)
    return flags


def _parsed(
    module: types.ModuleType, flags: Flags, stated: list[str], expanded: list[str]
) -> list[str]:
    """Parses the flags of a call; returns its paths.

    Args:
        module: the verb's.
        flags: gets the values.
        stated: the arguments as they were given.
        expanded: with recipes in place.

    Raises:
        TfsegError: an argument is wrong, or does nothing beside the others.
    """
    paths = flags.parse(expanded)
    if paths and not hasattr(module, "PATHS"):
        raise TfsegError(f"unexpected argument '{paths[0]}'; flags start with --")
    names = needs.typed(stated, flags)
    needs.give_way(module, flags, names)
    needs.refuse(module, flags, names)
    return paths


@contextlib.contextmanager
def spelt(flags: Flags) -> Iterator[None]:
    """Within, errors of the library have the names of flags."""
    try:
        yield
    except TfsegError as error:
        error.args = (flags.spell(str(error)),)
        raise


@contextlib.contextmanager
def _stdout_for_json(flags: Flags) -> Iterator[None]:
    """Writes at the end what the verb has found, where --json says.

    Where that is standard output, what the verb prints for people goes to stderr.
    """
    target = flags.json if "json" in flags else None
    with contextlib.redirect_stdout(sys.stderr) if target == "-" else contextlib.nullcontext():
        yield
    if target is None or flags.found is None:
        return
    text = json.dumps(flags.found, indent=2, ensure_ascii=False, default=_plain)
    if target == "-":
        print(text)
    else:
        with atomic_write(target, "w") as file:
            file.write(text + "\n")


def _plain(value: Any) -> Any:
    """What JSON doesn't know: arrays, dataclasses and paths."""
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    return value.tolist() if hasattr(value, "tolist") else str(value)


def defined(name: str, arguments: list[str]) -> tuple[types.ModuleType, Flags, list[str]]:
    """A verb's module, its flags before they are parsed, and the arguments with recipes in place.

    Raises:
        TfsegError: there is no such verb, recipe or flag file, or module to import.
    """
    if name not in VERBS:
        raise unknown("verb", name, VERBS)
    module = VERBS[name].load()
    arguments = expand(arguments)
    if not _values("import", arguments):
        arguments = [*_recorded_imports(_values("run_dir", arguments)), *arguments]
    for names in _values("import", arguments):
        for one in names.split(","):
            _import_module(one.strip())
    flags = Flags()
    module.define(flags)
    define_common(flags)
    return module, flags, arguments


def _values(flag: str, arguments: list[str]) -> list[str]:
    """What a flag is given, before the flags are defined: their choices may be an import's rows."""
    found = []
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if argument == "--":
            break
        if name in (f"--{flag}", f"-{flag}"):
            found.append(value if equals else next(iter(arguments[index + 1 :]), ""))
    return found


def _recorded_imports(run_dirs: list[str]) -> list[str]:
    """The --import flags of the runs that are named.

    A module that lies in a run's own folder isn't imported: runs are passed on, as data.
    """
    found = []
    for run_dir in run_dirs:
        for module in runs.recorded_modules(run_dir):
            _search_here()
            try:
                spec = importlib.util.find_spec(module.partition(".")[0])
            except (ImportError, ValueError):
                spec = None
            inside = spec and pathlib.Path(run_dir).resolve() in (
                pathlib.Path(spec.origin or os.curdir).resolve().parents
            )
            if spec and not inside:
                found.append(f"--import={module}")
            else:
                why = "it lies in that folder" if inside else "there is no such module here"
                logging.warning("%s was trained with --import=%s: %s", run_dir, module, why)
    return found


def _search_here() -> None:
    """Modules lie where the command is called, a folder that console scripts don't search."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def _import_module(module: str) -> None:
    _search_here()
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise TfsegError(f"--import={module}: there is no such module here") from error
    except (ValueError, TypeError) as error:
        raise TfsegError(f"--import={module}: {error}") from error


def _is_ours(record: standard_logging.LogRecord) -> bool:
    # TensorFlow's Python side logs through absl too, on every checkpoint for example.
    return record.levelno >= standard_logging.WARNING or "tensorflow" not in record.pathname


class _ToStderr(standard_logging.StreamHandler):
    """Writes to what stderr is at the time."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _: Any) -> None:
        pass


_handler = _ToStderr()
_handler.setFormatter(standard_logging.Formatter("%(message)s"))
_handler.addFilter(_is_ours)


def _start_logging(verbosity: int) -> None:
    """Our own lines go to stderr as they are."""
    logging.set_verbosity(verbosity)
    # TensorFlow's own logger tells of temporary paths, graphs traced again, every all-reduce.
    standard_logging.getLogger("tensorflow").setLevel(standard_logging.WARNING)
    standard_logging.getLogger().addHandler(_handler)


def _remedy(error: BaseException | None) -> str:
    """The call of the command that puts an error right, where it or its cause names one."""
    while error is not None:
        if remedy := getattr(error, "remedy", None):
            verb, arguments = remedy
            return f": {next_step.command(verb, *(f'--{k}={v}' for k, v in arguments.items()))}"
        error = error.__cause__
    return ""


def _fail(message: str, code: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
