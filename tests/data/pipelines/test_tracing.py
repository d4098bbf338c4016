"""What pipelines trace is understood by AutoGraph, which else warns on the user's terminal."""

import importlib
import inspect

import pytest
import tensorflow as tf

MODULES = (
    *("data.augment.chain", "data.augment.mixing", "data.augment.photometric"),
    *("data.decoding", "data.exif", "data.resizing"),
    *("data.pipelines.classification", "data.pipelines.natural", "data.pipelines.segmentation"),
    *("data.pipelines.transforms", "data.pipelines.warp", "training.step"),
)


def _functions(module):
    """Every function and method that the module itself defines."""
    owners = [module, *(member for _, member in inspect.getmembers(module, inspect.isclass))]
    for owner in owners:
        for _, member in inspect.getmembers(owner, inspect.isfunction):
            if member.__module__ == module.__name__:
                yield inspect.unwrap(member)


@pytest.mark.parametrize("name", MODULES)
def test_functions_can_be_converted(name):
    module = importlib.import_module(f"tfseg.{name}")
    functions = [one for one in _functions(module) if not inspect.isgeneratorfunction(one)]
    assert functions
    for function in functions:
        # Dataclasses' own methods have no source, and nothing traces the rest of these.
        if function.__name__ == "__call__" or not function.__name__.startswith("__"):
            tf.autograph.to_code(function)
