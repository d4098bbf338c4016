"""Values of label files become classes, and what is none is named."""

import numpy as np
import pytest
import tensorflow as tf

from tfseg.data.labels import apply_label_table, label_table


@pytest.mark.parametrize("label_map", [None, {0: 1, 1: 0, 7: 2, 12: 255, 255: 255}])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 6)])
def test_every_pixel_is_looked_up(shape, label_map):
    """Pixels are looked up two at a time; a last one that is alone counts as well."""
    table = label_table(3, label_map, 255)
    allowed = np.flatnonzero(table >= 0)
    values = np.random.default_rng(0).choice(allowed, shape).astype(np.uint8)
    classes = apply_label_table(tf.constant(values), tf.constant("a.png"), table, 255)
    np.testing.assert_array_equal(classes, table[values])
    values[-1, -1] = 200
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a\.png has the value 200 in 1 pix"):
        apply_label_table(tf.constant(values), tf.constant("a.png"), table, 255)
