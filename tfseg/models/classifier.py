"""Image classifiers over the same encoders."""

import keras
from keras import ops

from tfseg.layers import Conv2D
from tfseg.models.parts import classifier_parts
from tfseg.models.precisions import precision, precision_of


@keras.saving.register_keras_serializable("tfseg")
class Classifier(keras.Model):
    """An encoder, global average pooling, and a linear layer.

    ``model(images)`` takes normalised float images [N, H, W, 3] and returns {"logits": float32
    [N, num_classes]}. Made by `tfseg.create_classifier`, whose arguments are its config.

    Args:
        encoder: an `Encoder`.
        config: the arguments of `create_classifier`: "model", "num_classes", "options".
    """

    def __init__(self, encoder, config):
        images = keras.Input((None, None, 3), name="images")
        features = encoder(images)[encoder.pyramid[-1]]
        # A 1x1 convolution rather than a dense layer, so that the same weights also give the
        # class activation map (see `activation_maps`).
        classifier = Conv2D(config["num_classes"], 1, use_bias=True, name="classifier")
        pooled = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(features)
        logits = keras.layers.Flatten(dtype="float32", name="logits")(classifier(pooled))
        super().__init__(inputs=images, outputs={"logits": logits}, name=config["model"])
        self.encoder = encoder
        self.classifier = classifier
        self.num_classes = config["num_classes"]
        self.output_stride = encoder.output_stride
        self._config = config

    @property
    def name_and_options(self):
        """(name, options) that `create_classifier` made this model from."""
        return self._config["model"], dict(self._config["options"])

    def activation_maps(self, images):
        """Class scores at every position: the classifier without its pooling.

        DRN paper, section 3. Input [N, H, W, 3] normalised, output float32
        [N, ceil(H / stride), ceil(W / stride), num_classes].
        """
        features = self.encoder(images, training=False)[self.encoder.pyramid[-1]]
        return ops.cast(self.classifier(features), "float32")

    def get_config(self):
        return {**self._config, "precision": precision_of(self)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with precision(config["precision"]):
            return cls(
                **classifier_parts(config["model"], config["num_classes"], config["options"])
            )
