"""A trained model as a TensorFlow SavedModel."""

import os

import tensorflow as tf

from tfseg.checks import require_number
from tfseg.errors import TfsegError
from tfseg.files import replacing_folder, write_json
from tfseg.serving.card import CARD, model_card
from tfseg.serving.compare import compare
from tfseg.serving.signatures import Signatures, exportable, input_of
from tfseg.serving.verify import check


def export(source, path, *, image_size=None, max_side=4096, data=None):
    """Writes a SavedModel that plain TensorFlow and TensorFlow Serving run, and checks it.

    Preprocessing is inside, batch norm is folded. Signatures (input to output):

        serving_default   images: uint8 RGB [N, H, W, 3], to labels: uint8 [N, H, W]
        probabilities     images, likewise, to probabilities: float32 [N, H, W, C]
        encoded           image_bytes: string [N], JPEG or PNG files of any sizes, to labels_bytes:
                          string [N], PNG files of class indices (8-bit grey), each as large as its
                          image, turned upright as its EXIF orientation says

    A model of other images than 8-bit RGB takes uint8, uint16 or float32 [N, H, W, channels] (see
    `tfseg.serving.signatures.input_of`), and has no signature of encoded files.

    The asset `tfseg.json` says what the model is; see `model_card`.

    Args:
        source: a `Predictor`, whose protocol is exported with it, or what `tfseg.load` takes.
        path: the folder to write. It appears when it is complete and checked. An earlier export
            there is replaced, anything else is not.
        image_size: the (height, width) that images have to have, which compilers for accelerators
            want to know; None for any.
        max_side: without `image_size`, the largest height and width; larger images are refused.
        data: (`ImageList` with labels, `DataInfo`) to compare labels and mean IoU on; None checks
            drawn images only.

    Returns:
        A dict: "difference", the largest between probabilities of the model and of its export;
        with `data` also what `compare` measures.

    Raises:
        TfsegError: the model can't be loaded or refines by a CRF, the folder can't be written, the
            export computes something else than the model, or half precision costs it too much mean
            IoU.
    """
    predictor = exportable(source)
    if image_size is not None:
        image_size = check_image_size(image_size)
        max_side = max(image_size)
    else:
        require_number("max_side", max_side, 1, whole=True)
    signatures = Signatures(predictor, image_size, max_side)
    mark = os.path.join("assets", CARD)
    with replacing_folder(path, mark) as folder:
        card = os.path.join(os.path.dirname(folder), CARD)
        write_json(card, {**model_card(predictor), "image_size": image_size, "max_side": max_side})
        signatures.card = tf.saved_model.Asset(card)
        tf.saved_model.save(signatures, folder, signatures=signatures.functions())
        exported = tf.saved_model.load(folder).signatures
        _, dtype = input_of(predictor.bands)

        def answer(signature, output, images):
            images = tf.constant(images.astype(dtype.name))
            return exported[signature](images)[output].numpy()

        def labels(images):
            return answer("serving_default", "labels", images)

        worst = check(
            predictor,
            lambda images: answer("probabilities", "probabilities", images),
            labels,
            image_size,
            max_side,
        )
        found = {}
        if data:
            found = compare(predictor, lambda x: labels(x[None])[0], *data, image_size, max_side)
        return {"difference": worst, **found}


def check_image_size(image_size):
    """(height, width) as ints.

    Raises:
        TfsegError: not two whole numbers of at least 1.
    """
    numbers = tuple(image_size)
    if len(numbers) != 2 or not all(isinstance(x, int) and x >= 1 for x in numbers):
        raise TfsegError(f"an image size is a height and a width of at least 1, not {image_size}")
    return numbers
