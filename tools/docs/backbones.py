"""Prints what Keras' backbones cost, and that they work, as a table for the documentation.

    python tools/docs/backbones.py --data_dir=data/camvid240 > table.md

A row has the encoder at output stride 8 with random weights: its parameters, the operations of one
512x512 image, how far its features lie from those of the strided network where both exist (as a
share of their spread; gates over the whole map are held fixed, for they average a denser map), and
an epoch of training on the data set under DeepLab v3+, with the loss of its first and last updates.
"""

import argparse
import csv
import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf

import tfseg
from tfseg.benchmark import count_flops
from tfseg.encoders import ENCODERS

OUTPUT_STRIDE = 8
SIZE = 512
# Images for the comparison: a whole number of the coarsest stride's cells.
COMPARED_SIZE = 192


def fixed_gate(layer, maps):
    """In place of a global average: a constant, so that gates are the same at every stride."""
    return keras.ops.ones_like(maps[:, :1, :1] if layer.keepdims else maps[:, 0, 0]) * 0.5


def randomize(model):
    """Weights with which every layer matters, and values keep their size."""
    generator = np.random.default_rng(0)
    for variable in model.variables:
        shape = tuple(variable.shape)
        if "variance" in variable.path:
            variable.assign(generator.uniform(0.5, 1.5, shape))
        elif len(shape) == 1:
            offset = 0.7 if "gamma" in variable.path else 0.0
            variable.assign(offset + 0.1 * generator.standard_normal(shape))


def largest_difference(strided, dense):
    """Of dense features, subsampled, from the strided ones, as a share of the latter's spread."""
    shape = (1, COMPARED_SIZE, COMPARED_SIZE, 3)
    images = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    sparse, full = strided(images), dense(images)
    found = []
    for name, stride in strided.strides.items():
        step = stride // dense.strides[name]
        one, other = np.asarray(sparse[name]), np.asarray(full[name])[:, ::step, ::step]
        found.append(np.abs(one - other).max() / one.std())
    return max(found)


def consistency(name):
    """`largest_difference` of a row from its own strided network, with the same weights."""
    average = keras.layers.GlobalAveragePooling2D.call
    keras.layers.GlobalAveragePooling2D.call = fixed_gate
    try:
        strided = tfseg.create_encoder(name)
        dense = tfseg.create_encoder(name, output_stride=OUTPUT_STRIDE)
        randomize(strided)
        for source, target in zip(strided.variables, dense.variables, strict=True):
            target.assign(source)
        return largest_difference(strided, dense)
    finally:
        keras.layers.GlobalAveragePooling2D.call = average


def cost(name):
    """Parameters, and operations of one image in 1e9."""
    encoder = tfseg.create_encoder(name, output_stride=OUTPUT_STRIDE)
    specification = tf.TensorSpec((1, SIZE, SIZE, 3))
    flops = count_flops(lambda x: encoder(x, training=False), specification)
    return encoder.count_params(), flops / 1e9


def epoch(name, data_dir, crop_size):
    """Trains one epoch; the losses of its first and last rows."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tfseg", "train", f"--data_dir={data_dir}"]
        command += [f"--model={name}+deeplab_v3plus", f"--run_dir={folder}", "--epochs=1"]
        command += [f"--model_option=output_stride={OUTPUT_STRIDE}", f"--crop_size={crop_size}"]
        command += ["--batch_size=8", "--learning_rate=0.005", "--log_every=5"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        with (pathlib.Path(folder) / "log.csv").open() as file:
            losses = [float(row["loss_average"]) for row in csv.DictReader(file)]
    return losses[0], losses[-1]


def main():
    """Prints a row for each encoder of Keras Applications, or for those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--crop_size", type=int, default=96)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    rows = arguments.names or [name for name, row in ENCODERS.items() if row.application]
    print(f"| encoder | stride | parameters | GFLOP at {SIZE}x{SIZE} | consistency | loss |")
    print("|---|---:|---:|---:|---:|---|")
    for name in rows:
        parameters, gflop = cost(name)
        difference = consistency(name)
        first, last = epoch(name, arguments.data_dir, arguments.crop_size)
        print(
            f"| `{name}` | {OUTPUT_STRIDE} | {parameters / 1e6:.1f} M | {gflop:.1f} "
            f"| {difference:.0e}".replace("0e+00", "0")
            + f" | {first:.2f} to {last:.2f} |",
            flush=True,
        )
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
