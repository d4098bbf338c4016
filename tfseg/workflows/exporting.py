"""Exporting a trained model in one of several formats."""

from typing import Any

from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.inference import Predictor
from tfseg.serving import EXPORT_FORMATS
from tfseg.workflows.trained import TrainedModel, load_predictor


def export(
    model: str | TrainedModel | Predictor,
    path: str,
    format: str = "saved_model",
    *,
    protocol=None,
    image_size: tuple[int, int] | None = None,
    max_side: int = 4096,
    data_dir: str | None = None,
    split: str | None = "val",
    calibration_split: str = "train",
    data: Any = None,
) -> dict[str, Any]:
    """Writes a trained model so that it runs without tfseg, and checks what it wrote.

        tfseg.export("runs/camvid", "camvid.onnx", "onnx")

    Args:
        model: as for `tfseg.evaluate`; its protocol becomes part of the export.
        path: the folder of the SavedModel, or the file.
        format: a name in `EXPORT_FORMATS`.
        protocol: as for `tfseg.workflows.score`.
        image_size: the (height, width) that images have to have; None for any.
        max_side: of a SavedModel without `image_size`: largest height and width.
        data_dir: a data folder to compare the export with the model on, and to calibrate on.
        split: the images to compare on; None for none.
        calibration_split: the images to calibrate on, of formats that need it.
        data: (`ImageList` with labels, `DataInfo`), instead of `data_dir`.

    Returns:
        "difference", the largest between probabilities of the model and of its export; where there
        is data also "images", how many, and what `tfseg.serving.compare.compare` measures.

    Raises:
        TfsegError: whatever the user can put right, and an export that computes something else than
            the model; an earlier export is whole.
    """
    row = EXPORT_FORMATS.find(format)
    settings: dict[str, Any] = {"image_size": image_size}
    if row.fixed_size and not image_size:
        raise TfsegError(f"`height` and `width` are missing: {format} takes images of one size")
    if row.calibrated:
        if not data_dir:
            raise TfsegError(f"`data_dir` is missing: {format} is calibrated on images of it")
        settings["calibration"] = read_split(data_dir, calibration_split, labels=False)
    if data_dir and split:
        data = read_split(data_dir, split), DataInfo.load(data_dir)
    predictor = load_predictor(model, protocol, folded=False)
    if row.limited_size:
        settings["max_side"] = max_side
    found = row.load()(predictor, path, data=data, **settings, **row.settings)
    return {**found, "images": len(data[0])} if data else found
