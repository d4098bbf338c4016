"""Which colours of masks are classes, where no table says it."""

import numpy as np

from tfseg.errors import TfsegError
from tfseg.words import counted

# The largest difference in a channel that is noise: of files without loss, and of JPEG.
EXACT, LOSSY = 8, 64
# Of one file that many colours are remembered; photographs have more.
_MOST = 4096
_JOINED = 40
# A class that fills no block takes at least that share of the pixels, and that many.
_SMALLEST, _FEWEST = 2e-4, 10


def codes_of(colours):
    """uint8 [..., 3] as one number each."""
    wide = colours.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def colours_of(codes):
    """The way back, int64 [..., 3]."""
    codes = np.asarray(codes, np.int64)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1)


def count_colours(pixels, lossy):
    """{code: [pixels, pixels amid others of the same colour]} of a mask, uint8 [H, W, 3]."""
    codes = codes_of(pixels)
    values, counts = np.unique(codes, return_counts=True)
    corners = [pixels[y : y - 1 or None, x : x - 1 or None] for y in (0, 1) for x in (0, 1)]
    spread = np.max(corners, 0).astype(int) - np.min(corners, 0)
    solid = (spread <= (16 if lossy else 0)).all(-1)
    places = np.searchsorted(values, codes[:-1, :-1][solid])
    amid = np.bincount(places, minlength=len(values))
    kept = np.argsort(-counts, kind="stable")[:_MOST]
    return {int(values[k]): np.array([counts[k], amid[k]]) for k in kept}


def classes_of(found, lossy):
    """The colours that are classes, [(r, g, b)]: black first, then by their number of pixels.

    Colours that lie between those of two classes and nowhere fill a block are antialiased edges.
    In lossy files, near colours are one.

    Args:
        found: {code: [pixels, pixels amid others of the same colour]} of all masks.
        lossy: whether files were compressed with loss.

    Raises:
        TfsegError: there are more than 255.
    """
    codes = np.array(sorted(found, key=lambda code: (-found[code][1], -found[code][0], code)))
    counts = np.array([found[code] for code in codes.tolist()])
    colours = colours_of(codes)
    chosen = _joined(colours, counts) if lossy else _solid(colours, counts)
    if not 0 < len(chosen) <= 255:
        raise TfsegError(
            f"the masks have {counted(len(codes), 'colour')}, of which {len(chosen)} could be "
            "classes; 1 to 255 are possible: are they photographs, or colours of objects? "
            "`color_map` is a table of those that are classes"
        )
    chosen = sorted(chosen, key=lambda k: (tuple(colours[k]) != (0, 0, 0), -counts[k][0], k))
    return [tuple(colours[k].tolist()) for k in chosen]


def _solid(colours, counts):
    fills = counts[:, 1] >= 0.1 * counts[:, 0]
    fills &= counts[:, 1] > 0
    # Objects of one pixel's width have some pixels, and few colours; noise has not.
    least = max(_SMALLEST * counts[:, 0].sum(), _FEWEST)
    thin = np.flatnonzero(~fills & (counts[:, 0] >= least))
    thin = [k for k in thin if not _between(colours[k], colours[fills])] if len(thin) < 256 else []
    return [*np.flatnonzero(fills), *(thin if len(thin) <= 32 else [])]


def _between(colour, others):
    """Whether a colour is a mixture of two others, as at an antialiased edge."""
    if len(others) < 2:
        return False
    first, second = others[:, None], others[None]
    along = (second - first).astype(float)
    length = np.maximum((along**2).sum(-1), 1)
    share = np.clip(((colour - first) * along).sum(-1) / length, 0, 1)
    far = np.abs(first + share[..., None] * along - colour).max(-1)
    return bool(((far <= EXACT) & (share > 0.02) & (share < 0.98)).any())


def _joined(colours, counts):
    """Leaders: colours that no more common one is near to, with what is near to them."""
    chosen, sizes = [], []
    for k in np.flatnonzero(counts[:, 1] > 0)[: 1 << 14]:
        if chosen:
            far = np.abs(colours[chosen] - colours[k]).max(-1)
            if far.min() <= _JOINED:
                sizes[far.argmin()] += counts[k][1]
                continue
        chosen.append(k)
        sizes.append(counts[k][1])
    total = counts[:, 0].sum()
    return [k for k, size in zip(chosen, sizes, strict=True) if size >= _SMALLEST * total]


def nearest(pixels, table, lossy):
    """The classes of the colours of a mask, uint8 [H, W]; 255 for what is no class's.

    Args:
        pixels: uint8 [H, W, 3].
        table: {(r, g, b): class or 255}.
        lossy: whether to take near colours for one.
    """
    known = np.array(list(table), np.int64)
    indices = np.array(list(table.values()), np.uint8)
    values, places = np.unique(codes_of(pixels), return_inverse=True)
    colours, result = colours_of(values), np.empty(len(values), np.uint8)
    for start in range(0, len(values), 4096):
        far = np.abs(colours[start : start + 4096, None] - known[None]).max(-1)
        best = far.argmin(1)
        near = far.min(1) <= (LOSSY if lossy else EXACT)
        result[start : start + 4096] = np.where(near, indices[best], 255)
    return result[places.reshape(pixels.shape[:2])]
