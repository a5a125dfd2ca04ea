"""PayPal's own OpenAPI files: which operations exist, what their bodies must look like, which errors they list.

The files come as an npm package and are read where npm puts them; they are never copied into this repository.
PayPal's schemas never forbid additional properties, so a misspelt name would pass: ``undeclared`` walks for those.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30ReadValidator, OAS30Validator, OAS30WriteValidator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from .operations import UNDECLARED, ErrorTexts, Fault, Operation, Schema, SpecificationsMissing

Json = Any

FOLDER = Path(__file__).parents[3] / "node_modules/@paypal/paypal-rest-api-specifications/openapi"
FILES = (
    "checkout_orders_v2",
    "payments_payment_v2",
    "notifications_webhooks_v1",
    "billing_subscriptions_v1",
    "catalogs_products_v1",
    "customer_disputes_v1",
    "reporting_transactions_v1",
    "payments_payment_v1",
)
ESSENTIAL = frozenset(
    "id status state amount value currency_code total currency links href rel name url event_types "
    "purchase_units payments captures refunds transactions items webhooks billing_info dispute_id "
    "disputed_transactions seller_transaction_id dispute_outcome outcome_code dispute_amount amount_refunded order_id "
    "transaction_details transaction_info transaction_id transaction_event_code transaction_status transaction_amount "
    "paypal_reference_id paypal_reference_id_type custom_field total_pages next_billing_time sale_id "
    "billing_agreement_id".split()
)
"""Fields that the files require nowhere, and without which an answer would say nothing: what it is about, how that
stands, how much it is. All other optional fields may be missing."""

UNTOLD = frozenset({"sale_id", "billing_agreement_id"})
"""Those that an event may leave out, because the answer that it leads to has them."""

FOLLOWED = frozenset({"approve", "payer-action", "redirect", "next", "up"})
"""Relations of links that lead on from an answer."""

METHODS = ("get", "post", "patch", "put", "delete")

# The verification call takes back an event that PayPal itself wrote, but the file reuses the schema of answers,
# where every field is read-only. Held against the write rules no event could ever be verified.
TAKES_READ_ONLY = {("POST", "/v1/notifications/verify-webhook-signature")}


class Specifications:
    """All the files, loaded once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        if not folder.is_dir():
            raise SpecificationsMissing(folder)
        self._documents = {name: json.loads((folder / f"{name}.json").read_text()) for name in FILES}
        self._registry = Registry().with_resources(
            (f"urn:{name}", DRAFT4.create_resource(document)) for name, document in self._documents.items()
        )
        self._validators: dict[tuple[str, str, type], Any] = {}
        self._declared: dict[tuple[int, ...], dict[str, list[Schema]]] = {}
        self._texts: dict[tuple[str, str, str], ErrorTexts | None] = {}
        self.operations = [
            Operation(name, method.upper(), template, node)
            for name, document in self._documents.items()
            for template, methods in document["paths"].items()
            for method, node in methods.items()
            if method in METHODS
        ]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation that serves a path, and the values in the path; the most literal one wins."""
        found = [
            (operation, parameters)
            for operation in self.operations
            if operation.method == method and (parameters := operation.parameters(path)) is not None
        ]
        return min(found, key=lambda pair: len(pair[1])) if found else None

    def request_faults(self, operation: Operation, body: Json) -> list[Fault]:
        """What is wrong with a request's body; None stands for an empty one."""
        described = operation.node.get("requestBody")
        if described is None or (body is None and not described.get("required")):
            return []
        pointer = f"/paths/{_escape(operation.template)}/{operation.method.lower()}/requestBody"
        pointer, described = self._follow(operation.file, pointer, described)
        pointer += "/content/application~1json/schema"
        schema = described["content"]["application/json"]["schema"]
        if (operation.method, operation.template) in TAKES_READ_ONLY:
            return self._validate(operation.file, pointer, OAS30Validator, body)
        return [
            *self._validate(operation.file, pointer, OAS30WriteValidator, body),
            *self._undeclared(operation.file, [schema], body),
        ]

    def response_faults(self, operation: Operation, status: int, body: Json) -> list[Fault]:
        """What is wrong with an answer; None stands for an empty body."""
        pointer, described = self._response(operation, status)
        if described is None:
            return [Fault("", "status", f"{status} is not declared")]
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return [] if body is None else [Fault("", "body", f"{status} declares no body")]
        if body is None:
            return [Fault("", "body", f"{status} declares a body")]
        faults = self._validate(operation.file, pointer + "/content/application~1json/schema", OAS30ReadValidator, body)
        if status >= 400:  # the files call the list of details `issues` in some errors; PayPal never does
            return faults + self._unlisted(operation, status, body)
        return faults + self._undeclared(operation.file, [schema], body)

    def event_faults(self, event: Json) -> list[Fault]:
        """What is wrong with the envelope of a webhook event; its resource may be anything."""
        file, name = "notifications_webhooks_v1", "event"
        schema = self._documents[file]["components"]["schemas"][name]
        return self.component_faults(file, name, event) + self._undeclared(file, [schema], event)

    def component_faults(self, file: str, name: str, value: Json) -> list[Fault]:
        """What is wrong with a value, held against a named schema of a file; undeclared names are let through."""
        return self._validate(file, f"/components/schemas/{name}", OAS30ReadValidator, value)

    def sparse_response(self, operation: Operation, status: int, body: Json) -> Json:
        """An answer without the fields that the files do not require, see :data:`ESSENTIAL`."""
        _, described = self._response(operation, status)
        schema = (described or {}).get("content", {}).get("application/json", {}).get("schema")
        return body if schema is None else self._sparse(operation.file, [schema], body, ESSENTIAL)

    def sparse_component(self, file: str, name: str, value: Json) -> Json:
        """Do as :meth:`sparse_response` for what an event tells, by a named schema of a file."""
        return self._sparse(file, [{"$ref": f"#/components/schemas/{name}"}], value, ESSENTIAL - UNTOLD)

    def error_texts(self, operation: Operation, status: int) -> ErrorTexts | None:
        """The files' wording for an error status of an operation; None where they have none."""
        key = (operation.method, operation.template, str(status))
        if key not in self._texts:
            self._texts[key] = self._read_error_texts(operation, status)
        return self._texts[key]

    def examples(self) -> Iterator[tuple[Operation, str, Json, list[Fault]]]:
        """Each example of the files: operation, where it stands, the value, what is wrong with it."""
        for operation in self.operations:
            body = self._resolve(operation.file, operation.node.get("requestBody", {}))
            for name, value in self._examples(operation.file, body):
                yield operation, f"request {name}", value, self.request_faults(operation, value)
            for status, response in operation.node["responses"].items():
                if not status.isdigit():
                    continue
                for name, value in self._examples(operation.file, self._resolve(operation.file, response)):
                    yield operation, f"{status} {name}", value, self.response_faults(operation, int(status), value)

    def _unlisted(self, operation: Operation, status: int, body: Json) -> list[Fault]:
        """The issues of an error that its catalogue does not list; the schemas would let any pass."""
        texts = self.error_texts(operation, status)
        if texts is None or not texts.descriptions:
            return []
        return [
            Fault(f"/details/{index}/issue", "issue", f"{detail['issue']!r} is not listed for {status}")
            for index, detail in enumerate(body.get("details", []))
            if detail["issue"] not in texts.descriptions
        ]

    def _examples(self, file: str, described: Schema) -> Iterator[tuple[str, Json]]:
        content = described.get("content", {}).get("application/json", {})
        for name, example in content.get("examples", {}).items():
            yield name, self._resolve(file, example)["value"]

    def _response(self, operation: Operation, status: int) -> tuple[str, Schema | None]:
        responses = operation.node["responses"]
        code = str(status)
        if code not in responses:
            if status < 400 or "default" not in responses:
                return "", None
            code = "default"
        pointer = f"/paths/{_escape(operation.template)}/{operation.method.lower()}/responses/{code}"
        return self._follow(operation.file, pointer, responses[code])

    def _read_error_texts(self, operation: Operation, status: int) -> ErrorTexts | None:
        _, described = self._response(operation, status)
        schema = (described or {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return None
        names: list[str] = []
        messages: list[str] = []
        descriptions: dict[str, str] = {}
        for properties in self._properties(operation.file, self._of_status(operation.file, schema, status)):
            names += _single(self._resolve(operation.file, properties.get("name", {})))
            messages += _single(self._resolve(operation.file, properties.get("message", {})))
            for issue in _single(properties.get("issue", {})):
                descriptions.setdefault(issue, "".join(_single(properties.get("description", {}))))
        return ErrorTexts(names[0], messages[0], descriptions) if names and messages else None

    def _of_status(self, file: str, schema: Schema, status: int) -> Schema:
        """The part for one status of the ``default`` answer, which lists all of them under ``oneOf``."""
        resolved = self._resolve(file, schema)
        named = [part for part in resolved.get("oneOf", []) if str(part.get("$ref", "")).endswith(f"error_{status}")]
        return named[0] if named else resolved

    def _properties(self, file: str, node: Json, seen: frozenset[int] = frozenset()) -> Iterator[Schema]:
        """Every ``properties`` object below a schema, references followed."""
        if isinstance(node, dict):
            node = self._resolve(file, node)
            if id(node) in seen:
                return
            if isinstance(node.get("properties"), dict):
                yield node["properties"]
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for child in children:
            yield from self._properties(file, child, seen | {id(node)})

    def _validate(self, file: str, pointer: str, validator: type, body: Json) -> list[Fault]:
        key = (file, pointer, validator)
        if key not in self._validators:
            self._validators[key] = validator({"$ref": f"urn:{file}#{pointer}"}, registry=self._registry)
        return [
            Fault("".join(f"/{part}" for part in error.absolute_path), str(error.validator), error.message[:200])
            for error in self._validators[key].iter_errors(body)
        ]

    def _undeclared(self, file: str, schemas: list[Schema], value: Json, path: str = "") -> list[Fault]:
        """The names in a value that none of its schemas declares; an object without declared names is free-form."""
        faults: list[Fault] = []
        if isinstance(value, dict):
            declared = self._names(file, schemas)
            for name, child in value.items() if declared else ():
                if name in declared:
                    faults += self._undeclared(file, declared[name], child, f"{path}/{name}")
                else:
                    faults.append(Fault(f"{path}/{name}", UNDECLARED, f"{name!r} is not a name of PayPal's"))
        elif isinstance(value, list):
            items = [part["items"] for part in self._parts(file, schemas) if "items" in part]
            for index, child in enumerate(value):
                faults += self._undeclared(file, items, child, f"{path}/{index}")
        return faults

    def _sparse(self, file: str, schemas: list[Schema], value: Json, essential: frozenset[str]) -> Json:
        if isinstance(value, list):
            items = [part["items"] for part in self._parts(file, schemas) if "items" in part]
            kept = [each for each in value if not isinstance(each, dict) or each.get("rel", "up") in FOLLOWED]
            return [self._sparse(file, items, each, essential) for each in kept]
        if not isinstance(value, dict):
            return value
        parts, declared = list(self._parts(file, schemas)), self._names(file, schemas)
        needed = essential.union(*(part.get("required", ()) for part in parts))
        return {
            name: self._sparse(file, declared.get(name, []), child, essential)
            for name, child in value.items()
            if name in needed
        }

    def _names(self, file: str, schemas: list[Schema]) -> dict[str, list[Schema]]:
        key = tuple(id(schema) for schema in schemas)
        if key not in self._declared:
            names: dict[str, list[Schema]] = {}
            for part in self._parts(file, schemas):
                for name, schema in part.get("properties", {}).items():
                    names.setdefault(name, []).append(schema)
            self._declared[key] = names
        return self._declared[key]

    def _parts(self, file: str, schemas: list[Schema]) -> Iterator[Schema]:
        """The schemas with all that they are composed of."""
        for schema in schemas:
            resolved = self._resolve(file, schema)
            yield resolved
            for keyword in ("allOf", "anyOf", "oneOf"):
                yield from self._parts(file, resolved.get(keyword, []))

    def _follow(self, file: str, pointer: str, node: Schema) -> tuple[str, Schema]:
        while "$ref" in node:
            pointer = node["$ref"][1:]
            node = self._at(file, pointer)
        return pointer, node

    def _resolve(self, file: str, node: Schema) -> Schema:
        return self._follow(file, "", node)[1]

    def _at(self, file: str, pointer: str) -> Schema:
        node: Schema = self._documents[file]
        for part in pointer[1:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _single(schema: Schema) -> list[str]:
    """The one word that a schema allows, or nothing."""
    allowed: list[str] = schema.get("enum", [])
    return allowed[:1]
