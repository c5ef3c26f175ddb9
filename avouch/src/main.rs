//! `avouch`: the operator's one command.
#![forbid(unsafe_code)]

mod api;
mod cli;
mod commands;
mod config_files;
mod data_dir;
mod edge;
mod endpoints;
mod http;
mod human;
mod index_txt;
mod installation;
mod operator;
mod outcome;
mod progress;
mod publications;
mod records;
mod shipped;
mod signer_log;
mod table;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cli::{
    AuditCommand, Cli, Command, CrlCommand, DrillCommand, ImportCommand, OperatorCommand,
    PgpCommand, SignerCommand,
};
use crate::data_dir::DataDir;
use crate::outcome::{EX_USAGE, Failure, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    // One thread: the daemons end with the thread that started them (`--die-with-parent`).
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return outcome::fail(&error.into(), cli.json),
    };
    match runtime.block_on(run(&cli)) {
        Ok(outcome) => {
            outcome.print(cli.json);
            outcome.code()
        }
        Err(error) => outcome::fail(&error, cli.json),
    }
}

/// Help and version, or a mistake on the command line.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed terminal leaves nobody to tell; the exit code still does.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let failure = Failure::usage(error.to_string().trim_end());
        return outcome::fail(&failure.into(), true);
    }
    let _ = error.print();
    ExitCode::from(EX_USAGE)
}

async fn run(cli: &Cli) -> Result<Outcome> {
    if cli.json && !matches!(cli.command, Command::Up(_)) {
        progress::silence();
    }
    let data = DataDir::new(&cli.data)?;
    match &cli.command {
        Command::Up(options) => up::up(&data, options, cli.json).await,
        Command::Init(options) => commands::init::init(&data, options).await,
        Command::Ceremony(options) => commands::ceremony::ceremony(options),
        Command::Issue(options) => commands::issue::issue(&data, options).await,
        Command::Revoke(options) => commands::revoke::revoke(&data, options).await,
        Command::Explain(options) => commands::explain::explain(&data, options).await,
        Command::Status(_) => commands::status::status(&data).await,
        Command::Policy(options) => commands::policy::policy(&data, options).await,
        Command::Pgp(PgpCommand::Sign(options)) => commands::pgp::sign(&data, options).await,
        Command::Pgp(PgpCommand::Key) => commands::pgp::key(&data).await,
        Command::Pgp(PgpCommand::Show(options)) => commands::pgp::show(&data, options).await,
        Command::Operator(OperatorCommand::Add(options)) => {
            commands::operator::add(&data, options).await
        }
        Command::Operator(OperatorCommand::List) => commands::operator::list(&data).await,
        Command::Crl(CrlCommand::Allow(options)) => {
            commands::operator::allow_crl(&data, options).await
        }
        Command::Signer(SignerCommand::State) => commands::signer::state(&data).await,
        Command::Signer(SignerCommand::Log(options)) => {
            commands::signer::log(&data, options, cli.json)
        }
        Command::Signer(SignerCommand::Standby) => commands::signer::standby(&data).await,
        Command::FetchCrl(options) => commands::fetch_crl::fetch_crl(options).await,
        Command::Import(ImportCommand::Ca(options)) => {
            commands::import_ca::import(&data, options).await
        }
        Command::Drill(DrillCommand::MassRevoke(options)) => {
            commands::drill::mass_revoke(&data, options).await
        }
        Command::Audit(AuditCommand::Verify(options)) => {
            commands::audit::verify(&data, options).await
        }
    }
}
