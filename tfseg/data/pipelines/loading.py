"""Files in, pixels out: the pipelines' loading of pairs, and what to say when it fails."""

import contextlib
import dataclasses
import functools
import re
from concurrent import futures

import numpy as np
import tensorflow as tf

from tfseg.data.decoding import MARK, decode_image, decode_label, require
from tfseg.data.graph import mapped
from tfseg.data.labels import apply_label_table
from tfseg.data.shards import pair_reader, read_pair
from tfseg.errors import TfsegError


def finish(dataset):
    """The end of every pipeline: deterministic, dealt by number, a batch ahead."""
    options = tf.data.Options()
    options.deterministic = True
    # Workers and replicas are dealt their samples here, by number; tf.data must not deal again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # The tuner, which would change how many samples are made at a time, often keeps an iterator
    # that is done with from being deleted until it next wakes, up to a minute later.
    options.autotune.enabled = False
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def image_loader(image_list):
    """A graph function that reads an image, without its label map.

    Args:
        image_list: `ImageList`, with or without labels.

    Returns:
        Function of a file index, int64, to the image [H, W, channels] of the list's bands. It
        fails, naming the file, on what is no such image.
    """
    titles = tf.constant(image_list.image_titles, tf.string)
    read = pair_reader(dataclasses.replace(image_list, labels=None))
    bands = image_list.bands
    return lambda index: decode_image(read(index)[0], tf.gather(titles, index), bands)


def labelled_loader(image_list, table, ignore_label):
    """A graph function that reads a pair of files.

    Args:
        image_list: `ImageList` with labels.
        table: what `label_table` gives.
        ignore_label: the label of pixels that do not count.

    Returns:
        Function of a file index, int64, to the image [H, W, channels] of the list's bands and
        classes uint8 [H, W]. It fails, naming the file, on images of other bands, and on label maps
        that are no index PNG, hold wrong values or are of another size than their image.
    """
    images = tf.constant(image_list.image_titles, tf.string)
    labels = tf.constant(image_list.label_titles, tf.string)
    read = pair_reader(image_list)

    def load(index):
        image_path, label_path = tf.gather(images, index), tf.gather(labels, index)
        image_bytes, label_bytes = read(index)
        image = decode_image(image_bytes, image_path, image_list.bands)
        label = decode_label(label_bytes, label_path)
        a, b = tf.shape(image), tf.shape(label)
        check = require(
            tf.reduce_all(a[:2] == b),
            *("image ", image_path, " is ", a[1], "x", a[0]),
            *(", but its label map ", label_path, " is ", b[1], "x", b[0]),
        )
        with tf.control_dependencies([check]):
            return image, apply_label_table(label, label_path, table, ignore_label)

    return load


def keep_in_memory(load, count):
    """Decodes everything once.

    Args:
        load: what `labelled_loader` gives.
        count: how many files there are.

    Returns:
        A function with the results of `load`, from two flat arrays of all pixels.
    """
    dataset = mapped(tf.data.Dataset.range(count), load, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = finish(dataset)
    # The files may differ in size, so their pixels are laid out one after the other.
    images, labels, sizes = [], [], []
    channels = dataset.element_spec[0].shape[2]
    for image, label in dataset.as_numpy_iterator():
        images.append(image.ravel())
        labels.append(label.ravel())
        sizes.append(label.shape)
    counts = [label.size for label in labels]
    # A tf.data function can't take tensors from an accelerator.
    with tf.device("CPU"):
        ends = tf.constant(np.cumsum(counts), tf.int64)
        sizes = tf.constant(sizes, tf.int64)
        flat_labels = tf.constant(np.concatenate(labels))
        del labels
        flat_images = tf.constant(np.concatenate(images))
        del images

    def recall(index):
        size = tf.gather(sizes, index)
        end = tf.gather(ends, index)
        start = end - size[0] * size[1]
        pixels = flat_images[start * channels : end * channels]
        return tf.reshape(pixels, tf.concat([size, [channels]], 0)), tf.reshape(
            flat_labels[start:end], size
        )

    return recall


@contextlib.contextmanager
def pipeline_errors(image_list):
    """Turns errors of a pipeline over `image_list` into a `TfsegError` that names the file.

    Use it around whatever pulls elements. An error that has nothing to do with the files passes
    unchanged. A decoder doesn't know which file it is at, so after a failure to decode, the
    list's files are tried one by one.
    """
    try:
        yield
    except (
        tf.errors.InvalidArgumentError,
        tf.errors.NotFoundError,
        tf.errors.DataLossError,
    ) as error:
        mark = re.escape(MARK)
        found = re.search(f"{mark}(.*?){mark}", str(error), re.DOTALL)
        message = _unescape(found.group(1)) if found else _find_damaged(image_list)
        if message is None:
            raise
        raise TfsegError(message) from error


def _unescape(text):
    # TensorFlow prints strings with C escapes for what isn't ASCII.
    def decode(match):
        codes = match.group()[1:].split("\\")
        return bytes(int(code, 8) for code in codes).decode("utf-8", "replace")

    return re.sub(r"(?:\\[0-7]{3})+", decode, text).replace("\\'", "'").replace('\\"', '"')


def _find_damaged(image_list):
    """What is wrong with the first file that can't be read or decoded, or None."""

    def attempt(index):
        decode = functools.partial(decode_image, bands=image_list.bands)
        kinds = [("image", image_list.image_titles, decode)]
        if image_list.labels:
            kinds.append(("label map", image_list.label_titles, decode_label))
        try:
            parts = read_pair(image_list, index)
        except TfsegError as error:
            return str(error)
        for (kind, titles, decode), contents in zip(kinds, parts, strict=False):
            try:
                decode(tf.constant(contents), tf.constant(titles[index]))
            except tf.errors.OpError as error:
                reason = re.sub(r"\{\{.*?\}\} ?| ?\[Op:.*", "", error.message.splitlines()[0])
                return f"{kind} {titles[index]} can't be read: {reason}"
        return None

    with tf.device("CPU"), futures.ThreadPoolExecutor() as pool:
        return next(filter(None, pool.map(attempt, range(len(image_list)))), None)
