"""Sizes that images are brought to, and how images and label maps are brought to them."""

from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

# Ways to resize an image: TensorFlow's name of the kernel, and its reach in pixels.
RESIZINGS = {"bilinear": ("triangle", 1), "bicubic": ("keyscubic", 2)}


def resized(sizes, short_side, max_long_side):
    """Sizes with this short side, or less where the long side would be too long.

    In whole numbers, rounded down, at least 1: floor(s * min(short / min(s), long / max(s))).

    Args:
        sizes: integer tensor [..., 2].
        short_side, max_long_side: integers.

    Returns:
        Integers [..., 2].
    """
    smallest = tf.reduce_min(sizes, axis=-1, keepdims=True)
    largest = tf.reduce_max(sizes, axis=-1, keepdims=True)
    short_side = tf.cast(short_side, sizes.dtype)
    max_long_side = tf.cast(max_long_side, sizes.dtype)
    fits = short_side * largest <= max_long_side * smallest
    wanted = tf.where(fits, short_side, max_long_side)
    return tf.maximum(sizes * wanted // tf.where(fits, smallest, largest), 1)


def resize_image(image, size, method="bilinear"):
    """Smoothed for reduction: float32 [h, w, C] or [N, h, w, C].

    Args:
        image: numbers [H, W, C] or [N, H, W, C].
        size: (h, w).
        method: one of `RESIZINGS`.
    """
    return tf.image.resize(image, size, method, antialias=True)


def resize_labels(labels, size, legacy=False):
    """Labels at another resolution: each output cell takes the label at its centre.

    The source row of row i is floor((i + 0.5) * H / h), computed in integers; it is Pillow's
    nearest-neighbour rule, in which DeepLab's and the ADE20K code resize labels.

    Args:
        labels: integers [N, H, W].
        size: (h, w), ints or scalar tensors.
        legacy: take the label at the first corner instead, floor(i * H / h), as TensorFlow 1 does.

    Returns:
        Integers [N, h, w].
    """
    for axis, target in enumerate(size, start=1):
        source = labels.shape[axis] or tf.shape(labels)[axis]
        rows = (2 * tf.range(target) + (0 if legacy else 1)) * source // (2 * target)
        labels = tf.gather(labels, rows, axis=axis)
    return labels


def scaled_window(image, size, first, last):
    """A window of an image that is resized as Pillow does it: reduced by Lanczos' kernel of three
    lobes, stretched with the reduction, and enlarged by Keys' cubic; along the rows, then along the
    columns, each in whole levels.

    Args:
        image: uint8 [H, W, C].
        size: int32 [h, w] of the whole resized image; both axes go by what the height does.
        first, last: int32 [2], where the window starts and stops in it.

    Returns:
        float32 [last[0] - first[0], last[1] - first[1], C].
    """
    source = tf.shape(image)[:2]

    def resample(kernel):
        pixels = image
        for axis in (1, 0):
            chosen = tf.constant([axis == 0, axis == 1])
            pixels = tf.raw_ops.ScaleAndTranslate(
                images=pixels[None],
                size=tf.where(chosen, last - first, tf.shape(pixels)[:2]),
                scale=tf.cast(tf.where(chosen, size / source, 1), tf.float32),
                translation=tf.cast(tf.where(chosen, -first, 0), tf.float32),
                kernel_type=kernel,
                antialias=True,
            )[0]
            pixels = tf.clip_by_value(tf.round(pixels), 0, 255)
        return pixels

    reduces = size[0] < source[0]
    return tf.cond(reduces, lambda: resample("lanczos3"), lambda: resample("keyscubic"))
