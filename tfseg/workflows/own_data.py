"""From a folder of images and masks to a trained network: prepare, propose, train, look."""

import dataclasses
import html
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from absl import logging

from tfseg import runs, zoo
from tfseg.data.info import FILE_NAME, DataInfo
from tfseg.data.lists import is_list
from tfseg.data.prepare.earlier import SOURCES, earlier_sources
from tfseg.data.prepare.formats.class_files import IGNORED
from tfseg.data.prepare.formats.found import is_background, plain
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.training import Callback, TrainConfig, TrainResult, trainer
from tfseg.training.pace import Allowance
from tfseg.visualize import file_uri
from tfseg.workflows.evaluated import Evaluation
from tfseg.workflows.facts import data_facts, fitting_models, machine_facts
from tfseg.workflows.preparation import Prepared, prepare
from tfseg.workflows.proposal import Proposal, propose
from tfseg.workflows.scoring import score

# Pictures in a notebook.
_SHOWN = 6
# Seconds that the evaluation takes beside what the run's own validations do.
_CLOSING = 5.0


@dataclasses.dataclass(frozen=True)
class Trained(TrainResult):
    """What a run on a folder of one's own has come to; a notebook shows pictures of it.

    Attributes:
        run_dir, data_dir: the run, and the data folder that it was trained on.
        evaluation: `Evaluation` of the best weights; None where a signal ended the run.
        overlays: the folder of the evaluated images with their predictions laid over them.
    """

    run_dir: str = ""
    data_dir: str = ""
    evaluation: Evaluation | None = None
    overlays: str | None = None

    def _repr_html_(self) -> str:
        text = html.escape(str(self.evaluation or self))
        found = []
        for folder, _, names in sorted(os.walk(self.overlays or "")):
            found += [os.path.join(folder, name) for name in sorted(names)]
        pictures = []
        for path in found[:: max(1, -(-len(found) // _SHOWN))]:
            with open(path, "rb") as file:
                data = file_uri(file.read(), "PNG")
            pictures.append(f'<img src="{data}" style="max-width: 32%">')
        return f"<pre>{text}</pre>{' '.join(pictures)}"


def _log(fact: Any) -> None:
    """What Python is told of a stage."""
    if isinstance(fact, Prepared):
        for note in fact.notes:
            logging.info("%s", note)
    elif isinstance(fact, Proposal):
        for one in fact.settings:
            logging.info("%s=%s: %s", one.name, one.value, one.reason)
    elif isinstance(fact, str):
        logging.warning("%s", fact)
    else:
        logging.info("%r", fact)


def train_source(
    source: str,
    run_dir: str,
    data_dir: str | None = None,
    *,
    classes: Iterable[str] = (),
    started: float | None = None,
    progress_bar: bool = False,
    progress: Callable[[int, int], None] | None = None,
    fetch: Callable[[str], Any] = zoo.fetch,
    tell: Callable[[Any], None] = _log,
    callbacks: Iterable[Callback] = (),
    **given: Any,
) -> Trained:
    """Prepares a source, proposes settings, trains with them, and evaluates on the validation
    images. What an earlier call with the same source and run has done isn't done again.

    Args:
        source: what `tfseg.prepare` takes.
        run_dir: the run's folder.
        data_dir: the data folder that is made of the source; default data/ in `run_dir`.
        classes: the classes' names, as `tfseg.prepare` takes them; default what the source says.
        started: `time.monotonic()` at the call that `minutes` count from; default this one.
        progress_bar: as for `trainer.train`.
        progress: called as progress(done, total) with numbers of images that are prepared.
        fetch: called with the release of the zoo that is proposed, to get its files.
        tell: called with what each stage found: `Prepared`, `Proposal`, `Evaluation`, or a text.
        callbacks: as for `trainer.train`.
        **given: settings of `TrainConfig`, which win over what is proposed.

    Raises:
        TfsegError: whatever the user can put right.
    """
    started = time.monotonic() if started is None else started
    if not run_dir:
        raise TfsegError("`run_dir` is missing")
    own = not data_dir
    data_dir = data_dir or os.path.join(run_dir, "data")
    root = os.path.realpath(source)
    classes = tuple(classes)
    proposal = _earlier(run_dir, root)
    # A run that has begun goes on with the images and the settings that it began with.
    if proposal is None:
        prepared = _is_prepared(data_dir, root)
        if not prepared or not _are_named(data_dir, classes):
            if prepared and not own:  # Other runs may use it.
                raise _other_names(f"{data_dir} has the classes", data_dir, "data_dir")
            tell(_prepare(source, data_dir, classes, progress))
        proposal = _propose(data_dir, given, fetch, tell)
        tell(proposal)
        write_json(os.path.join(run_dir, runs.PROPOSAL), {"source": root, **proposal.to_dict()})
    elif not _are_named(data_dir, classes):
        raise _other_names(f"{run_dir} began with the classes", data_dir, "run_dir")
    proposal = proposal.without(given)
    config = TrainConfig(data_dir=data_dir, run_dir=run_dir, **{**proposal.values, **given})
    allowance = Allowance(started, lambda validation: 1.3 * validation + _CLOSING)
    done = trainer.train(config, progress_bar, allowance=allowance, callbacks=callbacks)
    facts = {**vars(done), "run_dir": run_dir, "data_dir": data_dir}
    if done.stopped_by:
        return Trained(**facts)
    split = config.val_split or config.train_split
    evaluation = score(run_dir, data_dir, split, visualize=["overlays"])
    tell(evaluation)
    overlays = os.path.join(runs.evaluation_dir(run_dir, split), "overlays")
    return Trained(**facts, evaluation=evaluation, overlays=overlays)


def _prepare(source, data_dir, classes, progress):
    try:
        return prepare(source=source, data_dir=data_dir, classes=classes, progress=progress)
    except TfsegError as error:
        if "`" not in str(error) or error.remedy:
            raise
        # It asks for an argument of the preparation, whose folder the next call takes.
        raise TfsegError(
            f"{error}; prepare it apart with that, and then train as now",
            ("prepare", {"source": source, "data_dir": data_dir}),
        ) from error


def _is_prepared(data_dir: str, root: str) -> bool:
    """Whether a data folder is whole, made of this source, and nothing there has changed since."""
    kept = os.path.join(data_dir, SOURCES)
    if not os.path.isfile(kept) or not os.path.isfile(os.path.join(data_dir, FILE_NAME)):
        return False
    # Written last. A source may be a file, which stands for its folder.
    folder = root if os.path.isdir(root) else os.path.dirname(root)
    if set(earlier_sources(data_dir).values()) != {folder}:
        return False
    since = os.stat(kept).st_mtime
    inside = os.path.realpath(data_dir)
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(path, name) != inside]
        if any(os.lstat(os.path.join(path, name)).st_mtime > since for name in files):
            return False
    return True


def _are_named(data_dir: str, classes: tuple[str, ...]) -> bool:
    """Whether a data folder's classes have these names, or these and a background before them."""
    kept, wanted = map(_labelled, (DataInfo.load(data_dir).classes or (), classes))
    return not wanted or wanted == kept or (is_background(kept[0]) and wanted == kept[1:])


def _other_names(what: str, data_dir: str, argument: str) -> TfsegError:
    names = ", ".join(DataInfo.load(data_dir).classes or ())
    return TfsegError(f"{what} {names}: leave out `classes`, or use another `{argument}`")


def _labelled(names: Iterable[str]) -> tuple[str, ...]:
    """Names as formats of objects keep them: without underscores, and without what is ignored."""
    return tuple(one for one in map(plain, names) if one.lower() not in IGNORED)


def _earlier(run_dir: str, root: str) -> Proposal | None:
    """What was chosen when the run began; None where it hasn't begun."""
    path = os.path.join(run_dir, runs.PROPOSAL)
    if not runs.checkpoint_steps(run_dir):
        return None
    if not os.path.isfile(path):
        raise TfsegError(f"{run_dir} has a run that began without a source: use another `run_dir`")
    try:
        values = read_json(path)
        source, proposal = values["source"], Proposal.from_dict(values)
    except (TypeError, KeyError) as error:
        raise TfsegError(f"{path} doesn't hold what was chosen for the run") from error
    if source != root:
        raise TfsegError(f"{run_dir} was trained on {source}: use another `run_dir`")
    return proposal


def _propose(data_dir, given, fetch, tell):
    """The `Proposal` for a folder, with weights to start from where they can be had."""
    if not DataInfo.load(data_dir).classes:
        raise TfsegError(f"{data_dir}/info.json names no classes")
    if not is_list(data_dir, "train"):
        raise TfsegError(f"{data_dir} has no training images: its source has other splits alone")
    data, machine = data_facts(data_dir), machine_facts()
    weights = given.get("init_weights")
    fitting = fitting_models(weights) if weights else ()
    proposal = propose(data, machine, given, fitting, pretrained=weights != "")
    release = proposal.values.get("init_weights")
    if release is None:
        return proposal
    try:
        fetch(release)
    except TfsegError as error:
        tell(
            f"no weights of {release}: {error}. From random weights it takes many times the images "
            "and updates to be as good; `init_weights=FILE` takes any file of them, such as "
            f"{os.path.basename(zoo.RELEASES[release].files[0].url)}"
        )
        return propose(data, machine, given, pretrained=False)
    return proposal
