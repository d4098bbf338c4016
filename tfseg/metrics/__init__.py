"""Metrics of segmentation: their table, of arrays, and for Keras.

    records = tfseg.metrics.measure([(truth, labels), …], num_classes=11)
    records.values(["mean_iou", "mean_boundary_iou"])
    tfseg.metrics.summarize(records)["scores"]["mean_iou"]        # with its 95% interval
    model.compile(metrics={"logits": tfseg.metrics.MeanIoU(11)})
    print(tfseg.metrics.explain())                                # formulas and papers

Of folders, `tfseg.evaluate(predictions=…)` and `tfseg.workflows.compare` do all of it.
"""

import typing

from tfseg.evaluation.comparison import Contestant, compare, summarize
from tfseg.evaluation.confusion import scores
from tfseg.evaluation.intervals import Resampling
from tfseg.evaluation.metrics import METRICS, Settings, explain
from tfseg.evaluation.records import Records
from tfseg.lazy import lazy_names

if typing.TYPE_CHECKING:
    from tfseg.metrics.arrays import measure
    from tfseg.metrics.streaming import MeanIoU

__all__ = [
    "METRICS",
    "Contestant",
    "MeanIoU",
    "Records",
    "Resampling",
    "Settings",
    "compare",
    "explain",
    "measure",
    "scores",
    "summarize",
]

__getattr__, __dir__, _ = lazy_names(__name__, {"arrays": ["measure"], "streaming": ["MeanIoU"]})
