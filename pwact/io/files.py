"""Files that are never seen half written, and what is asked of files everywhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pwact.errors import InputError, PwactError, UsageError
from pwact.io.durable import settle, sync_directory

_together: ContextVar[bool] = ContextVar("together", default=False)
_BLOCK = 1 << 20
_TAIL_BYTES = 1 << 16
_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


@contextlib.contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[Path]:
    """Give a path beside `path` to write to, and put what was written in its place.

    The file is fsynced (unless not `sync`) and renamed when the block ends well; else it is
    deleted and `path` stays as it was. Within `synced_together` it is fsynced later.
    """
    sync = sync and not _together.get()
    aside = path.with_name(f".{path.name[-100:]}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield aside
        if sync:
            with aside.open("rb+") as stream:
                os.fsync(stream.fileno())
        aside.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say where
        aside.unlink(missing_ok=True)
        raise
    if sync:
        sync_directory(path.parent)


@contextlib.contextmanager
def synced_together(directory: Path) -> Iterator[None]:
    """Let a block write into `directory`, and wait for the disk once, when all is written."""
    before = _together.set(True)
    try:
        yield
    finally:
        _together.reset(before)
    settle([directory], directory)


def unreadable(path: Path, or_folder: bool = False) -> str:
    """Why there is no file to read at `path`, in words; "" if there is one.

    Nothing is opened: to open a pipe waits for somebody who writes, and a device never ends. A file
    in a folder that may not be entered is there for all that is known.

    Parameters
    ----------
    or_folder
        Whether a folder will do as well.
    """
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    folder = stat.S_ISDIR(kind)
    if folder and not or_folder:
        return "is a directory"
    if special := _special(kind):
        return special
    if not os.access(path, os.R_OK | (os.X_OK if folder else 0)):
        return "cannot be read: Permission denied"
    return ""


def _special(mode: int) -> str:
    """What else there is in place of a file or folder, in words; "" for one of these."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return f"is a {_KINDS.get(stat.S_IFMT(mode), 'device')}, not a file"


def found_below(folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Files below a folder whose name is `wanted`, links to folders not followed, sorted.

    Raises
    ------
    OSError
        A folder below cannot be looked into, so that nobody knows what it holds.
    """

    def fail(error: OSError) -> None:
        raise error

    if not folder.is_dir():
        return []
    return sorted(
        Path(place, name)
        for place, _, names in os.walk(folder, onerror=fail)
        for name in names
        if wanted(name)
    )


def write_text(path: Path, text: str, sync: bool = True) -> None:
    """Write `text` as UTF-8 in one step; names that are not valid text are kept as bytes.

    Without `sync` a power cut may lose it: for files that are written again whenever needed.
    """
    with replacing(path, sync) as aside:
        aside.write_bytes(text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, obj: Any) -> None:
    """Write `obj` as JSON in one step, with sorted keys so that equal content is equal bytes."""
    write_text(path, json.dumps(obj, indent=1, sort_keys=True, ensure_ascii=True) + "\n")


def link(target: Path, path: Path) -> None:
    """Make `path` a symbolic link to `target`, in place of whatever link or file it was.

    A relative `target` is taken as it stands, that is from the directory of `path`.
    """
    aside = path.with_name(f".{path.name[-100:]}.{uuid.uuid4().hex[:8]}.tmp")
    aside.symlink_to(target)
    try:
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def demand_plain(path: Path) -> Path:
    """Give a path back unless it is a pipe or a device, which would never come to an end.

    Raises
    ------
    InputError
        It is one.
    """
    with contextlib.suppress(OSError):
        if special := _special(path.stat().st_mode):
            raise InputError(special, path)
    return path


def demand_own(path: Path) -> Path:
    """Give a path back that is a plain file or nothing yet, for a file that we alone write.

    Raises
    ------
    PwactError
        It is a link, which would lead us to a file of somebody else, or a pipe or the like.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            what = "is a symbolic link" if stat.S_ISLNK(mode) else "is not a plain file"
            raise PwactError(f"{path}: {what}; pwact writes here and follows none: move it away")
    return path


def demand_directory(path: Path) -> None:
    """Raise UsageError unless `path` is a directory, or can be made as one."""
    above = next((place for place in (path, *path.parents) if place.exists()), path)
    if not above.is_dir():
        raise UsageError(f"{above} is not a directory")


def tree_hash(path: Path) -> str:
    """Sha256 (hex) of a file's content, or of all names and contents below a directory."""
    digest = hashlib.sha256()
    if not path.is_dir():
        _feed(digest, path)
        return digest.hexdigest()
    for file in sorted(item for item in path.rglob("*") if not item.is_dir()):
        name = os.fsencode(file.relative_to(path).as_posix())
        content = hashlib.sha256()
        _feed(content, file)
        digest.update(b"%d " % len(name) + name + content.digest())
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, path: Path) -> None:
    with demand_plain(path).open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)


def log_tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log, "" if there is none.

    Bytes that are no text are replaced.
    """
    try:
        with demand_plain(path).open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except (OSError, InputError):
        return ""
    return "\n".join(deque(text.rstrip().splitlines(), maxlen=lines))


def remove(path: Path) -> None:
    """Delete a file, a link or a whole tree; a missing one is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
