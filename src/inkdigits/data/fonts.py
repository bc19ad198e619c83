"""Fonts of handwriting and of print under the SIL Open Font License, fetched when lines are made for training.

They are never needed to read. Each is one file of a package @fontsource/NAME, kept in the user's cache folder and
checked by its sha256.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import platformdirs

from inkdigits.data import download
from inkdigits.errors import FetchError, NetworkError
from inkdigits.files import write_bytes

LICENCE = "OFL-1.1"  # of all of them
MIRRORS = (
    "https://cdn.jsdelivr.net/npm/@fontsource/{name}@{version}/files/{file}",
    "https://unpkg.com/@fontsource/{name}@{version}/files/{file}",
)
NPM_TIMEOUT = 300.0  # seconds for all packages


class Font(NamedTuple):
    """A font: its package @fontsource/``name``, the version of it, and the sha256 of its file."""

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file: the regular weight's Latin part."""
        return f"{self.name}-latin-400-normal.woff2"


FONTS = (
    Font("annie-use-your-telescope", "5.3.0", "26d9ba2054906590316cafe4fee055a4d43fa804a5f44c2aa1bd91911d495f10"),
    Font("architects-daughter", "5.3.0", "284a3c1856b253a681c180bf5328cae3b94d4aaab702f6385490ec4e1b449df3"),
    Font("bad-script", "5.3.0", "01c47bfe80281d0a2f2554f1226de5e75fca6655751c287bf1590ce350c23971"),
    Font("caveat", "5.3.0", "d0b7b931b8980049327e8f8f9ac264617c8200b8422d62e886473d3d9527bad3"),
    Font("caveat-brush", "5.3.0", "1e1ef30f8b69c21206603097ad0ba68591539af68214f7cfb2fbd23991accd48"),
    Font("cedarville-cursive", "5.3.0", "ac7aa92ed78f9e9598a1efa3aa33b3963daf276b1f4851baa104f647d5f648d8"),
    Font("covered-by-your-grace", "5.3.0", "d2e1a521cf22027d0bb0651f2e6fff548320c18482dd8d52bc4e785563136050"),
    Font("delicious-handrawn", "5.3.0", "2326555b6a7faec1a227b0b8595f51530f981dc6077b5e6ed5aaeb4e585599d7"),
    Font("delius", "5.3.0", "ff2f88a12630943f6104ad66149506e5cead8a7c8e85db3263b0e970cfb17994"),
    Font("gaegu", "5.3.0", "1964c6ff2196903d2b44f48f71a7a0ab593012bae9216c96f377b90ff9b0435f"),
    Font("gloria-hallelujah", "5.3.0", "90b0ef8d2ed6d4b46b4e010e7b335b182c45c330a15bac3ca76497dbae544700"),
    Font("gochi-hand", "5.3.0", "8851738d8167bd0384db9dee1df6e5b5e2f9221e613e3466cdea19587a81d7b6"),
    Font("handlee", "5.3.0", "d3807ea30015f5082c0a3e2b7803885310db888be091dbc86fecb1ca67f3c622"),
    Font("herr-von-muellerhoff", "5.3.0", "180aa0b738448f1055012eae583406e825ed4dc63be55329e6f97e484c755cb5"),
    Font("indie-flower", "5.3.0", "cb57752edc96294323252e8d84fa25f975943b2ef3e87b2c984b15ca935d7657"),
    Font("kalam", "5.3.0", "954410601a823f37e219f7930b7446f86afa15621326a7078d56fb9c910135cb"),
    Font("licorice", "5.3.0", "7b56033a3eca0a071d4743ee9c1cca2ad9b92682533ef584000cbef3721d5370"),
    Font("liu-jian-mao-cao", "5.3.0", "025a844e8db31dab4fe8f68afd0ea6645556afc24c6a408f35c8d8997b88b258"),
    Font("long-cang", "5.3.0", "aa0b77b3c13446ff62afc170a1cebbeddece530569051dbeee6461755eed25dc"),
    Font("mansalva", "5.3.0", "f1af85c4066b3cecb1824b2c439fc9ee658e1e0732dd8df683d2d1c517bad47a"),
    Font("marck-script", "5.3.0", "b32acf77642711e18c14d57aabeefa02ee25664a7f40929ee5f72396557b6e76"),
    Font("mr-de-haviland", "5.3.0", "a72335b7d7b256e00e4c12d6bb418e015613a1d15db02000c94cf319ae732e30"),
    Font("nanum-brush-script", "5.3.0", "0fcb6819fafe4c03a1124556e0c7d6be22b1e98c567c048a38d1c48a43620781"),
    Font("nanum-pen-script", "5.3.0", "899aa0335c147f0574f17a09fce2e301179cb0232bc96e17feded9d1a06ad5aa"),
    Font("neucha", "5.3.0", "5e0c6ca42b9531a42a7994e3ed907ea9e3a360dcaa6f77847ef587340d21d6ac"),
    Font("oooh-baby", "5.3.0", "3592f5779ed3dc269d91e755b7031876de68f11230aff31cb4e08a6eb829c41e"),
    Font("patrick-hand", "5.3.0", "ac5bc9033b2572bf84d39f7150c1634e37ed16e8dbee632d6d0bceac0bbf0199"),
    Font("playpen-sans", "5.3.0", "0501cbd3556c27d1ecd7476df25ec616754fc646c43b4f37cbe0b3007ad61baa"),
    Font("reenie-beanie", "5.3.0", "f86de18375e3edba402d39ff85030e270f724d7af865f74a74c92f34a947072c"),
    Font("shadows-into-light", "5.3.0", "2498c027559c4ae9a920e18e30031193148983e7ea195416d62c5d0ea2eaa3ac"),
    Font("shantell-sans", "5.3.0", "a8c243d16aee38b5d106791343c95e5e77d9ae7f5761d7d432de88e2904fa11f"),
    Font("short-stack", "5.3.0", "eed62bca9927bcbd97fa2432f2344013b1bed43f0529d926f00aa63c5d050a36"),
    Font("sriracha", "5.3.0", "dd66cc98657b4048be3950edac49aea725b2a9db5db6cea36b639160a88d7691"),
    Font("sue-ellen-francisco", "5.3.0", "af35498e786cbebc60db75e5bd1448472dc44cda41698708edc7ae770fbf469c"),
    Font("swanky-and-moo-moo", "5.3.0", "e91335294902c18260c372cbefb30d5eb5bccb396f1a46c8796ff68594c531b4"),
    Font("the-girl-next-door", "5.3.0", "2f4e5d1a5879c1ae55aea79a7b9f850ab9ea1c2e3557958af290c54bc64e684f"),
    Font("yomogi", "5.3.0", "d45d8563b3a0ecaa77d3afa56ebf6d9d006d07e91f3e2d84adbd203249ad1fa3"),
    Font("zhi-mang-xing", "5.3.0", "cab5cb2ca600904e36b711766bceea8d77e67ea99c3024201b5e09779290c8b6"),
)

PRINT_FONTS = (  # for printed words, which are no numbers
    Font("courier-prime", "5.3.0", "f09844e1f4fe9e67df2cc77474519e68756d559b4648278b9dd4f03c8ac9c31f"),
    Font("crimson-text", "5.3.0", "538c7067580f457dd3dd98ebaabeb19405c12bdd01674d3db8fd9948ee73c862"),
    Font("ibm-plex-mono", "5.3.0", "08949f728dc52d528e69b1667d15c89a5686a4ee9a296ff90983985f99c380f7"),
    Font("ibm-plex-sans", "5.3.0", "3b646991d30055a93a4ecc499713d4347953a74a947ecab435ab72070cbdab0e"),
    Font("inter", "5.3.0", "8909904ab6c872eb994093482a88a28eca2cd95912d7b6fecd72103b0dc07edc"),
    Font("lato", "5.3.0", "918b7dc3e2e2d015c16ce08b57bcb64d2253bafc1707658f361e72865498e537"),
    Font("libre-baskerville", "5.3.0", "3eb80fbca70498126925ce16ff5c20b2fa35e67ae7123ddb46302d2778dfbf0e"),
    Font("merriweather", "5.3.0", "66f5bd22d738a801a9e58d71920559743b0baaced04be299e3c4feca3dce3556"),
    Font("montserrat", "5.3.0", "e66bcd2761ab6924b25ce70dafe10e57a39193c4fea1516730bd9cb5240af6c8"),
    Font("noto-sans", "5.3.0", "09aee8065d25508f23a4c3d92cd777ac869c52d93fd868a88f025d888a7937d6"),
    Font("noto-serif", "5.3.0", "4c0cbe3eec50d260754d681c17ee2af49a43d7fd93ce42877f665fcb1a889b87"),
    Font("open-sans", "5.3.0", "0e44026ad31376af1b56593cd4acb4f353f8e8789c51759e18f64578e4ef296a"),
    Font("pt-sans", "5.3.0", "2dea6190c113af617923c6b71f7f10ffbdf72074556f79963610254fe40e49be"),
    Font("pt-serif", "5.3.0", "4271064a37f3ffc0aac5f3806db8a72acc23e19447d1804e4e80d8796cbf6330"),
    Font("roboto-condensed", "5.3.0", "543c03fff71d1b39590af102e0852c2dbce46f4dbe4faaebafbef6edc82e78f5"),
    Font("source-serif-4", "5.3.1", "02194deb92d3975dd30e11a3824a1f1db32b48c93654e60560cb81ce8e7b5f95"),
)


def font_folder() -> Path:
    """Return the folder in the user's cache where fonts are kept."""
    return platformdirs.user_cache_path("inkdigits") / "fonts"


def handwriting_fonts(fonts: Sequence[Font] = FONTS, folder: Path | None = None) -> tuple[Path, ...]:
    """Return the files of ``fonts``; those that are missing are fetched from a mirror, or by npm if it is installed.

    Raises
    ------
    NetworkError
        When a font is missing and no mirror can be reached.
    DataError
        When a font is missing and could not be fetched for another reason.
    """
    folder = folder or font_folder()
    missing = [font for font in fonts if not _is_whole(folder / font.file, font)]
    for index, font in enumerate(missing):
        urls = [mirror.format(name=font.name, version=font.version, file=font.file) for mirror in MIRRORS]
        try:
            download.fetch(urls, folder / font.file, font.sha256)
        except FetchError as error:
            if download.offline() or shutil.which("npm") is None:
                raise
            _fetch_by_npm(missing[index:], folder, error)
            break
    return tuple(folder / font.file for font in fonts)


def fonts_or_reason(fonts: Sequence[Font] = FONTS, folder: Path | None = None) -> tuple[tuple[Path, ...], str]:
    """Return the files of ``fonts`` and an empty text; without a network, no files and the reason in one line.

    Raises
    ------
    DataError
        When a font could not be fetched for another reason than the network.
    """
    try:
        return handwriting_fonts(fonts, folder), ""
    except NetworkError as error:
        return (), f"lines are made without handwriting fonts: {error}"


def _is_whole(path: Path, font: Font) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == font.sha256


def _fetch_by_npm(fonts: Sequence[Font], folder: Path, failure: FetchError) -> None:
    """Have npm download the packages, and keep the one file of each.

    Raises
    ------
    FetchError
        ``failure``, that of the mirrors, when npm fails too; another one when a file has another sha256.
    """
    with tempfile.TemporaryDirectory() as scratch:
        packages = [f"@fontsource/{font.name}@{font.version}" for font in fonts]
        command = ["npm", "pack", "--silent", *packages]
        try:
            subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=NPM_TIMEOUT)
        except (subprocess.SubprocessError, OSError) as error:
            raise failure from error
        for font in fonts:
            write_bytes(folder / font.file, _packed(Path(scratch) / f"fontsource-{font.name}-{font.version}.tgz", font))


def _packed(archive: Path, font: Font) -> bytes:
    """Return a font's file from the archive of its package, checked."""
    try:
        with tarfile.open(archive) as package:
            member = package.extractfile(f"package/files/{font.file}")
            content = member.read() if member else b""
    except (OSError, KeyError, tarfile.TarError) as error:
        raise FetchError(f"{archive.name} has no {font.file}") from error
    if hashlib.sha256(content).hexdigest() != font.sha256:
        raise FetchError(f"{font.file} has another sha256 than expected")
    return content
