"""What Keras offers for every model and our layers can't give."""

from typing import Any

from tfseg.errors import TfsegError


class Unquantized:
    """A model that refuses Keras' `quantize`, which would pass over its convolutions in silence."""

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refuses: of these layers Keras quantizes none.

        Raises:
            TfsegError: always; it says what quantizes.
        """
        raise TfsegError(
            "Keras quantizes no convolution; the export of a segmenter does: "
            'tfseg.export(predictor, path, format="tflite_int8")'
        )
