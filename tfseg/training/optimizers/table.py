"""The table of optimizers."""

import dataclasses
import functools
from typing import Any

from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerRow(Row):
    """An optimizer: `code` is a class such as `tfseg.training.optimizers.Optimizer`.

    Attributes:
        options: settings of `TrainConfig` that `code` takes as arguments.
    """

    options: tuple[str, ...] = ()


def _row_of(name: str, optimizer: Any) -> OptimizerRow:
    if not isinstance(optimizer, type | functools.partial):
        raise TypeError("`optimizer` must be a name, an OptimizerRow, or a class such as SGD")
    return OptimizerRow(name=name, code=optimizer)


OPTIMIZERS = Table(
    "optimizer",
    [
        OptimizerRow(
            name="sgd",
            code="tfseg.training.optimizers.sgd:SGD",
            help="stochastic gradient descent with momentum",
            options=("momentum",),
        ),
        OptimizerRow(
            name="adamw",
            code="tfseg.training.optimizers.adamw:AdamW",
            help="Adam with decoupled weight decay",
            options=("adam_beta1", "adam_beta2", "adam_epsilon"),
        ),
    ],
    _row_of,
)


def create_optimizer(config: Any, variables: Any, groups: Any) -> Any:
    """The optimizer of a `TrainConfig`; make it in the scope of the strategy.

    Args:
        config: its `optimizer`, `weight_decay` and the row's `options`.
        variables: {path: tf.Variable}.
        groups: one `Group` for each.
    """
    row = OPTIMIZERS.find(config.optimizer)
    options = {name: getattr(config, name) for name in row.options}
    return row.load()(variables, groups, weight_decay=config.weight_decay, **options)
