"""A trained model as an ONNX file, for onnxruntime and what else reads it."""

import json
import logging

import numpy as np
import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.files import replacing
from tfseg.serving.card import model_card
from tfseg.serving.compare import compare
from tfseg.serving.signatures import Answers, exportable, input_of
from tfseg.serving.to_saved_model import check_image_size
from tfseg.serving.verify import check

# The first with everything that tfseg's models need.
OPSET = 17


def export_onnx(source, path, *, image_size=None, data=None):
    """Writes an ONNX file and checks it with onnxruntime.

    Its input "images", uint8 RGB [N, H, W, 3] (of other images than 8-bit RGB, see
    `tfseg.serving.signatures.input_of`), with axes of any size called "batch", "height" and
    "width", becomes "labels", uint8 [N, H, W], and "probabilities", float32 [N, H, W, C]. The
    metadata entry "tfseg" is a JSON text that says what the model is; see `model_card`. Unlike a
    SavedModel it does not refuse large images.

    Args:
        source: a `Predictor`, or what `tfseg.load` takes.
        path: of the file. It appears when it is complete and checked.
        image_size: the (height, width) that images have to have; None for any.
        data: see `export`.

    Returns:
        As `export` does.

    Raises:
        TfsegError: the packages of the extra [onnx] are missing, the model can't be loaded or
            refines by a CRF, the file can't be written, or it computes something else than the
            model.
    """
    try:
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise TfsegError(f"ONNX needs {error.name}: pip install 'tfseg-keras[onnx]'") from error
    if image_size is not None:
        image_size = check_image_size(image_size)
    predictor = exportable(source)
    answers = Answers(predictor, strips=False)
    channels, dtype = input_of(predictor.bands)
    images = tf.TensorSpec([None, *(image_size or (None, None)), channels], dtype, "images")

    @tf.function(input_signature=[images], autograph=False)
    def answer(images):
        probabilities = answers.probabilities(images)
        labels = tf.cast(tf.argmax(probabilities, -1, tf.int32), tf.uint8)
        return {"labels": labels, "probabilities": probabilities}

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_function(
        answer, input_signature=[images], opset=OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
    )
    for node in model.graph.node:
        if node.op_type == "Conv":
            _state_padding(node)
    for value in (*model.graph.input, *model.graph.output):
        _state_axes(value, image_size)
    card = {**model_card(predictor), "image_size": image_size}
    model.metadata_props.add(key="tfseg", value=json.dumps(card))
    with replacing(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(model.SerializeToString())
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])

        def labels(images):
            return session.run(["labels"], {"images": images.astype(dtype.name)})[0]

        worst = check(
            predictor,
            lambda images: session.run(["probabilities"], {"images": images.astype(dtype.name)})[0],
            labels,
            image_size,
        )
        found = compare(predictor, lambda x: labels(x[None])[0], *data, image_size) if data else {}
        return {"difference": worst, **found}


def _state_axes(value, image_size):
    """States the axes of an input or output: their sizes, or names, as tools show them."""
    axes = ("batch", *(image_size or ("height", "width")))
    for dimension, axis in zip(value.type.tensor_type.shape.dim, axes, strict=False):
        if isinstance(axis, str):
            dimension.dim_param = axis
        else:
            dimension.dim_value = axis


def _erfc(graph, node, name, _):
    """1 - erf(x), as ONNX has it: what GELU computes with, which tf2onnx hands on as it is."""
    one = graph.make_const(f"{name}/one", np.ones([], np.float32))
    node.type = "Erf"
    inputs = [one.output[0], node.output[0]]
    graph.insert_new_node_on_output("Sub", node.output[0], f"{name}/sub", inputs)


def _state_padding(node):
    """Gives a dilated convolution its padding in numbers, which onnxruntime insists on."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    dilations = list(attributes["dilations"].ints) if "dilations" in attributes else [1, 1]
    mode = attributes["auto_pad"].s if "auto_pad" in attributes else b"NOTSET"
    if max(dilations) == 1 or not mode.startswith(b"SAME"):
        return
    # Dilated convolutions have stride 1 and odd kernels: "same" is the same on both sides.
    sides = np.multiply(dilations, np.subtract(attributes["kernel_shape"].ints, 1)) // 2
    node.attribute.remove(attributes["auto_pad"])
    if "pads" in attributes:
        node.attribute.remove(attributes["pads"])
    pads = node.attribute.add(name="pads", type=attributes["dilations"].type)
    pads.ints.extend([*sides, *sides])
