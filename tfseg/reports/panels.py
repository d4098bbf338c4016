"""Pictures of an evaluation, a file for each image."""

import zlib

from PIL import Image

from tfseg import legends, visualize
from tfseg.files import atomic_write
from tfseg.outputs import OutputFolder
from tfseg.parallel import Behind


class PictureWriter(Behind):
    """Writes a PNG for each predicted image, in the background.

    Use it in a `with` block, at whose end everything is written, and call it, or pass it to
    `Evaluator` as `on_prediction`.

    Args:
        image_list: the `ImageList` that is evaluated.
        output_dir: folder for the PNGs, which keep the names and folders of the list.
        threads: how many draw and write; twice as many images may wait for them.

    Raises:
        TfsegError: a file can't be written, or would be over one that is read; some calls later,
            or at the end.
    """

    def __init__(self, image_list, output_dir, threads=4):
        super().__init__(self._write, threads)
        self.folder = OutputFolder(output_dir, image_list.files)
        self.stems = image_list.stems

    def draw(self, predicted):
        """The picture of a `Predicted`, uint8 [H, W] or [H, W, 3]."""
        raise NotImplementedError

    def _write(self, predicted):
        picture = self.draw(predicted)
        with atomic_write(self.folder.path(f"{self.stems[predicted.index]}.png")) as file:
            # Most of it is flat: looking for runs alone, the compression is as good as the
            # default and quicker.
            Image.fromarray(picture).save(file, "PNG", compress_type=zlib.Z_RLE)


class LabelWriter(PictureWriter):
    """Writes the predicted class indices, as any program reads them."""

    def draw(self, predicted):
        return predicted.labels


class OverlayWriter(PictureWriter):
    """Writes each image with the colours of its prediction laid over it, above a legend.

    Args:
        image_list, output_dir, threads: as for `PictureWriter`.
        palette: [red, green, blue] per class.
        classes: class names, or None.
    """

    def __init__(self, image_list, output_dir, palette, classes=None, threads=4):
        super().__init__(image_list, output_dir, threads)
        self.palette, self.classes = palette, classes

    def draw(self, predicted):
        picture = visualize.overlay(predicted.image, predicted.labels, self.palette)
        return legends.below(picture, [predicted.labels], self.classes, self.palette)


class PanelWriter(OverlayWriter):
    """Writes each image, its truth and its prediction side by side, above a legend."""

    def draw(self, predicted):
        maps = (predicted.truth, predicted.labels)
        pictures = [predicted.image, *(visualize.colorize(one, self.palette) for one in maps)]
        picture = visualize.panel(pictures, ["image", "truth", "prediction"])
        return legends.below(picture, maps, self.classes, self.palette)
