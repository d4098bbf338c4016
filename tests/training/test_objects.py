"""Objects where settings take names: losses, optimizers, schedules and transforms."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfseg.data.augment import TRANSFORMS, TransformRow, load_transforms
from tfseg.errors import TfsegError
from tfseg.training import train
from tfseg.training.losses import LOSSES, LossRow, create_terms
from tfseg.training.losses.pixel import CrossEntropy, Focal
from tfseg.training.losses.region import Tversky
from tfseg.training.optimizers import SGD, AdamW, create_optimizer
from tfseg.training.schedules import Schedule


class Mine(Focal):
    """A loss of a user's."""


class Wide(Tversky):
    """Another, which looks at the whole batch."""


def falling(step, total, run):
    return 1 / (1 + step)


def steady(step, total, run):
    return 1.0


def invert(image, label, key):
    return 255 - image, label


def brighter(image, label, key, strength):
    return image * strength, label


def lines(config, *names):
    return [line for line in config.to_flags().splitlines() if line[2:].split("=")[0] in names]


def test_objects_are_recorded_by_module_name_and_plain_attributes(make_config):
    config = make_config(
        loss=[Mine(focal_gamma=3.0), ("dice", 0.5)],
        optimizer=functools.partial(AdamW, adam_beta1=0.5),
        lr_schedule=falling,
        transforms=[invert, ("noise", 5)],
    )
    here = __name__
    assert lines(config, "loss", "optimizer", "lr_schedule", "transforms") == [
        f"--lr_schedule={here}.falling",
        "--optimizer=tfseg.training.optimizers.adamw.AdamW(adam_beta1=0.5)",
        f"--transforms={here}.invert,noise:5",
        f"--loss={here}.Mine(gamma=3.0),dice:0.5",
    ]
    assert config.fixed(1)["optimizer"].endswith("AdamW(adam_beta1=0.5)")


def test_modules_are_recorded_for_the_command(make_config):
    flags = make_config(imports="my_rows, more.rows,others").to_flags()
    assert flags.splitlines()[:3] == ["--import=my_rows", "--import=more.rows", "--import=others"]
    assert "import" not in make_config().to_flags()


def test_objects_do_what_they_do_by_name(make_config):
    given = create_terms([Mine(3.0), ("dice", 0.5), CrossEntropy], {})
    assert [(factor, type(term)) for factor, term, _ in given] == [
        (1.0, Mine),
        (0.5, Tversky),
        (1.0, CrossEntropy),
    ]
    assert given[0][1].gamma == 3.0
    config = make_config(lr_schedule=falling, optimizer=functools.partial(SGD, momentum=0.5))
    assert Schedule(config, 8, 4)(3) == config.learning_rate / 4
    optimizer = create_optimizer(config, {"w": tf.Variable([1.0])}, [None])
    assert optimizer.momentum == 0.5 and optimizer.weight_decay == config.weight_decay


def test_transforms_take_a_strength_where_a_row_or_a_pair_has_one():
    row = TransformRow(name="mine", code=brighter, strength=0.5)
    image, key = tf.fill([2, 2, 3], 100.0), tf.constant([1, 2], tf.int64)
    for given, value in ((invert, 155), (row, 50), ((brighter, 0.25), 25), ([(row, 0.1)], 10)):
        ((_, function),) = load_transforms([given] if isinstance(given, tuple) else given)
        np.testing.assert_allclose(function(image, 0, key)[0], value, rtol=1e-6)


def test_what_a_loss_needs_is_known_of_objects():
    """Otherwise replicas would each take the value of their own part."""
    ((_, _, row),) = create_terms(Wide(0.3, 0.7), {})
    assert row.needs == "outputs"
    with pytest.raises(TfsegError, match="loss mine needs outputs, and its row says labels"):
        create_terms(LossRow(name="mine", code=Wide), {})
    for row in LOSSES.values():
        loss = row.load()
        assert (loss.needs, loss.needs_teacher) == (row.needs, row.needs_teacher), row.name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": 3}, "`loss` must be a name, a LossRow or a Loss, not 3"),
        ({"loss": [("dice", 1, 2)]}, "must be a name or object, or one with its number"),
        ({"loss": []}, "`loss` is empty"),
        ({"loss": [Mine(), Mine()]}, r"the loss .*Mine\(gamma=2.0\) comes twice"),
        ({"loss": [(Mine(), -1)]}, r"the factor of .*Mine\(gamma=2.0\) must be above 0"),
        ({"loss": Wide(), "accumulation_steps": 2}, "Wide.* looks at the whole batch at once"),
        ({"loss": "my_losses.Mine(gamma=2.0)"}, "loss my_losses.Mine.* was an object"),
        ({"optimizer": "my.Lion"}, "optimizer my.Lion was an object, which Python alone can give"),
        ({"optimizer": SGD({}, [])}, "`optimizer` must be a name, an OptimizerRow, or a class"),
        ({"optimizer": SGD, "momentum": 0.5}, r"`momentum` is an option of sgd, not of .*\.SGD"),
        ({"lr_schedule": lambda *_: 1.0}, "a lambda has no name that a record could tell"),
        ({"lr_schedule": 3}, "`lr_schedule` must be a name, a Row, or a function of step"),
        ({"transforms": [3]}, "`transforms` must be names, TransformRows, or functions"),
        ({"transforms": [(TRANSFORMS["blur"], 2)]}, "the number of blur must be above 0"),
    ],
)
def test_wrong_objects(make_config, settings, message):
    with pytest.raises(TfsegError, match=message) as error:
        make_config(**settings)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_run_of_objects_goes_on_with_the_same(make_config, run_of, assert_same_run):
    objects = {
        "loss": [Mine(2.0), ("dice", 0.5)],
        "optimizer": functools.partial(SGD, momentum=0.5),
        "lr_schedule": steady,
        "transforms": invert,
    }
    settings = {"val_split": "", "steps": 2}
    whole, parts = make_config("whole", **settings, **objects), make_config("parts", **settings)
    train(whole)
    train(make_config("parts", **{**settings, "steps": 1}, **objects))
    with pytest.raises(
        TfsegError, match=r"with optimizer .*SGD\(momentum=0.5\), not sgd: use the same"
    ):
        train(parts)
    train(make_config("parts", **settings, **objects))
    assert_same_run(make_config("parts"), whole)
    names = {"loss": "focal,dice:0.5", "lr_schedule": "constant", "momentum": 0.5}
    named = make_config("named", **{**settings, **names, "transforms": invert})
    train(named)
    for name, value in run_of(whole)[1].items():
        np.testing.assert_array_equal(value, run_of(named)[1][name], err_msg=name)
