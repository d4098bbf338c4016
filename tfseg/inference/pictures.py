"""Pictures of a label map beside and over its image, as files show them."""

from PIL import Image

from tfseg import legends, visualize

PICTURES = ("overlay", "panel")


def picture(kind, image, labels, classes, palette):
    """One of `PICTURES`, above a legend of the classes that occur.

    Args:
        kind: which.
        image: uint8 RGB [H, W, 3].
        labels: uint8 [H, W].
        classes: their names.
        palette: a colour of each.

    Returns:
        A PIL image.
    """
    shown = visualize.overlay(image, labels, palette)
    if kind == "panel":
        pictures = [image, visualize.colorize(labels, palette), shown]
        shown = visualize.panel(pictures, ["image", "prediction", "overlay"])
    return Image.fromarray(legends.below(shown, [labels], classes, palette))
