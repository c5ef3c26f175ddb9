//! What a process of the signer may still do once it has what it needs: no new socket, no other program, no other
//! process, and no file but those it works with.
//!
//! Two parts of the kernel enforce it, where they are there: Landlock (files, by path; also new TCP connections) and
//! seccomp (`syscalls`: the list of what may be asked of the kernel at all). What was opened before stays open.
//!
//! Both hold for the thread that asks and for those that it starts, so [`confine`] belongs before the first thread; and
//! neither can be taken back. Being confined a second time leaves what both times allow.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};

mod syscalls;

/// The Landlock of Linux 6.10: the newest whose rights are all used here. Older kernels enforce what they know.
const LANDLOCK: ABI = ABI::V5;

/// What a process may still do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Confinement {
    /// Files, and folders with all below them, that it may read.
    pub read: Vec<PathBuf>,
    /// Files that it may read and write; folders below which it may do so, and make and remove files.
    pub write: Vec<PathBuf>,
    /// Terminals and other devices that it may open and set.
    pub devices: Vec<PathBuf>,
    /// Whether it may make new sockets. None of the signer's processes needs to, but some PKCS#11 modules do.
    pub sockets: bool,
}

/// What the kernel enforces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Enforced {
    /// Which files may be reached.
    pub files: Extent,
    /// What may be asked of the kernel.
    pub system_calls: Extent,
}

/// How much of something is enforced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// All of it.
    Fully,
    /// What this kernel knows, which is not all of it.
    Partly,
    /// Nothing: this kernel cannot.
    Not,
}

/// Why a process could not be confined, though the kernel can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// The kernel refused the rules for files.
    #[error("access to files cannot be restricted: {0}")]
    Files(#[from] landlock::RulesetError),
    /// A file that is to be allowed is not there.
    #[error("a file that the process needs cannot be allowed to it: {0}")]
    Path(#[from] landlock::PathFdError),
    /// The kernel refused the filter of system calls.
    #[error("system calls cannot be restricted: {0}")]
    SystemCalls(#[from] seccompiler::Error),
}

impl Confinement {
    /// Of the process that has the serial line: devices, and nothing else. An adapter that is plugged in again is another
    /// file, so it may be any of them that the user may open; give the signer a user of its own.
    pub fn link() -> Self {
        Self {
            devices: vec![PathBuf::from("/dev")],
            ..Self::default()
        }
    }

    /// Of the process that judges: the folders of its journal, and what it reads its configuration from.
    pub fn policy(journal: &Path, configuration: &[PathBuf]) -> Self {
        Self {
            read: configuration.to_vec(),
            write: vec![journal.to_owned()],
            ..Self::default()
        }
    }
}

impl Enforced {
    /// Whether nothing is left open.
    pub const fn is_full(&self) -> bool {
        matches!(self.files, Extent::Fully) && matches!(self.system_calls, Extent::Fully)
    }
}

/// Confines this thread and all that it starts. Says what is enforced, for the log of the start; an error only where the
/// kernel knows how, and refuses.
pub fn confine(confinement: &Confinement) -> Result<Enforced, ConfineError> {
    Ok(Enforced {
        files: confine_files(confinement)?,
        system_calls: syscalls::restrict(confinement.sockets)?,
    })
}

fn confine_files(confinement: &Confinement) -> Result<Extent, ConfineError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(LANDLOCK))?;
    if !confinement.sockets {
        ruleset = ruleset.handle_access(AccessNet::from_all(LANDLOCK))?;
    }
    let mut ruleset = ruleset.create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    for (paths, access) in [
        (&confinement.read, read),
        (&confinement.write, write),
        (&confinement.devices, device),
    ] {
        for path in paths {
            ruleset = ruleset.add_rule(rule(path, access)?)?;
        }
    }
    Ok(match ruleset.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Extent::Fully,
        RulesetStatus::PartiallyEnforced => Extent::Partly,
        RulesetStatus::NotEnforced => Extent::Not,
    })
}

/// Of a file only the rights that a file can have.
fn rule(path: &Path, access: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>, ConfineError> {
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(LANDLOCK)
    };
    Ok(PathBeneath::new(PathFd::new(path)?, access))
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            files,
            system_calls,
        } = self;
        write!(
            f,
            "files {files} restricted (Landlock), system calls {system_calls} restricted (seccomp)"
        )
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fully => "fully",
            Self::Partly => "partly",
            Self::Not => "not",
        })
    }
}
