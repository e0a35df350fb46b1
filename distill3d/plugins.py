"""The folder is the menu: the kinds of a contract are the files of its folder.

A file `objectives/xyz.py` with a class `XYZ` (any capitals), or with one public class of any name, makes
`--method xyz` exist; the class's fields are its flags and its docstring is its help. All of that is read from
the source with `ast`, so that help imports nothing; only `load` imports, and only the chosen file.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Optional

from distill3d.errors import UserError, unknown

PACKAGE = Path(__file__).parent
FLAG_TYPES = {"int": int, "float": float, "bool": bool, "str": str, "tuple": tuple, "Literal": Literal}
FLAG_TYPES |= {"Optional": Optional, "Path": Path}
HEAD = re.compile(r'^class (\w+)[^:\n]*:(?:\n    r?"""(.*?)(?:"""|$))?', re.MULTILINE)
"""A class and the first line of its docstring, if it begins with one."""
NOT_FLAGS = {"cls", "self", "seed", "generator", "device"}


@dataclass(frozen=True)
class Flag:
    """One field of a kind, as the command line needs it."""

    name: str
    annotation: Any
    help: str
    default: Any
    """`dataclasses.MISSING` where the user has to give it."""


def menu(folder: str) -> dict[str, str]:
    """Each kind in `folder`, with its line of help: the class's first, or the file's if it has none."""
    return {path.stem: _help(path) for path in sorted((PACKAGE / folder).glob("[!_]*.py"))}


def load(folder: str, name: str, what: str, where: str) -> type:
    """The class of the kind `name`; a `UserError` that calls it an unknown `what` if there is none."""
    path = find(folder, name, what, where)
    module = importlib.import_module(f"distill3d.{folder}.{path.stem}")
    return getattr(module, _class(path).name)


def find(folder: str, name: str, what: str, where: str) -> Path:
    """The file of the kind `name`."""
    path = PACKAGE / folder / f"{name}.py"
    if name not in menu(folder):
        raise unknown(what, name, menu(folder), where)
    return path


def fields(path: Path, class_name: str | None = None) -> list[Flag]:
    """The flags of a dataclass, inherited ones first; by default of the class the file is named after."""
    source = _Source.read(path)
    node = source.classes[class_name] if class_name else _class(path)
    return list(source.fields(node).values())


def keywords(path: Path, *methods: str) -> list[Flag]:
    """The flags of a kind that are the keyword-only arguments of the first of these classmethods it has."""
    source, node = _Source.read(path), _class(path)
    written = {s.name: s for s in node.body if isinstance(s, ast.FunctionDef)}
    method = next((written[name] for name in methods if name in written), None)
    if method is None:
        return []
    arguments = zip(method.args.kwonlyargs, method.args.kw_defaults, strict=True)
    return [source.flag(a.arg, a.annotation, d) for a, d in arguments if a.arg not in NOT_FLAGS]


def class_constant(path: Path, name: str) -> Any:
    """The literal that the class of a kind's file gives `name`; None if it gives none."""
    source = _Source.read(path)
    for statement in _class(path).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name:
            return None if statement.value is None else source.constant(statement.value)
    return None


def presets(path: Path, otherwise: Path) -> dict[str, dict[str, Any]]:
    """The PRESETS that a kind's file has, or else those of the file `otherwise`."""
    source = _Source.read(path)
    if "PRESETS" not in source.constants:
        source = _Source.read(otherwise)
    return source.constant(source.constants["PRESETS"])


def _class(path: Path) -> ast.ClassDef:
    node = _Source.read(path).class_like(path.stem)
    if node is None:
        raise UserError(
            f"{path} has no class {path.stem.title().replace('_', '')}; a kind is a class of its file's name"
        )
    return node


@cache
def _help(path: Path) -> str:
    """A kind's line of help; where the class begins as most do, it is found without parsing the file."""
    heads = dict(HEAD.findall(path.read_text(encoding="utf-8")))
    line = heads.get(_alike(path.stem, heads) or "", "")
    if line and "\\" not in line:
        return line.strip()
    try:
        source = _Source.read(path)
    except SyntaxError as error:
        return f"(cannot be read: {error.msg}, line {error.lineno})"
    found = source.class_like(path.stem)
    return _first_line(found if found and ast.get_docstring(found) else source.tree)


def _alike(stem: str, names: Iterable[str]) -> str | None:
    """The public class of a file's name; in a file with one public class, that one."""
    wanted = stem.replace("_", "").lower()
    public = [name for name in names if not name.startswith("_")]
    return next((name for name in public if name.lower() == wanted), public[0] if len(public) == 1 else None)


def _first_line(node: ast.Module | ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "(no help)").splitlines()[0]


class _Source:
    """A Python file as text: what its names mean, without running it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        self.classes = {n.name: n for n in self.tree.body if isinstance(n, ast.ClassDef)}
        self.imported: dict[str, tuple[Path, str]] = {}
        self.constants: dict[str, ast.expr] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("distill3d."):
                file = PACKAGE.joinpath(*str(node.module).split(".")[1:]).with_suffix(".py")
                self.imported |= {alias.asname or alias.name: (file, alias.name) for alias in node.names}
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.constants[node.targets[0].id] = node.value

    @staticmethod
    @cache
    def read(path: Path) -> _Source:
        return _Source(path)

    def class_like(self, stem: str) -> ast.ClassDef | None:
        """See `_alike`."""
        return self.classes.get(_alike(stem, self.classes) or "")

    def fields(self, node: ast.ClassDef) -> dict[str, Flag]:
        """The dataclass fields of `node` and of those of its bases that are written in this package."""
        flags: dict[str, Flag] = {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                flags |= self.fields(self.classes[base.id])
            elif isinstance(base, ast.Name) and base.id in self.imported:
                file, name = self.imported[base.id]
                source = _Source.read(file)
                flags |= source.fields(source.classes[name])
        decorated = any("dataclass" in ast.unparse(d) for d in node.decorator_list)
        for statement in node.body if decorated else ():
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name, value = statement.target.id, statement.value
                if _is_flag(name, statement.annotation, value):
                    flags[name] = self.flag(name, statement.annotation, value)
        return flags

    def flag(self, name: str, annotation: ast.expr | None, default: ast.expr | None) -> Flag:
        """`name: Annotated[type, "help"] = default`, or without the help."""
        help_text = ""
        if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
            annotation, help_node = annotation.slice.elts[:2]  # type: ignore[attr-defined]
            help_text = ast.literal_eval(help_node)
        text = "str" if annotation is None else ast.unparse(annotation)
        try:
            kind = eval(text, {"__builtins__": {}}, FLAG_TYPES)
        except NameError as error:
            raise UserError(f"{self.path}: {name} is a {text}; flags are {', '.join(FLAG_TYPES)}") from error
        return Flag(name, kind, help_text, MISSING if default is None else self.constant(default))

    def constant(self, node: ast.expr) -> Any:
        """The value of a literal, or of a name that stands for one here or where it is imported from."""
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.constant(self.constants[node.id])
        if isinstance(node, ast.Name) and node.id in self.imported:
            file, name = self.imported[node.id]
            return _Source.read(file).constant(ast.Name(name))
        try:
            return ast.literal_eval(node)
        except ValueError as error:
            raise UserError(
                f"{self.path}: the default {ast.unparse(node)} cannot be read without running the file; "
                "the default of a flag is a literal or a name of one"
            ) from error


def _is_flag(name: str, annotation: ast.expr, value: ast.expr | None) -> bool:
    """Not private, not of the class, and not made with field(), which is how a kind keeps its state."""
    made_with_field = isinstance(value, ast.Call) and ast.unparse(value.func) in (
        "field",
        "dataclasses.field",
    )
    return not (name.startswith("_") or "ClassVar" in ast.unparse(annotation) or made_with_field)
