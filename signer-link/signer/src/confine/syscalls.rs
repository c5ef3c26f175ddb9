//! The system calls that a confined process may make; every other one fails with EPERM.
//!
//! A list of what is allowed, not of what is forbidden, so that what later kernels add, and the second numbering that
//! some machines have (x32), is shut out by itself. Not on it, among many: sockets, starting programs and processes,
//! tracing and reading other processes, mounts, namespaces, kernel modules, eBPF, io_uring, userfaultfd, keyrings,
//! clocks being set.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::Extent;

/// Memory, time, randomness, signals, threads, and leaving.
const PROCESS: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_mlockall,
    libc::SYS_munlock,
    libc::SYS_membarrier,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_kill,
    libc::SYS_tgkill,
    libc::SYS_pidfd_send_signal,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_restart_syscall,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrlimit,
    libc::SYS_prlimit64,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_prctl,
    // The second confinement.
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Files, of which Landlock says which; and whatever is open.
const FILES: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fallocate,
    libc::SYS_ftruncate,
    libc::SYS_truncate,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_fadvise64,
    libc::SYS_ioctl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_umask,
    libc::SYS_utimensat,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    // Of sockets that are open: none can be made.
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
];

/// What newer machines do with calls from the lists above.
#[cfg(target_arch = "x86_64")]
const OLDER_FORMS: &[c_long] = &[
    libc::SYS_arch_prctl,
    libc::SYS_time,
    libc::SYS_getpgrp,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_link,
    libc::SYS_rename,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_FORMS: &[c_long] = &[];

/// New sockets, as a client.
const SOCKETS: &[c_long] = &[libc::SYS_socket, libc::SYS_connect];

/// Restricts all threads of this process.
pub(super) fn restrict(sockets: bool) -> Result<Extent, Error> {
    let Ok(machine) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(Extent::Not);
    };
    for filter in [allowed(sockets, machine)?, threads_by_clone(machine)?] {
        match apply_filter_all_threads(&filter) {
            Ok(()) => {}
            // A kernel that was built without it.
            Err(Error::Seccomp(error) | Error::Prctl(error))
                if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) =>
            {
                return Ok(Extent::Not);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Extent::Fully)
}

fn allowed(sockets: bool, machine: TargetArch) -> Result<BpfProgram, Error> {
    let extra = if sockets { SOCKETS } else { &[] };
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = [PROCESS, FILES, OLDER_FORMS, extra]
        .concat()
        .into_iter()
        .map(|number| (number, Vec::new()))
        .collect();
    // A thread, never a process.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let condition = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(thread),
        thread,
    )?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![condition])?]);
    // Dealt with by the other filter.
    rules.insert(libc::SYS_clone3, Vec::new());
    program(
        rules,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        SeccompAction::Allow,
        machine,
    )
}

/// `clone3` has its flags in memory, where no filter sees them: as if this kernel did not know it, so that `clone` is
/// taken.
fn threads_by_clone(machine: TargetArch) -> Result<BpfProgram, Error> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    program(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        machine,
    )
}

fn program(
    rules: BTreeMap<c_long, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    listed: SeccompAction,
    machine: TargetArch,
) -> Result<BpfProgram, Error> {
    let filter = SeccompFilter::new(rules, otherwise, listed, machine)?;
    let program: Result<BpfProgram, BackendError> = filter.try_into();
    Ok(program?)
}
