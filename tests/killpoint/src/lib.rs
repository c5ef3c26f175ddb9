//! A library for `LD_PRELOAD` that kills its own process at a point where something becomes durable.
//!
//! Points are the calls of `fsync`, `fdatasync`, `rename`, `renameat` and `renameat2`: whatever a program acknowledges
//! must be safe behind one of them, so killing it before and after each of them, one after the other, meets every state
//! that a crash can leave on disk. The environment says which:
//!
//! | variable | meaning |
//! | --- | --- |
//! | `KILLPOINT_LOG` | file to which each point and each kill is appended, one line each: `point` or `kill`, program, process id, number, call, and for a kill `before` or `after` |
//! | `KILLPOINT_PROGRAM` | the only program (file name of the executable) this concerns; all when unset |
//! | `KILLPOINT_AT` | kill at this point of the process, counted from 1 |
//! | `KILLPOINT_WHEN` | `before` (the default) or `after` the call |
//! | `KILLPOINT_CONTROL` | instead of `KILLPOINT_AT`: a directory where a line `NUMBER WHEN` in the file named as the program arms a process that runs already; its points count from the first it meets with this line. The file is emptied when it kills, so that the program can be started again. It is opened at the first point and never again |
//!
//! `SIGKILL` cannot be caught: nothing is flushed, no destructor runs. The page cache survives, as it does not in a
//! power loss; that a program waits for the call's success before it acknowledges is seen by killing *before* the call.
//!
//! Programs that make system calls themselves (rustix) do not pass here.

mod point;

use std::ffi::{c_char, c_int, c_uint};

use libc::{AT_FDCWD, SYS_fdatasync, SYS_fsync, SYS_renameat2, syscall};

use point::at_point;

/// `fsync(2)`.
///
/// # Safety
/// As the C library's: none is needed, a bad descriptor is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(descriptor: c_int) -> c_int {
    at_point("fsync", || {
        // SAFETY: the system call takes one integer and touches no memory of ours.
        unsafe { syscall(SYS_fsync, descriptor) as c_int }
    })
}

/// `fdatasync(2)`.
///
/// # Safety
/// As the C library's: none is needed, a bad descriptor is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    at_point("fdatasync", || {
        // SAFETY: the system call takes one integer and touches no memory of ours.
        unsafe { syscall(SYS_fdatasync, descriptor) as c_int }
    })
}

/// `rename(2)`.
///
/// # Safety
/// As the C library's: both paths are valid C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller promises two C strings, which is all that `rename_at` asks for.
    at_point("rename", || unsafe {
        rename_at(AT_FDCWD, from, AT_FDCWD, to, 0)
    })
}

/// `renameat(2)`.
///
/// # Safety
/// As the C library's: both paths are valid C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
) -> c_int {
    // SAFETY: the caller promises two C strings, which is all that `rename_at` asks for.
    at_point("renameat", || unsafe {
        rename_at(from_directory, from, to_directory, to, 0)
    })
}

/// `renameat2(2)`.
///
/// # Safety
/// As the C library's: both paths are valid C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat2(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller promises two C strings, which is all that `rename_at` asks for.
    at_point("renameat2", || unsafe {
        rename_at(from_directory, from, to_directory, to, flags)
    })
}

/// The system call behind all three.
///
/// # Safety
/// `from` and `to` are valid C strings.
unsafe fn rename_at(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: the kernel only reads the two C strings, which the caller vouches for; it judges the rest itself.
    unsafe { syscall(SYS_renameat2, from_directory, from, to_directory, to, flags) as c_int }
}
