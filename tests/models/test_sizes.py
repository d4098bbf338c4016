import pytest
import tensorflow as tf

import tfseg
from tfseg.models.sizes import OutputSizes

SMALL = {"blocks": [1, 1, 1, 1]}
MODELS = [
    ("resnet18+ppm_bilinear_deepsup", SMALL),
    ("deeplab_v2_resnet50", {**SMALL, "multi_scale": (1, 0.75)}),
    ("drn_d_22", {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]}),
]


@pytest.mark.parametrize("name, options", MODELS)
def test_sizes_in_a_graph_are_those_of_the_shapes(name, options):
    model = tfseg.create_model(name, 3, **options)
    sizes = OutputSizes(model)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)] * 2)
    def in_graph(height, width):
        return sizes((height, width))

    for height, width in ((1, 33), (31, 64), (65, 100), (513, 1000)):
        shapes = model.compute_output_shape((2, height, width, 3))
        expected = {key: tuple(shape[1:3]) for key, shape in shapes.items()}
        assert sizes((height, width)) == expected
        found = in_graph(height, width)
        assert {key: tuple(int(x) for x in size) for key, size in found.items()} == expected
