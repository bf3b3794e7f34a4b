"""A file that appears at once and whole, or not at all."""

import errno
import hashlib
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which does not remove files that are open
    fcntl = None

_DRAFT = ".skrepr-part"


def check_regular(status, path):
    """Raise unless ``status`` is that of a file with bytes of its own."""
    if not stat.S_ISREG(status.st_mode):
        reason = "Not a regular file, but a directory, device or pipe"
        raise OSError(errno.EINVAL, reason, str(path))


@contextmanager
def whole_file(path):
    """Open a draft next to a file, which takes its place once all of it is written.

    An existing file is replaced, and its owner and permissions are kept, as far as this user
    may; a symbolic link is followed. A process that is killed leaves its draft, which the next
    one that writes the same file removes.

    Parameters
    ----------
    path : str or os.PathLike

    Yields
    ------
    file : binary file
        To write to.

    Raises
    ------
    OSError
        If `path` cannot be written, or is no regular file.
    """
    try:
        earlier = os.stat(path)
        check_regular(earlier, path)
    except FileNotFoundError:
        earlier = None
    target = Path(os.path.realpath(path))  # a link stays, and what it points to is replaced
    # of fixed length, since the name of the file itself may be as long as names can be
    prefix = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"
    _remove_drafts_of_the_dead(target.parent, prefix)
    file = _new_draft(target.parent, prefix, mode=0o666 if earlier is None else 0o600)
    draft = Path(file.name)
    try:
        with file:
            if earlier is not None:
                _take_over(draft, earlier)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                os.replace(draft, target)  # while nobody takes it for one of the dead
        if fcntl is None:
            os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _new_draft(folder, prefix, mode):
    """Open a new file that this process holds a lock on."""
    while True:
        draft = folder / f"{prefix}{secrets.token_hex(4)}{_DRAFT}"
        file = open(draft, "xb", opener=lambda path, flags: os.open(path, flags, mode))  # noqa: SIM115
        if not _lock(file) or os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # taken for one of the dead before it was locked


def _remove_drafts_of_the_dead(folder, prefix):
    for draft in folder.glob(f"{prefix}*{_DRAFT}"):
        with suppress(OSError):
            if fcntl is None:
                draft.unlink()
                continue
            flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW
            with open(os.open(draft, flags), "rb") as file:
                if _lock(file, wait=False):
                    draft.unlink()


def _lock(file, wait=True):
    """Lock a file until it is closed or the process dies; return whether that was possible."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


def _take_over(draft, earlier):
    """Give a draft the owner, as far as this user may, and the permissions of a file."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(draft, earlier.st_uid, earlier.st_gid)
    os.chmod(draft, stat.S_IMODE(earlier.st_mode))
