"""What a prediction of files can write."""

OUTPUTS = ("labels", "color", "overlay", "panel", "ids")
DEFAULT_OUTPUTS = OUTPUTS[:3]
