"""The tables of metrics and of what they are made from, image by image.

A metric is a function of sums over images: so a data set's value, and that of every resampling of
its images, come from the same few numbers of each image (a `Measure`).
"""

import dataclasses

from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the numbers of an image depend on beside its label maps.

    Attributes:
        num_classes: C.
        boundary_ratio: width of the band of the boundary IoU, as a share of the image's diagonal.
        contour_ratio: how far apart boundaries may lie for the boundary F-score, likewise.
        trimap_widths: half widths of the bands around the true boundaries, in pixels.
        bins: of the reliability diagram.
        categories: the category of each class, as an index, or None.
    """

    num_classes: int
    boundary_ratio: float = 0.02
    contour_ratio: float = 0.0075
    trimap_widths: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    bins: int = 15
    categories: tuple[int, ...] | None = None

    @property
    def num_categories(self) -> int:
        """How many categories there are."""
        return max(self.categories or (-1,)) + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure(Row):
    """Numbers of one image that are added up over images.

    Its code is a function of a `Maps` and the `Settings`, to an array of the shape that `axes`
    says: numbers, or names of `Settings`' properties, with "columns" for num_classes + 1.

    Attributes:
        axes: the array's shape.
        needs: "labels", "probabilities" or "categories": what has to be there.
        quick: whether pixels are only counted, without a look at their neighbours.
    """

    axes: tuple[int | str, ...]
    needs: str = "labels"
    quick: bool = False

    def shape(self, settings: Settings) -> tuple[int, ...]:
        """The shape of its array."""
        values = {
            "columns": settings.num_classes + 1,
            "widths": len(settings.trimap_widths),
            **{name: getattr(settings, name) for name in ("num_classes", "num_categories", "bins")},
        }
        return tuple(axis if isinstance(axis, int) else values[axis] for axis in self.axes)


MEASURES = Table(
    "measure",
    [
        Measure(
            name=name,
            code=f"tfseg.evaluation.measures:{name}",
            help=summary,
            axes=axes,
            needs=needs,
            quick=name in ("confusion", "counts", "image", "categories"),
        )
        for name, axes, needs, summary in (
            (
                "confusion",
                ("num_classes", "columns"),
                "labels",
                "pixels of each true class by predicted class, and by none",
            ),
            (
                "counts",
                (3, "num_classes"),
                "labels",
                "pixels of each class: right, true, predicted",
            ),
            (
                "image",
                (2,),
                "labels",
                "the image's own mean IoU, and whether it has one",
            ),
            (
                "boundary",
                (3, "num_classes"),
                "labels",
                "pixels of the inner bands of each class: in both, true, predicted",
            ),
            (
                "contours",
                (2, "num_classes"),
                "labels",
                "each class's boundary F-score, and whether the image has the class",
            ),
            (
                "trimap",
                ("widths", 3, "num_classes"),
                "labels",
                "pixels of each class near true boundaries: right, true, predicted",
            ),
            (
                "categories",
                (3, "num_categories"),
                "categories",
                "pixels of each category: right, true, predicted",
            ),
            (
                "calibration",
                (3, "bins"),
                "probabilities",
                "of the pixels of each bin of confidence: number, confidence, right ones",
            ),
        )
    ],
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric(Row):
    """A number that people compare.

    Its code is a function of the sums of its measure, [..., *its shape], and `absent_classes`, to
    floats, nan where nothing can be said.

    Attributes:
        title: what people call it.
        measure: the name of its measure.
        formula: how it is computed.
        paper: who defined it.
        of: "" for one number, else "class", "category", "width" or "bin": a number for each.
        better: "higher" or "lower".
    """

    title: str
    measure: str
    formula: str
    paper: str
    of: str = ""
    better: str = "higher"


_LONG = "Long et al., 2015, section 5"
_WIDE = "IoU_c = n_cc / (t_c + p_c - n_cc)"
_MEAN = "mean over the classes in truth or prediction of "


def _row(name, title, measure, formula, paper, **rest):
    code = f"tfseg.evaluation.metric_functions:{name}"
    return Metric(
        name=name,
        code=code,
        help=f"{title}: {formula} ({paper})",
        title=title,
        measure=measure,
        formula=formula,
        paper=paper,
        **rest,
    )


# n_cd: pixels of class c predicted as d; t_c = sum_d n_cd; p_c = sum_d n_dc; all sums over images.
METRICS = Table(
    "metric",
    [
        _row("mean_iou", "mean IoU", "counts", _MEAN + _WIDE, _LONG),
        _row("pixel_accuracy", "pixel accuracy", "counts", "sum_c n_cc / sum_c t_c", _LONG),
        _row(
            "mean_accuracy",
            "mean accuracy",
            "counts",
            "mean over the classes in the truth of n_cc / t_c",
            _LONG,
        ),
        _row(
            "frequency_weighted_iou",
            "frequency-weighted IoU",
            "counts",
            "sum_c t_c IoU_c / sum_c t_c",
            _LONG,
        ),
        _row(
            "overall_score",
            "overall score",
            "counts",
            "(mean IoU + pixel accuracy) / 2",
            "Zhou et al., 2017, section 4",
        ),
        _row(
            "micro_iou",
            "micro IoU",
            "counts",
            "sum_c n_cc / sum_c (t_c + p_c - n_cc)",
            "Jaccard, 1912, over pixels of all classes",
        ),
        _row(
            "mean_f1",
            "mean F1",
            "counts",
            _MEAN + "2 n_cc / (t_c + p_c)",
            "Dice, 1945",
        ),
        _row(
            "mean_iou_per_image",
            "mean IoU per image",
            "image",
            "mean over images of the mean IoU of each alone",
            "Csurka et al., 2013, section 3",
        ),
        _row(
            "mean_boundary_iou",
            "mean boundary IoU",
            "boundary",
            _MEAN + "boundary IoU_c",
            "Cheng et al., 2021, section 4",
        ),
        _row(
            "mean_boundary_f",
            "mean boundary F",
            "contours",
            "mean over classes of boundary F_c",
            "Csurka et al., 2013, section 3",
        ),
        _row(
            "mean_category_iou",
            "mean category IoU",
            "categories",
            "mean IoU where classes of a category are one",
            "Cordts et al., 2016, section 4.1",
        ),
        _row(
            "expected_calibration_error",
            "expected calibration error",
            "calibration",
            "sum_b share_b |accuracy_b - mean confidence_b| over bins of equal width",
            "Guo et al., 2017, section 2",
            better="lower",
        ),
        _row("iou", "IoU", "counts", _WIDE, _LONG, of="class"),
        _row("accuracy", "accuracy", "counts", "n_cc / t_c: the recall", _LONG, of="class"),
        _row("precision", "precision", "counts", "n_cc / p_c", "van Rijsbergen, 1979", of="class"),
        _row("f1", "F1", "counts", "2 n_cc / (t_c + p_c)", "Dice, 1945", of="class"),
        _row(
            "boundary_iou",
            "boundary IoU",
            "boundary",
            "|G_d and P_d| / |G_d or P_d|, where G_d and P_d are the pixels of the true and the "
            "predicted mask that an erosion by d pixels takes away",
            "Cheng et al., 2021, section 4",
            of="class",
        ),
        _row(
            "boundary_f",
            "boundary F",
            "contours",
            "mean over the images with the class of 2 P R / (P + R): the shares P of its "
            "predicted boundary within a distance of the true one, and R the other way round",
            "Csurka et al., 2013, section 3",
            of="class",
        ),
        _row(
            "category_iou",
            "category IoU",
            "categories",
            "IoU where a category is one class",
            "Cordts et al., 2016, section 4.1",
            of="category",
        ),
        _row(
            "trimap_iou",
            "trimap mean IoU",
            "trimap",
            "mean IoU of the pixels within some pixels of a true boundary",
            "Kohli et al., 2009, section 6",
            of="width",
        ),
        _row(
            "reliability",
            "reliability",
            "calibration",
            "accuracy of the pixels of each bin of confidence",
            "Niculescu-Mizil and Caruana, 2005",
            of="bin",
        ),
    ],
)


def explain() -> str:
    """All metrics with formula and paper, a line each, for help and reports."""
    width = max(map(len, METRICS))
    return "\n".join(
        f"{name:<{width}}  {row.formula} ({row.paper})" for name, row in METRICS.items()
    )
