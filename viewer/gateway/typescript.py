"""The page's half of the messages: ``python -m viewer.gateway.typescript`` writes ``viewer/web/src/net/messages.ts`` and
``records.ts`` from ``messages`` and ``records``. A test fails while they are not what this makes."""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from . import messages, records

NET = Path(__file__).resolve().parent.parent / "web" / "src" / "net"
HEAD = "// Made by `python -m viewer.gateway.typescript` from viewer/gateway/{}.py: change that.\n"
_PLAIN = {int: "number", float: "number", str: "string", bool: "boolean", UUID: "string", type(None): "null"}
_HTTP = (
    messages.Place, messages.AccountLogin, messages.GuestLogin, messages.Watch, messages.Token, messages.GridAbout,
    messages.Problem,
)  # fmt: skip


def written(hint: Any) -> str:
    """A Python type as TypeScript."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return written(inner[0])
    if origin is Literal:
        return " | ".join(json.dumps(value) for value in inner)
    if origin in (Union, types.UnionType):
        return " | ".join(written(part) for part in inner)
    if origin is tuple:
        return f"[{', '.join(written(part) for part in inner)}]"
    if origin is list:
        plain = written(inner[0])
        return f"({plain})[]" if "|" in plain else f"{plain}[]"
    return hint.__name__ if isinstance(hint, type) and is_dataclass(hint) else _PLAIN[hint]


def interface(kind: type, sent: bool) -> str:
    """A message as an interface. What we send ourselves has its defaults; in what is told every field is there."""
    hints = get_type_hints(kind, include_extras=True)
    lines = [f"/** {(kind.__doc__ or '').strip()} */", f"export interface {kind.__name__} {{"]
    for each in fields(kind):
        optional = "?" if sent and each.default is not MISSING and each.name != "t" else ""
        lines.append(f"  {each.name}{optional}: {written(hints[each.name])};")
    return "\n".join([*lines, "}"]) + "\n"


def message_types() -> str:
    """``messages.ts``."""
    sent = list(dict.fromkeys((*get_args(messages.Acts), *get_args(messages.Looks))))
    told = list(get_args(messages.Told))
    parts = [HEAD.format("messages")]
    parts += [interface(kind, True) for kind in (*_HTTP, *sent)]
    parts.append("/** What the page sends. */\nexport type Sent =\n  | " + "\n  | ".join(kind.__name__ for kind in sent) + ";\n")
    parts += [interface(kind, False) for kind in (messages.MapBlock, messages.FriendTold, *told)]
    parts.append("/** What the gateway tells. */\nexport type Told =\n  | " + "\n  | ".join(kind.__name__ for kind in told) + ";\n")
    kinds = ",\n".join(f'  "{get_args(get_type_hints(kind)["t"])[0]}"' for kind in told)
    parts.append(f"/** Every `t` of them. */\nexport const TOLD: ReadonlySet<string> = new Set<Told[\"t\"]>([\n{kinds},\n]);\n")
    return "\n".join(parts)


def _type(part: records.Part) -> str:
    if part.kind not in records.LETTERS or part.kind == "u8" and part.count > 1:
        return "Uint8Array"
    return "number" if part.count == 1 else f"[{', '.join(['number'] * part.count)}]"


def _read(part: records.Part) -> str:
    if part.kind not in records.LETTERS:
        return f"r.bytes(r.{'u8' if part.kind == 'bytes8' else 'u16'}())"
    if part.kind == "u8" and part.count > 1:
        return f"r.bytes({part.count})"
    one = f"r.{part.kind}()"
    whole = one if part.count == 1 else f"[{', '.join([one] * part.count)}]"
    nothing = f"[{', '.join(['0'] * part.count)}]"
    return f"flags & {part.flag} ? {whole} : {nothing}" if part.flag else whole


def record_readers() -> str:
    """``records.ts``."""
    parts = [HEAD.format("records"), 'import type { Reader } from "./reader";\n']
    parts.append("".join(f"export const {name} = {value};\n" for name, value in records.constants().items()))
    for layout in records.LAYOUTS:
        lines = [f"/** {layout.doc} */", f"export interface {layout.name} {{"]
        lines += [f"  {part.name}: {_type(part)};" for part in layout.parts]
        lines += ["}", "", f"export function read{layout.name}(r: Reader): {layout.name} {{"]
        lines += [f"  const {part.name}: {_type(part)} = {_read(part)};" for part in layout.parts]
        lines += [f"  return {{ {', '.join(part.name for part in layout.parts)} }};", "}"]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


FILES = {"messages.ts": message_types, "records.ts": record_readers}


def main() -> None:
    for name, make in FILES.items():
        (NET / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
