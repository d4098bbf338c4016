"""Which protocol and data folder a trained model brings along."""

import pytest

from tfseg.errors import TfsegError
from tfseg.inference import Predictor, Protocol
from tfseg.inference.crf import CRF
from tfseg.models import ModelSpec
from tfseg.workflows.trained import data_dir_of, load_predictor

OWN = Protocol(flip=True)


@pytest.fixture(scope="module")
def predictor():
    spec = ModelSpec("drn_d_22", 2, {"blocks": [1] * 8})
    return Predictor(spec, spec.build(), OWN)


def test_a_folder_keeps_its_protocol_unless_another_is_asked_for(predictor, tmp_path):
    predictor.save_pretrained(tmp_path)
    assert load_predictor(tmp_path).protocol == OWN
    assert load_predictor(tmp_path, Protocol()).protocol == Protocol()


def test_a_predictor_is_taken_as_it_is(predictor):
    assert load_predictor(predictor) is load_predictor(predictor, OWN) is predictor
    for name, options in (("protocol", (Protocol(),)), ("crf", (None, CRF()))):
        with pytest.raises(TfsegError, match=f"its own protocol and CRF: leave out `{name}`"):
            load_predictor(predictor, *options)


def test_a_model_on_the_hub_has_no_data_folder():
    with pytest.raises(TfsegError, match=r"^`data_dir` is missing$"):
        data_dir_of("hf://owner/name")
