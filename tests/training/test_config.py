import dataclasses
import pathlib
import shlex

import numpy as np
import pytest
from absl import flags

from tfseg.data import DataInfo
from tfseg.errors import TfsegError
from tfseg.training.plan import plan_run
from tfseg.training.values import interval


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "one of `steps`, `epochs` and `minutes`"),
        ({"steps": 4, "epochs": 1.0}, "one of `steps`, `epochs` and `minutes`"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, not 0"),
        ({"batch_size": "8"}, "`batch_size` must be a whole number, not '8'"),
        ({"learning_rate": "0.1"}, "`learning_rate` must be a number, not '0.1'"),
        ({"learning_rate": -1.0}, "`learning_rate` must be above 0, not -1.0"),
        ({"learning_rate": float("inf")}, "`learning_rate` must be above 0, not inf"),
        ({"mirror": 1}, "`mirror` must be true or false, not 1"),
        ({"model_options": [1]}, r"`model_options` must be a dict, not \[1\]"),
        ({"crop_size": "3,4,5"}, "`crop_size` must be height,width or one number, not 3,4,5"),
        ({"crop_size": "big"}, "`crop_size` must be whole numbers, not 'big'"),
        ({"crop_size": 0}, "`crop_size` must be height,width or one number, not 0"),
        ({"random_scale": (1, 10**400)}, "`random_scale` must be numbers, not '1,1000"),
        ({"crop_size": 32.5}, "`crop_size` must be whole numbers, not '32.5'"),
        ({"short_sides": (24.5,)}, "`short_sides` must be whole numbers, not '24.5,'"),
        ({"validate_every": "²"}, "`validate_every` must be epoch or a number of updates"),
        ({"patience": 2, "validate_every": "00"}, "`patience` needs validations"),
        ({"class_weights": "median"}, "not 'median', which is none of median_frequency, effective"),
        ({"lr_decay_rate": 10.0}, "`lr_decay_rate` must be above 0 and at most 1"),
        ({"transforms": "erase=0.5"}, "unknown transform 'erase=0.5'; did you mean erase"),
        ({"transforms": "blur 0.5"}, "unknown transform 'blur 0.5'; did you mean blur"),
        ({"random_scale": "2,1"}, "`random_scale` must be smallest,largest, not 2,1"),
        ({"momentum": 1.0}, "`momentum` must be at least 0 and below 1"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be above 0, not nan"),
        ({"lr_schedule": "polly"}, "did you mean poly"),
        ({"lr_update_every": "0"}, "`lr_update_every` must be step, epoch or a number"),
        ({"validate_every": "step"}, "`validate_every` must be epoch or a number"),
        ({"class_weights": "1,-1"}, "`class_weights` must be at least 0"),
        ({"class_weights": "1,nan"}, "`class_weights` must be finite numbers, not '1,nan'"),
        ({"class_weights": (1.0, float("inf"))}, "`class_weights` must be finite numbers, not "),
        ({"random_scale": "0.5,inf"}, "`random_scale` must be finite numbers, not '0.5,inf'"),
        ({"class_weights": "1,1", "ohem_fraction": 0.5}, "exclude each other"),
        ({"loss": "focul"}, "unknown loss 'focul'; did you mean focal"),
        ({"loss": "ohem"}, "the loss ohem needs `ohem_fraction`"),
        ({"loss": "dice", "ohem_fraction": 0.5}, "is an option of ohem, which isn't in loss=dice"),
        ({"focal_gamma": 1.0}, "is an option of focal, which isn't in loss=cross_entropy"),
        ({"loss": "dice", "accumulation_steps": 2}, "take dice_per_image"),
        ({"loss": "dice", "loss_average": "replica"}, "excludes loss_average=replica: take"),
        ({"loss": "tversky", "tversky_beta": 0.0}, "`tversky_beta` must be above 0"),
        ({"loss": "lovasz", "xla": True}, "the loss lovasz and `xla` exclude each other"),
        ({"optimizer": "adam"}, "unknown optimizer 'adam'; did you mean adamw"),
        ({"adam_beta1": 0.5}, "`adam_beta1` is an option of adamw, not of sgd"),
        ({"optimizer": "adamw", "momentum": 0.5}, "`momentum` is an option of sgd, not of adamw"),
        ({"lr_warmup_steps": -1}, "`lr_warmup_steps` must be at least 0"),
        ({"transforms": "blurr"}, "unknown transform 'blurr'; did you mean blur"),
        ({"transforms": "cutmix", "short_sides": 32, "crop_size": ()}, "cutmix is for crops"),
        ({"class_crops": 0.5, "short_sides": 32, "crop_size": ()}, "exclude each other"),
        ({"patience": 2, "val_split": ""}, "`patience` needs validations"),
        ({"loss": "distillation"}, "the loss distillation needs a `teacher`"),
        (
            {"teacher": "runs/x"},
            "`teacher` is for the loss distillation, which isn't in loss=cross",
        ),
        ({"label_smoothing": 1.0}, "`label_smoothing` must be at least 0 and below 1"),
        ({"model": ""}, "`model` is missing"),
        ({"seed": -1}, "`seed` must be in 0"),
    ],
)
def test_impossible_settings_end_in_one_line(make_config, settings, message):
    with pytest.raises(TfsegError, match=message) as error:
        make_config(**settings)
    assert "\n" not in str(error.value)


def test_one_number_is_a_square_crop(make_config):
    assert make_config(crop_size="48").crop_size == (48, 48)


def test_paths_and_numbers_become_text(make_config, tmp_path):
    config = make_config(data_dir=tmp_path, validate_every=3)
    assert config.data_dir == str(tmp_path) and config.validate_every == "3"


def test_intervals():
    assert interval("validate_every", "epoch", 7) == 7
    assert interval("validate_every", "30", 7) == 30
    assert interval("validate_every", "0", 7) == 0
    assert interval("lr_update_every", "step", 7) == 1


def test_written_flags_say_everything(make_config):
    config = make_config(mirror=False, class_weights=(1.0, 0.5), random_scale=(0.5, 2.0))
    lines = shlex.split(config.to_flags())
    assert "--nomirror" in lines
    assert "--model_option=blocks=1,1,1,0,0,0,0,0" in lines
    holder = flags.FlagValues()
    flags.DEFINE_string("class_weights", "", "", flag_values=holder)
    flags.DEFINE_string("random_scale", "", "", flag_values=holder)
    holder(["tool", *(line for line in lines if "class_w" in line or "_scale" in line)])
    again = make_config(class_weights=holder.class_weights, random_scale=holder.random_scale)
    assert again.class_weights == (1.0, 0.5) and again.random_scale == (0.5, 2.0)


def test_a_share_of_hard_examples_alone_is_their_loss(make_config):
    config = make_config(ohem_fraction=0.5)
    assert config.loss == "ohem" and config.loss_options() == {"ohem_fraction": 0.5}
    assert dataclasses.replace(config, steps=9).loss == "ohem"


def test_class_weights_by_name(make_config):
    named = make_config(class_weights="median_frequency")
    assert named.class_weights == ("median_frequency",)
    assert "--class_weights=median_frequency" in named.to_flags()
    # As the line of the flag file says it.
    assert dataclasses.replace(named, class_weights="median_frequency,") == named
    assert make_config(class_weights=np.array([1.0, 0.5])).class_weights == (1.0, 0.5)
    assert make_config(crop_size=np.array([16, 32])).crop_size == (16, 32)
    with pytest.raises(TfsegError, match="`class_weights` must be numbers"):
        make_config(class_weights="no_rule")


def test_class_weights_come_from_info_json(make_config, tmp_path, data_dir):
    info = DataInfo.load(data_dir)
    plain = dataclasses.replace(info, class_weights=None)
    for path in pathlib.Path(data_dir).iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "info.json").unlink()
    plain.save(tmp_path)
    config = make_config(class_weights="effective_number", data_dir=str(tmp_path))
    with pytest.raises(TfsegError, match="no class weights 'effective_number'"):
        plan_run(config)
    weights = {"effective_number": list(range(len(info.classes)))}
    dataclasses.replace(plain, class_weights=weights).save(tmp_path)
    assert plan_run(config).class_weights == tuple(range(len(info.classes)))
    assert plan_run(make_config(class_weights="1,2")).class_weights == (1.0, 2.0)
    dataclasses.replace(plain, class_weights={"median_frequency": [1, 2]}).save(tmp_path)
    for settings in ({"class_weights": "median_frequency"}, {"class_crops": 0.5}):
        with pytest.raises(TfsegError, match="2 class weights 'median_frequency' for 7 classes"):
            plan_run(make_config(data_dir=str(tmp_path), **settings))
