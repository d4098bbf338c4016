"""Image classification as a task of the trainer: settings, data, loss and scores."""

import os
import types

import tensorflow as tf

from tfseg.bands import RGB
from tfseg.data import DataInfo, DistributedPipeline, pipeline_errors
from tfseg.data.info import FILE_NAME
from tfseg.data.pipelines.classification import (
    RandomResizedCrop,
    class_eval_dataset,
    class_sample_files,
    class_train_dataset,
    list_classes,
    read_class_folders,
)
from tfseg.errors import TfsegError
from tfseg.models import ModelSpec, Preprocessing
from tfseg.training.losses.segmentation import SegmentationLoss
from tfseg.training.plan import Plan
from tfseg.training.segmentation import number

# How many images are evaluated at once.
_BATCH = 32


class Classification:
    """Classes of images in folders; see `Segmentation` for the methods."""

    score = "val_top1"

    def plan(self, config):
        classes = list_classes(config.data_dir, config.train_split)
        preprocessing = Preprocessing()
        if os.path.exists(os.path.join(config.data_dir, FILE_NAME)):
            info = DataInfo.load(config.data_dir)
            if info.bands != RGB:
                raise TfsegError(
                    f"{config.data_dir} has images of {info.bands.describe()}; classification "
                    f"takes {RGB.describe()}"
                )
            preprocessing = Preprocessing(info.mean, info.std)
        train = read_class_folders(config.data_dir, config.train_split, classes)
        val = None
        if config.val_split:
            val = read_class_folders(config.data_dir, config.val_split, classes)
        spec = ModelSpec(
            config.model,
            len(classes),
            config.model_options,
            preprocessing,
            classes=classes,
            kind="classifier",
        )
        return Plan(spec, train, val, classes, *config.length(len(train)))

    def columns(self, plan):
        return ["val_top1", "val_top5"]

    def loss(self, model, config, plan):
        return ClassificationLoss(len(plan.classes), config.loss, **config.loss_options())

    def dataset(self, config, plan, strategy, step):
        augmentation = RandomResizedCrop(config.crop_size, config.color_jitter, config.mirror)

        def pipeline(context):
            return class_train_dataset(
                plan.train,
                augmentation,
                plan.spec.preprocessing,
                batch_size=config.batch_size // context.num_replicas_in_sync,
                seed=config.seed,
                first_sample=step * config.effective_batch,
                block=(context.input_pipeline_id, context.num_input_pipelines, config.batch_size),
                transforms=config.transforms,
            )

        return DistributedPipeline(strategy, pipeline)

    def files_of_step(self, config, plan, strategy, step):
        count = config.effective_batch
        return class_sample_files(plan.train, config.seed, step * count, count)

    def validator(self, model, config, plan, strategy):
        return ClassValidator(
            model, plan.val, plan.spec.preprocessing, config.resize, config.crop_size
        )

    def describe(self, scores, best):
        return (
            f"val top-1 {number(scores['val_top1'])}, top-5 {number(scores['val_top5'])}; "
            f"best top-1 {number(best['val_top1'])}"
        )


class ClassificationLoss:
    """A sum of losses over images, whatever way they fall on replicas.

    An image is a map of one pixel to `SegmentationLoss`, whose methods these are.

    Args:
        num_classes: how many classes there are.
        loss, **options: as for `SegmentationLoss`.
    """

    teacher = None

    def __init__(self, num_classes, loss="cross_entropy", **options):
        pixel = types.SimpleNamespace(
            loss_weights={"logits": 1.0},
            loss_resolution="labels",
            upsample=lambda logits, size: logits,
            num_classes=num_classes,
        )
        self._loss = SegmentationLoss(pixel, -1, (), loss, **options)

    def counts(self, labels, image_size):
        """float32: this batch's part of the normalisers."""
        return self._loss.counts(labels[:, None, None], image_size)

    def __call__(self, outputs, labels, counts):
        """This batch's part of the loss."""
        maps = {"logits": outputs["logits"][:, None, None]}
        return self._loss(maps, labels[:, None, None], counts)


class ClassValidator:
    """Accuracies of central crops; every worker sees all images, on its first device.

    Args:
        model: a `Classifier`.
        images: `ClassifiedImages`.
        preprocessing: `Preprocessing`.
        resize, crop_size: see `central_crop`.
    """

    def __init__(self, model, images, preprocessing, resize, crop_size):
        self.model, self.images = model, images
        # Made once: what a pipeline traces stays in memory until Python collects its cycles.
        self._dataset = class_eval_dataset(images, resize, crop_size, preprocessing, _BATCH)
        self._count = tf.function(self._hits, reduce_retracing=True, autograph=False)

    def _hits(self, images, targets):
        logits = self.model(images, training=False)["logits"]
        # How many classes score higher; those that score the same come in index order.
        own = tf.gather(logits, targets, batch_dims=1)[:, None]
        before = tf.range(tf.shape(logits)[1])[None] < targets[:, None]
        rank = tf.math.count_nonzero((logits > own) | ((logits == own) & before), 1)
        return tf.math.count_nonzero(rank < 1), tf.math.count_nonzero(rank < 5)

    def scores(self, progress=None):
        """{"val_top1", "val_top5"}: the share of images whose class is the first, or among the
        first five, of the network's.

        Args:
            progress: called as progress(done, total) with numbers of images.
        """
        first = five = done = 0
        with pipeline_errors(self.images):
            for images, targets in self._dataset:
                hits = self._count(images, targets)
                first, five = first + int(hits[0]), five + int(hits[1])
                done += len(targets)
                if progress:
                    progress(done, len(self.images))
        return {"val_top1": first / done, "val_top5": five / done}

    def panels(self):
        """No pictures."""
        return ()
