"""A trained model as a TensorFlow Lite file, in float16 or int8."""

import os

import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from tfseg.data.image_files import read_image
from tfseg.data.shards import entry
from tfseg.errors import TfsegError, unknown
from tfseg.files import replacing, write_json
from tfseg.parallel import count_cores
from tfseg.serving.card import model_card
from tfseg.serving.compare import compare, resized
from tfseg.serving.signatures import Answers, exportable, input_of
from tfseg.serving.to_saved_model import check_image_size
from tfseg.serving.verify import drawn_image

QUANTIZATIONS = ("float16", "int8")
# More images hardly move the ranges that calibration measures.
CALIBRATION_IMAGES = 100
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
# Half-precision weights move a probability by less.
FLOAT16_TOLERANCE = 0.02


def export_tflite(source, path, *, image_size, quantization="float16", calibration=None, data=None):
    """Writes a TensorFlow Lite file, checks it, and says beside it (PATH.json) what it is.

    Its input, uint8 RGB [1, H, W, 3], becomes labels, uint8 [1, H, W]. float16 halves the file;
    int8 quarters it and computes in integers, whose ranges it takes from `calibration`: all but the
    preprocessing and what comes from the last convolutions on.

    Args:
        source: a `Predictor`, or what `tfseg.load` takes.
        path: of the file. It appears when it is complete and checked.
        image_size: the (height, width) of its images.
        quantization: one of `QUANTIZATIONS`.
        calibration: for int8, an `ImageList`: 100 of its images are resized to `image_size`.
        data: (`ImageList` with labels, `DataInfo`) to compare mean IoU on, images and labels
            resized to `image_size`; None checks a drawn image only, and int8 needs more.

    Returns:
        What `compare` measures; without `data` an empty dict.

    Raises:
        TfsegError: the extra [tflite] is missing, the model can't be loaded, refines by a CRF or
            takes other values than 8 bits hold, images can't be read, the file can't be written, or
            it loses more than two points of mean IoU.
    """
    interpreter_class = _interpreter_class()
    if quantization not in QUANTIZATIONS:
        raise unknown("quantization", quantization, QUANTIZATIONS)
    if quantization == "int8" and (calibration is None or data is None):
        raise TfsegError("int8 needs images to calibrate on, and labelled ones to be checked on")
    height, width = image_size = check_image_size(image_size)
    predictor = exportable(source)
    if not predictor.bands.in_levels:
        raise TfsegError(
            f"TensorFlow Lite's {quantization} can't tell apart {predictor.bands.describe()}: "
            "export the model as saved_model or onnx"
        )
    content = _convert(predictor, image_size, quantization, calibration)
    with replacing(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(content)
        labels_of = _runner(interpreter_class, temporary)
        _check_drawn(predictor, labels_of, image_size, quantization)
        found = compare(predictor, labels_of, *data, image_size) if data else {}
        card = {**model_card(predictor), "image_size": [height, width]}
        write_json(f"{os.fspath(path)}.json", {**card, "quantization": quantization, **found})
    return found


def _interpreter_class():
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise TfsegError(
            f"TensorFlow Lite needs {error.name}: pip install 'tfseg-keras[tflite]'"
        ) from error
    return Interpreter


def _convert(predictor, image_size, quantization, calibration):
    answers = Answers(predictor, strips=False)
    channels, dtype = input_of(predictor.bands)
    images = tf.TensorSpec([1, *image_size, channels], dtype, "images")
    owner = tf.Module()  # of the variables, which the converter makes constants
    owner.variables_of_model = answers.variables
    function = tf.function(
        answers.labels, input_signature=[images], autograph=False
    ).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
    last = len(calibration) - 1
    chosen = np.linspace(0, last, min(len(calibration), CALIBRATION_IMAGES))

    def examples():
        for index in chosen.astype(int):
            image = read_image(*entry(calibration, index, 0), bands=predictor.bands)
            yield [resized(image, image_size)[None].astype(dtype.name)]

    converter.representative_dataset = examples
    return _in_integers(converter, examples)


def _in_integers(converter, examples):
    """The file in integers, but for what comes before the first convolutions and from the last on.

    256 levels are too few there: colours would be rounded once for each step of the preprocessing,
    and logits, whose range is that of the surest pixels, would be equal where classes meet.
    """
    options = tf.lite.experimental.QuantizationDebugOptions()
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=examples, debug_options=options
    )
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(debugger.calibrated_model))
    graph = model.subgraphs[0]
    operations = [
        {
            "op_name": flatbuffer_utils.opcode_to_name(model, one.opcodeIndex),
            "inputs": one.inputs,
            "outputs": one.outputs,
        }
        for one in graph.operators
    ]
    # It looks at them when it quantizes, so they may come after it.
    options.denylisted_nodes = [graph.tensors[i].name.decode() for i in _outer(operations)]
    return debugger.get_nondebug_quantized_model()


def _outer(operations):
    """The results of the operations that follow from no convolution, or that none follows from."""
    following, leading = set(), set()
    for one in operations:
        if one["op_name"] in _CONVOLUTIONS or following.intersection(one["inputs"]):
            following.update(one["outputs"])
    for one in reversed(operations):
        if one["op_name"] in _CONVOLUTIONS or leading.intersection(one["outputs"]):
            leading.update(one["inputs"])
    every = [tensor for one in operations for tensor in one["outputs"]]
    return [tensor for tensor in every if tensor not in following or tensor not in leading]


def _runner(interpreter_class, path):
    """Function from images [H, W, channels] to uint8 [H, W]."""
    interpreter = interpreter_class(model_path=path, num_threads=count_cores())
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise TfsegError(f"TensorFlow Lite can't run this model: {reason}") from error
    (inputs,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(image):
        interpreter.set_tensor(inputs["index"], image[None].astype(inputs["dtype"], copy=False))
        interpreter.invoke()
        return interpreter.get_tensor(outputs["index"])[0]

    return run


def _check_drawn(predictor, labels_of, image_size, quantization):
    image = drawn_image(image_size, 0, predictor.bands)
    labels = labels_of(image)
    if labels.shape != tuple(image_size) or labels.max() >= predictor.spec.num_classes:
        raise TfsegError(f"the export's labels are wrong: {labels.shape}, up to {labels.max()}")
    if quantization == "float16":
        expected = predictor.probabilities(image)
        chosen = np.take_along_axis(expected, labels[..., None].astype(np.int64), -1)[..., 0]
        worst = float((expected.max(-1) - chosen).max())
        if not worst <= FLOAT16_TOLERANCE:
            raise TfsegError(
                f"the export chooses classes that are {worst:.2g} less probable than the model's"
            )
