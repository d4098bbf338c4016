"""Label values: which are valid in a label file, and which class each one means."""

import numpy as np

from tfseg.data.decoding import require
from tfseg.errors import TfsegError
from tfseg.lazy import LazyModule
from tfseg.words import counted

tf = LazyModule("tensorflow")


def label_table(num_classes, label_map=None, ignore_label=255):
    """What each value of a label file means: int32 [256] of class, `ignore_label`, or -1 (invalid).

    Args:
        num_classes: how many classes there are.
        label_map: {value: class or `ignore_label`}; None means that values are classes.
        ignore_label: the value, in the files and in the result, of pixels that do not count; in
            the files only where `label_map` doesn't say what it means.

    Raises:
        TfsegError: there are more classes than 256, `label_map` leads to something that is neither
            class nor `ignore_label`, or `ignore_label` is one of the classes that it leads to.
    """
    if num_classes > 256:
        raise TfsegError(
            f"{counted(num_classes, 'class')} are too many: label maps have 8 bits, for 256 at most"
        )
    table = np.full(256, -1, np.int32)
    if label_map is None:
        table[:num_classes] = np.arange(num_classes)
    else:
        if ignore_label < num_classes:
            raise TfsegError(
                f"the ignore_label {ignore_label} of info.json is one of "
                f"{counted(num_classes, 'class')} that label_map leads to: pixels of that class "
                "would not count; use 255"
            )
        for value, target in label_map.items():
            if target != ignore_label and not 0 <= target < num_classes:
                raise TfsegError(
                    f"the label_map of info.json takes {value} to {target}, but there are "
                    f"{counted(num_classes, 'class')} (0..{num_classes - 1}) and the ignore label "
                    f"{ignore_label}"
                )
            table[value] = target
    if ignore_label not in (label_map or ()):
        table[ignore_label] = ignore_label
    return table


def class_values(num_classes, label_map):
    """The label value of each class, uint8 [256]: the way back from class indices.

    Args:
        num_classes: how many classes there are.
        label_map: {value: class or ignore label}; of several values of a class, the smallest.

    Raises:
        TfsegError: a class that no value leads to.
    """
    values = np.zeros(256, np.uint8)
    for index in range(num_classes):
        sources = [value for value, target in label_map.items() if target == index]
        if not sources:
            raise TfsegError(f"label_map has no value for class {index} of {num_classes}")
        values[index] = min(sources)
    return values


def describe_values(table, ignore_label):
    """The values that `table` allows in label files, in words: "0..10 and 255"."""
    allowed = np.flatnonzero(table >= 0).tolist()
    ignored = table[ignore_label] == ignore_label
    if ignored:
        allowed.remove(ignore_label)
    if allowed == list(range(len(allowed))):
        text = f"0..{len(allowed) - 1}"
    elif len(allowed) <= 12:
        text = ", ".join(map(str, allowed))
    else:
        text = f"the {counted(len(allowed), 'value')} of label_map"
    return f"{text} and {ignore_label}" if ignored else text


def apply_label_table(label, path, table, ignore_label):
    """Label file values uint8 [H, W] to classes uint8 [H, W], checked.

    Fails, naming the file, the first wrong value and its count, where the table says -1.
    """
    # Two pixels at a time, for looking up takes the most of it: a pair's classes as 16 bits, or -1.
    values = tf.reshape(label, [-1])
    odd = tf.size(values) % 2
    values = tf.concat([values, values[tf.size(values) - odd :]], 0)
    pairs = tf.bitcast(tf.reshape(values, [-1, 2]), tf.uint16)
    found = tf.gather(tf.constant(_pairs(table)), tf.cast(pairs, tf.int32))
    classes = tf.reshape(tf.bitcast(tf.cast(found, tf.uint16), tf.uint8), [-1])
    classes = tf.reshape(classes[: tf.size(classes) - odd], tf.shape(label))

    def explain():
        wrong = tf.boolean_mask(label, tf.gather(tf.constant(table), tf.cast(label, tf.int32)) < 0)
        wrong = wrong[0]
        count = tf.math.count_nonzero(label == wrong)
        return tf.strings.join(
            [
                *("label map ", path, " has the value ", tf.strings.as_string(wrong), " in "),
                *(tf.strings.as_string(count), " pixels; allowed are "),
                describe_values(table, ignore_label),
            ]
        )

    valid = tf.reduce_min(found) >= 0
    message = tf.cond(valid, lambda: tf.constant(""), explain)
    with tf.control_dependencies([require(valid, message)]):
        return tf.identity(classes)


def _pairs(table):
    """int32 [65536]: a table for pairs of values, as this machine has them in 16 bits."""
    first, second = np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(-1, 2).T
    classes = np.stack([table[first], table[second]], 1)
    both = np.ascontiguousarray(classes.astype(np.uint8)).view(np.uint16)[:, 0]
    return np.where((classes >= 0).all(1), both.astype(np.int32), -1)
