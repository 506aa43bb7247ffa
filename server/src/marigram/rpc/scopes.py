"""Which scope each method needs. The only such table; a method that is not in it is never served."""

from marigram.call import scopes

OPEN = ""  # anybody, without a key

SCOPE_OF: dict[str, str] = {
    "marigram.v1.StreamsService/CreateStream": scopes.STREAM_ADMIN,
    "marigram.v1.StreamsService/GetStream": scopes.QUERY_READ,
    "marigram.v1.StreamsService/ListStreams": scopes.QUERY_READ,
    "marigram.v1.StreamsService/UpdateStream": scopes.STREAM_ADMIN,
    "marigram.v1.StreamsService/DeleteStream": scopes.STREAM_ADMIN,
    "marigram.v1.StreamsService/SealStream": scopes.STREAM_ADMIN,
    "marigram.v1.StreamsService/RecodeStream": scopes.STREAM_ADMIN,
    "marigram.v1.StreamsService/ApplyRetention": scopes.STREAM_ADMIN,
    "marigram.v1.IngestService/OpenWriter": scopes.INGEST_WRITE,
    "marigram.v1.IngestService/Write": scopes.INGEST_WRITE,
    "marigram.v1.IngestService/WriteStream": scopes.INGEST_WRITE,
    "marigram.v1.IngestService/TrackEvents": scopes.INGEST_WRITE,
    "marigram.v1.QueryService/Query": scopes.QUERY_READ,
    "marigram.v1.QueryService/ExplainQuery": scopes.QUERY_READ,
    "marigram.v1.QueryService/StreamQuery": scopes.QUERY_READ,
    "marigram.v1.QueryService/ListEvents": scopes.QUERY_READ,
    "marigram.v1.QueryService/GetEvent": scopes.QUERY_READ,
    "marigram.v1.QueryService/ExploreDimension": scopes.QUERY_READ,
    "marigram.v1.AdminService/CreateNamespace": scopes.ADMIN_SERVER,
    "marigram.v1.AdminService/SetNamespaceQuota": scopes.ADMIN_SERVER,
    "marigram.v1.AdminService/ListNamespaces": scopes.ADMIN_SERVER,
    "marigram.v1.AdminService/CreateApiKey": scopes.ADMIN_KEYS,
    "marigram.v1.AdminService/ListApiKeys": scopes.ADMIN_KEYS,
    "marigram.v1.AdminService/RevokeApiKey": scopes.ADMIN_KEYS,
    "marigram.v1.AdminService/GetStatus": scopes.STATUS_READ,
    "marigram.v1.AdminService/WatchStatus": scopes.STATUS_READ,
    "marigram.v1.AdminService/GetStorage": scopes.STATUS_READ,
    "marigram.v1.AdminService/VerifyStore": scopes.ADMIN_SERVER,
    "marigram.v1.AdminService/CreateBackup": scopes.ADMIN_SERVER,
    "marigram.v1.AdminService/ListBackups": scopes.ADMIN_SERVER,
    "grpc.health.v1.Health/Check": OPEN,
    "grpc.health.v1.Health/List": OPEN,
    "grpc.health.v1.Health/Watch": OPEN,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": scopes.STATUS_READ,
}
