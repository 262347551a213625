"""Files that are whole or absent, and folders with one writer."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kanop.solvers import DataError

__all__ = ["checksum", "exclusive", "write_durably"]

TEMPORARY = ".tmp"
LOCK = ".lock"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_durably(path: Path, content: bytes) -> None:
    """Put `content` at `path` so that a crash at any moment leaves the old file or the new one, never a part.

    Raises
    ------
    DataError : no space left; the temporary file is removed
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if error.errno not in NO_SPACE:
            raise
        raise DataError(
            f"no space left while writing {path} ({len(content) / 2**20:.1f} MiB; free: "
            f"{free_space(path.parent) / 2**20:.1f} MiB). "
            "What was finished is kept: free some space and start the same command again, it goes on from "
            "there; "
            "or choose another folder (KANOP_DATA)"
        ) from error


def _sync_folder(folder: Path) -> None:
    # A rename is on disk once its folder is; Windows has no handle for that.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_space(folder: Path) -> int:
    """Bytes free on the disk that holds `folder` or will hold it."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process: a second writer gets a DataError; a killed one holds nothing."""
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DataError(
                f"cannot write into {folder}: {error.strerror}; choose another folder (KANOP_DATA)"
            ) from error
        if not _try_lock(handle):
            os.close(handle)
            raise DataError(
                f"another process is writing into {folder}; wait until it has finished, or choose another name"
            )
        # The holder before us may have removed the file between our open and our lock: then the lock is on
        # nothing.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                break
        os.close(handle)
    try:
        yield
    finally:
        if os.name == "nt":
            os.close(handle)
        path.unlink(missing_ok=True)
        if os.name != "nt":
            os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
