"""Playlists as files: M3U8, XSPF (xspf.org, version 1) and JSPF (XSPF in JSON), read and written.

What is written names tracks by title, artist, album, length, the bare name of the file, and the SHA-256 of its content
as a 'named information' URI (RFC 6920), never by a path of this machine. What is read is text from strangers: sizes and
counts are bounded, XML may hold no DTD, a location is only ever compared with names, never opened, and all of it happens
in a child process that can do nothing else, is killed when it takes long, and leaves the bot's own process free.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from core.audio.sandbox import ask
from core.errors import Fact, Refusal, UserError, error_of
from core.library.tags import one_line

if TYPE_CHECKING:  # the sandboxed child imports this module, too, and needs no database
    from core.library.playlists import Entry

FORMATS = {"m3u8": "M3U8", "xspf": "XSPF", "jspf": "JSPF"}

MOST_BYTES, MOST_ENTRIES = 2_000_000, 5000
"""What is read of a file; five hundred tracks are about 100 kB."""

_XSPF = "http://xspf.org/ns/0/"
MOST_LINE = 4_000
"""Characters that are read of a line or a field; the longest path that a system allows has about as many."""

_EXTINF = re.compile(r"#EXTINF:\s{0,9}(-?\d{1,9}(?:\.\d{1,6})?)[^,]{0,1000},(.*)", re.I)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Item:
    """One track as a file names it. `file_name` is the last part of its location."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    duration_s: float | None = None
    content_hash: str | None = None
    file_name: str | None = None

    @property
    def label(self) -> str:
        """How to name it to a reader."""
        parts = [part for part in (self.title, self.artist) if part]
        return " · ".join(parts) or self.file_name or "an entry without a name"


@dataclass(frozen=True)
class PlaylistFile:
    """What a file holds; `left_out` entries came after the most that are read."""

    name: str | None
    items: list[Item]
    left_out: int = 0


def item_of(entry: Entry) -> Item:
    """An entry of one of our playlists, as files name it."""
    known = re.fullmatch(r"[0-9a-f]{64}", entry.content_hash)
    path = PurePosixPath(entry.path or "")
    return Item(
        entry.title,
        entry.artist,
        entry.album,
        entry.duration_s,
        entry.content_hash if known else None,
        path.name or None if path.is_absolute() else None,  # an upload's file has a name of ours
    )


def write(name: str, items: Sequence[Item], form: str) -> bytes:
    """The playlist in one of FORMATS, UTF-8."""
    return {"m3u8": _write_m3u8, "xspf": _write_xspf, "jspf": _write_jspf}[form](name, items)


def read(data: bytes) -> PlaylistFile:
    """The playlist in any of the formats, told apart by what the file holds; read in the sandboxed child.

    Raises UserError with one clear sentence when it cannot be read.
    """
    if len(data) > MOST_BYTES:
        raise Refusal("playlist-file-too-large", most=MOST_BYTES // 1_000_000)
    told = ask("core.library.playlist_files:answer", data)
    if told is None:
        raise Refusal("playlist-file-slow")
    if "code" in told:
        raise error_of(told)
    return PlaylistFile(told["name"], [Item(*one) for one in told["items"]], told["left_out"])


def answer(file: IO[bytes]) -> dict[str, Any] | Fact:
    """The child's side of `read`: a PlaylistFile, its items as lists, or the refusal."""
    try:
        found = parse(file.read())
    except UserError as refusal:
        return refusal.fact
    return {"name": found.name, "items": [astuple(item) for item in found.items], "left_out": found.left_out}


def parse(data: bytes) -> PlaylistFile:
    """As `read`, in this process. Raises UserError."""
    text = _decoded(data)
    start = text.lstrip()[:1]
    if start == "<":
        found = _read_xspf(data)
    elif start == "{":
        found = _read_jspf(text)
    elif "\0" in text:
        raise Refusal("no-playlist-file")
    else:
        found = _read_m3u(text)
    if not found.items:
        raise Refusal("playlist-file-empty")
    return found


# -- M3U8 ---------------------------------------------------------------------------------------------------


def _write_m3u8(name: str, items: Sequence[Item]) -> bytes:
    lines = ["#EXTM3U", f"#PLAYLIST:{_line(name)}"]
    for item in items:
        seconds = -1 if item.duration_s is None else round(item.duration_s)
        heading = " - ".join(_line(part) for part in (item.artist, item.title) if part)
        lines.append(f"#EXTINF:{seconds},{heading}")
        # Readers skip comments that they do not know; these three make the way back exact.
        lines += [
            f"#{tag}:{_line(value)}"
            for tag, value in (("EXTART", item.artist), ("EXTALB", item.album), ("EXTTITLE", item.title))
            if value
        ]
        if item.content_hash:
            lines.append(f"#{_identifier(item.content_hash)}")
        location = _line(item.file_name or heading or "track")
        lines.append(f"./{location}" if location.startswith("#") else location)
    return ("\n".join(lines) + "\n").encode()


def _read_m3u(text: str) -> PlaylistFile:
    name: str | None = None
    items: list[Item] = []
    seen: dict[str, Any] = {}
    left_out = 0
    for raw in text.splitlines():
        line = raw[:MOST_LINE].strip()
        upper = line[:10].upper()
        if found := _EXTINF.match(line):
            seconds = float(found[1])
            artist, dash, title = found[2].partition(" - ")
            seen["duration_s"] = seconds if seconds > 0 else None
            seen.setdefault("title", title if dash else found[2])
            seen.setdefault("artist", artist if dash else None)
        elif upper.startswith("#PLAYLIST:"):
            name = name or _clean(line[10:])
        elif upper.startswith("#EXTART:"):
            seen["artist"] = line[8:]
        elif upper.startswith("#EXTALB:"):
            seen["album"] = line[8:]
        elif upper.startswith("#EXTTITLE:"):
            seen["title"] = line[10:]
        elif line.startswith("#ni:"):
            seen["content_hash"] = _hash(line[1:])
        elif line and not line.startswith("#"):
            if len(items) < MOST_ENTRIES:
                items.append(_item(seen, line))
            else:
                left_out += 1
            seen = {}
    return PlaylistFile(name, items, left_out)


# -- XSPF ---------------------------------------------------------------------------------------------------


def _write_xspf(name: str, items: Sequence[Item]) -> bytes:
    root = ElementTree.Element("playlist", {"version": "1", "xmlns": _XSPF})
    _child(root, "title", name)
    tracks = ElementTree.SubElement(root, "trackList")
    for item in items:
        track = ElementTree.SubElement(tracks, "track")
        for key, value in _fields(item).items():
            _child(track, key, str(value))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _child(parent: ElementTree.Element, tag: str, value: str) -> None:
    ElementTree.SubElement(parent, tag).text = _NOT_XML.sub("", value)


def _read_xspf(data: bytes) -> PlaylistFile:
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise Refusal("xspf-entities") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Refusal("xspf-broken", reason=_reason(error)) from error
    if _tag(root) != "playlist":
        raise Refusal("no-xspf")
    name: str | None = None
    items: list[Item] = []
    left_out = 0
    for child in root:
        if _tag(child) == "title":
            name = _clean(child.text)
        if _tag(child) != "tracklist":
            continue
        for track in child:
            if _tag(track) == "track" and len(items) >= MOST_ENTRIES:
                left_out += 1
            elif _tag(track) == "track":
                found: dict[str, Any] = {}
                for part in track:
                    found.setdefault(_tag(part), []).append(part.text or "")
                items.append(_from_fields(found))
    return PlaylistFile(name, items, left_out)


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


# -- JSPF ---------------------------------------------------------------------------------------------------


def _write_jspf(name: str, items: Sequence[Item]) -> bytes:
    tracks = [
        {key: [value] if key in ("identifier", "location") else value for key, value in _fields(item).items()}
        for item in items
    ]
    return json.dumps({"playlist": {"title": name, "track": tracks}}, ensure_ascii=False, indent=1).encode(
        "utf-8", "replace"
    )


def _read_jspf(text: str) -> PlaylistFile:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal("jspf-broken", reason=_reason(error)) from error
    playlist = data.get("playlist")
    tracks = playlist.get("track") if isinstance(playlist, dict) else None
    if not isinstance(playlist, dict) or not isinstance(tracks, list):
        raise Refusal("no-jspf")
    rows = [track for track in tracks if isinstance(track, dict)]
    items = [
        _from_fields({key: value if isinstance(value, list) else [value] for key, value in row.items()})
        for row in rows[:MOST_ENTRIES]
    ]
    return PlaylistFile(_clean(playlist.get("title")), items, max(len(rows) - MOST_ENTRIES, 0))


# -- what XSPF and JSPF share -------------------------------------------------------------------------------


def _fields(item: Item) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "identifier": _identifier(item.content_hash) if item.content_hash else None,
        "title": item.title,
        "creator": item.artist,
        "album": item.album,
        "duration": None if item.duration_s is None else round(item.duration_s * 1000),
    }
    return {key: value for key, value in fields.items() if value is not None}


def _from_fields(fields: dict[str, list[Any]]) -> Item:
    """An item from {name: values} of XSPF, where values may be anything."""

    def first(name: str) -> Any:
        return next(iter(fields.get(name) or ()), None)

    try:
        milliseconds = float(first("duration"))
    except (TypeError, ValueError, OverflowError):
        milliseconds = 0.0
    hashes = (_hash(value) for value in fields.get("identifier") or () if isinstance(value, str))
    location = first("location")
    return _item(
        {
            "title": first("title"),
            "artist": first("creator"),
            "album": first("album"),
            "duration_s": milliseconds / 1000 if 0 < milliseconds < 1e9 else None,
            "content_hash": next((found for found in hashes if found), None),
        },
        location if isinstance(location, str) else "",
    )


def _item(fields: dict[str, Any], location: str) -> Item:
    duration = fields.get("duration_s")
    return Item(
        _clean(fields.get("title")),
        _clean(fields.get("artist")),
        _clean(fields.get("album")),
        duration if duration and 0 < duration < 1e6 else None,
        fields.get("content_hash"),
        _file_name(location),
    )


def _file_name(location: str) -> str | None:
    """The last part of a path, a Windows path or a URL: a name to compare, nothing to open."""
    location = location[:MOST_LINE].strip()
    try:
        parts = urlsplit(location)
        if parts.scheme in ("file", "http", "https"):
            location = unquote(parts.path)
    except ValueError:
        pass
    return _clean(PurePosixPath(location.replace("\\", "/")).name)


def _identifier(content_hash: str) -> str:
    digest = base64.urlsafe_b64encode(bytes.fromhex(content_hash)).decode().rstrip("=")
    return f"ni:///sha-256;{digest}"


def _hash(identifier: str) -> str | None:
    found = re.fullmatch(r"ni:///sha-256;([A-Za-z0-9_-]{43})", identifier.strip())
    if not found:
        return None
    try:
        return base64.urlsafe_b64decode(found[1] + "=").hex()
    except binascii.Error:
        return None


def _decoded(data: bytes) -> str:
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _clean(text: object) -> str | None:
    return one_line(text) if isinstance(text, str) else None


def _line(text: str) -> str:
    return one_line(text) or ""


def _reason(error: Exception) -> str:
    return (one_line(str(error)) or type(error).__name__)[:80]
