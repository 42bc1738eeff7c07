"""What import-linter cannot see of the house's rules: where SQL stands, and that nobody's private parts are used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("bot", "core", "jobs")
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE FROM|WITH|PRAGMA|CREATE|DROP|ALTER)\s")


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """(path, syntax tree) of each module of the packages."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))


def test_sql_stands_in_the_library_and_in_jobs() -> None:
    found = {
        path
        for path, module in modules(*PRODUCT)
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    }
    assert {path for path in found if not path.startswith(("core/library/", "jobs/"))} == set()
    assert {"core/library/tracks.py", "jobs/queue.py"} <= found


def test_nobody_uses_the_private_parts_of_others() -> None:
    found = set()
    for path, module in modules(*PRODUCT):
        nodes = list(ast.walk(module))
        own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        own |= {
            node.target.id
            for node in nodes
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        own |= {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls")
        }
        for node in nodes:
            if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
                found.add((path, ast.unparse(node)))
            elif isinstance(node, ast.ImportFrom):
                found |= {(path, alias.name) for alias in node.names if is_private(alias.name)}
    known = {one for one in found if one[1] == "os._exit"}  # documented, in spite of its name
    assert known and found - known == {("bot/cli/try_it.py", "preview._action")}, (
        "SimCord has no public hook there"
    )


def test_answers_for_everybody_are_posted_so_that_they_can_be_taken_down() -> None:
    """See bot/posted.py: other answers are for the member alone."""
    found = set()
    for path, module in modules("bot"):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                named = {one.arg for one in node.keywords}
                opens = node.func.attr == "send_message" or (
                    node.func.attr == "defer" and "thinking" in named
                )
                if opens and "ephemeral" not in named:
                    found.add(path)
    assert found == {"bot/posted.py"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
