"""Training on batches of natural shape, whose height and width only the graph knows."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfseg
from tfseg.data import DataInfo
from tfseg.errors import TfsegError
from tfseg.training import (
    SGD,
    SegmentationLoss,
    TrainConfig,
    create_strategy,
    step,
    train,
)
from tfseg.training.groups import assign_groups, find_table
from tfseg.training.plan import plan_run
from tfseg.training.samples import distributed_dataset

MODEL = "resnet18+c1_bilinear_deepsup"
TINY = {"blocks": [1, 1, 1, 1]}
# (height, width)
SIZES = [(40, 60), (60, 44), (48, 48), (34, 80), (70, 50), (40, 66), (50, 40), (30, 40)]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Images whose colours show their labels, which start at 1; 0 is unlabelled."""
    folder = tmp_path_factory.mktemp("natural")
    rng = np.random.default_rng(0)
    for split, sizes in (("train", SIZES), ("val", SIZES[:2])):
        lines = []
        for number, (height, width) in enumerate(sizes):
            label = rng.integers(0, 4, (height // 8 + 1, width // 8 + 1), np.uint8)
            label = label.repeat(8, 0).repeat(8, 1)[:height, :width]
            Image.fromarray(label).save(folder / f"{split}{number}_label.png")
            Image.fromarray(np.stack([60 * label] * 3, -1)).save(folder / f"{split}{number}.png")
            lines.append(f"{split}{number}.png {split}{number}_label.png\n")
        (folder / f"{split}.txt").write_text("".join(lines))
    label_map = {0: 255, 1: 0, 2: 1, 3: 2}
    DataInfo((0.5,) * 3, (0.3,) * 3, ["a", "b", "c"], label_map=label_map).save(folder)
    return str(folder)


@pytest.fixture
def config(data_dir, tmp_path):
    """Function (run name, **settings) -> `TrainConfig`."""

    def make(run="run", **settings):
        values = {
            "data_dir": data_dir,
            "run_dir": str(tmp_path / run),
            "model": MODEL,
            "model_options": TINY,
            "short_sides": (32, 40),
            "max_long_side": 70,
            "size_divisor": 32,
            "batch_size": 4,
            "steps": 4,
            "strategy": "one_device",
            "param_groups": "conv_kernels",
            "log_every": 1,
            "learning_rate": 1e-3,
        }
        return TrainConfig(**{**values, **settings})

    return make


def updates(config, replicas, count=3):
    """Losses of the first updates, the shapes that each replica saw, and the variables after.

    In float64, where a difference would be a mistake, and with frozen batch norm: its statistics
    are those of an update, which no single device can see where shapes differ.
    """
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(0)
    plan = plan_run(config)
    strategy = create_strategy("mirrored" if replicas > 1 else "one_device", replicas)
    with strategy.scope():
        model = tfseg.create_model(MODEL, 3, **TINY, freeze_batch_norm="statistics")
        trained = {v.path: v.value for v in model.trainable_variables}
        groups = assign_groups(trained, find_table("conv_kernels"))
        optimizer = SGD(trained, groups, momentum=0.9, weight_decay=1e-2)
    data = distributed_dataset(config, plan, strategy, 0)
    update = step.TrainStep(
        model,
        SegmentationLoss(model),
        optimizer,
        strategy,
        data.element_spec,
        accumulation_steps=config.accumulation_steps,
    )
    elements, losses, shapes = iter(data), [], []
    for _ in range(count):
        batch = tuple(next(elements) for _ in range(config.accumulation_steps))
        parts = [strategy.experimental_local_results(images) for images, _ in batch]
        shapes.append([part.shape[1:3] for micro_batch in parts for part in micro_batch])
        losses.append(update(batch, 0.02)[0].numpy())
    assert update._step.experimental_get_tracing_count() == 1
    return losses, shapes, {v.path: v.numpy() for v in model.trainable_variables}


def test_replicas_of_different_shapes_lose_what_one_device_does(config):
    one = updates(config(batch_size=2, accumulation_steps=2), 1)
    two = updates(config(), 2)
    assert one[1] == two[1]
    assert any(first != second for first, second in two[1])
    assert len({shape for shapes in two[1] for shape in shapes}) > 2
    np.testing.assert_allclose(two[0], one[0], rtol=1e-10)
    for path, value in one[2].items():
        np.testing.assert_allclose(two[2][path], value, rtol=1e-8, atol=1e-10, err_msg=path)


def test_labels_at_the_logits_resolution_are_the_same_to_the_loss():
    model = tfseg.create_model(MODEL, 3, **TINY)
    loss = SegmentationLoss(model)
    labels = np.random.default_rng(0).integers(0, 3, (2, 64, 96)).astype(np.int32)
    labels[:, 20:40] = 255
    images = np.random.default_rng(1).normal(size=(2, 64, 96, 3)).astype(np.float32)
    outputs = {"logits": model(images)["logits"]}
    model.loss_weights = {"logits": 1.0}
    # The label at the centre of each of the 32x32 cells, as in Pillow's nearest-neighbour rule.
    small = labels[:, 16::32, 16::32]
    for part in (labels, small):
        counts = loss.counts(tf.constant(part), (64, 96))
        assert counts.numpy().tolist() == [(small != 255).sum()]
    values = [float(loss(outputs, tf.constant(part), counts)) for part in (labels, small)]
    assert values[0] == values[1]


@pytest.mark.slow
def test_resumes_exactly_with_dropout(config, assert_same_run):
    options = {
        "model_options": {**TINY, "dropout": 0.3},
        "lr_schedule": "constant",
        "validate_every": "2",
    }
    train(config("parts", steps=2, **options))
    whole, parts = config("whole", **options), config("parts", **options)
    train(whole)
    result = train(parts)
    assert result.step == 4 and result.best["val_mean_iou"] is not None
    assert_same_run(parts, whole)


def test_resume_on_other_replicas_is_refused(config):
    train(config(steps=1, val_split=""))
    with pytest.raises(TfsegError, match="images_per_replica 4, not 2"):
        train(config(steps=2, val_split="", strategy="mirrored", replicas=2))


@pytest.mark.slow
def test_epochs_and_rates_are_what_they_are_told(config, run_of):
    settings = config(
        steps=0,
        epochs=1.5,
        steps_per_epoch=2,
        val_split="",
        learning_rate=0.02,
        encoder_learning_rate=0.005,
        lr_schedule="constant",
        model_options={**TINY, "aux_loss_weight": 0.1},
    )
    assert train(settings).step == 3
    rows = run_of(settings)[0]
    assert [row["epoch"] for row in rows] == [0.5, 1.0, 1.5]
    rates = {key.split("/")[1]: rows[0][key] for key in rows[0] if "learning_rate" in key}
    assert rates == pytest.approx(
        {
            **dict.fromkeys(("encoder_kernels", "encoder_rest"), 0.005),
            **dict.fromkeys(("decoder_kernels", "decoder_rest"), 0.02),
        }
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop_size": 32}, "`short_sides` and `crop_size` exclude each other"),
        ({"random_scale": (0.5, 2)}, "`short_sides` excludes `random_scale`"),
        ({"xla": True}, "and `xla`"),
        ({"short_sides": "0,4"}, "`short_sides` must be above 0, not 0,4"),
        ({"size_divisor": 0}, "`size_divisor` must be at least 1"),
        ({"size_divisor": 8}, "`size_divisor=8` is not a multiple of the output stride"),
        ({"param_groups": "all", "encoder_learning_rate": 0.1}, "needs groups of the encoder's"),
    ],
)
def test_impossible_settings_end_in_one_line(config, settings, message):
    with pytest.raises(TfsegError, match=message) as error:
        train(config(**settings))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("weight", [-1, "a", float("inf"), True])
def test_bad_auxiliary_weight(weight):
    with pytest.raises(TfsegError, match=r"`aux_loss_weight` must be (a number|at least 0), not"):
        tfseg.create_model(MODEL, 3, aux_loss_weight=weight)


def test_auxiliary_weight():
    model = tfseg.create_model(MODEL, 3, **TINY, aux_loss_weight=0.1)
    assert model.loss_weights == {"logits": 1.0, "aux_logits": 0.1}
    with pytest.raises(TfsegError, match="unknown option"):
        tfseg.create_model("resnet18+upernet", 3, aux_loss_weight=0.1)
