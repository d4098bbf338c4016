"""The effective receptive field: which inputs an output really depends on, and its gridding.

Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks",
NIPS 2016, section 2; of smoothed dilated convolutions: Wang and Ji, "Smoothed Dilated Convolutions
for Improved Dense Prediction", KDD 2018.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from PIL import Image

from tfseg.errors import TfsegError, unknown
from tfseg.layers import DilatedConv2D, sublayers
from tfseg.visualize import heat, panel

IMAGES = "images"


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """How much one output depends on each input.

    Attributes:
        mass: float64 [h, w], non-negative, summing to one.
        centre: (row, column) of the input that the output lies on.
    """

    mass: np.ndarray
    centre: tuple

    def radius(self, share=0.95):
        """The radius, in inputs, of the smallest disc about the centre with `share` of the mass."""
        rows, columns = np.indices(self.mass.shape)
        distance = np.hypot(rows - self.centre[0], columns - self.centre[1]).ravel()
        order = np.argsort(distance, kind="stable")
        within = np.cumsum(self.mass.ravel()[order])
        return float(distance[order][np.searchsorted(within, share * within[-1])])

    def gridding(self, period):
        """The gridding index at a dilation rate: the energy at its own frequencies.

        It is the mean of the spectrum's energy at the multiples of 1 / period along both axes,
        zero frequency left out, as a share of the energy at zero. These are the frequencies at
        which a grid of that spacing repeats a smooth field's spectrum: 0 if all period x period
        phases have the same mass, 1 if one of them has all of it, whatever the field's outline.

        Args:
            period: an int above 1, in inputs.
        """
        # By Parseval's theorem it is the variance of the phases' masses.
        phases = np.array(
            [self.mass[i::period, j::period].sum() for i in range(period) for j in range(period)]
        )
        return float((period**2 * np.sum(phases**2) - 1) / (period**2 - 1))


def receptive_field(model, batches, output="logits", source=IMAGES):
    """The receptive field of the middle output: its mean absolute gradient for every input.

    Args:
        model: a `Segmenter` or an `Encoder`.
        batches: iterable of normalised images, float32 [N, H, W, 3], all of one size.
        output: a feature of the encoder such as "stage4", or an output of the decoder; the
            gradient is that of the sum of its channels.
        source: "images", or a feature of the encoder that `output` is computed from.

    Returns:
        A `ReceptiveField` of the source's size.

    Raises:
        TfsegError: the model has no such output or source, or the one doesn't depend on the other.
    """
    encoder = getattr(model, "encoder", model)
    total = 0.0
    for images in batches:
        images = tf.convert_to_tensor(images)
        with tf.GradientTape() as tape:
            tape.watch(images)
            features = encoder(images, training=False)
            outputs = features
            if model is not encoder:
                outputs = {**features, **model.decoder(features, training=False)}
            if output not in outputs:
                raise unknown("output", output, outputs)
            if source not in (IMAGES, *features):
                raise unknown("source", source, [IMAGES, *features])
            inputs, maps = {IMAGES: images, **features}[source], outputs[output]
            middle = [length // 2 for length in maps.shape[1:3]]
            score = tf.reduce_sum(maps[:, middle[0], middle[1]])
        gradient = tape.gradient(score, inputs)
        if gradient is None:
            raise TfsegError(f"{output} is not computed from {source}")
        total = total + np.abs(gradient.numpy().astype(np.float64)).sum((0, 3))
    # Output i lies on input i * stride; a map's size is its input's by the stride, rounded up.
    strides = [round(a / b) for a, b in zip(inputs.shape[1:3], maps.shape[1:3], strict=True)]
    centre = tuple(i * stride for i, stride in zip(middle, strides, strict=True))
    if not total.sum():
        raise TfsegError(f"the middle of {output} has no gradient: all its units are off")
    return ReceptiveField(total / total.sum(), centre)


def dilation_periods(model, source=IMAGES):
    """The encoder's dilation rates above 1, in pixels of `source`, ascending."""
    encoder = getattr(model, "encoder", model)
    stride = encoder.output_stride // (1 if source == IMAGES else encoder.strides[source])
    layers = sublayers(encoder)
    rates = {layer.dilation_rate for layer in layers if isinstance(layer, DilatedConv2D)}
    return [rate * stride for rate in sorted(rates)]


def picture(fields, titles, reach, columns=4, side=240):
    """Receptive fields side by side, each scaled to its own maximum.

    Colours stand for the fourth root of the mass: a field falls off by orders of magnitude.

    Args:
        fields: `ReceptiveField`s.
        titles: one for each.
        reach: inputs shown on each side of the centre.
        columns: pictures in a row.
        side: their height and width in pixels.

    Returns:
        uint8 [H, W, 3].
    """
    tiles = [_draw(field, reach, side) for field in fields]
    blank = np.full((side, side, 3), 255, np.uint8)
    rows = []
    for start in range(0, len(tiles), columns):
        missing = columns - len(tiles[start : start + columns]) if start else 0
        row = tiles[start : start + columns] + [blank] * missing
        rows.append(panel(row, [*titles[start : start + columns], *[""] * missing]))
    return np.concatenate(rows)


def _draw(field, reach, side):
    padded = np.pad(field.mass, reach)
    row, column = field.centre
    window = padded[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
    colours = heat((window / window.max()) ** 0.25)
    image = Image.fromarray(np.rint(colours).astype(np.uint8))
    return np.asarray(image.resize((side, side), Image.Resampling.NEAREST))
