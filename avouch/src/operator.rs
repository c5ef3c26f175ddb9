//! Who acts: the name that is recorded with everything an operator does.

/// `operator:NAME`, from the login that runs this command.
pub(crate) fn actor() -> String {
    let login = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()));
    match login {
        Some(login) => format!("operator:{login}"),
        None => format!("operator:uid-{}", rustix::process::getuid().as_raw()),
    }
}
