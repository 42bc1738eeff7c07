"""Playlist files: what is written is read back, and nothing that is read does harm."""

from __future__ import annotations

import gc
import json
import resource
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.words.say import say
from core.audio.sandbox import MOST_SECONDS
from core.errors import UserError
from core.library.playlist_files import FORMATS, MOST_BYTES, MOST_ENTRIES, Item, parse, read, write
from core.library.tags import one_line
from tests.refusals import refusal

NAMES = st.text(min_size=1, max_size=60).map(lambda text: one_line(text) or "x")
ITEMS = st.builds(
    Item,
    title=NAMES,
    artist=st.none() | NAMES,
    album=st.none() | NAMES,
    duration_s=st.none() | st.integers(1, 36_000).map(float),
    content_hash=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=60, deadline=None)
@given(name=NAMES, items=st.lists(ITEMS, min_size=1, max_size=5))
def test_what_is_written_is_read_back(form: str, name: str, items: list[Item]) -> None:
    found = parse(write(name, items, form))
    assert found.name == name and found.left_out == 0
    assert [
        Item(one.title, one.artist, one.album, one.duration_s, one.content_hash) for one in found.items
    ] == items


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_anything_else_is_read_or_refused_in_a_sentence(data: bytes) -> None:
    try:
        found = parse(data)
    except UserError as refusal:
        assert say(refusal).endswith(".")
    else:
        assert found.items and all(len(one.title or "") <= 200 for one in found.items)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["title", "creator", "location", "duration", "identifier"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_json_of_any_shape_is_read_or_refused(value: object) -> None:
    for data in ({"playlist": value}, {"playlist": {"title": value, "track": [value]}}):
        try:
            parse(json.dumps(data).encode())
        except UserError as refusal:
            assert "JSPF" in say(refusal)


def test_a_list_as_other_players_write_it() -> None:
    text = (
        '\ufeff#EXTM3U\r\n#EXTENC:UTF-8\r\n#PLAYLIST:Sunday\r\n#EXTINF:185 tvg-id="1",Björk - Jóga\r\n'
        "C:\\Music\\Björk\\Jóga.flac\r\n\r\n#EXTINF:-1,No artist here\r\nfile:///home/me/M%C3%BAm/01%20Green.mp3\r\n"
        "../../../etc/passwd\r\n"
    )
    found = read(text.encode())
    assert found.name == "Sunday"
    assert found.items[0] == Item("Jóga", "Björk", None, 185.0, None, "Jóga.flac")
    assert found.items[1] == Item("No artist here", file_name="01 Green.mp3")
    assert found.items[2] == Item(file_name="passwd")
    assert read("#EXTINF:3,Größe\nx.mp3".encode("cp1252")).items[0].title == "Größe"
    assert read("#EXTINF:3,Größe\nx.mp3".encode("utf-16")).items[0].title == "Größe"


def test_xspf_of_others_with_prefixes_and_strange_parts() -> None:
    text = """<?xml version="1.0"?><x:playlist xmlns:x="http://xspf.org/ns/0/" version="1"><x:title>T</x:title>
    <x:trackList><x:track><x:location>http://a/b%20c.mp3</x:location><x:title>One</x:title><x:duration>x</x:duration>
    <x:extension><y/></x:extension></x:track><x:track/></x:trackList></x:playlist>"""
    found = read(text.encode())
    assert found.name == "T" and found.items == [Item("One", file_name="b c.mp3"), Item()]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "names no track"),
        (b"#EXTM3U\n", "names no track"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not a playlist"),
        (b"<html></html>", "no XSPF playlist"),
        (b"<playlist>", "broken"),
        (b'{"playlist": []}', "no JSPF playlist"),
        (b"{" * 90_000, "broken"),
        (b'{"playlist":' + b"[" * 90_000, "broken"),
        (b"x" * (MOST_BYTES + 1), "larger than"),
        (
            b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
            b"<playlist><title>&b;</title></playlist>",
            "entities",
        ),
        (
            b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><playlist><title>&x;</title></playlist>',
            "entities",
        ),
        (b'<?xml version="1.0" encoding="utf-7"?><playlist/>', "broken"),
    ],
)
def test_hostile_files_are_refused_in_a_sentence(data: bytes, says: str) -> None:
    with refusal(says):
        read(data)


def test_only_so_many_entries_are_read() -> None:
    found = read(b"a.mp3\n" * (MOST_ENTRIES + 7))
    assert len(found.items) == MOST_ENTRIES and found.left_out == 7


def test_deep_xml_is_no_trouble() -> None:
    deep = "<track>" * 100_000 + "</track>" * 100_000
    found = read(f"<playlist><trackList>{deep}</trackList></playlist>".encode())
    assert found.items == [Item()]


def test_nothing_of_this_machine_is_written(tmp_path: Path) -> None:
    item = Item("A\nB", "C", file_name="#x.mp3")
    assert b"\n./#x.mp3\n" in write("N", [item], "m3u8")
    assert read(write("N", [item], "m3u8")).items[0].title == "A B"


def xspf(tracks: str) -> bytes:
    return f"<playlist><trackList>{tracks}</trackList></playlist>".encode()


MARKS = "\u0300\u0316"
HOSTILE = {
    "digits": b"#EXTINF:" + b"1" * 1_990_000 + b"\na.mp3\n",
    "blanks": b"#EXTINF:" + b" " * 1_990_000 + b"\na.mp3\n",
    "one title of marks": f"#EXTTITLE:a{MARKS * 490_000}\na.mp3\n".encode(),
    "many titles of marks": (f"#EXTINF:1,a{MARKS * 150}\na.mp3\n" * 3000).encode(),
    "marks in XML": xspf(f"<track><title>a{MARKS * 400}</title></track>" * 1200),
    "marks in JSON": f'{{"playlist":{{"title":"a{MARKS * 490_000}","track":[{{}}]}}}}'.encode(),
    "no addresses": (b"http://[" + b"a" * 3000 + b"\n") * 650,
    "a million entries": b"a\n" * 1_000_000,
    "a quarter of a million in XML": xspf("<track/>" * 240_000),
    "deep XML": xspf("<track>" * 130_000 + "</track>" * 130_000),
    "attributes": b"<playlist " + b" ".join(b'a%d="1"' % one for one in range(140_000)) + b"/>",
    "an XML bomb": b'<!DOCTYPE p [<!ENTITY a "' + b"a" * 1_900_000 + b'"><!ENTITY b "&a;&a;&a;&a;">]><playlist>&b;</playlist>',
    "deep JSON": b'{"playlist":' + b"[" * 1_900_000,
    "deep objects": b'{"a":' * 390_000,
    "a long number": b'{"playlist":{"track":[{"duration":' + b"9" * 1_900_000 + b"}]}}",
    "escapes": b'{"playlist":{"title":"' + b"\\ud800" * 300_000 + b'","track":[{}]}}',
    "UTF-16": ("#EXTTITLE:a" + MARKS * 240_000 + "\na.mp3").encode("utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_two_megabytes_of_anything_are_read_elsewhere(kind: str) -> None:
    """What took the square of a line's length stopped the whole bot for half an hour (trust.md, 2). Processor time, since
    this machine may be busy: of the thread that asks, and of the child that reads and may be killed."""
    data = HOSTILE[kind]
    assert 900_000 < len(data) <= MOST_BYTES
    gc.freeze()  # what other tests have left is not looked through here
    mine, began = time.thread_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = ""
    try:
        read(data)
    except UserError as refused:
        said = str(refused)
    finally:
        own = time.thread_time() - mine
        gc.unfreeze()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert own < 0.1
    assert 0.01 < ended.ru_utime - began.ru_utime < MOST_SECONDS
    assert "playlist-file-slow" not in said


def test_a_reader_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever we did not think of: the child's time is short, and the answer a sentence."""
    monkeypatch.setattr("core.audio.sandbox.MOST_SECONDS", 0)
    with refusal("took too long"):
        read(b"a.mp3\n" * 300_000)
