"""tf.data pipelines whose every sample is a function of its number alone.

The training samples are numbered n = 0, 1, 2, … for ever. The number says which epoch and file it
is (see `order`), and a key of (seed, epoch, file) decides its augmentation. Threads, replicas,
workers and interruptions don't enter, so none of them changes a run.
"""

import numpy as np
import tensorflow as tf

from tfseg.data.augment.chain import Chain
from tfseg.data.graph import mapped
from tfseg.data.labels import label_table
from tfseg.data.order import epoch_key, fold
from tfseg.data.pipelines.loading import finish, keep_in_memory, labelled_loader
from tfseg.data.pipelines.natural import read_sizes
from tfseg.errors import TfsegError


def train_dataset(
    image_list,
    augmentation,
    preprocessing,
    *,
    num_classes,
    batch_size,
    seed,
    first_sample=0,
    block=None,
    label_map=None,
    ignore_label=255,
    cache=False,
    transforms="",
):
    """Augmented, shuffled samples without end.

    Args:
        image_list: `ImageList` with labels.
        augmentation: `Augmentation`, or `NaturalShapes` for whole images, whose height and width
            then differ from batch to batch.
        preprocessing: `tfseg.models.Preprocessing`.
        num_classes: labels must be below it, or `ignore_label`.
        batch_size: samples per element, which is one replica's share of a micro-batch.
        seed: integer that the order and the augmentation depend on.
        first_sample: the number of the first sample, to continue a run; the first of a batch.
        block: (worker, workers, global_batch): of each `global_batch` samples, counted from
            `first_sample`, this worker gets the worker-th of `workers` equal runs. Default: all.
        label_map: {value in the label files: class or `ignore_label`}; None: values are classes.
        ignore_label: the label of pixels that do not count, also outside of the image.
        cache: keep all decoded files in memory: 4 bytes per pixel of 8-bit RGB and its label, one
            decoding of everything before the first sample.
        transforms: what is done to the samples then, in order: see `tfseg.data.augment`.

    Returns:
        Dataset of (images float32 [batch_size, h, w, channels], normalised, labels int32
        [batch_size, h, w]).

    Raises:
        TfsegError: the list has no labels, or its images are not those that `preprocessing` or the
            augmentation takes, or the blocks don't come out even. Errors in the files
            come while iterating; see `pipeline_errors`.
    """
    _require_labels(image_list)
    image_list.require_bands(preprocessing.bands)
    load = labelled_loader(
        image_list, label_table(num_classes, label_map, ignore_label), ignore_label
    )
    if cache:
        load = keep_in_memory(load, len(image_list))
    sampler = augmentation.sampler(image_list, batch_size, seed)
    if first_sample % sampler.order.group_size:
        raise TfsegError(f"sample {first_sample} isn't the first of a batch of {batch_size}")

    def sample(number):
        def show(index, key, normalize):
            return sampler.show(number, *load(index), key, normalize, ignore_label)

        epoch, index = sampler.order(number)
        chain = Chain(transforms, preprocessing, show, len(image_list))
        return chain(index, fold(epoch_key(seed, epoch), index))

    return numbered_dataset(sample, batch_size, first_sample, block)


def numbered_dataset(sample, batch_size, first_sample=0, block=None):
    """Batches of sample(first_sample), sample(first_sample + 1), … without end.

    Args:
        sample: graph function of a sample's number, int64.
        batch_size, first_sample, block: as for `train_dataset`.

    Raises:
        TfsegError: the blocks don't come out even.
    """
    worker, workers, global_batch = block or (0, 1, batch_size)
    share, odd = divmod(global_batch, workers)
    if odd or share % batch_size or not share:
        raise TfsegError(
            f"a global batch of {global_batch} can't be dealt to {workers} workers in parts of "
            f"{batch_size}"
        )

    def place(position):
        number = position // share * global_batch + worker * share + position % share
        return sample(first_sample + number)

    dataset = tf.data.Dataset.counter(dtype=tf.int64)
    dataset = mapped(dataset, place, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return finish(dataset.batch(batch_size, drop_remainder=True))


def eval_dataset(
    image_list,
    *,
    num_classes,
    label_map=None,
    ignore_label=255,
    batch_size=1,
    shard=(0, 1),
    replicas=1,
):
    """Whole images at their own size, in batches of equal size.

    Args:
        image_list: `ImageList` with labels.
        num_classes: labels must be below it, or `ignore_label`.
        label_map: as in `train_dataset`.
        ignore_label: the label of pixels that do not count.
        batch_size: how many images may come together; those of one size do, in the list's order.
        shard: (k, K): batches k, k + K, k + 2K, … only.
        replicas: that take turns. Every shard has as many batches for each of them: where they
            don't come out even, the first image comes again with all its labels ignored.

    Returns:
        Dataset of (images [N, H, W, channels] of the list's bands, labels int32 [N, H, W], index
        int64 [N], the position in the list, or -1 for an image that comes again).

    Raises:
        TfsegError: the list has no labels. Errors in the files come while iterating.
    """
    _require_labels(image_list)
    batches = _equal_sized(image_list, batch_size)
    count = -(-len(batches) // (shard[1] * replicas)) * replicas
    batches = batches[shard[0] :: shard[1]]
    repeated = np.array([[-1, *[-2] * (batch_size - 1)]], np.int64)
    batches = np.concatenate([batches, *[repeated] * (count - len(batches))])
    load = labelled_loader(
        image_list, label_table(num_classes, label_map, ignore_label), ignore_label
    )

    def sample(index):
        image, label = load(tf.maximum(index, 0))
        return image, tf.where(index >= 0, tf.cast(label, tf.int32), ignore_label)

    def batch(indices):
        indices = indices[indices > -2]
        signature = (
            tf.TensorSpec([None, None, image_list.bands.channels], image_list.bands.dtype),
            tf.TensorSpec([None, None], tf.int32),
        )
        images, labels = tf.map_fn(sample, indices, fn_output_signature=signature)
        return images, labels, indices

    dataset = tf.data.Dataset.from_tensor_slices(batches)
    return finish(mapped(dataset, batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True))


def _equal_sized(image_list, batch_size):
    """int64 [batches, batch_size]: positions of images of one size; -2 where there is no more."""
    if batch_size == 1:
        return np.arange(len(image_list), dtype=np.int64)[:, None]
    groups = {}
    for index, size in enumerate(read_sizes(image_list)):
        groups.setdefault(tuple(size), []).append(index)
    rows = [
        members[start : start + batch_size]
        for members in groups.values()
        for start in range(0, len(members), batch_size)
    ]
    return np.array([row + [-2] * (batch_size - len(row)) for row in rows], np.int64)


def sample_files(image_list, augmentation, seed, first_sample, count, batch_size=1):
    """The names of the files that `train_dataset` shows as samples first_sample, …, for messages.

    Args:
        image_list, augmentation, seed, batch_size: as for `train_dataset`.
        first_sample: number of the first sample.
        count: how many.

    Returns:
        List of `count` names.
    """
    with tf.device("CPU"):
        order = augmentation.sampler(image_list, batch_size, seed).order
        numbers = tf.range(first_sample, first_sample + count, dtype=tf.int64)
        return [image_list.names[int(order(number)[1])] for number in numbers]


def _require_labels(image_list):
    if image_list.labels is None:
        raise TfsegError(f"the list of images in {image_list.root} was read without label maps")
