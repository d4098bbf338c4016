"""Brings a data set into the form that training reads: lists, index PNGs, info.json.

    python tools/prepare_data.py --dataset=sample --data_dir=data/sample
    python tools/prepare_data.py --dataset=camvid --source=SegNet/CamVid --data_dir=data/camvid
    python tools/prepare_data.py --dataset=cityscapes --source=cityscapes --in_place --data_dir=…
    python tools/prepare_data.py --dataset=voc12aug --source=VOCdevkit/VOC2012 \
        --source=benchmark_RELEASE --data_dir=data/voc12
    python tools/prepare_data.py --dataset=folder --source=photos --val_share=0.1 --data_dir=…
    python tools/prepare_data.py --dataset=folder --data_dir=my/data
    python tools/prepare_data.py --dataset=tfds --tfds_name=oxford_iiit_pet \
        --label_map=1:0,2:1,3:255 --classes=pet,background --data_dir=data/pets

"sample" draws small street scenes. "folder" is for pairs of your own: with --source two folders
whose files match by name, without it a data folder that has its lists already, of which mean, std
and class weights are computed into info.json. "tfds" is any segmentation data set of
tensorflow-datasets, or with --tfds_features=image,label any of image classification, which becomes
folders for classify.py. The others read the files of the original in --source. Sources stay as they
are, and all can be run again.
"""

import re
import textwrap

import common
import next_step
from absl import flags
from tqdm import tqdm

from tfseg import data
from tfseg.data import lists, shards
from tfseg.data.catalog import DATASETS, Dataset, read_classes
from tfseg.data.image_files import read_label
from tfseg.errors import TfsegError

FLAGS = flags.FLAGS

flags.DEFINE_enum("dataset", None, [*DATASETS, "folder", "tfds", "sample"], "Which data set.")
flags.DEFINE_multi_string("source", [], "Folder with the original's files; voc12aug may have two.")
flags.DEFINE_string("size", None, "Resize to WIDTHxHEIGHT, such as 240x176; default: as they are.")
flags.DEFINE_boolean("in_place", False, "Don't copy: list the source's files as they lie.")
flags.DEFINE_integer("shards", 0, "Also pack each split into so many TFRecord files.", 0)
flags.DEFINE_float("val_share", 0.0, "folder: share of the images for validation.", 0.0, 0.9)
flags.DEFINE_string("images", None, "folder: subfolder of --source; default images, img_dir, …")
flags.DEFINE_string("labels", None, "folder: that of the label maps; default labels, ann_dir, …")
flags.DEFINE_string("color_map", None, "folder: CSV file of name,red,green,blue of RGB label maps.")
flags.DEFINE_list("label_map", [], "folder, tfds: value:class,… of the label maps; 255: ignored.")
flags.DEFINE_list("classes", [], "folder, tfds: class names.")
flags.DEFINE_string("tfds_name", None, "tfds: name of the data set; --source is where it lies.")
flags.DEFINE_list("tfds_splits", [], "tfds: split=split,… such as train=train[:90%],val=test.")
flags.DEFINE_list(
    "tfds_features", ["image", "segmentation_mask"], "tfds: image and mask; or image and class."
)
common.define_data()

_KNOWN = ("source", "size", "in_place")
_OWN = ("label_map", "classes", "size")
# The flags that each --dataset takes besides --data_dir and --shards.
MEANT_FOR = {
    "sample": (),
    "folder": ("source", "in_place", "val_share", "images", "labels", "color_map", *_OWN),
    "tfds": ("source", "tfds_name", "tfds_splits", "tfds_features", *_OWN),
}


def main():
    common.require("dataset", "data_dir")
    meant = MEANT_FOR.get(FLAGS.dataset, _KNOWN)
    for name in {*_KNOWN, *MEANT_FOR["folder"], *MEANT_FOR["tfds"]}:
        without_source = FLAGS.dataset == "folder" and not FLAGS.source
        if FLAGS[name].present and (name not in meant or without_source):
            kind = "folder without --source" if without_source else FLAGS.dataset
            raise TfsegError(f"--{name} has no meaning with --dataset={kind}")
    with tqdm(unit="image", disable=None) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        counts, info = prepare(progress)
        shards = ()
        if FLAGS.shards:
            bar.reset()
            shards = data.write_shards(FLAGS.data_dir, counts, FLAGS.shards, progress)
    print_summary(counts, info, len(shards))


def prepare(progress):
    """What --dataset names: {split: number of images} and the `DataInfo`."""
    size, data_dir = parse_size(FLAGS.size), FLAGS.data_dir
    if FLAGS.dataset == "sample":
        return data.write_sample_dataset(data_dir)
    if FLAGS.dataset == "tfds":
        common.require("tfds_name")
        splits = dict(parse_pairs("tfds_splits", "=", "split=split")) or None
        builder = data.tfds_builder(FLAGS.tfds_name, FLAGS.source[0] if FLAGS.source else None)
        return data.prepare_tfds(
            builder, data_dir, splits, facts(FLAGS.tfds_name), FLAGS.tfds_features, size, progress
        )
    if FLAGS.dataset == "folder" and not FLAGS.source:
        return data.measure_folder(data_dir, progress)
    common.require("source")
    if FLAGS.dataset == "folder":
        folders = {"images": FLAGS.images, "labels": FLAGS.labels, "val_share": FLAGS.val_share}
        shown = {"size": size, "in_place": FLAGS.in_place, "progress": progress}
        (source, *_), name = FLAGS.source, FLAGS.source[0]
        return data.prepare_folder(source, data_dir, facts(name), **folders, **shown)
    return data.prepare_dataset(
        FLAGS.dataset, FLAGS.source, data_dir, size, FLAGS.in_place, progress
    )


def facts(title):
    """The `Dataset` that --color_map, --label_map and --classes describe, or None."""
    if FLAGS.color_map:
        if FLAGS.label_map or FLAGS.classes:
            raise TfsegError("--color_map names the classes: leave out --label_map and --classes")
        return Dataset(title, **read_classes(FLAGS.color_map, colours=True))
    pairs = parse_pairs("label_map", ":", "value:class, two numbers", r"\d+")
    label_map = {int(value): int(index) for value, index in pairs}
    for value, index in label_map.items():
        if FLAGS.classes and index != 255 and index >= len(FLAGS.classes):
            raise TfsegError(
                f"--label_map={value}:{index}: --classes names {len(FLAGS.classes)}, so a class is "
                f"0..{len(FLAGS.classes) - 1}, or 255 for none"
            )
    if not label_map and not FLAGS.classes:
        return None
    return Dataset(title, tuple(FLAGS.classes) or None, label_map=label_map or None)


def parse_pairs(name, separator, form, pattern=".+"):
    for part in FLAGS[name].value:
        match = re.fullmatch(f"({pattern}?){separator}({pattern})", part)
        if not match:
            raise TfsegError(f"--{name}={part} is not of the form {form}")
        yield match[1], match[2]


def parse_size(text):
    """ "240x176" as (240, 176); None stays None."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise TfsegError(f"--size={text} is not of the form WIDTHxHEIGHT, such as 240x176")
    return int(match[1]), int(match[2])


def print_summary(counts, info, shards):
    images = ", ".join(f"{count} {split}" for split, count in counts.items())
    print(f"{FLAGS.data_dir}: {images}" + (f"; {shards} shards" if shards else ""))
    print("mean    " + "  ".join(f"{value:.4f}" for value in info.mean))
    print("std     " + "  ".join(f"{value:.4f}" for value in info.std))
    num_classes = None
    if info.classes:
        names = ", ".join(info.classes)
        print(f"classes {len(info.classes)}: {textwrap.shorten(names, 400, placeholder=' …')}")
    else:
        print('classes not named: add "classes" to info.json, or give --num_classes from now on')
        num_classes = count_classes(info.ignore_label)
    if info.class_weights:
        print(f"class weights for --class_weights: {', '.join(info.class_weights)}")
    if command := next_step.after_prepare(FLAGS.data_dir, num_classes):
        print(f"next:   {command}")


def count_classes(ignore_label):
    """How many classes the label maps show, where nothing else says it; None without any."""
    largest = -1
    for split in ("train", "val"):
        if lists.is_list(FLAGS.data_dir, split) and lists.is_labelled(FLAGS.data_dir, split):
            image_list = data.read_split(FLAGS.data_dir, split)
            for index in range(len(image_list)):
                values = read_label(*shards.entry(image_list, index, 1))
                largest = max(largest, values[values != ignore_label].max(initial=0))
    return int(largest) + 1 or None


if __name__ == "__main__":
    common.run(main)
