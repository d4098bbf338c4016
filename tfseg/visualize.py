"""Pictures of label maps: palettes, overlays, panels."""

import base64
import io
import itertools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Pixels without a class: PASCAL VOC's cream, which no class has.
VOID = (224, 224, 192)
# `default_palette` in hexadecimal digits.
_COLOURS = bytes.fromhex(
    """
    0080ff99ff4de61a00ff99b3801ab3b399ff4d00ffe68033b3cc4db3004d99ccffb34dcc665588ff4499ddffbb
    ffddff9988bb88330066ee99bb555500ccccccaa77aa88666633880088008855aa8888ee884466aa11cc5555ee
    eecccc55aa2255aadd668899ccdd0088bb99bbff88ffaaee3300ddbb11885577dddd3377ddaa0000aa99aaffdd
    cc00aa88007700ffff99667788aa55ff55ccddcc77990044cc44ffddaaccaa66bb888844aaee66aa4444444499
    bbaaee99442299cc88dd8877aa6633bbbb556699dddd88bb4455996655bbddeebb77669999227744998899ddbb
    33cc006644ddaaddff55eedd6666bbcc55ccbb77ffbb88aaffcc9977aa77ff775599bbbbee0066887766dd6655
    6666dd6611aa5500ccffaa77ffff77777788cc55aa11ffaa6633ffaa0033cc1155dd66bbccee88ee66dd994477
    3333ddcc6633ddbbaaff1188883366eeffeeffee6622669988ccddaa88cc5555cc99aa99bbeeeebb88ffdd88ee
    bbee22ff88aaaadd55aa66eeccffff66dd00886666cc6677882255dd9988aacccc77bbff0077889955558877aa
    aaaadd22bbaa88444444ddeeeeddaa77aaeedd11ddaa9933bb11bb998888ccddee66bb8888dd88dd555544dd66
    dd7700cc9966bb44bbff66555555aabb77aa88ffcccc66ee6688ccbb55005500ee99bbddffffcc11bb66bb2233
    9933555566aaffdd77993399ffeeeedd6699ffbbbbcc22ff559999ee99ffff99445566ee77aabbaaddccaabb33
    882277ff88ee884400ddbbff55ee00cc77776622cc7722ee88dddd6600bbdd333399eebb9999cc880088999966
    ccccaadd550088cc774444aa996699bbcc99ccffaa997744448833aa998866cc55aa5566ddff33ccdd88ffaacc
    dd99aaaaeecc77cc99eeeecc99ff996677ccbb00ee00ddbb993377cc55ff3399bb7766ccffbbee5577aaaabb88
    ee5511ccbb99990022aa00bbbbddaabb1111882266dd8800bb8844008877ccbbddcceeddcc55dd00ffddbb5577
    77229999bb66eebb668866bb44ee88996600558888dddd55992255778866ff66aa55bbdd8899aa8811aabbdd66
    886688
    """
)
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
    """Bright colours for any number of classes up to 256, none of them black or white.

    Of the first twelve, any two differ by 0.09 in OKLab (Ottosson, 2020), also to eyes without red
    or without green cones (simulated after Machado et al., 2009). Each of the others is as far from
    all before it as can be.

    Returns:
        A list of `num_classes` [red, green, blue], 0..255.
    """
    return [list(_COLOURS[3 * index : 3 * index + 3]) for index in range(num_classes)]


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
        draw.text((left, band // 2), fit(title, font, picture.width), "black", font, anchor="lm")
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
    return file_uri(file.getvalue(), kind)


def file_uri(content, kind="JPEG"):
    """The same of an image's file, as bytes."""
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}"


def fit(text, font, width):
    """`text`, or as much of its start as fits `width` pixels with an ellipsis."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
