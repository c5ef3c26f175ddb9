//! The state for programs.

use serde_json::{Value, json};
use signer_client::local::{CableState, HostState};

pub(super) fn host(state: &HostState) -> Value {
    json!({
        "time": state.time,
        "active": state.active,
        "epoch": state.epoch,
        "signers": state.cables.iter().map(cable).collect::<Vec<_>>(),
        "queue": state.queues.iter().map(|queue| json!({
            "class": queue.class,
            "count": queue.count,
            "oldest_seconds": queue.oldest_seconds,
        })).collect::<Vec<_>>(),
        "open_bytes": state.open_octets,
        "outbox_bytes": state.outbox_octets,
        "alarms": state.alarms.iter().map(|alarm| json!({
            "kind": alarm.kind,
            "signer": alarm.signer_id,
            "text": alarm.text,
        })).collect::<Vec<_>>(),
        "refused_count": state.refused_count,
        "refused": state.refused.iter().map(|act| json!({
            "id": act.id.to_string(),
            "user": act.owner,
            "time": act.time,
            "code": act.refused.code.to_string(),
            "field": act.refused.field,
            "message": act.refused.message,
        })).collect::<Vec<_>>(),
    })
}

fn cable(cable: &CableState) -> Value {
    let status = cable.status.as_ref();
    let line = &cable.line;
    json!({
        "signer": cable.signer_id,
        "mode": status.map(|status| status.mode.to_string()),
        "reason": status.map(|status| status.reason.clone()),
        "why_no_work": cable.reason,
        "epoch": status.map(|status| status.epoch),
        "winding_down": status.map(|status| status.winding_down),
        "signatures_left": status.map(|status| status.signatures_left),
        "strikes": status.map(|status| status.strikes),
        "status_age_ms": status.map(|_| cable.status_age),
        "build": cable.build,
        "clock_offset_seconds": cable.clock_offset,
        "log": {
            "head": cable.log_head,
            "archived": cable.log_archived,
            "replicated": cable.log_replicated,
        },
        "unanswered": cable.unanswered,
        "backlog_bytes": cable.backlog,
        "line": {
            "device_open": cable.device_open,
            "up": cable.up,
            "baud": line.baud,
            "ping_ms": cable.ping,
            "frame_round_trip_ms": line.round_trip,
            "bytes_sent": line.octets_sent,
            "bytes_received": line.octets_received,
            "frames_sent": line.frames_sent,
            "frames_received": line.frames_received,
            "retransmissions": line.retransmissions,
            "noise": line.noise,
            "sessions": line.sessions,
        },
    })
}
