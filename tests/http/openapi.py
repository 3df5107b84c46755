"""openapi.py: answers held against the document that describes them. As much of JSON Schema as that uses."""
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}


def resolve(document, node):
    while "$ref" in node:
        at = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        node = at
    return node


def is_type(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def faults(document, schema, value, at="$"):
    """What is wrong with value, as lines; a keyword that is not known here is a fault, too."""
    schema = resolve(document, schema)
    unknown = set(schema) - {"type", "required", "properties", "items", "enum", "pattern", "minimum", "format", "description"}
    out = [f"{at}: unknown keyword {name}" for name in unknown]
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_type(value, name) for name in names):
        return [*out, f"{at}: {value!r} is no {names}"]
    if "enum" in schema and value not in schema["enum"]:
        out.append(f"{at}: {value!r} is none of {schema['enum']}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        out.append(f"{at}: {value!r} is not like {schema['pattern']}")
    if isinstance(value, int) and value < schema.get("minimum", value):
        out.append(f"{at}: {value} is too small")
    if isinstance(value, dict):
        out += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                out += faults(document, inner, value[name], f"{at}.{name}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            out += faults(document, schema.get("items", {}), item, f"{at}[{i}]")
    return out


def path_of(document, path):
    """The most literal pattern that the path fits; None: there is none."""
    fits = [pattern for pattern in document["paths"]
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)), path)]
    return min(fits, key=lambda pattern: pattern.count("{"), default=None)


def check(document, method, path, answer):
    """Assert that an answer is one that the document tells of."""
    kind = (answer["Content-Type"] or "").split(";")[0]
    pattern = path_of(document, path.split("?")[0])
    operation = document["paths"].get(pattern, {}).get(method.lower())
    refusal = document["components"]["responses"]["Refusal"]
    response = operation and operation["responses"].get(str(answer.status))
    if answer.status in (301, 308) or pattern is None and answer.status < 400:
        return  # of a site that is mounted elsewhere, or to where it is mounted
    if response is None:
        assert answer.status >= 400 or method == "OPTIONS", f"{method} {path}: {answer.status} is not told of"
        response = refusal
    if method == "HEAD" or not answer.body or kind not in ("application/json", "application/problem+json"):
        return
    content = response.get("content", {})
    if kind in content:
        wrong = faults(document, content[kind]["schema"], answer.json)
        assert not wrong, (method, path, wrong, answer)
    else:
        assert "*/*" in content, (method, path, kind, answer)
