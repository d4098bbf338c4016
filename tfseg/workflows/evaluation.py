"""Scores of a trained model, or of any program's predictions."""

from typing import Any

from tfseg.errors import TfsegError
from tfseg.parts import Unfinished
from tfseg.workflows.evaluated import Evaluation


def evaluate(
    model: Any = None,
    data_dir: str | None = None,
    split: str = "val",
    output_dir: str | None = None,
    *,
    predictions: str | None = None,
    **options: Any,
) -> Evaluation | Unfinished | None:
    """Scores a model, or a folder of label maps whatever program has made them, on a split.

        tfseg.evaluate("runs/camvid", "data/camvid").values["scores"]["mean_iou"]
        tfseg.evaluate(predictions="theirs", data_dir="data/camvid").frame()

    Args:
        model: what `tfseg.workflows.score` takes: a run directory, weights, a `Predictor`, …
        data_dir: the data folder; default the one that the run was trained on.
        split: which of its lists.
        output_dir: the folder for the results.
        predictions: instead of a model: what `tfseg.workflows.judge` takes. It needs no TensorFlow.
        **options: of these two functions.

    Returns:
        `Evaluation`; `Unfinished` while other parts are missing; None in workers that only help
        the first.

    Raises:
        TfsegError: whatever the user can put right.
    """
    if (model is None) == (predictions is None):
        raise TfsegError("give a model or `predictions`, one of them")
    if predictions is None:
        from tfseg.workflows.scoring import score
        from tfseg.workflows.trained import data_dir_of

        data_dir = data_dir or data_dir_of(model)
        return score(model, data_dir, split, output_dir, **options)
    if data_dir is None:
        raise TfsegError("`data_dir` is missing")
    from tfseg.workflows.judging import judge

    return judge(predictions, data_dir, split, output_dir, **options)
