//! `serial-proxy` as the cable of a running Avouch: it can be cut.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::program::binary;
use crate::system::System;

/// A cable between the host and the signer.
#[derive(Debug)]
pub struct Cable {
    proxy: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Cable {
    /// Lays it between both, which do not run now, at this speed; `options` are more of the proxy's.
    pub fn lay(system: &System, baud: u32, options: &[&str]) -> Self {
        let ends = ["host", "signer"].map(|end| system.folder().join(format!("{end}.tty")));
        let mut proxy = Command::new(binary("serial-proxy"))
            .args(["--baud", &baud.to_string(), "--link-a"])
            .arg(&ends[0])
            .arg("--link-b")
            .arg(&ends[1])
            .args(options)
            .args(["pty", "pty"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("serial-proxy starts");
        let answers = proxy.stdout.take().expect("it is piped");
        let mut cable = Self {
            commands: proxy.stdin.take().expect("it is piped"),
            answers: BufReader::new(answers),
            proxy,
        };
        while cable.line() != "ready" {}
        for (daemon, end) in [("signer-host", &ends[0]), ("signer", &ends[1])] {
            let file = system.data().join("config").join(format!("{daemon}.toml"));
            let text = fs::read_to_string(&file).expect("a configuration");
            let lines = text.lines().map(|line| match line.split(' ').next() {
                Some("pty" | "device") => format!("device = {end:?}\n"),
                Some("baud") => format!("baud = {baud}\n"),
                _ => format!("{line}\n"),
            });
            fs::write(&file, lines.collect::<String>()).expect("written");
        }
        cable
    }

    /// Cuts it: what is on it is lost, in mid-frame.
    pub fn cut(&mut self) {
        self.say("cut");
    }

    /// Joins it again.
    pub fn join(&mut self) {
        self.say("restore");
    }

    /// How many octets were lost in all cuts, of both directions.
    pub fn lost(&mut self) -> u64 {
        self.tell("counters");
        let directions = [self.line(), self.line()];
        self.line();
        directions
            .iter()
            .flat_map(|line| line.split(", "))
            .filter_map(|part| part.strip_suffix(" lost in cuts")?.parse::<u64>().ok())
            .sum()
    }

    fn say(&mut self, command: &str) {
        self.tell(command);
        assert_eq!(self.line(), "done", "{command}");
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("serial-proxy runs");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let octets = self.answers.read_line(&mut line);
        assert!(
            octets.is_ok_and(|octets| octets > 0),
            "serial-proxy is gone"
        );
        line.trim_end().to_owned()
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // It may have ended with the test.
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}
