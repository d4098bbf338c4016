"""Transforms that mix samples: see `tfseg.data.augment.TransformRow` for their arguments."""

import tensorflow as tf

from tfseg.data.augment.photometric import rectangle, uniform


def cutmix(image, label, key, strength, partner):
    """With probability `strength`, the partner's pixels and labels in a rectangle (Yun et al.,
    "CutMix", ICCV 2019, section 3.1, with alpha = 1; label maps as in French et al.,
    "Semi-supervised semantic segmentation needs strong, varied perturbations", BMVC 2020).

    The rectangle has the sample's proportions, a share of its area drawn uniformly from 0 to 1,
    and its centre anywhere, so that it may reach over the edge.
    """
    u = uniform([4], key)
    size = tf.cast(tf.shape(label), tf.float32)
    sides = size * tf.sqrt(u[1])
    inside = rectangle(tf.shape(label), u[2:4] * size - sides / 2, sides)

    def mixed():
        other_image, other_label = partner()
        return (
            tf.where(inside[..., None], other_image, image),
            tf.where(inside, other_label, label),
        )

    return tf.cond(u[0] < strength, mixed, lambda: (image, label))
