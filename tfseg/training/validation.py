"""Validation during training: scores of all validation images, and pictures of a few."""

import functools

from tfseg import legends, visualize
from tfseg.data import pipeline_errors
from tfseg.evaluation import Evaluator, scores

PANELS = 3


class Interrupted(Exception):
    """A signal came during a validation."""


class Validations:
    """The validations of a run, and its best weights.

    Args:
        session: `Session`.
        console: `Console`.
        signals: `StopSignals`.
    """

    def __init__(self, session, console, signals):
        self.session, self.console, self.signals = session, console, signals
        self.validator = None
        if session.plan.val:
            self.validator = session.task.validator(
                session.model, session.config, session.plan, session.strategy
            )

    def __call__(self, step, told):
        """The scores of a validation; the weights are kept if they are the best so far.

        Args:
            step: updates done.
            told: `Callbacks`.

        Returns:
            {name: number or None}; {} of a run without validation.

        Raises:
            Interrupted: a signal came, and nothing was changed.
        """
        session, values = self.session, self.session.values
        with session.evaluated_weights():
            if not self.validator:
                session.save_best()
                return {}
            with self.console.validating() as show:
                scores = self.validator.scores(functools.partial(self._progress, show))
            best, name = values["best"], session.task.score
            values["stale"] += 1
            if best is None or (scores[name] or 0.0) > (best[name] or 0.0):
                values["stale"] = 0
                session.save_best()
                values["best"] = best = {"step": step, **scores}
            if session.chief:
                told.validation(step, scores, best, tuple(self.validator.panels()))
        return scores

    def _progress(self, show, done, total):
        show(done, total)
        if self.signals.heed():
            raise Interrupted


class Validator:
    """Evaluates the model of a run.

    Args:
        model: a `Segmenter` made in the scope of `strategy`.
        plan: `Plan`, whose val is not None.
        strategy: a `tf.distribute.Strategy`.
    """

    def __init__(self, model, plan, strategy):
        self.plan = plan
        spec = plan.spec
        self._evaluator = Evaluator(
            model,
            spec.preprocessing,
            strategy=strategy,
            ignore_label=spec.ignore_label,
            label_map=spec.label_map,
        )
        self._shown = {}

    def scores(self, progress=None):
        """{"val_mean_iou", "val_pixel_accuracy", "val_iou/<class>"}: 0..1 or None.

        Args:
            progress: called as progress(done, total) with numbers of images.
        """
        self._shown = {}
        with pipeline_errors(self.plan.val):
            found = self._evaluator(self.plan.val, progress, self._keep, self._is_nearer)
            values = scores(found)
        return {
            "val_mean_iou": values["mean_iou"],
            "val_pixel_accuracy": values["pixel_accuracy"],
            **{f"val_iou/{n}": x for n, x in zip(self.plan.classes, values["iou"], strict=True)},
        }

    def _is_nearer(self, index):
        return bool(self._places_nearer(index))

    def _places_nearer(self, index):
        """The places to which no image is nearer yet. They lie evenly over the list, for
        neighbours in it are often frames of one video; a worker sees its own images alone."""
        return [
            place
            for place in self.plan.val.places(PANELS)
            if place not in self._shown
            or abs(index - place) < abs(self._shown[place].index - place)
        ]

    def _keep(self, predicted):
        self._shown.update(dict.fromkeys(self._places_nearer(predicted.index), predicted))

    def panels(self):
        """Yields image, label map and prediction side by side, uint8 [H, W, 3], a few times.

        Of the last call of `scores`. Under them is a legend of the classes that occur.
        """
        spec = self.plan.spec
        palette = spec.palette or visualize.default_palette(spec.num_classes)
        for predicted in {one.index: one for one in self._shown.values()}.values():
            maps = [predicted.truth, predicted.labels]
            pictures = [predicted.image, *(visualize.colorize(one, palette) for one in maps)]
            panel = visualize.panel(pictures, ["image", "label", "prediction"])
            yield legends.below(panel, maps, self.plan.classes, palette)
