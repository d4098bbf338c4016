"""The recipes in flags/: each must be something that the trainer takes."""

import re

import pytest

import tfseg
from tfseg.cli.files import expand, list_recipes, recipes_dir
from tfseg.cli.shared import parse_options
from tfseg.data.catalog import DATASETS
from tfseg.training.config import TrainConfig

RECIPES = [name for name in list_recipes() if not name.startswith("base/")]


def settings(recipe):
    """{flag: value} of a recipe and what it includes; the last one counts."""
    values = {}
    for line in expand([f"--recipe={recipe}"]):
        name, equals, text = line.removeprefix("--").partition("=")
        if not equals:
            values[name.removeprefix("no")] = not name.startswith("no")
            continue
        if name == "model_option":
            values.setdefault("model_options", []).append(text)
            continue
        kind = type(getattr(TrainConfig, name))
        values[name] = text if kind is tuple else kind(text)
    return values


def test_there_are_recipes():
    assert "sample/drn_d_22" in RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_is_a_valid_configuration(recipe):
    values = settings(recipe)
    values["model_options"] = parse_options(values.get("model_options", []))
    config = TrainConfig(**{"data_dir": "data", "run_dir": "run", **values})
    assert config.model in tfseg.list_models()
    assert recipe.partition("/")[2].startswith(
        config.model.replace("+", "_").replace("_bilinear", "")
    )


@pytest.mark.parametrize("name", [row.name for row in DATASETS.values() if row.recipes])
def test_recipes_fit_their_data_set(name):
    row = DATASETS[name]
    assert settings(f"base/{row.recipes}")["num_classes"] == len(row.facts.classes)
    assert any(recipe.startswith(f"{row.recipes}/") for recipe in RECIPES)


# One recipe of each set of options.
WITH_OPTIONS = {
    tuple(options): recipe
    for recipe in RECIPES
    if (options := settings(recipe).get("model_options"))
}


@pytest.mark.parametrize("recipe", WITH_OPTIONS.values())
def test_options_of_the_model_exist(recipe):
    values = settings(recipe)
    blocks = [1] * 8 if values["model"].startswith("drn") else [1, 1, 1, 3]
    options = {"blocks": blocks, **parse_options(values["model_options"])}
    tfseg.create_model(values["model"], values["num_classes"], **options)


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_says_where_it_comes_from(recipe):
    text = (recipes_dir() / f"{recipe}.flags").read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("#")]
    for entry in ("Paper", "Command", "Published", "Measured"):
        assert any(line.startswith(f"#   {entry}") for line in head), entry
    assert re.search(rf"tfseg train --recipe={recipe}\b", "\n".join(head))


def test_a_recipe_overrides_what_it_includes():
    plain, longer = (settings(f"cityscapes/{name}") for name in ("drn_c_26", "drn_d_105"))
    assert (plain["model"], plain["crop_size"], plain["epochs"]) == ("drn_c_26", "896", 250)
    assert plain["num_classes"] == longer["num_classes"] == 19
    assert longer["lr_schedule"] == "poly"


# Learning rate, weight decay, batch, updates and crop of the original codes.
@pytest.mark.parametrize(
    "recipe, published",
    [
        ("voc12/deeplab_v2_resnet101", (2.5e-4, 5e-4, 10, 20000, "321")),
        ("cocostuff10k/deeplab_v2_resnet101", (2.5e-4, 5e-4, 10, 20000, "321")),
        ("cocostuff164k/deeplab_v2_resnet101", (2.5e-4, 5e-4, 10, 100000, "321")),
        ("voc12/deeplab_v2_resnet101_tf", (2.5e-4, 5e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet50_tf_imagenet", (2.5e-4, 5e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet101_tf_multi_scale", (2.5e-4, 5e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet101_smooth_GI", (1e-3, 5e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet101_smooth_SSC", (1e-3, 5e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet101_decompose", (1e-3, 5e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet101_average_filter", (2e-3, 1e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet101_gaussian_filter", (2e-3, 1e-4, 10, 20001, "321")),
        ("voc12/deeplab_v2_resnet101_aggregation", (2e-3, 1e-4, 10, 20001, "321")),
        ("cityscapes/deeplab_v2_resnet101", (1e-4, 1e-4, 3, 80000, "719")),
        ("cityscapes/deeplab_v2_resnet101_aggregation", (1e-4, 1e-4, 3, 80000, "719")),
    ],
)
def test_deeplab_v2_as_published(recipe, published):
    values = settings(recipe)
    batch = values["batch_size"] * values.get("accumulation_steps", 1)
    names = ("learning_rate", "weight_decay", "steps", "crop_size")
    rate, decay, steps, crop = (values[name] for name in names)
    assert (rate, decay, batch, steps, crop) == published
    # All three codes leave batch norm alone, gammas and betas included.
    assert values["freeze_batch_norm"] == "all" and values["param_groups"] == "deeplab"
    assert values["momentum"] == values["lr_power"] == 0.9
