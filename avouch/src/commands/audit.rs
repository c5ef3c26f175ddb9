//! `avouch audit verify`: the records hold together, or where they do not.

use anyhow::Result;
use serde_json::json;

use crate::data_dir::DataDir;
use crate::human;
use crate::outcome::Outcome;
use crate::records;

pub(crate) async fn verify(data: &DataDir) -> Result<Outcome> {
    let summary = records::open(data).await?.verify_audit().await?;
    let hash = hex::encode(summary.hash);
    let text = format!(
        "{} audit records, each chained to the one before, agree with {} certificates, {} revocations and {} events.\n\
         The chain ends in {hash}\n\
         Note it elsewhere: whoever cuts off the end of the chain cannot change the note.",
        human::count(summary.records),
        human::count(summary.certificates),
        human::count(summary.revocations),
        human::count(summary.head),
    );
    let object = json!({
        "holds": true,
        "records": summary.records,
        "events": summary.head,
        "certificates": summary.certificates,
        "revocations": summary.revocations,
        "hash": hash,
    });
    Ok(Outcome::new(object, text))
}
