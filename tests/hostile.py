"""Small files that take decoders for ever, or all memory. Each function returns the content of one."""

import struct
import zlib


def dashed_lines_pdf(lines: int = 200_000) -> bytes:
    """A PDF of 9 kB with lines across the page, drawn with a dash of 0.001 points: hours of drawing."""
    drawing = b"[0.001 0.001] 0 d 0.1 w\n" + b"0 0 m 600 800 l S\n" * lines
    return pdf([stream(drawing)])


def nested_forms_pdf(depth: int = 8, calls: int = 10) -> bytes:
    """A PDF of 2 kB whose page draws a form ten times, which draws another one ten times, and so on."""
    names = [f"/F{level}" for level in range(depth + 1)]
    forms = []
    for level in range(depth):
        inner = f"{names[level + 1]} Do\n".encode() * calls if level + 1 < depth else b"0 0 1 1 re f\n"
        resources = f"/Resources << /XObject << {names[level + 1]} {6 + level} 0 R >> >>" if level + 1 < depth else ""
        forms.append(stream(inner, f"/Type /XObject /Subtype /Form /BBox [0 0 600 800] {resources}"))
    return pdf([stream(b"/F0 Do\n" * calls)], forms, "/XObject << /F0 5 0 R >>")


def large_stream_pdf(megabytes: int = 4000) -> bytes:
    """A PDF of some kB whose page is a stream of spaces, compressed twice, that unpacks to ``megabytes``."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # can be repeated
    twice = zlib.compress(b"\x78\xda" + block * megabytes + b"\x03\0", 9)
    return pdf([b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%s\nendstream" % (len(twice), twice)])


def tiff_chain(directories: int = 700_000) -> bytes:
    """A TIFF of 30 bytes per directory: one pixel, and a chain of directories with two entries each."""
    entries = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1)]
    first = 10
    following = first + 2 + 12 * len(entries) + 4
    out = [b"II*\0", struct.pack("<I", first), b"\xff\0", struct.pack("<H", len(entries))]
    out += [struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries]
    out.append(struct.pack("<I", following))
    for index in range(directories):
        end = following + 30 * (index + 1) if index + 1 < directories else 0
        out.append(struct.pack("<HHHIIHHIII", 2, 256, 4, 1, 1, 257, 4, 1, 1, end))
    return b"".join(out)


def stream(content: bytes, extra: str = "") -> bytes:
    """Return a compressed stream of a PDF."""
    packed = zlib.compress(content, 9)
    head = f"<< /Length {len(packed)} /Filter /FlateDecode {extra} >>\nstream\n"
    return head.encode() + packed + b"\nendstream"


def pdf(pages: list[bytes], others: list[bytes] | None = None, resources: str = "") -> bytes:
    """Return a PDF. Its first page's object is 3, the content is 4; ``others`` begin at 5 when there is one page."""
    count = len(pages)
    kids = " ".join(f"{3 + 2 * index} 0 R" for index in range(count))
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode()]
    for index, content in enumerate(pages):
        page = f"/MediaBox [0 0 600 800] /Resources << {resources} >> /Contents {4 + 2 * index} 0 R"
        objects += [f"<< /Type /Page /Parent 2 0 R {page} >>".encode(), content]
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate([*objects, *(others or [])], 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, start)
    return bytes(out)


def many_pages_pdf(pages: int) -> bytes:
    """A PDF of many empty pages."""
    return pdf([stream(b"")] * pages)


def large_png(side: int) -> bytes:
    """A small PNG file of white paper with ``side`` squared pixels."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((side + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    out = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        out += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return out


def animation(frames: int, side: int = 2000) -> bytes:
    """A GIF of many frames with ``side`` squared pixels, each of which is stored as one pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0\0\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b"\x3b"


def nested_json(depth: int) -> bytes:
    """A JSON body whose image is lists in lists."""
    return b'{"image":' + b"[" * depth + b"]" * depth + b"}"
