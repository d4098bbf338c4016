"""What a run takes of memory, told from the graph of its update before the first one.

Nothing is run for it: every tensor of a graph has a shape, and is held from the operation that
makes it to the last one that reads it. What else a process takes was measured once: the constants
below, fitted to the largest resident sizes of 13 runs. The estimates for the 18 of
`tools/docs/memory.py` are 0.94 to 1.05 times what was measured.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging

from tfseg import machine
from tfseg.errors import TfsegError
from tfseg.training.remat import Recomputed
from tfseg.training.strategy import count_workers

GIB = 2**30
# Compiled kernels, the graph's optimization, samples that are being made.
_FIXED = 110 * 2**20
# Memory that lies between tensors or that operations use while they run, as a factor of tensors.
_TENSORS = 1.17
# By how much a need may differ from its estimate, as a factor either way.
ERROR = 1.15


@dataclasses.dataclass(frozen=True)
class Need:
    """What a run will take beside what its process has taken already, in bytes.

    Attributes:
        weights: what the model's weights take; their gradients take as much again.
        tensors: of the update: the largest sum of those that are held at once.
    """

    weights: int
    tensors: int

    @property
    def bytes(self) -> float:
        """The estimate."""
        return _FIXED + self.weights + _TENSORS * self.tensors

    def share(self, free: float, more_weights: int = 0) -> float:
        """The part of the samples' pixels that is sure to fit into `free` bytes; it may be above 1,
        and 0 where nothing does.

        Args:
            free: bytes.
            more_weights: what is held beside, in numbers of copies of all weights.
        """
        constant = _FIXED + self.weights + _TENSORS * self.weights
        pixels = self.bytes - constant
        left = free / ERROR - constant - more_weights * _TENSORS * self.weights
        return max(left, 0) / max(pixels, 1)


def need(model: Any, step: Any) -> Need | None:
    """The `Need` of a `TrainStep` for `model`; None where its graph doesn't tell all shapes."""
    weights = sum(math.prod(v.shape) * v.value.dtype.size for v in model.variables)
    tensors = largest_use(step.graph())
    return None if tensors is None else Need(weights, tensors)


def largest_use(graph: tf.Graph) -> int | None:
    """Bytes of all tensors that are held at once, at most, when the operations of a function's
    graph run in the order of their making. None where the shape of its images isn't known.

    Weights, constants and what only has another shape or name take nothing of their own.
    """
    inputs = [tensor for tensor in graph.inputs if tensor.dtype != tf.resource]
    if not all(tensor.shape.is_fully_defined() for tensor in inputs):
        return None
    operations = _needed(graph)
    # Whose memory a tensor has: its own name, another's, or None.
    owner: dict[str, str | None] = {}
    last: dict[str | None, int] = {}
    for place, operation in enumerate(operations):
        owners = [owner[tensor.name] for tensor in operation.inputs]
        last.update((name, place) for name in owners)
        for number, tensor in enumerate(operation.outputs):
            if operation.type in _VIEWS:
                owner[tensor.name] = owners[number]
            else:
                owner[tensor.name] = None if operation.type in _FREE else tensor.name
    held = largest = 0
    ends = [0] * len(operations)
    for place, operation in enumerate(operations):
        for tensor in operation.outputs:
            if owner[tensor.name] == tensor.name:
                held += _bytes(tensor)
                ends[last.get(tensor.name, place)] += _bytes(tensor)
        largest = max(largest, held)
        held -= ends[place]
    # The batch itself, and the next one, which is made meanwhile.
    return largest + 2 * sum(_bytes(tensor) for tensor in inputs)


# Operations whose results are what goes into them, and such as take no memory in an update.
_VIEWS = frozenset({"Identity", "IdentityN", "Reshape", "ExpandDims", "Squeeze", "StopGradient"})
_FREE = frozenset({"Placeholder", "Const", "ReadVariableOp"})


def _needed(graph: tf.Graph) -> list[Any]:
    """The operations that the results and effects of a function's graph come from, in order."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found = set()
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + operation.control_inputs
    return [operation for operation in graph.get_operations() if operation in found]


def _bytes(tensor: Any) -> int:
    count = tensor.shape.num_elements() if tensor.shape.rank is not None else None
    return 0 if count is None or tensor.dtype == tf.resource else count * tensor.dtype.size


def check_memory(session: Any, step: Any, element_spec: Any) -> None:
    """Refuses a run that can't fit into what this process may still take.

    An estimate that leaves room for doubt warns only, and so do several workers, of which one that
    refused would leave the others waiting. Nothing is said where an accelerator holds the network
    or the system doesn't tell what is free, of graphs that XLA compiles, and of images whose sizes
    differ.

    Args:
        session: `Session`.
        step: its `TrainStep` for batches of `element_spec`.

    Raises:
        TfsegError: the estimate exceeds what is free by more than it can be wrong.
    """
    if machine.has_gpu() or session.config.xla or not machine.tells_free_memory():
        return
    found, free = need(session.model, step), machine.free_memory()
    if found is None or found.bytes * ERROR <= free:
        return
    said = (
        f"an update takes about {_gib(found.bytes)} GiB more, give or take 15 %, and {_gib(free)} "
        "GiB are free"
    )
    if found.bytes / ERROR <= free or count_workers(session.strategy) > 1:
        logging.warning("%s: it may not fit", said)
        return
    ways = list(_ways(session, found, free, element_spec))
    fits = f"what fits: {', or '.join(ways)}" if ways else "no smaller batch or crop fits either"
    raise TfsegError(f"{said}; {fits}")


def _ways(session: Any, found: Need, free: float, element_spec: Any) -> Iterator[str]:
    """Changes of the settings with which the run fits, in words."""
    config, accumulates = session.config, session.config.accumulation_steps > 1
    total, replicas = config.effective_batch, session.strategy.num_replicas_in_sync
    most = int(found.share(free, more_weights=not accumulates) * config.batch_size)
    sizes = [n for n in range(replicas, most + 1, replicas) if total % n == 0]
    if sizes and _allowed(config, batch_size=sizes[-1], accumulation_steps=total // sizes[-1]):
        yield f"`batch_size={sizes[-1]}` with `accumulation_steps={total // sizes[-1]}`"
    if not config.remat:
        again = _with_remat(session, element_spec)
        if again and again.bytes * ERROR <= free:
            yield f"`remat` ({_gib(again.bytes)} GiB)"
    stride = session.model.output_stride
    side = math.sqrt(min(found.share(free), 1))
    crop = tuple(int(length * side) // stride * stride for length in config.crop_size)
    if min(crop) >= 4 * stride and _allowed(config, crop_size=crop):
        yield f"`crop_size={','.join(map(str, dict.fromkeys(crop)))}`"


def _allowed(config: Any, **changes: Any) -> bool:
    try:
        dataclasses.replace(config, **changes)
    except TfsegError:
        return False
    return True


def _with_remat(session: Any, element_spec: Any) -> Need | None:
    """The `Need` with `remat`, or None; the session isn't to be trained any more."""
    try:
        with session.strategy.scope():
            session.recomputed = Recomputed(session.model)
        return need(session.model, session.train_step(element_spec))
    except TfsegError:
        return None


def _gib(number: float) -> str:
    return f"{number / GIB:.1f}"
