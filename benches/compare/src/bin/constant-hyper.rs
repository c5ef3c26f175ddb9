//! A bare hyper server that answers every request with the same octets: what the HTTP library alone costs.
//!
//! Built as the edge is: one single-threaded runtime, one SO_REUSEPORT socket. No timers, no limits, no metrics.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::runtime::LocalOptions;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: constant-hyper PORT FILE";
    let port: u16 = arguments.next().context(usage)?.parse()?;
    let body = Bytes::from(std::fs::read(arguments.next().context(usage)?)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(serve(port, body))
}

async fn serve(port: u16, body: Bytes) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener(port)?)?;
    let mut builder = http1::Builder::new();
    builder.pipeline_flush(true);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (builder, body) = (builder.clone(), body.clone());
        tokio::task::spawn_local(async move {
            let service = service_fn(move |_: Request<Incoming>| {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().insert(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/ocsp-response"),
                );
                // hyper adds Date and Content-Length.
                async { Ok::<_, Infallible>(response) }
            });
            // A client that goes away is no concern of a bench.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn listener(port: u16) -> anyhow::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
