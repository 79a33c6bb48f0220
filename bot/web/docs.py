"""GET /docs: the description of the API as a plain page: no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-size:.95em}table{border-collapse:collapse}td,th{padding:.2rem 1rem .2rem 0;text-align:left;"
    "vertical-align:top}h2{margin-top:2.5rem}"
)


async def docs_page(request: Request) -> Response:
    page = "".join(_page(request.app.openapi()))
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


def _page(described: dict[str, Any]) -> Iterator[str]:
    about = described["info"]
    title = f"{escape(about['title'])} {escape(about['version'])}"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
    yield f"<h1>{title}</h1><p>{_text(about['description'])}</p>"
    yield '<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p>'
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            yield from _operation(method, path, operation)
    for name, schema in described["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "</body></html>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{_text(operation['summary'])}.</p>"
    if "description" in operation:
        yield f"<p>{_text(operation['description'])}</p>"
    if "requestBody" in operation:
        yield f"<p>Takes {_content(operation['requestBody'])}.</p>"
    parameters = operation.get("parameters", [])
    rows = [(p["name"], p["schema"], p.get("description", ""), p["required"]) for p in parameters]
    if rows:
        yield from _table(rows)
    answers = [f"{code} {_content(answer)}" for code, answer in operation["responses"].items()]
    yield f"<p>Answers {', '.join(answers)}.</p>"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}">{escape(name)}</h2><p>{_text(schema.get("description", ""))}</p>'
    if "enum" in schema:
        yield f"<p>{_type(schema)}</p>"
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    if properties:
        yield from _table((n, p, p.get("description", ""), n in required) for n, p in properties.items())


def _table(rows: Any) -> Iterator[str]:
    yield "<table>"
    for name, schema, description, required in rows:
        need = "" if required else "optional"
        yield f"<tr><th><code>{escape(name)}</code></th><td>{_type(schema)}</td>"
        yield f"<td>{need}</td><td>{_text(description)}</td></tr>"
    yield "</table>"


def _content(part: dict[str, Any]) -> str:
    return " or ".join(_type(kind["schema"]) for kind in part.get("content", {}).values())


def _type(schema: dict[str, Any]) -> str:
    """Such as `integer 1 to 8` or a link to another schema."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return " ".join(filter(None, (escape(str(schema.get("type", "anything"))), _bounds(schema))))


def _bounds(schema: dict[str, Any]) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    if high is None:
        return ""
    unit = " characters" if "maxLength" in schema else ""
    # The description's numbers are floats.
    return f"(up to {high:.0f}{unit})" if low is None else f"({low:.0f} to {high:.0f}{unit})"


def _text(text: str) -> str:
    """Escaped, with what stands between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
