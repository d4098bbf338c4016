import keras
import pytest

import tfseg
from tfseg.errors import TfsegError
from tfseg.layers.dilated import FILTER_WEIGHTS
from tfseg.models.variables import variable_names
from tfseg.training.groups import TABLES, Group, assign_groups, find_table, paths_in

PATHS = [
    "encoder/stage1/conv/kernel",
    "encoder/stage1/bn/gamma",
    "decoder/classifier/kernel",
    "decoder/classifier/bias",
]


def test_a_variable_that_no_row_covers():
    with pytest.raises(
        TfsegError, match="no parameter group covers decoder/classifier/kernel, dec"
    ):
        assign_groups(PATHS, (Group("encoder", "encoder/.*"),))


def test_a_variable_that_two_rows_cover():
    rows = (Group("everything", ".*"), Group("biases", ".*/bias"))
    with pytest.raises(
        TfsegError, match="everything and biases both cover decoder/classifier/bias"
    ):
        assign_groups(PATHS, rows)


def test_a_row_has_to_match_the_whole_path():
    with pytest.raises(TfsegError):
        assign_groups(PATHS, (Group("part", "(en|de)coder/"),))


def test_unknown_table():
    with pytest.raises(TfsegError, match="did you mean deeplab"):
        find_table("deeplap")


def test_published_tables():
    found = assign_groups(PATHS, find_table("deeplab"))
    assert [(g.learning_rate, g.weight_decay) for g in found] == [(1, 1), (1, 0), (10, 1), (20, 0)]
    found = assign_groups(PATHS, find_table("conv_kernels"))
    assert [g.weight_decay for g in found] == [1, 0, 1, 0]
    found = assign_groups(PATHS, find_table("all"))
    assert [(g.learning_rate, g.weight_decay) for g in found] == [(1, 1)] * 4


@pytest.mark.parametrize("table", TABLES)
def test_tables_cover_a_model(table):
    model = tfseg.create_model("drn_c_26", 2, blocks=(1,) * 8)
    assert isinstance(model, keras.Model)
    assign_groups([v.path for v in model.trainable_variables], TABLES[table])


def test_kernels_of_separable_convolutions_decay_as_others_do():
    paths = [f"encoder/block2_sepconv1/{kind}wise_kernel" for kind in ("depth", "point")]
    for table in ("conv_kernels", "deeplab"):
        assert [g.weight_decay for g in assign_groups(paths, TABLES[table])] == [1, 1]


def test_networks_whose_layers_have_other_names_have_the_same_groups():
    """Keras' layers have names without the encoder's in front."""
    model = tfseg.create_model("mobilenetv3small+c1_bilinear", 2)
    trained = {n: v for n, v in variable_names(model).items() if v.trainable}
    groups = assign_groups(paths_in(model, trained), TABLES["conv_kernels"])
    inside = {id(v) for v in model.encoder.variables}
    for (name, variable), group in zip(trained.items(), groups, strict=True):
        kind = "kernels" if name.endswith("/kernel") else "rest"
        part = "encoder" if id(variable) in inside else "decoder"
        assert group.name == f"{part}_{kind}", name


@pytest.mark.parametrize("table", TABLES)
def test_smoothing_filters_do_not_decay(table):
    model = tfseg.create_model(
        "resnet18_v1+deeplab_v1",
        2,
        dilated_type="aggregation",
        gaussian_sigma="network",
        trainable_average=True,
    )
    paths = [v.path for v in model.trainable_variables]
    found = dict(zip(paths, assign_groups(paths, TABLES[table]), strict=True))
    filters = [path for path in paths if path.rpartition("/")[2] in FILTER_WEIGHTS]
    assert {path.rpartition("/")[2] for path in filters} == {
        *("ssc", "average", "log_sigma", "factors")
    }
    assert not any(found[path].weight_decay for path in filters)
    assert all(found[path].learning_rate == 1 for path in filters)
