"""TFRecord shards: many pairs in few files, for large sets and remote storage.

A record is a `tf.train.Example` with the bytes of an image file ("image") and of its label map
("label"). The index {split}_shards.txt says at which byte each record starts, so the pipelines
take records in any order, as they take files, and a shard may lie wherever `tf.io.gfile` reads.
"""

import os
import struct

from tfseg.data.image_files import image_size
from tfseg.data.lists import is_labelled, read_file, read_split, remove, shard_index
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, replacing, require_file
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

# A record has its length (8 bytes) and two checksums (4 each) around its content.
_HEAD, _FRAME = 12, 16


def write_shards(data_dir, splits, count, progress=None):
    """Packs the files of splits into shards below `data_dir`/shards; the lists of files stay.

    Args:
        data_dir: the data folder.
        splits: its splits; those without label maps are left out.
        count: how many shards for each; fewer where there are fewer files.
        progress: called as progress(done, total) after each pair.

    Returns:
        The shards' paths.

    Raises:
        TfsegError: a list or a file can't be read, or a shard not be written.
    """
    labelled = [split for split in splits if is_labelled(data_dir, split)]
    return [path for split in labelled for path in _write(data_dir, split, count, progress)]


def _write(data_dir, split, count, progress):
    """The paths of one split's shards."""
    # From here on, the split is read from its files.
    remove(shard_index(data_dir, split))
    image_list = read_split(data_dir, split)
    total = len(image_list)
    count = min(count, total)
    lines, names = [], []
    for shard in range(count):
        name = f"shards/{split}-{shard:05d}-of-{count:05d}.tfrecord"
        names.append(name)
        with replacing(os.path.join(data_dir, name)) as temporary:
            offset = 0
            with tf.io.TFRecordWriter(temporary) as writer:
                for index in range(shard * total // count, (shard + 1) * total // count):
                    record, (width, height) = _record(image_list, index)
                    writer.write(record)
                    lines.append(
                        f"{name}\t{offset}\t{height}\t{width}\t{image_list.names[index]}\n"
                    )
                    offset += len(record) + _FRAME
                    if progress:
                        progress(index + 1, total)
    with atomic_write(shard_index(data_dir, split), "w") as file:
        file.writelines(lines)
    return [os.path.join(data_dir, name) for name in names]


def _record(image_list, index):
    """The record of a pair, and its image's (width, height)."""
    image = read_file(image_list.images[index])
    label = read_file(image_list.labels[index], "label map")
    size = image_size(image, image_list.images[index])
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in (("image", image), ("label", label))
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(), size


def pair_reader(image_list):
    """A graph function that reads an entry of an `ImageList`.

    Returns:
        Function of an index, int64, to the bytes of the image file and of its label map; without
        label maps in the list, of the image alone.
    """
    # The graph would wait for a pipe for ever.
    for path in dict.fromkeys([*image_list.images, *(image_list.labels or ())]):
        require_file(path)
    images = tf.constant(image_list.images, tf.string)
    if image_list.offsets is None:
        if image_list.labels is None:
            return lambda index: (tf.io.read_file(tf.gather(images, index)),)
        labels = tf.constant(image_list.labels, tf.string)
        return lambda index: tuple(
            tf.io.read_file(tf.gather(paths, index)) for paths in (images, labels)
        )
    offsets = tf.constant(image_list.offsets, tf.int64)
    names = ["image"] if image_list.labels is None else ["image", "label"]
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in names}

    def read(index):
        records = tf.raw_ops.TFRecordDatasetV2(
            filenames=tf.gather(images, index)[None],
            compression_type="",
            buffer_size=256 * 1024,
            byte_offsets=tf.gather(offsets, index)[None],
        )
        records = tf.data.experimental.from_variant(records, tf.TensorSpec([], tf.string))
        record = tf.io.parse_single_example(records.take(1).get_single_element(), features)
        return tuple(record[name] for name in names)

    return read


def entry(image_list, index, part):
    """An image (part 0) or label map (part 1): (path, or the bytes of a record, its title)."""
    title = (image_list.image_titles, image_list.label_titles)[part][index]
    if image_list.offsets is not None:
        return read_pair(image_list, index)[part], title
    return (image_list.images, image_list.labels)[part][index], title


def read_pair(image_list, index):
    """What `pair_reader` reads, as bytes: (image, label map), the latter None without labels.

    Raises:
        TfsegError: a file or record can't be read.
    """
    path = image_list.images[index]
    labels = image_list.labels
    if image_list.offsets is None:
        label = labels and read_file(labels[index], "label map")
        return read_file(path), label
    require_file(path)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            file.seek(image_list.offsets[index])
            (length,) = struct.unpack("<Q", file.read(_HEAD)[:8])
            example = tf.train.Example.FromString(file.read(length))
        feature = example.features.feature
        image, label = (feature[name].bytes_list.value[0] for name in ("image", "label"))
    except tf.errors.NotFoundError as error:
        raise TfsegError(f"{path} does not exist") from error
    # protobuf's DecodeError is a ValueError in one implementation and not in the other.
    except Exception as error:
        raise TfsegError(f"{image_list.image_titles[index]} can't be read: {error}") from error
    return image, labels and label
