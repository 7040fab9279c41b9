"""The exceptions a person meets; each message says what was given, what was expected and what to do."""

from __future__ import annotations


class ImagekinError(Exception):
    """Base of every error that imagekin raises on purpose; its text is one sentence for a person."""


class InputError(ImagekinError, ValueError):
    """An argument is out of range, of the wrong kind, or contradicts another."""


class ImageError(ImagekinError):
    """An image cannot be read: not an image, truncated, too large, of a format that is not allowed."""


class FetchError(ImagekinError):
    """A URL was refused or did not answer with an image."""


class DatasetError(ImagekinError):
    """A data set cannot be downloaded, unpacked or read."""


class UnknownNameError(InputError, KeyError):
    """A name is not in the registry it was looked up in."""

    def __str__(self) -> str:
        """The sentence itself (``KeyError`` would show its repr)."""
        return str(self.args[0])


class MissingPackageError(ImagekinError, ImportError):
    """A known model or engine needs a package that is not installed."""


class ModelError(ImagekinError):
    """A model file is missing, damaged, unsafe, or does not do what an embedder needs."""


class IndexingError(ImagekinError):
    """An index cannot do what was asked of it, or its file does not fit."""


class UnsupportedError(IndexingError, NotImplementedError):
    """An engine has no such operation."""


class StoreError(ImagekinError):
    """A collection cannot be opened, read or written."""


class LockedError(StoreError):
    """Another process holds the collection's writer lock for too long."""


class DamagedError(StoreError):
    """A collection's file is not a database, or is damaged."""


class MismatchError(StoreError):
    """A collection was made by another model, precision or version of the format."""
