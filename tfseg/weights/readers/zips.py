"""Zip archives whose members are stored as they are, which is how weights come in them."""

import io
import struct
import zipfile

_DAMAGED = (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError)


class Archive:
    """The places of the members of a `SourceFile` that is a zip archive.

    Args:
        file: the `SourceFile`.

    Raises:
        ReadError: the archive is damaged.
    """

    def __init__(self, file):
        self._file = file
        try:
            with _BoundedFile(file.path) as opened, zipfile.ZipFile(opened) as archive:
                self._members = {info.filename: info for info in archive.infolist()}
        except (
            zipfile.BadZipFile,
            ValueError,
            NotImplementedError,
            struct.error,
            OSError,
        ) as error:
            raise self._damaged() from error

    def __iter__(self):
        return iter(self._members)

    def __contains__(self, name):
        return name in self._members

    def locate(self, name):
        """(offset, size) of a member's bytes in the file.

        Raises:
            ReadError: there is no such member, or it isn't stored as it is.
        """
        if name not in self._members:
            raise self._file.error(f"its archive lacks {name[-60:]!r}")
        info = self._members[name]
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise self._file.error(
                "its archive is compressed or encrypted; weights are stored as they are"
            )
        header = self._file.bytes(info.header_offset, 30)
        if header[:4] != b"PK\x03\x04":
            raise self._damaged()
        start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        if start + info.file_size > self._file.size:
            raise self._damaged()
        return start, info.file_size

    def _damaged(self):
        return self._file.error("its zip archive is damaged; is the download complete?")


class _BoundedFile(io.FileIO):
    """Lets zipfile read a directory of 300,000 members at most, where it would take any size."""

    def read(self, size=-1):
        if size > 1 << 24:
            raise ValueError("its zip directory is too long")
        return super().read(size)
