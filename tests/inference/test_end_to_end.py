"""From JPEGs to label maps and scores by each published protocol, through the command.

What comes out is held against the rules of conftest.py, which know nothing of this project but the
logits that a network gives an image, and both against a golden file. Networks have weights of the
reference runs' rule, in a file with the original code's names. This makes the golden file again:

    TFSEG_WRITE_GOLDEN=1 bash tools/test.sh --slow tests/inference/test_end_to_end.py
"""

import io
import json
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from safetensors.numpy import save_file

import tfseg
from tfseg.cli import command
from tfseg.models import PREPROCESSINGS

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "end_to_end.npz"
CLASSES = 7
# The last one never occurs, neither here nor there; the one before in predictions alone.
NOWHERE, FORETOLD = 6, 5
# Where the two best classes are as close as this, rounding may decide: not compared.
CLOSE = 1e-3
SIZES = {"drn": [(61, 83), (90, 47), (53, 75)], "deeplab": [(61, 83), (90, 47), (101, 75)]}
SIZES["ade20k"] = SIZES["drn"][::2]
SHALLOW = {"blocks": [1, 1, 1, 1]}
SCALES = {**SHALLOW, "multi_scale": [1, 0.75, 0.5]}
# {network: model, options, layout of the weights, preprocessing}
NETWORKS = {
    "drn": ("drn_d_22", {}, "DRN segmenter", "imagenet"),
    "deeplab": ("deeplab_v2_resnet50", SHALLOW, "DeepLab v1/v2", "caffe"),
    "ade20k": ("resnet18_dilated8+c1_bilinear", SHALLOW, "ADE20K C1", "ade20k"),
}
# {protocol: network, options of the model, classes that the mean leaves out}
PROTOCOLS = {
    "drn": ("drn", {}, "skip"),
    "drn_original": ("drn", {}, "skip"),
    "deeplab_v2": ("deeplab", SHALLOW, "skip"),
    "deeplab_v2_original": ("deeplab", SCALES, "truth"),
    "ade20k": ("ade20k", SHALLOW, "zero"),
    "ade20k_original": ("ade20k", SHALLOW, "zero"),
}
pytestmark = pytest.mark.slow
WRITE = bool(os.environ.get("TFSEG_WRITE_GOLDEN"))


def draw(size, seed):
    """A JPEG's bytes: smooth stains, edges and some noise."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (5, 7, 3), np.uint8))
    image = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC)).astype(float)
    top, left = (int(side * generator.uniform(0.2, 0.5)) for side in size)
    image[top : top + size[0] // 3, left : left + size[1] // 3] += generator.integers(-90, 90, 3)
    image = np.clip(image + generator.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=90)
    return np.frombuffer(stream.getvalue(), np.uint8)


def decode(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg.tobytes())))


def truth_of(labels):
    """A truth that is often, not always, what was predicted; ignored where rounding may decide."""
    truth = np.roll(labels, (2, 3), (0, 1))
    truth[labels == 255] = 255
    truth[truth == FORETOLD] = 0
    truth[:4, :9] = 255
    return truth


@pytest.fixture(scope="module")
def golden():
    """{name: array}; a dict that is written afterwards if that was asked for."""
    arrays = {} if WRITE else dict(np.load(GOLDEN))
    for network, sizes in SIZES.items() if WRITE else ():
        for number, size in enumerate(sizes):
            arrays[f"{network}/image{number}"] = draw(size, number)
    yield arrays
    if WRITE:
        np.savez_compressed(GOLDEN, **arrays)


@pytest.fixture(scope="module")
def networks(golden, original_weights, tmp_path_factory):
    """{network: (function from an image in levels to logits [h, w, C], file of its weights)}."""
    return {name: make(name, golden, original_weights, tmp_path_factory) for name in NETWORKS}


def make(name, golden, original_weights, tmp_path_factory):
    model_name, options, layout, preprocessing = NETWORKS[name]
    model = tfseg.create_model(model_name, CLASSES, **options)
    weights = original_weights(model, layout)
    normalize = PREPROCESSINGS[preprocessing].normalize

    def network(image):
        images = normalize(tf.constant(image, tf.float32))[None]
        return model(images, training=False)["logits"][0].numpy().astype(float)

    if WRITE:  # what gives classes equal chances, but for the last
        tfseg.load_weights(model, dict(weights))
        logits = network(decode(golden[f"{name}/image0"]))
        golden[f"{name}/gain"] = np.float32(2 / logits.std((0, 1)).mean())
        shift = -logits.mean((0, 1)) * golden[f"{name}/gain"]
        shift[NOWHERE] -= 50
        golden[f"{name}/shift"] = shift.astype(np.float32)
    shift = golden[f"{name}/shift"]
    for key, value in weights.items():  # the head's kernels and biases
        if value.shape[0] == CLASSES:
            weights[key] = value * golden[f"{name}/gain"]
            if value.ndim == 1:
                weights[key], shift = weights[key] + shift, 0 * shift
    tfseg.load_weights(model, dict(weights))
    path = tmp_path_factory.mktemp(name) / "weights.safetensors"
    save_file({key: np.ascontiguousarray(value) for key, value in weights.items()}, path)
    return network, path


@pytest.fixture(scope="module", params=PROTOCOLS)
def case(request, golden, networks, original_rules, opencv_bilinear):
    """(protocol, [image's bytes], [labels by the rule], [truth], scores by the rule)."""
    protocol = request.param
    network, _, absent = PROTOCOLS[protocol]
    rule = getattr(original_rules, protocol)
    jpegs, labels, truths = [], [], []
    for number in range(len(SIZES[network])):
        jpegs.append(golden[f"{network}/image{number}"])
        found = rule(networks[network][0], decode(jpegs[-1]), opencv_bilinear)
        best = np.sort(found, -1)
        found = found.argmax(-1).astype(np.uint8)
        if WRITE:
            clear = best[..., -1] - best[..., -2] > CLOSE
            golden[f"{protocol}/labels{number}"] = np.where(clear, found, np.uint8(255))
        labels.append(found)
        truths.append(truth_of(golden[f"{protocol}/labels{number}"]))
    scores = original_rules.scores(zip(truths, labels, strict=True), absent)
    if WRITE:
        golden.update({f"{protocol}/{name}": value for name, value in scores.items()})
    return protocol, jpegs, labels, truths, scores


def test_rules_give_the_golden_results(case, golden):
    protocol, _, labels, truths, scores = case
    for number, (found, truth) in enumerate(zip(labels, truths, strict=True)):
        expected = golden[f"{protocol}/labels{number}"]
        np.testing.assert_array_equal(found[expected < 255], expected[expected < 255])
        assert (expected == 255).mean() < 0.02  # little is left out
        shares = np.bincount(found.ravel(), minlength=CLASSES) / found.size
        assert shares[NOWHERE] == 0 and (shares > 0.02).sum() >= 4
        assert FORETOLD in found and FORETOLD not in truth
    for name, value in scores.items():
        np.testing.assert_allclose(value, golden[f"{protocol}/{name}"], rtol=1e-12, err_msg=name)


def test_command_gives_the_golden_results(case, golden, networks, tmp_path):
    protocol, jpegs, _, truths, _ = case
    network, options, _ = PROTOCOLS[protocol]
    for number, (jpeg, truth) in enumerate(zip(jpegs, truths, strict=True)):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg.tobytes())
        Image.fromarray(truth).save(tmp_path / f"{number}.png")
    for kind, suffix in (("images", "jpg"), ("labels", "png")):
        lines = "".join(f"{number}.{suffix}\n" for number in range(len(jpegs)))
        (tmp_path / f"val_{kind}.txt").write_text(lines)
    names = [f"class {number}" for number in range(CLASSES)]
    info = {"mean": [0.5] * 3, "std": [0.25] * 3, "classes": names}
    (tmp_path / "info.json").write_text(json.dumps(info))
    model, _, _, preprocessing = NETWORKS[network]
    arguments = [
        *(f"--weights={networks[network][1]}", f"--model={model}", f"--protocol={protocol}"),
        *(f"--num_classes={CLASSES}", f"--preprocessing={preprocessing}"),
        *(f"--model_option={key}={','.join(map(str, v))}" for key, v in options.items()),
    ]

    predictions = tmp_path / "predictions"
    images = [str(tmp_path / f"{number}.jpg") for number in range(len(jpegs))]
    output = [f"--output_dir={predictions}", "--outputs=labels"]
    assert command.main(["predict", *arguments, *output, *images]) == 0
    for number in range(len(jpegs)):
        found = np.asarray(Image.open(predictions / "labels" / f"{number}.png"))
        expected = golden[f"{protocol}/labels{number}"]
        np.testing.assert_array_equal(found[expected < 255], expected[expected < 255])

    output = [f"--output_dir={tmp_path / 'scores'}", f"--data_dir={tmp_path}"]
    assert command.main(["evaluate", *arguments, *output]) == 0
    metrics = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    assert metrics["protocol"]["name"] == protocol
    np.testing.assert_array_equal(metrics["confusion_matrix"], golden[f"{protocol}/matrix"])
    for name in ("mean_iou", "pixel_accuracy"):
        np.testing.assert_allclose(
            metrics["scores"][name], golden[f"{protocol}/{name}"], rtol=1e-9, err_msg=name
        )


def test_protocols_of_one_network_differ(golden):
    """Else the originals' would show nothing."""
    for name in ("drn", "ade20k"):
        pairs = [
            (golden[f"{name}/labels{number}"], golden[f"{name}_original/labels{number}"])
            for number in range(len(SIZES[name]))
        ]
        assert all(((a != b) & (a < 255) & (b < 255)).any() for a, b in pairs)
