"""What code a measurement was made with, in a few letters, so that one of other code is not taken for it."""

from __future__ import annotations

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

from distill3d import plugins

LETTERS = 12


@lru_cache
def of_code(*names: str) -> str:
    """Of the files and folders of the package with these names; words for readers do not count."""
    files = [path for name in names for path in _files(plugins.PACKAGE / name)]
    meaning = [f"{path.relative_to(plugins.PACKAGE)}: {_meaning(path)}" for path in files]
    return hashlib.sha256("\n".join(meaning).encode()).hexdigest()[:LETTERS]


def of_file(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:LETTERS]


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _meaning(path: Path) -> str:
    """The syntax tree without comments, places and strings that are statements."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_docstring(line)]  # pyright: ignore[reportAttributeAccessIssue]
    return ast.dump(tree)


def _is_docstring(line: ast.AST) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )
