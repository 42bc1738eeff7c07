"""`make messages`: every text that members read, from the code and the tables into bot/words/locales/*.po.

`python -m research.messages` adds what is new (with an empty translation), takes out what is gone and sorts; what is
translated stays. `found()` and `faults()` are what the tests look at.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.audio.vocabulary import descriptors
from core.separation.registry import BUNDLED

ROOT = Path(__file__).parent.parent
CATALOGUES = ROOT / "bot" / "words" / "locales"

MARKS = {"tr": 1, "mark": 1, "trn": 2}
"""Calls whose first arguments are messages."""

DESCRIBING = {"description", "group_description"}
"""Arguments of commands that discord.py has translated."""

SHOWN = (
    "bot/features",
    "bot/widgets",
    "bot/router",
    "bot/theme",
    "bot/errors",
    "bot/autocomplete",
    "bot/app",
    "bot/consent",
    "bot/service",
)
"""Where a text that is not marked is a mistake."""

SILENT = {
    "log", "debug", "info", "warning", "error", "exception", "getLogger", "fetch", "fetch_one", "write", "run",
    "describe", "Choice", "ContextMenu", "compile", "on_press", "record", "AssertionError", "RuntimeError",
    "ValueError", "TypeVar", "cast", "startswith", "endswith", "getattr", "hasattr", "strftime", "TransferLost",
}  # fmt: skip
"""Calls whose texts nobody reads on a card, or that discord.py translates."""

_SENTENCE = re.compile(r"[A-Za-z’']{2,}[,;:]? +[A-Za-z’']{2,}")
_WORD = re.compile(r"[A-Za-z]{2,}")
_ITEMS = {"text", "note_card", "problem_card", "UserError"}
_LABELS = {"label", "placeholder", "note", "content"}


@dataclass(frozen=True)
class Fault:
    """A text that cannot be translated where it stands."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def found() -> set[str | tuple[str, str]]:
    """Every message; those that are counted as (one, many)."""
    messages: set[str | tuple[str, str]] = set()
    for path in _sources():
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                messages.update(_of_call(node))
            elif isinstance(node, ast.ClassDef):  # a group of commands
                given = [_text(keyword.value) for keyword in node.keywords if keyword.arg in DESCRIBING]
                messages.update(text for text in given if text)
    messages.update(_of_tables())
    return messages


def _sources() -> Iterator[Path]:
    yield from sorted(
        (ROOT / "bot").rglob("*.py")
    )  # elsewhere facts have codes, and what operators read is English


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _of_call(call: ast.Call) -> Iterator[str | tuple[str, str]]:
    name = _name(call)
    if name in MARKS:
        texts = [_text(argument) for argument in call.args[: MARKS[name]]]
        given = [text for text in texts if text]
        if name == "trn" and len(given) == 2:
            yield given[0], given[1]
        elif name != "trn":
            yield from given
    for keyword in call.keywords:
        text = _text(keyword.value)
        offered = name in ("Choice", "ContextMenu") and keyword.arg == "name"
        if text and (keyword.arg in DESCRIBING or name == "describe" or offered):
            yield text


def _of_tables() -> Iterator[str | tuple[str, str]]:
    """The sentences of facts, rules, steers, aims and descriptors, and the words for names."""
    for sentence in _toml(ROOT / "bot" / "words" / "sentences.toml").values():
        if isinstance(sentence, list):
            yield sentence[0], sentence[1]
        elif _WORD.search(re.sub(r"\{[^}]*\}", "", sentence)):
            yield sentence
    moods = ROOT / "core" / "moods"
    for rule in _toml(moods / "rules.toml")["rule"]:
        yield rule["text"]
    for steer in _toml(moods / "steers.toml").values():
        if "wish" in steer:
            yield steer["wish"]
        yield from (rule["change"] for rule in steer.get("rule", ()))
    for aim in _toml(moods / "aims.toml")["aim"].values():
        yield aim["text"]
    for descriptor in descriptors().values():
        yield from descriptor.texts()
    yield from (info.label for info in BUNDLED if not info.label.startswith("`"))  # else a name
    words = _toml(ROOT / "bot" / "words" / "words.toml")
    for table in words.keys() - {"plural"}:
        yield from words[table].values()
    for source, stem in words["sources"].items():
        if source != "mix":
            yield from (f" of {stem}", f" in {stem}", f"{stem} {words['plural'].get(source, 'is')}")
    yield from (", but ", "it is", "than", "than in", "as", "as in")


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def faults() -> list[Fault]:
    """Texts on cards that are not marked, and marks that are useless: f-strings, calls while a module is loaded."""
    mistakes = []
    for path in _sources():
        place = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text("utf-8"))
        checker = _Checker(place, place.startswith(SHOWN))
        checker.visit(tree)
        mistakes += checker.faults
    return mistakes


class _Checker(ast.NodeVisitor):
    """Walks one module. `shown` says that its texts end on cards."""

    def __init__(self, place: str, shown: bool) -> None:
        self.place, self.shown = place, shown
        self.faults: list[Fault] = []
        self.depth = 0

    def fault(self, node: ast.expr, what: str) -> None:
        self.faults.append(Fault(f"{self.place}:{node.lineno}", what))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if outside is not None:
                self.visit(outside)
        self.depth += 1
        for statement in node.body:
            self.visit(statement)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.body):  # its keywords describe a group of commands
            self.visit(part)

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_Compare(self, node: ast.Compare) -> None:
        pass

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.depth += 1
        self.visit(node.body)
        self.depth -= 1

    def visit_Expr(self, node: ast.Expr) -> None:
        if _text(node.value) is None:  # a docstring
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = _name(node)
        if name in MARKS:
            if name != "mark" and not self.depth:
                self.fault(node, f"{name}() while the module is loaded is always English; use mark()")
            for argument in node.args[: MARKS[name]]:
                if isinstance(argument, ast.JoinedStr):
                    self.fault(argument, f"{name}(f'...') cannot be translated; use {{placeholders}}")
            rest = [*node.args[MARKS[name] :], *(keyword.value for keyword in node.keywords)]
            for part in rest:
                self.visit(part)
            return
        if name in SILENT:
            return
        for argument in node.args:
            if name in _ITEMS and self._worded(argument):
                self.unmarked(argument)
            else:
                self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg in DESCRIBING:
                continue
            if keyword.arg in _LABELS and self._worded(keyword.value):
                self.unmarked(keyword.value)
            else:
                self.visit(keyword.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        text = _text(node)
        if text and _SENTENCE.search(_bare(text)):
            self.unmarked(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)
        words = " ".join(_text(part) or "" for part in node.values if isinstance(part, ast.Constant))
        if _SENTENCE.search(_bare(words)):
            self.unmarked(node)

    def _worded(self, node: ast.expr) -> bool:
        """A text of its own with at least one word, as an item of a card."""
        if isinstance(node, ast.JoinedStr):
            return any(_WORD.search(_bare(_text(part) or "")) for part in node.values)
        return bool(_WORD.search(_bare(_text(node) or "")))

    def unmarked(self, node: ast.expr) -> None:
        if self.shown:
            self.fault(node, f"not marked for translation: {ast.unparse(node)[:90]}")


def _bare(text: str) -> str:
    """Without /commands, `code`, Discord's <...> marks and file names."""
    return re.sub(r"</?[a-z@#:].*?>|`[^`]*`|/[a-z]+( [a-z]+)?|\S+\.(png|ogg|json|zip|txt)|\bms:\S*", "", text)


def update() -> dict[str, int]:
    """Bring the catalogues up to date; {language: messages without a translation}."""
    import io

    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    messages = found()
    missing = {}
    for path in sorted(CATALOGUES.glob("*.po")):
        language = path.stem
        old = read_po(io.BytesIO(path.read_bytes()), locale=language)
        new = Catalog(locale=language, fuzzy=False, header_comment=HEADER)
        for message in messages:
            key = message if isinstance(message, str) else message[0]
            before = old.get(key)
            new.add(message, before.string if before is not None and before.id == message else "")
        out = io.BytesIO()
        write_po(out, new, width=0, sort_output=True, no_location=True, omit_header=True)
        path.write_bytes(_header(language) + out.getvalue())
        missing[language] = sum(1 for entry in new if entry.id and not _whole(entry.string))
    return missing


def _whole(string: Any) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)


HEADER = "# Moodstem's texts. `make messages` adds and sorts; CONTRIBUTING.md says how."


def _header(language: str) -> bytes:
    return (
        f'{HEADER}\nmsgid ""\nmsgstr ""\n"Language: {language}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
    ).encode()


if __name__ == "__main__":
    for language, count in update().items():
        sys.stdout.write(f"{language}: {count} to translate\n")
    for mistake in faults():
        sys.stdout.write(f"{mistake}\n")
