"""Dilated convolutions stay what they are in exports: no space is taken to batches and back, no
operation comes from outside of the format, and no shape is left open that needn't be."""

import pathlib

import pytest
from tensorflow.core.protobuf import saved_model_pb2

import tfseg
from tfseg.decoders import DECODERS
from tfseg.layers.dilated import FILTERS
from tfseg.serving import export_onnx, export_tflite

SIZE = (48, 64)
# A decoder's published encoder, shortened; by default one whose last stages are dilated.
ENCODERS = {
    "linear": ("drn_d_22", {"blocks": [1] * 8}),
    "upernet": ("resnet18_dilated8+upernet", {}),
    "regseg": ("regseg+regseg", {"blocks": None}),
}
ROWS = [
    *(ENCODERS.get(name, (f"resnet18_dilated8+{name}", {})) for name in DECODERS),
    *(("resnet18_dilated8+c1_bilinear", {"dilated_type": kind}) for kind in FILTERS),
    *(("drn_d_22", {"blocks": [1] * 8, "dilated_type": kind}) for kind in ("average_filter",)),
]
IDS = ["-".join([name, *filter(None, [options.get("dilated_type")])]) for name, options in ROWS]
# Decomposing a map into its phases is what this type does; others have no business to.
PHASES = {"decompose", "smooth_GI"}


def graphs(folder):
    """Operations of a SavedModel, those of its functions included."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    return {node.op for node in nodes}


def taken_apart(operations):
    names = (str(one).replace("_", "").lower() for one in operations)
    return {name for name in names if "spacetobatch" in name or "batchtospace" in name}


@pytest.fixture(params=ROWS, ids=IDS)
def row(request, make_predictor):
    name, options = request.param
    return make_predictor(name, options), options.get("dilated_type")


@pytest.mark.slow
def test_saved_model(row, tmp_path):
    predictor, kind = row
    tfseg.export(predictor, tmp_path / "1", max_side=200)
    assert kind in PHASES or not taken_apart(graphs(tmp_path / "1"))


@pytest.mark.slow
def test_onnx(row, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    predictor, _ = row
    export_onnx(predictor, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    assert {(one.domain, one.version) for one in model.opset_import if not one.domain} == {("", 17)}
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    onnx.checker.check_model(model)


@pytest.mark.slow
def test_tflite(row, tmp_path):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    predictor, kind = row
    path = pathlib.Path(tmp_path, "model.tflite")
    export_tflite(predictor, path, image_size=SIZE)
    made = interpreter.Interpreter(str(path))
    made.allocate_tensors()
    operations = {one["op_name"] for one in made._get_ops_details()}
    assert not {one for one in operations if one.startswith("Flex") or one == "CUSTOM"}
    assert kind in PHASES or not taken_apart(operations)
    for one in (*made.get_input_details(), *made.get_output_details()):
        assert -1 not in one["shape_signature"]
