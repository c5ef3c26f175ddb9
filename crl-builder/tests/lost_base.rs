//! A signer that never heard of the CRL that deltas are relative to: a standby that was promoted, or a new one for a CA that
//! was taken over.

mod common;

use common::{World, until};
use pki::CrlNumber;
use pki::crl::Crl;
use publication::Directory;

/// The CRL with so many entries above this number, once it is published, and what the delta beside it is relative to.
async fn published(
    world: &World,
    entries: usize,
    above: Option<&CrlNumber>,
) -> (CrlNumber, Option<CrlNumber>) {
    let store = Directory::new(world.path("publication"));
    until("the CRL", || {
        let manifest = world.manifest("member")?;
        let list = |role: &str| {
            let object = manifest.object(role)?;
            Crl::from_der(&store.object(&manifest.channel, object).ok()?).ok()
        };
        let crl = list("crl").filter(|crl| crl.len() == entries && crl.number() > above)?;
        let base = list("crl-delta").and_then(|delta| delta.base_number().cloned());
        Some((crl.number()?.clone(), base))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_base_there_is_no_delta_and_everything_else() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.with_deltas("member").await;
    world.certify("member", 1..=3).await;
    let running = world.start();
    let (first, _) = published(&world, 0, None).await;
    world.revoke("member", 1).await;
    let (_, base) = published(&world, 1, None).await;
    assert_eq!(base, Some(first));

    // Whoever signs now knows nothing of it.
    world.signer.state().memory.clear();
    world.revoke("member", 2).await;
    let (second, base) = published(&world, 2, None).await;
    assert_eq!(base, None);

    // The next scheduled CRL is a base again.
    world.clock.advance(86_400);
    let (scheduled, _) = published(&world, 2, Some(&second)).await;
    world.revoke("member", 3).await;
    let (_, base) = published(&world, 3, None).await;
    assert_eq!(base, Some(scheduled));
    running.stop().await;
}
