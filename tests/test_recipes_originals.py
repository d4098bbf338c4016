"""The recipes of flags/ beside the original codes: each setting, its value there and here.

Values there are those that the codes have as defaults or state in their instructions: fyu/drn
(segment.py), kazuto1011/deeplab-pytorch (configs/), the TensorFlow 1 codes of Wang and Ji
(main.py, main_msc.py, and main.py of the smoothed convolutions) and of Donhauser et al. (main.py,
setup.sh), CSAILVision/semantic-segmentation-pytorch of 2018 (train.py), and DeepLab v3's paper
with its authors' code (research/deeplab of tensorflow/models). What can't be said as a setting is
in docs/differences.md.
"""

import dataclasses
import inspect
from typing import Any

import pytest

from tfseg.cli.command import defined
from tfseg.cli.files import list_recipes
from tfseg.cli.shared import read_config
from tfseg.decoders.deeplab_v2 import DeepLabV2
from tfseg.decoders.ppm import PPM
from tfseg.decoders.table import DECODERS
from tfseg.layers import BatchNorm
from tfseg.layers.dilated import Smoothing
from tfseg.models.factory import SAMPLINGS
from tfseg.models.table import resolve
from tfseg.training.config import TrainConfig

RECIPES = [name for name in list_recipes() if not name.startswith("base/")]

# Data sets whose recipes are the project's own.
WITHOUT_ORIGINAL = {
    "camvid": "none of the codes has settings for CamVid",
    "sample": "drawn by the project itself",
}

# Settings of the machine, the folders and the log, and the number of a random sequence.
BOOKKEEPING = {
    *("data_dir", "run_dir", "train_split", "val_split", "seed", "strategy", "replicas", "cache"),
    *("validate_every", "checkpoint_every", "keep_checkpoints", "log_every", "xla"),
}

# What every table has to say. Settings that a table lacks must have their default, which is: not
# used (transforms, class weights, averages of weights and so on: none of the codes has them).
STATED = {
    *("model", "num_classes", "batch_size", "accumulation_steps", "optimizer", "momentum"),
    *("learning_rate", "lr_schedule", "lr_update_every", "weight_decay", "param_groups"),
    *("freeze_batch_norm", "mirror", "init_weights", "new_head", "preprocessing"),
    *("loss", "loss_average"),
}


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A setting that is deliberately another here, and why."""

    original: Any
    ours: Any
    reason: str


def common(**own):
    return {"optimizer": "sgd", "momentum": 0.9, "mirror": True, "loss": "cross_entropy", **own}


def drn(model, **own):
    """fyu/drn, `segment.py train -s 896 --batch-size 32 --epochs 250 --lr 0.01 --step 100`."""
    return common(
        **{
            "model": model,
            "num_classes": 19,
            "crop_size": (896, 896),
            "batch_size": 32,
            "accumulation_steps": 1,
            "epochs": 250.0,
            "learning_rate": 0.01,
            "lr_schedule": "step",
            "lr_step_size": 100.0,
            "lr_decay_rate": 0.1,
            "lr_update_every": "epoch",
            "weight_decay": 1e-4,
            "param_groups": "all",
            "freeze_batch_norm": "none",
            "init_weights": f"{model}_imagenet",
            "new_head": True,
            "preprocessing": "data",  # mean and std of info.json
            "pad_place": "even",
            "fill": "reflect",
            "loss_average": "batch",
            "model_option.batch_norm_momentum": 0.9,  # 0.1 of the new
            "model_option.batch_norm_epsilon": 1e-5,
            "model_option.sync_batch_norm": False,  # without --bn-sync
            **own,
        }
    )


# `-s 840 --random-scale 2 --random-rotate 10 --batch-size 16 --epochs 500 --lr-mode poly --bn-sync`
DRN_LONG = {
    "crop_size": (840, 840),
    "batch_size": 16,
    "epochs": 500.0,
    "lr_schedule": "poly",
    "lr_power": 0.9,
    "random_scale": (0.5, 2.0),
    "random_rotate": 10.0,
    "scale_filter": "lanczos_cubic",
    "model_option.sync_batch_norm": True,
}


def deeplab_pytorch(num_classes, steps):
    """kazuto1011/deeplab-pytorch, configs/*.yaml."""
    return common(
        **{
            "model": "deeplab_v2_resnet101",
            "num_classes": num_classes,
            "crop_size": (321, 321),
            "batch_size": 5,
            "accumulation_steps": 2,
            "steps": steps,
            "learning_rate": 2.5e-4,
            "lr_schedule": "poly",
            "lr_power": 0.9,
            "lr_update_every": "10",
            "weight_decay": 5e-4,
            "param_groups": "deeplab",
            "freeze_batch_norm": "all",  # statistics by eval(), scales by not being optimised
            "init_weights": "deeplab_v1_resnet101_coco",
            "new_head": True,
            "preprocessing": Deviation(
                "caffe", "auto", "what the weights expect, which is the same"
            ),
            "scale_choices": (0.5, 0.75, 1.0, 1.25, 1.5),
            "scale_filter": "bilinear",
            "pad_place": "bottom_right",
            "fill": "mean",
            "loss_average": "micro_batch",
            "model_option.multi_scale": [1, 0.75, 0.5],
            "model_option.head_initializer": "normal",
            "model_option.batch_norm_epsilon": 1e-5,
        }
    )


def tensorflow_1(**own):
    """Wang and Ji's main.py: 20000 steps, and one more at rate 0."""
    return common(
        **{
            "model": "deeplab_v2_resnet101",
            "num_classes": 21,
            "crop_size": (321, 321),
            "batch_size": 10,
            "accumulation_steps": 1,
            "steps": 20001,
            "learning_rate": 2.5e-4,
            "lr_schedule": "poly",
            "lr_power": 0.9,
            "lr_update_every": "step",
            "weight_decay": 5e-4,
            "param_groups": "deeplab",
            "freeze_batch_norm": "all",
            "init_weights": Deviation(
                "deeplab_resnet_init.ckpt", "", "a file of the user's, given in the command"
            ),
            "new_head": True,
            "preprocessing": Deviation(
                "means 104.00699, 116.66877, 122.67891", "caffe", "rounded to 0.004 levels"
            ),
            "random_scale": (0.5, 1.5),
            "scale_filter": "legacy",
            "pad_place": "bottom_right",
            "fill": "mean",
            "loss_average": "batch",
            "model_option.padding": "same",
            "model_option.sampling": "legacy",
            "model_option.head_initializer": "glorot_uniform",
            "model_option.batch_norm_epsilon": 1e-3,
            **own,
        }
    )


SLIM = {
    "init_weights": "resnet101_slim_imagenet",
    "preprocessing": Deviation(
        "caffe, as BGR", "slim", "its instructions: RGB with these weights; means are TF-slim's"
    ),
}
MULTI_SCALE = {
    "batch_size": 1,
    "accumulation_steps": 10,
    "loss_average": "micro_batch",
    "model_option.multi_scale": [1, 0.75, 0.5],
}


def smoothed(dilated_type, **own):
    """Wang and Ji's main.py of the smoothed convolutions."""
    return tensorflow_1(**{"learning_rate": 1e-3, "model_option.dilated_type": dilated_type, **own})


CYCLES = "ten cycles of 2001 updates, whose ends have the rate of the next one's start, are one run"
# Donhauser et al.: setup.sh without and with `cityscapes`, and what main.py has for both.
EFFICIENT = {
    "learning_rate": 2e-3,
    "weight_decay": 1e-4,
    "steps": Deviation(20010, 20001, CYCLES),
}
STREET_SCENES = {
    "num_classes": 19,
    "crop_size": (719, 719),
    "batch_size": 3,
    "learning_rate": 1e-4,
    "weight_decay": 1e-4,
    "steps": Deviation(80040, 80000, CYCLES.replace("ten", "forty")),
}
AVERAGE = {"model_option.trainable_average": True}
SMALLER = "for a GPU's memory in 2018: it isn't said to what, nor is it part of the method"


def ade20k(model, **own):
    """CSAILVision's train.py, 8 GPUs of 2 images."""
    options = {"model_option.dropout": 0.1} if "ppm" in model else {}
    return common(
        **{
            "model": model,
            "num_classes": 150,
            "short_sides": (300, 375, 450, 525, 600),
            "max_long_side": 1000,
            "size_divisor": 8,
            "batch_size": 16,
            "accumulation_steps": 1,
            "steps_per_epoch": 5000,
            "epochs": 20.0,
            "learning_rate": 0.02,
            "lr_schedule": "poly",
            "lr_power": 0.9,
            "lr_update_every": "step",
            "weight_decay": 1e-4,
            "param_groups": "conv_kernels",
            "freeze_batch_norm": "none",
            "init_weights": Deviation(
                "ImageNet weights of 2018, for BGR", "", "given in the command, with --new_head"
            ),
            "new_head": Deviation(True, False, "as init_weights"),
            "preprocessing": "ade20k",
            "loss_average": "replica",
            "model_option.batch_norm_momentum": 0.999,
            "model_option.batch_norm_epsilon": 1e-5,
            "model_option.sync_batch_norm": True,
            "model_option.aux_loss_weight": 0.4 if "deepsup" in model else None,
            **options,
            **own,
        }
    )


def deeplab_v3(model):
    """The v3 paper, section 4; what it doesn't say is as in its authors' code."""
    return common(
        **{
            "model": model,
            "num_classes": 21,
            "crop_size": (513, 513),
            "batch_size": 16,
            "accumulation_steps": 1,
            "steps": 30000,
            "learning_rate": 0.007,
            "lr_schedule": "poly",
            "lr_power": 0.9,
            "lr_update_every": "step",
            "weight_decay": 1e-4,  # of ResNets; 4e-5 of its other networks
            "param_groups": "conv_kernels",
            "freeze_batch_norm": "none",
            "init_weights": Deviation("ImageNet", "", "given in the command"),
            "new_head": True,
            "preprocessing": Deviation(
                "-1..1", "auto", "what the weights expect: torchvision's are for mean and std"
            ),
            "random_scale": Deviation(
                "0.5 to 2, in the code by steps of 0.25", (0.5, 2.0), "the paper names a range"
            ),
            "scale_filter": Deviation(
                "bilinear, corners aligned", "bilinear", "by pixel centres, as everything here"
            ),
            "pad_place": "bottom_right",
            "fill": "mean",
            "loss_average": "batch",
            "model_option.batch_norm_momentum": 0.9997,
            "model_option.batch_norm_epsilon": 1e-5,
        }
    )


VOC, STREETS = "voc12/deeplab_v2_resnet", "cityscapes/deeplab_v2_resnet101"
SMOOTHINGS = {
    "decompose": {},
    "smooth_GI": {},
    "smooth_SSC": {},
    "average_filter": AVERAGE,
    "gaussian_filter": {},
    "aggregation": AVERAGE,
}
ORIGINALS = {
    **{
        f"cityscapes/{m}": drn(m)
        for m in ["drn_a_50", "drn_c_26", "drn_c_42", "drn_d_22", "drn_d_38"]
    },
    "cityscapes/drn_d_105": drn("drn_d_105", **DRN_LONG),
    "voc12/deeplab_v2_resnet101": deeplab_pytorch(21, 20000),
    "cocostuff10k/deeplab_v2_resnet101": deeplab_pytorch(182, 20000),
    "cocostuff164k/deeplab_v2_resnet101": deeplab_pytorch(182, 100000),
    f"{VOC}101_tf": tensorflow_1(),
    f"{VOC}101_tf_imagenet": tensorflow_1(**SLIM),
    f"{VOC}101_tf_multi_scale": tensorflow_1(**MULTI_SCALE),
    f"{VOC}50_tf_imagenet": tensorflow_1(
        **{**SLIM, "model": "deeplab_v2_resnet50", "init_weights": "resnet50_slim_imagenet"}
    ),
    **{
        f"{VOC}101_{name}": smoothed(name, **own, **({} if "smooth" in name else EFFICIENT))
        for name, own in SMOOTHINGS.items()
        if name not in ("decompose", "aggregation")
    },
    f"{VOC}101_decompose": smoothed("decompose"),
    f"{VOC}101_aggregation": smoothed(
        "aggregation",
        **{**AVERAGE, **EFFICIENT, "batch_size": Deviation("to be reduced", 10, SMALLER)},
    ),
    STREETS: tensorflow_1(**STREET_SCENES),
    **{
        f"{STREETS}_{name}": smoothed(name, **{**own, **STREET_SCENES})
        for name, own in SMOOTHINGS.items()
    },
    "voc12/deeplab_v3_resnet101": deeplab_v3("deeplab_v3_resnet101"),
    "voc12/deeplab_v3plus_resnet101": deeplab_v3("deeplab_v3plus_resnet101"),
    **{
        f"ade20k/resnet{depth}_dilated8_{head}_deepsup": ade20k(
            f"resnet{depth}_dilated8+{head}_bilinear_deepsup",
            epochs=25.0 if depth == 101 else 20.0,
        )
        for depth, head in ((18, "c1"), (18, "ppm"), (50, "c1"), (50, "ppm"), (101, "ppm"))
    },
    "ade20k/resnet50_upernet": ade20k("resnet50+upernet", size_divisor=32),
    "ade20k/resnet101_upernet": ade20k("resnet101+upernet", size_divisor=32, epochs=25.0),
}


def model_defaults(model):
    """{option: what a model has without it}."""
    decoder = resolve(model)[1]
    norm, head, smoothing, pyramid = (
        {name: one.default for name, one in inspect.signature(part).parameters.items()}
        for part in (BatchNorm, DeepLabV2, Smoothing, PPM)
    )
    return {
        "batch_norm_momentum": norm["momentum"],
        "batch_norm_epsilon": norm["epsilon"],
        "sync_batch_norm": norm["synchronized"],
        "dilated_type": smoothing["dilated_type"],
        "trainable_average": smoothing["trainable_average"],
        "head_initializer": head["head_initializer"],
        "dropout": pyramid["dropout"],
        "padding": "symmetric",
        "sampling": SAMPLINGS[0],
        "multi_scale": None,
        "aux_loss_weight": DECODERS.find(decoder).loss_weights.get("aux_logits"),
    }


def configuration(recipe):
    """{setting: value} of everything that a training by the recipe has, options as model_option.*;
    and the names of the options that the recipe sets."""
    _, flags, arguments = defined("train", [f"--recipe={recipe}", "--run_dir=run"])
    flags.parse(arguments)
    config = read_config(flags, TrainConfig)
    options = config.model_options
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    del fields["model_options"]
    chosen = {**model_defaults(config.model), **options}
    return {**fields, **{f"model_option.{k}": v for k, v in chosen.items()}}, set(options)


def test_every_recipe_has_its_table():
    own = {name for name in RECIPES if name.partition("/")[0] in WITHOUT_ORIGINAL}
    assert set(ORIGINALS) == set(RECIPES) - own
    assert {name.partition("/")[0] for name in own} == set(WITHOUT_ORIGINAL)


@pytest.mark.parametrize("recipe", ORIGINALS)
def test_recipe_has_the_originals_values(recipe):
    table, (found, options) = ORIGINALS[recipe], configuration(recipe)
    assert STATED | {f"model_option.{name}" for name in options} <= set(table)
    assert {"crop_size", "short_sides"} & set(table) and {"steps", "epochs"} & set(table)
    differing = {}
    for name in set(found) | set(table):
        if name in BOOKKEEPING or (name not in table and name.startswith("model_option.")):
            continue
        default = next((f.default for f in dataclasses.fields(TrainConfig) if f.name == name), None)
        row = table.get(name, default)
        expected = row.ours if isinstance(row, Deviation) else row
        if name == "crop_size" and "short_sides" in table:
            expected = ()
        if name not in found or found[name] != expected:
            differing[name] = (expected, found.get(name))
    assert not differing, "setting: (original's value, the recipe's)"


def test_deviations_have_reasons():
    for table in ORIGINALS.values():
        for row in table.values():
            assert not isinstance(row, Deviation) or (row.reason and row.original != row.ours)
