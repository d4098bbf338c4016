"""The smallest decoder: one 1x1 convolution on the encoder's output."""

import keras

from tfseg.decoders.decoder import Decoder, build_chain


@keras.saving.register_keras_serializable("tfseg")
class Linear(Decoder):
    """A 1x1 convolution to class scores.

    DRN segmenters end so (Yu et al., "Dilated Residual Networks", section 5.3), and the network
    whose weights DeepLab v2 starts from on COCO. See `Decoder` for arguments and shapes.
    """

    def __init__(self, num_classes, levels, conv=None, **kwargs):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.classifier = self._classifier()

    def build(self, input_shape):
        build_chain([self.classifier], self.channels(input_shape))

    def call(self, features):
        return {"logits": self.classifier(features[self.levels[-1]])}
