"""The table of losses, and sums of them."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from tfseg.errors import TfsegError
from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossRow(Row):
    """A loss: `code` is a class such as `tfseg.training.losses.Loss`.

    Attributes:
        needs: as the class says: what is summed over all replicas before the backward pass:
            "labels" for sums of the labels, which are known before the forward pass, for all
            micro-batches as well; or "outputs" for sums of the outputs too. These would need the
            outputs of all micro-batches at once, so such a loss goes without accumulation.
        options: settings of `TrainConfig` that `code` takes as arguments.
        arguments: further arguments.
        takes_class_weights: whether class weights have a meaning in it.
        xla: whether XLA compiles it: every size has to be known before.
        needs_teacher: whether it looks at the outputs of a trained model.
        classifies: whether it is also a loss of classifiers, whose maps are one pixel.
    """

    needs: str = "labels"
    options: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    takes_class_weights: bool = True
    xla: bool = True
    needs_teacher: bool = False
    classifies: bool = False


_PIXEL, _REGION = "tfseg.training.losses.pixel", "tfseg.training.losses.region"
_JACCARD = {"tversky_alpha": 1.0, "tversky_beta": 1.0}


def _row_of(name: str, loss: Any) -> LossRow:
    """The row of a `Loss`, made with whatever options it has, or of a class without any."""
    parts = ("needs", "needs_teacher", "size", "counts", "sums", "value")
    if not all(hasattr(loss, part) for part in parts):
        raise TypeError("`loss` must be a name, a LossRow or a Loss")
    code = loss if isinstance(loss, type) else lambda: loss
    needs = {"needs": loss.needs, "needs_teacher": loss.needs_teacher}
    return LossRow(name=name, code=code, **needs, classifies=True)


LOSSES = Table(
    "loss",
    [
        LossRow(
            name="cross_entropy",
            code=f"{_PIXEL}:CrossEntropy",
            help="mean over the pixels",
            options=("label_smoothing",),
            classifies=True,
        ),
        LossRow(
            name="focal",
            code=f"{_PIXEL}:Focal",
            help="cross-entropy that easy pixels count less in",
            options=("focal_gamma",),
            classifies=True,
        ),
        LossRow(
            name="generalized",
            code=f"{_PIXEL}:GeneralizedCrossEntropy",
            help="cross-entropy that wrong labels pull at less",
            classifies=True,
        ),
        LossRow(
            name="ohem",
            code=f"{_PIXEL}:HardExamples",
            help="cross-entropy of each image's hardest pixels",
            options=("ohem_fraction",),
            takes_class_weights=False,
        ),
        LossRow(
            name="boundary",
            code=f"{_PIXEL}:BoundaryWeighted",
            help="cross-entropy in which pixels near boundaries count more",
            options=("boundary_weight", "boundary_width"),
        ),
        LossRow(
            name="distillation",
            code=f"{_PIXEL}:Distillation",
            help="divergence from a trained model's probabilities",
            options=("temperature",),
            takes_class_weights=False,
            needs_teacher=True,
        ),
        LossRow(
            name="dice",
            code=f"{_REGION}:Tversky",
            help="1 - Dice coefficient, over the batch",
            needs="outputs",
        ),
        LossRow(
            name="jaccard",
            code=f"{_REGION}:Tversky",
            help="1 - intersection over union, over the batch",
            needs="outputs",
            arguments=_JACCARD,
        ),
        LossRow(
            name="tversky",
            code=f"{_REGION}:Tversky",
            help="1 - Tversky index, over the batch",
            needs="outputs",
            options=("tversky_alpha", "tversky_beta"),
        ),
        LossRow(
            name="dice_per_image",
            code=f"{_REGION}:TverskyPerImage",
            help="dice of each image",
        ),
        LossRow(
            name="jaccard_per_image",
            code=f"{_REGION}:TverskyPerImage",
            help="jaccard of each image",
            arguments=_JACCARD,
        ),
        LossRow(
            name="tversky_per_image",
            code=f"{_REGION}:TverskyPerImage",
            help="tversky of each image",
            options=("tversky_alpha", "tversky_beta"),
        ),
        LossRow(
            name="lovasz",
            code=f"{_REGION}:Lovasz",
            help="Lovász-softmax, of each image",
            xla=False,  # Sorts as many rows as images have classes.
        ),
    ],
    _row_of,
)


def parse_loss(loss: Any) -> tuple[tuple[LossRow, float], ...]:
    """((row, factor), …) of "cross_entropy:1,lovasz:0.5"; a factor that isn't given is 1.

    Args:
        loss: such a text; a `Loss` or `LossRow`; or a list of names and these, each alone or as a
            pair with its factor.

    Raises:
        TfsegError: an unknown loss, one that comes twice, or a factor that isn't above 0.
    """
    terms = []
    for row, factor in LOSSES.parse(loss):
        if factor is not None and factor <= 0:
            raise TfsegError(f"loss: the factor of {row.name} must be above 0, not {factor:g}")
        terms.append((row, 1.0 if factor is None else factor))
    if not terms:
        raise TfsegError("`loss` is empty")
    return tuple(terms)


def check_loss(
    loss: Any,
    changed: Iterable[str],
    weighted: bool,
    accumulates: bool,
    taught: bool,
    apart: bool = False,
) -> None:
    """Refuses what a sum of losses can't do, or has no use for.

    Args:
        loss: as for `parse_loss`.
        changed: the losses' options that aren't at their default.
        weighted: whether there are class weights.
        accumulates: whether an update has several micro-batches.
        taught: whether there is a teacher.
        apart: whether each replica's part is averaged on its own.

    Raises:
        TfsegError: one of these doesn't go with it.
    """
    rows = [row for row, _ in parse_loss(loss)]
    text = LOSSES.text(loss)
    for option in sorted(changed):
        if not any(option in row.options for row in rows):
            takers = " and ".join(row.name for row in LOSSES.values() if option in row.options)
            raise TfsegError(f"`{option}` is an option of {takers}, which isn't in loss={text}")
    if taught and not any(row.needs_teacher for row in rows):
        raise TfsegError(f"`teacher` is for the loss distillation, which isn't in loss={text}")
    for row in rows:
        if row.needs_teacher and not taught:
            raise TfsegError(f"the loss {row.name} needs a `teacher`, a trained run")
        if weighted and not row.takes_class_weights:
            raise TfsegError(f"`class_weights` and the loss {row.name} exclude each other")
        if row.name == "ohem" and "ohem_fraction" not in changed:
            raise TfsegError("the loss ohem needs `ohem_fraction`, a share above 0")
        if row.needs == "outputs" and (accumulates or apart):
            hint = f": take {row.name}_per_image" if f"{row.name}_per_image" in LOSSES else ""
            excluded = "accumulation_steps above 1" if accumulates else "loss_average=replica"
            raise TfsegError(
                f"the loss {row.name} looks at the whole batch at once, so it excludes "
                f"{excluded}{hint}"
            )


def create_terms(loss: Any, options: Mapping[str, Any]) -> list[tuple[float, Any, LossRow]]:
    """[(factor, object, row)] of what `parse_loss` takes.

    Args:
        loss: the sum of losses.
        options: values for the rows' `options`; what is missing has the code's own default.
    """
    found = []
    for row, factor in parse_loss(loss):
        given = {key: options[key] for key in row.options if key in options}
        term = row.load()(**row.arguments, **given)
        if term.needs != row.needs:
            raise TfsegError(
                f"the loss {row.name} needs {term.needs}, and its row says {row.needs}"
            )
        found.append((factor, term, row))
    return found
