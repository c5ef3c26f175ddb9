//! How everything is, as a local process is told.

use wire::link::Quality;
use wire::local::{AlarmState, CableState, HostState, LineState, QueueState, REFUSED, RefusedAct};

use crate::core::{CableView, Core, DiskDirectory, Now, View};
use crate::line::Line;

/// From all parts, now. The lines are in the order of the cables, each with its baud rate.
pub(crate) fn state(
    core: &Core<DiskDirectory>,
    lines: &[Line],
    bauds: &[u32],
    now: Now,
) -> HostState {
    let View {
        cables,
        active,
        epoch,
        queues,
        open_octets,
        refused: _,
        outbox_octets,
        alarms,
    } = core.view(now);
    let active = active.and_then(|cable| cables.get(cable));
    let active = active.map(|cable| cable.signer_id);
    let (refused_count, refused): (u64, Vec<RefusedAct>) = core.refused(REFUSED);
    let cables = cables.into_iter().zip(lines.iter().zip(bauds));
    HostState {
        time: now.time,
        cables: cables
            .map(|(cable, (line, baud))| cable_state(cable, line.shown.state(), *baud, now))
            .collect(),
        active,
        epoch,
        queues: queues
            .into_iter()
            .map(|(class, queue)| QueueState {
                class: class.name().to_owned(),
                count: queue.count as u64,
                oldest_seconds: queue.oldest_seconds,
            })
            .collect(),
        open_octets: open_octets as u64,
        outbox_octets,
        alarms: alarms
            .into_iter()
            .map(|alarm| AlarmState {
                kind: alarm.kind.name().to_owned(),
                signer_id: alarm.signer_id,
                text: alarm.text,
            })
            .collect(),
        refused_count,
        refused,
    }
}

fn cable_state(
    cable: CableView,
    (device_open, quality): (bool, Quality),
    baud: u32,
    now: Now,
) -> CableState {
    CableState {
        signer_id: cable.signer_id,
        device_open,
        up: cable.up,
        reason: cable.reason,
        build: cable.build,
        status: cable.status,
        status_age: now.millis.saturating_sub(cable.status_at),
        ping: cable.round_trip,
        clock_offset: cable.clock_offset,
        log_head: cable.head,
        log_archived: cable.archived,
        log_replicated: cable.replicated,
        unanswered: cable.unanswered as u64,
        backlog: cable.backlog as u64,
        line: LineState {
            baud,
            octets_sent: quality.octets_sent,
            octets_received: quality.octets_received,
            frames_sent: quality.frames_sent,
            frames_received: quality.frames_received,
            noise: quality.noise,
            retransmissions: quality.retransmissions,
            sessions: quality.sessions,
            round_trip: quality.round_trip,
        },
    }
}
