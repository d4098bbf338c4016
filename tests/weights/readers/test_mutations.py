"""Small valid files with damaged bytes are read, or refused in one line."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.evaluation.localization import read_boxes
from tfseg.inference.crf import load_probabilities, save_logits
from tfseg.weights import readers

ARRAYS = {"conv": np.ones((2, 3), np.float32), "bn": np.ones(3, np.float32)}
LOG = "step,epoch,loss,val/mean_iou\n1,0,2.5,\n2,1,0.5,0.25\n"
BOXES = 'image,class,left,top,right,bottom\na.png,"cat, small",1,2,30.5,40\nb.png,dog,0,0,5,6\n'


def _weights(path):
    weights = readers.read(path)
    return [weights[name] for name in weights]


@pytest.fixture(scope="module")
def make(write_pytorch, write_caffe):
    """{kind: function (path) -> None} that writes a small valid file."""

    def safetensors(path):
        pytest.importorskip("safetensors.numpy").save_file(ARRAYS, path)

    def tensorflow1(path):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            kept = {
                name: tf.compat.v1.get_variable(name, initializer=ARRAYS[name]) for name in ARRAYS
            }
            session.run(tf.compat.v1.global_variables_initializer())
            version = tf.compat.v1.train.SaverDef.V1
            tf.compat.v1.train.Saver(kept, write_version=version).save(
                session, str(path), write_meta_graph=False, write_state=False
            )

    return {
        "pytorch": lambda path: write_pytorch(path, ARRAYS),
        "pytorch_legacy": lambda path: write_pytorch(path, ARRAYS, legacy=True),
        "safetensors": safetensors,
        "caffe": lambda path: write_caffe(path, [("conv", "Convolution", list(ARRAYS.values()))]),
        "tensorflow1": tensorflow1,
        "logits": lambda path: save_logits(path, np.zeros((3, 4, 2)), (20, 30), "bilinear", 8),
        "boxes": lambda path: path.write_text(BOXES),
        "log": lambda path: path.write_text(LOG),
    }


READERS = {
    **dict.fromkeys(["pytorch", "pytorch_legacy", "safetensors", "caffe", "tensorflow1"], _weights),
    "logits": load_probabilities,
    "boxes": read_boxes,
    "log": runs.read_log,
}
ENDINGS = {"logits": ".npz"}
MUTATION = st.tuples(
    st.sampled_from(["flip", "truncate", "insert"]), st.integers(0, 1 << 16), st.binary(max_size=8)
)


def mutated(content, mutations):
    """`content` after [(kind, place, bytes)]; places count from the start, modulo its length."""
    content = bytearray(content)
    for kind, place, some in mutations:
        place %= len(content) + 1
        if kind == "truncate":
            del content[place:]
        elif kind == "insert":
            content[place:place] = some
        else:
            content[place : place + len(some)] = some[: len(content) - place]
    return bytes(content)


@pytest.mark.parametrize("kind", READERS)
def test_any_mutation_is_read_or_refused_in_one_line(kind, make, tmp_path_factory):
    folder = tmp_path_factory.mktemp(kind)
    whole = pathlib.Path(folder / f"whole{ENDINGS.get(kind, '')}")
    make[kind](whole)
    READERS[kind](whole)
    content = whole.read_bytes()
    path = folder / f"damaged{ENDINGS.get(kind, '')}"

    @given(st.lists(MUTATION, min_size=1, max_size=4))
    def check(mutations):
        path.unlink(missing_ok=True)
        path.write_bytes(mutated(content, mutations))
        try:
            READERS[kind](path)
        except TfsegError as error:
            assert "damaged" in str(error) and "\n" not in str(error)

    check()
