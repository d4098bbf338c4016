"""Videos and cameras, frame by frame."""

import itertools

import numpy as np
import pytest

from tfseg.errors import TfsegError
from tfseg.serving import video

SIZE = (48, 64)


@pytest.fixture(scope="module")
def predictor(make_predictor):
    return make_predictor()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Six frames at 12 frames a second, each of one brightness."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 12, SIZE[::-1])
    for brightness in range(0, 240, 40):
        writer.write(np.full((*SIZE, 3), brightness, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("name", ["out.mp4", "out.avi"])
def test_video_in_video_out(predictor, clip, tmp_path, name):
    cv2 = pytest.importorskip("cv2")
    steps = []
    frames, rate = video.predict_video(
        predictor, str(clip), str(tmp_path / name), lambda done, total: steps.append((done, total))
    )
    assert frames == 6 and rate > 0 and steps == [(n, 6) for n in range(1, 7)]
    source, result = cv2.VideoCapture(str(clip)), cv2.VideoCapture(str(tmp_path / name))
    assert result.get(cv2.CAP_PROP_FPS) == 12
    for _ in range(6):
        image, overlay = (capture.read()[1] for capture in (source, result))
        expected = predictor.overlay(image[..., ::-1])[..., ::-1]
        # Lossy codecs, small frames: but not another frame, and not blue for red.
        assert np.abs(overlay[: SIZE[0]].astype(float) - expected).mean() < 12
    assert not result.read()[0]


def test_camera_ends_when_the_window_does(predictor, clip):
    pytest.importorskip("cv2")
    shown, count = [], itertools.count(1)

    def show(image):
        shown.append(image)
        return next(count) < 3

    frames, rate = video.predict_camera(predictor, str(clip), show)
    assert frames == 3 and rate > 0
    assert all(len(image) > SIZE[0] and image.shape[1] == SIZE[1] for image in shown)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("absent.avi", "out.avi", "there is no video absent.avi"),
        ("text.avi", "out.avi", "can't open video text.avi"),
        ("text.avi", "out.gif", "is written to"),
    ],
)
def test_videos_that_are_none(predictor, tmp_path, monkeypatch, source, target, message):
    pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.avi").write_text("not a video")
    with pytest.raises(TfsegError, match=message):
        video.predict_video(predictor, source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["text.avi"]


def test_videos_among_other_inputs():
    videos, others = video.split_videos(["a/x.MP4", "photos", "y.avi", "z.png"])
    assert videos == {"a/x.MP4": "x.MP4", "y.avi": "y.avi"} and others == ["photos", "z.png"]
    with pytest.raises(TfsegError, match=r"would both become x\.avi"):
        video.split_videos(["a/x.avi", "b/x.avi"])


def test_camera_that_is_not_there(predictor):
    pytest.importorskip("cv2")
    with pytest.raises(TfsegError, match="can't open camera 97"):
        video.predict_camera(predictor, 97)


def test_without_opencv(predictor, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(TfsegError, match=r"pip install 'tfseg-keras\[video\]'"):
        video.predict_camera(predictor, 0)
