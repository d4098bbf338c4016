"""A trained model, as people name it."""

import dataclasses
import glob
import os
from typing import Any

from tfseg import runs, zoo
from tfseg.data import DataInfo
from tfseg.errors import TfsegError
from tfseg.inference.predictor import Predictor, load, nothing_called
from tfseg.models import PREPROCESSINGS, ModelSpec, Preprocessing, fold, precision
from tfseg.models.spec import with_channels
from tfseg.weights import find_spec, load_weights


def load_predictor(model, protocol=None, crf=None, folded: bool = True) -> Predictor:
    """A `Predictor` as it is; of a `TrainedModel`, or of what `tfseg.load` takes, a new one.

    Args:
        model: one of these.
        protocol, crf, folded: as for `TrainedModel.load`.

    Raises:
        TfsegError: as `TrainedModel.load`; or a protocol or CRF beside a `Predictor`, which has its
            own.
    """
    if isinstance(model, Predictor):
        for name, value in (("protocol", protocol), ("crf", crf)):
            if value is not None and value is not getattr(model, name):
                raise TfsegError(f"a Predictor has its own protocol and CRF: leave out `{name}`")
        return model
    if not isinstance(model, TrainedModel):
        model = TrainedModel(os.fspath(model))
    return model.load(protocol, crf, folded)


def run_of(model) -> str | None:
    """The run directory that a model or its name comes from, or None."""
    source = model.source if isinstance(model, TrainedModel) else model
    if isinstance(source, Predictor):
        return None
    source = os.path.expanduser(os.fspath(source))
    return source if os.path.isdir(source) else runs.run_of_checkpoint(source)


def data_dir_of(model) -> str:
    """The data folder that a run was trained on, from its record.

    Raises:
        TfsegError: the model is no run's, or that folder isn't here.
    """
    run_dir = run_of(model)
    source = getattr(model, "source", model)
    if run_dir is None and isinstance(source, str) and _is_nothing(source):
        raise nothing_called(source)
    if run_dir is None:
        raise TfsegError("`data_dir` is missing")
    return runs.data_dir_of(run_dir)


def _is_nothing(source):
    """Whether no file, checkpoint (whose files have endings) or release is called so."""
    if zoo.is_hub(source):
        return False
    path = os.path.expanduser(source)
    files = os.path.exists(path) or glob.glob(f"{glob.escape(path)}.*")
    return not files and "," not in source and source not in zoo.RELEASES


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """Where a trained model is, and what has to be said of it.

    Attributes:
        source: a run directory, a release of the zoo, or any weights that `load_weights` takes.
        model: the name of the model, for weights that don't say it themselves. They are then taken
            to mean the classes that info.json in `data_dir` states, and to expect its normalisation
            unless they say otherwise; without `data_dir`, ImageNet's.
        num_classes: with `model`: how many classes; 0 for as many as info.json names.
        model_options: with `model`: its options.
        data_dir: with `model`: a data folder, or None.
        preprocessing: with `model`: "auto" as said above, "data" for info.json's normalisation
            whatever the weights say, or a name in `PREPROCESSINGS`.
        precision: arithmetic of the network.
    """

    source: str
    model: str | None = None
    num_classes: int = 0
    model_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    data_dir: str | None = None
    preprocessing: str = "auto"
    precision: str = "float32"

    def load(self, protocol=None, crf=None, folded: bool = True) -> Predictor:
        """The `Predictor`.

        Args:
            protocol: a `tfseg.inference.Protocol`; default the one that a folder of
                `save_pretrained` states, or the images as they are.
            crf: a `tfseg.inference.crf.CRF`, or None.
            folded: merges batch norms into convolutions, which is faster.

        Raises:
            TfsegError: the model can't be loaded, or something is missing.
        """
        predictor = self._described() if self.model else self._known()
        model = fold(predictor.model) if folded else predictor.model
        return Predictor(predictor.spec, model, protocol or predictor.protocol, crf)

    def _known(self):
        path = os.path.expanduser(self.source)
        known = os.path.isdir(path) or self.source in zoo.RELEASES or find_spec(self.source)
        # A checkpoint, or one file of several, is no path; only a lone name can be a release.
        if not known and (os.path.exists(path) or "," in self.source):
            raise TfsegError(f"`model` is missing: {self.source} doesn't say which it belongs to")
        return load(self.source, precision=self.precision)

    def _described(self):
        info = DataInfo.load(self.data_dir) if self.data_dir else None
        num_classes = self.num_classes or len((info and info.classes) or [])
        if not num_classes:
            raise TfsegError("`num_classes` is missing, and no info.json names the classes")
        facts = {}
        if info:
            facts["preprocessing"] = Preprocessing.of(info)
            # Names of another set of classes would be wrong rather than merely absent.
            if info.classes and len(info.classes) == num_classes:
                facts.update(classes=info.classes, palette=info.palette)
                facts.update(label_map=info.label_map, ignore_label=info.ignore_label)
        options = with_channels(self.model_options, info.bands) if info else self.model_options
        spec = ModelSpec(self.model, num_classes, options, **facts)
        with precision(self.precision):
            model = spec.build_to_load()
        chosen = load_weights(model, self.source).preprocessing
        if self.preprocessing != "auto":
            chosen = PREPROCESSINGS.get(self.preprocessing)
        chosen = chosen and (chosen.on(info.bands) if info else chosen)
        if chosen:
            spec = dataclasses.replace(spec, preprocessing=chosen)
        return Predictor(spec, model)
