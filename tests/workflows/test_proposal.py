"""What is proposed for data and machines, and that the documentation says the same."""

import dataclasses
import pathlib
import re

import pytest

from tfseg import machine
from tfseg.training import TrainConfig
from tfseg.workflows.proposal import RULES, DataFacts, MachineFacts, Proposal, propose

GIB = 2**30
LAPTOP = MachineFacts(cores=4, gpus=0, memory=8 * GIB, host_memory=8 * GIB, bfloat16=False)
SERVER = MachineFacts(cores=16, gpus=1, memory=78 * GIB, host_memory=120 * GIB, bfloat16=True)
WEIGHTS = ("median_frequency", "effective_number", "square_root")


def drawn(images, val, height, width, shares, smallest):
    return DataFacts(images, val, height, width, shares, smallest, WEIGHTS)


STREET = drawn(367, 101, 360, 480, (0.17, 0.23, 0.01, 0.31, 0.28), 40)
CELLS = drawn(24, 6, 512, 512, (0.93, 0.07), 9)
FACADES = drawn(400, 100, 2048, 3072, (0.3, 0.3, 0.4), 200)
EARTH = drawn(30000, 6000, 1024, 1024, (0.5, 0.2, 0.2, 0.09, 0.01), 11)
STAMPS = drawn(3, 1, 64, 64, (0.5, 0.5), 30)
ALONE = drawn(200, 0, 176, 240, (0.6, 0.4), 30)


@pytest.mark.parametrize(
    ("data", "machine", "wanted"),
    [
        (
            STREET,
            LAPTOP,
            {
                "model": "resnet18_v1+deeplab_v3plus",
                "model_options": {"output_stride": 16},
                "init_weights": "resnet18_v1_imagenet",
                "crop_size": (320, 320),
                "random_scale": (0.5, 2.0),
                "batch_size": 8,
                "steps": 1835,
                "learning_rate": 0.02,
                "lr_warmup_steps": 50,
                "loss": "cross_entropy:1,dice:0.5",
                "class_weights": "square_root",
                "class_crops": 0.3,
                "transforms": "color_jitter:0.3",
                "validate_every": "72",
                "cache": True,
            },
        ),
        (
            CELLS,
            LAPTOP,
            {
                "crop_size": (320, 320),
                "steps": 500,
                "class_weights": "square_root",
                "class_crops": None,
                "random_rotate": 10.0,
                "transforms": "color_jitter:0.4,blur:0.3",
                "validate_every": "50",
            },
        ),
        (
            FACADES,
            SERVER,
            {
                "model": "resnet50_v1+deeplab_v3plus",
                "model_options": {"output_stride": 16},
                "precision": "bfloat16",
                "crop_size": (768, 768),
                "random_scale": (0.35, 2.0),
                "batch_size": 16,
                "class_weights": None,
                "random_rotate": None,
                "cache": True,
            },
        ),
        (
            EARTH,
            SERVER,
            {
                "model_options": {"output_stride": 8},
                "steps": 20000,
                "class_crops": 0.3,
                "cache": None,
            },
        ),
        (
            STAMPS,
            LAPTOP,
            {"crop_size": (64, 64), "batch_size": 2, "learning_rate": 0.005, "steps": 500},
        ),
        (ALONE, LAPTOP, {"crop_size": (176, 240), "val_split": "", "class_weights": None}),
    ],
    ids=["street", "cells", "facades", "earth", "stamps", "alone"],
)
def test_settings_follow_from_the_facts(data, machine, wanted):
    values = propose(data, machine).values
    assert {name: values.get(name) for name in wanted} == wanted
    config = TrainConfig(data_dir="d", run_dir="r", **values)
    assert all(f"--{name}={config.text(name)}" for name in values)


@pytest.mark.parametrize(
    ("free", "batch", "accumulated", "loss"),
    [
        (8 * GIB, 8, None, "cross_entropy:1,dice:0.5"),
        (4.4 * GIB, 4, 2, "cross_entropy:1,dice_per_image:0.5"),
        (1 * GIB, 2, 4, "cross_entropy:1,dice_per_image:0.5"),
    ],
)
def test_a_batch_that_memory_does_not_hold_is_accumulated(free, batch, accumulated, loss):
    values = propose(STREET, dataclasses.replace(LAPTOP, memory=free)).values
    found = [values.get(name) for name in ("batch_size", "accumulation_steps", "loss")]
    assert found == [batch, accumulated, loss]
    assert values["learning_rate"] == 0.02


@pytest.mark.parametrize(
    ("given", "silent", "wanted"),
    [
        ({"model": "drn_d_22"}, "model model_options", {"init_weights": "drn_d_22_imagenet"}),
        ({"minutes": 30.0}, "steps epochs", {"lr_warmup_steps": 20}),
        ({"epochs": 3.0}, "steps", {}),
        ({"steps": 100}, "steps", {"lr_warmup_steps": 5}),
        ({"short_sides": "64,96"}, "crop_size random_scale class_crops random_rotate", {}),
        ({"batch_size": 3}, "accumulation_steps", {"learning_rate": 0.0075}),
        ({"optimizer": "adamw"}, "", {"learning_rate": 3e-4}),
        ({"ohem_fraction": 0.3}, "loss class_weights", {}),
        ({"loss": "ohem", "ohem_fraction": 0.3}, "loss class_weights", {}),
        ({"loss": "lovasz"}, "loss", {"class_weights": "square_root"}),
        ({"crop_size": "96"}, "crop_size", {"batch_size": 8}),
        ({"init_weights": ""}, "init_weights new_head", {"steps": 3670}),
        ({"validate_every": "epoch"}, "validate_every", {"checkpoint_every": "200"}),
    ],
)
def test_what_is_given_wins(given, silent, wanted):
    proposal = propose(STREET, LAPTOP, given, pretrained=given.get("init_weights") != "")
    values = proposal.values
    assert not set(values) & {*silent.split(), *given}
    assert {name: values[name] for name in wanted} == wanted
    TrainConfig(data_dir="d", run_dir="r", **{**values, **given})
    # What was proposed earlier gives way in the same way.
    left = propose(STREET, LAPTOP).without(given).values
    TrainConfig(data_dir="d", run_dir="r", **{**left, **given})


@pytest.mark.parametrize(
    ("machine", "fitting", "model"),
    [
        (SERVER, ("resnet18_v1", "drn_a_18"), "resnet18_v1+deeplab_v3plus"),
        (LAPTOP, ("resnet50_v1",), "resnet50_v1+deeplab_v3plus"),
        (LAPTOP, ("resnet18_v1",), "resnet18_v1+deeplab_v3plus"),
        (LAPTOP, ("drn_d_22",), "drn_d_22"),
    ],
)
def test_the_encoder_is_one_that_given_weights_fit(machine, fitting, model):
    values = propose(STREET, machine, {"init_weights": "file.pth"}, fitting).values
    assert values["model"] == model and values["new_head"]
    assert "init_weights" not in values


def test_a_proposal_is_kept_as_plain_values():
    proposal = propose(STREET, SERVER)
    again = Proposal.from_dict(proposal.to_dict())
    assert again == proposal


def test_the_documentation_has_the_rules():
    page = pathlib.Path(__file__).parents[2] / "docs" / "own_data.md"
    section = page.read_text(encoding="utf-8").partition("## What is proposed")[2].split("\n## ")[0]
    rows = re.findall(r"^\| `--(\w+)` \| (.+) \|$", section, re.MULTILINE)
    names = {"model_options": "model_option"}
    assert rows == [(names.get(rule.name, rule.name), rule.help) for rule in RULES.values()]


@pytest.mark.parametrize(
    ("line", "folder", "limit", "used", "stat"),
    [
        ("0::/job", "job", "memory.max", "memory.current", "inactive_file"),
        (
            *("5:cpu,memory:/job", "memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes"),
            "total_inactive_file",
        ),
    ],
)
def test_free_memory_is_what_a_control_group_leaves(line, folder, limit, used, stat, tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(f"1:name=other:/x\n{line}/inner\n")
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:    800 kB\n")
    groups = tmp_path / "groups"
    (groups / folder / "inner").mkdir(parents=True)
    assert machine.free_memory(tmp_path, groups) == 800 * 1024
    (groups / folder / limit).write_text("500000\n")
    (groups / folder / used).write_text("300000\n")
    (groups / folder / "memory.stat").write_text(f"anon 5\n{stat} 50000\n")
    (groups / folder / "inner" / limit).write_text("max\n")
    assert machine.free_memory(tmp_path, groups) == 250_000
