"""The start of a PNG file (ISO/IEC 15948, section 11.2.2), and which ones are label maps.

A file begins with 8 bytes of signature and the chunk IHDR: its length (4 bytes), its name (4), 13
bytes of content and their checksum (4).
"""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_SIZE = 33
# Where it says what: width and height as 4 bytes, the others as one.
WIDTH, HEIGHT, BIT_DEPTH, COLOUR_TYPE = 16, 20, 24, 25

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
# In words, by number; 1, 5 and more than 6 don't exist.
NAMES = ("grey", "unknown", "RGB", "palette", "grey with alpha", "unknown", "RGBA", "unknown")

LABEL_RULE = "label maps must be 8-bit grey or palette PNG"


def holds_indices(colour_type, depth):
    """Whether the pixels are class indices: Python's numbers or tensors."""
    return (colour_type == PALETTE) | ((colour_type == GREY) & (depth == 8))
