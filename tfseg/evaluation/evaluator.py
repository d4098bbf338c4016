"""Evaluation of a model on a list of images, on any number of devices."""

import itertools

import numpy as np
import tensorflow as tf

from tfseg.data import DistributedPipeline, eval_dataset, pipeline_errors
from tfseg.evaluation.confusion import confusion_matrix
from tfseg.evaluation.truth import Predicted
from tfseg.inference.inference import Inference


class Evaluator:
    """Confusion matrices of one model: the network is traced once for all calls, and the input
    pipeline once for those in a row with the same list, as validations during training are.

    Every replica takes a batch of whole images of one size at a time, and all of them take the
    same number of steps. The counts are integers, so the result doesn't depend on the number of
    replicas or workers.

    Args:
        model: a `Segmenter`, made in the scope of `strategy`.
        preprocessing: the model's `Preprocessing`.
        protocol: a `Protocol`; default the images as they are.
        ignore_label: the label value that isn't counted.
        label_map: {value in the label files: class index}, or None.
        batch_size: how many images of one size a replica takes together.
        strategy: a `tf.distribute.Strategy`; None for the current one.
    """

    def __init__(
        self,
        model,
        preprocessing,
        *,
        protocol=None,
        ignore_label=255,
        label_map=None,
        batch_size=1,
        strategy=None,
    ):
        self.inference = Inference(model, protocol, preprocessing)
        self._preprocessing = preprocessing
        self.ignore_label = ignore_label
        self.label_map = label_map
        self.batch_size = batch_size
        self.strategy = strategy or tf.distribute.get_strategy()
        self._image_list = self._dataset = self._step = None

    def __call__(self, image_list, progress=None, on_prediction=None, wanted=None):
        """The confusion matrix of a whole `ImageList` with labels.

        Args:
            image_list: what `tfseg.data.read_split` returns.
            progress: called as progress(done, total) with numbers of images, after each step.
            on_prediction: called with the `Predicted` of each image that this worker has seen.
            wanted: function of an image's index that tells whether it is; default always.

        Returns:
            int64 [C, C], rows truth, columns prediction; the same on every worker.

        Raises:
            TfsegError: an image or label that can't be used; the message names the file.
        """
        if self._preprocessing is not None:
            image_list.require_bands(self._preprocessing.bands)
        if self._image_list is not image_list:
            self._image_list = image_list
            self._dataset = DistributedPipeline(
                self.strategy, lambda context: self._shard(image_list, context)
            )
        if self._step is None:
            signature = [self._dataset.element_spec]
            self._step = tf.function(self._matrices, input_signature=signature, autograph=False)
        totals, done = None, 0
        with pipeline_errors(image_list):
            for element in self._dataset:
                # Each replica's sum stays on its own device until the end.
                matrices, *results = self._step(element)
                seen = sum(index.shape[0] for index in results[0])
                if on_prediction:
                    self._hand_over(on_prediction, wanted or (lambda _: True), results)
                del results  # the next step needs the memory
                if totals:
                    matrices = [a + b for a, b in zip(totals, matrices, strict=True)]
                totals = matrices
                # Workers are in step, so others have done as much.
                workers = self.strategy.num_replicas_in_sync // len(matrices)
                done += workers * seen
                if progress:
                    progress(min(done, len(image_list)), len(image_list))
        return self._sum(totals)

    def _shard(self, image_list, context):
        """The images of one worker; all replicas of all workers stay in step."""
        workers = context.num_input_pipelines
        return eval_dataset(
            image_list,
            num_classes=self.inference.model.num_classes,
            label_map=self.label_map,
            ignore_label=self.ignore_label,
            batch_size=self.batch_size,
            shard=(context.input_pipeline_id, workers),
            replicas=context.num_replicas_in_sync // workers,
        )

    def _matrices(self, element):
        results = self.strategy.run(self._matrix, args=(element,))
        return [self.strategy.experimental_local_results(result) for result in results]

    def _matrix(self, element):
        images, labels, index = element
        predictions = self.inference.labels(images)
        classes = self.inference.model.num_classes
        matrices = tf.map_fn(
            lambda pair: confusion_matrix(*pair, classes, self.ignore_label),
            (labels, predictions),
            fn_output_signature=tf.TensorSpec([classes, classes], tf.int64),
        )
        return tf.reduce_sum(matrices, 0), index, images, labels, predictions, matrices

    def _sum(self, totals):
        """The sum over this worker's replicas and over all workers, as NumPy."""
        return np.asarray(
            self._reduced(lambda context: totals[context.replica_id_in_sync_group % len(totals)])
        )

    def sum_over_workers(self, array):
        """The sum of what each worker has, a NumPy array of one shape; the same on every worker."""
        parts = itertools.chain([array], itertools.repeat(np.zeros_like(array)))
        return np.asarray(self._reduced(lambda _: tf.constant(next(parts))))

    def _reduced(self, function):
        values = self.strategy.experimental_distribute_values_from_function(function)
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)

    def _hand_over(self, on_prediction, wanted, results):
        """Calls `on_prediction` for the wanted images of all replicas that don't come again."""
        for indices, *tensors in zip(*results, strict=True):
            chosen = [
                (place, int(index))
                for place, index in enumerate(indices.numpy())
                if index >= 0 and wanted(int(index))
            ]
            if not chosen:
                continue
            images, truths, labels, matrices = (tensor.numpy() for tensor in tensors)
            for place, index in chosen:
                truth = truths[place]
                classes = truth.astype(np.uint8)
                classes[truth == self.ignore_label] = 255
                picture = self._image_list.bands.picture(images[place])
                on_prediction(Predicted(index, picture, classes, labels[place], matrices[place]))
