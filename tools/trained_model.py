"""The flags that name a trained model, for the tools that use one."""

import dataclasses

import common
from absl import flags

from tfseg import zoo
from tfseg.data import DataInfo
from tfseg.errors import TfsegError
from tfseg.inference.predictor import Predictor, load
from tfseg.models import PRECISIONS, PREPROCESSINGS, ModelSpec, Preprocessing, fold, precision
from tfseg.weights import find_spec, load_weights

FLAGS = flags.FLAGS


def define():
    """Defines --run_dir, and --weights with --model, --num_classes and --model_option."""
    flags.DEFINE_string("run_dir", None, "Run directory of a training: its best weights are used.")
    flags.DEFINE_string(
        "weights",
        None,
        "Instead of --run_dir: weights of --model with --num_classes, as a file or files with "
        "commas between; or what says itself what it is: a release of the zoo, a .weights.h5, a "
        "checkpoint in a run directory.",
    )
    flags.DEFINE_string("model", None, "Model that --weights belong to.")
    flags.DEFINE_integer(
        "num_classes", 0, "Classes that --weights tell apart; 0 for as many as info.json names."
    )
    common.define_model_option()
    flags.DEFINE_enum(
        "preprocessing",
        "auto",
        ["auto", "data", *PREPROCESSINGS],
        "Normalisation for --weights with --model: what they expect if they say so, else "
        "info.json's (auto), info.json's (data), or a published one.",
    )
    flags.DEFINE_enum("precision", "float32", PRECISIONS, "Arithmetic of the network.")


def load_predictor(protocol=None, crf=None, folded=True):
    """The `Predictor` that the flags name.

    Args:
        protocol: a `tfseg.inference.Protocol`; default the images as they are.
        crf: a `tfseg.inference.crf.CRF`, or None.
        folded: merges batch norms into convolutions, which is faster.

    Weights of --model are taken to mean the classes that info.json in --data_dir states, and to
    expect its normalisation unless they say otherwise; without --data_dir, ImageNet's.

    Raises:
        TfsegError: flags that contradict each other, or a model that can't be loaded.
    """
    predictor = _load()
    model = fold(predictor.model) if folded else predictor.model
    return Predictor(predictor.spec, model, protocol, crf)


def _load():
    if FLAGS.run_dir and (FLAGS.weights or FLAGS.model):
        raise TfsegError("give --run_dir, or --weights with --model, not both")
    if FLAGS.run_dir:
        return load(FLAGS.run_dir, precision=FLAGS.precision)
    if not FLAGS.weights:
        raise TfsegError("give --run_dir, or --weights with --model and --num_classes")
    common.fetch(FLAGS.weights)
    if not FLAGS.model and (FLAGS.weights in zoo.RELEASES or find_spec(FLAGS.weights)):
        return load(FLAGS.weights, precision=FLAGS.precision)
    common.require("model")
    info = DataInfo.load(FLAGS.data_dir) if FLAGS.data_dir else None
    num_classes = FLAGS.num_classes or len((info and info.classes) or [])
    if not num_classes:
        raise TfsegError("--num_classes is missing, and no info.json names the classes")
    facts = {}
    if info:
        facts["preprocessing"] = Preprocessing(mean=info.mean, std=info.std)
        # Names of another set of classes would be wrong rather than merely absent.
        if info.classes and len(info.classes) == num_classes:
            facts.update(classes=info.classes, palette=info.palette)
            facts.update(label_map=info.label_map, ignore_label=info.ignore_label)
    options = common.parse_options(FLAGS.model_option)
    spec = ModelSpec(FLAGS.model, num_classes, options, **facts)
    with precision(FLAGS.precision):
        model = spec.build()
    chosen = load_weights(model, FLAGS.weights).preprocessing
    if FLAGS.preprocessing != "auto":
        chosen = PREPROCESSINGS.get(FLAGS.preprocessing)
    if chosen:
        spec = dataclasses.replace(spec, preprocessing=chosen)
    return Predictor(spec, model)
