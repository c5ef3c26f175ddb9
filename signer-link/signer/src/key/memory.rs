//! Memory that nobody else reads: in no core dump, under no debugger, on no swap.

use std::fs;
use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

/// The largest message, twice, and the program itself: with less, locking would make memory run out in the middle of
/// the work.
const LOCKABLE: u64 = 1024 * 1024 * 1024;
/// CAP_IPC_LOCK, by its number: it may lock any amount.
const MAY_LOCK: u64 = 1 << 14;

/// Guards the memory of this process. What cannot be done but is not fatal is said.
pub(crate) fn guard() -> io::Result<Vec<String>> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    Ok(lock().err().into_iter().collect())
}

/// Keeps all memory, also what is taken later, out of the swap.
fn lock() -> Result<(), String> {
    let limit = getrlimit(Resource::Memlock);
    // The soft limit is ours to raise.
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let enough = limit.maximum.is_none_or(|most| most >= LOCKABLE);
    if !enough && !may_lock_any() {
        let most = limit.maximum.unwrap_or_default() / 1024;
        return Err(format!(
            "the memory with the keys is not locked and may reach the swap: only {most} KiB may be locked. Set \
             LimitMEMLOCK=infinity in the systemd unit, or \"memlock unlimited\" in /etc/security/limits.conf; or have \
             no swap, or an encrypted one"
        ));
    }
    let locked = setrlimit(Resource::Memlock, raised).and_then(|()| {
        mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
    });
    locked.map_err(|error| {
        format!("the memory with the keys is not locked and may reach the swap: {error}")
    })
}

fn may_lock_any() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & MAY_LOCK != 0)
}
