//! What SQLite's result codes mean for an operator.

use sqlx::Error;

use crate::error::LedgerError;

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const PERMISSION: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const INPUT_OUTPUT: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANNOT_OPEN: i32 = 14;
    pub(super) const NOT_A_DATABASE: i32 = 26;
}

impl From<Error> for LedgerError {
    fn from(error: Error) -> Self {
        if let Error::PoolTimedOut = error {
            return Self::Locked;
        }
        let primary = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<i32>().ok())
            .map(|extended| extended & 0xff);
        match primary {
            Some(code::BUSY | code::LOCKED) => Self::Locked,
            Some(code::FULL) => Self::DiskFull,
            Some(code::READ_ONLY | code::PERMISSION | code::CANNOT_OPEN) => {
                Self::ReadOnly(error.to_string())
            }
            Some(code::CORRUPT | code::NOT_A_DATABASE) => Self::Damaged(error.to_string()),
            Some(code::INPUT_OUTPUT) => {
                Self::Database(format!("{error}; check the disk and the kernel's log").into())
            }
            _ => Self::Database(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests;
