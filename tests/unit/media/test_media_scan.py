from __future__ import annotations

import hashlib
import os
from pathlib import Path

import fsspec
import pytest

from suffice.errors import MediaError, SufficeError
from suffice.media.scan import content_hash, describe, expand, open_file

ODD_NAMES = [
    "it's.txt",
    'a "b".txt',
    "new\nline.txt",
    "naïve 雪.txt",
    "take[1].txt",
    "100%.txt",
    "a*b?.txt",
    "x;--.txt",
]


def write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def paths(pattern: object, roots: list[str] | None = None) -> list[str]:
    return [file.path for file in expand(str(pattern), roots)]


def test_a_folder_is_taken_with_all_below_it_sorted(tmp_path: Path) -> None:
    wanted = [write(tmp_path / name) for name in ("b.txt", "a/z.txt", "c/d/e.txt")]
    write(tmp_path / ".hidden")
    write(tmp_path / ".git/c.txt")
    assert paths(tmp_path) == sorted(map(str, wanted))


def test_globs_cross_folders_only_with_two_stars(tmp_path: Path) -> None:
    top, deep = write(tmp_path / "a.mp4"), write(tmp_path / "b/c/d.mp4")
    write(tmp_path / "b/c/d.txt")
    assert paths(tmp_path / "*.mp4") == [str(top)]
    assert paths(tmp_path / "**/*.mp4") == [str(top), str(deep)]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_found_literally_by_glob_and_by_folder(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, name.encode())
    write(tmp_path / "take1.txt")
    assert paths(path) == [str(path)]
    assert str(path) in paths(tmp_path)
    assert str(path) in paths(tmp_path / "*.txt")
    assert content_hash(str(path)) == hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    assert paths(f"file://{path}") == [str(path)]


@pytest.mark.parametrize("name", ["it's.txt", "naïve 雪.txt", "new\nline.txt", "take[1].txt"])
def test_object_stores(name: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/bucket/{name}": b"abc", "/bucket/deep/other.mp4": b"d"})
    url = f"memory://bucket/{name}"
    try:
        (found,) = expand(url)
        assert found.size_bytes == 3
        assert found.path.endswith(f"/bucket/{name}")
        assert content_hash(found.path) == hashlib.blake2b(b"abc", digest_size=16).hexdigest()
        with open_file(found.path) as file:
            file.seek(1)
            assert file.read() == b"bc"
        assert len(paths("memory://bucket")) == 2
        assert paths("memory://bucket/**/*.mp4") == [path for path in paths("memory://bucket") if path.endswith("mp4")]
        memory.pipe({f"/bucket/{name}": b"abd"})
        assert describe(found.path).stamp != found.stamp
    finally:
        memory.rm("/bucket", recursive=True)


def test_nothing_in_an_object_store_names_the_nearest() -> None:
    fsspec.filesystem("memory").pipe({"/town/street.mp4": b"x"})
    with pytest.raises(MediaError, match=r"stret\.mp4' matches no file.*street\.mp4"):
        expand("memory://town/stret.mp4")
    fsspec.filesystem("memory").rm("/town", recursive=True)


def test_an_unknown_store_is_named() -> None:
    with pytest.raises(SufficeError, match="no driver for 'nosuch://a'"):
        expand("nosuch://a")


def test_nothing_names_the_pattern_and_the_nearest_sibling(tmp_path: Path) -> None:
    write(tmp_path / "street/pedestrians.mp4")
    with pytest.raises(MediaError, match=r"pedestrian\.mp4' matches no file.*did you mean 'pedestrians\.mp4'"):
        expand(str(tmp_path / "street/pedestrian.mp4"))
    with pytest.raises(MediaError, match=r"has no 'stret'.*did you mean 'street'"):
        expand(str(tmp_path / "stret/*.mp4"))
    with pytest.raises(MediaError):
        expand(str(tmp_path / "*.avi"))


def test_roots_hold_against_dots_links_and_hints(tmp_path: Path) -> None:
    inside, secret = write(tmp_path / "in/a.mp4"), write(tmp_path / "out/secret.mp4")
    roots = [str(tmp_path / "in")]
    assert paths(tmp_path / "in", roots) == [str(inside)]
    for pattern in (secret, tmp_path / "in/../out/*.mp4", tmp_path / "*/*.mp4", tmp_path / "out/secre.mp4"):
        with pytest.raises(SufficeError, match="lies outside the allowed") as caught:
            expand(str(pattern), roots)
        assert "did you mean" not in str(caught.value)
    (tmp_path / "in/link.mp4").symlink_to(secret)
    with pytest.raises(SufficeError, match=r"link\.mp4' lies outside"):
        expand(str(tmp_path / "in"), roots)
    with pytest.raises(SufficeError, match="outside"):
        expand("memory://x", roots)


def test_roots_that_are_urls() -> None:
    fsspec.filesystem("memory").pipe({"/yard/a": b"x", "/yard2/a": b"x"})
    assert len(expand("memory://yard/a", ["memory://yard"])) == 1
    for url in ("memory://yard2/a", "memory://yard/../yard2/a", "simplecache::memory://yard/a", "/etc/hostname"):
        with pytest.raises(SufficeError, match="outside"):
            expand(url, ["memory://yard"])
    fsspec.filesystem("memory").rm("/yard", recursive=True)
    fsspec.filesystem("memory").rm("/yard2", recursive=True)


def test_a_link_in_a_circle_shows_each_file_once(tmp_path: Path) -> None:
    file = write(tmp_path / "a/b.mp4")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    assert paths(tmp_path / "**/*.mp4") == [str(file)]
    (tmp_path / "a/again.mp4").symlink_to(file)
    (tmp_path / "a/other_loop").symlink_to(tmp_path)
    for pattern in (tmp_path, tmp_path / "**", tmp_path / "**/*.mp4", tmp_path / "**/a/**/*.mp4"):
        assert len(paths(pattern)) == 2


def test_linked_folders_are_followed_and_odd_folders_taken_literally(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/a.mp4")
    (tmp_path / "take[1]").mkdir()
    (tmp_path / "take[1]/link").symlink_to(tmp_path / "elsewhere")
    for pattern in ("", "**/*.mp4", "*/a.*", "link/*", "l*/**"):
        assert paths(tmp_path / "take[1]" / pattern) == [str(tmp_path / "take[1]/link/a.mp4")]


def test_a_dangling_link_is_listed_so_that_it_can_be_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    (found,) = expand(str(tmp_path))
    assert found.size_bytes == -1
    with pytest.raises(MediaError, match=r"gone\.mp4' cannot be read"):
        open_file(found.path)


def test_pipes_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    write(tmp_path / "a.mp4")
    assert len(expand(str(tmp_path))) == 1
    with pytest.raises(MediaError, match="not a regular file"):
        open_file(str(tmp_path / "pipe.mp4"))


def test_the_stamp_tells_every_kind_of_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"one")
    stamps = {describe(str(path)).stamp}
    path.write_bytes(b"four")
    stamps.add(describe(str(path)).stamp)
    os.utime(path, ns=(1, 1))
    stamps.add(describe(str(path)).stamp)
    write(tmp_path / "b", b"five").replace(path)
    os.utime(path, ns=(1, 1))
    stamps.add(describe(str(path)).stamp)
    path.unlink()
    stamps.add(describe(str(path)).stamp)
    assert len(stamps) == 5
