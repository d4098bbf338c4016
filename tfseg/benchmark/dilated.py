"""What smoothing costs: one dilated convolution of every type, against the plain one.

The layers take turns, so that each round sees them all in the same state of the machine; each
round begins with another one, as the first finds the caches empty. A cost is the median over the
rounds of a layer's time by the plain layer's in the same round.
"""

import statistics
import time

import keras
import tensorflow as tf

from tfseg.layers import DilatedConv2D
from tfseg.layers.dilated import FILTERS

# What is compared; the first row is what the others are compared with.
LAYERS = {name: {"dilated_type": name} for name in FILTERS}
LAYERS["average_filter, trainable"] = {"dilated_type": "average_filter", "trainable_average": True}
LAYERS["aggregation, trainable"] = {"dilated_type": "aggregation", "trainable_average": True}


def measure_layers(size=65, channels=512, dilation_rate=4, repeats=20):
    """Times a 3x3 convolution of each row of `LAYERS`, forward, and forward and backward.

    Args:
        size: height and width of its input.
        channels: of input and output.
        dilation_rate: an int.
        repeats: rounds.

    Returns:
        {name: {"forward_ms", "training_ms": medians; "forward_cost", "training_cost": medians of
        the ratio to the plain layer}}.
    """
    shape = (1, size, size, channels)
    images = tf.random.stateless_normal(shape, [0, 1])
    calls = {name: _calls(kind, dilation_rate, images) for name, kind in LAYERS.items()}
    times = {name: {"forward": [], "training": []} for name in calls}
    names = list(calls)
    for number in range(repeats + 2):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            for part, call in calls[name].items():
                seconds = _seconds(call, images)
                if number > 1:  # the first calls fill caches
                    times[name][part].append(seconds)
    plain = times[next(iter(LAYERS))]
    results = {}
    for name, parts in times.items():
        results[name] = {f"{part}_ms": 1e3 * statistics.median(t) for part, t in parts.items()}
        for part, seconds in parts.items():
            ratios = [a / b for a, b in zip(seconds, plain[part], strict=True)]
            results[name][f"{part}_cost"] = statistics.median(ratios)
    return results


def _calls(kind, dilation_rate, images):
    """{part: function of the images}, both returning a scalar that depends on all they compute."""
    layer = DilatedConv2D(images.shape[-1], 3, dilation_rate=dilation_rate, smoothing=kind)
    layer.build(images.shape)
    variables = [variable.value for variable in layer.trainable_variables]
    dtype = keras.config.dtype_policy().compute_dtype

    def training(images):
        with tf.GradientTape() as tape:
            images = tf.cast(images, dtype)
            tape.watch(images)
            loss = tf.reduce_sum(layer(images) ** 2)
        gradients = tape.gradient(loss, [images, *variables])
        return tf.add_n([tf.cast(tf.reduce_sum(gradient), tf.float32) for gradient in gradients])

    parts = {"forward": lambda images: tf.reduce_sum(layer(images)), "training": training}
    # Traced here: functions that were, one after the other, traced by their first call would be
    # taken for one function that is traced over and over, with a warning.
    return {
        part: tf.function(f, autograph=False).get_concrete_function(images)
        for part, f in parts.items()
    }


def _seconds(call, images):
    start = time.perf_counter()
    call(images).numpy()
    return time.perf_counter() - start


def table(results):
    """What `measure_layers` returned, as text."""
    width = max(map(len, results))
    lines = [" " * width + f"{'forward':>12}{'cost':>8}{'+ backward':>12}{'cost':>8}"]
    for name, row in results.items():
        lines.append(
            f"{name:<{width}}{row['forward_ms']:>9.1f} ms{row['forward_cost'] - 1:>+8.0%}"
            f"{row['training_ms']:>9.1f} ms{row['training_cost'] - 1:>+8.0%}"
        )
    return "\n".join(lines)
