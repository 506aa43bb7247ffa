"""What stands before every handler: request id, authentication, scope, drain, admission.

All of it is decided from the metadata, before a message is read. gRPC asks a generic handler for the handler of each
call, in the call's own task, so a plain synchronous look-up is enough: there is nothing to await here.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias

import grpc
import structlog

from marigram.call import Caller
from marigram.call.budget import Budget
from marigram.call.keys import KeyRing
from marigram.errors import MarigramError, PermissionDenied, Unauthenticated, Unsupported
from marigram.rpc.drain import Drain, stopping
from marigram.rpc.scopes import OPEN

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic for its stub alone

log = structlog.get_logger()

REQUEST_ID_KEY = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_BEARER = "bearer "


class Admission(NamedTuple):
    """A call that was let in; without a caller where anybody may call."""

    request_id: str
    caller: Caller | None
    keys: KeyRing

    def check_key(self) -> None:
        """For calls that outlive their beginning: the key that they showed may have ended since.

        Raises:
            Unauthenticated: it has.
        """
        if self.caller is not None:
            self.keys.check(self.caller.key_id)


class Served(NamedTuple):
    """A method that is served: its handler, the scope it needs, and what its calls count against."""

    handler: Handler
    scope: str
    budget: Budget | None


_admission: ContextVar[Admission] = ContextVar("marigram_admission")


def admitted() -> Admission:
    """How the running call was let in."""
    return _admission.get()


class Gate(grpc.GenericRpcHandler):
    """Finds the handler of a call, or one that refuses it."""

    def __init__(
        self,
        served: Mapping[str, Served],
        keys: KeyRing,
        drain: Drain,
        refusal: Callable[[Exception, str, Drain], Handler],
    ) -> None:
        self._served = {f"/{method}": rules for method, rules in served.items()}
        self._keys = keys
        self._drain = drain
        self._refusal = refusal

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        """The handler of the call; never None, since gRPC's own answer to that carries no reason."""
        method: str = handler_call_details.method
        if self._drain.started:
            self._drain.note_call()
        authorization, request_id = read_metadata(handler_call_details.invocation_metadata or ())
        try:
            served, caller = self._admit(method, authorization)
        except MarigramError as error:
            log.info("call refused", method=method[:256], reason=error.reason, request_id=request_id)
            return self._refusal(error, request_id, self._drain)
        except Exception as error:
            log.exception("call refused", method=method[:256], request_id=request_id)
            return self._refusal(error, request_id, self._drain)
        _admission.set(Admission(request_id, caller, self._keys))
        return served.handler

    def _admit(self, method: str, authorization: str) -> tuple[Served, Caller | None]:
        served = self._served.get(method)
        if served is not None and served.scope == OPEN:
            return served, None
        if not authorization:
            raise Unauthenticated("the call shows no key: send authorization: Bearer mg_…", reason="KEY_MISSING")
        bearer = authorization[: len(_BEARER)].lower() == _BEARER
        caller = Caller.of(self._keys.identify(authorization[len(_BEARER) :].strip() if bearer else ""))
        if served is None:
            raise Unsupported("there is no such method", reason="METHOD_NOT_FOUND")
        if served.scope not in caller.scopes:
            raise PermissionDenied(f"the key does not have scope {served.scope}", reason="SCOPE_DENIED")
        if self._drain.started:
            raise stopping()
        if served.budget is not None:
            served.budget.check_call(caller.namespace_id)
        return served, caller


def read_metadata(metadata: Iterable[Any]) -> tuple[str, str]:
    """(authorization, request id); an id that is missing or odd is made anew."""
    authorization, request_id = "", ""
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str):
            authorization = value
        elif key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            request_id = value
    return authorization, request_id or secrets.token_hex(8)
