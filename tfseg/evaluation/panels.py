"""Pictures of an evaluation: each image, its truth and its prediction side by side."""

import collections
import concurrent.futures
import os

from PIL import Image

from tfseg import visualize
from tfseg.evaluation.files import result_names
from tfseg.files import atomic_write


class PanelWriter:
    """Writes a PNG for each predicted image, in the background.

    Use it in a `with` block, at whose end everything is written, and call it, or pass it to
    `Evaluator` as `on_prediction`.

    Args:
        truth: a `Truth` of what is evaluated.
        output_dir: folder for the PNGs, which keep the names and folders of the list.
        palette: [red, green, blue] per class.
        threads: how many draw and write; twice as many images may wait for them.

    Raises:
        TfsegError: a file can't be written; some calls later, or at the end.
    """

    def __init__(self, truth, output_dir, palette, threads=4):
        self.truth = truth
        self.output_dir = output_dir
        self.palette = palette
        self.names = result_names(truth.image_list.names)
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
        maps = [visualize.colorize(one, self.palette) for one in (self.truth.labels(index), labels)]
        pictures = [self.truth.image(index), *maps]
        picture = visualize.panel(pictures, ["image", "truth", "prediction"])
        with atomic_write(os.path.join(self.output_dir, self.names[index])) as file:
            # Pictures to look at: quick to write rather than small.
            Image.fromarray(picture).save(file, "PNG", compress_level=3)
