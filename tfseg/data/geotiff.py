"""Where a TIFF file's pixels lie on the ground, and where they say nothing: its GeoTIFF tags."""

import numpy as np

# OGC 19-008r4, GeoTIFF 1.1, section 7, and the rational polynomials of satellites' raw images.
GEO_TAGS = {
    33550: "ModelPixelScale",
    33922: "ModelTiepoint",
    34264: "ModelTransformation",
    34735: "GeoKeyDirectory",
    34736: "GeoDoubleParams",
    34737: "GeoAsciiParams",
    50844: "RPCCoefficient",
}
# GDAL's, as text.
NODATA = 42113
_ASCII = 2


def geo_tags(tags):
    """The tags of `GEO_TAGS` among a tifffile page's: [(code, type, count, value, True)], as its
    writer takes them."""
    found = (tags.get(code) for code in GEO_TAGS)
    return [(tag.code, int(tag.dtype), tag.count, _value(tag), True) for tag in found if tag]


def _value(tag):
    """A tag's value; a text as its bytes.

    Keys find their names in the text by the number of the byte, and not all of it is ASCII:
    tifffile would decode and strip it, and write only ASCII.
    """
    if tag.dtype != _ASCII:
        return tag.value
    file = tag.parent.filehandle
    file.seek(tag.valueoffset)
    return file.read(tag.count)


def nodata_of(tags):
    """The value of pixels that have none, or None."""
    tag = tags.get(NODATA)
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None


def nodata_tag(value):
    """The tag that says so."""
    return NODATA, _ASCII, 0, str(value), True


def is_nodata(pixels, nodata):
    """Where all bands of pixels [H, W, channels] have the value `nodata`: booleans [H, W]."""
    if np.isnan(nodata):
        return np.isnan(pixels).all(-1) if pixels.dtype.kind == "f" else _nowhere(pixels)
    # As a file of these numbers would have it: -3.4e38 in text isn't float32's lowest.
    with np.errstate(over="ignore", invalid="ignore"):
        if pixels.dtype.kind == "f":
            return (pixels == pixels.dtype.type(nodata)).all(-1)
    limits = np.iinfo(pixels.dtype)
    if not nodata.is_integer() or not limits.min <= nodata <= limits.max:
        return _nowhere(pixels)
    return (pixels == int(nodata)).all(-1)


def _nowhere(pixels):
    return np.zeros(pixels.shape[:2], bool)
