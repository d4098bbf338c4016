import dataclasses
import json
import os
import pathlib
import resource
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfseg
from tfseg import cli
from tfseg.data import read_split, write_sample_dataset
from tfseg.errors import TfsegError
from tfseg.evaluation.truth import Predicted
from tfseg.models import ModelSpec
from tfseg.training import train, trainer
from tfseg.training.checkpoints import find_checkpoint
from tfseg.training.loss_scale import LossScale
from tfseg.training.segmentation import Segmentation, load_teacher
from tfseg.training.validation import Validations, Validator


def test_a_run_leaves_what_the_other_tools_need(make_config, run_of):
    config = make_config(epochs=2, validate_every="epoch")
    result = train(config)
    assert result.step == 6 and result.stopped_by == 0
    rows = run_of(config)[0]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in rows if row["val_mean_iou"] is not None] == [3, 6]
    assert rows[0]["learning_rate/all"] == pytest.approx(1e-3)
    assert rows[-1]["loss_average"] == pytest.approx(np.mean([row["loss"] for row in rows]))
    run = pathlib.Path(config.run_dir)
    assert "--model=drn_d_22" in (run / "config.flags").read_text().splitlines()
    assert list((run / "tensorboard").iterdir())
    model = ModelSpec.load(run / "model.json").build()
    tfseg.load_weights(model, run / "best.weights.h5")
    best = max((row for row in rows if row["val_mean_iou"]), key=lambda row: row["val_mean_iou"])
    assert result.best["step"] == best["step"]


def test_pictures_of_a_validation_lie_evenly_over_what_a_worker_sees(make_config):
    plan = Segmentation().plan(make_config())
    plan = dataclasses.replace(plan, val=plan.val.pick([0, 1, 2] * 4))
    validator = Validator(plan.spec.build(), plan, tf.distribute.get_strategy())
    labels = np.zeros((8, 8), np.uint8)
    for seen, expected in (
        (range(12), [2, 6, 10]),
        (range(0, 12, 4), [0, 4, 8]),
        ([11, 3], [3, 11]),
    ):
        validator._shown = {}
        for index in seen:
            image = np.full((8, 8, 3), 20 * index + 7, np.uint8)
            if validator._is_nearer(index):
                validator._keep(Predicted(index, image, labels, labels, None))
        shown = list(validator.panels())
        assert len(shown) == len(expected)
        for index in expected:
            assert any(np.all(panel == 20 * index + 7, -1).sum() >= 64 for panel in shown)


def test_best_weights_are_those_of_the_best_validation(make_config, monkeypatch):
    kept = {}
    script = iter([0.3, 0.2, None, 0.4, 0.1])

    def scores(self, progress):
        return {"val_mean_iou": next(script), "val_pixel_accuracy": 0.5}

    monkeypatch.setattr(Validator, "scores", scores)
    monkeypatch.setattr(Validator, "panels", lambda self: [])
    original = trainer.Session.save_best

    def save_best(self):
        original(self)
        kept[len(kept)] = self.values["step"]

    monkeypatch.setattr(trainer.Session, "save_best", save_best)
    result = train(make_config(steps=5, validate_every="1"))
    assert list(kept.values()) == [1, 4]
    assert result.best["step"] == 4 and result.best["val_mean_iou"] == 0.4


def test_a_run_ends_when_its_patience_does(make_config, monkeypatch, run_of):
    """At the same step after an interruption, and not again when it is called again."""
    scores = {1: 0.3, 2: 0.2, 3: 0.5, 4: 0.5, 5: 0.4}
    monkeypatch.setattr(Validator, "panels", lambda self: [])
    original = Validations.__call__

    def validate(self, step, told):
        found = {"val_mean_iou": scores[step], "val_pixel_accuracy": 0.5}
        self.validator.scores = lambda progress: found
        return original(self, step, told)

    monkeypatch.setattr(Validations, "__call__", validate)
    settings = {"steps": 9, "validate_every": "1", "checkpoint_every": "0"}
    config = make_config(patience=2, **settings)
    result = train(make_config(**{**settings, "steps": 4}))
    result = train(config)
    assert result.step == 5 and result.stopped_by == 0 and result.best["step"] == 3
    assert train(config) == result
    assert [row["step"] for row in run_of(config)[0]] == [1, 2, 3, 4, 5]


def test_a_network_learns_from_a_trained_one(make_config, run_of, caplog):
    frozen = {"freeze_batch_norm": "statistics", "val_split": ""}
    teacher = make_config("teacher", steps=1, **frozen)
    train(teacher)
    settings = {"teacher": teacher.run_dir, "loss": "distillation", "temperature": 2.0, **frozen}
    config = make_config("student", steps=2, **settings)
    assert train(config).step == 2
    rows, values = run_of(config)
    # At first, one update is all that lies between the two.
    assert 0 < rows[0]["loss"] < 0.5
    assert not any("teacher" in name for name in values)
    two = make_config("two", steps=1, **settings)
    train(dataclasses.replace(two, strategy="mirrored", replicas=2))
    assert run_of(two)[0][0]["loss"] == pytest.approx(rows[0]["loss"], rel=1e-4)
    with pytest.raises(TfsegError, match=r"`teacher=.*` normalises images in another way"):
        train(make_config("other", steps=1, preprocessing="caffe", **settings))
    plan = Segmentation().plan(config)
    spec = dataclasses.replace(plan.spec, num_classes=8, classes=None, palette=None)
    with pytest.raises(TfsegError, match=r"`teacher=.*` has 7 classes, not 8"):
        load_teacher(config, dataclasses.replace(plan, spec=spec))
    spec = dataclasses.replace(plan.spec, classes=plan.spec.classes[::-1])
    load_teacher(config, dataclasses.replace(plan, spec=spec))
    assert f"class 0 is '{plan.spec.classes[0]}' to the teacher and" in caplog.text
    with pytest.raises(TfsegError, match="nowhere"):
        train(make_config("other", steps=1, **{**settings, "teacher": "nowhere"}))


ADAMW = {
    "model": "drn_d_22+c1_bilinear",
    "model_options": {"blocks": [1, 1, 1, 0, 0, 0, 0, 0], "dropout": 0.3},
    "optimizer": "adamw",
    "lr_schedule": "one_cycle",
    "lr_warmup_steps": 2,
    "loss": "cross_entropy:1,dice:0.5,lovasz:0.5",
}


@pytest.mark.parametrize(
    # SGD's runs go on in test_damage.py as well.
    "settings",
    [pytest.param({}, id="sgd", marks=pytest.mark.slow), pytest.param(ADAMW, id="adamw")],
)
def test_resumed_run_is_the_undisturbed_one(
    make_config, train_until, run_of, assert_same_run, settings
):
    """With an optimizer's state, dropout, moving average, loss window and a changing rate."""
    settings = {"steps": 4, "ema_decay": 0.9, "validate_every": "2", **settings}
    whole = make_config("whole", **settings)
    train(whole)
    # The schedule looks at the whole length, so the interruption has to come from outside.
    parts = make_config("parts", checkpoint_every="2", **settings)
    train_until(parts, 3)
    assert run_of(parts)[0][-1]["step"] == 3
    result = train(parts)
    assert result.step == 4
    assert_same_run(parts, whole)


def test_a_signal_during_validation_leaves_it_to_the_resume(
    make_config, run_of, assert_same_run, capfd, tmp_path
):
    whole = make_config("whole", steps=3, validate_every="2")
    train(whole)
    parts = make_config("parts", steps=3, validate_every="2")
    file = tmp_path / "parts.flags"
    file.write_text(parts.to_flags())
    flags = [f"--flagfile={file}"]
    original = Validator.scores

    def kill(self, progress):
        os.kill(os.getpid(), signal.SIGTERM)
        return original(self, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Validator, "scores", kill)
        assert cli.main(["train", *flags]) == 128 + signal.SIGTERM
    assert "stopped by SIGTERM and saved at step 2" in capfd.readouterr().err
    assert run_of(parts)[0][-1]["step"] == 1
    assert cli.main(["train", *flags]) == 0
    said = capfd.readouterr().err
    assert "continuing" in said and "stopped" not in said and "next: " in said
    assert_same_run(parts, whole)


@pytest.mark.slow
def test_a_last_validation_left_to_the_resume_is_done_once(make_config, run_of, monkeypatch):
    config = make_config(steps=2, validate_every="2")
    original = Validator.scores

    def kill(self, progress):
        os.kill(os.getpid(), signal.SIGTERM)
        return original(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "scores", kill)
        assert train(config).stopped_by == signal.SIGTERM
    assert train(config).best["step"] == 2
    monkeypatch.setattr(Validator, "scores", None)  # a second validation would fail
    assert train(config).step == 2
    assert [row["step"] for row in run_of(config)[0]] == [1, 2]


@pytest.mark.parametrize("ema_decay", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
def test_a_checkpoint_is_a_source_of_weights(make_config, ema_decay):
    config = make_config(steps=2, validate_every="0", ema_decay=ema_decay)
    train(config)
    path = os.path.join(config.run_dir, "checkpoints", "step-2")
    best, last = tfseg.load(config.run_dir), tfseg.load(path)
    assert last.spec == best.spec
    for one, other in zip(best.model.variables, last.model.variables, strict=True):
        np.testing.assert_array_equal(one, other, one.path)
    model = tfseg.create_model("drn_d_22", best.spec.num_classes, **best.spec.options)
    assert tfseg.load_weights(model, path).preprocessing == best.spec.preprocessing


@pytest.mark.slow
def test_resumes_exactly_where_the_loss_scale_changes(
    make_config, train_until, run_of, monkeypatch
):
    original = LossScale.__init__
    monkeypatch.setattr(LossScale, "__init__", lambda self: original(self, 2.0**8, 2))
    settings = {"steps": 6, "precision": "float16", "ema_decay": 0.9, "checkpoint_every": "3"}
    settings |= {"batch_size": 2, "accumulation_steps": 2, "clip_norm": 1.0}
    whole, parts = make_config("whole", **settings), make_config("parts", **settings)
    train(whole)
    train_until(parts, 4)
    train(parts)
    (rows, variables), (others, restored) = run_of(whole), run_of(parts)
    np.testing.assert_equal(others, rows)  # takes NaN, of an update that overflowed, for equal
    np.testing.assert_equal(restored, variables)
    assert variables["loss_scale/scale/.ATTRIBUTES/VARIABLE_VALUE"] != 2.0**8


def test_folded_models_are_not_trained(make_config):
    with pytest.raises(TfsegError, match="is for inference"):
        train(make_config(model_options={"folded": True}))


@pytest.fixture(scope="module")
def short_run(make_run, tmp_path_factory):
    """The directory of a run of one step, without a validation."""
    folder = tmp_path_factory.mktemp("short") / "run"
    train(make_run(folder, steps=1, val_split=""))
    return folder


@pytest.fixture
def trained(make_config, short_run):
    """The settings of `short_run`, and a copy of it for the test."""
    config = make_config(steps=1, val_split="")
    shutil.copytree(short_run, config.run_dir)
    return config


def test_a_run_is_not_continued_on_another_number_of_images(trained, data_dir, tmp_path):
    config = dataclasses.replace(trained, steps=2, data_dir=str(tmp_path / "data"))
    shutil.copytree(data_dir, config.data_dir)
    for kind in ("images", "labels"):
        path = pathlib.Path(config.data_dir, f"train_{kind}.txt")
        path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(TfsegError, match=r"with training_images .*, not"):
        train(config)


def contents(folder):
    files = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_a_run_is_not_continued_under_other_settings(make_config, trained):
    before = contents(trained.run_dir)
    others = {"model": "drn_c_26", "batch_size": 2, "seed": 1, "precision": "bfloat16"}
    others["optimizer"] = "adamw"
    for name, value in {**others, "ema_decay": 0.9}.items():
        told = name.removesuffix("_decay")
        with pytest.raises(TfsegError, match=f"was trained to step 1 with {told} .*, not"):
            train(make_config(steps=2, val_split="", **{name: value}))
    with pytest.raises(TfsegError, match="class_weights"):
        train(make_config(steps=2, val_split="", class_weights=(1.0, 2.0)))
    assert contents(trained.run_dir) == before


def test_a_finished_run_can_be_made_longer(trained):
    """Also where its options are tuples, which its record has as lists."""
    options = {name: tuple(value) for name, value in trained.model_options.items()}
    config = dataclasses.replace(trained, model_options=options)
    assert train(config).step == 1
    assert train(dataclasses.replace(config, steps=2)).step == 2


@pytest.mark.slow
def test_replicas_give_the_result_of_one_device(make_config, assert_same_run):
    """Synchronised batch norm, ignored pixels spread unevenly, several steps."""
    settings = {"steps": 3, "validate_every": "0", "learning_rate": 1e-5}
    one, two = make_config("one", **settings), make_config("two", **settings)
    two = dataclasses.replace(two, strategy="mirrored", replicas=2)
    train(one)
    train(two)
    assert_same_run(two, one, 1e-5)


@pytest.mark.slow
def test_accumulation_gives_the_result_of_the_whole_batch(make_config, assert_same_run):
    settings = {"steps": 3, "freeze_batch_norm": "statistics", "val_split": ""}
    whole = make_config("whole", batch_size=8, **settings)
    parts = make_config("parts", batch_size=2, accumulation_steps=4, **settings)
    train(whole)
    train(parts)
    assert_same_run(parts, whole, 1e-5)


@pytest.mark.slow
def test_micro_batch_average_differs_with_uneven_labels(make_config, run_of):
    settings = {"steps": 1, "batch_size": 2, "accumulation_steps": 2, "val_split": ""}
    whole, each = make_config("a", **settings), make_config("b", **settings)
    each = dataclasses.replace(each, loss_average="micro_batch")
    train(whole)
    train(each)
    assert abs(run_of(whole)[0][0]["loss"] - run_of(each)[0][0]["loss"]) > 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "bfloat16", "clip_norm": 1.0},
        {"precision": "float16", "param_groups": "conv_kernels", "ohem_fraction": 0.5},
    ],
)
def test_options_train(make_config, settings, run_of):
    config = make_config(steps=2, val_split="", **settings)
    train(config)
    assert all(np.isfinite(row["loss"]) for row in run_of(config)[0])
    assert (pathlib.Path(config.run_dir) / "best.weights.h5").exists()


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(
    make_config, monkeypatch, run_of
):
    config = make_config(steps=4, checkpoint_every="1", validate_every="0")
    original = trainer.Schedule.__call__
    # The second update throws the weights so far off that the third has no finite loss.
    monkeypatch.setattr(
        trainer.Schedule, "__call__", lambda s, step: 1e30 if step == 1 else original(s, step)
    )
    with pytest.raises(TfsegError, match="at step 3 with learning rate") as error:
        train(config)
    names = read_split(config.data_dir, "train").names
    assert sum(name in str(error.value) for name in names) == 4
    assert "`learning_rate`" in str(error.value) and "step 2 is saved" in str(error.value)
    assert "\n" not in str(error.value)
    assert run_of(config)[1]


def test_batch_that_replicas_cannot_share(make_config):
    with pytest.raises(TfsegError, match="`batch_size=3` can't be dealt to 2 replicas"):
        train(make_config(batch_size=3, strategy="mirrored", replicas=2))


def test_crop_smaller_than_the_stride(make_config):
    with pytest.raises(TfsegError, match="`crop_size=3,3` is smaller than the output stride"):
        train(make_config(crop_size=3))


def test_run_directory_that_is_a_file(make_config, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(TfsegError, match="is a file, not a folder"):
        train(make_config())


def test_run_directory_that_cannot_be_made(make_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TfsegError, match=r"can't make `run_dir=.*file/run`: Not a directory"):
        train(make_config("file/run"))


def test_labels_out_of_range_are_found_before_training(make_config, tmp_path):
    write_sample_dataset(tmp_path / "bad", train=2, val=1, size=(32, 32))
    path = read_split(tmp_path / "bad", "train").labels[0]
    labels = np.array(Image.open(path))
    labels[:] = 77
    Image.fromarray(labels).save(path)
    with pytest.raises(TfsegError, match="77"):
        train(make_config(data_dir=str(tmp_path / "bad")))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow  # as processes see it, in cli/test_bad_inputs.py
@pytest.mark.parametrize("checkpoint_every", ["1", "0"])
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_full_disk_leaves_the_earlier_checkpoint(make_config, checkpoint_every, run_of):
    """While a checkpoint is written, and while the best weights are."""
    config = make_config(steps=2, val_split="")
    train(config)
    before = run_of(config)[1]
    # Larger than the text files of a run, smaller than its weights.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(TfsegError, match="File too large") as error:
            train(dataclasses.replace(config, steps=4, checkpoint_every=checkpoint_every))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(error.value)
    after = run_of(config)[1]
    assert all(np.array_equal(before[name], after[name]) for name in before)
    folder = pathlib.Path(config.run_dir)
    assert {path.name.split(".")[0] for path in (folder / "checkpoints").iterdir()} == {
        "step-2",
    }
    tfseg.load_weights(ModelSpec.load(folder / "model.json").build(), folder / "best.weights.h5")
    assert train(dataclasses.replace(config, steps=4)).step == 4


def test_damaged_checkpoint_is_one_clear_line(trained):
    checkpoints = pathlib.Path(trained.run_dir) / "checkpoints"
    for name, kept in (("data-00000-of-00001", 0.9), ("data-00000-of-00001", 0), ("index", 0.1)):
        path = checkpoints / f"step-1.{name}"
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
        before = contents(trained.run_dir)
        with pytest.raises(TfsegError, match=r"no whole checkpoint: .*step-1") as error:
            train(dataclasses.replace(trained, steps=2))
        assert "\n" not in str(error.value)
        assert contents(trained.run_dir) == before


def test_state_in_a_checkpoint_is_plain(short_run):
    state = find_checkpoint(short_run).values
    assert state["step"] == 1 and state["settings"]["model"] == "drn_d_22"
    json.dumps(state)
