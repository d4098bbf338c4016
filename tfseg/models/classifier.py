"""Image classifiers over the same encoders."""

from typing import Any

import keras
from keras import ops

from tfseg.layers import Conv2D
from tfseg.models.nested import restore
from tfseg.models.precisions import precision, precision_of
from tfseg.models.spec import ModelSpec
from tfseg.models.unquantized import Unquantized
from tfseg.types import Tensor


@keras.saving.register_keras_serializable("tfseg")
class Classifier(Unquantized, keras.Model):
    """An encoder, global average pooling, and a linear layer.

    ``model(images)`` takes normalised float images [N, H, W, C] and returns {"logits": float32
    [N, num_classes]}. Made by `tfseg.create_classifier`.

    Args:
        encoder: an `Encoder`.
        spec: the `ModelSpec` of its recipe.
    """

    def __init__(self, encoder: Any, spec: ModelSpec):
        images = keras.Input(encoder.input_shape[1:], name="images")
        features = encoder(images)[encoder.pyramid[-1]]
        # A 1x1 convolution rather than a dense layer, so that the same weights also give the
        # class activation map (see `activation_maps`).
        classifier = Conv2D(spec.num_classes, 1, use_bias=True, name="classifier")
        pooled = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(features)
        logits = keras.layers.Flatten(dtype="float32", name="logits")(classifier(pooled))
        super().__init__(inputs=images, outputs={"logits": logits}, name=spec.name)
        self.spec = spec
        self.encoder = encoder
        self.classifier = classifier
        self.num_classes = spec.num_classes
        self.output_stride = encoder.output_stride

    def activation_maps(self, images: Tensor) -> Tensor:
        """Class scores at every position: the classifier without its pooling.

        DRN paper, section 3. Input [N, H, W, C] normalised, output float32
        [N, ceil(H / stride), ceil(W / stride), num_classes].
        """
        features = self.encoder(images, training=False)[self.encoder.pyramid[-1]]
        return ops.cast(self.classifier(features), "float32")

    def get_config(self) -> dict[str, Any]:
        return {
            "recipe": self.spec.to_dict(),
            "precision": precision_of(self),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "Classifier":
        config = dict(config)
        with precision(config.pop("precision")):
            if "recipe" not in config:  # files of version 0.1.0
                recipe = {**config, "preprocessing": None, "kind": "classifier"}
                return ModelSpec.from_dict(recipe).build()
            encoder = restore(config["encoder"], custom_objects)
            return cls(encoder, ModelSpec.from_dict(config["recipe"]))
