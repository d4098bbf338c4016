"""The suite itself: reference files are explained, and every module has its tests."""

import pathlib
import re

TESTS = pathlib.Path(__file__).parent
GOLDEN = TESTS / "golden"


def test_every_reference_file_is_explained():
    rows = re.findall(r"^\| (`.+?) \|", (GOLDEN / "README.md").read_text("utf-8"), re.MULTILINE)
    named = sorted(name for row in rows for name in re.findall(r"`([^`]+)`", row))
    files = {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file()}
    made_by = {"README.md", "rebuild.sh", *(path.name for path in GOLDEN.glob("*.py"))}
    whole_run = {name for name in files if name.startswith("landed/run/")}
    expected = {name for name in files - made_by - whole_run if "__pycache__" not in name}
    assert named == sorted({*expected, "landed/run"})


def test_reference_files_name_tests_and_scripts_that_there_are():
    text = (GOLDEN / "README.md").read_text("utf-8")
    tests = set(re.findall(r"`(\w+/[\w/]*test_\w+\.py)`", text))
    assert len(tests) >= 10 and all((TESTS / name).is_file() for name in tests)
    scripts = {path.name for path in GOLDEN.glob("*.py")}
    assert scripts == set(re.findall(r"\| `(\w+\.py)` \|", text))
    for script in scripts:
        head = (GOLDEN / script).read_text("utf-8").splitlines()
        written = re.match(r'"""Writes (\w+\.npz):', head[0])[1]  # rebuild.sh reads this line
        assert any(f"| `{written}` |" in line and script in line for line in text.splitlines())
        assert any(line.startswith("    pip install ") for line in head[:5])


# Modules without a test file of their own name, under the tests that hold them: parts of one thing
# that users meet whole, or tables and base classes, which are tested by what is built on them.
HELD_BY = {
    "benchmark/test_against.py": "benchmark/pytorch",
    "benchmark/test_speed.py": "benchmark/dilated machine",
    "cli/test_bad_inputs.py": "cli/shared errors",
    "cli/test_command.py": "cli/app cli/benchmark cli/demo cli/export cli/help "
    "cli/models cli/plot startup version",
    "cli/test_judging.py": "cli/compare",
    "cli/test_next_step.py": "cli/check cli/prepare cli/train",
    "cli/test_verbs.py": "cli/evaluate cli/predict cli/protocol cli/trained_model "
    "workflows/evaluated",
    "data/augment/test_augment.py": "data/augment/chain data/augment/geometry data/augment/mixing "
    "data/augment/photometric data/augment/table",
    "data/checks/test_broken.py": "data/checks/journal reports/contact_sheet",
    "data/checks/test_dataset.py": "data/checks/pairs data/checks/report workflows/checking",
    "data/pipelines/test_segmentation.py": "data/order data/pipelines/loading",
    "data/pipelines/test_transforms.py": "data/pipelines/warp",
    "data/prepare/formats/test_masks.py": "data/prepare/formats/affixes "
    "data/prepare/formats/class_files data/prepare/formats/colours data/prepare/formats/folder "
    "data/prepare/formats/lists data/prepare/formats/roboflow data/prepare/formats/survey "
    "data/prepare/formats/table data/prepare/formats/values data/prepare/formats/voc",
    "data/prepare/formats/test_polygons.py": "data/prepare/formats/coco data/prepare/formats/found "
    "data/prepare/formats/label_studio data/prepare/formats/labelme data/prepare/formats/raster "
    "data/prepare/formats/tree data/prepare/formats/yolo",
    "data/prepare/test_folders.py": "data/prepare/earlier data/prepare/sample data/prepare/scene "
    "data/prepare/walk",
    "data/prepare/test_sources.py": "data/catalog/classes data/catalog/table "
    "data/prepare/class_weights data/prepare/convert data/prepare/source "
    "data/prepare/stored workflows/preparation",
    "data/prepare/test_splits.py": "data/prepare/parting",
    "data/test_decoding.py": "data/graph data/png",
    "data/test_scenes.py": "data/geotiff",
    "data/test_exif.py": "data/image_files serving/decoding",
    "decoders/test_c1.py": "decoders/decoder decoders/supervised",
    "encoders/test_encoders.py": "encoders/blocks encoders/dilation encoders/drn encoders/encoder "
    "encoders/factory encoders/resnet encoders/table layers/dilated_pool layers/walk",
    "encoders/test_keras_models.py": "encoders/applications encoders/features encoders/positions "
    "weights/applications",
    "encoders/test_regseg.py": "decoders/regseg layers/split layers/squeeze_excite",
    "evaluation/test_comparison.py": "evaluation/intervals reports/comparison",
    "evaluation/test_evaluator.py": "evaluation/recorder parallel",
    "evaluation/test_judge.py": "evaluation/predictions",
    "evaluation/test_metrics.py": "evaluation/measures evaluation/metric_functions "
    "evaluation/records",
    "evaluation/test_receptive_field.py": "cli/receptive_field workflows/fields",
    "inference/test_crf.py": "cli/crf evaluation/refined workflows/refining",
    "inference/test_predict_files.py": "inference/outputs inference/resume",
    "inference/test_pretrained.py": "weights/pretrained zoo/hub",
    "inference/test_scenes.py": "inference/pictures inference/scene_files inference/sources",
    "inference/test_protocol.py": "inference/inference inference/views reports/panels",
    "layers/test_dilated.py": "layers/filters",
    "layers/test_layers.py": "layers/adaptive_pool layers/batch_norm layers/conv layers/conv_bn "
    "layers/pooling layers/resize",
    "metrics/test_metrics.py": "metrics/arrays metrics/streaming",
    "models/test_models.py": "models/classifier models/factory models/multi_scale "
    "models/precisions models/preprocessing models/segmenter models/spec models/table",
    "models/test_spec_hostile.py": "models/nested",
    "models/test_torchvision_segmenters.py": "decoders/torchvision",
    "reports/test_html.py": "reports/gallery",
    "serving/test_export.py": "serving/card serving/compare serving/formats serving/signatures "
    "serving/to_saved_model serving/verify workflows/exporting",
    "test_runs.py": "digests",
    "training/losses/test_losses.py": "training/losses/pixel training/losses/region "
    "training/losses/table training/losses/terms",
    "training/optimizers/test_optimizers.py": "training/loss_scale training/optimizers/adamw "
    "training/optimizers/base training/optimizers/sgd training/optimizers/table "
    "training/weight_average",
    "training/test_callbacks.py": "training/mlflow_tracker training/trackers",
    "training/test_classification.py": "cli/classify training/classify_config "
    "workflows/classifying",
    "training/test_config.py": "training/limits training/plan training/values",
    "training/test_damage.py": "training/checkpoints training/continuing",
    "training/test_natural_shapes.py": "training/samples",
    "training/test_trainer.py": "training/logs training/meter training/recovery "
    "training/segmentation training/session training/validation workflows/training",
    "weights/readers/test_hostile.py": "weights/readers/arrays weights/readers/pickles",
    "weights/readers/test_readers.py": "weights/readers/pytorch weights/readers/safetensors "
    "weights/readers/wrappers weights/readers/zips",
    "weights/test_assign.py": "weights/causes weights/foreign weights/layouts/families "
    "weights/layouts/layout",
    "weights/test_original.py": "weights/layouts/extras weights/layouts/pytorch",
    "workflows/test_conversion.py": "cli/convert",
    "weights/test_sources.py": "weights/layouts/caffe weights/load weights/own weights/released "
    "weights/readers/caffe weights/readers/tf1",
    "workflows/test_judging.py": "evaluation/categories reports/suspects workflows/comparing",
    "workflows/test_own_data.py": "cli/own_data workflows/facts workflows/rules",
    "workflows/test_scoring.py": "evaluation/worst workflows/evaluation",
    "workflows/test_sweeping.py": "cli/sweep",
    "zoo/test_zoo.py": "zoo/cache zoo/release zoo/releases",
}


def test_every_module_has_a_test_file_of_its_name_or_a_named_one():
    package = TESTS.parent / "tfseg"
    modules = {
        path.relative_to(package).with_suffix("").as_posix()
        for path in package.rglob("*.py")
        if not path.name.startswith("__")
    }
    alone = set()
    for module in modules:
        folder, _, name = module.rpartition("/")
        if not (TESTS / folder / f"test_{name}.py").is_file():
            alone.add(module)
    held = [module for modules in HELD_BY.values() for module in modules.split()]
    assert sorted(alone) == sorted(held)
    assert not [name for name in HELD_BY if not (TESTS / name).is_file()]
