"""Prediction of video: files and cameras, frame by frame."""

import contextlib
import os
import time

import numpy as np

from tfseg import visualize
from tfseg.errors import TfsegError
from tfseg.files import replacing
from tfseg.legends import Places
from tfseg.outputs import ending, stems

EXTENSIONS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "MJPG", ".webm": "VP80"}
# Where a file doesn't say.
_FRAME_RATE = 25.0
_SMOOTHING = 0.9


def split_videos(inputs):
    """({path of a video: name of its result}, the other inputs), videos known by `EXTENSIONS`.

    Raises:
        TfsegError: two videos would get the same name.
    """
    videos, others, taken = {}, [], {}
    for source in inputs:
        name = os.path.basename(source)
        if not name.lower().endswith(EXTENSIONS):
            others.append(source)
        elif taken.setdefault(name, source) != source:
            raise TfsegError(f"{taken[name]} and {source} would both become {name}")
        else:
            videos[source] = ending(source)
    names = zip(stems(taken), videos.values(), strict=True)
    return dict(zip(videos, (stem + extension for stem, extension in names), strict=True)), others


def predict_video(predictor, source, path, progress=None):
    """Writes a video of `source` with the classes' colours over it.

    Args:
        predictor: a `Predictor`.
        source: path of a video that OpenCV reads.
        path: of the video to write, one of `EXTENSIONS`; it appears when it is complete. It has
            the source's frame rate, its size with a legend below, and no sound.
        progress: called as progress(done, total) after each frame; total is 0 if unknown.

    Returns:
        (number of frames, frames predicted per second).

    Raises:
        TfsegError: OpenCV is missing, the source can't be read, or the video can't be written.
    """
    predictor.bands.require_rgb("a video")
    cv2 = _opencv()
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in EXTENSIONS:
        raise TfsegError(f"a video is written to *{', *'.join(EXTENSIONS)}, not {path}")
    if not os.path.isfile(source):
        raise TfsegError(f"there is no video {source}")
    done, start = 0, time.perf_counter()
    with _capture(cv2, source) as capture, replacing(path) as temporary:
        total = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        rate = capture.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else _FRAME_RATE
        writer = None
        try:
            for image in _frames(cv2, capture):
                if writer is None:
                    shape = image.shape[:2]
                    legend = Places(shape, predictor.spec.classes, predictor.palette)
                    size = (shape[1], shape[0] + legend.height)
                    codec = cv2.VideoWriter_fourcc(*_CODECS[suffix])
                    writer = cv2.VideoWriter(temporary, codec, rate, size)
                    if not writer.isOpened():
                        raise TfsegError(f"this OpenCV can't write {suffix} files: {path}")
                overlay = _with_legend(predictor, image, legend)
                writer.write(cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
                done += 1
                if progress:
                    progress(done, max(total, done))
        finally:
            if writer is not None:
                writer.release()
        if not done:
            raise TfsegError(f"{source} has no frame that can be read")
    return done, done / (time.perf_counter() - start)


def predict_camera(predictor, camera, show=None):
    """Shows a camera's pictures with the classes' colours over them, until the user ends it.

    Args:
        predictor: a `Predictor`.
        camera: its number, from 0, or whatever else OpenCV opens.
        show: function of an RGB image, uint8 [H, W, 3], that returns whether to go on; default a
            window, which Escape, q or closing ends.

    Returns:
        (number of frames, frames shown per second).

    Raises:
        TfsegError: OpenCV or its windows are missing, or the camera can't be opened.
    """
    cv2 = _opencv()
    predictor.bands.require_rgb("a camera")
    done, start = 0, time.perf_counter()
    with _capture(cv2, camera) as capture:
        # Old pictures would make the window lag behind.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        show = show or _window(cv2)
        rate, before, legend = 0.0, start, None
        for image in _frames(cv2, capture):
            legend = legend or Places(image.shape[:2], predictor.spec.classes, predictor.palette)
            overlay = _with_legend(predictor, image, legend)
            now = time.perf_counter()
            current, before = 1 / max(now - before, 1e-6), now
            rate = current if done < 2 else _SMOOTHING * rate + (1 - _SMOOTHING) * current
            done += 1
            if not show(_with_rate(cv2, overlay, rate)):
                break
    return done, done / (time.perf_counter() - start)


def _opencv():
    try:
        import cv2
    except ImportError as error:
        # It may be there and lack a library of the system.
        reason = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
        raise TfsegError(f"video needs OpenCV{reason}: pip install 'tfseg-keras[video]'") from error
    return cv2


@contextlib.contextmanager
def _capture(cv2, source):
    capture = cv2.VideoCapture(source)
    try:
        if not capture.isOpened():
            kind = "camera" if isinstance(source, int) else "video"
            raise TfsegError(f"can't open {kind} {source}")
        yield capture
    finally:
        capture.release()


def _frames(cv2, capture):
    """RGB images, uint8 [H, W, 3], while there are any."""
    while True:
        good, image = capture.read()
        if not good:
            return
        yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _with_legend(predictor, image, legend):
    """`image` with its classes' colours over it, above the names of these."""
    labels = predictor.predict(image)
    overlay = visualize.overlay(image, labels, predictor.palette)
    return np.concatenate([overlay, legend(labels)])


def _with_rate(cv2, image, rate):
    """`image` with the frame rate in its corner, legible on every ground."""
    image = np.ascontiguousarray(image)
    scale = max(image.shape[0] / 480, 0.5)
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        position = (round(10 * scale), round(24 * scale))
        font = cv2.FONT_HERSHEY_SIMPLEX
        thickness = max(round(width * scale), 1)
        text = f"{rate:.1f} frames/s"
        cv2.putText(image, text, position, font, 0.7 * scale, colour, thickness, cv2.LINE_AA)
    return image


def _window(cv2):
    title = "tfseg"
    try:
        cv2.namedWindow(title, cv2.WINDOW_NORMAL)
    except cv2.error as error:
        raise TfsegError(
            "this OpenCV can't open windows: install opencv-python instead of the headless one, "
            "and use a machine with a display"
        ) from error

    def show(image):
        cv2.imshow(title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1) & 0xFF
        closed = cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1
        if key in (27, ord("q")) or closed:
            cv2.destroyWindow(title)
            return False
        return True

    return show
