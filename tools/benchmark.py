"""Measures the speed of inference, training step and input pipeline, and their memory.

    python tools/benchmark.py --model=drn_d_22 --num_classes=19 --image_size=256 --batch_size=2
    python tools/benchmark.py … --data_dir=data/camvid --random_scale=0.5,2 --random_rotate=10
    python tools/benchmark.py --evaluation --data_dir=data/camvid --split=val --protocol=drn --flip
    python tools/benchmark.py --dilated_layers --repeats=50

Each speed is also stated as a share of the machine's own: that of a large matrix product, timed
in the same run. --evaluation measures a whole one, from files to scores and pictures, and
how much of it the network takes. --dilated_layers measures no model, but what each way to smooth a
dilated convolution adds to it.
"""

import contextlib
import functools
import time

import common
import numpy as np
import protocol
import tensorflow as tf
from absl import flags

from tfseg import benchmark, benchmark_dilated, create_model, machine, serving
from tfseg.benchmark_evaluation import measure_evaluation
from tfseg.data import Augmentation, DataInfo, pipeline_errors, read_split, train_dataset
from tfseg.evaluation import Inference, report
from tfseg.files import write_json
from tfseg.models import PRECISIONS, ModelSpec, Preprocessing, fold, precision
from tfseg.predictor import Predictor
from tfseg.training.values import height_width, numbers

FLAGS = flags.FLAGS

flags.DEFINE_string("model", "drn_d_22", "Name of the model.")
flags.DEFINE_integer("num_classes", 0, "Classes; 0 for as many as info.json names, or 19.", 0)
common.define_model_option()
flags.DEFINE_string("image_size", "256", "Images and training crops: height,width or one number.")
flags.DEFINE_integer("batch_size", 2, "Images per step.", 1)
flags.DEFINE_enum("precision", "float32", PRECISIONS, "Arithmetic of the network.")
flags.DEFINE_string(
    "saved_model", None, "A folder that tools/export.py wrote: measured in place of --model."
)
common.define_data(split="train")
flags.DEFINE_string("random_scale", "1,1", "Range of the random scale: smallest,largest.")
flags.DEFINE_float("random_rotate", 0.0, "Largest random rotation in degrees.", 0)
flags.DEFINE_bool("mirror", True, "Mirror half of the images.")
flags.DEFINE_bool("cache", False, "Keep the decoded images in memory.")
flags.DEFINE_bool("evaluation", False, "Measure an evaluation of --split of --data_dir.")
protocol.define()
flags.DEFINE_integer("images", 8, "With --evaluation: the first so many images.", 1)
flags.DEFINE_bool("dilated_layers", False, "Compare dilated 3x3 convolutions of 512 channels.")
flags.DEFINE_integer(
    "repeats", 20, "Timed calls of each part; hundreds to tell whether memory grows.", 1
)
flags.DEFINE_integer(
    "requests", 0, "Also ask for so many answers at once, about one image each, and check them.", 0
)
flags.DEFINE_string("output", None, "JSON file for the figures.")


def network_parts(num_classes, size):
    """{name: measurement} of the forward pass, inference and training step; and that step."""
    with precision(FLAGS.precision):
        model = create_model(FLAGS.model, num_classes, **common.parse_options(FLAGS.model_option))
    shape = (FLAGS.batch_size, *size)
    specs = (tf.TensorSpec((*shape, 3), tf.float32), tf.TensorSpec(shape, tf.int32))
    images = tf.random.stateless_normal((*shape, 3), [0, 1])
    labels = tf.random.stateless_uniform(shape, [0, 2], maxval=num_classes, dtype=tf.int32)
    forward, folded = (
        tf.function(lambda x, m=m: m(x, training=False)["logits"], input_signature=specs[:1])
        for m in (model, fold(model))
    )
    inference = tf.function(Inference(model).labels, input_signature=specs[:1])
    step = benchmark.create_train_step(model, specs, FLAGS.precision)
    gflop = benchmark.count_flops(forward, specs[0]) / 1e9

    def part(call, work):
        return lambda: benchmark.measure(call, FLAGS.batch_size, work, FLAGS.repeats)

    predictor = Predictor(ModelSpec(FLAGS.model, num_classes, model.name_and_options[1]), model)
    parts = {
        "forward": part(lambda: forward(images), gflop),
        "forward, folded": part(lambda: folded(images), gflop),
        "inference": part(lambda: inference(images), gflop),
        "training": part(lambda: step(images, labels), benchmark.TRAINING_FACTOR * gflop),
    }
    return parts | request_parts(predictor.predict, size), step


def request_parts(answer, size):
    """{name: measurement} of --requests requests at once; `answer` as in `measure_requests`."""
    if not FLAGS.requests:
        return {}
    images = np.random.default_rng(0).integers(0, 256, (4, *size, 3), np.uint8)
    name = f"{FLAGS.requests} requests"
    return {name: lambda: benchmark.measure_requests(answer, images, FLAGS.requests)}


def saved_model_parts(size):
    """{name: measurement} of a SavedModel, from bytes to labels; and what it says of itself."""
    card = serving.read_card(FLAGS.saved_model)
    model = create_model(card["model"], card["num_classes"], **card["options"])
    shape = (FLAGS.batch_size, *size, 3)
    forward = tf.function(lambda x: model(x, training=False)["logits"])
    gflop = benchmark.count_flops(forward, tf.TensorSpec(shape)) / 1e9
    images = tf.cast(tf.random.stateless_uniform(shape, [0, 1], 0, 256, tf.int32), tf.uint8)
    start = time.perf_counter()
    signature = tf.saved_model.load(FLAGS.saved_model).signatures["serving_default"]
    signature(images=images)
    first = {"median_ms": 1e3 * (time.perf_counter() - start)}
    call = functools.partial(signature, images=images)

    def answer(image):
        return signature(images=tf.constant(image[None]))["labels"].numpy()

    parts = {
        "load and first answer": lambda: first,
        "labels": lambda: benchmark.measure(
            lambda: call()["labels"], FLAGS.batch_size, gflop, FLAGS.repeats
        ),
    }
    return parts | request_parts(answer, size), card


def data_parts(image_list, info, num_classes, step, size):
    """{name: measurement} of the input pipeline, alone and feeding the training step."""
    dataset = train_dataset(
        image_list,
        Augmentation(
            crop_size=size,
            scale_range=numbers("random_scale", FLAGS.random_scale, float),
            rotate=FLAGS.random_rotate,
            mirror=FLAGS.mirror,
        ),
        Preprocessing(mean=info.mean, std=info.std),
        num_classes=num_classes,
        batch_size=FLAGS.batch_size,
        seed=0,
        block=(0, 1, FLAGS.batch_size),
        label_map=info.label_map,
        ignore_label=info.ignore_label,
        cache=FLAGS.cache,
    )
    batches = max(FLAGS.repeats, 500 // FLAGS.batch_size)
    return {
        "input": lambda: benchmark.measure_input(dataset, FLAGS.batch_size, batches),
        "training with input": lambda: benchmark.measure_waiting(step, dataset, FLAGS.repeats),
    }


def time_evaluation():
    """An evaluation with fresh weights, folded as tools/evaluate.py does it."""
    common.require("data_dir")
    info = DataInfo.load(FLAGS.data_dir)
    image_list = read_split(FLAGS.data_dir, FLAGS.split).first(FLAGS.images)
    num_classes = FLAGS.num_classes or len(info.classes or range(19))
    spec = ModelSpec(
        *(FLAGS.model, num_classes, common.parse_options(FLAGS.model_option)),
        preprocessing=Preprocessing(mean=info.mean, std=info.std),
    )
    with precision(FLAGS.precision):
        predictor = Predictor(spec, fold(spec.build()), protocol.read())
    with pipeline_errors(image_list):
        values = measure_evaluation(predictor, image_list, info, FLAGS.repeats)
    print(f"{spec.name}, {num_classes} classes, {len(image_list)} images of {FLAGS.data_dir}")
    print(report.plain(predictor.inference.protocol))
    print(
        f"from files to scores and pictures: {values['images_per_second']:.3f} images/s, "
        f"{values['network_share']:.1%} of the time in the network"
    )
    if FLAGS.output:
        facts = {"protocol": predictor.inference.protocol, "images": len(image_list)}
        write_json(FLAGS.output, {"machine": machine.describe(), **facts, **values})
        print(f"\nwritten to {FLAGS.output}")


def compare_dilated_layers():
    results = benchmark_dilated.measure_layers(repeats=FLAGS.repeats)
    print(benchmark_dilated.table(results))
    if FLAGS.output:
        write_json(FLAGS.output, {"machine": machine.describe(), "dilated_layers": results})
        print(f"\nwritten to {FLAGS.output}")


def main():
    size = height_width("image_size", FLAGS.image_size)
    if FLAGS.dilated_layers:
        with precision(FLAGS.precision):
            return compare_dilated_layers()
    if FLAGS.evaluation:
        return time_evaluation()
    settings = {name: FLAGS[name].value for name in ("image_size", "batch_size")}
    if FLAGS.saved_model:
        parts, card = saved_model_parts(size)
        settings |= {name: card[name] for name in ("model", "num_classes", "precision")}
        results, peaks = benchmark.run(parts, card["precision"])
    else:
        settings |= {name: FLAGS[name].value for name in ("model", "model_option", "data_dir")}
        info = DataInfo.load(FLAGS.data_dir) if FLAGS.data_dir else None
        num_classes = FLAGS.num_classes or len((info and info.classes) or range(19))
        settings |= {"num_classes": num_classes, "precision": FLAGS.precision}
        image_list = read_split(FLAGS.data_dir, FLAGS.split) if info else None
        parts, step = network_parts(num_classes, size)
        with pipeline_errors(image_list) if info else contextlib.nullcontext():
            if info:
                parts.update(data_parts(image_list, info, num_classes, step, size))
            results, peaks = benchmark.run(parts, FLAGS.precision)
    here = machine.describe()
    print(f"{here['processor']}, {here['cores']} cores, TensorFlow {here['tensorflow']}")
    for name in here["accelerators"]:
        print(name)
    print("matrix product: " + ", ".join(f"{k} {v:.1f} GFLOP/s" for k, v in peaks.items()))
    print(
        f"{settings['model']}, {settings['num_classes']} classes, {settings['precision']}, "
        f"batch {FLAGS.batch_size} of {size[0]}x{size[1]}\n"
    )
    print(benchmark.table(results))
    if FLAGS.output:
        values = {"machine": here, "peak_gflop_per_second": peaks, "settings": settings}
        write_json(FLAGS.output, {**values, "parts": results})
        print(f"\nwritten to {FLAGS.output}")


if __name__ == "__main__":
    common.run(main)
