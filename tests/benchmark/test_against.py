"""Networks that are timed beside PyTorch's, and what is said of the times."""

import subprocess
import sys

import numpy as np
import pytest

from tfseg.benchmark import against
from tfseg.benchmark.against import RIVALS, against_torch, paired, paired_table
from tfseg.cli import main
from tfseg.errors import TfsegError


class Clock:
    """A clock that calls move."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(against, "time", self)

    def perf_counter(self):
        return self.now

    def process_time(self):
        return 2 * self.now

    def taking(self, *seconds):
        """A function that takes so long, one after the other."""
        left = iter(seconds)

        def call():
            self.now += next(left)

        return call


def test_ratios_are_of_calls_that_follow_each_other(monkeypatch):
    clock = Clock(monkeypatch)
    # The machine gets slower: medians of either alone would say nothing.
    found = paired(clock.taking(9, 2, 4, 9), clock.taking(1, 4, 8, 12), repeats=3, warmup=1)
    assert (found["ours_ms"], found["theirs_ms"]) == (4000, 8000)
    assert (found["ratio"], found["lowest"], found["highest"]) == (0.5, 0.5, 0.75)
    assert found["processor"] == 0.5
    head, line = paired_table({"forward": found}).splitlines()
    assert " ".join(line.split()) == "forward 4000.0 ms 8000.0 ms 0.50 0.50 0.50 to 0.75"
    assert head.split()[:3] == ["ours", "PyTorch", "ratio"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model=drn_d_23"], "did you mean drn_d_22?"),
        (["--precision=float16"], "takes float32 and bfloat16"),
        (["--saved_model=x"], "--against and --saved_model measure different things"),
        (["--dilated_layers"], "--dilated_layers and --against measure different things"),
        (["--requests=3"], "--requests does nothing beside --against=torch"),
        (["--evaluation"], "--evaluation and --against measure different things"),
        (["--model_option=output_stride=8"], "--model_option does nothing beside --against=torch"),
        ([], "error: --against=torch needs PyTorch beside TensorFlow: pip install torch"),
    ],
)
def test_one_clear_line(flags, message, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["benchmark", "--against=torch", *flags]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_pytorch_is_imported_before_tensorflow():
    # Its Triton ends a process that has TensorFlow; the order shows in a process of its own.
    script = (
        "import sys, types\n"
        "from tfseg.cli import benchmark\n"
        "order = []\n"
        "benchmark.importlib = types.SimpleNamespace(\n"
        "    import_module=lambda name: order.append((name, 'tensorflow' in sys.modules)))\n"
        "benchmark.load_torch_first()\n"
        "print(order)\n"
        "from tfseg.cli import main\n"
        "main(['benchmark', '--against=torch', '--model=drn_d_23'])\n"
        "print(order)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    found = [("torch", False), ("triton", False)]
    assert result.stdout.splitlines()[-2:] == [str(found), str(found * 2)]


@pytest.mark.slow
@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("precision", against.PRECISIONS)
def test_both_are_the_same_network(name, precision):
    torch = pytest.importorskip("torch")
    results, facts = against_torch(name, 5, (64, 96), 2, precision=precision, repeats=1)
    assert list(results) == ["forward", "training"] and facts["pytorch"] == torch.__version__


def test_another_number_of_weights_is_said(monkeypatch):
    pytest.importorskip("torch")
    from tfseg.benchmark import pytorch

    monkeypatch.setattr(pytorch.Runner, "weights", property(lambda _: 3, lambda *_: None), False)
    with pytest.raises(TfsegError, match="weights here and 3 in PyTorch"):
        against_torch("drn_d_22", 2, (16, 16), 1, repeats=1)


def test_maps_have_our_resolutions():
    torch = pytest.importorskip("torch")
    from tfseg.benchmark import pytorch
    from tfseg.models import create_model

    for name, rival in RIVALS.items():
        network, model = getattr(pytorch, rival)(3).eval(), create_model(name, 3)
        images = np.zeros((1, 64, 96, 3), np.float32)
        theirs = network(torch.tensor(images).permute(0, 3, 1, 2)).shape
        ours = model(images)["logits"].shape
        assert (theirs[2], theirs[3], theirs[1]) == tuple(ours)[1:]
        assert network.loss_at_logits == (model.loss_resolution == "logits")
