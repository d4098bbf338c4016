"""What annotations call the things that Keras and TensorFlow state no types of."""

from collections.abc import Mapping
from typing import Any, TypeAlias

# A tensor of Keras' backend, a symbolic one, a variable, or an array.
Tensor: TypeAlias = Any
# An int for each axis, or None where it isn't known.
Shape: TypeAlias = tuple[Any, ...]
# {name of a feature: [N, h, w, c]}, and what becomes of it: {"logits": [N, h, w, classes]}.
Maps: TypeAlias = Mapping[str, Tensor]
Shapes: TypeAlias = Mapping[str, Shape]
# (height, width): ints, or scalar tensors where only the graph knows.
Size: TypeAlias = tuple[Any, Any]
