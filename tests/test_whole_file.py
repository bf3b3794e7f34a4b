"""A file appears at once and whole, whatever happens while it is written."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from skrepr import _whole_file
from skrepr._whole_file import whole_file


def write(path, content=b"new"):
    with whole_file(path) as file:
        file.write(content)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_kinds_of_path(kind, path):
    write(kind(path))
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("failing", ["chmod", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_while_writing_leaves_the_earlier_file(path, monkeypatch, failing, error):
    def fail(*arguments):
        raise error

    path.write_bytes(b"earlier")
    with monkeypatch.context() as broken:
        broken.setattr(os, failing, fail)
        with pytest.raises(error):
            write(path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(path.parent) == [path.name]
    write(path)
    assert path.read_bytes() == b"new"


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "missing" / "file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_as_readable_as_any_other(path, tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write(path)
    assert mode_of(path) == mode_of(tmp_path / "plain")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400])
def test_permissions_are_kept(path, mode):
    path.write_bytes(b"")
    path.chmod(mode)
    write(path)
    assert mode_of(path) == mode
    assert path.read_bytes() == b"new"


def test_what_replaces_a_secret_file_is_never_readable_by_others(path):
    path.write_bytes(b"secret")
    path.chmod(0o600)
    with whole_file(path) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


@pytest.mark.parametrize("allowed", [True, False])
def test_the_owner_is_kept_where_that_is_allowed(path, monkeypatch, allowed):
    given = []

    def chown(draft, user, group):
        given.append((user, group))
        if not allowed:
            raise PermissionError

    path.write_bytes(b"")
    expected = path.stat().st_uid, path.stat().st_gid
    monkeypatch.setattr(os, "chown", chown)
    write(path)
    assert given == [expected]
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_followed(tmp_path, exists):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    if exists:
        target.write_bytes(b"earlier")
        target.chmod(0o640)
    link.symlink_to(os.path.join("elsewhere", "target"))
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == link.read_bytes() == b"new"
    assert not exists or mode_of(target) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "link"]
    assert os.listdir(tmp_path / "elsewhere") == ["target"]


def test_links_that_lead_nowhere(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic link"):
        write(tmp_path / "one")
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


def test_what_is_no_regular_file_is_left_alone(tmp_path):
    # devices are the same case, but a test must not have /dev/null to lose
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for place in (tmp_path / "pipe", tmp_path / "link"):
        with pytest.raises(OSError, match="Not a regular file"):
            write(place)
        assert place.is_fifo()
    assert (tmp_path / "link").is_symlink()


# A process that stops in the middle of writing, and says so.
STOPPING = """
import sys
from skrepr._whole_file import whole_file
with whole_file(sys.argv[1]) as file:
    file.write(b"last")
    print("written", flush=True)
    sys.stdin.readline()
"""


def start_writing(path):
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPING, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    return process


def test_what_a_killed_process_leaves_is_removed_by_the_next(tmp_path):
    other, path = tmp_path / "other", tmp_path / "file"
    path.write_bytes(b"earlier")
    with start_writing(path) as process:
        process.kill()
    assert path.read_bytes() == b"earlier"
    (left,) = set(os.listdir(tmp_path)) - {"file"}
    assert left.startswith(".") and left.endswith(".skrepr-part")
    write(other)
    assert left in os.listdir(tmp_path)  # it belongs to another file
    write(path)
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]
    assert path.read_bytes() == b"new"


def test_two_processes_may_write_one_file(path):
    with start_writing(path) as process:
        write(path)
        assert path.read_bytes() == b"new"
        process.communicate("go on\n")
    assert process.returncode == 0
    assert path.read_bytes() == b"last"
    assert os.listdir(path.parent) == [path.name]


def test_without_locks_a_file_is_written_all_the_same(path, monkeypatch):
    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_whole_file.fcntl, "flock", no_locks)
    write(path, b"first")
    monkeypatch.setattr(_whole_file, "fcntl", None)
    write(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == [path.name]


def test_long_names(tmp_path):
    path = tmp_path / ("x" * 255)
    write(path)
    assert path.read_bytes() == b"new"
