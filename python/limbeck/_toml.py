"""Values as TOML, on one line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any


def toml(value: Any) -> str:
    """`value` in TOML: a str, a path, a bool, a number, a sequence, or a mapping, which becomes an inline table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, os.PathLike)):
        # JSON's escapes are TOML's; DEL alone must be escaped in TOML only.
        return json.dumps(os.fspath(value), ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    raise TypeError(f"{value!r} has no form in a recipe\nhint: a recipe holds text, numbers, lists and tables")
