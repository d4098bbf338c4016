"""The table of released files. What was not published, or is not certain, is None."""

from tfseg.models.preprocessing import PREPROCESSINGS, Preprocessing
from tfseg.zoo.release import File, Release

_IMAGENET = PREPROCESSINGS["imagenet"]
_CENTER_CROP = "ImageNet validation, one 224x224 centre crop, shorter side 256"


def _from_url(url, prefix=None, member=None):
    return File((member or url).rpartition("/")[2], url, prefix, member=member)


# DRN: Yu, Koltun, Funkhouser, CVPR 2017. PyTorch's model zoo puts the first eight digits of the
# sha256 into the name.
_DRN = {"source": "fyu/drn", "page": "https://github.com/fyu/drn", "licence": "BSD-3-Clause"}

# variant: (digest, top-1 error, top-5 error)
_DRN_IMAGENET = {
    "drn_c_26": ("ddedf421", 24.9, 7.6),
    "drn_c_42": ("9d336e8c", 22.9, 6.6),
    "drn_c_58": ("0a53a92c", 21.7, 6.0),
    "drn_d_22": ("4bd2f8ea", 25.8, 8.2),
    "drn_d_38": ("eebb45f0", 23.8, 6.9),
    "drn_d_54": ("0e0534ff", 21.2, 5.9),
    "drn_d_105": ("12b40979", 20.6, 5.5),
}

RELEASES = {
    f"{name}_imagenet": Release(
        (_from_url(f"http://dl.yf.io/drn/{name}-{digest}.pth", digest),),
        name,
        1000,
        classifier=True,
        preprocessing=_IMAGENET,
        dataset="imagenet",
        protocol=_CENTER_CROP,
        scores={"top1_error": top1, "top5_error": top5},
        **_DRN,
    )
    for name, (digest, top1, top5) in _DRN_IMAGENET.items()
}

RELEASES |= {
    name: Release(
        (File(file),),
        model,
        19,
        source="fyu/drn",
        page="http://go.yf.io/drn-cityscapes-models",
        licence="BSD-3-Clause",
        # The data set's own mean and standard deviation, as the repository states them.
        preprocessing=Preprocessing((0.290101, 0.328081, 0.286964), (0.182954, 0.186566, 0.184475)),
        dataset="cityscapes",
        protocol="Cityscapes validation, one scale, whole images",
        scores={"mean_iou": score},
    )
    for name, file, model, score in (
        ("drn_d_22_cityscapes", "drn_d_22_cityscapes.pth", "drn_d_22", 68.0),
        ("drn_d_38_cityscapes", "drn_d_38_cityscapes.pth", "drn_d_38", 71.4),
        ("drn_d_105_cityscapes", "drn-d-105_ms_cityscapes.pth", "drn_d_105", 75.6),
    )
}

# torchvision's ImageNet classifiers, also the starting point of DRN-A-50.
_TORCHVISION = {
    "source": "pytorch/vision",
    "page": "https://pytorch.org/vision/stable/models.html",
    "licence": "BSD-3-Clause",
    "classifier": True,
    "preprocessing": _IMAGENET,
    "dataset": "imagenet",
}
_PYTORCH = "https://download.pytorch.org/models/"

# our encoder: (torchvision's name, digest)
_TORCHVISION_FILES = {
    "resnet18_v1": ("resnet18", "f37072fd"),
    "resnet34_v1": ("resnet34", "b627a593"),
    "resnet50_v1": ("resnet50", "0676ba61"),
    "resnet101_v1": ("resnet101", "63fe2227"),
    "resnet152_v1": ("resnet152", "394f9c45"),
    "resnext50_32x4d_v1": ("resnext50_32x4d", "7cdf4587"),
    "resnext101_32x8d_v1": ("resnext101_32x8d", "8ba56ff5"),
    "wide_resnet50_v1": ("wide_resnet50_2", "95faca4d"),
}

RELEASES |= {
    f"{model}_imagenet": Release(
        (_from_url(f"{_PYTORCH}{name}-{digest}.pth", digest),), model, 1000, **_TORCHVISION
    )
    for model, (name, digest) in _TORCHVISION_FILES.items()
}
# What the DRN code loads for it: a ResNet-50. DRN-A-50's published errors aren't this file's.
RELEASES["drn_a_50_imagenet"] = Release(
    (_from_url(f"{_PYTORCH}resnet50-19c8e357.pth", "19c8e357"),),
    "drn_a_50",
    1000,
    **_TORCHVISION,
)

# torchvision's segmenters, trained on COCO's images with the classes of VOC.
RELEASES |= {
    f"{model}_coco_voc": Release(
        (_from_url(f"{_PYTORCH}{model}_coco-{digest}.pth", digest),),
        model,
        21,
        source="pytorch/vision",
        page="https://pytorch.org/vision/stable/models.html#semantic-segmentation",
        licence="BSD-3-Clause",
        preprocessing=_IMAGENET,
        dataset="voc12",
        protocol="COCO val2017 with the classes of VOC, one scale, shorter side 520",
        scores={"mean_iou": mean_iou, "pixel_accuracy": pixel_accuracy},
    )
    for model, digest, mean_iou, pixel_accuracy in (
        ("fcn_resnet50", "1167a1af", 60.5, 91.4),
        ("fcn_resnet101", "7ecb50ca", 63.7, 91.9),
        ("deeplabv3_resnet50", "cd0a2569", 66.4, 92.4),
        ("deeplabv3_resnet101", "586e9e4e", 67.4, 92.4),
    )
}

# DeepLab v2 in PyTorch; scores without a CRF.
_KAZUTO = "https://github.com/kazuto1011/deeplab-pytorch"
_DEEPLAB = {
    "source": "kazuto1011/deeplab-pytorch",
    "page": f"{_KAZUTO}#performance",
    "licence": "MIT",
    "options": {"multi_scale": [1, 0.75, 0.5]},
    "preprocessing": PREPROCESSINGS["caffe"],
}

RELEASES |= {
    f"deeplab_v2_resnet101_{name}": Release(
        (_from_url(f"{_KAZUTO}/releases/download/v1.0/deeplabv2_resnet101_msc-{file}.pth"),),
        "deeplab_v2_resnet101",
        classes,
        dataset=name,
        protocol=protocol,
        scores=dict(
            zip(("pixel_accuracy", "mean_accuracy", "mean_iou", "fw_iou"), scores, strict=True)
        ),
        **_DEEPLAB,
    )
    for name, file, classes, protocol, scores in (
        ("voc12", "vocaug-20000", 21, "VOC 2012 val, three scales", (94.64, 86.50, 76.65, 90.41)),
        (
            "cocostuff10k",
            "cocostuff10k-20000",
            182,
            "COCO-Stuff 10k val, images and labels warped to 513x513, three scales",
            (65.8, 45.7, 34.8, 51.2),
        ),
        (
            "cocostuff164k",
            "cocostuff164k-100000",
            182,
            "COCO-Stuff 164k val, three scales",
            (66.8, 51.2, 39.1, 51.5),
        ),
    )
}

# The DeepLab authors' own networks in Caffe.
_CAFFE_ZIP = (
    "http://liangchiehchen.com/projects/released/deeplab_aspp_resnet101/prototxt_and_model.zip"
)
_CAFFE = {
    "source": "DeepLab v2 (Caffe)",
    "page": "http://liangchiehchen.com/projects/DeepLabv2_resnet.html",
    "licence": None,
    "preprocessing": PREPROCESSINGS["caffe"],
}

RELEASES |= {
    "deeplab_v1_resnet101_coco": Release(
        (_from_url(_CAFFE_ZIP, member="init.caffemodel"),),
        "deeplab_v1_resnet101",
        91,
        dataset="coco",
        **_CAFFE,
    ),
    "deeplab_v2_resnet101_voc12_caffe": Release(
        (_from_url(_CAFFE_ZIP, member="train2_iter_20000.caffemodel"),),
        "deeplab_v2_resnet101",
        21,
        options={"multi_scale": [1, 0.75, 0.5]},
        dataset="voc12",
        **_CAFFE,
    ),
}

# TensorFlow 1: TF-slim's classifiers, and DeepLab v2 converted from Caffe. TF-slim strides in a
# stage's last block, DeepLab in its first: these weights start a DeepLab, as they did originally,
# but don't classify exactly as published.
RELEASES |= {
    f"resnet{depth}_slim_imagenet": Release(
        (
            _from_url(
                f"http://download.tensorflow.org/models/resnet_v1_{depth}_2016_08_28.tar.gz",
                member=f"resnet_v1_{depth}.ckpt",
            ),
        ),
        f"resnet{depth}_caffe",
        1000,
        source="TF-slim",
        page="https://github.com/tensorflow/models/tree/master/research/slim",
        licence="Apache-2.0",
        classifier=True,
        options={"padding": "same"},
        preprocessing=PREPROCESSINGS["slim"],
        dataset="imagenet",
    )
    for depth in (50, 101)
}
RELEASES["deeplab_v2_resnet101_voc12_tf1"] = Release(
    (File("deeplab_resnet.ckpt"),),
    "deeplab_v2_resnet101",
    21,
    source="DrSleep/tensorflow-deeplab-resnet",
    page="https://drive.google.com/drive/folders/0B_rootXHuswsZ0E4Mjh1ZU5xZVU",
    licence=None,
    options={"padding": "same", "batch_norm_epsilon": 1e-3},
    preprocessing=PREPROCESSINGS["caffe"],
    dataset="voc12",
)

# ADE20K. The models since 2019 ("ade20k-") take RGB, the ones before ("baseline-") BGR.
_SCENE = "http://sceneparsing.csail.mit.edu/model/"
_CSAIL = {"source": "CSAILVision/semantic-segmentation-pytorch", "licence": "MIT"}


def _ade20k(folder, epoch, model, preprocessing, scores):
    return Release(
        tuple(
            _from_url(f"{_SCENE}pytorch/{folder}/{part}_epoch_{epoch}.pth")
            for part in ("encoder", "decoder")
        ),
        model,
        150,
        page=f"{_SCENE}pytorch",
        preprocessing=PREPROCESSINGS[preprocessing],
        dataset="ade20k",
        protocol="ADE20K validation, one scale",
        scores=dict(zip(("mean_iou", "pixel_accuracy"), scores, strict=True)),
        **_CSAIL,
    )


_PPM = "ppm_bilinear_deepsup"
RELEASES |= {
    "ade20k_resnet50dilated_ppm_deepsup": _ade20k(
        "ade20k-resnet50dilated-ppm_deepsup",
        20,
        f"resnet50_dilated8+{_PPM}",
        "imagenet",
        (41.26, 79.73),
    ),
    "ade20k_resnet50dilated_ppm_deepsup_bgr": _ade20k(
        f"baseline-resnet50_dilated8-{_PPM}",
        20,
        f"resnet50_dilated8+{_PPM}",
        "ade20k",
        (41.26, 79.73),
    ),
    "ade20k_resnet18dilated_ppm_deepsup": _ade20k(
        "ade20k-resnet18dilated-ppm_deepsup",
        20,
        f"resnet18_dilated8+{_PPM}",
        "imagenet",
        (38.00, 78.64),
    ),
    "ade20k_resnet101dilated_ppm_deepsup": _ade20k(
        "ade20k-resnet101dilated-ppm_deepsup",
        25,
        f"resnet101_dilated8+{_PPM}",
        "imagenet",
        (42.19, 80.59),
    ),
    "ade20k_resnet50_upernet": _ade20k(
        "ade20k-resnet50-upernet", 30, "resnet50+upernet", "imagenet", (40.44, 79.80)
    ),
    "ade20k_resnet101_upernet": _ade20k(
        "ade20k-resnet101-upernet", 50, "resnet101+upernet", "imagenet", (42.00, 80.79)
    ),
}
RELEASES |= {
    f"resnet{depth}_imagenet": Release(
        (_from_url(f"{_SCENE}pretrained_resnet/resnet{depth}-imagenet.pth"),),
        f"resnet{depth}",
        1000,
        page="https://github.com/CSAILVision/semantic-segmentation-pytorch",
        classifier=True,
        preprocessing=PREPROCESSINGS["ade20k"],
        dataset="imagenet",
        **_CSAIL,
    )
    for depth in (18, 50, 101)
}
