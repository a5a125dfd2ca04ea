"""The way of a call through PayPal: authenticated, found in the files, checked, performed once, checked again."""

import json
import secrets
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from .alterations import alter
from .calls import Answer, Body, Call, Refusal, Routes
from .guard import Guard
from .merchant import INVALID_CLIENT, INVALID_TOKEN, UNSUPPORTED_GRANT, Merchant
from .operations import UNDECLARED, ErrorTexts, Fault, Operation
from .replay import Replay, digest
from .store import Store
from .switches import ALTERATION, IN_PROGRESS, LEFT_OUT, TOKEN_CALL, TRANSPORT, Switch, Switches
from .unchecked import Unchecked

if TYPE_CHECKING:
    from .specifications import Specifications

BAD_GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

# What a schema's rule is called in PayPal's catalogues; the first one that the operation lists is answered.
ISSUES = {
    "required": ("MISSING_REQUIRED_PARAMETER",),
    "enum": ("INVALID_PARAMETER_VALUE",),
    "minLength": ("INVALID_STRING_LENGTH", "INVALID_STRING_MIN_LENGTH"),
    "maxLength": ("INVALID_STRING_LENGTH", "INVALID_STRING_MAX_LENGTH"),
    "minItems": ("INVALID_ARRAY_MIN_ITEMS",),
    "maxItems": ("INVALID_ARRAY_MAX_ITEMS",),
    "minimum": ("INVALID_INTEGER_MIN_VALUE",),
    "maximum": ("INVALID_INTEGER_MAX_VALUE",),
}
NAMES = {  # for statuses that no file words for the operation
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: (
        "AUTHENTICATION_FAILURE",
        "Authentication failed due to missing authorization header, or invalid authentication credentials.",
    ),
    403: ("NOT_AUTHORIZED", "Authorization failed due to insufficient permissions."),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "The server does not support the request payload's media type."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
    429: ("RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error occurred."),
}


class Hangup(Exception):
    """The connection is to be closed without an answer, after so many seconds."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Gateway:
    """Answers everything below ``/v1`` and ``/v2``."""

    def __init__(
        self,
        store: Store,
        specifications: "Specifications | Unchecked",
        guard: Guard,
        merchant: Merchant,
        replay: Replay,
        switches: Switches,
        routes: Routes,
        stopping: threading.Event,
    ) -> None:
        self._store = store
        self._specifications = specifications
        self._guard = guard
        self._merchant = merchant
        self._replay = replay
        self._switches = switches
        self._routes = routes
        self._stopping = stopping
        self.leaves_out_optional = False
        self.calls: deque[Body] = deque(maxlen=10_000)

    def respond(self, request: Request) -> Response:
        """The answer to a request, or what an armed switch makes of it. Raises Hangup."""
        switch = self._switches.take({**TRANSPORT, **IN_PROGRESS}, _subject(request))
        fault = switch.fault if switch else None
        try:
            response = self._misbehave(switch, request) if switch else self._perform(request)
        except Hangup:
            self._log(request, fault, None, None)
            raise
        self._log(request, fault, response.status_code, response.headers["Paypal-Debug-Id"])
        return response

    def _misbehave(self, switch: Switch, request: Request) -> Response:
        parameters = switch.parameters
        if parameters.get("performed", switch.fault in ("lost_response", "timeout")):
            self._perform(request)
        match switch.fault:
            case "lost_response" | "lost_request":
                raise Hangup
            case "timeout":
                raise Hangup(parameters.get("seconds", 60))
            case "slow":
                self._stopping.wait(parameters.get("seconds", 1))
                return self._perform(request)
            case "bad_gateway":
                return _response(Answer(502), BAD_GATEWAY_PAGE, "text/html")
            case "rate_limited":
                response = _response(_error(429))
                if "retry_after" in parameters:
                    response.headers["Retry-After"] = str(parameters["retry_after"])
                return response
            case "unauthorized":
                self._merchant.revoke_tokens()
                return _response(Answer(401, dict(INVALID_TOKEN)))
            case "error" | "conflict":
                return self._refuse(request, _wanted(switch))
            case _:
                return _response(_error(500))

    def _log(self, request: Request, fault: str | None, status: int | None, debug_id: str | None) -> None:
        self.calls.append(
            {
                "method": request.method,
                "path": request.path,
                "request_id": request.headers.get("PayPal-Request-Id"),
                "status": status,
                "debug_id": debug_id,
                "fault": fault,
            }
        )

    def _refuse(self, request: Request, refusal: Refusal) -> Response:
        found = self._specifications.find(request.method, request.path)
        texts = self._specifications.error_texts(found[0], refusal.status) if found else None
        return _response(_error(refusal.status, texts, refusal))

    def _perform(self, request: Request) -> Response:
        if _subject(request) == TOKEN_CALL:
            return self._token(request)
        refused = self._authenticate(request)
        if refused is not None:
            return refused
        found = self._specifications.find(request.method, request.path)
        if found is None:
            self._guard.report(_subject(request), "operation", "PayPal's files know no such operation")
            return _response(_error(404))
        operation, parameters = found
        handler = self._routes.get((operation.method, operation.template))
        if handler is None:
            self._guard.report(str(operation), "operation", "the local PayPal does not do that")
            return _response(_error(404))
        text = request.get_data(as_text=True)
        if "requestBody" in operation.node and request.mimetype != "application/json":
            return _response(_error(415))
        with self._store.transaction():
            replayed = self._replayed(request, operation, text)
            if replayed is not None:
                return _response(self._sparse(request, operation, replayed))
            try:
                answer = handler(self._call(request, operation, parameters, text))
            except Refusal as refusal:
                texts = self._specifications.error_texts(operation, refusal.status)
                answer = _error(refusal.status, texts, refusal)
            self._guard.check_response(operation, answer)
            if request.method == "POST" and (request_id := request.headers.get("PayPal-Request-Id")):
                self._replay.keep(request.path, request_id, text, answer)
        return _response(self._altered(request, self._sparse(request, operation, answer)))

    def _token(self, request: Request) -> Response:
        credentials = request.authorization
        if credentials is None or not self._merchant.owns(credentials.username, credentials.password):
            return _response(Answer(401, dict(INVALID_CLIENT)))
        if request.form.get("grant_type") != "client_credentials":
            return _response(Answer(400, dict(UNSUPPORTED_GRANT)))
        return _response(Answer(200, dict(self._merchant.issue_token())))

    def _authenticate(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            return _response(_error(401))
        return None if self._merchant.accepts(token) else _response(Answer(401, dict(INVALID_TOKEN)))

    def _replayed(self, request: Request, operation: Operation, text: str) -> Answer | None:
        request_id = request.headers.get("PayPal-Request-Id")
        if request.method != "POST" or request_id is None:
            return None
        found = self._replay.find(request.path, request_id)
        if found is None:
            return None
        answer, answered = found
        if digest(text) != answered:
            self._guard.report(str(operation), "request_id", f"{request_id} came again with another body")
        return Answer(200 if "200" in operation.node["responses"] else answer.status, answer.body)

    def _call(self, request: Request, operation: Operation, parameters: dict[str, str], text: str) -> Call:
        body = _parse(text)
        faults = self._guard.check_request(operation, body)
        refused = [fault for fault in faults if fault.rule != UNDECLARED]  # PayPal ignores names that it does not know
        if refused:
            raise self._refusal(operation, refused[0])

        def effect(fault: str) -> Body | None:
            switch = self._switches.take(fault, _subject(request))
            return switch.parameters if switch else None

        return Call(
            path=request.path,
            parameters=parameters,
            query=request.args,
            body=body if isinstance(body, dict) else {},
            patch=body if isinstance(body, list) else [],
            text=text,
            request_id=request.headers.get("PayPal-Request-Id"),
            representation="return=representation" in request.headers.get("Prefer", ""),
            effect=effect,
        )

    def _refusal(self, operation: Operation, fault: Fault) -> Refusal:
        texts = self._specifications.error_texts(operation, 400)
        listed = texts.descriptions if texts else {}
        issues = ISSUES.get(fault.rule, ())
        issue = next((issue for issue in issues if issue in listed), "INVALID_PARAMETER_SYNTAX")
        return Refusal(400, issue, fault.field)

    def _altered(self, request: Request, answer: Answer) -> Answer:
        if answer.status >= 300 or not isinstance(answer.body, dict):
            return answer
        switch = self._switches.take(ALTERATION, _subject(request))
        return Answer(answer.status, alter(switch.fault, answer.body, switch.parameters)) if switch else answer

    def _sparse(self, request: Request, operation: Operation, answer: Answer) -> Answer:
        """The answer without what is optional, if it is to be so."""
        wanted = self.leaves_out_optional or self._switches.take(LEFT_OUT, _subject(request))
        if not wanted or answer.body is None:
            return answer
        if answer.status >= 400 and isinstance(answer.body, dict):
            return Answer(answer.status, {name: value for name, value in answer.body.items() if name != "links"})
        return Answer(answer.status, self._specifications.sparse_response(operation, answer.status, answer.body))


def _wanted(switch: Switch) -> Refusal:
    if switch.fault == "conflict":
        return Refusal(409, "PREVIOUS_REQUEST_IN_PROGRESS")
    return Refusal(switch.parameters.get("status", 422), switch.parameters["issue"])


def _subject(request: Request) -> str:
    return f"{request.method} {request.path}"


def _parse(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        raise Refusal(400, "MALFORMED_REQUEST_JSON") from None


def _error(status: int, texts: ErrorTexts | None = None, refusal: Refusal | None = None) -> Answer:
    name, message = (texts.name, texts.message) if texts else NAMES[status]
    body: Body = {"name": name, "message": message, "debug_id": secrets.token_hex(7)[:13]}
    if refusal is not None and refusal.message:
        body |= {"name": refusal.issue, "message": refusal.message}
    elif refusal is not None:
        detail = {"issue": refusal.issue}
        if texts and refusal.issue in texts.descriptions:
            detail["description"] = texts.descriptions[refusal.issue]
        if refusal.field:
            detail |= {"field": refusal.field, "location": "body"}
        body["details"] = [detail]
        body["links"] = refusal.links
    return Answer(status, body)


def _response(answer: Answer, text: str | None = None, content_type: str = "application/json") -> Response:
    if text is None and answer.body is not None:
        text = json.dumps(answer.body, separators=(",", ":"))
    response = Response(text, answer.status, content_type=content_type)
    debug_id = answer.body.get("debug_id") if isinstance(answer.body, dict) else None
    response.headers["Paypal-Debug-Id"] = debug_id or secrets.token_hex(7)[:13]
    return response
