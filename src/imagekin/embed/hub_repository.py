"""A repository of the hub: one commit of it, fetched into the hub's own cache, every file compared with its hash.

What is in the cache is never asked for again.  A file's bytes are compared with the hash that the hub gives for it
before anything reads them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from imagekin.embed.cache import cache_folder
from imagekin.embed.repository import MOST_FILES, Folder, Repository
from imagekin.errors import InputError, MissingPackageError, ModelError
from imagekin.replacement import replace

logger = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_REVISION: Final = re.compile(r"[A-Za-z0-9][\w./-]{0,199}", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Hub(Repository):
    """A repository of the hub, by its commit; its files are fetched into the hub's own cache once.

    ``HF_ENDPOINT``, ``HF_HUB_CACHE``, ``HF_HOME``, ``HF_HUB_OFFLINE`` and a token that was stored by ``hf auth login``
    count as they do for the hub's own programs.

    Args:
        name: ``owner/name``.
        revision: a branch, a tag or a commit; None for the main branch.
        fetch: whether what is not in the cache may be fetched; a repository that a stranger's file names is looked for
            in the cache only.

    Raises:
        InputError: *name* or *revision* cannot be one.
        MissingPackageError: ``huggingface_hub`` is not installed.
        ModelError: the hub does not know it or cannot be reached, and the cache does not have it.
    """

    def __init__(self, name: str, revision: str | None = None, *, fetch: bool = True) -> None:
        whole = f"{name}@{revision}" if revision else name
        if not _NAME.fullmatch(name) or ".." in whole or (revision and not _REVISION.fullmatch(revision)):
            raise InputError(f"{whole!r} is not owner/name or owner/name@revision.")
        self._hub = _package()
        self.allowed = fetch
        self._cache = Path(os.environ.get("HF_HUB_CACHE") or self._hub.constants.HF_HUB_CACHE).expanduser()
        self.within = self._cache / f"models--{name.replace('/', '--')}"
        self._repository = name
        self._listed: list[str] | None = None
        self.commit = self._commit(revision or "main")
        self.name = f"{name}@{self.commit}"
        self._checked: set[Path] = set()

    @property
    def _fetch(self) -> bool:
        return self.allowed and os.environ.get("HF_HUB_OFFLINE", "").lower() not in ("1", "true", "yes", "on")

    @property
    def _folder(self) -> Path:
        return (self.within or self._cache) / "snapshots" / self.commit

    def files(self) -> Sequence[str]:
        """Names of its files: as they were listed once, else from the hub if it may be asked, else those cached."""
        if self._listed is None:
            self._listed = self._remembered()
        if self._listed is None and self._fetch:
            try:
                self._ask(self.commit)
            except ModelError as error:
                if not self._folder.is_dir() or not _unreachable(error.__cause__):
                    raise
        if self._listed is None:
            if not self._folder.is_dir():
                raise ModelError(self._absent())
            self._listed = list(Folder(self._folder).files())
        return self._listed

    def path(self, file: str) -> Path:
        """The path of a file in the cache, fetched and compared with its hash if need be."""
        if ".." in PurePosixPath(file).parts or file.startswith("/") or "\\" in file:
            raise ModelError(f"{self.name} names the file {file!r}, which lies outside of it.")
        path = self._folder / file
        if not path.is_file():
            path = self._fetched(file)
        if path not in self._checked:
            self._check(path)
            self._checked.add(path)
        return path

    def _commit(self, revision: str) -> str:
        """The commit that a revision stands for: asked for, or as it was the last time."""
        if _COMMIT.fullmatch(revision):
            return revision
        if self._fetch:
            try:
                return self._ask(revision)
            except ModelError as error:
                known = self._last(revision)
                if known is None or not _unreachable(error.__cause__):
                    raise
                logger.warning("%s; its files in the cache are used", str(error).rstrip("."))
                return known
        known = self._last(revision)
        if known is None:
            raise ModelError(self._absent())
        return known

    def _last(self, revision: str) -> str | None:
        """The commit that a revision stood for when it was last asked for, here or by another program."""
        for path in (self._kept(f"of-{revision.replace('/', '--')}"), (self.within or self._cache) / "refs" / revision):
            try:
                found = json.loads(path.read_bytes()) if path.suffix == ".json" else path.read_text("ascii").strip()
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(found, str) and _COMMIT.fullmatch(found):
                return found
        return None

    def _ask(self, revision: str) -> str:
        """Ask the hub for the commit of a revision and the names of its files."""
        if not self._fetch:
            raise ModelError(self._absent())
        try:
            found = self._hub.HfApi(endpoint=_endpoint()).model_info(self._repository, revision=revision, timeout=20)
        except Exception as error:  # the package's own classes differ between its versions
            raise ModelError(f"{self._repository} cannot be found on the hub ({_words(error)}).") from error
        commit = str(found.sha)
        if not _COMMIT.fullmatch(commit):
            raise ModelError(f"the hub says that {self._repository} is at {commit[:60]!r}, which is no commit.")
        self._listed = sorted(str(sibling.rfilename) for sibling in found.siblings or [])[:MOST_FILES]
        self._keep(commit, self._listed)
        if revision != commit:
            self._keep(f"of-{revision.replace('/', '--')}", commit)
        return commit

    def _fetched(self, file: str) -> Path:
        if not self._fetch:
            raise ModelError(self._absent(file))
        logger.info("fetching %s of %s", file, self.name)
        try:
            return Path(
                self._hub.hf_hub_download(
                    self._repository, file, revision=self.commit, cache_dir=self._cache, endpoint=_endpoint()
                )
            )
        except Exception as error:  # as above
            raise ModelError(f"{file} of {self.name} cannot be fetched ({_words(error)}).") from error

    def _check(self, path: Path) -> None:
        """Compare a file with the hash that it is stored under: SHA-256, or git's for small ones."""
        blob = path.resolve()
        if not blob.is_relative_to((self.within or self._cache).resolve()):
            raise ModelError(f"{path} leads out of the cache, to {blob}; remove it and fetch the model again.")
        digest = hashlib.sha256() if _SHA256.fullmatch(blob.name) else hashlib.sha1(usedforsecurity=False)
        if not _SHA256.fullmatch(blob.name) and not _COMMIT.fullmatch(blob.name):
            return  # a file system without links keeps no hash; the fingerprint of a collection still counts
        if digest.name == "sha1":
            digest.update(b"blob %d\0" % blob.stat().st_size)
        with blob.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
        if digest.hexdigest() != blob.name:
            blob.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise ModelError(
                f"{path.name} of {self.name} has the hash {digest.hexdigest()}, and the hub says {blob.name}; it was "
                "removed: try again, and do not use the model if it happens once more."
            )

    def _kept(self, what: str) -> Path:
        """Where an answer of the hub is kept: its own cache knows only the files that were fetched."""
        return cache_folder() / "hub" / f"{self._repository.replace('/', '--')}-{what}.json"

    def _keep(self, what: str, value: object) -> None:
        path = self._kept(what)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, json.dumps(value).encode())
        except OSError as error:
            logger.warning("what the hub says of %s cannot be kept in %s (%s)", self._repository, path, error)

    def _remembered(self) -> list[str] | None:
        try:
            files = json.loads(self._kept(self.commit).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return files if isinstance(files, list) and all(isinstance(name, str) for name in files) else None

    def _absent(self, file: str = "") -> str:
        what = f"{file} of {self._repository}" if file else self._repository
        return (
            f"{what} is not in the cache {self._cache}, and may not be fetched here; name the model yourself once, "
            f"as in --model hub:{self._repository}, with a connection and without HF_HUB_OFFLINE."
        )


def _package() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # acts at the import only
    try:
        import huggingface_hub
        import huggingface_hub.constants
    except ImportError as error:
        raise MissingPackageError(
            f"models of the hub need a package that is not installed ({error.name}); install it with: "
            'pip install "imagekin[hub]", or give a local folder: hub:/path.'
        ) from error
    return huggingface_hub


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _unreachable(error: BaseException | None) -> bool:
    """Whether the hub could not be asked, rather than gave an answer."""
    return getattr(getattr(error, "response", None), "status_code", 500) >= 500


def _words(error: Exception) -> str:
    """The start of what the package says, which may be several lines: a number alone says too little."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    text = lines[0] if len(lines[0]) > 40 or len(lines) == 1 else f"{lines[0]} {lines[1]}"
    return text.rstrip(".")[:300]
