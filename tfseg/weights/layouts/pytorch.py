"""The layouts of the original code bases in PyTorch, one function per family."""

import dataclasses

from tfseg.models.preprocessing import PREPROCESSINGS
from tfseg.weights.foreign import LIBRARIES
from tfseg.weights.layouts import extras
from tfseg.weights.layouts.layout import BLOCK as _BLOCK
from tfseg.weights.layouts.layout import PYTORCH_COUNTERS, Layout


def _residual_rules(stage):
    """Rules of torchvision's residual blocks; `stage` is the template of a stage's name."""
    prefix = f"{stage}.{{block-1}}"
    return (
        (rf"{_BLOCK}/conv(?P<conv>\d)/conv", f"{prefix}.conv{{conv}}"),
        (rf"{_BLOCK}/conv(?P<conv>\d)/bn", f"{prefix}.bn{{conv}}"),
        (rf"{_BLOCK}/projection/conv", f"{prefix}.downsample.0"),
        (rf"{_BLOCK}/projection/bn", f"{prefix}.downsample.1"),
    )


def _drn_encoder(stem, stage):
    conv = r"encoder/stage(?P<stage>\d+)_conv(?P<conv>\d+)"
    return (
        ("encoder/stem/conv", stem[0]),
        ("encoder/stem/bn", stem[1]),
        (rf"{conv}/conv", f"{stage}.{{3*conv-3}}"),
        (rf"{conv}/bn", f"{stage}.{{3*conv-2}}"),
        *_residual_rules(stage),
    )


_LINEAR = r"^fc\.weight$"

_DRN_SKIP = (
    PYTORCH_COUNTERS,
    (r"^up\.weight$", "the fixed bilinear upsampling"),
    # DRN-C's last levels add nothing, but the code makes their projections all the same.
    (r"^(layer[78]|base\.(9|10))\.0\.downsample\.", "a projection that is never applied"),
)

# style: the original names of stem and stages. A segmenter holds the classifier's children
# in one nn.Sequential, where A has conv, bn, relu, pool before its first stage, C has conv, bn,
# relu, and D keeps its stem in a stage 0.
DRN_NAMES = {
    "drn_a": ((("conv1", "bn1"), "layer{stage}"), (("base.0", "base.1"), "base.{stage+3}")),
    "drn_c": ((("conv1", "bn1"), "layer{stage}"), (("base.0", "base.1"), "base.{stage+2}")),
    "drn_d": (
        (("layer0.0", "layer0.1"), "layer{stage}"),
        (("base.0.0", "base.0.1"), "base.{stage}"),
    ),
}


def drn(style):
    """The layouts of fyu/drn: the segmenter's (drn segment.py) and the classifier's (drn.py)."""
    classifier, segmenter = DRN_NAMES[style]
    unused = (extras.drn_c_projections,) if style == "drn_c" else ()
    return [
        Layout(
            "DRN segmenter",
            (*_drn_encoder(*segmenter), ("decoder/classifier", "seg")),
            _DRN_SKIP,
            head=r"^seg\.",
            extras=(extras.counters, *unused, extras.drn_upsampling),
        ),
        Layout(
            "DRN classifier",
            (*_drn_encoder(*classifier), ("classifier", "fc")),
            _DRN_SKIP,
            head=r"^fc\.",
            linear=_LINEAR if style == "drn_a" else r"^$",
            extras=(extras.counters, *unused),
        ),
        # DRN-A is a ResNet, layer by layer.
        *(_encoders_of_libraries(_drn_encoder(*classifier)) if style == "drn_a" else ()),
    ]


# torchvision's heads are nn.Sequentials, dropout and activations counted: our decoder's class:
# (its name, rules of the head).
_TORCHVISION_HEADS = {
    "FCN": (
        "FCN",
        (("decoder/reduce/conv", "classifier.0"), ("decoder/reduce/bn", "classifier.1")),
    ),
    "RefinedDeepLabV3": (
        "DeepLab v3",
        (
            (r"decoder/aspp/branch(?P<n>\d)/conv", "classifier.0.convs.{n}.0"),
            (r"decoder/aspp/branch(?P<n>\d)/bn", "classifier.0.convs.{n}.1"),
            # Behind the pooling, which is the branch's first entry.
            ("decoder/aspp/image/conv", "classifier.0.convs.4.1"),
            ("decoder/aspp/image/bn", "classifier.0.convs.4.2"),
            ("decoder/fuse/conv", "classifier.0.project.0"),
            ("decoder/fuse/bn", "classifier.0.project.1"),
            ("decoder/refine/conv", "classifier.1"),
            ("decoder/refine/bn", "classifier.2"),
        ),
    ),
}


def torchvision(decoder=None):
    """torchvision's segmenters and classifiers, and its encoders in other libraries' models.

    Args:
        decoder: class name of the decoder above the encoder, or None.
    """
    stem = (("encoder/stem/conv", "conv1"), ("encoder/stem/bn", "bn1"))
    encoder = (*stem, *_residual_rules("layer{stage}"))
    segmenters = []
    if decoder in _TORCHVISION_HEADS:
        name, head = _TORCHVISION_HEADS[decoder]
        rules = (
            *((ours, f"backbone.{theirs}") for ours, theirs in encoder),
            *head,
            ("decoder/classifier", "classifier.4"),
            ("decoder/aux_conv/conv", "aux_classifier.0"),
            ("decoder/aux_conv/bn", "aux_classifier.1"),
            ("decoder/aux_classifier", "aux_classifier.4"),
        )
        segmenters.append(
            Layout(
                f"torchvision {name}",
                rules,
                head=r"^(aux_)?classifier\.",
                preprocessing=PREPROCESSINGS["imagenet"],
                extras=(extras.counters,),
            )
        )
    classifier = Layout(
        "torchvision ResNet",
        (*encoder, ("classifier", "fc")),
        head=r"^fc\.",
        linear=_LINEAR,
        extras=(extras.counters,),
    )
    return [*segmenters, classifier, *_encoders_of_libraries(encoder)]


def _encoders_of_libraries(encoder):
    """The layouts whose encoders have torchvision's names, behind a prefix; the head is new."""
    return [
        Layout(
            f"{library.name}, its encoder",
            tuple((ours, library.prefix + theirs) for ours, theirs in encoder),
            head=library.head,
            preprocessing=PREPROCESSINGS["imagenet"],
        )
        for library in LIBRARIES
        if library.prefix
    ]


_ADE20K_SKIP = (
    PYTORCH_COUNTERS,
    (r"\.(_tmp_running_(mean|var)|_running_iter)$", "a sum behind the running averages"),
)


_ADE20K_SHARED = (
    # C1
    ("decoder/reduce/conv", "cbr.0"),
    ("decoder/reduce/bn", "cbr.1"),
    # PPM
    (r"decoder/pooling/branch(?P<n>\d)/conv", "ppm.{n-1}.1"),
    (r"decoder/pooling/branch(?P<n>\d)/bn", "ppm.{n-1}.2"),
    ("decoder/fuse/conv", "conv_last.0"),
    ("decoder/fuse/bn", "conv_last.1"),
    # deep supervision
    ("decoder/aux_conv/conv", "cbr_deepsup.0"),
    ("decoder/aux_conv/bn", "cbr_deepsup.1"),
    ("decoder/aux_classifier", "conv_last_deepsup"),
)

# The decoders' layers in the original code, by our decoder's class.
_ADE20K_DECODERS = {
    "C1": ("C1", (*_ADE20K_SHARED, ("decoder/classifier", "conv_last"))),
    # nn.Sequential numbers dropout, too, so that PPM's last convolution is its fifth entry.
    "PPM": ("PPM", (*_ADE20K_SHARED, ("decoder/classifier", "conv_last.4"))),
    "UPerNet": (
        "UPerNet",
        (
            (r"decoder/pooling/branch(?P<n>\d)/conv", "ppm_conv.{n-1}.0"),
            (r"decoder/pooling/branch(?P<n>\d)/bn", "ppm_conv.{n-1}.1"),
            ("decoder/top/conv", "ppm_last_conv.0"),
            ("decoder/top/bn", "ppm_last_conv.1"),
            (r"decoder/lateral(?P<n>\d)/conv", "fpn_in.{n-1}.0"),
            (r"decoder/lateral(?P<n>\d)/bn", "fpn_in.{n-1}.1"),
            (r"decoder/smooth(?P<n>\d)/conv", "fpn_out.{n-1}.0.0"),
            (r"decoder/smooth(?P<n>\d)/bn", "fpn_out.{n-1}.0.1"),
            ("decoder/fuse/conv", "conv_last.0.0"),
            ("decoder/fuse/bn", "conv_last.0.1"),
            ("decoder/classifier", "conv_last.1"),
        ),
    ),
}


def ade20k(decoder=None):
    """The whole model's names, and those of its two files, in which the prefixes are missing."""
    encoder = (
        (r"encoder/stem(?P<n>\d)/conv", "conv{n}"),
        (r"encoder/stem(?P<n>\d)/bn", "bn{n}"),
        *_residual_rules("layer{stage}"),
    )
    name, rules = _ADE20K_DECODERS.get(decoder, ("classifier", (("classifier", "fc"),)))
    files = Layout(
        f"ADE20K {name}{' files' if decoder in _ADE20K_DECODERS else ''}",
        (*encoder, *rules),
        _ADE20K_SKIP,
        head=r"^(fc|cbr|conv_last|ppm|fpn)",
        preprocessing=PREPROCESSINGS["ade20k"],
        linear=_LINEAR,
        extras=(extras.counters, extras.sync_batch_norm),
    )
    if decoder not in _ADE20K_DECODERS:
        return [files]
    prefixed = (
        *((path, f"encoder.{template}") for path, template in encoder),
        *((path, f"decoder.{template}") for path, template in rules),
    )
    whole = dataclasses.replace(
        files, name=f"ADE20K {name}", rules=prefixed, head=r"^decoder\.", linear=r"^$"
    )
    return [whole, files]


def deeplab(prefix, decoder=None):
    """kazuto1011/deeplab-pytorch; all under \"base.\" in its multi-scale wrapper."""
    units = {"conv1": "reduce", "conv2": "conv3x3", "conv3": "increase", "projection": "shortcut"}
    block = prefix + "layer{stage+1}.block{block}"
    convs = {
        "aspp/image": "aspp.stages.imagepool.conv",
        "fuse": "fc1",
        "reduce": "reduce",
        "refine1": "fc2.conv1",
        "refine2": "fc2.conv2",
    }
    shared = [
        ("encoder/stem/(?P<kind>conv|bn)", prefix + "layer1.conv1.{kind}"),
        *(
            (rf"{_BLOCK}/{ours}/(?P<kind>conv|bn)", f"{block}.{theirs}.{{kind}}")
            for ours, theirs in units.items()
        ),
        (r"decoder/branch(?P<n>\d)", prefix + "aspp.c{n-1}"),
        (
            r"decoder/aspp/branch(?P<n>\d)/(?P<kind>conv|bn)",
            prefix + "aspp.stages.c{n}.{kind}",
        ),
        *(
            (rf"decoder/{ours}/(?P<kind>conv|bn)", f"{prefix}{theirs}.{{kind}}")
            for ours, theirs in convs.items()
        ),
    ]
    version, head = _DEEPLAB_HEADS.get(decoder, ("v1/v2", "fc"))
    return Layout(
        f"DeepLab {version}{' MSC' if prefix else ''}",
        (*shared, ("decoder/classifier", prefix + head)),
        head=rf"^{prefix}(aspp|fc|reduce)",
        preprocessing=PREPROCESSINGS["caffe"],
        extras=(extras.counters,),
    )


# our decoder's class: (version, the original name of its classifier)
_DEEPLAB_HEADS = {"DeepLabV3": ("v3", "fc2"), "DeepLabV3Plus": ("v3+", "fc2.conv3")}
