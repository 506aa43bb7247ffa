//! The only error type. Its kinds mirror the exceptions of `marigram.errors`; `py/error.rs` maps one to the other.

use std::fmt;

/// Who acts on an error, and therefore its gRPC status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The caller fixes the request.
    InvalidArgument,
    /// What was named is not there, or not in the caller's namespace.
    NotFound,
    /// What was to be made is there already.
    AlreadyExists,
    /// A sequence, page or value outside what can be served.
    OutOfRange,
    /// The caller changes state first.
    FailedPrecondition,
    /// The caller reads again and retries.
    VersionConflict,
    /// The caller asks for less.
    LimitExceeded,
    /// The operator grows the store; queries go on.
    StoreFull,
    /// The client retries after a delay.
    Overloaded,
    /// The caller may not do it.
    PermissionDenied,
    /// A newer epoch of this writer is active.
    Fenced,
    /// Stored bytes are not what was written.
    Corrupt,
    /// Declared in the contract, not served.
    Unsupported,
    /// The call's time was up.
    DeadlineExceeded,
    /// The caller gave up.
    Cancelled,
    /// A fault of ours.
    Internal,
}

/// What went wrong: the rule and what was found, never a path, a key or a traceback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: Kind,
    reason: &'static str,
    message: String,
    field: String,
    retry_after_ms: Option<u32>,
    /// For the log only: tables, keys, system errors.
    detail: String,
}

/// Result with the only error type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind with its UPPER_SNAKE reason, as `docs/errors.md` lists it.
    pub fn new(kind: Kind, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason,
            message: message.into(),
            field: String::new(),
            retry_after_ms: None,
            detail: String::new(),
        }))
    }

    /// A field of the request breaks a rule; `field` is its dotted path with indices.
    pub fn invalid(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidArgument, reason, message).at(field)
    }

    /// A field of the contract that is not served yet.
    pub fn unsupported(field: impl Into<String>) -> Self {
        let field = field.into();
        Self::new(Kind::Unsupported, "NOT_SERVED", format!("{field} is not served yet")).at(field)
    }

    /// Stored bytes are not what was written; `detail` names table and key for the log.
    pub fn corrupt(message: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, "DATA_CORRUPT", message).with_detail(detail)
    }

    /// A fault of ours; `detail` is for the log.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(Kind::Internal, "INTERNAL", "an internal error").with_detail(detail)
    }

    /// The same error, about this field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.0.field = field.into();
        self
    }

    /// The same error, worth a retry after so long.
    #[must_use]
    pub fn retry_after_ms(mut self, delay: u32) -> Self {
        self.0.retry_after_ms = Some(delay);
        self
    }

    /// The same error, with more for the log.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// Who acts.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// UPPER_SNAKE reason.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The rule and what was found.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Dotted path of the field concerned; empty when none is.
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// Delay after which a retry makes sense.
    pub fn retry_delay_ms(&self) -> Option<u32> {
        self.0.retry_after_ms
    }

    /// For the log only.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
