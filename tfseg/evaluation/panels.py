"""Pictures of an evaluation: each image, its truth and its prediction side by side."""

import collections
import concurrent.futures
import os

import numpy as np
from PIL import Image

from tfseg import visualize
from tfseg.data import label_table
from tfseg.data.files import read_label, read_rgb
from tfseg.evaluation.files import result_names
from tfseg.files import atomic_write


class PanelWriter:
    """Writes a PNG for each predicted image, in the background.

    Use it in a `with` block, at whose end everything is written, and call it, or pass it to
    `Evaluator` as `on_prediction`.

    Args:
        image_list: the `ImageList` that is evaluated, with labels.
        output_dir: folder for the PNGs, which keep the names and folders of the list.
        palette: [red, green, blue] per class.
        label_map: {value in the label files: class or `ignore_label`}, or None.
        ignore_label: the label of pixels that don't count.
        threads: how many draw and write; twice as many images may wait for them.

    Raises:
        TfsegError: a file can't be written; some calls later, or at the end.
    """

    def __init__(
        self, image_list, output_dir, palette, *, label_map=None, ignore_label=255, threads=4
    ):
        self.image_list = image_list
        self.output_dir = output_dir
        self.palette = palette
        self.names = result_names(image_list.names)
        # Whatever isn't a class gets the colour of no class.
        table = label_table(len(palette), label_map, ignore_label)
        self.table = np.where((table < 0) | (table == ignore_label), 255, table).astype(np.uint8)
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)
        self._pending = collections.deque()
        self._limit = 2 * threads

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            while self._pending and kind is None:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, index, labels):
        """Takes the prediction, uint8 [H, W], of the image at a position of the list."""
        if len(self._pending) == self._limit:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._write, index, labels))

    def _write(self, index, labels):
        image = read_rgb(self.image_list.images[index])
        truth = self.table[read_label(self.image_list.labels[index])]
        maps = [visualize.colorize(one, self.palette) for one in (truth, labels)]
        picture = visualize.panel([image, *maps], ["image", "truth", "prediction"])
        with atomic_write(os.path.join(self.output_dir, self.names[index])) as file:
            Image.fromarray(picture).save(file, "PNG")
