//! The servers that are compared, each a process on the server's core.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fill::Site;

use crate::cores::Cores;
use crate::process;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its name in the tables.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Whether it knows POST.
    pub(crate) posts: bool,
    /// Whether its bodies are OCSP responses.
    pub(crate) ocsp: bool,
    child: Child,
}

/// How servers are started.
#[derive(Debug)]
pub(crate) struct Starter {
    pub(crate) cores: Cores,
    /// Where our binaries are.
    pub(crate) binaries: PathBuf,
    /// For configurations and logs.
    pub(crate) scratch: PathBuf,
}

const START_LIMIT: Duration = Duration::from_secs(60);

impl Starter {
    /// The edge, serving a site from one core.
    pub(crate) fn avouch(&self, site: &Site) -> anyhow::Result<Server> {
        self.avouch_with(site, "")
    }

    /// The edge with something more in its configuration.
    pub(crate) fn avouch_with(&self, site: &Site, more: &str) -> anyhow::Result<Server> {
        let port = free_port()?;
        let text = fs::read_to_string(site.edge_configuration())?;
        let text = text
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:8081", "127.0.0.1:0")
            + more;
        let configuration = self.scratch.join("ocsp-responder.toml");
        fs::write(&configuration, text)?;
        let mut command = Command::new(self.binary("ocsp-responder")?);
        command.arg("--config").arg(&configuration);
        self.start("Avouch", port, true, true, command)
    }

    /// A bare hyper server.
    pub(crate) fn hyper(&self, body: &Path) -> anyhow::Result<Server> {
        self.constant("hyper, constant", "constant-hyper", body)
    }

    /// A bare epoll loop.
    pub(crate) fn epoll(&self, body: &Path) -> anyhow::Result<Server> {
        self.constant("epoll, constant", "constant-epoll", body)
    }

    fn constant(&self, name: &'static str, binary: &str, body: &Path) -> anyhow::Result<Server> {
        let port = free_port()?;
        let mut command = Command::new(self.binary(binary)?);
        command.arg(port.to_string()).arg(body);
        self.start(name, port, true, true, command)
    }

    /// nginx that answers with a text of that length.
    pub(crate) fn nginx_return(&self, length: usize) -> anyhow::Result<Server> {
        // Its configuration cannot hold the octets of an OCSP response, so it is a text of the same length.
        let body = "x".repeat(length);
        let location = format!("location / {{ return 200 \"{body}\"; }}");
        self.nginx("nginx, return 200", "return", &location, true)
    }

    /// nginx that serves files from a directory.
    pub(crate) fn nginx_files(&self, root: &Path) -> anyhow::Result<Server> {
        let location = format!("location / {{ root \"{}\"; }}", root.display());
        let mut server = self.nginx("nginx, files", "files", &location, false)?;
        server.ocsp = true;
        Ok(server)
    }

    fn nginx(
        &self,
        name: &'static str,
        folder: &str,
        location: &str,
        posts: bool,
    ) -> anyhow::Result<Server> {
        let port = free_port()?;
        let folder = self.scratch.join(format!("nginx-{folder}"));
        fs::create_dir_all(&folder)?;
        let configuration = folder.join("nginx.conf");
        let here = folder.display();
        // As its manual advises for speed: no log, no limit on requests of a connection.
        fs::write(
            &configuration,
            format!(
                "worker_processes 1;\n\
                 daemon off;\n\
                 pid {here}/pid;\n\
                 error_log {here}/error.log;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{\n\
                 access_log off;\n\
                 sendfile on;\n\
                 tcp_nopush on;\n\
                 keepalive_timeout 3600;\n\
                 keepalive_requests 1000000000;\n\
                 default_type application/ocsp-response;\n\
                 client_body_temp_path {here}/body;\n\
                 proxy_temp_path {here}/proxy;\n\
                 fastcgi_temp_path {here}/fastcgi;\n\
                 uwsgi_temp_path {here}/uwsgi;\n\
                 scgi_temp_path {here}/scgi;\n\
                 server {{\n\
                 listen 127.0.0.1:{port};\n\
                 merge_slashes off;\n\
                 {location}\n\
                 }}\n\
                 }}\n"
            ),
        )?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&configuration).arg("-p").arg(&folder);
        let server = self.start(name, port, posts, false, command);
        server.context("nginx is needed: apt-get install nginx-light")
    }

    fn start(
        &self,
        name: &'static str,
        port: u16,
        posts: bool,
        ocsp: bool,
        mut command: Command,
    ) -> anyhow::Result<Server> {
        let log = self.scratch.join(format!("{port}.log"));
        let file = fs::File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        // A process stays on the core of the thread that starts it.
        let child = self.cores.as_server(|| {
            command
                .spawn()
                .with_context(|| format!("{name} cannot be started"))
        })?;
        let mut server = Server {
            name,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            posts,
            ocsp,
            child,
        };
        server.wait_until_it_listens(&log)?;
        Ok(server)
    }

    fn binary(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.binaries.join(name);
        anyhow::ensure!(
            path.exists(),
            "{} is missing; run cargo build --release --workspace --bins",
            path.display()
        );
        Ok(path)
    }
}

impl Server {
    /// Its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        process::family(self.child.id())
    }

    fn wait_until_it_listens(&mut self, log: &Path) -> anyhow::Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait()?.is_some();
            anyhow::ensure!(
                !ended && began.elapsed() < START_LIMIT,
                "{} does not listen; its log:\n{}",
                self.name,
                fs::read_to_string(log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx must take its worker with it, so it is asked before it is made to.
        if let Some(process) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on. Between this and the server's start another process might take it, which then shows.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
