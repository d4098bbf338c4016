"""What other programs write, as a table of formats with one module each."""

from tfseg.data.prepare.formats.table import IMPORT_FORMATS, ImportFormat, recognise

__all__ = ["IMPORT_FORMATS", "ImportFormat", "recognise"]
