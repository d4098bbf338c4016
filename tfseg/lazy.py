"""Imports at first use: of packages' names (PEP 562) and of TensorFlow, which takes seconds."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """What a package's `__init__` needs to import its names at first use.

        __getattr__, __dir__, __all__ = lazy_names(__name__, {"losses": ["SegmentationLoss"]})

    Modules of the package are attributes of it as well. A name must not be that of a module.

    Args:
        package: the package's name.
        homes: {module of the package: names that it defines}.
    """
    modules = {name: module for module, names in homes.items() for name in names}

    def attribute(name: str) -> Any:
        if name in modules:
            value = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
            setattr(sys.modules[package], name, value)
            return value
        module = f"{package}.{name}"
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise AttributeError(f"module '{package}' has no attribute '{name}'") from None

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return attribute, names, sorted(modules)


class LazyModule:
    """A module that is imported when something of it is first asked for.

    For TensorFlow in modules that do much without it: reading lists and label maps, counting.

    Args:
        name: the module's name.
    """

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self._name), name)
        setattr(self, name, value)
        return value
