//! How an issuer is, told to whoever asks the daemon: health, and the metrics that change with time alone.

use pki::Time;

use crate::worker::Worker;

impl Worker {
    /// Health, and the metrics that change with time alone.
    pub(crate) fn tell(&self) {
        let now = self.shared.clock.now();
        let name = self.issuer.name.as_str();
        let metrics = &self.shared.metrics;
        let oldest = self.published.view().oldest_next_update();
        if let Some(oldest) = oldest {
            metrics
                .worst_seconds_left
                .with_label_values(&[name])
                .set(now.seconds_until(oldest));
        }
        if let Some(ends) = self.basis.ends() {
            metrics
                .source_seconds_left
                .with_label_values(&[name])
                .set(now.seconds_until(ends));
        }
        let responder_left = self
            .responder()
            .map_or(0, |certificate| now.seconds_until(certificate.not_after()));
        metrics
            .responder_seconds_left
            .with_label_values(&[name])
            .set(responder_left);
        let stock_left = self
            .care
            .covered_until(now)
            .map_or(0, |until| now.seconds_until(until));
        metrics
            .responder_stock_seconds_left
            .with_label_values(&[name])
            .set(stock_left);
        let wanted = self.issuer.signs.then(|| self.stock().ahead());
        metrics
            .responder_stock_wanted_seconds
            .with_label_values(&[name])
            .set(wanted.unwrap_or(0));
        metrics
            .queue
            .set(i64::try_from(self.shared.pool.queue_length()).unwrap_or(i64::MAX));
        match self.what_is_wrong(now, oldest, responder_left, stock_left) {
            None => self.part.set_ready(),
            Some(wrong) => self.part.set_failed(wrong),
        }
    }

    fn what_is_wrong(
        &self,
        now: Time,
        oldest: Option<Time>,
        responder_left: i64,
        stock_left: i64,
    ) -> Option<String> {
        if let Some(hindrance) = self.basis.hindrance(now) {
            return Some(hindrance);
        }
        if oldest.is_some_and(|oldest| oldest <= now) {
            let why = self
                .trouble
                .as_deref()
                .or_else(|| self.care.problem())
                .unwrap_or("they are being signed anew");
            return Some(format!("answers have ended: {why}"));
        }
        if let Some(problem) = self.care.problem() {
            return Some(problem.to_owned());
        }
        // While there are enough, somebody else's absence is no fault of this issuer.
        if let Some(problem) = self.care.stock_problem()
            && stock_left < self.stock().life()
        {
            return Some(format!(
                "the last responder certificate ends in {} h: {problem}",
                stock_left / 3600
            ));
        }
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        if let Some((serial, why)) = self.unfit.first_key_value() {
            let more = self.unfit.len() - 1;
            return Some(format!(
                "certificate {serial} (and {more} more) cannot be answered: {why}"
            ));
        }
        if !self.complete {
            let progress = self
                .sweep
                .as_ref()
                .map(|(sweep, _)| format!(" ({} of {})", sweep.done, sweep.total));
            return Some(format!(
                "answers are being signed{}",
                progress.unwrap_or_default()
            ));
        }
        if !self.issuer.signs && responder_left < self.schedule.validity() {
            return Some(format!(
                "its responder certificate ends in {} h, and answers with it: give it a new one with `avouch import ca`",
                responder_left / 3600
            ));
        }
        None
    }
}
