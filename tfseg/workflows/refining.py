"""Dense CRFs over kept logits: a whole split, or a search of parameters."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfseg.data.info import DataInfo
from tfseg.data.lists import read_split
from tfseg.evaluation.confusion import scores
from tfseg.evaluation.refined import compare_crfs, count_classes, refine_logits, unrefined
from tfseg.evaluation.truth import Truth
from tfseg.files import write_json
from tfseg.inference.crf import CRF, grid
from tfseg.parts import Part, Unfinished
from tfseg.reports import summary


@dataclasses.dataclass(frozen=True)
class Refinement:
    """What came of refining a split.

    Attributes:
        values: what metrics.json holds.
        metrics_path, labels_dir: where that and the label maps are.
        refined, kept: numbers of images that were refined now, and before.
    """

    values: dict[str, Any]
    metrics_path: str
    labels_dir: str
    refined: int
    kept: int


def refine(
    crf: CRF,
    logits_dir: str,
    data_dir: str,
    output_dir: str,
    split: str = "val",
    *,
    images: int = 0,
    jobs: int = 1,
    part: Part | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Refinement | Unfinished:
    """Writes label maps to OUTPUT_DIR/labels and metrics.json to OUTPUT_DIR; what an earlier call
    has left isn't made again.

    Args:
        crf: the `CRF`.
        logits_dir: what `save_logits` of an evaluation named.
        data_dir, split: the data folder, and which of its lists.
        output_dir: the folder for the results.
        images: the first so many alone; 0 for all.
        jobs: processes.
        part: which share of the list to refine; None for all. The one that ends last scores all.
        progress: called as progress(done, total) with numbers of images.

    Returns:
        `Refinement`; `Unfinished` while other parts are missing.
    """
    truth, info = _truth(logits_dir, data_dir, split, images)
    labels_dir = os.path.join(output_dir, "labels")
    before = 0
    if part:
        own = part.of(len(truth.image_list))
        _, before = refine_logits(crf, truth.pick(own), logits_dir, labels_dir, jobs, progress)
        left = unrefined(crf, truth.image_list, logits_dir, labels_dir)
        if left:
            missing = sorted({index % part.count + 1 for index in left})
            return Unfinished(part, len(own), tuple(missing), output_dir)
    matrix, count = refine_logits(crf, truth, logits_dir, labels_dir, jobs, progress)
    total, count = len(truth.image_list), count + before
    facts = {
        "crf": crf.to_dict(),
        "logits_dir": os.path.abspath(logits_dir),
        "split": split,
        "images": total,
    }
    values = summary.metrics(matrix, info.classes, facts)
    path = os.path.join(output_dir, "metrics.json")
    summary.write(path, values)
    return Refinement(values, path, labels_dir, count, total - count)


def search(
    crf: CRF,
    parameters: Mapping[str, Sequence[float]],
    logits_dir: str,
    data_dir: str,
    output_dir: str,
    split: str = "val",
    *,
    images: int = 0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[dict[str, Any]], str]:
    """Scores every combination of values, and writes grid.json.

    Args:
        crf: what the other parameters are.
        parameters: {parameter: values}.
        logits_dir, data_dir, output_dir, split, images, jobs, progress: as for `refine`.

    Returns:
        ([{"mean_iou", parameter: value, …}, …], the best first; the path of grid.json).
    """
    truth, _ = _truth(logits_dir, data_dir, split, images)
    choices = grid(crf, **parameters)
    matrices = compare_crfs(choices, truth, logits_dir, jobs, progress)
    results = [
        {"mean_iou": scores(matrix)["mean_iou"] or 0.0, **one.to_dict()}
        for matrix, one in zip(matrices, choices, strict=True)
    ]
    results.sort(key=lambda result: -result["mean_iou"])
    path = os.path.join(output_dir, "grid.json")
    write_json(path, {"split": split, "images": len(truth.image_list), "results": results})
    return results, path


def _truth(logits_dir, data_dir, split, images):
    info, image_list = DataInfo.load(data_dir), read_split(data_dir, split)
    if images:
        image_list = image_list.first(images)
    num_classes = count_classes(logits_dir, image_list)
    return Truth(image_list, num_classes, info.label_map, info.ignore_label), info
