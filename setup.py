"""Packaging of tfseg; tool settings are in pyproject.toml."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def version():
    """`tfseg.__version__`."""
    text = (ROOT / "tfseg" / "version.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


def requirements():
    """The requirement lines of requirements.txt, without comments and blank lines."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


# Where the repository is, for what is shown outside of it: the page of a release on an index.
URL = os.environ.get("TFSEG_URL", "").rstrip("/")


def description():
    """README.md with its links and pictures at the repository's address, or as text without one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    relative = r"(!?)\[([^]]*)\]\((?!\w+:|#)([^)]+)\)"

    def absolute(match):
        picture, words, path = match.groups()
        if not URL:
            return "" if picture else words
        return f"{picture}[{words}]({URL}/{'raw' if picture else 'blob'}/v{version()}/{path})"

    return re.sub(relative, absolute, text)


def project_urls():
    """The links beside the description."""
    pages = {
        "Source": "",
        "Documentation": f"/tree/v{version()}/docs",
        "Changelog": f"/blob/v{version()}/CHANGELOG.md",
        "Issues": "/issues",
    }
    return {name: f"{URL}{path}" for name, path in pages.items()} if URL else {}


MAT = ["scipy>=1.11,<2"]
ONNX = ["onnx>=1.17,<2", "onnxruntime>=1.20,<2", "tf2onnx>=1.17,<2"]
TIFF = ["tifffile>=2024.1.30", "imagecodecs>=2024.1.1"]
TFLITE = ["ai-edge-litert>=1.3,<3"]
HUB = ["huggingface_hub>=0.30,<3"]
APP = ["gradio>=6,<7"]

setup(
    # Another author's library is called tfseg on the Python package index.
    name="tfseg-keras",
    version=version(),
    description="Semantic segmentation with dilated convolutions, in TensorFlow 2 and Keras 3",
    long_description=description(),
    long_description_content_type="text/markdown",
    author="The tfseg authors",
    project_urls=project_urls(),
    keywords=[
        *("semantic segmentation", "image segmentation", "dilated convolution"),
        *("atrous convolution", "DeepLab", "dilated residual networks", "ADE20K"),
        *("computer vision", "TensorFlow", "Keras"),
    ],
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    # The recipes are part of the package under another name: see tfseg/cli/files.py.
    packages=[*find_packages(include=["tfseg", "tfseg.*"]), "tfseg.recipes"],
    package_dir={"tfseg.recipes": "flags"},
    package_data={
        "tfseg": ["py.typed"],
        "tfseg.data.catalog": ["*.csv"],
        "tfseg.recipes": ["*/*.flags"],
        "tfseg.serving": ["*.js"],
    },
    entry_points={"console_scripts": ["tfseg = tfseg.cli:main"]},
    python_requires=">=3.10,<3.14",
    install_requires=requirements(),
    extras_require={
        # The maintained package of `import pydensecrf`; it compiles when it is installed.
        "crf": ["pydensecrf2>=1.1,<2"],
        # Reads label maps in MATLAB files: COCO-Stuff 10k, SBD.
        "mat": MAT,
        # Reads scenes and TIFF files of several bands, 16 bits or floats, however compressed.
        "tiff": TIFF,
        # Formats that `tfseg export` writes: the converter, and the runtimes that check it.
        "onnx": ONNX,
        "tflite": TFLITE,
        # Videos and cameras in `tfseg predict`.
        "video": ["opencv-python>=4.8,<6"],
        # The page of `tfseg app`.
        "app": APP,
        # The documentation's site: `bash tools/docs.sh`.
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1,<2"],
        # Models on the Hugging Face hub: tfseg.load("hf://owner/name").
        "hub": HUB,
        # `tfseg train --tracker=mlflow`.
        "mlflow": ["mlflow>=3,<4"],
        # Evaluations as DataFrames.
        "pandas": ["pandas>=2,<4"],
        # Other judges, whose numbers are ours: they made tests/golden/outside_judges.npz.
        "cityscapesscripts": ["cityscapesscripts>=2.2,<3"],
        "torchmetrics": ["torch>=2.4,<3", "torchmetrics>=1.4,<2"],
        # Lets the page's test open it in Chromium, where the system has one.
        "browser": ["playwright>=1.50,<2"],
        # Exact versions: another ruff formats differently, another mypy finds other things.
        "test": [
            *("pytest==9.2.0", "pytest-xdist==3.8.0", "ruff==0.17.5"),
            'hypothesis==6.170.17; python_version >= "3.11"',
            # The last for Python 3.10.
            'hypothesis==6.168.5; python_version < "3.11"',
            "mypy==2.4.1",
            # Networks are tested on Keras' other backends; it takes 600 MB. PyTorch, which takes
            # 5.5 GB, is tested where it is installed.
            "jax>=0.6,<1",
            *(*MAT, *ONNX, *TFLITE, *APP, *HUB, *TIFF),
        ],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)),
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)
