//! Something that happens while an edge is under load.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::cores::Cores;
use crate::measure::{Load, Measured, measure};
use crate::server::Server;

/// Long enough for whatever happens; the load ends with it.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Loads the edge from when `happens` begins until it has ended.
pub(crate) fn while_it_happens<T: Send>(
    cores: Cores,
    edge: &Server,
    load: &Load,
    happens: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<(Measured, T)> {
    let mut load = load.clone();
    load.length = LONG;
    let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let happening = scope.spawn(|| {
            cores.be_publisher()?;
            while !begun.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1));
            }
            let result = happens();
            done.store(true, Ordering::Release);
            result
        });
        let found = measure(edge, &load, &mut || {
            begun.store(true, Ordering::Release);
            if done.load(Ordering::Acquire) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        // If the load could not even begin, the other side must not wait for it.
        begun.store(true, Ordering::Release);
        let happened = happening
            .join()
            .map_err(|_| anyhow::anyhow!("what should happen under load has panicked"))?;
        Ok((found?, happened?))
    })
}
