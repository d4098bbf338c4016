"""Ways of scaling images, and of filling crops that are larger than they are."""

# Where images lie that are smaller than the crop: the share of the padding that comes before them;
# None for any.
PAD_PLACES = {"random": None, "even": 0.5, "bottom_right": 0.0}
FILLS = ("mean", "reflect")
SCALE_FILTERS = ("bilinear", "lanczos_cubic", "legacy")
