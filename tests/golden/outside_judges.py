"""Writes outside_judges.npz: label maps, and what other programs say of them.

    pip install torch==2.13.0 torchmetrics==1.9.0 cityscapesscripts==2.3.0
    python tests/golden/outside_judges.py tests/golden/outside_judges.npz

It needs nothing of this project. The maps hold Cityscapes' label ids; some pixels are predicted as
id 0, which is no class.
"""

import json
import os
import sys
import tempfile

import numpy as np
import torch
import torchmetrics.classification as classification
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as cityscapes
from cityscapesscripts.helpers.labels import labels as ALL
from PIL import Image

CLASSES = [label for label in ALL if 0 <= label.trainId < 255]


def draw(generator):
    """Blocks of ids [48, 64], and the same with shifted edges, other blocks and noise."""
    ids = np.array([label.id for label in CLASSES] + [0, 4])
    truth = np.kron(generator.choice(ids, (6, 8)), np.ones((8, 8), int))
    found = np.roll(truth, generator.integers(-2, 3, 2), (0, 1))
    noise = generator.random(truth.shape) < 0.1
    found[noise] = generator.choice(ids[:19], noise.sum())
    found[~np.isin(found, ids[:19])] = 7
    found[:2] = 0
    return truth.astype(np.uint8), found.astype(np.uint8)


def ask_cityscapes(truth, found):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for kind, maps in (("found", found), ("gtFine_labelIds", truth)):
            paths.append([os.path.join(folder, f"{i}_{kind}.png") for i in range(len(maps))])
            for path, one in zip(paths[-1], maps, strict=True):
                Image.fromarray(one).save(path)
        cityscapes.args.evalInstLevelScore = False
        cityscapes.args.quiet = True
        cityscapes.args.exportFile = os.path.join(folder, "result.json")
        cityscapes.evaluateImgLists(*paths, cityscapes.args)
        with open(cityscapes.args.exportFile) as file:
            return json.load(file)


def ask_torchmetrics(truth, found):
    common = {"num_classes": 19, "ignore_index": 255}
    truth, found = (torch.from_numpy(maps).long() for maps in (truth, found))
    result = {}
    for name, kind in (
        ("jaccard", classification.MulticlassJaccardIndex),
        ("f1", classification.MulticlassF1Score),
        ("precision", classification.MulticlassPrecision),
        ("recall", classification.MulticlassRecall),
    ):
        for average in ("none", "macro", "micro"):
            result[f"torch_{name}_{average}"] = kind(average=average, **common)(
                found, truth
            ).numpy()
    return result


def ask_calibration(truth, probabilities):
    """With pixels that don't count left out beforehand."""
    judge = classification.MulticlassCalibrationError(19, n_bins=15, norm="l1")
    valid = truth != 255
    said = judge(
        torch.from_numpy(probabilities[valid].astype(np.float32)),
        torch.from_numpy(truth[valid]).long(),
    )
    return said.numpy()


def main(path):
    generator = np.random.Generator(np.random.PCG64(23))
    truth, found = (
        np.stack(maps) for maps in zip(*(draw(generator) for _ in range(3)), strict=True)
    )
    table = np.full(256, 255, np.uint8)
    for label in CLASSES:
        table[label.id] = label.trainId
    said = ask_cityscapes(truth, found)
    # torchmetrics knows no pixel without a class.
    labels = np.where(table[found] == 255, 3, table[found])
    part = np.s_[0, :24, :32]
    scores = generator.standard_normal((24, 32, 19)) + 3 * np.eye(19)[labels[part]]
    probabilities = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    probabilities = probabilities.astype(np.float16)
    np.savez_compressed(
        path,
        truth=truth,
        found=found,
        train_ids=table,
        names=np.array([label.name for label in CLASSES]),
        class_scores=np.array([said["classScores"][label.name] for label in CLASSES]),
        category_names=np.array(list(said["categoryScores"])),
        category_scores=np.array(list(said["categoryScores"].values())),
        categories=np.array([label.category for label in CLASSES]),
        averages=np.array([said["averageScoreClasses"], said["averageScoreCategories"]]),
        labels=labels,
        probabilities=probabilities,
        calibration=ask_calibration(table[truth[part]], probabilities),
        **ask_torchmetrics(table[truth], labels),
    )


if __name__ == "__main__":
    main(sys.argv[1])
