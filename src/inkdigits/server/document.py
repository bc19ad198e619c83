"""The OpenAPI document, and a page that shows it and loads nothing from other hosts."""

import html
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from inkdigits.server import schemas, v2
from inkdigits.server.problems import MEDIA_TYPE

REFERENCE = "#/components/schemas/{model}"
BODIES: list[type[BaseModel]] = [schemas.CropBody, schemas.ReadBody, schemas.CorrectionBody, v2.InferRequest]
PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="ProblemBody")}}}
RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
BINARY = {"schema": {"type": "string", "format": "binary"}}
SECURITY = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of responses that are problem details."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": PROBLEM,
            **({"headers": RETRY} if status in (429, 503) else {}),
        }
        for status in statuses
    }


def request_body(model: type[BaseModel], *raw_types: str, form: bool = False) -> dict[str, Any]:
    """Return the description of a request's body.

    Parameters
    ----------
    model
        Schema of a body in JSON.
    raw_types
        Content types of a body that is a file itself.
    form
        Whether the body may be a form with the field ``image``.
    """
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}
    content |= dict.fromkeys(raw_types, BINARY)
    if form:
        image = {"type": "object", "properties": {"image": BINARY["schema"]}, "required": ["image"]}
        content["multipart/form-data"] = {"schema": image}
    return {"requestBody": {"required": True, "content": content}}


def openapi_document(app: FastAPI, token: bool, **path_values: str) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``.

    Parameters
    ----------
    token
        Whether requests need a token.
    path_values
        The only value that each parameter in a path can have, by the parameter's name.
    """
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _add_schemas(document)
    for operations in document["paths"].values():
        for parameter in (each for operation in operations.values() for each in operation.get("parameters", ())):
            if parameter["in"] == "path":
                parameter["schema"]["enum"] = [path_values[parameter["name"]]]
    if token:
        _add_security(document)
    return document


def _add_schemas(document: dict[str, Any]) -> None:
    """Add the schemas of bodies, which FastAPI does not see, and remove those of FastAPI's own errors."""
    models: list[Any] = [(model, "validation") for model in (*BODIES, schemas.ProblemBody)]
    _, made = models_json_schema(models, ref_template=REFERENCE)
    components = document.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **made["$defs"]}
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)


def _add_security(document: dict[str, Any]) -> None:
    """State that every operation needs the token, except those for health."""
    document["components"]["securitySchemes"] = SECURITY
    for path, operations in document["paths"].items():
        if "health" in path or path == "/readyz":
            continue
        for operation in operations.values():
            operation["security"] = [{name: []} for name in SECURITY]
            operation["responses"].update({str(status): response for status, response in problems(401).items()})


def page(document: dict[str, Any], static: Path) -> str:
    """Return an OpenAPI document as HTML, with the style sheets of the folder ``static``."""
    styles = [f'<link rel="stylesheet" href="/static/{html.escape(css.name)}">' for css in sorted(static.glob("*.css"))]
    title = html.escape(document["info"]["title"])
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title}</title>{''.join(styles)}<main><h1>{title}</h1>",
        f'<p>{html.escape(document["info"]["description"])} <a href="/openapi.json">openapi.json</a></p>',
    ]
    for path, operations in document["paths"].items():
        parts += [_section(path, method, operation) for method, operation in operations.items()]
    return "\n".join([*parts, "</main></html>"])


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    """Return the section of one operation: its description, and a table of parameters, bodies and responses."""
    rows = [
        (f"{each['in']} {each['name']}", _type(each["schema"]) + (", required" if each.get("required") else ""))
        for each in operation.get("parameters", ())
    ]
    bodies = operation.get("requestBody", {}).get("content", {})
    rows += [(f"body {kind}", _type(body["schema"])) for kind, body in bodies.items()]
    for status, response in operation["responses"].items():
        kinds = [f"{kind} {_type(body.get('schema', {}))}" for kind, body in response.get("content", {}).items()]
        rows.append((str(status), "; ".join([response["description"], *([", ".join(kinds)] if kinds else [])])))
    cells = "".join(f"<tr><th scope=row>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>" for a, b in rows)
    text = html.escape(f"{operation['summary']}. {operation.get('description', '')}".strip())
    heading = f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
    return f"<section>{heading}<p>{text}</p><table>{cells}</table></section>"


def _type(schema: dict[str, Any]) -> str:
    """Return the name of a schema, or its type and the values that it allows."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    allowed = schema.get("enum")
    kind = str(schema.get("format") or schema.get("type", ""))
    return f"{kind}: {', '.join(map(str, allowed))}" if allowed else kind
