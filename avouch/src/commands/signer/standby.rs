//! `avouch signer standby`: what a promotion would need.

use anyhow::Result;
use serde_json::json;
use signer_client::Mode;
use signer_client::local::{CableState, HostState};

use super::host_state;
use crate::data_dir::DataDir;
use crate::human;
use crate::outcome::Outcome;

pub(crate) async fn standby(data: &DataDir) -> Result<Outcome> {
    let state = host_state(data).await?;
    let Some(standby) = find(&state) else {
        let text = "There is no standby: signer-host has one cable.\n\
                    A standby is a second machine with the same CA keys, brought there by a ceremony, and a cable of its own \
                    (a second [[cables]] of signer-host). See \"Two signers\" in docs/signer-host.md.";
        return Ok(Outcome::new(json!({ "standby": null }), text));
    };
    let leader = state
        .cables
        .iter()
        .find(|cable| cable.signer_id != standby.signer_id);
    let Some(leader) = leader else {
        return Ok(Outcome::new(json!({ "standby": null }), ""));
    };
    let needs = Needs::of(standby, leader, &state);
    let object = json!({
        "standby": standby.signer_id,
        "active": state.active,
        "mode": standby.status.as_ref().map(|status| status.mode.to_string()),
        "behind": needs.behind,
        "replicated": standby.log_replicated,
        "active_log_archived": leader.log_archived,
        "ready": needs.obstacles.is_empty(),
        "obstacles": needs.obstacles,
        "console": needs.console,
    });
    Ok(Outcome::new(object, needs.text(standby, leader)))
}

/// The cable whose signer is not the active one; with none active, the one that says it is a standby.
fn find(state: &HostState) -> Option<&CableState> {
    if state.cables.len() < 2 {
        return None;
    }
    let is_standby = |cable: &&CableState| {
        let status = cable.status.as_ref();
        status.is_some_and(|status| status.mode == Mode::Standby)
    };
    let mut cables = state.cables.iter();
    match state.active {
        Some(active) => cables.find(|cable| cable.signer_id != active),
        None => cables.find(is_standby).or_else(|| state.cables.last()),
    }
}

struct Needs {
    /// Records of the active signer's log that the standby has not.
    behind: u64,
    obstacles: Vec<String>,
    /// What to say, where.
    console: Vec<(String, &'static str)>,
}

impl Needs {
    fn of(standby: &CableState, leader: &CableState, state: &HostState) -> Self {
        let replicated = standby.log_replicated.unwrap_or_default();
        let behind = leader.log_head.saturating_sub(replicated);
        let of_standby = format!("signer {}", standby.signer_id);
        let of_leader = format!("signer {}", leader.signer_id);
        let mut obstacles = Vec::new();
        let mut console = Vec::new();
        if !standby.up {
            obstacles.push(format!("its cable is not up: {}", standby.reason));
        }
        let mode = standby.status.as_ref().map(|status| status.mode);
        match mode {
            Some(Mode::Standby) => {}
            Some(Mode::Sealed) => {
                obstacles.push("its keys are not open".to_owned());
                console.push((of_standby.clone(), "unlock"));
            }
            Some(Mode::Locked) => {
                obstacles.push("its keys are wiped; start it again".to_owned());
                console.push((of_standby.clone(), "quit"));
                console.push((of_standby.clone(), "unlock"));
            }
            Some(Mode::Active | Mode::Suspended) => obstacles.push(format!(
                "it was promoted before (epoch {}): it follows nobody, and is made a standby again by ceremony",
                standby.status.as_ref().map_or(0, |status| status.epoch)
            )),
            None => obstacles.push("it has not said yet how it is".to_owned()),
        }
        if behind > 0 {
            obstacles.push(format!(
                "it is {} records behind; promoted now, it would not know what these say, and might be asked for it again",
                human::count(behind)
            ));
        }
        if state.active.is_some() {
            console.insert(0, (of_leader, "lock REASON"));
        }
        if !matches!(mode, Some(Mode::Active | Mode::Suspended)) {
            console.push((of_standby, "promote"));
        }
        Self {
            behind,
            obstacles,
            console,
        }
    }

    fn text(&self, standby: &CableState, leader: &CableState) -> String {
        let mut text = format!(
            "Signer {} stands by for signer {}: it has {} of {} records of its log{}.\n",
            standby.signer_id,
            leader.signer_id,
            human::count(standby.log_replicated.unwrap_or_default()),
            human::count(leader.log_head),
            match self.behind {
                0 => ", all of it".to_owned(),
                behind => format!(", {} less", human::count(behind)),
            }
        );
        if self.obstacles.is_empty() {
            text.push_str("It could be promoted now.\n");
        }
        for obstacle in &self.obstacles {
            text.push_str(&format!("  not ready: {obstacle}\n"));
        }
        if !self.console.is_empty() {
            text.push_str("To let it take over, at the consoles, under dual control:\n");
            for (at, command) in &self.console {
                text.push_str(&format!("  {at:<10}  {command}\n"));
            }
            text.push_str(
                "Only when the other one is locked or lost: it locks itself when it hears of the promotion, and until \
                 then it must not have a host of its own.",
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pki::Time;
    use signer_client::local::LineState;
    use signer_client::{Receipt, Status};

    fn cable(signer_id: u8, mode: Mode, log_head: u64, replicated: Option<u64>) -> CableState {
        let status = Status {
            time: Time::from_unix(0),
            mode,
            reason: String::new(),
            head: Receipt {
                sequence: log_head,
                head: [0; 32],
            },
            archived: log_head,
            host_ahead_milliseconds: 0,
            signatures_left: 1,
            strikes: 0,
            epoch: 1,
            replicated: replicated.unwrap_or_default(),
            signer_id,
            winding_down: false,
        };
        CableState {
            signer_id,
            device_open: true,
            up: true,
            reason: String::new(),
            build: None,
            status: Some(status),
            status_age: 0,
            ping: 1,
            clock_offset: 0,
            log_head,
            log_archived: log_head,
            log_replicated: replicated,
            unanswered: 0,
            backlog: 0,
            line: LineState::default(),
        }
    }

    fn state(active: Option<u8>, cables: Vec<CableState>) -> HostState {
        HostState {
            time: Time::from_unix(0),
            cables,
            active,
            epoch: 1,
            queues: Vec::new(),
            open_octets: 0,
            outbox_octets: 1,
            alarms: Vec::new(),
            refused_count: 0,
            refused: Vec::new(),
        }
    }

    fn needs(state: &HostState) -> (u8, Needs) {
        let standby = find(state).unwrap();
        let leader = state
            .cables
            .iter()
            .find(|cable| cable.signer_id != standby.signer_id);
        let needs = Needs::of(standby, leader.unwrap(), state);
        (standby.signer_id, needs)
    }

    fn said(needs: &Needs) -> Vec<(&str, &str)> {
        let console = needs.console.iter();
        console.map(|(at, what)| (at.as_str(), *what)).collect()
    }

    #[test]
    fn one_that_has_everything_can_be_promoted() {
        let leader = cable(2, Mode::Active, 50, None);
        let standby = cable(1, Mode::Standby, 60, Some(50));
        let (id, needs) = needs(&state(Some(2), vec![standby, leader]));
        assert_eq!((id, needs.behind), (1, 0));
        assert!(needs.obstacles.is_empty(), "{:?}", needs.obstacles);
        assert_eq!(
            said(&needs),
            [("signer 2", "lock REASON"), ("signer 1", "promote")]
        );
    }

    #[test]
    fn one_that_is_behind_or_closed_says_so() {
        let mut leader = cable(1, Mode::Active, 50, None);
        leader.up = false;
        let standby = cable(2, Mode::Standby, 60, Some(40));
        let (id, behind) = needs(&state(None, vec![leader.clone(), standby]));
        assert_eq!((id, behind.behind), (2, 10));
        assert!(behind.obstacles[0].contains("10 records behind"));
        // The other one is lost: nobody can lock it.
        assert_eq!(said(&behind), [("signer 2", "promote")]);

        let sealed = cable(2, Mode::Sealed, 60, Some(50));
        let (_, sealed) = needs(&state(Some(1), vec![leader, sealed]));
        assert_eq!(sealed.obstacles, ["its keys are not open"]);
        assert_eq!(
            said(&sealed)[1..],
            [("signer 2", "unlock"), ("signer 2", "promote")]
        );
    }

    #[test]
    fn one_cable_has_no_standby() {
        let alone = state(Some(1), vec![cable(1, Mode::Active, 5, None)]);
        assert!(find(&alone).is_none());
    }
}
