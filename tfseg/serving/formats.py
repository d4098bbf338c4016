"""The table of export formats."""

import dataclasses
from typing import Any

from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportFormat(Row):
    """A kind of file that a trained model becomes, and the function that writes it.

    Attributes:
        code: called as code(predictor, path, image_size=…, data=…, **settings).
        settings: further arguments.
        fixed_size: whether all images must have one size.
        limited_size: whether it refuses images above `max_side`, which it then takes.
        calibrated: whether it takes `calibration`, an `ImageList`, and needs `data`.
    """

    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    fixed_size: bool = False
    limited_size: bool = False
    calibrated: bool = False


EXPORT_FORMATS = Table(
    "format",
    [
        ExportFormat(
            name="saved_model",
            code="tfseg.serving.to_saved_model:export",
            help="a folder for TensorFlow and TensorFlow Serving",
            limited_size=True,
        ),
        ExportFormat(
            name="onnx", code="tfseg.serving.to_onnx:export_onnx", help="a file for onnxruntime"
        ),
        ExportFormat(
            name="tflite_float16",
            code="tfseg.serving.to_tflite:export_tflite",
            help="TensorFlow Lite of half the size",
            settings={"quantization": "float16"},
            fixed_size=True,
        ),
        ExportFormat(
            name="tflite_int8",
            code="tfseg.serving.to_tflite:export_tflite",
            help="TensorFlow Lite of a quarter of the size, which computes in integers",
            settings={"quantization": "int8"},
            fixed_size=True,
            calibrated=True,
        ),
    ],
)
