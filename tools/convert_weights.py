"""Converts weights: foreign files to a .weights.h5 of ours, or ours back to the original names.

    python tools/convert_weights.py --model=drn_d_22 --num_classes=19 --output=drn.weights.h5 \\
        drn_d_22_cityscapes.pth
    python tools/convert_weights.py --model=drn_d_22 --num_classes=19 --output=drn.safetensors \\
        runs/mine

Takes whatever --init_weights of train.py takes; several files that together hold the model, such
as an encoder's and a decoder's, one after the other. Prints what was loaded, what was left out and
why. The .weights.h5 keeps the preprocessing that the weights expect; the .safetensors is what
PyTorch's load_state_dict of the original code takes.
"""

import common
from absl import flags

from tfseg.errors import TfsegError
from tfseg.models import create_classifier, create_model
from tfseg.outputs import files_below, require_apart
from tfseg.weights import load_weights, save_original, save_weights

FLAGS = flags.FLAGS

flags.DEFINE_string("model", None, "Model that the weights belong to.")
flags.DEFINE_integer("num_classes", 0, "How many classes it tells apart.")
flags.DEFINE_bool("classifier", False, "Whether it is an image classifier, not a segmenter.")
flags.DEFINE_bool("new_head", False, "Leave the head fresh where the weights don't fit it.")
flags.DEFINE_string("output", None, "File to write: *.weights.h5 or *.safetensors.")
flags.DEFINE_string("layout", None, "For .safetensors: whose names; default the first that fits.")
common.define_model_option()


def main(sources):
    common.require("model", "num_classes", "output")
    if not sources:
        raise TfsegError("no weights given: add a file, a run directory or a release's name")
    if not FLAGS.output.endswith((".weights.h5", ".safetensors")):
        raise TfsegError(f"--output={FLAGS.output} is neither *.weights.h5 nor *.safetensors")
    require_apart(FLAGS.output, [one for source in sources for one in files_below(source)])
    options = common.parse_options(FLAGS.model_option)
    create = create_classifier if FLAGS.classifier else create_model
    model = create(FLAGS.model, FLAGS.num_classes, **options)
    for source in sources:
        common.fetch(source)
    report = load_weights(model, sources, FLAGS.new_head)
    if FLAGS.output.endswith(".safetensors"):
        save_original(model, FLAGS.output, FLAGS.layout)
    else:
        save_weights(model, FLAGS.output, report.preprocessing)
    print(report)
    print(f"written to {FLAGS.output}")


if __name__ == "__main__":
    common.run(main, paths=True)
