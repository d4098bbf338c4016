"""The parts of a benchmark by name, each a function that measures it when `run` calls it."""

import time

import numpy as np
import tensorflow as tf

from tfseg import models
from tfseg.benchmark.speed import (
    TRAINING_FACTOR,
    count_flops,
    create_forward,
    create_train_step,
    measure,
    measure_input,
    measure_requests,
    measure_waiting,
)
from tfseg.data import pipeline_errors, train_dataset
from tfseg.inference import Inference
from tfseg.inference.predictor import Predictor
from tfseg.serving import read_card


def network_parts(
    spec, size, batch_size, *, precision="float32", xla=False, repeats=20, requests=0
):
    """A model with fresh weights on random images: forward pass, inference and training step.

    Args:
        spec: the `ModelSpec`.
        size: (height, width) of the images.
        batch_size: images per call.
        precision: the network's arithmetic, one of `tfseg.models.PRECISIONS`.
        xla: compile the forward passes and the training step with XLA; "inference" is left out.
        repeats: timed calls of each part.
        requests: above 0, a part more: so many predictions at once, see `measure_requests`.

    Returns:
        {name: function without arguments that returns a dict of numbers}, and the training step
        as a function of (images, labels).

    Raises:
        TfsegError: there is no such model, option or precision.
    """
    with models.precision(precision):
        model = spec.build()
    shape = (batch_size, *size)
    specs = (tf.TensorSpec((*shape, 3), tf.float32), tf.TensorSpec(shape, tf.int32))
    images = tf.random.stateless_normal((*shape, 3), [0, 1])
    labels = tf.random.stateless_uniform(shape, [0, 2], maxval=spec.num_classes, dtype=tf.int32)
    forward, folded = (create_forward(m, specs[0], xla) for m in (model, models.fold(model)))
    inference = tf.function(Inference(model).labels, input_signature=specs[:1], autograph=False)
    step = create_train_step(model, specs, precision, xla)
    gflop = count_flops(forward, specs[0]) / 1e9

    def part(call, work):
        return lambda: measure(call, batch_size, work, repeats)

    parts = {
        "forward": part(lambda: forward(images), gflop),
        "forward, folded": part(lambda: folded(images), gflop),
    }
    if not xla:  # It has loops of a length that XLA isn't told.
        parts["inference"] = part(lambda: inference(images), gflop)
    parts["training"] = part(lambda: step(images, labels), TRAINING_FACTOR * gflop)
    return parts | _request_parts(Predictor(spec, model).predict, size, requests), step


def saved_model_parts(folder, size, batch_size, *, repeats=20, requests=0):
    """A SavedModel on random images, from bytes to labels.

    It is loaded here and not when the parts are measured, as only a first answer is a first one.

    Args:
        folder: what `tfseg.export` wrote.
        size, batch_size, repeats, requests: as in `network_parts`.

    Returns:
        {name: function without arguments that returns a dict of numbers}, and what the SavedModel
        says of itself; see `read_card`.

    Raises:
        TfsegError: the folder holds no export.
    """
    card = read_card(folder)
    model = models.create_model(card["model"], card["num_classes"], **card["options"])
    shape = (batch_size, *size, 3)
    element_spec = tf.TensorSpec(shape)
    gflop = count_flops(create_forward(model, element_spec), element_spec) / 1e9
    images = tf.cast(tf.random.stateless_uniform(shape, [0, 1], 0, 256, tf.int32), tf.uint8)
    start = time.perf_counter()
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    signature(images=images)
    first = {"median_ms": 1e3 * (time.perf_counter() - start)}

    def answer(image):
        return signature(images=tf.constant(image[None]))["labels"].numpy()

    parts = {
        "load and first answer": lambda: first,
        "labels": lambda: measure(
            lambda: signature(images=images)["labels"], batch_size, gflop, repeats
        ),
    }
    return parts | _request_parts(answer, size, requests), card


def data_parts(
    image_list,
    info,
    spec,
    augmentation,
    batch_size,
    *,
    step=None,
    cache=False,
    transforms="",
    repeats=20,
):
    """The input pipeline of a training, alone and feeding the training step.

    Args:
        image_list: an `ImageList` with labels.
        info: the `DataInfo` that goes with it.
        spec: the `ModelSpec` of the model that is trained.
        augmentation: an `Augmentation`, which crops to the size that `step` takes.
        batch_size: images per batch.
        step: the training step that `network_parts` returned; None for the pipeline alone.
        cache: keep the decoded images in memory.
        transforms: what is done to the samples then; see `tfseg.data.augment`.
        repeats: timed steps; the pipeline alone is timed for 500 images or more.

    Returns:
        {name: function without arguments that returns a dict of numbers}.

    Raises:
        TfsegError: a file that can't be used, here or while a part is measured.
    """
    guarded = pipeline_errors(image_list)
    dataset = guarded(train_dataset)(
        image_list,
        augmentation,
        spec.preprocessing,
        num_classes=spec.num_classes,
        batch_size=batch_size,
        seed=0,
        block=(0, 1, batch_size),
        label_map=info.label_map,
        ignore_label=info.ignore_label,
        cache=cache,
        transforms=transforms,
    )
    batches = max(repeats, 500 // batch_size)
    parts = {"input": guarded(lambda: measure_input(dataset, batch_size, batches))}
    if step:
        parts["training with input"] = guarded(lambda: measure_waiting(step, dataset, repeats))
    return parts


def _request_parts(answer, size, requests):
    """The part that asks `answer`, as in `measure_requests`, about random images; {} for none."""
    if not requests:
        return {}
    images = np.random.default_rng(0).integers(0, 256, (4, *size, 3), np.uint8)
    return {f"{requests} requests": lambda: measure_requests(answer, images, requests)}
