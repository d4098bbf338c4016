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

import common
import protocol
from absl import flags

from tfseg import benchmark, machine
from tfseg.benchmark import dilated
from tfseg.data import Augmentation, DataInfo, read_split
from tfseg.files import write_json
from tfseg.models import PRECISIONS, ModelSpec, Preprocessing, precision
from tfseg.reports import summary
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


def model_spec(info):
    """The `ModelSpec` that the flags and a `DataInfo`, or None, state."""
    return ModelSpec(
        FLAGS.model,
        FLAGS.num_classes or len((info and info.classes) or range(19)),
        common.parse_options(FLAGS.model_option),
        Preprocessing(mean=info.mean, std=info.std) if info else Preprocessing(),
    )


def saved_model_parts(size):
    """({name: part}, facts) of --saved_model."""
    counts = {"repeats": FLAGS.repeats, "requests": FLAGS.requests}
    parts, card = benchmark.saved_model_parts(FLAGS.saved_model, size, FLAGS.batch_size, **counts)
    return parts, {name: card[name] for name in ("model", "num_classes", "precision")}


def model_parts(size):
    """({name: part}, facts) of --model, and of the input pipeline if there is --data_dir."""
    info = DataInfo.load(FLAGS.data_dir) if FLAGS.data_dir else None
    spec = model_spec(info)
    image_list = read_split(FLAGS.data_dir, FLAGS.split) if info else None
    parts, step = benchmark.network_parts(
        *(spec, size, FLAGS.batch_size),
        precision=FLAGS.precision,
        repeats=FLAGS.repeats,
        requests=FLAGS.requests,
    )
    if info:
        scales = numbers("random_scale", FLAGS.random_scale, float)
        augmentation = Augmentation(size, scales, FLAGS.random_rotate, FLAGS.mirror)
        parts |= benchmark.data_parts(
            *(image_list, info, spec, augmentation, FLAGS.batch_size),
            step=step,
            cache=FLAGS.cache,
            repeats=FLAGS.repeats,
        )
    facts = {name: FLAGS[name].value for name in ("model", "model_option", "data_dir")}
    return parts, {**facts, "num_classes": spec.num_classes, "precision": FLAGS.precision}


def time_parts(size):
    parts, facts = saved_model_parts(size) if FLAGS.saved_model else model_parts(size)
    settings = {"image_size": FLAGS.image_size, "batch_size": FLAGS.batch_size, **facts}
    results, peaks = benchmark.run(parts, settings["precision"])
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
    return {"peak_gflop_per_second": peaks, "settings": settings, "parts": results}


def time_evaluation():
    common.require("data_dir")
    info = DataInfo.load(FLAGS.data_dir)
    image_list = read_split(FLAGS.data_dir, FLAGS.split).first(FLAGS.images)
    spec = model_spec(info)
    predictor = benchmark.create_predictor(spec, protocol.read(), FLAGS.precision)
    values = benchmark.measure_evaluation(predictor, image_list, info, FLAGS.repeats)
    facts = predictor.inference.protocol
    print(f"{spec.name}, {spec.num_classes} classes, {len(image_list)} images of {FLAGS.data_dir}")
    print(summary.plain(facts))
    print(
        f"from files to scores and pictures: {values['images_per_second']:.3f} images/s, "
        f"{values['network_share']:.1%} of the time in the network"
    )
    return {"protocol": facts, "images": len(image_list), **values}


def compare_dilated_layers():
    with precision(FLAGS.precision):
        results = dilated.measure_layers(repeats=FLAGS.repeats)
    print(dilated.table(results))
    return {"dilated_layers": results}


def main():
    size = height_width("image_size", FLAGS.image_size)
    if FLAGS.dilated_layers:
        values = compare_dilated_layers()
    elif FLAGS.evaluation:
        values = time_evaluation()
    else:
        values = time_parts(size)
    if FLAGS.output:
        write_json(FLAGS.output, {"machine": machine.describe(), **values})
        print(f"\nwritten to {FLAGS.output}")


if __name__ == "__main__":
    common.run(main)
