"""The state of a run: model, optimizer and the rest of what its checkpoints hold."""

import contextlib
import os

from absl import logging

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.models import PREPROCESSINGS, ModelSpec
from tfseg.models.variables import variable_names
from tfseg.training.checkpoints import Checkpoints, find_checkpoint
from tfseg.training.continuing import (
    check_resume,
    continued_record,
    fixed_settings,
    prepare_run_dir,
)
from tfseg.training.groups import assign_groups, find_table, paths_in, with_encoder_rate
from tfseg.training.loss_scale import LossScale
from tfseg.training.optimizers import create_optimizer
from tfseg.training.plan import build_model, with_preprocessing
from tfseg.training.remat import Recomputed
from tfseg.training.segmentation import Segmentation
from tfseg.training.step import TrainStep
from tfseg.training.strategy import is_chief
from tfseg.training.weight_average import WeightAverage
from tfseg.weights import check_weights, load_weights, save_weights


class Session:
    """Everything that training changes, new or as the run directory's last checkpoint has it.

    Args:
        config: `TrainConfig`.
        plan: `Plan`.
        strategy: a `tf.distribute.Strategy`.
        task: what is trained; None for `Segmentation`.

    Attributes:
        model: the `Segmenter`.
        recomputed: the model with `remat`, or None.
        loss: the task's.
        groups: the rows of the table of parameter groups.
        average: `WeightAverage` or None.
        loss_scale: `LossScale` or None.
        values: `RunState.values`.
        total_steps: updates in the whole run; None before a run's minutes were laid out.
        finished: whether there is nothing left to do.

    Raises:
        TfsegError: the model can't be built, the run can't be continued with these settings, its
            checkpoints are damaged. The run directory is as it was, until `begin`.
    """

    def __init__(self, config, plan, strategy, task=None):
        self.task = task = task or Segmentation()
        self.config, self.plan, self.strategy = config, plan, strategy
        self.chief = is_chief(strategy)
        settings = fixed_settings(config, plan, strategy.num_replicas_in_sync)
        found = find_checkpoint(config.run_dir)
        saved = found.values if found else None
        if saved:
            check_resume(config.run_dir, saved, settings)
        with strategy.scope():
            self.model = build_model(config, plan)
            every = {name: v.value for name, v in variable_names(self.model).items()}
            self.recomputed = Recomputed(self.model) if config.remat else None
            self.groups = _groups(config)
            self.optimizer = self._create_optimizer()
            self.average = WeightAverage(every, config.ema_decay) if config.ema_decay else None
            self.loss_scale = LossScale() if config.precision == "float16" else None
        objects = {"model": every, **self.optimizer.state()}
        if self.average:
            objects["average"] = self.average.averages
        if self.loss_scale:
            objects["loss_scale"] = self.loss_scale
        values = saved.get("preprocessing") if saved else self._initialise()
        self.plan = plan = with_preprocessing(plan, values)
        with strategy.scope():
            self.loss = task.loss(self.model, config, plan)
        worker = None if self.chief else strategy.cluster_resolver.task_id
        self.checkpoints = Checkpoints(config.run_dir, objects, config.keep_checkpoints, worker)
        # Nothing is written before the run is known to go on.
        if saved:
            self.checkpoints.restore(found)
        self.values = {
            "stale": 0,
            **(saved or {"step": 0, "best": None, "losses": [], "row": None, "logged": 0}),
            "settings": settings,
            "preprocessing": plan.spec.preprocessing.to_dict(),
            "record": continued_record(config, saved),
            "length": (saved and config.minutes and saved.get("length")) or None,
        }
        self.total_steps = plan.total_steps or self._laid()
        reached = self.total_steps is not None and self.values["step"] >= self.total_steps
        self.finished = (reached or self.out_of_patience) and not self.values["row"]
        if self.chief:
            for line in found.damaged if found else ():
                logging.warning("%s: not continued from it", line)
        self._check_results()

    def begin(self):
        """Writes what a run directory has before the first update.

        Raises:
            TfsegError: it can't be written.
        """
        if self.chief:
            prepare_run_dir(self.config, self.plan, self.values)
            self.checkpoints.clean()

    @property
    def out_of_patience(self):
        """Whether the last validations were no better; all workers see the same scores."""
        return 0 < self.config.patience <= self.values["stale"]

    def _laid(self):
        """The length that the run's minutes have come to; None where these are new."""
        length = self.values["length"] or {}
        return length["laid"][-1][1] if length.get("minutes") == self.config.minutes else None

    def lay(self, step, total, spent):
        """Notes how many updates the run's minutes come to, as known after `step` of them.

        Args:
            step: updates done.
            total: updates in the whole run.
            spent: seconds of the run so far.

        Raises:
            TfsegError: config.flags can't be written.
        """
        length, minutes = self.values["length"] or {}, self.config.minutes
        laid = length["laid"] if length.get("minutes") == minutes else []
        self.total_steps, laid = total, [*laid, [step, total]]
        self.values["length"] = {"minutes": minutes, "laid": laid, "spent": spent}
        if self.chief:
            prepare_run_dir(self.config, self.plan, self.values)

    def _check_results(self):
        """Looks whether the files that the checkpoint speaks of are still whole.

        Raises:
            TfsegError: one isn't, and nothing will be trained that replaces it.
        """
        folder = self.config.run_dir
        try:
            if self.finished or self.values["best"]:
                check_weights(os.path.join(folder, runs.BEST_WEIGHTS))
            if self.finished:
                ModelSpec.load(os.path.join(folder, runs.MODEL_CARD), self.plan.spec.kind)
        except TfsegError as error:
            if self.finished:
                raise TfsegError(
                    f"{folder} is finished, but {error}; a longer training writes it again, and "
                    f"{runs.checkpoint_path(folder, self.values['step'])} has the last weights"
                ) from error
            if self.chief:
                logging.warning("%s: the next validation's weights are kept instead", error)
            self.values["best"] = None

    def _create_optimizer(self):
        trained = {name: v for name, v in variable_names(self.model).items() if v.trainable}
        groups = assign_groups(paths_in(self.model, trained), self.groups)
        variables = {name: variable.value for name, variable in trained.items()}
        return create_optimizer(self.config, variables, groups)

    def _initialise(self):
        """Loads the initial weights; returns a new run's preprocessing, None for the data's."""
        chosen = PREPROCESSINGS.get(self.config.preprocessing)
        if self.config.init_weights:
            report = load_weights(
                self.model, self.config.init_weights, new_head=self.config.new_head
            )
            logging.info("%s", report)
            if self.config.preprocessing == "auto":
                chosen = report.preprocessing
        if self.average:
            self.average.reset()
        return chosen and chosen.to_dict()

    def train_step(self, element_spec):
        """The compiled `TrainStep` for batches of a distributed dataset."""
        config = self.config
        return TrainStep(
            self.model,
            self.loss,
            self.optimizer,
            self.strategy,
            element_spec,
            accumulation_steps=config.accumulation_steps,
            average=config.loss_average,
            clip_norm=config.clip_norm,
            weight_average=self.average,
            loss_scale=self.loss_scale,
            xla=config.xla,
            forward=self.recomputed,
            deterministic=config.deterministic,
        )

    def evaluated_weights(self):
        """A context in which the model has the weights that are validated and exported."""
        return self.average.in_place() if self.average else contextlib.nullcontext()

    def save_best(self):
        """Writes the model's present weights as best.weights.h5.

        Raises:
            TfsegError: they can't be written; an earlier file is still whole.
        """
        if self.chief:
            path = os.path.join(self.config.run_dir, runs.BEST_WEIGHTS)
            save_weights(self.model, path, self.plan.spec.preprocessing)

    def save(self):
        """Saves a checkpoint.

        Raises:
            TfsegError: it can't be written; earlier ones are still whole.
        """
        self.checkpoints.save(self.values)


def _groups(config):
    """The rows of the table of parameter groups, the encoder's at its own rate."""
    groups = find_table(config.param_groups)
    if not config.encoder_learning_rate:
        return groups
    return with_encoder_rate(groups, config.encoder_learning_rate / config.learning_rate)
