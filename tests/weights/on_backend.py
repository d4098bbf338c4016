"""What `test_backends` does with networks; also a script for other backends, without TensorFlow.

KERAS_BACKEND=jax python on_backend.py FOLDER CASES    (JSON; see `main`)
"""

import contextlib
import json
import sys

if __name__ == "__main__":
    sys.modules["tensorflow"] = None

import keras
import numpy as np

import tfseg


def forward(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False)["logits"])


@contextlib.contextmanager
def double_precision():
    """Everything in float64, in which backends differ by rounding that no network makes visible.

    In float32 a unit next to zero is on under one backend and off under another, and the batch
    norm of a pooled grid of a few cells divides by a variance that is rounding for the most part.
    """
    from keras.src.backend.common import dtypes

    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    # Keras computes means and variances in the common type of the input and float32, and takes
    # float32 for that of float64 where the backend isn't TensorFlow.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def train(name, options, weights, images, labels):
    """What one step of gradient descent adds to each variable, and the loss; float64."""
    with double_precision():
        model = tfseg.create_model(name, 3, **options)
        tfseg.load_weights(model, weights)
        before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]
        model.compile(keras.optimizers.SGD(1.0), tfseg.losses.SegmentationLoss())
        result = {"loss": np.asarray(model.train_on_batch(images.astype("float64"), labels))}
    for variable, old in zip(model.variables, before, strict=True):
        result[variable.path] = keras.ops.convert_to_numpy(variable) - old
    return result


def main(folder, cases):
    """Writes forward.npz and train-0.npz, … into the folder where the models' weights lie.

    Args:
        folder: also has images.npy and labels.npy.
        cases: JSON: [[[model, options], …], [classifier, classes, options], how many to train].
    """
    families, (name, classes, options), trained = json.loads(cases)
    images, labels = (np.load(f"{folder}/{kind}.npy") for kind in ("images", "labels"))
    outputs = {}
    for number, (family, settings) in enumerate(families):
        model = tfseg.create_model(family, 3, **settings)
        tfseg.load_weights(model, f"{folder}/{number}.weights.h5")
        outputs[f"{family} {number}"] = first = forward(model, images)
        model.save(f"{folder}/model.keras")
        again = keras.models.load_model(f"{folder}/model.keras")
        np.testing.assert_array_equal(forward(again, images), first)

    classifier = tfseg.create_classifier(name, classes, **options)
    tfseg.load_weights(classifier, f"{folder}/classifier.pth")
    outputs["classifier"] = forward(classifier, images)
    try:
        tfseg.load_weights(classifier, f"{folder}/tf1.ckpt.index")
    except tfseg.TfsegError as error:
        assert "a checkpoint of TensorFlow needs it" in str(error), error
    np.savez(f"{folder}/forward.npz", **outputs)

    for number, (family, settings) in enumerate(families[:trained]):
        step = train(family, settings, f"{folder}/{number}.weights.h5", images, labels)
        np.savez(f"{folder}/train-{number}.npz", **step)
    assert sys.modules["tensorflow"] is None


if __name__ == "__main__":
    main(*sys.argv[1:])
