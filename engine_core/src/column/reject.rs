//! Why a row is quarantined. Numbers are those of the disk; names those of `docs/errors.md`.

macro_rules! reasons {
    ($($variant:ident = $number:literal, $name:literal, $doc:literal;)*) => {
        /// The rule a row broke.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reject { $(#[doc = $doc] $variant = $number,)* }

        impl Reject {
            /// Every reason, in ascending order of number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// UPPER_SNAKE name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The rule in words.
            pub fn rule(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

reasons! {
    TimeMissing = 1, "TIME_MISSING", "a row has an event time";
    TimeInFuture = 2, "TIME_IN_FUTURE", "event time is at most 10 minutes ahead of the server's clock";
    TimeTooOld = 3, "TIME_TOO_OLD", "event time is not older than the stream's max_age";
    TypeMismatch = 4, "TYPE_MISMATCH", "a value has its column's type";
    IntegerTooLarge = 5, "INTEGER_TOO_LARGE", "an integer in an f64 column lies within 2^53";
    SymbolTooLong = 6, "SYMBOL_TOO_LONG", "a symbol, label, event type or entity has at most 4,096 bytes";
    TextTooLong = 7, "TEXT_TOO_LONG", "a text has at most 65,536 bytes";
    EventMissing = 8, "EVENT_MISSING", "an event has a type";
    BadName = 9, "BAD_NAME", "a column name has 1 to 255 bytes and no control characters";
    UnknownColumn = 10, "UNKNOWN_COLUMN", "a strict stream takes declared columns only";
    TooManyColumns = 11, "TOO_MANY_COLUMNS", "a stream has at most 1,024 columns";
    BadLabels = 12, "BAD_LABELS", "a series names each label once, none of them a column";
    ReservedName = 13, "RESERVED_NAME", "`time`, `entity` and `user` are not properties";
    DuplicateColumn = 14, "DUPLICATE_COLUMN", "a row names each column once";
}

impl Reject {
    /// Room for one counter a reason, by number.
    pub const SLOTS: usize = 32;

    /// From its number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| *reason as u8 == number)
    }
}

/// Rows counted by the rule they broke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RejectCounts([u64; Reject::SLOTS]);

impl RejectCounts {
    /// Counts rows.
    pub fn add(&mut self, reason: Reject, rows: u64) {
        self.0[reason as usize] += rows;
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Rows over all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Reasons with rows, in ascending order of number.
    pub fn iter(&self) -> impl Iterator<Item = (Reject, u64)> + '_ {
        Reject::ALL
            .iter()
            .map(|&reason| (reason, self.0[reason as usize]))
            .filter(|&(_, rows)| rows > 0)
    }
}
