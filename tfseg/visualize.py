"""Pictures of label maps: palettes, overlays, panels."""

import base64
import io
import itertools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Pixels without a class: PASCAL VOC's cream, which no class of its colour map has.
VOID = (224, 224, 192)
# Ever lighter, so that it also reads in grey.
_HEAT = np.array([(0, 0, 0), (86, 0, 140), (225, 50, 40), (255, 190, 0), (255, 255, 220)], float)


def class_names(classes, num_classes):
    """`num_classes` different names: those of `classes` (or None), and "class 7" where they end.

    Of equal names, which old models may have, the second becomes "disc (2)".
    """
    names = list(classes or ())
    names += [f"class {index}" for index in range(len(names), num_classes)]
    taken, seen = set(names), set()
    for index, name in enumerate(names):
        if name in seen:
            marked = (f"{name} ({count})" for count in itertools.count(2))
            names[index] = next(one for one in marked if one not in taken)
        seen.add(name)
        taken.add(names[index])
    return names[:num_classes]


def default_palette(num_classes):
    """The PASCAL VOC colour map, for any number of classes up to 256.

    The bits of the index are dealt out to red, green and blue from the highest bit down, so that
    neighbouring classes get distant colours and class 0 is black.

    Returns:
        A list of `num_classes` [red, green, blue], 0..255.
    """
    palette = []
    for index in range(num_classes):
        colour = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                colour[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        palette.append(colour)
    return palette


def colour_table(palette):
    """`palette` as uint8 [256, 3], for lookup by label or a palette PNG; the rest is `VOID`."""
    table = np.full((256, 3), VOID, np.uint8)
    table[: len(palette)] = palette
    return table


def colorize(labels, palette):
    """The colours of a label map.

    Args:
        labels: integers 0..255, [H, W].
        palette: [red, green, blue] per class, 0..255; labels beyond it become `VOID`.

    Returns:
        uint8 [H, W, 3].
    """
    return colour_table(palette)[np.asarray(labels)]


def heat(values):
    """Colours from black over violet, red and yellow to nearly white.

    Args:
        values: float [H, W], 0..1.

    Returns:
        float [H, W, 3], 0..255.
    """
    places = np.linspace(0, 1, len(_HEAT))
    return np.stack([np.interp(values, places, channel) for channel in _HEAT.T], -1)


def overlay(image, labels, palette, alpha=0.5):
    """The image with the colours of its label map laid over it.

    Args:
        image: uint8 RGB [H, W, 3].
        labels: integers 0..255, [H, W]; pixels beyond the palette show the image alone.
        palette: [red, green, blue] per class, 0..255.
        alpha: opacity of the colours, 0..1.

    Returns:
        uint8 [H, W, 3].
    """
    image, labels = np.asarray(image), np.asarray(labels)
    if image.shape != (*labels.shape, 3):
        raise ValueError(f"image of shape {image.shape} with labels of shape {labels.shape}")
    # 8-bit fixed point, some rows at a time: a large photo has no room for several copies.
    weight, table = round(alpha * 256), colour_table(palette).astype(np.uint16)
    result = np.array(image)
    for start in range(0, len(image), 256):
        rows = slice(start, start + 256)
        mixed = image[rows].astype(np.uint16) * (256 - weight)
        mixed += table[labels[rows]] * weight
        mixed += 128
        coloured = (labels[rows] < len(palette))[..., None]
        np.copyto(result[rows], (mixed >> 8).astype(np.uint8), where=coloured)
    return result


def panel(images, titles, height=None):
    """Images of any sizes side by side, each under its title.

    Args:
        images: uint8 RGB arrays [H, W, 3].
        titles: one line for each; shortened with an ellipsis where it is wider than its image.
        height: all images are resized to this height in pixels; default the tallest's.

    Returns:
        uint8 [H', W', 3] on white.
    """
    height = height or max(len(image) for image in images)
    pictures = []
    for image in images:
        picture = Image.fromarray(np.asarray(image, np.uint8))
        width = max(1, round(picture.width * height / picture.height))
        pictures.append(picture.resize((width, height), Image.Resampling.LANCZOS))
    size = min(max(height // 16, 12), 28)
    font, gap = ImageFont.load_default(size), size // 2
    band = 2 * size
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) + 1)
    canvas = Image.new("RGB", (width, height + band + gap), "white")
    draw = ImageDraw.Draw(canvas)
    left = gap
    for picture, title in zip(pictures, titles, strict=True):
        canvas.paste(picture, (left, band))
        draw.text((left, band // 2), _fit(title, font, picture.width), "black", font, anchor="lm")
        left += picture.width + gap
    return np.asarray(canvas)


def data_uri(image, kind="JPEG", **options):
    """An image as the text that a page takes for its address.

    Args:
        image: a PIL image, or uint8 [H, W] or [H, W, 3].
        kind: "JPEG" or "PNG".
        options: of PIL's `Image.save`.
    """
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
    image.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _fit(text, font, width):
    """`text`, or as much of its start as fits `width` pixels with an ellipsis."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
