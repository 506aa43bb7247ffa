"""What a client sees of an error."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from marigram import errors
from marigram.call.tokens import new_token
from marigram.rpc.status import CODES, DETAILS_KEY, RETRY_KEY, status_of

CLASSES = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MarigramError)),
    key=lambda kind: kind.__name__,
)


def details(error: Exception) -> dict[str, object]:
    trailers = dict(status_of(error).trailers)
    status = status_pb2.Status.FromString(trailers[DETAILS_KEY])
    found = {}
    for detail in status.details:
        name = detail.type_url.rpartition(".")[2]
        found[name] = getattr(error_details_pb2, name).FromString(detail.value)
    return found


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_status_with_reason_and_domain(kind: type[errors.MarigramError]) -> None:
    status = status_of(kind("the rule", reason="SOME_REASON", field="batch.rows"))
    packed = status_pb2.Status.FromString(dict(status.trailers)[DETAILS_KEY])
    info = details(kind("the rule", reason="SOME_REASON"))["ErrorInfo"]
    assert kind in CODES
    assert packed.code == status.code.value[0]
    assert packed.message == status.message
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == ("SOME_REASON", "marigram")


def test_statuses_are_those_of_the_design() -> None:
    assert {kind.__name__: code.name for kind, code in CODES.items()} == {
        "InvalidArgument": "INVALID_ARGUMENT",
        "NotFound": "NOT_FOUND",
        "AlreadyExists": "ALREADY_EXISTS",
        "OutOfRange": "OUT_OF_RANGE",
        "FailedPrecondition": "FAILED_PRECONDITION",
        "VersionConflict": "ABORTED",
        "LimitExceeded": "RESOURCE_EXHAUSTED",
        "StoreFull": "RESOURCE_EXHAUSTED",
        "Unauthenticated": "UNAUTHENTICATED",
        "PermissionDenied": "PERMISSION_DENIED",
        "Fenced": "PERMISSION_DENIED",
        "Overloaded": "UNAVAILABLE",
        "Corrupt": "DATA_LOSS",
        "Unsupported": "UNIMPLEMENTED",
        "DeadlineExceeded": "DEADLINE_EXCEEDED",
        "Cancelled": "CANCELLED",
        "Internal": "INTERNAL",
        "MarigramError": "INTERNAL",
    }


def test_a_class_that_is_not_in_the_table_has_its_base_s_status() -> None:
    class Special(errors.NotFound):
        pass

    assert status_of(Special("gone")).code is grpc.StatusCode.NOT_FOUND


def test_an_invalid_argument_points_at_its_field() -> None:
    violation = details(errors.InvalidArgument("rows must be positive, got 0", field="batch.rows"))["BadRequest"]
    assert isinstance(violation, error_details_pb2.BadRequest)
    assert violation.field_violations[0].field == "batch.rows"


def test_what_is_missing_or_there_already_is_named() -> None:
    for kind in (errors.NotFound, errors.AlreadyExists):
        found = details(kind("there is", resource="keys/0123"))["ResourceInfo"]
        assert isinstance(found, error_details_pb2.ResourceInfo)
        assert (found.resource_type, found.resource_name) == ("keys", "keys/0123")


@pytest.mark.parametrize("kind", [errors.LimitExceeded, errors.StoreFull])
def test_what_ran_out_is_a_quota(kind: type[errors.MarigramError]) -> None:
    assert "QuotaFailure" in details(kind("full", reason="FULL"))


def test_a_delay_stands_in_the_details_and_in_a_trailer_of_its_own() -> None:
    error = errors.Overloaded("later", retry_after=1.25)
    found = details(error)["RetryInfo"]
    assert isinstance(found, error_details_pb2.RetryInfo)
    assert found.retry_delay.ToMilliseconds() == 1_250
    assert dict(status_of(error).trailers)[RETRY_KEY] == found.SerializeToString()
    assert RETRY_KEY not in dict(status_of(errors.Overloaded("later")).trailers)


def test_nothing_of_a_foreign_exception_is_told() -> None:
    status = status_of(KeyError("/srv/marigram/hot/data.mdb"))
    assert status.code is grpc.StatusCode.INTERNAL
    assert "mdb" not in str(status)
    assert status.error_id in status.message


def test_keys_in_a_message_are_masked() -> None:
    key = new_token().text()
    assert key not in str(status_of(errors.InvalidArgument(f"no stream is called {key}", field="name")))


def test_a_status_fits_into_the_trailers_that_clients_take() -> None:
    long = "x" * 100_000
    status = status_of(errors.LimitExceeded(long, field=long, resource=long, retry_after=1))
    assert sum(len(key) + len(value) for key, value in status.trailers) + len(status.message) < 8_192
