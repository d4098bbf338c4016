"""A model.json is a file of strangers: whatever it holds, it describes a model or is refused."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfseg
from tfseg.models import ModelSpec

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = ("classes", "palette", "ignore_label", "label_map", "preprocessing", "options", "format")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values
    | st.fixed_dictionaries(
        {"name": values | st.just("drn_d_22"), "num_classes": values | st.integers(1, 9)},
        optional=dict.fromkeys(FIELDS, values),
    )
)
def test_any_json(tmp_path, value):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(value))
    try:
        ModelSpec.load(path)
    except tfseg.TfsegError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {"blocks": [10**6] * 8},
        {"multi_scale": [1, 10**9]},
        {"multi_scale": [1 + n / 1000 for n in range(1000)]},
    ],
)
def test_options_have_bounds(options):
    with pytest.raises(tfseg.TfsegError):
        ModelSpec("drn_d_22", 5, options).build()


@pytest.mark.parametrize(("kind", "most"), [("segmenter", 256), ("classifier", 32768)])
def test_classes_have_bounds(kind, most):
    for count in (0, most + 1, 10**9):
        with pytest.raises(tfseg.TfsegError, match=f"in 1..{most}, not {count}"):
            ModelSpec("drn_d_22", count, kind=kind).build()
