"""The segmenter: an encoder, a decoder, and one forward contract."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfseg.errors import unknown
from tfseg.layers import resize, resize_labels, resize_legacy, upsample_zero_border
from tfseg.models.multi_scale import apply_at_scales, scaled_name, size_period
from tfseg.models.nested import restore
from tfseg.models.precisions import precision, precision_of
from tfseg.models.spec import ModelSpec
from tfseg.models.unquantized import Unquantized
from tfseg.types import Size, Tensor

# The layer of the outputs.
_WIDEN = "widen"
UPSAMPLINGS = ("bilinear", "zero_border", "legacy")


@keras.saving.register_keras_serializable("tfseg")
class Segmenter(Unquantized, keras.Model):
    """Per-pixel class scores from images of any size.

    ``model(images)`` takes normalised float images [N, H, W, C] and returns a dict of float32 maps:
    "logits" [N, h, w, num_classes] at the decoder's own resolution, and whatever else the loss
    looks at (the keys of `loss_weights`), such as "aux_logits". A multi-scale model's "logits" are
    the maximum over the scales, and "logits_1", "logits_0.75", ... those of each scale.

    Made by `tfseg.create_model`.

    Args:
        encoder: an `Encoder`.
        decoder: a layer from the encoder's features to a dict with "logits".
        spec: the `ModelSpec` of its recipe.
        upsampling: how `upsample` works: "bilinear", "zero_border", or "legacy", which resizes as
            TensorFlow 1 did: also the images of other scales and, in training, the labels.
        loss_resolution: where the loss is computed: "labels" or "logits".
        loss_weights: {output of the decoder: weight in the loss}; a multi-scale model's maximum
            and every one of its scales have that weight, each at its own resolution.
        scales: of the images that the network looks at, or None for the images alone.
    """

    def __init__(
        self,
        encoder: Any,
        decoder: Any,
        spec: ModelSpec,
        upsampling: str,
        loss_resolution: str,
        loss_weights: Mapping[str, float],
        scales: Sequence[float] | None = None,
    ):
        if upsampling not in UPSAMPLINGS:
            raise unknown("upsampling", upsampling, UPSAMPLINGS)
        config = {
            "upsampling": upsampling,
            "loss_resolution": loss_resolution,
            "loss_weights": dict(loss_weights),
            "scales": scales and list(scales),
        }
        images = keras.Input(encoder.input_shape[1:], name="images")
        if scales is None:
            outputs = decoder(encoder(images))
        else:
            outputs = apply_at_scales(
                lambda x: decoder(encoder(x)), images, scales, upsampling == "legacy"
            )
            names = {key: [key, *(scaled_name(key, s) for s in scales)] for key in loss_weights}
            loss_weights = {name: loss_weights[key] for key in names for name in names[key]}
            loss_resolution = "logits"
        # Half-precision scores would cost accuracy in the softmax and gain nothing.
        dtype = keras.backend.result_type(encoder.compute_dtype, "float32")
        widen = keras.layers.Activation("linear", dtype=dtype, name=_WIDEN)
        outputs = {name: widen(value) for name, value in outputs.items()}
        # TensorFlow takes a model's name for a scope's, which can't have a plus.
        name = spec.name.replace("+", "-")
        super().__init__(inputs=images, outputs=outputs, name=name)
        self.spec = spec
        self.encoder = encoder
        self.decoder = decoder
        self.upsampling = upsampling
        self.loss_resolution = loss_resolution
        self.loss_weights = dict(loss_weights)
        self.num_classes = spec.num_classes
        self.scales = scales and tuple(scales)
        self.output_stride = encoder.output_stride
        self.size_period = size_period(encoder.output_stride, scales)
        self._config = config

    def upsample(self, logits: Tensor, size: Size) -> Tensor:
        """Logits at the size of the images that they came from, in the model's published way.

        Args:
            logits: [N, h, w, C].
            size: (H, W) of the images. "zero_border" multiplies by the output stride and crops to
                it; the others resize to it, and to any other size.

        Returns:
            [N, H, W, C].
        """
        if self.upsampling == "zero_border":
            return upsample_zero_border(logits, self.output_stride)[:, : size[0], : size[1]]
        return resize_legacy(logits, size) if self.upsampling == "legacy" else resize(logits, size)

    def probabilities(self, images: Tensor, size: Size | None = None) -> Tensor:
        """Softmax over the classes at `size` (default: the images' own).

        Args:
            images: normalised floats [N, H, W, C].
            size: (height, width) of the result.

        Returns:
            float32 [N, height, width, num_classes], each pixel summing to one.
        """
        own_size = ops.shape(images)[1:3]
        logits = self(images, training=False)["logits"]
        if self.upsampling != "zero_border":
            return ops.softmax(self.upsample(logits, own_size if size is None else size))
        probabilities = ops.softmax(self.upsample(logits, own_size))
        return probabilities if size is None else resize(probabilities, size)

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, **options: Any
    ) -> None:
        """For Keras' own `fit` and `evaluate`, with label maps [N, H, W] at the images' size.

            model.compile(
                "adamw",
                loss=tfseg.losses.SegmentationLoss(),
                metrics=[tfseg.metrics.MeanIoU(11)],
            )

        A loss sees each map of `loss_weights` and the labels at one size, as the model's own
        training does, and counts by the map's weight; a metric sees the logits at the labels' size.

        Args:
            optimizer, **options: as in Keras.
            loss: of labels [N, h, w] and logits [N, h, w, C]: `tfseg.losses.SegmentationLoss`, or
                one of Keras' for logits. Where it is a dict, labels are Keras' own business.
            metrics: likewise, as a list or {"logits": …}.
        """
        if loss is not None and not isinstance(loss, Mapping):
            loss = dict.fromkeys(self.loss_weights, loss)
            options.setdefault("loss_weights", dict(self.loss_weights))
        if isinstance(metrics, Mapping) and list(metrics) == ["logits"]:
            metrics = metrics["logits"]
            # Keras takes one by itself in dicts alone.
            if metrics is not None and not isinstance(metrics, list | tuple):
                metrics = [metrics]
        super().compile(optimizer, loss, metrics=metrics, **options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Keras' hook: a model from a .keras file is compiled as it was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Keras' hook: the loss of one label map for all maps of `loss_weights`."""
        if y is None or isinstance(y, Mapping):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        pairs = {name: self._at_one_size(y, y_pred[name]) for name in self.loss_weights}
        labels, maps = ({name: pair[i] for name, pair in pairs.items()} for i in (0, 1))
        return super().compute_loss(x, labels, maps, sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Keras' hook: metrics of the logits at the labels' size."""
        if not isinstance(y, Mapping):
            size = ops.shape(y)[1:3]
            y_pred = self.upsample(y_pred["logits"], (size[0], size[1]))
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def get_metrics_result(self) -> dict[str, Any]:
        """Keras' hook: metrics by their own names; Keras 3.12 puts an output's before them."""
        found = super().get_metrics_result()
        return {name.removeprefix(f"{_WIDEN}_"): value for name, value in found.items()}

    def _at_one_size(self, labels: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        labels = ops.convert_to_tensor(labels)
        if self.loss_resolution == "labels":
            size = ops.shape(labels)[1:3]
            return labels, self.upsample(maps, (size[0], size[1]))
        size = ops.shape(maps)[1:3]
        return resize_labels(labels, (size[0], size[1]), self.upsampling == "legacy"), maps

    def get_config(self) -> dict[str, Any]:
        return {
            "recipe": self.spec.to_dict(),
            "precision": precision_of(self),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            **self._config,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "Segmenter":
        config = dict(config)
        with precision(config.pop("precision")):
            if "recipe" not in config:  # files of version 0.1.0
                return ModelSpec.from_dict({**config, "preprocessing": None}).build()
            spec = ModelSpec.from_dict(config.pop("recipe"))
            for part in ("encoder", "decoder"):
                config[part] = restore(config[part], custom_objects)
            return cls(spec=spec, **config)
