"""Which views of an image the network sees, and how their scores become one: a score's protocol."""

import dataclasses

from tfseg.checks import are_numbers, are_whole, require_number
from tfseg.data.resizing import RESIZINGS, resized
from tfseg.errors import TfsegError, unknown
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

# average: what is computed of each view's logits, at the image's size, and how views are joined.
AVERAGES = {
    "probabilities": "mean of the probabilities",
    "log_probabilities": "sum of the log-probabilities",
    "maximum": "element-wise maximum of the logits",
}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The sizes at which the network looks at an image, mirrored too or not, whole or in tiles.

    Every view's class scores are brought to the image's own size and joined there, bilinearly.
    Whatever the views, label maps have the image's own size.

    Attributes:
        scales: factors of the image's height and width; the results are rounded down.
        short_sides: instead of `scales`, lengths of the short side in pixels, as in the ADE20K
            code.
        max_long_side: with `short_sides`, limit of the other side.
        size_divisor: heights and widths are rounded up to multiples of it, and the image
            resized to exactly that.
        image_resizing: one of `RESIZINGS`: "bilinear" or "bicubic", smoothed for reduction, or the
            original codes' own in levels, which need the images as they are stored.
        flip: whether the network also sees each size mirrored left and right.
        average: how views are joined: "probabilities", "log_probabilities" or "maximum" (of the
            logits).
        tile_size: height and width in pixels of the pieces that the network sees one at a time,
            so that their memory doesn't grow with the image; 0 for the whole image. Neighbours
            overlap by a quarter, in which one fades into the other.
        padded_scores: of models that upsample by their stride, resize the whole map to the image,
            smoothed for reduction, where its size isn't a multiple: as DRN's code does. Otherwise
            what lies beyond the image is cut off first.
        absent_classes: which classes the means of the scores leave out, unless it is said with
            them: see `tfseg.evaluation.scores`.

    Raises:
        TfsegError: a number that isn't positive, or a length that isn't whole, both `scales` and
            `short_sides`, or an unknown `average` or `image_resizing`.
    """

    scales: tuple = (1.0,)
    short_sides: tuple = ()
    max_long_side: int = 1000
    size_divisor: int = 1
    image_resizing: str = "bilinear"
    flip: bool = False
    average: str = "probabilities"
    tile_size: int = 0
    padded_scores: bool = False
    absent_classes: str = "skip"
    # What `size_divisor` was called in version 0.1.
    padding_constant: dataclasses.InitVar[int | None] = None

    def __post_init__(self, padding_constant):
        if padding_constant is not None:
            object.__setattr__(self, "size_divisor", padding_constant)
        for name, whole in (("scales", False), ("short_sides", True)):
            values = getattr(self, name)
            right = (are_whole if whole else are_numbers)(values) and all(x > 0 for x in values)
            if not right or not (values or whole):
                kind = "positive whole numbers" if whole else "positive numbers"
                raise TfsegError(f"`{name}` must be {kind}, not {values!r:.80}")
            object.__setattr__(self, name, tuple(values))
        if self.short_sides and self.scales != (1.0,):
            raise TfsegError("a protocol takes `scales` or `short_sides`, not both")
        for name in ("max_long_side", "size_divisor"):
            require_number(name, getattr(self, name), 1, whole=True)
        if self.average not in AVERAGES:
            raise unknown("average", self.average, AVERAGES)
        if self.image_resizing not in RESIZINGS:
            raise unknown("image_resizing", self.image_resizing, RESIZINGS)
        require_number("tile_size", self.tile_size, 0, whole=True)

    @property
    def views(self):
        """[(index of the size, whether mirrored)], in the order in which they are joined."""
        count = len(self.short_sides or self.scales)
        return [(i, mirrored) for i in range(count) for mirrored in (False, True)[: 1 + self.flip]]

    def keeps_size(self, index):
        """Whether size number `index` is the image's own, whatever that is."""
        return not self.short_sides and self.scales[index] == 1 and self.size_divisor == 1

    def sizes(self, size):
        """What the network looks at: a list of int32 [2], for images of `size`, int32 [2]."""
        if self.short_sides:
            sizes = [resized(size, side, self.max_long_side) for side in self.short_sides]
        else:
            floats = tf.cast(size, tf.float64)
            sizes = [tf.maximum(tf.cast(floats * scale, tf.int32), 1) for scale in self.scales]
        step = self.size_divisor
        # Not as -(-one // step): exported graphs may round negative quotients to zero.
        return [(one + step - 1) // step * step for one in sizes]

    def sizes_of(self, size):
        """What `sizes` gives, as a list of pairs of ints, for images of (H, W), ints."""
        step = self.size_divisor
        if self.short_sides:
            ratios = []
            for side in self.short_sides:
                fits = side * max(size) <= self.max_long_side * min(size)
                ratios.append((side, min(size)) if fits else (self.max_long_side, max(size)))
            sizes = [[max(n * over // under, 1) for n in size] for over, under in ratios]
        else:
            sizes = [[max(int(n * scale), 1) for n in size] for scale in self.scales]
        return [tuple(-(-n // step) * step for n in one) for one in sizes]

    @property
    def in_levels(self):
        """Whether images are resized as they are stored, in whole levels."""
        return RESIZINGS[self.image_resizing].of_levels is not None

    def require_model(self, model):
        """Checks that a `Segmenter` can be run so.

        Raises:
            TfsegError: a maximum over scales for a model that takes one itself.
        """
        if model.spec.options.get("multi_scale") and self.average == "maximum":
            raise TfsegError(
                "this model takes the maximum over scales itself (option multi_scale): evaluate "
                "it at a single scale"
            )

    def require_logits(self):
        """Checks that the scores are those of the network's own logits.

        Raises:
            TfsegError: there are several views or tiles.
        """
        if self.tile_size or len(self.views) > 1 or not self.keeps_size(self.views[0][0]):
            raise TfsegError(
                "logits can be kept of single-scale evaluation alone, without mirroring and tiles"
            )

    @property
    def name(self):
        """The name in `PROTOCOLS`, or "custom"; tiles don't count."""
        whole = dataclasses.replace(self, tile_size=0)
        return next((name for name, one in PROTOCOLS.items() if one == whole), "custom")

    def to_dict(self):
        """Plain values for metrics.json."""
        values = {"name": self.name, "resolution": "native", "flip": self.flip}
        if self.short_sides:
            values.update(short_sides=list(self.short_sides), max_long_side=self.max_long_side)
        else:
            values["scales"] = list(self.scales)
        resizes = not all(self.keeps_size(index) for index, _ in self.views)
        if resizes:
            values["size_divisor"] = self.size_divisor
            values["image_resizing"] = RESIZINGS[self.image_resizing].help
        if self.padded_scores:
            values["padded_scores"] = True
        if resizes or len(self.views) > 1:
            values["average"] = AVERAGES[self.average]
        if self.tile_size:
            values["tile_size"] = self.tile_size
        return values


_SIX = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
_DRN = Protocol(scales=_SIX, image_resizing="bicubic", average="log_probabilities")
_ADE20K = Protocol(short_sides=(300, 375, 450, 525, 600), size_divisor=8, absent_classes="zero")

# As the papers and their code evaluate; *_original to the last pixel, which the others leave where
# there is a better way (docs/differences.md). Mean colours and the CRF are other flags.
PROTOCOLS = {
    "single_scale": Protocol(),
    # Yu et al. 2017, the multi-scale testing of the published code
    "drn": _DRN,
    "drn_original": dataclasses.replace(_DRN, image_resizing="pillow_bicubic", padded_scores=True),
    # Zhou et al. 2019, section 5, and its code
    "ade20k": _ADE20K,
    "ade20k_original": dataclasses.replace(_ADE20K, image_resizing="opencv_bilinear"),
    # Chen et al. 2018, section 4.1.2; for networks without `multi_scale`, which do so themselves
    "deeplab_v2": Protocol(scales=(0.5, 0.75, 1.0), average="maximum"),
    # its PyTorch code, for networks with `multi_scale`; classes that no label has don't count
    "deeplab_v2_original": Protocol(absent_classes="truth"),
    # Chen et al. 2017, "Rethinking Atrous Convolution", section 4.1
    "deeplab_v3": Protocol(scales=_SIX, flip=True),
}
