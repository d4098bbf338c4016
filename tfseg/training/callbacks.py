"""Who is told what a run comes to: the base class of callbacks, and all of a run's as one."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from tfseg.errors import TfsegError
from tfseg.models.spec import ModelSpec
from tfseg.training.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Run:
    """What callbacks are told of a run when a call begins it or goes on with it.

    Attributes:
        config: its settings.
        spec: of its network.
        model: the network. During a validation it has the weights that are validated.
        columns: of the rows, in order; a row may lack some.
        step: updates done before this call; 0 of a new run.
        total_steps: updates in the whole run; None while its minutes are still to be laid out.
        reported: rows up to this step were told in earlier calls. A call that died may have told
            later ones, which come again.
        last_row: step of the last of them; 0 without any.
        changed: whether the settings are new: the run's first, or other than before.
    """

    config: TrainConfig
    spec: ModelSpec
    model: Any
    columns: tuple[str, ...]
    step: int
    total_steps: int | None
    reported: int
    last_row: int
    changed: bool


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a call of `train` has come to.

    Attributes:
        step: updates done in the whole run.
        best: scores of the best validation and its "step", or None.
        stopped_by: the signal that ended it early, saved and ready to be continued, or 0.
    """

    step: int
    best: dict | None
    stopped_by: int = 0


class Callback:
    """Is told what a run comes to; subclasses write the methods that they need.

    They are called between two updates, which wait for them, by the chief alone of several
    workers. Of a run that is killed and continued the rows since its last checkpoint come twice,
    with the same numbers; a run that is finished already tells nothing.

    What a method raises ends the run: as it is where it is a `TfsegError`, else as one that names
    callback and method. The checkpoint stays whole, and the same call continues from it.
    """

    def start(self, run: Run) -> None:
        """Before the first update of a call."""

    def row(self, row: Mapping[str, float | None]) -> None:
        """For each row of the log, after its validation.

        Args:
            row: {column: number}: "step", "epoch", "loss", "loss_average", "gradient_norm", the
                learning rate of each group, after a validation its scores (None where a class
                doesn't occur), "images_per_second", and "data_wait", a share of the time.
        """

    def validation(
        self,
        step: int,
        scores: Mapping[str, float | None],
        best: Mapping[str, Any],
        pictures: Sequence[np.ndarray],
    ) -> None:
        """After each validation.

        Args:
            step: updates done.
            scores: {name: number or None}, such as "val_mean_iou".
            best: the scores of the best validation so far, and its "step".
            pictures: uint8 [H, W, 3]: images, labels and predictions side by side; () for
                classifiers.
        """

    def checkpoint(self, step: int, path: str) -> None:
        """When a checkpoint is whole on the disk.

        Args:
            step: updates done.
            path: what the names of its files start with.
        """

    def end(self, result: TrainResult | None) -> None:
        """Once after `start`, whatever happened.

        Args:
            result: None where an error ends the run.
        """


def checked(callbacks: Iterable[Any]) -> list[Callback]:
    """What a user gives as callbacks.

    Raises:
        TfsegError: it is no list of `Callback`s.
    """
    if not isinstance(callbacks, Iterable):
        raise TfsegError(f"`callbacks` must be a list of them, not {callbacks!r}")
    for one in (found := list(callbacks)):
        if not isinstance(one, Callback):
            raise TfsegError(f"`callbacks` are objects of tfseg.training.Callback, not {one!r}")
    return found


class Callbacks:
    """All callbacks of a run, told in their order.

    Args:
        members: the callbacks.
    """

    def __init__(self, members: Iterable[Callback]):
        self._all = tuple(members)
        # Those that have started, which shall end as well.
        self._members: list[Callback] = []
        self._saved = 0

    def start(self, run: Run) -> None:
        """Before the first update."""
        self._saved = run.step
        for member in self._all:
            self._call(member, "start", run)
            self._members.append(member)

    def row(self, row: Mapping[str, float | None]) -> None:
        """For a row of the log."""
        self._tell("row", row)

    def validation(self, *facts: Any) -> None:
        """After a validation, with what `Callback.validation` takes."""
        self._tell("validation", *facts)

    def checkpoint(self, step: int, path: str) -> None:
        """When a checkpoint is whole."""
        self._saved = step
        self._tell("checkpoint", step, path)

    def end(self, result: TrainResult | None) -> None:
        """Tells each, also where one fails; errors beside one that ends the run are logged."""
        failed: list[TfsegError] = []
        for member in self._members:
            try:
                self._call(member, "end", result)
            except TfsegError as error:
                failed.append(error)
        for other in failed[1:] if result else failed:
            logging.error("%s", other)
        if result and failed:
            raise failed[0]

    def _tell(self, event: str, *facts: Any) -> None:
        for member in self._members:
            # Each has a dict of its own, which it may change.
            self._call(member, event, *(dict(x) if isinstance(x, dict) else x for x in facts))

    def _call(self, member: Callback, event: str, *facts: Any) -> None:
        try:
            getattr(member, event)(*facts)
        except TfsegError:
            raise
        except Exception as error:
            name = f"{type(member).__module__}.{type(member).__qualname__}"
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            kept = f"the same call continues after step {self._saved}"
            raise TfsegError(
                f"the callback {name} failed in `{event}`: {reason}; "
                + (kept if self._saved else "no checkpoint was saved yet")
            ) from error
