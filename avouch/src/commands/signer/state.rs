//! `avouch signer state`.

use anyhow::Result;
use signer_client::Mode;
use signer_client::local::{CableState, HostState, LineState};

use super::{host_state, json};
use crate::data_dir::DataDir;
use crate::human;
use crate::outcome::Outcome;
use crate::table::Table;

pub(crate) async fn state(data: &DataDir) -> Result<Outcome> {
    let state = host_state(data).await?;
    let mut text: String = state
        .cables
        .iter()
        .map(|cable| format!("{}\n", signer(cable, &state)))
        .collect();
    text.push_str(&format!("{}\n", queue(&state)));
    for alarm in &state.alarms {
        let about = alarm
            .signer_id
            .map_or_else(String::new, |id| format!(" (signer {id})"));
        text.push_str(&format!("ALARM {}{about}: {}\n", alarm.kind, alarm.text));
    }
    text.push_str(&refused(&state));
    Ok(Outcome::new(json::host(&state), text))
}

fn signer(cable: &CableState, state: &HostState) -> String {
    let id = cable.signer_id;
    let mut text = match (&cable.status, cable.reason.is_empty()) {
        (Some(status), true) => format!("Signer {id} is {}.", upper(status.mode)),
        (Some(status), false) => {
            format!("Signer {id} is {}: {}.", upper(status.mode), cable.reason)
        }
        (None, _) => format!("Signer {id} was not heard of: {}.", cable.reason),
    };
    let mut line = |head: &str, content: String| {
        text.push_str(&format!("\n  {head:<11} {content}"));
    };
    line("cable", describe_line(cable));
    if let Some(status) = &cable.status {
        line(
            "heard of",
            format!(
                "{} ago, in {} ms; release {}",
                human::span(i64::try_from(cable.status_age / 1_000).unwrap_or(i64::MAX)),
                cable.ping,
                cable.build.as_deref().unwrap_or("unknown")
            ),
        );
        line(
            "clock",
            match cable.clock_offset {
                0 => "that of this host".to_owned(),
                offset => format!("{offset} s from this host's"),
            },
        );
        line(
            "budget",
            format!(
                "{} signatures until the next unlock; {} refusals since the last",
                human::count(status.signatures_left),
                status.strikes
            ),
        );
        let highest = match status.epoch == state.epoch {
            true => String::new(),
            false => format!("; {} is the highest that was met", state.epoch),
        };
        line("promotion", format!("epoch {}{highest}", status.epoch));
        if status.winding_down {
            line(
                "WINDS DOWN",
                "revocations, CRLs and certificates of responders only".to_owned(),
            );
        }
    }
    line("log", log(cable));
    line(
        "under way",
        format!(
            "{} requests, {} octets",
            human::count(cable.unanswered),
            human::count(cable.backlog)
        ),
    );
    text
}

fn upper(mode: Mode) -> String {
    mode.to_string().to_uppercase()
}

fn describe_line(cable: &CableState) -> String {
    let LineState {
        baud,
        frames_sent,
        frames_received,
        noise,
        retransmissions,
        sessions,
        round_trip,
        ..
    } = cable.line;
    let is = match (cable.device_open, cable.up) {
        (false, _) => "no device; is the adapter plugged in?",
        (true, false) => "no session",
        (true, true) => "up",
    };
    let trip = round_trip.map_or_else(String::new, |trip| format!(", {trip} ms there and back"));
    format!(
        "{is}, {} baud{trip}; {} frames sent ({} again), {} received, {} times noise, {} sessions",
        human::count(u64::from(baud)),
        human::count(frames_sent),
        human::count(retransmissions),
        human::count(frames_received),
        human::count(noise),
        human::count(sessions)
    )
}

fn log(cable: &CableState) -> String {
    let behind = cable.log_head.saturating_sub(cable.log_archived);
    let archived = match behind {
        0 => "all archived".to_owned(),
        behind => format!("{} not archived yet", human::count(behind)),
    };
    let replicated = cable.log_replicated.map_or_else(String::new, |count| {
        format!("; {} of the active signer's", human::count(count))
    });
    format!(
        "{} records, {archived}{replicated}",
        human::count(cable.log_head)
    )
}

fn queue(state: &HostState) -> String {
    if state.queues.iter().all(|queue| queue.count == 0) {
        return "Nothing waits for a signer.".to_owned();
    }
    let mut table = Table::new(&["waiting", "requests", "the oldest for"]);
    for queue in state.queues.iter().filter(|queue| queue.count > 0) {
        table.row([
            queue.class.clone(),
            human::count(queue.count),
            human::span(queue.oldest_seconds),
        ]);
    }
    table.render()
}

fn refused(state: &HostState) -> String {
    if state.refused_count == 0 {
        return "Nothing was refused within a day.\n".to_owned();
    }
    let mut text = format!(
        "{} refused within a day, and not sent again:\n",
        human::count(state.refused_count)
    );
    for act in &state.refused {
        text.push_str(&format!(
            "  {} request {} of user {}: {}\n",
            act.time,
            act.id,
            act.owner,
            human::printable(&act.refused.to_string())
        ));
    }
    let more = state
        .refused_count
        .saturating_sub(state.refused.len() as u64);
    if more > 0 {
        text.push_str(&format!(
            "  and {} more (older ones, or those of other users)\n",
            human::count(more)
        ));
    }
    text
}
