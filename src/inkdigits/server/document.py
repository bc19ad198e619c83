"""The OpenAPI document, and a page of it that needs no other host."""

import html
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from inkdigits.server import problems, schemas, v2

REFERENCE = "#/components/schemas/{model}"
BODIES: list[type[BaseModel]] = [schemas.CropBody, schemas.ReadBody, schemas.CorrectionBody, v2.InferRequest]
PROBLEM = {problems.MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="ProblemBody")}}}
RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
BINARY = {"schema": {"type": "string", "format": "binary"}}
SECURITY = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the document says of answers that are problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": PROBLEM,
            **({"headers": RETRY} if status in (429, 503) else {}),
        }
        for status in statuses
    }


def body(model: type[BaseModel], *raw: str, form: bool = False) -> dict[str, Any]:
    """Return what the document says of a body: JSON of a model, or raw of some types, or a form with an image."""
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}
    content |= dict.fromkeys(raw, BINARY)
    if form:
        image = {"type": "object", "properties": {"image": BINARY["schema"]}, "required": ["image"]}
        content["multipart/form-data"] = {"schema": image}
    return {"requestBody": {"required": True, "content": content}}


def document(app: FastAPI, token: bool, **in_paths: str) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``, which asks for a token or does not.

    ``in_paths`` has the one value that a parameter in paths can have, by name.
    """
    whole = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    wanted = [*BODIES, schemas.ProblemBody]
    modes: list[Any] = [(model, "validation") for model in wanted]
    _, made = models_json_schema(modes, ref_template=REFERENCE)
    components = whole.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **made["$defs"]}
    for operations in whole["paths"].values():
        for parameter in (each for operation in operations.values() for each in operation.get("parameters", ())):
            if parameter["in"] == "path":
                parameter["schema"]["enum"] = [in_paths[parameter["name"]]]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    if token:
        components["securitySchemes"] = SECURITY
        for path, operations in whole["paths"].items():
            for operation in operations.values():
                if "health" not in path and path != "/readyz":
                    operation["security"] = [{name: []} for name in SECURITY]
                    operation["responses"].update({str(k): v for k, v in refusals(401).items()})
    return whole


def page(whole: dict[str, Any], static: Path) -> str:
    """Return the document as HTML, in the page's own style where ``static`` has one."""
    styles = [f'<link rel="stylesheet" href="/static/{html.escape(css.name)}">' for css in sorted(static.glob("*.css"))]
    title = html.escape(whole["info"]["title"])
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title}</title>{''.join(styles)}<main><h1>{title}</h1>",
        f'<p>{html.escape(whole["info"]["description"])} <a href="/openapi.json">openapi.json</a></p>',
    ]
    for path, operations in whole["paths"].items():
        parts += [_operation(path, method, told) for method, told in operations.items()]
    return "\n".join([*parts, "</main></html>"])


def _operation(path: str, method: str, told: dict[str, Any]) -> str:
    rows = [
        (f"{given['in']} {given['name']}", _type(given["schema"]) + (", required" if given.get("required") else ""))
        for given in told.get("parameters", ())
    ]
    rows += [
        (f"body {kind}", _type(of["schema"])) for kind, of in told.get("requestBody", {}).get("content", {}).items()
    ]
    for status, answer in told["responses"].items():
        kinds = ", ".join(f"{kind} {_type(of.get('schema', {}))}" for kind, of in answer.get("content", {}).items())
        rows.append((str(status), f"{answer['description']}; {kinds}" if kinds else answer["description"]))
    cells = "".join(f"<tr><th scope=row>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>" for a, b in rows)
    told_of = html.escape(told.get("description") or told.get("summary", ""))
    heading = f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
    return f"<section>{heading}<p>{told_of}</p><table>{cells}</table></section>"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    allowed = schema.get("enum")
    kind = str(schema.get("format") or schema.get("type", ""))
    return f"{kind}: {', '.join(map(str, allowed))}" if allowed else kind
