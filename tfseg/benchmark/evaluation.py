"""How fast an evaluation is, from files to scores and pictures, and what part of it is the network.

The rest is what decoding, resizing, upsampling, argmax, counting and PNG files cost where they
don't go on beside the network.
"""

import collections
import os
import statistics
import tempfile
import time

import tensorflow as tf

from tfseg import models
from tfseg.data.pipelines.natural import read_sizes
from tfseg.evaluation import Evaluator
from tfseg.inference.predictor import Predictor
from tfseg.reports.gallery import Gallery
from tfseg.reports.panels import PanelWriter


def create_predictor(spec, protocol=None, precision="float32"):
    """A `Predictor` with fresh weights, its batch norms folded as evaluations have them.

    Args:
        spec: the `ModelSpec`.
        protocol: a `tfseg.inference.Protocol`; default the images as they are.
        precision: the network's arithmetic, one of `tfseg.models.PRECISIONS`.

    Raises:
        TfsegError: there is no such model, option or precision.
    """
    with models.precision(precision):
        return Predictor(spec, models.fold(spec.build()), protocol)


def measure_evaluation(predictor, image_list, info, repeats=3):
    """Times an evaluation that also writes a picture of each image, and its network alone.

    Args:
        predictor: a `Predictor`.
        image_list: an `ImageList` with labels; what they say doesn't matter.
        info: the `DataInfo` that goes with it.
        repeats: how often both are timed, in turn.

    Returns:
        A dict with the medians "images_per_second" of the evaluation and "network_share" (0..1),
        the network's time as a share of the evaluation's.

    Raises:
        TfsegError: a file that can't be used.
    """
    labels = {"label_map": info.label_map, "ignore_label": info.ignore_label}
    evaluator = Evaluator(
        predictor.model, predictor.spec.preprocessing, protocol=predictor.protocol, **labels
    )
    evaluator(image_list.first(1))
    network = _Network(predictor, image_list)
    wholes, shares = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        _evaluate(evaluator, image_list, predictor.palette)
        wholes.append(time.perf_counter() - start)
        shares.append(network.seconds() / wholes[-1])
    return {
        "images_per_second": len(image_list) / statistics.median(wholes),
        "network_share": statistics.median(shares),
    }


def _evaluate(evaluator, image_list, palette):
    gallery = Gallery(image_list.names, palette)
    with (
        tempfile.TemporaryDirectory() as folder,
        PanelWriter(image_list, os.path.join(folder, "panels"), palette) as panels,
    ):

        def show(predicted):
            gallery(predicted)
            panels(predicted)

        evaluator(image_list, on_prediction=show)


class _Network:
    """The network alone, on images of the sizes that an evaluation shows it."""

    def __init__(self, predictor, image_list):
        images = tf.TensorSpec([None, None, None, 3])
        model, protocol = predictor.model, predictor.protocol
        self._call = tf.function(
            lambda x: model(x, training=False)["logits"],
            input_signature=[images],
            autograph=False,
        )
        self._counts = collections.Counter()
        for own in read_sizes(image_list):
            sizes = [tuple(size.numpy().tolist()) for size in protocol.sizes(tf.constant(own))]
            self._counts.update(sizes[number] for number, _ in protocol.views)

    def seconds(self):
        """How long it takes for as many images of each size as the evaluation shows."""
        total = 0.0
        for size, count in self._counts.items():
            image = tf.random.stateless_normal((1, *size, 3), [0, 1])
            self._call(image)
            start = time.perf_counter()
            for _ in range(count):
                # One number is fetched, to wait until the device is done.
                float(self._call(image)[0, 0, 0, 0])
            total += time.perf_counter() - start
        return total
