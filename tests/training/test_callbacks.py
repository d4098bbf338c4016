"""Who is told what a run comes to, and what becomes of a run whose callback fails."""

import os
import re
import sys

import pytest

import tfseg
from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.training import Callback, Run, TrainResult
from tfseg.training.callbacks import Callbacks
from tfseg.training.logs import TIMING


class Recorder(Callback):
    """Notes what it is told."""

    def __init__(self):
        self.told, self.pictures, self.rows, self.run = [], [], [], None

    def start(self, run):
        self.run = run
        self.told.append(("start", run.step, run.reported, run.changed))

    def row(self, row):
        assert row.keys() <= {*self.run.columns, *TIMING}
        self.rows.append(row)
        self.told.append(("row", row["step"]))

    def validation(self, step, scores, best, pictures):
        self.pictures += [picture.shape for picture in pictures]
        assert best["step"] <= step and scores.keys() < best.keys()
        self.told.append(("validation", step))

    def checkpoint(self, step, path):
        assert os.path.isfile(f"{path}.index")
        self.told.append(("checkpoint", step))

    def end(self, result):
        self.told.append(("end", result and result.step))


class Failing(Callback):
    """Raises when it is told of one event."""

    def __init__(self, event, step=None, error=None):
        error = error or ValueError("no such\nnumber")

        def fail(*facts):
            if step is None or step in (facts[0], getattr(facts[0], "get", lambda _: 0)("step")):
                raise error

        setattr(self, event, fail)


def test_a_run_tells_in_order_and_goes_on_after_a_failure(make_config):
    config = make_config(steps=4, validate_every="4", checkpoint_every="2")
    row, heard = dict(enumerate(("row", n) for n in range(5))), Recorder()
    message = (
        r"the callback .*\.Failing failed in `row`: ValueError: no such number; the same call "
        r"continues after step 2"
    )
    with pytest.raises(TfsegError, match=message):
        tfseg.train(config, callbacks=[heard, Failing("row", 3)])
    assert heard.told == [
        *(("start", 0, 0, True), row[1], row[2], ("checkpoint", 2), row[3], ("end", None)),
    ]
    assert heard.run.spec.num_classes == 7 and heard.run.model.name == "drn_d_22"
    heard = Recorder()
    assert tfseg.train(config, callbacks=[heard]).step == 4
    assert heard.told == [
        *(("start", 2, 2, False), row[3], ("validation", 4), row[4], ("checkpoint", 4), ("end", 4)),
    ]
    assert heard.rows[1]["val_mean_iou"] is not None and len(heard.pictures) == 3
    assert all(len(shape) == 3 and shape[2] == 3 for shape in heard.pictures)
    # A finished run tells nothing.
    heard = Recorder()
    assert tfseg.train(config, callbacks=[heard]).step == 4 and not heard.told


class Ends(Callback):
    """Counts its ends."""

    ends = 0

    def end(self, result):
        self.ends += 1


EVENTS = {
    "start": (Run(None, None, None, (), 0, 9, 0, 0, True),),
    "row": ({"step": 1},),
    "validation": (1, {}, {"step": 1}, ()),
    "checkpoint": (1, "step-1"),
    "end": (TrainResult(1, None),),
}


@pytest.mark.parametrize("event", EVENTS)
def test_whatever_is_raised_names_callback_and_event(event):
    other = Ends()
    told = Callbacks([other, Failing(event)])
    kept = "no checkpoint was saved yet"
    if event in ("checkpoint", "end"):
        kept = "the same call continues after step 1"
    with pytest.raises(TfsegError, match=rf"Failing failed in `{event}`: ValueError: .*; {kept}"):
        for name, facts in EVENTS.items():
            getattr(told, name)(*facts)
    if event != "end":
        told.end(None)
    assert other.ends == 1


def test_errors_of_users_pass_and_none_is_lost_behind_another(caplog):
    told = Callbacks([Failing("end", error=TfsegError("the store is full")), other := Ends()])
    told.start(*EVENTS["start"])
    told.end(None)
    assert "the store is full" in caplog.text and other.ends == 1
    with pytest.raises(TfsegError, match=r"^the store is full$"):
        told.end(TrainResult(1, None))
    with pytest.raises(KeyboardInterrupt):
        Callbacks([Failing("start", error=KeyboardInterrupt())]).start(*EVENTS["start"])


def test_what_is_no_callback(make_config):
    with pytest.raises(TfsegError, match=r"`callbacks` are objects of .*, not <function"):
        tfseg.train(make_config(), callbacks=[print_row])
    with pytest.raises(TfsegError, match=r"`callbacks` must be a list of them, not <.*Callback"):
        tfseg.train(make_config(), callbacks=Callback())


def print_row(row):
    """A function is none."""


def test_a_tracker_that_is_not_there(make_config, monkeypatch):
    with pytest.raises(TfsegError, match=r"tracker .*mlflov.*mlflow"):
        make_config(tracker="mlflov")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    config = make_config(tracker="mlflow")
    with pytest.raises(TfsegError, match=r"`tracker=mlflow` needs mlflow: pip install 'tfseg-k"):
        tfseg.train(config)
    assert not os.path.exists(config.run_dir)


def test_mlflow_keeps_a_run_as_one(make_config, monkeypatch, tmp_path):
    """In its store on the disk, each step once though the run was interrupted."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "roads")
    config = make_config(steps=4, tracker="mlflow", validate_every="0", checkpoint_every="2")
    with pytest.raises(KeyboardInterrupt):
        tfseg.train(config, callbacks=[Failing("row", 3, KeyboardInterrupt())])
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("roads").experiment_id
    assert [run.info.status for run in client.search_runs([experiment])] == ["FAILED"]
    result = tfseg.train(config)
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED" and run.info.run_name == "run"
    assert run.data.params["model"] == "drn_d_22" and run.data.params["learning_rate"] == "0.001"
    assert run.data.params["model_option.blocks"] == "1,1,1,0,0,0,0,0"
    assert run.data.metrics["best/val_mean_iou"] == pytest.approx(result.best["val_mean_iou"])
    rows = runs.read_log(os.path.join(config.run_dir, runs.LOG))
    for column in ("loss", "learning_rate/all", "val_mean_iou"):
        told = {row["step"]: row[column] for row in rows if row[column] is not None}
        history = client.get_metric_history(run.info.run_id, column)
        assert [point.step for point in history] == list(told)
        assert [point.value for point in history] == pytest.approx(list(told.values()), rel=1e-6)
    client.delete_run(run.info.run_id)
    with pytest.raises(TfsegError, match=r"tracker\.json names the MLflow run .* doesn't have"):
        tfseg.train(make_config(steps=6, tracker="mlflow", val_split=""))


def test_any_name_of_a_class_is_one_that_mlflow_takes():
    from tfseg.training.mlflow_tracker import _name

    for column in (
        "loss",
        "val_iou/traffic light",
        "val_iou/a/../b",
        "val_iou/..",
        "val_iou/Straße",
    ):
        name = _name(column)
        assert re.fullmatch(r"[/\w.\- :]*", name) and os.path.normpath(name) == name
