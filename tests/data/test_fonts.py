import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from inkdigits.data import fonts
from inkdigits.data.fonts import FONTS, PRINT_FONTS, Font, fonts_or_reason, handwriting_fonts
from inkdigits.errors import FetchError, NetworkError

CONTENT = b"wOF2 of nobody"
FONT = Font("nobody", "1.2.3", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves this machine: every mirror fails as one without a network does."""

    def refuse(urls: list[str], target: Path, sha256: str) -> str:
        raise NetworkError(f"could not fetch {target.name}")

    monkeypatch.setattr(fonts.download, "fetch", refuse)
    monkeypatch.delenv("INKDIGITS_OFFLINE", raising=False)


def npm_with(content: bytes, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Let npm answer with a package that holds ``content``; return the list of the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], cwd: str, **_: object) -> None:
        commands.append(command)
        with tarfile.open(Path(cwd) / "fontsource-nobody-1.2.3.tgz", "w:gz") as package:
            member = tarfile.TarInfo(f"package/files/{FONT.file}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))

    monkeypatch.setattr(fonts.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_every_font_of_the_table_has_its_own_name_and_checksum() -> None:
    both = FONTS + PRINT_FONTS
    assert 20 <= len(FONTS) <= 60
    assert 10 <= len(PRINT_FONTS) <= 30
    assert len({font.name for font in both}) == len({font.sha256 for font in both}) == len(both)
    assert all(len(font.sha256) == 64 and font.version for font in both)


def test_a_font_that_is_kept_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / FONT.file).write_bytes(CONTENT)
    assert handwriting_fonts([FONT], tmp_path) == (tmp_path / FONT.file,)


def test_a_kept_font_with_other_bytes_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FONT.file).write_bytes(b"half of it")
    commands = npm_with(CONTENT, monkeypatch)
    assert handwriting_fonts([FONT], tmp_path)[0].read_bytes() == CONTENT
    assert commands == [["npm", "pack", "--silent", "@fontsource/nobody@1.2.3"]]


def test_a_package_with_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_with(b"something else", monkeypatch)
    with pytest.raises(FetchError, match="another sha256"):
        handwriting_fonts([FONT], tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_a_network_the_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts.shutil, "which", lambda name: None)
    paths, reason = fonts_or_reason([FONT], tmp_path)
    assert paths == ()
    assert reason == f"lines are made without handwriting fonts: could not fetch {FONT.file}"


def test_when_npm_fails_too_the_mirrors_answer_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_with(CONTENT, monkeypatch)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1).check_returncode())
    assert fonts_or_reason([FONT], tmp_path)[1].endswith(f"could not fetch {FONT.file}")


def test_a_font_with_another_checksum_is_no_reason_to_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm_with(b"something else", monkeypatch)
    with pytest.raises(FetchError, match="another sha256"):
        fonts_or_reason([FONT], tmp_path)


def test_offline_does_not_ask_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = npm_with(CONTENT, monkeypatch)
    monkeypatch.setenv("INKDIGITS_OFFLINE", "1")
    assert fonts_or_reason([FONT], tmp_path)[0] == ()
    assert not commands
