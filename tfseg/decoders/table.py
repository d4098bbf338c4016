"""The table of decoders: what there is, and what a model over each is like."""

import dataclasses
from typing import Any

from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderRow(Row):
    """One decoder.

    Attributes:
        code: "module:object" of a `Decoder`: what takes `num_classes`, `levels`, the arguments
            below, `conv` (dict of `ConvBN` arguments) and `name`.
        fixed: arguments of the layer that make this decoder.
        options: names of `create_model` options that the layer takes; they may stand in `fixed`
            as well, as this decoder's defaults.
        output_stride: what an encoder that can choose has under this decoder, unless asked.
        at_stride_8: arguments that differ where the encoder's output stride is 8.
        upsampling, loss_resolution, loss_weights: see `Segmenter`.
    """

    fixed: dict[str, Any] = dataclasses.field(default_factory=dict)
    options: tuple[str, ...] = ()
    output_stride: int | None = None
    at_stride_8: dict[str, Any] = dataclasses.field(default_factory=dict)
    upsampling: str = "bilinear"
    loss_resolution: str = "logits"
    loss_weights: dict[str, float] = dataclasses.field(default_factory=lambda: {"logits": 1.0})


_SUPERVISED: dict[str, Any] = {
    "fixed": {"deep_supervision": True},
    "options": ("dropout",),
    "loss_weights": {"logits": 1.0, "aux_logits": 0.4},
}
# torchvision computes the loss at the labels' size, with half of the auxiliary one (its reference
# scripts); its weights are of output stride 8.
_TORCHVISION: dict[str, Any] = {
    "fixed": {"deep_supervision": True, "dropout": 0.1},
    "output_stride": 8,
    "loss_resolution": "labels",
    "loss_weights": {"logits": 1.0, "aux_logits": 0.5},
}
# Twice the rates on a grid twice as fine reach as far (DeepLab v3 paper, section 3.3).
_DEEPLAB_V3: dict[str, Any] = {
    "options": ("atrous_rates",),
    "output_stride": 16,
    "at_stride_8": {"atrous_rates": (12, 24, 36)},
    "loss_resolution": "labels",
}
_LINEAR = "tfseg.decoders.linear:Linear"
_C1, _PPM = "tfseg.decoders.c1:C1", "tfseg.decoders.ppm:PPM"

DECODERS: Table[DecoderRow] = Table(
    "decoder",
    [
        DecoderRow(name="linear", code=_LINEAR, upsampling="zero_border", loss_resolution="labels"),
        DecoderRow(name="deeplab_v1", code=_LINEAR, output_stride=8),
        DecoderRow(
            name="deeplab_v2",
            code="tfseg.decoders.deeplab_v2:DeepLabV2",
            options=("atrous_rates", "head_initializer"),
            output_stride=8,
        ),
        DecoderRow(name="deeplab_v3", code="tfseg.decoders.deeplab:DeepLabV3", **_DEEPLAB_V3),
        DecoderRow(
            name="deeplab_v3plus", code="tfseg.decoders.deeplab:DeepLabV3Plus", **_DEEPLAB_V3
        ),
        DecoderRow(name="c1_bilinear", code=_C1, options=("dropout",)),
        DecoderRow(name="c1_bilinear_deepsup", code=_C1, **_SUPERVISED),
        DecoderRow(name="ppm_bilinear", code=_PPM, options=("dropout",)),
        DecoderRow(name="ppm_bilinear_deepsup", code=_PPM, **_SUPERVISED),
        DecoderRow(name="upernet", code="tfseg.decoders.upernet:UPerNet"),
        DecoderRow(name="fpn", code="tfseg.decoders.fpn:FPN"),
        DecoderRow(
            name="regseg", code="tfseg.decoders.regseg:RegSegDecoder", loss_resolution="labels"
        ),
        DecoderRow(
            name="fcn",
            code="tfseg.decoders.torchvision:FCN",
            options=("dropout",),
            **_TORCHVISION,
        ),
        DecoderRow(
            name="deeplab_v3_refined",
            code="tfseg.decoders.torchvision:RefinedDeepLabV3",
            options=("atrous_rates", "dropout"),
            **_TORCHVISION,
        ),
    ],
)
