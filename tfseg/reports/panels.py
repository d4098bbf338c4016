"""Pictures of an evaluation: each image, its truth and its prediction side by side."""

import collections
import concurrent.futures
import contextlib
import os
import sys
import threading
import zlib

from PIL import Image

from tfseg import visualize
from tfseg.files import atomic_write
from tfseg.outputs import OutputFolder


class PanelWriter:
    """Writes a PNG for each predicted image, in the background.

    Use it in a `with` block, at whose end everything is written, and call it, or pass it to
    `Evaluator` as `on_prediction`.

    Args:
        image_list: the `ImageList` that is evaluated.
        output_dir: folder for the PNGs, which keep the names and folders of the list.
        palette: [red, green, blue] per class.
        threads: how many draw and write; as many images may wait for them.

    Raises:
        TfsegError: a file can't be written, or would be over one that is read; some calls later,
            or at the end.
    """

    def __init__(self, image_list, output_dir, palette, threads=4):
        self.folder = OutputFolder(output_dir, image_list.files)
        self.palette = palette
        self.stems = image_list.stems
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, initializer=_give_way)
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

    def __call__(self, predicted):
        """Takes a `Predicted`."""
        if len(self._pending) == self._limit:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._write, predicted))

    def _write(self, predicted):
        maps = (predicted.truth, predicted.labels)
        pictures = [predicted.image, *(visualize.colorize(one, self.palette) for one in maps)]
        picture = visualize.panel(pictures, ["image", "truth", "prediction"])
        with atomic_write(self.folder.path(f"{self.stems[predicted.index]}.png")) as file:
            # Two areas of three are flat: looking for runs alone, the compression is as good as
            # the default and quicker.
            Image.fromarray(picture).save(file, "PNG", compress_type=zlib.Z_RLE)


def _give_way():
    """Makes the thread work where the network leaves a processor idle."""
    if sys.platform == "linux":  # where threads have priorities of their own
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
