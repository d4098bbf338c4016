"""The smallest decoder: one 1x1 convolution on the encoder's output."""

import keras

from tfseg.layers import Conv2D


@keras.saving.register_keras_serializable("tfseg")
class Linear(keras.layers.Layer):
    """A 1x1 convolution to class scores, as DRN segmenters end (DRN paper, section 5.3).

    Args:
        num_classes: output channels.

    Input: the encoder's dict of features. Output {"logits": [N, h, w, num_classes]} at the
    resolution of the last feature map.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.classifier = Conv2D(
            num_classes, 1, use_bias=True, dtype=self.dtype_policy, name="classifier"
        )

    def build(self, input_shape):
        self.classifier.build(_last(input_shape))

    def call(self, features):
        return {"logits": self.classifier(_last(features))}

    def compute_output_shape(self, input_shape):
        return {"logits": self.classifier.compute_output_shape(_last(input_shape))}

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


def _last(features):
    return features[list(features)[-1]]
