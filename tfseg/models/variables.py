"""Names of a model's variables that are a function of the model alone."""

import collections
import re
from typing import Any

# What Keras numbers by all that the process has made before: weights that a layer doesn't name, and
# the state of random numbers.
_COUNTED = re.compile(r"(?:(?<=/)|^)(variable|seed_generator)(?:_\d+)?(?=/|$)")


def variable_names(model: Any) -> dict[str, Any]:
    """{name: Keras variable} of all variables, in the model's order.

    A name is the variable's path, but for the numbers in it that differ from one building of the
    same model to the next: these are counted anew, in the model's order.

    Args:
        model: any Keras model or layer.
    """
    seen: collections.Counter[str] = collections.Counter()
    names = {}
    for variable in model.variables:
        path = variable.path
        if _COUNTED.search(path):
            path = _COUNTED.sub(r"\1", path)
            number = seen[path]
            seen[path] += 1
            path = _COUNTED.sub(rf"\1_{number}", path) if number else path
        names[path] = variable
    return names
