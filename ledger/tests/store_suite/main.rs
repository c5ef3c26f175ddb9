//! What every store must do, whatever database it uses: the same cases over each [`Place`].

mod audit;
mod crls;
mod feed;
mod fixtures;
mod following;
mod importing;
mod issuers;
mod issuing;
mod pgp;
mod revoking;
mod simulation;
mod sqlite_file;

use std::sync::Arc;

use ledger::{SqliteStore, Store};
use tempfile::TempDir;

/// Where a ledger is kept: it can be opened many times, at the same time or again later.
trait Place {
    fn new() -> Self;
    async fn open(&self) -> Arc<dyn Store>;
}

struct Sqlite(TempDir);

impl Place for Sqlite {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(
            SqliteStore::open(&self.0.path().join("ledger.sqlite"))
                .await
                .unwrap(),
        )
    }
}

/// Runs every case over one kind of place.
macro_rules! over {
    ($name:ident, $place:ty: $($module:ident: $($case:ident)+;)+) => {
        mod $name {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::$module::$case::<$place>().await;
                })+
            })+
        }
    };
}

over! { sqlite, crate::Sqlite:
    issuers: kept_as_given_across_reopening one_name_and_key_is_one_issuer renewal_keeps_the_key refused_where_they_enter;
    issuing: reserve_then_record only_what_was_reserved_is_recorded a_serial_is_used_once pending_survives_reopening given_up_stays_used a_new_part_is_told_of;
    revoking: recorded_with_everything counted_in_the_order_of_events only_what_was_issued the_first_record_stands an_earlier_record_is_reinstated grounds_and_reasons a_compromised_key_is_blocked;
    importing: statuses_as_they_were the_same_again_changes_nothing later_sources_complete_earlier_ones the_ledger_stands_in_a_conflict a_bad_row_refuses_the_batch;
    following: what_crls_say_is_taken_in holds_end_and_reasons_change what_was_revoked_here_stays only_where_the_policy_says_so sources_are_recorded_and_end;
    feed: gapless_under_concurrent_writers pages_in_serial_order a_commit_elsewhere_wakes;
    pgp: reserved_then_finished pending_survives_reopening;
    crls: numbers_only_rise numbers_are_never_shared recorded_under_a_reserved_number;
    audit: covers_every_mutation is_exported_in_order;
    simulation: any_sequence_of_operations;
}
