"""Flag files and recipes: lines of flags in files, which may name further files."""

import os
import pathlib

from tfseg.errors import TfsegError, unknown

_SUFFIX = ".flags"


def recipes_dir() -> pathlib.Path:
    """The folder of the recipes: of the installed package, or of a clone."""
    package = pathlib.Path(__file__).parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "flags"


def list_recipes(folder: pathlib.Path | None = None) -> list[str]:
    """The names of the recipes, such as "camvid/drn_d_22"."""
    folder = folder or recipes_dir()
    paths = sorted(folder.glob(f"*/*{_SUFFIX}"))
    return [path.relative_to(folder).with_suffix("").as_posix() for path in paths]


def expand(arguments: list[str], inside: tuple[pathlib.Path, ...] = ()) -> list[str]:
    """The arguments with what --recipe and --flagfile name put in their place.

    A recipe is looked up in the folder of recipes that the file naming it belongs to, if it does,
    then in our own; a flag file from the working directory, then from the folder of the file that
    names it.

    Args:
        arguments: of the command line, or the lines of a file.
        inside: the files that have led here, the innermost last.

    Raises:
        TfsegError: there is no such file or recipe, or files name each other in a circle.
    """
    found: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return [*found, argument, *rest]
        name, equals, value = argument.partition("=")
        kind = name.lstrip("-")
        if not name.startswith("-") or kind not in ("recipe", "flagfile"):
            found.append(argument)
            continue
        if not equals:
            if not rest:
                raise TfsegError(f"--{kind} is missing its value")
            value = rest.pop(0)
        path = (_recipe if kind == "recipe" else _file)(value.strip(), inside)
        if path in inside:
            raise TfsegError(f"{path} names itself, by way of --{kind}={value}")
        found += expand(_lines(path), (*inside, path))
    return found


def _recipe(name: str, inside: tuple[pathlib.Path, ...]) -> pathlib.Path:
    name = name.removesuffix(_SUFFIX)
    folders = [recipes_dir()]
    if inside and len(inside[-1].parents) > 1:
        folders.insert(0, inside[-1].parents[1])
    for folder in folders:
        path = folder / f"{name}{_SUFFIX}"
        if path.is_file():
            return path.resolve()
    raise unknown("recipe", name, [one for one in list_recipes() if not one.startswith("base/")])


def _file(name: str, inside: tuple[pathlib.Path, ...]) -> pathlib.Path:
    name = os.path.expanduser(name)
    for folder in (pathlib.Path(), *(path.parent for path in inside[-1:])):
        path = folder / name
        if path.is_file():
            return path.resolve()
    raise TfsegError(
        f"there is no flag file {name}; the recipes that come with tfseg are named by "
        "--recipe=FOLDER/NAME"
    )


def _lines(path: pathlib.Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it isn't text in UTF-8"
        raise TfsegError(f"can't read the flag file {path}: {reason}") from error
    lines = [line.strip() for line in lines]
    return [line for line in lines if line and not line.startswith(("#", "//"))]
